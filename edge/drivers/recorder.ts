import type { Logger } from "pino";
import type { GapData, NewEvent, TelemetrySample } from "../../cloud-sync/contract/event.ts";
import { largeBytesOf, type Sample, VALUE_BYTES_MAX } from "../../cloud-sync/contract/sample.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Component } from "../kernel/component.ts";
import { EdgeError, messageOf } from "../kernel/errors.ts";
import { StatusCode } from "../kernel/status-code.ts";
import type { EventLog } from "../log/event-log.ts";

/** Samples kept in memory while the log can't take them: half a minute of 10,000 signals at 1 Hz. */
const WAITING_SAMPLES_MAX = 300_000;
/** Of one event: in the worst case 30 bytes each, well below the size of a block. */
const EVENT_SAMPLES_MAX = 5_000;

/** Events of other kinds, the same: a hundred connections that report for half an hour. */
const WAITING_EVENTS_MAX = 6_000;

export interface RecorderOptions {
  readonly log: Pick<EventLog, "append">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** One telemetry event per machine and tick. */
  readonly tickMs: number;
  readonly waitingSamplesMax?: number;
}

interface Chunk {
  readonly machineId: string;
  readonly samples: TelemetrySample[];
}

/** Some events of a commit are stored, and these are not. */
class Unstored extends Error {
  readonly events: readonly NewEvent[];

  constructor(events: readonly NewEvent[], cause: unknown) {
    super("part of a commit was refused", { cause });
    this.events = events;
  }
}

