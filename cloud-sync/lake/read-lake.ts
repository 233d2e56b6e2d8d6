import type { DuckDBDataChunk } from "@duckdb/node-api";
import type { DuckDbLimits } from "./duck-db.ts";
import { type FileScope, isInScope, LakeSession, sqlText, sqlTime } from "./lake-session.ts";
import { readManifest } from "./manifest.ts";
import type { LakeFiles } from "./place/lake-files.ts";
import { filesOf, type LakePlace } from "./place/place.ts";

/** What is read: readings received from..to, the end excluded. */
export interface LakeWish extends DuckDbLimits {
  readonly factory?: string;
  readonly machine?: string;
  /** UTC epoch ms. */
  readonly fromMs: number;
  readonly toMs: number;
  /** Left out: all. */
  readonly signals?: readonly string[];
  readonly signal?: AbortSignal;
}

/** Readings of one machine, row by row in arrays of the same length. */
export interface LakeChunk {
  readonly factoryId: string;
  readonly machineId: string;
  readonly rows: number;
  /** Names; `signalIndex` tells which of them a row is of. The array is the same object in all chunks, and may grow. */
  readonly signals: readonly string[];
  readonly signalIndex: Uint32Array;
  /** As `signals`. */
  readonly epochs: readonly string[];
  readonly epochIndex: Uint32Array;
  readonly seqs: Float64Array;
  /** Received, UTC epoch ms. */
  readonly timeMs: Float64Array;
  /** By the source's clock, UTC epoch ms to the µs; NaN where the reading has none. */
  readonly sourceMs: Float64Array;
  /** NaN where the value is no number; truth values are 1 and 0. */
  readonly values: Float64Array;
  readonly statusCodes: Uint32Array;
}

/** Rows of one chunk at most. */
export const CHUNK_ROWS_MAX = 65_536;

/**
 * Readings for training and for scoring history: day by day (UTC; at last those of no day, see BatchFiles), within a day by machine, within a machine by time, epoch, seq, signal;
 * so all rows of one event stand together. A chunk has rows of one machine; one event may be cut in two between chunks.
 * Bounded memory, whatever the range. Never touches the ingest or its database.
 * @throws EdgeError LAKE_UNAVAILABLE, LAKE_QUERY when a day of a lake in Blob Storage is more than may be brought here
 */
export async function* readLake(
  place: LakePlace | LakeFiles,
  wish: LakeWish,
): AsyncGenerator<LakeChunk, void, undefined> {
  const files = "local" in place ? place : filesOf(place);
  const signal = wish.signal ?? new AbortController().signal;
  const names = new Names();
  const { factory, fromMs, toMs } = wish;
  const scope: FileScope = { kinds: ["readings"], factory, fromMs, toMs };
  const own = (await readManifest(files, signal)).filter((file) => isInScope(file, scope));
  const order = (day: number | null): number => day ?? Number.POSITIVE_INFINITY;
  const days = [...new Set(own.map(({ day }) => day))].sort((a, b) => order(a) - order(b));
  for (const day of days) yield* readDay(files, wish, { ...scope, day }, names, signal);
}

async function* readDay(
  files: LakeFiles,
  wish: LakeWish,
  scope: FileScope,
  names: Names,
  signal: AbortSignal,
): AsyncGenerator<LakeChunk, void, undefined> {
  await using session = await LakeSession.open(files, scope, wish, signal);
  if (session.files.length === 0) return;
  const { connection } = session;
  const condition = conditionOf(wish);
  // As numbers DuckDB hands them out ten times as fast as as texts.
  for (const name of ["factory", "machine_id", "signal", "epoch"])
    await connection.run(
      `CREATE TYPE ${name}_name AS ENUM (SELECT DISTINCT coalesce(${name}, '') FROM readings WHERE ${condition})`,
    );
  const result =
    await connection.stream(`SELECT coalesce(factory, '')::factory_name, machine_id::machine_id_name, signal::signal_name, epoch::epoch_name,
      seq::DOUBLE, epoch_us(time)::DOUBLE / 1000, epoch_us(source_time)::DOUBLE / 1000, value, status_code::DOUBLE
    FROM readings WHERE ${condition} ORDER BY readings.factory, readings.machine_id, time, readings.epoch, seq, readings.signal`);
  const rows = new ChunkRows(names);
  for (;;) {
    signal.throwIfAborted();
    const chunk = await result.fetchChunk();
    if (chunk === null || chunk.rowCount === 0) break;
    yield* rows.add(chunk);
  }
  const last = rows.take();
  if (last !== undefined) yield last;
}

