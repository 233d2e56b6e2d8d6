import type Database from "better-sqlite3";
import type { Clock } from "../../../edge/kernel/clock.ts";
import type { Identity, Meter } from "../ports.ts";

/** What IoT Hub bills by. */
const UNIT_BYTES = 4_096;
/** IoT Hub slows a hub down before it refuses: so long a delay at most. */
const DELAY_MS_MAX = 10_000;
/** A burst of one second's worth goes through unslowed. */
const BURST_SECONDS = 1;

export interface Edition {
  readonly edition: "S1" | "S2" | "S3";
  readonly units: number;
}
export type Limits = Edition | "none";

/** Source: "IoT Hub quotas and throttling": messages a day and unit; device-to-cloud sends a second. */
const BY_EDITION = {
  S1: { unitsPerDay: 400_000, sendsPerSecond: (units: number) => Math.max(100, 12 * units) },
  S2: { unitsPerDay: 6_000_000, sendsPerSecond: (units: number) => Math.max(100, 120 * units) },
  S3: { unitsPerDay: 300_000_000, sendsPerSecond: (units: number) => 6_000 * units },
} as const;

interface Day {
  day: string;
  messages: number;
  units: number;
  bytes: number;
}

/** Counts always; slows and refuses when the hub plays an edition. */
export class SqliteMeter implements Meter {
  readonly #clock: Clock;
  readonly #limits: { readonly unitsPerDay: number; readonly sendsPerSecond: number } | undefined;
  readonly #load: Database.Statement<[string], Day>;
  readonly #save: Database.Statement<[Day]>;
  #day: Day;
  #isDirty = false;
  /** Sends that may go now; negative while sends are delayed. */
  #tokens = Number.POSITIVE_INFINITY;
  #filledMs: number;

  constructor(database: Database.Database, clock: Clock, limits: Limits) {
    this.#clock = clock;
    this.#load = database.prepare("SELECT day, messages, units, bytes FROM metered_day WHERE day = ?");
    this.#save = database.prepare(
      `INSERT INTO metered_day (day, messages, units, bytes) VALUES (@day, @messages, @units, @bytes)
       ON CONFLICT (day) DO UPDATE SET messages = @messages, units = @units, bytes = @bytes`,
    );
    if (limits !== "none") {
      const { unitsPerDay, sendsPerSecond } = BY_EDITION[limits.edition];
      this.#limits = { unitsPerDay: unitsPerDay * limits.units, sendsPerSecond: sendsPerSecond(limits.units) };
    }
    this.#filledMs = clock.monotonicMs();
    this.#day = this.#load.get(this.#today()) ?? { day: this.#today(), messages: 0, units: 0, bytes: 0 };
  }

  admit(_identity: Identity, bytes: number): ReturnType<Meter["admit"]> {
    this.#turnDay();
    const units = Math.max(1, Math.ceil(bytes / UNIT_BYTES));
    let delayMs = 0;
    if (this.#limits !== undefined) {
      if (this.#day.units + units > this.#limits.unitsPerDay) return { verdict: "refused", reason: "quota" };
      delayMs = this.#delayMs(this.#limits.sendsPerSecond);
      if (delayMs > DELAY_MS_MAX) return { verdict: "refused", reason: "throttled" };
      this.#tokens--;
    }
    this.#day.messages++;
    this.#day.units += units;
    this.#day.bytes += bytes;
    this.#isDirty = true;
    return delayMs > 0 ? { verdict: "delay", ms: delayMs } : { verdict: "now" };
  }

  today(): { readonly messages: number; readonly units: number; readonly bytes: number } {
    this.#turnDay();
    const { messages, units, bytes } = this.#day;
    return { messages, units, bytes };
  }

  save(): void {
    if (!this.#isDirty) return;
    this.#save.run(this.#day);
    this.#isDirty = false;
  }

  #delayMs(sendsPerSecond: number): number {
    const nowMs = this.#clock.monotonicMs();
    const gained = ((nowMs - this.#filledMs) / 1_000) * sendsPerSecond;
    this.#filledMs = nowMs;
    this.#tokens = Math.min(sendsPerSecond * BURST_SECONDS, this.#tokens + gained);
    return this.#tokens >= 1 ? 0 : ((1 - this.#tokens) / sendsPerSecond) * 1_000;
  }

  #turnDay(): void {
    const today = this.#today();
    if (today === this.#day.day) return;
    this.save();
    this.#day = this.#load.get(today) ?? { day: today, messages: 0, units: 0, bytes: 0 };
  }

  #today(): string {
    return new Date(this.#clock.nowMs()).toISOString().slice(0, 10);
  }
}
