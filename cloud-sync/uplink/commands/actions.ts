import type { Clock } from "../../../edge/kernel/clock.ts";
import type { LogReader } from "../../../edge/log/event-log.ts";
import type { JsonObject } from "../../contract/event.ts";
import { type CommandActions, done, type ModelActivator, refusal, type UplinkControls } from "./command.ts";
import type { ConfigApplier } from "./config-applier.ts";
import type { RateOverride } from "./rate-override.ts";

export interface ActionsDeps {
  readonly controls: () => UplinkControls;
  readonly log: Pick<LogReader, "streams">;
  readonly rate: RateOverride;
  readonly applier: ConfigApplier;
  /** Undefined: this box runs no models. */
  readonly activator: ModelActivator | undefined;
  readonly version: string;
  readonly clock: Clock;
  /** Aborts when the uplink ends. */
  readonly ending: AbortSignal;
}

/** What each command does. */
export function commandActions({
  controls,
  log,
  rate,
  applier,
  activator,
  version,
  clock,
  ending,
}: ActionsDeps): CommandActions {
  return {
    ping: (payload) => done({ pong: payload, timeMs: clock.nowMs(), version }),
    status: () => done({ version, node: process.version, uplink: controls().status() as unknown as JsonObject }),
    resend: (payload) => {
      const { machine, fromSeq, toSeq } = payload as unknown as Resend;
      const streams = log.streams();
      const stream = streams.find(({ machineId }) => machineId === machine);
      if (stream === undefined) {
        const known = streams.slice(0, 10).map(({ machineId }) => machineId);
        return refusal(
          404,
          `this box has no events of '${machine}'`,
          `it has, among others: ${known.join(", ") || "none"}`,
        );
      }
      if (fromSeq > toSeq)
        return refusal(400, `fromSeq ${fromSeq} is behind toSeq ${toSeq}`, "give the smaller one as fromSeq");
      const first = Math.max(fromSeq, stream.firstSeq);
      const last = Math.min(toSeq, stream.lastSeq);
      if (first > last) {
        return refusal(
          409,
          `of '${machine}' this box has the events ${stream.firstSeq} to ${stream.lastSeq}, none of ${fromSeq} to ${toSeq}`,
          "what is gone from the log cannot be sent again; the gaps in the stream say what became of it",
        );
      }
      if (!controls().resend(machine, first, last)) {
        return refusal(409, "too many ranges wait to be sent again", "wait until they are sent, then ask again");
      }
      return done({ machine, fromSeq: first, toSeq: last });
    },
    setRate: (payload) => {
      const { bytesPerSecondMax, forSeconds } = payload as { bytesPerSecondMax?: number | null; forSeconds?: number };
      rate.set(bytesPerSecondMax, forSeconds);
      return done({
        bytesPerSecondMax: controls().status().bytesPerSecondMax,
        ...(forSeconds === undefined ? {} : { forSeconds }),
      });
    },
    applyConfig: (payload) => applier.apply(payload as unknown as Parameters<ConfigApplier["apply"]>[0], ending),
    activateModel: async (payload) => {
      if (activator === undefined) {
        return refusal(
          501,
          "this box runs no models, so there is nothing that could use one",
          "models are taken into use by the scorer, which this version or this box does not have",
        );
      }
      return activator.activate(payload as unknown as Parameters<ModelActivator["activate"]>[0]);
    },
  };
}

interface Resend {
  readonly machine: string;
  readonly fromSeq: number;
  readonly toSeq: number;
}
