import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import { notFound } from "../../identity.ts";
import type { Identity, MethodResponse } from "../../ports.ts";
import { type MethodCall, methodRequestOf } from "../../services/method-call.ts";
import type { RestContext } from "../rest-context.ts";
import { DeviceParams, Maybe, ModuleParams } from "../schemas/identity.ts";
import { AnyJson } from "../schemas/json.ts";

const MethodBody = Type.Object({
  methodName: Type.String({ minLength: 1, maxLength: 100 }),
  payload: Type.Optional(AnyJson),
  responseTimeoutInSeconds: Maybe(Type.Number()),
  connectTimeoutInSeconds: Maybe(Type.Number()),
});
/** Modules of an edge device call each other by the same address. */
const config = { access: { right: "ServiceConnect", modulesToo: true } } as const;

/** Direct methods: the answer comes when the device has given it. */
export function methodRoutes({ hub }: RestContext): FastifyPluginAsyncTypebox {
  const invoke = (identity: Identity, call: MethodCall): Promise<MethodResponse> => {
    if (hub.registry.get(identity) === undefined) throw notFound(identity);
    return hub.links.invoke(identity, methodRequestOf(call));
  };
  return async (app) => {
    app.post("/twins/:id/methods", { schema: { params: DeviceParams, body: MethodBody }, config }, (request) =>
      invoke({ deviceId: request.params.id }, request.body),
    );
    app.post(
      "/twins/:id/modules/:moduleId/methods",
      { schema: { params: ModuleParams, body: MethodBody }, config },
      (request) => invoke({ deviceId: request.params.id, moduleId: request.params.moduleId }, request.body),
    );
  };
}
