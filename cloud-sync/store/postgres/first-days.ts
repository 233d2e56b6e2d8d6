import type { Sql } from "../../database/database.ts";
import type { Partition } from "../event-store.ts";
import type { DailyContainer } from "./days.ts";
import { textArray } from "./wire-arrays.ts";

/** Of partitions of streams, remembered; a first day never changes. */
const REMEMBERED_MAX = 50_000;
/** Later than any day of ours: looked for nowhere. */
export const NO_DAY = "9999-12-31";

const LOOK_UP = `SELECT k.n, t.first_on::text AS first_on
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS k (stream, part, n)
    JOIN store.part t ON t.stream = k.stream AND t.part = k.part AND t.container = $3`;
const WRITE_DOWN = `INSERT INTO store.part (container, stream, part, first_on)
    SELECT $3::text, k.stream, k.part, $4::date FROM unnest($1::text[], $2::text[]) AS k (stream, part)
    ON CONFLICT (stream, container, part) DO NOTHING`;

/** Since when each partition of a stream has documents: of a thousand days only those are looked into. */
export class FirstDays {
  readonly #remembered = new Map<string, string>();

  /** By keyOfPart; without those that have no documents of a day. */
  async of(sql: Sql, container: DailyContainer, partitions: Iterable<Partition>): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    const unknown = new Map<string, Partition>();
    for (const partition of partitions) {
      const key = keyOfPart(partition);
      const day = this.#remembered.get(`${container}\0${key}`);
      if (day === undefined) unknown.set(key, partition);
      else found.set(key, day);
    }
    if (unknown.size === 0) return found;
    const keys = [...unknown.keys()];
    const { rows } = await sql.prepared<{ n: number; first_on: string }>("store_first_days", LOOK_UP, [
      ...partArrays([...unknown.values()]),
      container,
    ]);
    for (const { n, first_on } of rows) {
      const key = keys[n - 1] as string;
      found.set(key, first_on);
      // Within a transaction too: what this one did not write itself is committed, for it holds the bucket's lock.
      this.#remember(container, key, first_on);
    }
    return found;
  }

  /** Of partitions whose first documents are written now, in the same transaction. */
  async write(sql: Sql, container: DailyContainer, partitions: readonly Partition[], day: string): Promise<void> {
    if (partitions.length === 0) return;
    await sql.prepared("store_write_first_days", WRITE_DOWN, [...partArrays(partitions), container, day]);
  }

  #remember(container: DailyContainer, key: string, day: string): void {
    if (this.#remembered.size >= REMEMBERED_MAX) {
      const [oldest] = this.#remembered.keys();
      this.#remembered.delete(oldest as string);
    }
    this.#remembered.set(`${container}\0${key}`, day);
  }
}

export function keyOfPart({ stream, part }: Partition): string {
  return `${stream}\0${part}`;
}

function partArrays(partitions: readonly Partition[]): Buffer[] {
  return [textArray(partitions.map(({ stream }) => stream)), textArray(partitions.map(({ part }) => part))];
}
