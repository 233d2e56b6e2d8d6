import { HubError } from "../hub-error.ts";
import type { Json, JsonMap } from "../ports.ts";
import { evaluate, holds } from "./evaluate.ts";
import type { Value } from "./functions.ts";
import { type AggregateName, type Field, hasAggregate, type Query } from "./query.ts";
import { unhurried } from "./unhurried.ts";

export const PAGE_ITEMS_DEFAULT = 100;
export const PAGE_ITEMS_MAX = 1_000;
/** Groups of a GROUP BY are held in memory. */
const GROUPS_MAX = 10_000;

/** A document and where it stands in the order of its source. */
export interface QueryDocument {
  readonly key: string;
  readonly document: JsonMap;
}

/** Documents of a source in the order of their keys, after a key when one is given. */
export type DocumentSource = (afterKey: string | undefined) => Iterable<QueryDocument>;

export interface QueryPage {
  readonly items: readonly JsonMap[];
  /** Undefined on the last page. */
  readonly continuation: string | undefined;
}

interface Cursor {
  /** Of the last document given, or the number of groups. */
  readonly after: string;
  /** How many rows were given before, for TOP. */
  readonly given: number;
}

/**
 * One page of a query's answer. The continuation names the last document given, so that paging neither repeats nor skips
 * what was there all the time, whatever else comes and goes between.
 * @throws HubError ArgumentInvalid for a continuation that is none of ours
 */
export async function runQuery(
  query: Query,
  source: DocumentSource,
  itemsMax: number,
  continuation?: string,
): Promise<QueryPage> {
  const cursor = continuation === undefined ? { after: undefined, given: 0 } : decode(continuation);
  return await (hasAggregate(query)
    ? groupPage(query, source, itemsMax, cursor)
    : rowPage(query, source, itemsMax, cursor));
}

async function rowPage(
  { where, fields, top = Number.POSITIVE_INFINITY }: Query,
  source: DocumentSource,
  itemsMax: number,
  { after, given }: { after: string | undefined; given: number },
): Promise<QueryPage> {
  const items: JsonMap[] = [];
  const limit = Math.min(itemsMax, top - given);
  let last = after;
  for await (const { key, document } of unhurried(source(after))) {
    if (!holds(where, document)) continue;
    if (items.length >= limit) {
      const more = given + items.length < top && last !== undefined;
      return { items, continuation: more ? encode({ after: last ?? "", given: given + items.length }) : undefined };
    }
    items.push(project(fields, document));
    last = key;
  }
  return { items, continuation: undefined };
}

function project(fields: readonly Field[] | undefined, document: JsonMap): JsonMap {
  if (fields === undefined) return document;
  const row: Record<string, Json> = {};
  for (const { name, value } of fields) {
    const found = value.kind === "aggregate" ? undefined : evaluate(value, document);
    if (found !== undefined) row[name] = found;
  }
  return row;
}

async function groupPage(
  { where, fields = [], groupBy, top = Number.POSITIVE_INFINITY }: Query,
  source: DocumentSource,
  itemsMax: number,
  { given }: { given: number },
): Promise<QueryPage> {
  const groups = new Map<string, { readonly first: JsonMap; readonly tallies: readonly Tally[] }>();
  const makeTallies = (): Tally[] => fields.map(() => new Tally());
  // A query without GROUP BY has one row even when nothing was found.
  if (groupBy.length === 0) groups.set("[]", { first: {}, tallies: makeTallies() });
  for await (const { document } of unhurried(source(undefined))) {
    if (!holds(where, document)) continue;
    const key = JSON.stringify(groupBy.map((path) => evaluate(path, document) ?? { missing: true }));
    let group = groups.get(key);
    if (group === undefined) {
      if (groups.size >= GROUPS_MAX) throw new HubError("ArgumentInvalid", `more than ${GROUPS_MAX} groups`);
      group = { first: document, tallies: makeTallies() };
      groups.set(key, group);
    }
    for (const [index, { value }] of fields.entries()) {
      if (value.kind !== "aggregate") continue;
      group.tallies[index]?.add(value.operand === undefined ? 1 : evaluate(value.operand, document));
    }
  }
  const rows = [...groups.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, top);
  const items = rows.slice(given, given + itemsMax).map(([, { first, tallies }]) => {
    const row: Record<string, Json> = {};
    for (const [index, { name, value }] of fields.entries()) {
      const found = value.kind === "aggregate" ? tallies[index]?.result(value.aggregate) : evaluate(value, first);
      if (found !== undefined) row[name] = found;
    }
    return row;
  });
  const next = given + items.length;
  return { items, continuation: next < rows.length ? encode({ after: String(next), given: next }) : undefined };
}

/** Sums up the values of one field in one group. What is not there does not count. */
class Tally {
  #count = 0;
  #numbers = 0;
  #sum = 0;
  #least: number | string | undefined;
  #most: number | string | undefined;

  add(value: Value): void {
    if (value === undefined) return;
    this.#count++;
    if (typeof value === "number") {
      this.#numbers++;
      this.#sum += value;
    }
    if (typeof value !== "number" && typeof value !== "string") return;
    if (this.#least === undefined || value < this.#least) this.#least = value;
    if (this.#most === undefined || value > this.#most) this.#most = value;
  }

  result(aggregate: AggregateName): Value {
    switch (aggregate) {
      case "COUNT":
        return this.#count;
      case "SUM":
        return this.#sum;
      case "AVG":
        return this.#numbers === 0 ? undefined : this.#sum / this.#numbers;
      case "MIN":
        return this.#least;
      case "MAX":
        return this.#most;
    }
  }
}

function encode(cursor: Cursor): string {
  return Buffer.from(JSON.stringify(cursor)).toString("base64url");
}

function decode(continuation: string): Cursor {
  try {
    const cursor: unknown = JSON.parse(Buffer.from(continuation, "base64url").toString("utf8"));
    if (typeof cursor === "object" && cursor !== null && "after" in cursor && "given" in cursor) {
      const { after, given } = cursor;
      if (typeof after === "string" && typeof given === "number" && given >= 0) return { after, given };
    }
  } catch {
    // Answered below, as any other text that is none of ours.
  }
  throw new HubError("ArgumentInvalid", "x-ms-continuation is not one that this hub gave");
}
