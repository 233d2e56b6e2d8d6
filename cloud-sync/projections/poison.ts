import { EdgeError, messageOf } from "../../edge/kernel/errors.ts";
import { type Database, sqlStateOf } from "../database/database.ts";
import type { Change, Projection } from "./projection.ts";
import { BoundedMap } from "./state/bounded-map.ts";

/** SQLSTATE classes that are about the data of a row: bad values, violated constraints, too large. */
const DATA_STATES = /^(?:22|23|54)/;
const REFUSED_MAX = 10_000;
/** Documents that are tried together at first. */
const TRIED_MAX = 256;

/**
 * Whether an error may be the fault of a document, so that it would come again and again: what a decoder or our own code throws at its
 * content, and what the database does not take.
 */
export function mayBePoison(error: unknown): boolean {
  if (!(error instanceof EdgeError)) return true;
  return error.code === "DATABASE_REFUSED" && DATA_STATES.test(sqlStateOf(error) ?? "");
}

class TrialOver extends Error {}

/** Documents that one projection can't take, though they are not damaged: found after a batch with them has failed. */
export class Poison {
  readonly #refused = new BoundedMap<string, string>(REFUSED_MAX);

  /** Why a document is to be passed over; undefined when it is not. */
  reasonOf(change: Change): string | undefined {
    return this.#refused.get(keyOf(change));
  }

  /** Tries the changes in transactions that are rolled back, fewer and fewer at a time. @returns how many were found */
  async look(projection: Projection, changes: readonly Change[], database: Database): Promise<number> {
    let found = 0;
    for (let from = 0; from < changes.length; from += TRIED_MAX)
      found += await this.#lookWithin(projection, changes.slice(from, from + TRIED_MAX), database);
    projection.forget?.();
    return found;
  }

  async #lookWithin(projection: Projection, changes: readonly Change[], database: Database): Promise<number> {
    const [first] = changes;
    if (first === undefined) return 0;
    const error = await failureOf(projection, changes, database);
    if (error === undefined) return 0;
    if (!mayBePoison(error)) throw error;
    if (changes.length === 1) {
      this.#refused.set(keyOf(first), messageOf(error), 1);
      return 1;
    }
    const half = changes.length >> 1;
    const found = await this.#lookWithin(projection, changes.slice(0, half), database);
    return found + (await this.#lookWithin(projection, changes.slice(half), database));
  }
}

/** What goes wrong when these changes are projected; undefined when nothing does. */
async function failureOf(projection: Projection, changes: readonly Change[], database: Database): Promise<unknown> {
  try {
    projection.forget?.();
    await database.transaction(async (sql) => {
      await projection.gather?.(changes, sql);
      await projection.apply(projection.gather === undefined ? changes : [], sql);
      throw new TrialOver();
    });
  } catch (error) {
    return error instanceof TrialOver ? undefined : error;
  }
}

function keyOf({ container, document: { partition, id, etag } }: Change): string {
  return JSON.stringify([container, partition.stream, partition.part, id, etag]);
}
