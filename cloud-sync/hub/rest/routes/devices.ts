import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import { HubError } from "../../hub-error.ts";
import { notFound } from "../../identity.ts";
import type { Identity } from "../../ports.ts";
import { ifMatchOf, quoted } from "../if-match.ts";
import type { RestContext } from "../rest-context.ts";
import { DeviceParams, IdentityBody, ModuleParams } from "../schemas/identity.ts";
import { deviceView, moduleView, registryWriteOf } from "../views/identity-view.ts";

/** IoT Hub's own: the list is for looking, queries are for more. */
const LIST_MAX = 1_000;
const READ = { access: { right: "RegistryRead" } } as const;
const WRITE = { access: { right: "RegistryWrite" } } as const;

/** Devices and their modules: with If-Match a PUT changes what is there, without it makes what is not. */
export function deviceRoutes({ hub }: RestContext): FastifyPluginAsyncTypebox {
  const { registry } = hub;
  const entryOf = (identity: Identity) => {
    const entry = registry.get(identity);
    if (entry !== undefined) return entry;
    throw notFound(
      registry.get({ deviceId: identity.deviceId }) === undefined ? { deviceId: identity.deviceId } : identity,
    );
  };
  const put = (identity: Identity, body: IdentityBody, ifMatch: string | undefined) => {
    const { deviceId, moduleId } = identity;
    if ((body.deviceId ?? deviceId) !== deviceId || (body.moduleId ?? moduleId) !== moduleId) {
      throw new HubError("ArgumentInvalid", "the id in the body is another than that in the address");
    }
    return ifMatch === undefined
      ? registry.create(identity, registryWriteOf(body))
      : registry.update(identity, registryWriteOf(body), ifMatch);
  };
  return async (app) => {
    app.get(
      "/devices",
      { schema: { querystring: Type.Object({ top: Type.Optional(Type.String()) }) }, config: READ },
      (request) => registry.devices(topOf(request.query.top)).map(deviceView),
    );
    app.get("/devices/:id", { schema: { params: DeviceParams }, config: READ }, (request, reply) => {
      const entry = entryOf({ deviceId: request.params.id });
      return reply.header("etag", quoted(entry.etag)).send(deviceView(entry));
    });
    app.put(
      "/devices/:id",
      { schema: { params: DeviceParams, body: IdentityBody }, config: WRITE },
      (request, reply) => {
        const entry = put({ deviceId: request.params.id }, request.body, ifMatchOf(request));
        return reply.header("etag", quoted(entry.etag)).send(deviceView(entry));
      },
    );
    app.delete("/devices/:id", { schema: { params: DeviceParams }, config: WRITE }, (request, reply) => {
      registry.remove({ deviceId: request.params.id }, ifMatchOf(request));
      return reply.code(204).send();
    });
    app.delete(
      "/devices/:id/commands",
      { schema: { params: DeviceParams }, config: { access: { right: "ServiceConnect" } } },
      (request) => {
        const { deviceId } = entryOf({ deviceId: request.params.id });
        return { totalMessagesPurged: hub.commands.purge(deviceId), deviceId, moduleId: null };
      },
    );
    app.get("/devices/:id/modules", { schema: { params: DeviceParams }, config: READ }, (request) => {
      const { deviceId } = entryOf({ deviceId: request.params.id });
      return registry.modules(deviceId).map(moduleView);
    });
    app.get("/devices/:id/modules/:moduleId", { schema: { params: ModuleParams }, config: READ }, (request, reply) => {
      const entry = entryOf({ deviceId: request.params.id, moduleId: request.params.moduleId });
      return reply.header("etag", quoted(entry.etag)).send(moduleView(entry));
    });
    app.put(
      "/devices/:id/modules/:moduleId",
      { schema: { params: ModuleParams, body: IdentityBody }, config: WRITE },
      (request, reply) => {
        const { id: deviceId, moduleId } = request.params;
        const entry = put({ deviceId, moduleId }, request.body, ifMatchOf(request));
        return reply.header("etag", quoted(entry.etag)).send(moduleView(entry));
      },
    );
    app.delete(
      "/devices/:id/modules/:moduleId",
      { schema: { params: ModuleParams }, config: WRITE },
      (request, reply) => {
        registry.remove({ deviceId: request.params.id, moduleId: request.params.moduleId }, ifMatchOf(request));
        return reply.code(204).send();
      },
    );
  };
}

function topOf(text: string | undefined): number {
  const top = text === undefined ? LIST_MAX : Number(text);
  if (Number.isInteger(top) && top >= 1 && top <= LIST_MAX) return top;
  throw new HubError("ArgumentInvalid", `top is "${text}", expected 1 to ${LIST_MAX}`);
}
