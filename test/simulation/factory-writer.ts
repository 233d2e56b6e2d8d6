import { createHash } from "node:crypto";
import type { Logger } from "pino";
import type { NewEvent, StoredEvent } from "../../cloud-sync/contract/event.ts";
import { type Clock, systemClock } from "../../edge/kernel/clock.ts";
import type { EventLog } from "../../edge/log/event-log.ts";
import { LogKeeper } from "../../edge/log/keep/keeper.ts";
import { openLog } from "../../edge/log/log.ts";
import { Random } from "../../edge/simulator/physics/random.ts";
import { sampleOf } from "../support/events.ts";

const MACHINES = ["mill-01", "mill-02", "lathe-01", "press-01", "saw-01"].map((name) => `redmond/${name}`);
const RARE_TYPES = ["alarm", "state", "prediction"] as const;
const PAUSE_MS_MAX = 120;
const RARE_SHARE = 0.06;

/** A wall clock that can be set wrong. */
export class SkewedClock implements Clock {
  skewMs = 0;
  nowMs(): number {
    return Date.now() + this.skewMs;
  }
  monotonicMs(): number {
    return systemClock.monotonicMs();
  }
  sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    return systemClock.sleep(durationMs, signal);
  }
}

/** What an event says, in a few bytes: two that say the same have the same. */
export function fingerprintOf({ type, timeMs, entityId, causedBy, offset, data }: StoredEvent): string {
  const text = JSON.stringify([type, timeMs, entityId, causedBy ?? null, offset, data], (_, value) =>
    typeof value === "bigint" ? `${value}n` : typeof value === "number" && !Number.isFinite(value) ? `${value}` : value,
  );
  return createHash("sha256").update(text).digest("base64url").slice(0, 16);
}

/**
 * The collector's place in the simulation: appends to the real log what machines might say, seals it often, and remembers
 * nothing: what the log holds at the end is what the office must have.
 */
export class FactoryWriter {
  readonly clock = new SkewedClock();
  readonly log: EventLog;
  readonly #random: Random;
  readonly #keeper: LogKeeper;
  #steps = 0;

  constructor(path: string, seed: number, logger: Logger) {
    this.#random = new Random(seed);
    this.log = openLog({
      path,
      clock: this.clock,
      sealIntervalMs: 2_000,
      commitIntervalMs: 50,
      ownStream: "redmond/edge",
    });
    this.#keeper = new LogKeeper({ log: this.log, clock: this.clock, logger });
  }

  /** Appends until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const keeping = this.#keeper.run(signal, () => undefined);
    while (!signal.aborted) {
      await this.log.append(this.#step());
      await this.clock.sleep(this.#random.integerBetween(0, PAUSE_MS_MAX), signal);
    }
    await keeping;
  }

  #step(): NewEvent[] {
    const random = this.#random;
    const timeMs = this.clock.nowMs();
    const step = ++this.#steps;
    return MACHINES.filter(() => random.next() < 0.6).map((machineId): NewEvent => {
      if (random.next() < RARE_SHARE) {
        const type = RARE_TYPES[random.integerBetween(0, RARE_TYPES.length - 1)] ?? "alarm";
        return { type, machineId, timeMs, data: { step, text: `${machineId} says ${type}`, level: random.next() } };
      }
      const samples = Array.from({ length: random.integerBetween(1, 12) }, (_, at) =>
        sampleOf(`signal-${at}`, Math.round(random.next() * 10_000) / 100, {
          sourceTimestampMs: timeMs - at - 0.5,
          serverTimestampMs: timeMs - at,
          receivedTimestampMs: timeMs,
          statusCode: random.next() < 0.02 ? 0x8031_0000 : 0,
        }),
      );
      return { type: "telemetry", machineId, timeMs, data: { samples } };
    });
  }
}
