import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import type { DashboardContext } from "../dashboard-context.ts";

const Health = Type.Object({
  ok: Type.Boolean(),
  epoch: Type.String(),
  head: Type.Integer(),
  lagEvents: Type.Integer({ description: "positions of the log that are not in the views yet" }),
  newestMs: Type.Number({ description: "time of the newest event; 0 when the log is empty" }),
  logBytes: Type.Integer(),
  machines: Type.Integer(),
  connections: Type.Integer(),
  clients: Type.Integer(),
  droppedClients: Type.Integer(),
  lastDropReason: Type.Union([Type.String(), Type.Null()]),
  uptimeSeconds: Type.Number(),
});

export function healthRoutes({ projection, log, hub }: DashboardContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get("/api/health", { schema: { response: { 200: Health } } }, () => {
      const head = log.head();
      return {
        ok: true,
        epoch: log.epoch,
        head,
        lagEvents: Math.max(0, head - projection.offset),
        newestMs: projection.newestMs,
        logBytes: log.sizeBytes(),
        machines: projection.machines.size,
        connections: projection.connections.size,
        clients: hub.clients,
        droppedClients: hub.droppedClients,
        lastDropReason: hub.lastDropReason,
        uptimeSeconds: Math.round(process.uptime()),
      };
    });
  };
}
