import { type FileScope, isInScope, LakeSession, type SessionLimits, sqlText, sqlTime } from "./lake-session.ts";
import { readManifest } from "./manifest.ts";
import type { LakeFiles } from "./place/lake-files.ts";
import { filesOf, type LakePlace } from "./place/place.ts";

/** What is read: readings received from..to, the end excluded. */
export interface LakeWish extends SessionLimits {
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
  const result = await session.connection.stream(statementOf(wish));
  const rows = new ChunkRows(names);
  for (;;) {
    signal.throwIfAborted();
    const chunk = await result.fetchChunk();
    if (chunk === null || chunk.rowCount === 0) break;
    const columns = Array.from({ length: chunk.columnCount }, (_, i) => chunk.getColumnVector(i));
    const [factories, machines, signals, epochs, ...numbers] = columns;
    for (let row = 0; row < chunk.rowCount; row++) {
      const text = (column: typeof factories): string => String(column?.getItem(row) ?? "");
      const number = (at: number): number => (numbers[at]?.getItem(row) as number | null) ?? Number.NaN;
      const full = rows.before(text(factories), text(machines));
      if (full !== undefined) yield full;
      rows.add(text(signals), text(epochs), [number(0), number(1), number(2), number(3), number(4)]);
    }
  }
  const last = rows.take();
  if (last !== undefined) yield last;
}

function statementOf({ factory, machine, fromMs, toMs, signals }: LakeWish): string {
  const conditions = [
    `time >= ${sqlTime(fromMs)} AND time < ${sqlTime(toMs)}`,
    ...(factory === undefined ? [] : [`factory = ${sqlText(factory)}`]),
    ...(machine === undefined ? [] : [`machine_id = ${sqlText(machine)}`]),
    ...(signals === undefined ? [] : [`signal IN (${signals.map(sqlText).join(", ") || "NULL"})`]),
  ];
  return `SELECT factory, machine_id, signal, epoch, seq::DOUBLE, epoch_us(time)::DOUBLE / 1000,
      epoch_us(source_time)::DOUBLE / 1000, value, status_code::DOUBLE
    FROM readings WHERE ${conditions.join(" AND ")}
    ORDER BY machine_id, time, epoch, seq, signal`;
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

type Numbers = readonly [seq: number, timeMs: number, sourceMs: number, value: number, statusCode: number];

class ChunkRows {
  readonly #names: Names;
  #factoryId = "";
  #machineId = "";
  #rows = 0;
  #signals = new Uint32Array(CHUNK_ROWS_MAX);
  #epochs = new Uint32Array(CHUNK_ROWS_MAX);
  #numbers = Array.from({ length: 5 }, () => new Float64Array(CHUNK_ROWS_MAX));

  constructor(names: Names) {
    this.#names = names;
  }

  /** @returns the chunk that is complete before a row of this machine comes */
  before(factoryId: string, machineId: string): LakeChunk | undefined {
    const isSame = machineId === this.#machineId && factoryId === this.#factoryId;
    const full = isSame && this.#rows < CHUNK_ROWS_MAX ? undefined : this.take();
    this.#factoryId = factoryId;
    this.#machineId = machineId;
    return full;
  }

  add(signal: string, epoch: string, numbers: Numbers): void {
    this.#signals[this.#rows] = this.#names.signal(signal);
    this.#epochs[this.#rows] = this.#names.epoch(epoch);
    for (let i = 0; i < numbers.length; i++) (this.#numbers[i] as Float64Array)[this.#rows] = numbers[i] as number;
    this.#rows++;
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
