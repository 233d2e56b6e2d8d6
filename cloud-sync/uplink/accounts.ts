import type { Clock } from "../../edge/kernel/clock.ts";
import { bytesOf, type Parcel, unitsOf } from "./parcel.ts";
import type { Lane, Outgoing, Traffic, UplinkStatus } from "./ports.ts";
import { RateMeter } from "./rate-meter.ts";
import { dayOf, type UplinkState } from "./state/uplink-state.ts";

const HOUR_MS = 3_600_000;
const NOTHING = { messages: 0, units: 0, bytes: 0, samples: 0 };

interface LaneTraffic extends Traffic {
  readonly atMs: number;
  readonly lane: Lane;
}

/** What went through the line: by day and lane in the file, by the hour and the second in memory. */
export class Accounts {
  readonly rates: Readonly<Record<Lane, RateMeter>>;
  readonly #state: UplinkState;
  readonly #clock: Clock;
  #lastAckMs: number | null = null;
  #hour: { sinceMs: number; messages: number; units: number; bytes: number; samples: number };
  #recent: UplinkStatus["recent"] = null;
  #unsaved: LaneTraffic[] = [];

  constructor(state: UplinkState, clock: Clock) {
    this.#state = state;
    this.#clock = clock;
    this.rates = { priority: new RateMeter(clock), telemetry: new RateMeter(clock) };
    this.#hour = { sinceMs: clock.monotonicMs(), ...NOTHING };
  }

  get lastAckMs(): number | null {
    return this.#lastAckMs;
  }

  /** Of the last full hour, fresh frames only. */
  get recent(): UplinkStatus["recent"] {
    this.#turn();
    return this.#recent;
  }

  acknowledged({ message, bytes, events }: Parcel): void {
    const nowMs = this.#clock.nowMs();
    const units = unitsOf(bytes);
    this.#lastAckMs = nowMs;
    this.rates[message.lane].add({ events, bytes, units });
    this.#unsaved.push({ atMs: nowMs, lane: message.lane, messages: 1, units, bytes });
    this.#save();
  }

  /**
   * A message that went has gone, whether or not the disk takes its figures just now: what was not written is counted in
   * memory and written later.
   */
  #save(): void {
    try {
      for (let next = this.#unsaved[0]; next !== undefined; next = this.#unsaved[0]) {
        this.#state.addTraffic(next.atMs, next.lane, next);
        this.#unsaved.shift();
      }
    } catch {
      this.#unsaved = merged(this.#unsaved);
    }
  }

  /** A fresh frame, as it is made. */
  live({ message, samples }: { message: Outgoing; samples: number }): void {
    this.#turn();
    const bytes = bytesOf(message);
    this.#hour.messages++;
    this.#hour.units += unitsOf(bytes);
    this.#hour.bytes += bytes;
    this.#hour.samples += samples;
  }

  #turn(): void {
    const spanMs = this.#clock.monotonicMs() - this.#hour.sinceMs;
    if (spanMs < HOUR_MS) return;
    const { sinceMs: _, ...rest } = this.#hour;
    this.#recent = { ...rest, spanMs };
    this.#hour = { sinceMs: this.#clock.monotonicMs(), ...NOTHING };
  }

  /** Of the UTC day, both lanes. */
  today(): Traffic {
    const nowMs = this.#clock.nowMs();
    const { priority, telemetry } = this.#state.traffic(nowMs);
    const unsaved = this.#unsaved.filter(({ atMs }) => dayOf(atMs) === dayOf(nowMs));
    return sumOf([priority, telemetry, ...unsaved]);
  }
}

function sumOf(all: readonly Traffic[]): Traffic {
  const sum = (key: keyof Traffic): number => all.reduce((total, each) => total + each[key], 0);
  return { messages: sum("messages"), units: sum("units"), bytes: sum("bytes") };
}

/** One for each day and lane. */
function merged(all: readonly LaneTraffic[]): LaneTraffic[] {
  const groups = Map.groupBy(all, ({ atMs, lane }) => `${dayOf(atMs)} ${lane}`);
  return [...groups.values()].map((group) => ({ ...(group[0] as LaneTraffic), ...sumOf(group) }));
}
