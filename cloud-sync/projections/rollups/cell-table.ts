import type { Sql } from "../../database/database.ts";
import { instant, numbersLiteral } from "../sql/literals.ts";
import { BoundedMap } from "../state/bounded-map.ts";
import type { SignalSet } from "../state/signal-sets.ts";
import { Cell, SPANS, type Span } from "./cell.ts";

/** Elements of arrays in memory: of cells that are written, and of those that are not, before they should be. */
const [KEPT_MAX, CHANGED_MAX] = [6_000_000, 6_000_000];
/** Rows of one statement: more would be a message of many megabytes. */
const ROWS_MAX = 500;

const TABLES = {
  minute: { table: "model.rollup_1m", time: "minute_at", count: "integer[]" },
  hour: { table: "model.rollup_1h", time: "hour_at", count: "bigint[]" },
} as const;

export interface CellKey {
  readonly machineId: string;
  readonly span: Span;
  readonly at: number;
}

function keyOf({ machineId, span, at }: CellKey): string {
  return `${span} ${at} ${machineId}`;
}

/** The cells that were used last, and those that are to be written. */
export class CellTable {
  readonly #kept = new BoundedMap<string, Cell>(KEPT_MAX);
  readonly #changed = new Map<string, Cell>();
  #changedWeight = 0;

  get isMuch(): boolean {
    return this.#changedWeight > CHANGED_MAX;
  }

  /** Loads those that are not in memory; they then are, and count as changed. */
  async open(keys: readonly CellKey[], sets: ReadonlyMap<string, SignalSet>, sql: Sql): Promise<void> {
    const missing: CellKey[] = [];
    for (const key of keys) {
      const name = keyOf(key);
      const cell = this.#changed.get(name) ?? this.#kept.get(name);
      const set = sets.get(key.machineId) as SignalSet;
      if (cell === undefined) missing.push(key);
      else {
        cell.follow(set);
        this.#change(name, cell);
      }
    }
    for (const span of ["minute", "hour"] as const) {
      const own = missing.filter((key) => key.span === span);
      for (let from = 0; from < own.length; from += ROWS_MAX)
        await this.#load(span, own.slice(from, from + ROWS_MAX), sets, sql);
    }
  }

  /** A cell that was opened. */
  get(machineId: string, span: Span, at: number): Cell {
    return this.#changed.get(keyOf({ machineId, span, at })) as Cell;
  }

  async write(sql: Sql): Promise<void> {
    for (const span of ["minute", "hour"] as const) {
      const cells = [...this.#changed.values()].filter((cell) => cell.span === span);
      for (let from = 0; from < cells.length; from += ROWS_MAX)
        await writeCells(span, cells.slice(from, from + ROWS_MAX), sql);
    }
  }

  /** What was to be written is. */
  written(): void {
    for (const [name, cell] of this.#changed) this.#kept.set(name, cell, cell.weight);
    this.#changed.clear();
    this.#changedWeight = 0;
  }

  forget(): void {
    this.#kept.clear();
    this.#changed.clear();
    this.#changedWeight = 0;
  }

  #change(name: string, cell: Cell): void {
    if (this.#changed.has(name)) return;
    this.#kept.delete(name);
    this.#changed.set(name, cell);
    this.#changedWeight += cell.weight;
  }

  async #load(span: Span, keys: readonly CellKey[], sets: ReadonlyMap<string, SignalSet>, sql: Sql): Promise<void> {
    const { table, time } = TABLES[span];
    const { rows } = await sql.prepared<CellRow>(
      `model_rollup_read_${span}`,
      `SELECT r.machine_id, r.${time} AS at, r.counts, r.bad, r.minima, r.maxima, r.sums
         FROM unnest($1::text[], $2::timestamptz[]) AS k (machine_id, at)
         JOIN ${table} r ON r.machine_id = k.machine_id AND r.${time} = k.at`,
      [keys.map(({ machineId }) => machineId), keys.map(({ at }) => instant(at * SPANS[span]))],
    );
    for (const key of keys) {
      const { machineId, at } = key;
      this.#change(keyOf(key), new Cell(machineId, span, at, sets.get(machineId) as SignalSet));
    }
    for (const row of rows) fill(this.get(row.machine_id, span, Math.floor(row.at.getTime() / SPANS[span])), row);
  }
}

interface CellRow {
  readonly machine_id: string;
  readonly at: Date;
  readonly counts: (string | number)[];
  readonly bad: (string | number)[];
  readonly minima: (number | null)[];
  readonly maxima: (number | null)[];
  readonly sums: (number | null)[];
}

function fill(cell: Cell, { counts, bad, minima, maxima, sums }: CellRow): void {
  for (let i = 0; i < Math.min(counts.length, cell.counts.length); i++) {
    cell.counts[i] = Number(counts[i]);
    cell.bad[i] = Number(bad[i]);
    cell.minima[i] = minima[i] ?? Number.POSITIVE_INFINITY;
    cell.maxima[i] = maxima[i] ?? Number.NEGATIVE_INFINITY;
    cell.sums[i] = sums[i] ?? 0;
  }
}

async function writeCells(span: Span, cells: readonly Cell[], sql: Sql): Promise<void> {
  const { table, time, count } = TABLES[span];
  const arrays = (name: "minima" | "maxima" | "sums"): string[] =>
    cells.map((cell) => numbersLiteral(cell[name], (i) => (cell.counts[i] as number) > 0));
  await sql.prepared(
    `model_rollup_write_${span}`,
    `INSERT INTO ${table} (machine_id, ${time}, set_no, counts, bad, minima, maxima, sums)
     SELECT machine_id, at, set_no, counts::${count}, bad::${count},
            minima::double precision[], maxima::double precision[], sums::double precision[]
       FROM unnest($1::text[], $2::timestamptz[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
            AS t (machine_id, at, set_no, counts, bad, minima, maxima, sums)
     ON CONFLICT (machine_id, ${time}) DO UPDATE SET set_no = excluded.set_no, counts = excluded.counts, bad = excluded.bad,
            minima = excluded.minima, maxima = excluded.maxima, sums = excluded.sums`,
    [
      cells.map(({ machineId }) => machineId),
      cells.map(({ at }) => instant(at * SPANS[span])),
      cells.map(({ set }) => set.setNo),
      cells.map(({ counts }) => numbersLiteral(counts)),
      cells.map(({ bad }) => numbersLiteral(bad)),
      arrays("minima"),
      arrays("maxima"),
      arrays("sums"),
    ],
  );
}
