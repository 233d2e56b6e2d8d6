import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import type { DashboardContext } from "../dashboard-context.ts";
import { ConnectionView } from "../schemas/views.ts";
import { connectionViewOf } from "../views.ts";

export function connectionRoutes({ projection }: DashboardContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get("/api/connections", { schema: { response: { 200: Type.Array(ConnectionView) } } }, () =>
      [...projection.connections.values()]
        .map(connectionViewOf)
        .sort((a, b) => a.connectionId.localeCompare(b.connectionId, "en", { numeric: true })),
    );
  };
}
