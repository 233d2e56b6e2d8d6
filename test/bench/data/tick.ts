import type { NewEvent } from "../../../cloud-sync/contract/event.ts";
import { Random, seedFor } from "../../../edge/simulator/physics/random.ts";

export type TelemetryEvent = Extract<NewEvent, { type: "telemetry" }>;

/** What a recorder appends in one go: the events of the machines that were polled since the tick before. */
export interface Tick {
  /** End of the tick, UTC epoch ms: when the recorder appends. */
  readonly nowMs: number;
  readonly events: readonly TelemetryEvent[];
}

/** A seed for each named part; `seedFor` alone gives the same for all seeds of one digit. */
export function seedOf(seed: number, name: string): number {
  return seedFor(1_000_000 + seed, name);
}

const POLL_MS = 1_000;
const JITTER_MS_MAX = 4;

/** When a machine is polled: once a second, at its own phase of the second for ever, a few milliseconds late each time. */
export class PollTimes {
  readonly phaseMs: number;
  readonly #random: Random;
  #gridMs: number;
  /** Of the coming poll, whole milliseconds as a box's clock gives them. */
  nextMs: number;

  constructor(machineId: string, seed: number, startMs: number) {
    this.phaseMs = seedOf(seed, `${machineId} phase`) % POLL_MS;
    this.#random = new Random(seedOf(seed, `${machineId} polls`));
    this.#gridMs = startMs + this.phaseMs;
    this.nextMs = this.#gridMs + this.#jitterMs();
  }

  advance(): void {
    this.#gridMs += POLL_MS;
    this.nextMs = this.#gridMs + this.#jitterMs();
  }

  /** How many ms before the event's time each of its read batches was received: falling to 0, which the last one has. */
  ages(batches: number): number[] {
    const ages = Array.from({ length: batches }, () => this.#jitterMs()).sort((a, b) => b - a);
    ages[batches - 1] = 0;
    return ages;
  }

  /** Part of a millisecond in steps of OPC UA's 100 ns. */
  fraction(): number {
    return this.#random.integerBetween(0, 9_999) / 10_000;
  }

  #jitterMs(): number {
    return this.#random.integerBetween(0, JITTER_MS_MAX);
  }
}

/** The first `durationMs` of a stream of ticks, all in memory: for sizes, not for bulk. */
export function eventsOf(ticks: Iterable<Tick>, durationMs: number): TelemetryEvent[] {
  const events: TelemetryEvent[] = [];
  let endMs: number | undefined;
  for (const tick of ticks) {
    endMs ??= tick.nowMs + durationMs;
    if (tick.nowMs >= endMs) break;
    events.push(...tick.events);
  }
  return events;
}

export function readingsOf(events: readonly TelemetryEvent[]): number {
  return events.reduce((sum, event) => sum + event.data.samples.length, 0);
}