/** Gathers the samples of all drivers into one telemetry event per machine and tick, and appends them in one commit. */
export class Recorder implements Component {
  readonly name = "recorder";
  readonly #options: RecorderOptions;
  readonly #waitingMax: number;
  #open = new Map<string, TelemetrySample[]>();
  /** Chunks that the log refused, oldest first; they go with the next tick. */
  #refused: Chunk[] = [];
  /** Bytes of texts and arrays among what is open, by machine. */
  #largeBytes = new Map<string, number>();
  /** Events of other kinds that wait for the next commit. */
  #events: NewEvent[] = [];
  #waiting = 0;
  #lost = new Map<string, GapData>();
  #trouble: string | undefined;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#waitingMax = options.waitingSamplesMax ?? WAITING_SAMPLES_MAX;
  }

  /** Takes samples from a driver; never blocks. What can't be kept becomes a `gap` event with its count. */
  accept(samples: readonly Sample[]): void {
    // A sample is kept as it came, its machine's name included: a copy without it would double the garbage.
    for (const sample of samples) {
      const { machineId } = sample;
      let open = this.#open.get(machineId);
      if (!open) {
        open = [];
        this.#open.set(machineId, open);
      }
      if (typeof sample.value !== "object" && typeof sample.value !== "string") open.push(sample);
      else this.#acceptLarge(open, sample);
    }
    this.#waiting += samples.length;
    if (this.#waiting > this.#waitingMax) this.#shed();
  }

  /** Texts and arrays, which may be too large to be stored: then the sample says so instead of its value. */
  #acceptLarge(open: TelemetrySample[], sample: Sample): void {
    const bytes = largeBytesOf(sample.value);
    if (bytes > VALUE_BYTES_MAX) {
      open.push({ ...sample, value: null, statusCode: StatusCode.BadEncodingLimitsExceeded });
      return;
    }
    const { machineId } = sample;
    const large = (this.#largeBytes.get(machineId) ?? 0) + bytes;
    this.#largeBytes.set(machineId, large);
    if (large > VALUE_BYTES_MAX && bytes > 0 && open.length > 0) {
      // Together they might not fit into one event.
      this.#refused.push({ machineId, samples: open });
      this.#open.set(machineId, [sample]);
      this.#largeBytes.set(machineId, bytes);
    } else open.push(sample);
  }

  /** Takes an event of another kind; it goes with the next commit, and waits like samples while the log refuses. */
  publish(event: NewEvent): void {
    this.#events.push(event);
    if (this.#events.length <= WAITING_EVENTS_MAX) return;
    const lost = this.#events.shift() as NewEvent;
    this.#count(lost.machineId, {
      cause: "overflow",
      samples: samplesOf(lost),
      fromMs: lost.timeMs,
      toMs: lost.timeMs,
      detail: "the log took no events and the memory set aside for them was full",
    });
  }

  async run(signal: AbortSignal, ready: () => void): Promise<void> {
    ready();
    while (!signal.aborted) {
      await this.#options.clock.sleep(this.#options.tickMs, signal);
      await this.flush();
    }
  }

  /** Appends what waits. On a failure that may pass, keeps it for the next time. */
  async flush(): Promise<void> {
    const chunks = this.#refused;
    for (const [machineId, samples] of this.#open) chunks.push({ machineId, samples });
    this.#open = new Map();
    this.#largeBytes.clear();
    this.#refused = [];
    const events = this.#events;
    this.#events = [];
    if (chunks.length === 0 && events.length === 0) return;
    const lost = this.#lost;
    this.#lost = new Map();
    const waiting = this.#waiting;
    this.#waiting = 0;
    const gaps = this.#gaps(lost);
    try {
      await this.#append([...gaps, ...events, ...chunks.flatMap(telemetryOf)]);
      if (this.#trouble !== undefined)
        this.#options.logger.info({ trouble: this.#trouble }, "the log takes samples again");
      this.#trouble = undefined;
    } catch (error) {
      if (error instanceof Unstored) this.#events = [...error.events, ...this.#events];
      else {
        this.#refused = [...chunks, ...this.#refused];
        this.#events = [...events, ...this.#events];
        this.#waiting += waiting;
        for (const [machineId, gap] of lost) this.#count(machineId, gap);
      }
      this.#complain(error instanceof Unstored ? error.cause : error);
    }
  }

  /** One commit; an event that can't be stored at all is left out and told, and takes nothing with it. */
  async #append(events: readonly NewEvent[]): Promise<void> {
    const { log } = this.#options;
    try {
      await log.append(events, "now");
    } catch (error) {
      if (!(error instanceof EdgeError) || error.code !== "EVENT_INVALID") throw error;
      const fates = Promise.allSettled(events.map((event) => log.append([event])));
      // Their commit: without it they would wait for the log's own timer.
      await log.append([], "now");
      const unstored: NewEvent[] = [];
      let trouble: unknown;
      for (const [i, fate] of (await fates).entries()) {
        if (fate.status === "fulfilled") continue;
        const event = events[i] as NewEvent;
        const reason: unknown = fate.reason;
        if (reason instanceof EdgeError && reason.code === "EVENT_INVALID") this.#leaveOut(event, reason);
        else {
          unstored.push(event);
          trouble = reason;
        }
      }
      if (unstored.length > 0) throw new Unstored(unstored, trouble);
    }
  }

  #leaveOut(event: NewEvent, error: EdgeError): void {
    const { machineId, type, timeMs } = event;
    this.#options.logger.error({ err: error, machineId, type }, "an event can't be stored and is left out");
    const samples = samplesOf(event);
    const fromMs = Number.isFinite(timeMs) ? timeMs : this.#options.clock.nowMs();
    this.#count(machineId, { cause: "overflow", samples, fromMs, toMs: fromMs, detail: messageOf(error) });
  }

  #complain(error: unknown): void {
    if (!(error instanceof EdgeError) || error.retry === "never") throw error;
    const trouble = messageOf(error);
    if (trouble !== this.#trouble) {
      this.#options.logger.error(
        { err: error, hint: error.hint, waitingSamples: this.#waiting },
        "the log does not take samples; they wait in memory",
      );
    }
    this.#trouble = trouble;
  }

  /** Drops the oldest until what waits is back under its bound by a tenth. */
  #shed(): void {
    for (const [machineId, samples] of this.#open) this.#refused.push({ machineId, samples });
    this.#open = new Map();
    while (this.#waiting > this.#waitingMax * 0.9) {
      const chunk = this.#refused.shift();
      if (!chunk) break;
      this.#waiting -= chunk.samples.length;
      const times = chunk.samples.map((sample) => sample.receivedTimestampMs);
      this.#count(chunk.machineId, {
        cause: "overflow",
        samples: chunk.samples.length,
        fromMs: times.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY),
        toMs: times.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY),
        detail: "the log took no samples and the memory set aside for them was full",
      });
    }
  }

  #count(machineId: string, gap: GapData): void {
    const known = this.#lost.get(machineId);
    this.#lost.set(
      machineId,
      known
        ? {
            ...known,
            samples: known.samples + gap.samples,
            fromMs: Math.min(known.fromMs, gap.fromMs),
            toMs: Math.max(known.toMs, gap.toMs),
          }
        : gap,
    );
  }

  #gaps(lost: ReadonlyMap<string, GapData>): NewEvent[] {
    return [...lost].map(([machineId, data]) => ({
      type: "gap",
      machineId,
      timeMs: this.#options.clock.nowMs(),
      data,
    }));
  }
}

/** Readings in an event; telemetry is among the events that wait where its neighbours in a commit were stored and it was not. */
function samplesOf(event: NewEvent): number {
  return event.type === "telemetry" ? event.data.samples.length : 0;
}

/** One event, or several where the readings of one might not fit into a block of the log. */
function telemetryOf({ machineId, samples }: Chunk): NewEvent[] {
  const events: NewEvent[] = [];
  for (let at = 0; at < samples.length; at += EVENT_SAMPLES_MAX) {
    const own = samples.length <= EVENT_SAMPLES_MAX ? samples : samples.slice(at, at + EVENT_SAMPLES_MAX);
    events.push({ type: "telemetry", machineId, timeMs: own.at(-1)?.receivedTimestampMs ?? 0, data: { samples: own } });
  }
  return events;
}
