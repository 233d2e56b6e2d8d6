import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import type { DashboardContext } from "../dashboard-context.ts";
import { CLIENTS_MAX } from "../stream/stream-hub.ts";

const Query = Type.Object(
  {
    machine: Type.Optional(Type.String({ maxLength: 500, description: "only this machineId, with every sample" })),
    keys: Type.Boolean({ default: false, description: "only key signals" }),
    after: Type.Optional(Type.Integer({ minimum: 0, description: "offset that the client has seen" })),
  },
  { additionalProperties: false },
);

/** Server-sent events: hello, sample, machine, connection, time. The id is the log's offset; Last-Event-ID resumes. */
export function streamRoutes({ hub }: DashboardContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get("/api/stream", { schema: { querystring: Query, produces: ["text/event-stream"] } }, (request, reply) => {
      if (hub.isFull) {
        return reply.code(503).send({
          error: {
            code: "BUSY",
            message: `${CLIENTS_MAX} pages are on the live stream already`,
            hint: "Close some of them.",
          },
        });
      }
      const lastId = request.headers["last-event-id"];
      const resumed = typeof lastId === "string" && /^\d{1,15}$/.test(lastId) ? Number(lastId) : undefined;
      reply.hijack();
      reply.raw.writeHead(200, {
        ...(reply.getHeaders() as Record<string, string>),
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
      });
      request.raw.socket.setNoDelay(true);
      hub.connect(
        reply.raw,
        { machineId: request.query.machine ?? null, keysOnly: request.query.keys },
        resumed ?? request.query.after ?? null,
      );
      return reply;
    });
  };
}
