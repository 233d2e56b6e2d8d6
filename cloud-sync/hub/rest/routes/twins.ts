import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import type { FastifyReply } from "fastify";
import type { Identity, JsonMap } from "../../ports.ts";
import { ifMatchOf, quoted } from "../if-match.ts";
import type { RestContext } from "../rest-context.ts";
import { DeviceParams, ModuleParams } from "../schemas/identity.ts";
import { MapOrNull } from "../schemas/json.ts";

const TwinBody = Type.Object({
  tags: MapOrNull,
  properties: Type.Optional(Type.Union([Type.Object({ desired: MapOrNull }), Type.Null()])),
});
const config = { access: { right: "ServiceConnect" } } as const;

interface TwinRequest {
  readonly tags?: JsonMap | null;
  readonly properties?: { readonly desired?: JsonMap | null } | null;
}

/** Twins of devices and of modules: PATCH merges, PUT replaces. */
export function twinRoutes({ hub, services }: RestContext): FastifyPluginAsyncTypebox {
  const show = (reply: FastifyReply, identity: Identity): FastifyReply => {
    const document = services.documents.twin(identity);
    return reply.header("etag", quoted(String(document.etag))).send(document);
  };
  const write = (
    identity: Identity,
    body: TwinRequest,
    how: "patch" | "replace",
    ifMatch: string | undefined,
  ): void => {
    const { tags, properties } = body;
    const desired = properties?.desired;
    const rest = how === "replace" ? { tags: null, desired: null } : {};
    const change = {
      ...rest,
      ...(tags === undefined ? {} : { tags: tags === null ? null : withoutMeta(tags) }),
      ...(desired === undefined ? {} : { desired: desired === null ? null : withoutMeta(desired) }),
    };
    hub.twins.write(identity, change, how, ifMatch);
  };
  const identityOf = ({ id, moduleId }: { id: string; moduleId?: string }): Identity => ({
    deviceId: id,
    ...(moduleId === undefined ? {} : { moduleId }),
  });
  return async (app) => {
    for (const [path, params] of [
      ["/twins/:id", DeviceParams],
      ["/twins/:id/modules/:moduleId", ModuleParams],
    ] as const) {
      app.get(path, { schema: { params }, config }, (request, reply) => show(reply, identityOf(request.params)));
      for (const [method, how] of [
        ["PATCH", "patch"],
        ["PUT", "replace"],
      ] as const) {
        app.route({
          method,
          url: path,
          schema: { params, body: TwinBody },
          config,
          handler: (request, reply) => {
            const identity = identityOf(request.params);
            write(identity, request.body, how, ifMatchOf(request));
            return show(reply, identity);
          },
        });
      }
    }
  };
}

/** What a client read and sends back. */
function withoutMeta({ $metadata: _metadata, $version: _version, ...values }: JsonMap): JsonMap {
  return values;
}
