import { MINUTE_MS, type MinuteAggregate } from "../../cloud-sync/contract/rollup/minute.ts";
import type { SampleValue } from "../../cloud-sync/contract/sample.ts";
import type { MachineDecoder, SectionSink } from "./tail/chain-decoder.ts";

export interface SeriesQuery {
  readonly machineId: string;
  readonly signals: readonly string[];
  /** By received time, UTC epoch ms; toMs is not included. */
  readonly fromMs: number;
  readonly toMs: number;
  /** When at least a minute, sealed minutes come as their lowest and highest value instead of every reading. Default 0. */
  readonly resolutionMs?: number;
}

/** A piece of one signal's line, in the order of the stream; the four arrays have one length. */
export interface SeriesSlice {
  readonly signal: string;
  /** Received time, UTC epoch ms. */
  readonly timesMs: Float64Array;
  /** NaN where the value is no number that can be drawn; true and false are 1 and 0. */
  readonly numbers: Float64Array;
  /** OPC UA status codes. */
  readonly statusCodes: Uint32Array;
  /** Whether the points are lowest and highest values of whole minutes, rather than readings. */
  readonly isAggregate: boolean;
}

/** A value as a line shows it. */
export function numberOf(value: SampleValue): number {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "boolean") return value ? 1 : 0;
  return Number.NaN;
}

/** A minute as a line shows it: its lowest and its highest value, each in its half. */
export function aggregateSlice(signal: string, minutes: readonly MinuteAggregate[]): SeriesSlice {
  const timesMs = new Float64Array(minutes.length * 2);
  const numbers = new Float64Array(minutes.length * 2);
  for (const [i, { minute, min, max }] of minutes.entries()) {
    timesMs[2 * i] = minute * MINUTE_MS + MINUTE_MS / 4;
    timesMs[2 * i + 1] = minute * MINUTE_MS + (MINUTE_MS * 3) / 4;
    numbers[2 * i] = min;
    numbers[2 * i + 1] = max;
  }
  return { signal, timesMs, numbers, statusCodes: new Uint32Array(timesMs.length), isAggregate: true };
}

/** Gathers the samples of some signals out of sections of the tail. */
export class SeriesSink implements SectionSink {
  readonly #signals: readonly string[];
  readonly #fromMs: number;
  readonly #toMs: number;
  readonly #found = new Map<string, { timesMs: number[]; numbers: number[]; statusCodes: number[] }>();
  #decoder: MachineDecoder | undefined;
  #names: (string | null)[] = [];
  /** Events up to it have been given already. */
  readonly #afterSeq: number;
  #isWanted = true;

  constructor(signals: readonly string[], fromMs: number, toMs: number, afterSeq: number) {
    this.#signals = signals;
    this.#fromMs = fromMs;
    this.#toMs = toMs;
    this.#afterSeq = afterSeq;
  }

  begin(decoder: MachineDecoder): this {
    if (decoder !== this.#decoder) this.#names = [];
    this.#decoder = decoder;
    return this;
  }

  event(seq: number): void {
    this.#isWanted = seq > this.#afterSeq;
  }

  sample(
    signal: number,
    value: SampleValue,
    statusCode: number,
    _sourceMs: number,
    _serverMs: number,
    receivedMs: number,
  ): void {
    let name = this.#names[signal];
    if (name === undefined) {
      const known = this.#decoder?.signalName(signal) ?? "";
      name = this.#signals.includes(known) ? known : null;
      this.#names[signal] = name;
    }
    if (name === null || !this.#isWanted || receivedMs < this.#fromMs || receivedMs >= this.#toMs) return;
    let line = this.#found.get(name);
    if (!line) {
      line = { timesMs: [], numbers: [], statusCodes: [] };
      this.#found.set(name, line);
    }
    line.timesMs.push(receivedMs);
    line.numbers.push(numberOf(value));
    line.statusCodes.push(statusCode);
  }

  /** What was gathered since the last call. */
  take(): SeriesSlice[] {
    const slices = [...this.#found].map(([signal, { timesMs, numbers, statusCodes }]) => ({
      signal,
      timesMs: Float64Array.from(timesMs),
      numbers: Float64Array.from(numbers),
      statusCodes: Uint32Array.from(statusCodes),
      isAggregate: false,
    }));
    this.#found.clear();
    return slices;
  }
}
