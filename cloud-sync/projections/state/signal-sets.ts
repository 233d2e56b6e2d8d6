import type { Sql } from "../../database/database.ts";
import { plainText, textsLiteral } from "../sql/literals.ts";
import { BoundedMap } from "./bounded-map.ts";

/** Names of a machine's signals, which the arrays of its rows follow. */
export interface SignalSet {
  readonly setNo: number;
  readonly names: readonly string[];
  readonly indexByName: ReadonlyMap<string, number>;
}

/** What a machine can have: more, or names that change all the time, are not shown. */
export const SIGNALS_MAX = 20_000;
const SETS_MAX = 1_000;
/** Names of all machines that are kept in memory. */
const NAMES_MAX = 1_000_000;
const TRIES_MAX = 20;
const NONE: SignalSet = { setNo: 0, names: [], indexByName: new Map() };

/**
 * The sets of signals of all machines, shared by the projections of one process. A set is written by itself before the rows that follow
 * it, never changes and stays when they are made anew; a newer set of a machine begins with the names of the one before, so that the
 * newest serves all rows. Which number a set has and the order of its names depend on what came first, and on nothing else.
 */
export class SignalSets {
  readonly #sql: Sql;
  readonly #newest = new BoundedMap<string, SignalSet>(NAMES_MAX);

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** The newest set of each machine, made larger where it lacks a name that is needed. */
  async having(needed: ReadonlyMap<string, Iterable<string>>): Promise<Map<string, SignalSet>> {
    const sets = new Map<string, SignalSet>();
    const unknown: string[] = [];
    for (const machineId of needed.keys()) {
      const known = this.#newest.get(machineId);
      if (known === undefined) unknown.push(machineId);
      else sets.set(machineId, known);
    }
    if (unknown.length > 0) await this.#load(unknown, sets);
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const larger = this.#larger(needed, sets);
      if (larger.size === 0) break;
      await this.#insert(larger);
      // Whether ours was taken or another's: what is there now counts.
      await this.#load([...larger.keys()], sets);
    }
    return sets;
  }

  #larger(needed: ReadonlyMap<string, Iterable<string>>, sets: ReadonlyMap<string, SignalSet>): Map<string, SignalSet> {
    const larger = new Map<string, SignalSet>();
    for (const [machineId, names] of needed) {
      const set = sets.get(machineId) ?? NONE;
      if (set.setNo >= SETS_MAX) continue;
      const added = new Set<string>();
      for (const name of names) {
        if (set.names.length + added.size >= SIGNALS_MAX) break;
        if (!set.indexByName.has(name) && plainText(name) === name) added.add(name);
      }
      if (added.size > 0) larger.set(machineId, setOf(set.setNo + 1, [...set.names, ...added]));
    }
    return larger;
  }

  async #load(machineIds: readonly string[], into: Map<string, SignalSet>): Promise<void> {
    const { rows } = await this.#sql.prepared<{ machine_id: string; set_no: number; signals: string[] }>(
      "model_signal_sets",
      `SELECT DISTINCT ON (machine_id) machine_id, set_no, signals FROM model.signal_set
        WHERE machine_id = ANY($1::text[]) ORDER BY machine_id, set_no DESC`,
      [machineIds],
    );
    const found = new Map(rows.map((row) => [row.machine_id, setOf(row.set_no, row.signals)]));
    for (const machineId of machineIds) {
      const set = found.get(machineId) ?? NONE;
      into.set(machineId, set);
      if (set !== NONE) this.#newest.set(machineId, set, set.names.length + 1);
    }
  }

  async #insert(sets: ReadonlyMap<string, SignalSet>): Promise<void> {
    // In the order of the ids, so that two that insert at once wait for each other and never around each other.
    const rows = [...sets].sort(([a], [b]) => (a < b ? -1 : 1));
    await this.#sql.prepared(
      "model_signal_set_insert",
      `INSERT INTO model.signal_set (machine_id, set_no, signals)
       SELECT machine_id, set_no, signals::text[] FROM unnest($1::text[], $2::integer[], $3::text[]) AS t (machine_id, set_no, signals)
       ON CONFLICT (machine_id, set_no) DO NOTHING`,
      [
        rows.map(([machineId]) => machineId),
        rows.map(([, { setNo }]) => setNo),
        rows.map(([, { names }]) => textsLiteral(names)),
      ],
    );
  }
}

function setOf(setNo: number, names: readonly string[]): SignalSet {
  return { setNo, names, indexByName: new Map(names.map((name, index) => [name, index])) };
}
