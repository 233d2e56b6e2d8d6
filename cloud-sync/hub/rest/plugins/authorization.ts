import type { FastifyInstance, FastifyRequest } from "fastify";
import { authorizeIdentity, authorizeService } from "../../authorize.ts";
import { HubError } from "../../hub-error.ts";
import type { Hub, Identity } from "../../ports.ts";

/** Names the module that calls, when a module invokes a method: "device/module". */
const CALLING_MODULE = "x-ms-edge-moduleid";

/** Every route says who may call it; one that says nothing is open to nobody. Must be added before the routes. */
export function addAuthorization(app: FastifyInstance, hub: Hub): void {
  app.addHook("onRequest", async (request) => {
    if (request.is404) return;
    const { access } = request.routeOptions.config;
    const token = request.headers.authorization ?? "";
    if (access === undefined) throw new HubError("IotHubUnauthorizedAccess", "this address is open to nobody");
    const calling = access.modulesToo ? callingModule(request) : undefined;
    if (calling !== undefined) authorizeIdentity(hub, calling, token);
    else authorizeService(hub, token, access.right, request.url.split("?")[0]);
  });
}

function callingModule({ headers }: FastifyRequest): Identity | undefined {
  const [deviceId, moduleId] = String(headers[CALLING_MODULE] ?? "").split("/");
  return deviceId === undefined || moduleId === undefined ? undefined : { deviceId, moduleId };
}
