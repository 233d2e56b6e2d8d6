import type { FastifyInstance, FastifyRequest } from "fastify";
import { authorizeCertificate, authorizeIdentity, authorizeService, type Grant } from "../../authorize.ts";
import { certificateOf } from "../../client-certificate.ts";
import { HubError } from "../../hub-error.ts";
import type { Hub, Identity } from "../../ports.ts";

/** Names the module that calls, when a module invokes a method: "device/module". */
const CALLING_MODULE = "x-ms-edge-moduleid";

/** Who was let in as the device or module of the path. */
const grants = new WeakMap<FastifyRequest, Grant>();

/** Every route says who may call it; one that says nothing is open to nobody. Must be added before the routes. */
export function addAuthorization(app: FastifyInstance, hub: Hub): void {
  app.addHook("onRequest", async (request) => {
    if (request.is404) return;
    const { access } = request.routeOptions.config;
    const token = request.headers.authorization ?? "";
    if (access === undefined) throw new HubError("IotHubUnauthorizedAccess", "this address is open to nobody");
    if (access === "device") {
      const identity = identityOfPath(request);
      const certificate = certificateOf(request.raw.socket);
      const grant =
        token === "" ? authorizeCertificate(hub, identity, certificate) : authorizeIdentity(hub, identity, token);
      grants.set(request, grant);
      return;
    }
    const calling = access.modulesToo ? callingModule(request) : undefined;
    if (calling !== undefined) {
      authorizeIdentity(hub, calling, token);
      checkScope(hub, calling, identityOfPath(request));
    } else authorizeService(hub, token, access.right, request.url.split("?")[0]);
  });
}

/** Of a request to a route that is the device's own. */
export function grantOf(request: FastifyRequest): Grant {
  const grant = grants.get(request);
  if (grant === undefined) throw new HubError("IotHubUnauthorizedAccess", "nobody was let in");
  return grant;
}

export function identityOfPath({ params }: FastifyRequest): Identity {
  const { id = "", moduleId } = params as { id?: string; moduleId?: string };
  return { deviceId: id, ...(moduleId === undefined ? {} : { moduleId }) };
}

/** A module reaches its own device, the modules there, and the devices below it. @throws HubError Unauthorized */
function checkScope(hub: Hub, calling: Identity, called: Identity): void {
  if (called.deviceId === calling.deviceId) return;
  const scope = hub.registry.get({ deviceId: calling.deviceId })?.deviceScope;
  const parents = hub.registry.get({ deviceId: called.deviceId })?.parentScopes ?? [];
  if (!scope || !parents.includes(scope)) {
    throw new HubError("Unauthorized", `a module of ${calling.deviceId} may not call ${called.deviceId}`);
  }
}

function callingModule({ headers }: FastifyRequest): Identity | undefined {
  const [deviceId, moduleId] = String(headers[CALLING_MODULE] ?? "").split("/");
  return deviceId === undefined || moduleId === undefined ? undefined : { deviceId, moduleId };
}
