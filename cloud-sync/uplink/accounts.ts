import type { Clock } from "../../edge/kernel/clock.ts";
import { bytesOf, type Parcel, unitsOf } from "./parcel.ts";
import type { Lane, Outgoing, Traffic, UplinkStatus } from "./ports.ts";
import { RateMeter } from "./rate-meter.ts";
import type { UplinkState } from "./state/uplink-state.ts";

const HOUR_MS = 3_600_000;
const NOTHING = { messages: 0, units: 0, bytes: 0, samples: 0 };

/** What went through the line: by day and lane in the file, by the hour and the second in memory. */
export class Accounts {
  readonly rates: Readonly<Record<Lane, RateMeter>>;
  readonly #state: UplinkState;
  readonly #clock: Clock;
  #lastAckMs: number | null = null;
  #hour: { sinceMs: number; messages: number; units: number; bytes: number; samples: number };
  #recent: UplinkStatus["recent"] = null;

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
    this.#lastAckMs = nowMs;
    this.rates[message.lane].add(events, bytes);
    this.#state.addTraffic(nowMs, message.lane, { messages: 1, units: unitsOf(bytes), bytes });
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
    const { priority, telemetry } = this.#state.traffic(this.#clock.nowMs());
    return {
      messages: priority.messages + telemetry.messages,
      units: priority.units + telemetry.units,
      bytes: priority.bytes + telemetry.bytes,
    };
  }
}
