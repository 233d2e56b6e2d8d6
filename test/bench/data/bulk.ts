import type { TelemetrySample } from "../../../cloud-sync/contract/event.ts";
import { Random } from "../../../edge/simulator/physics/random.ts";
import { seedOf, type TelemetryEvent } from "./tick.ts";

export interface BulkOptions {
  readonly seed: number;
  readonly startMs: number;
  readonly machines?: number;
  readonly signals?: number;
}

/** Prepared seconds; 256 × 10,000 signals are 10 MB. They are walked to and fro, so that no value jumps where they end. */
const PREPARED_S = 256;

type Form = "decimal" | "float32" | "constant" | "boolean" | "counter";

interface Column {
  readonly signal: string;
  readonly form: Form;
  /** Raw steps a unit: the value is raw / divisor. */
  readonly divisor: number;
  readonly raw: Int32Array;
}

/** Of every twenty signals: twelve walks with decimals, three noisy float32, two constants, a switch, two counters. */
function formOf(index: number): Form {
  const at = index % 20;
  if (at < 12) return "decimal";
  if (at < 15) return "float32";
  if (at < 17) return "constant";
  return at < 18 ? "boolean" : "counter";
}

/**
 * Batches for the throughput bench: one second of 100 machines × 100 signals is 100 events and 10,000 readings. All that
 * costs anything is done by the constructor; `next` makes objects and nothing else (the log's caller would do that, too).
 * Its data are not meant for sizes: after 256 seconds the walks come back the way they went, counters excepted.
 */
export class BulkSource {
  readonly readingsPerBatch: number;
  readonly #machines: readonly { machineId: string; phaseMs: number; columns: readonly Column[] }[];
  readonly #startMs: number;
  #second = 0;

  constructor({ seed, startMs, machines = 100, signals = 100 }: BulkOptions) {
    this.#startMs = startMs;
    // Once without a source time, as Modbus has none: V8 then keeps the times of all samples by reference, as it does in a
    // process that has both kinds, instead of allocating each a number of its own.
    sampleOf("", false, null, startMs);
    this.readingsPerBatch = machines * signals;
    this.#machines = Array.from({ length: machines }, (_, at) => {
      const machineId = `bulk/machine-${String(at + 1).padStart(3, "0")}`;
      const random = new Random(seedOf(seed, machineId));
      const columns = Array.from({ length: signals }, (_, index) => columnOf(index, random));
      return { machineId, phaseMs: random.integerBetween(0, 990), columns };
    });
  }

  /** The coming second's events, each machine's at its own phase and some milliseconds of jitter. */
  next(): TelemetryEvent[] {
    const second = this.#second++;
    const round = second % (2 * PREPARED_S);
    const at = round < PREPARED_S ? round : 2 * PREPARED_S - 1 - round;
    return this.#machines.map(({ machineId, phaseMs, columns }) => {
      const timeMs = this.#startMs + second * 1_000 + phaseMs + ((second * 7 + phaseMs) % 5);
      const sourceMs = timeMs - 5;
      const samples = new Array<TelemetrySample>(columns.length);
      for (let index = 0; index < columns.length; index++) {
        const column = columns[index];
        if (column) samples[index] = sampleOf(column.signal, readingOf(column, at, second), sourceMs, timeMs);
      }
      return { type: "telemetry", machineId, timeMs, data: { samples } };
    });
  }
}

function columnOf(index: number, random: Random): Column {
  const form = formOf(index);
  const raw = new Int32Array(form === "counter" || form === "constant" ? 1 : PREPARED_S);
  const divisor = form === "decimal" ? ([10, 100, 1_000][index % 3] ?? 10) : 3_000;
  let level = random.integerBetween(100, 100_000);
  const wander = random.between(0.3, 6);
  for (let at = 0; at < raw.length; at++) {
    if (form === "decimal") level += wander * random.normal();
    if (form === "boolean" && random.next() < 0.02) level++;
    raw[at] = form === "float32" ? level + 300 * random.normal() : level;
  }
  return { signal: `${form}${index + 1}`, form, divisor, raw };
}

function sampleOf(
  signal: string,
  value: number | boolean,
  sourceTimestampMs: number | null,
  receivedTimestampMs: number,
): TelemetrySample {
  return {
    signal,
    value,
    statusCode: 0,
    sourceTimestampMs,
    serverTimestampMs: sourceTimestampMs,
    receivedTimestampMs,
  };
}

function readingOf({ form, divisor, raw }: Column, at: number, second: number): number | boolean {
  if (form === "decimal") return (raw[at] ?? 0) / divisor;
  if (form === "float32") return Math.fround((raw[at] ?? 0) / divisor);
  if (form === "boolean") return (raw[at] ?? 0) % 2 === 1;
  return (raw[0] ?? 0) + (form === "counter" ? second : 0);
}
