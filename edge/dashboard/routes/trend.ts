import { type FastifyPluginAsyncTypebox, Type } from "@fastify/type-provider-typebox";
import { edgeStreamOf } from "../../../cloud-sync/contract/event.ts";
import type { DashboardContext } from "../dashboard-context.ts";
import { Trend } from "../schemas/trend.ts";
import { Failure } from "../schemas/views.ts";
import { readTrend, TREND_POINTS_MAX, TREND_SIGNALS_MAX } from "../trend/read-trend.ts";
import { isPolled } from "../views.ts";
import { unknownMachine } from "./machines.ts";

const SPAN_MS_MAX = 32 * 86_400_000;
const SPAN_MS_DEFAULT = 5 * 60_000;
/** Trends read at the same time; each is a long read of the log. */
const TRENDS_MAX = 6;

const Query = Type.Object(
  {
    signals: Type.String({ minLength: 1, maxLength: 4_000, description: "names, separated by commas, at most 8" }),
    fromMs: Type.Optional(Type.Number()),
    toMs: Type.Optional(Type.Number()),
    points: Type.Integer({ minimum: 3, maximum: TREND_POINTS_MAX, default: 1_200 }),
  },
  { additionalProperties: false },
);

export function trendRoutes({ projection, log, site, clock }: DashboardContext): FastifyPluginAsyncTypebox {
  let running = 0;
  return async (app) => {
    app.get(
      "/api/machines/:site/:machine/trend",
      {
        schema: {
          params: Type.Object({ site: Type.String(), machine: Type.String() }),
          querystring: Query,
          response: { 200: Trend, 400: Failure, 404: Failure, 503: Failure },
        },
      },
      async (request, reply) => {
        const machineId = `${request.params.site}/${request.params.machine}`;
        const machine = projection.machines.get(machineId);
        if (!machine) return reply.code(404).send(unknownMachine(machineId));
        const toMs = request.query.toMs ?? clock.nowMs() + 1;
        const fromMs = request.query.fromMs ?? toMs - SPAN_MS_DEFAULT;
        const names = [...new Set(request.query.signals.split(",").filter((name) => name !== ""))];
        const refusal = refusalOf(names, fromMs, toMs);
        if (refusal) return reply.code(400).send(failure("REQUEST_INVALID", refusal, null));
        const unknown = names.find((name) => !machine.info(name));
        if (unknown !== undefined) {
          return reply.code(404).send(failure("SIGNAL_UNKNOWN", `${machineId} has no signal "${unknown}"`, null));
        }
        if (running >= TRENDS_MAX) {
          reply.header("retry-after", "1");
          return reply.code(503).send(failure("BUSY", `${TRENDS_MAX} trends are being read`, "Try again in a second."));
        }
        const gone = new AbortController();
        reply.raw.once("close", () => gone.abort());
        const connection = projection.connectionOf(machine);
        running += 1;
        try {
          const lines = await readTrend(
            log,
            {
              machineId,
              connectionId: connection?.data.connectionId ?? "",
              edgeStream: edgeStreamOf(site),
              signals: names.map((name) => {
                const info = machine.info(name);
                return {
                  name,
                  intervalMs: info?.intervalMs ?? 1_000,
                  polled: isPolled(info?.mode, connection),
                };
              }),
              fromMs,
              toMs,
              points: request.query.points,
            },
            gone.signal,
          );
          return { machineId, fromMs, toMs, signals: [...lines].map(([name, line]) => ({ name, ...line })) };
        } finally {
          running -= 1;
        }
      },
    );
  };
}

function refusalOf(names: readonly string[], fromMs: number, toMs: number): string | undefined {
  if (names.length === 0) return "no signal was named";
  if (names.length > TREND_SIGNALS_MAX) return `${names.length} signals were named, ${TREND_SIGNALS_MAX} is the most`;
  if (!(fromMs < toMs)) return "fromMs must be before toMs";
  if (toMs - fromMs > SPAN_MS_MAX) return "a trend spans at most 32 days";
  return undefined;
}

function failure(code: string, message: string, hint: string | null) {
  return { error: { code, message, hint } };
}