function conditionOf({ factory, machine, fromMs, toMs, signals }: LakeWish): string {
  return [
    `time >= ${sqlTime(fromMs)} AND time < ${sqlTime(toMs)}`,
    ...(factory === undefined ? [] : [`factory = ${sqlText(factory)}`]),
    ...(machine === undefined ? [] : [`machine_id = ${sqlText(machine)}`]),
    ...(signals === undefined ? [] : [`signal IN (${signals.map(sqlText).join(", ") || "NULL"})`]),
  ].join(" AND ");
}

/** Texts by number, the same numbers in all chunks. */
class Names {
  readonly signals: string[] = [];
  readonly epochs: string[] = [];
  readonly #signals = new Map<string, number>();
  readonly #epochs = new Map<string, number>();

  signal(name: string): number {
    return numberOf(this.#signals, this.signals, name);
  }

  epoch(name: string): number {
    return numberOf(this.#epochs, this.epochs, name);
  }
}

function numberOf(numbers: Map<string, number>, names: string[], name: string): number {
  const known = numbers.get(name);
  if (known !== undefined) return known;
  numbers.set(name, names.length);
  return names.push(name) - 1;
}

const NUMBERS_FROM = 4;

class ChunkRows {
  readonly #names: Names;
  #factoryId = "";
  #machineId = "";
  #rows = 0;
  readonly #signals = new Uint32Array(CHUNK_ROWS_MAX);
  readonly #epochs = new Uint32Array(CHUNK_ROWS_MAX);
  readonly #numbers = Array.from({ length: 5 }, () => new Float64Array(CHUNK_ROWS_MAX));

  constructor(names: Names) {
    this.#names = names;
  }

  /** Takes rows up, and gives the chunks that they complete. */
  *add(chunk: DuckDBDataChunk): Generator<LakeChunk, void, undefined> {
    const [factories, machines, signals, epochs] = [0, 1, 2, 3].map((i) => chunk.getColumnVector(i));
    const numbers = this.#numbers.map((_, i) => chunk.getColumnVector(NUMBERS_FROM + i));
    for (let from = 0; from < chunk.rowCount; ) {
      const factoryId = factories?.getItem(from) as string;
      const machineId = machines?.getItem(from) as string;
      let to = from + 1;
      while (to < chunk.rowCount && machines?.getItem(to) === machineId && factories?.getItem(to) === factoryId) to++;
      const isSame = machineId === this.#machineId && factoryId === this.#factoryId;
      if (!isSame || this.#rows === CHUNK_ROWS_MAX) {
        const full = this.take();
        if (full !== undefined) yield full;
      }
      this.#factoryId = factoryId;
      this.#machineId = machineId;
      to = Math.min(to, from + CHUNK_ROWS_MAX - this.#rows);
      for (let row = from; row < to; row++) {
        const at = this.#rows + row - from;
        this.#signals[at] = this.#names.signal(signals?.getItem(row) as string);
        this.#epochs[at] = this.#names.epoch(epochs?.getItem(row) as string);
      }
      for (const [i, column] of numbers.entries()) {
        const target = this.#numbers[i] as Float64Array;
        for (let row = from; row < to; row++)
          target[this.#rows + row - from] = (column.getItem(row) as number | null) ?? Number.NaN;
      }
      this.#rows += to - from;
      from = to;
    }
  }

  take(): LakeChunk | undefined {
    const rows = this.#rows;
    if (rows === 0) return undefined;
    this.#rows = 0;
    const [seqs, timeMs, sourceMs, values, statuses] = this.#numbers.map((numbers) => numbers.slice(0, rows));
    return {
      factoryId: this.#factoryId,
      machineId: this.#machineId,
      rows,
      signals: this.#names.signals,
      signalIndex: this.#signals.slice(0, rows),
      epochs: this.#names.epochs,
      epochIndex: this.#epochs.slice(0, rows),
      seqs: seqs as Float64Array,
      timeMs: timeMs as Float64Array,
      sourceMs: sourceMs as Float64Array,
      values: values as Float64Array,
      statusCodes: Uint32Array.from(statuses as Float64Array),
    };
  }
}
