import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import { EVENT_TYPES, type EventType, type StoredEvent } from "../../../cloud-sync/contract/event.ts";
import type { LogReader } from "../../log/event-log.ts";
import type { DashboardContext } from "../dashboard-context.ts";
import { jsonReplacer } from "../json-value.ts";

const LIMIT_EVENTS_MAX = 500;
/** An answer ends after the event that passes this, however many were asked for. */
const ANSWER_CHARS_MAX = 2_000_000;

const Query = Type.Object(
  {
    machineId: Type.Optional(Type.String({ maxLength: 500 })),
    types: Type.Optional(
      Type.String({ maxLength: 200, description: `separated by commas: ${EVENT_TYPES.join(", ")}` }),
    ),
    afterOffset: Type.Optional(Type.Integer({ minimum: 0, description: "left out: the last `limit` positions" })),
    limit: Type.Integer({ minimum: 1, maximum: LIMIT_EVENTS_MAX, default: 100 }),
  },
  { additionalProperties: false },
);

/** Events as they are in the log, ascending by offset; ask again with the last one's offset for more. */
export function eventRoutes({ log }: DashboardContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get("/api/events", { schema: { querystring: Query } }, (request, reply) => {
      const { machineId, afterOffset, limit } = request.query;
      const types = request.query.types?.split(",").filter((type) => type !== "");
      const wrong = types?.find((type) => !(EVENT_TYPES as readonly string[]).includes(type));
      if (wrong !== undefined) {
        return reply.code(400).send({
          error: {
            code: "REQUEST_INVALID",
            message: `"${wrong}" is not an event type`,
            hint: `One of ${EVENT_TYPES.join(", ")}.`,
          },
        });
      }
      const options = { limitEvents: limit, ...(types?.length ? { types: types as EventType[] } : {}) };
      const events =
        machineId === undefined
          ? log.readAfter(afterOffset ?? Math.max(0, log.head() - limit), options)
          : log.readStream(machineId, seqBefore(log, machineId, afterOffset, limit), options);
      return reply.type("application/json; charset=utf-8").send(encode(events));
    });
  };
}

/** The seq after which a machine's events lie past an offset: both ascend together, so a search by halves finds it. */
function seqBefore(log: LogReader, machineId: string, afterOffset: number | undefined, limit: number): number {
  const stream = log.streams().find((each) => each.machineId === machineId);
  if (!stream) return 0;
  if (afterOffset === undefined) return Math.max(0, stream.lastSeq - limit);
  let low = stream.firstSeq - 1;
  let high = stream.lastSeq;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const event = log.readStream(machineId, middle - 1, { limitEvents: 1 })[0];
    if (event && event.offset <= afterOffset) low = middle;
    else high = middle - 1;
  }
  return low;
}

function encode(events: readonly StoredEvent[]): string {
  const parts: string[] = [];
  let chars = 0;
  for (const event of events) {
    const text = JSON.stringify(event, jsonReplacer);
    parts.push(text);
    chars += text.length;
    if (chars > ANSWER_CHARS_MAX) break;
  }
  return `{"events":[${parts.join(",")}]}`;
}
