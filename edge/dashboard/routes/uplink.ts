import type { FastifyPluginAsyncTypebox } from "@fastify/type-provider-typebox";
import type { DashboardContext } from "../dashboard-context.ts";
import { Uplink } from "../schemas/uplink.ts";

/** The line to the cloud; the live stream's event "uplink" carries the same. */
export function uplinkRoutes({ uplink }: DashboardContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get("/api/uplink", { schema: { response: { 200: Uplink } } }, () => uplink.look());
  };
}
