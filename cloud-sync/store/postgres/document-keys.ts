import type { Sql } from "../../database/database.ts";
import type { Container, Partition } from "../event-store.ts";
import type { DailyContainer } from "./days.ts";
import { type FirstDays, keyOfPart, NO_DAY } from "./first-days.ts";
import { isDaily } from "./tables.ts";
import { textArray } from "./wire-arrays.ts";

export interface DocumentKey {
  readonly partition: Partition;
  readonly id: string;
}

export function keyOf({ partition, id }: DocumentKey): string {
  return `${keyOfPart(partition)}\0${id}`;
}

export function keyArrays(keys: readonly DocumentKey[]): Buffer[] {
  return [
    textArray(keys.map(({ partition }) => partition.stream)),
    textArray(keys.map(({ partition }) => partition.part)),
    textArray(keys.map(({ id }) => id)),
  ];
}

/** Statements that find documents by their keys: `kept` among those that are kept for ever, `daily` among those of the days. */
export interface Finder<Row> {
  kept(values: readonly unknown[]): Promise<readonly (Row & { n: number })[]>;
  daily(container: DailyContainer, values: readonly unknown[]): Promise<readonly (Row & { n: number })[]>;
}

/** What stands under each of the keys, with its index: what is kept for ever is looked for first, for it costs least. */
export async function findByKey<Row>(
  sql: Sql,
  firstDays: FirstDays,
  container: Container,
  keys: readonly DocumentKey[],
  finder: Finder<Row>,
): Promise<Map<number, Row>> {
  const found = new Map<number, Row>();
  for (const row of await finder.kept([...keyArrays(keys), container])) found.set(row.n - 1, row);
  if (!isDaily(container) || found.size === keys.length) return found;
  const open = keys.map((key, index) => ({ ...key, index })).filter(({ index }) => !found.has(index));
  const days = await firstDays.of(
    sql,
    container,
    open.map(({ partition }) => partition),
  );
  const sought = open.filter(({ partition }) => days.has(keyOfPart(partition)));
  if (sought.length === 0) return found;
  const first = sought.reduce((least, { partition }) => {
    const day = days.get(keyOfPart(partition)) as string;
    return day < least ? day : least;
  }, NO_DAY);
  for (const row of await finder.daily(container, [...keyArrays(sought), first]))
    found.set((sought[row.n - 1] as { index: number }).index, row);
  return found;
}
