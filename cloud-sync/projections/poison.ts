import { EdgeError, messageOf } from "../../edge/kernel/errors.ts";
import { type Database, sqlStateOf } from "../database/database.ts";
import type { Change, Projection } from "./projection.ts";
import { BoundedMap } from "./state/bounded-map.ts";

/** SQLSTATE classes that are about the data of a row: bad values, violated constraints, too large. */
const DATA_STATES = /^(?:22|23|54)/;
const REFUSED_MAX = 10_000;

/**
 * Whether an error may be the fault of a document, so that it would come again and again: what a decoder or our own code throws at its
 * content, and what the database does not take.
 */
export function mayBePoison(error: unknown): boolean {
  if (!(error instanceof EdgeError)) return true;
  return error.code === "DATABASE_REFUSED" && DATA_STATES.test(sqlStateOf(error) ?? "");
}

class TrialOver extends Error {}

/** Documents that one projection can't take, though they are not damaged: found one by one after a batch with them has failed. */
export class Poison {
  readonly #refused = new BoundedMap<string, string>(REFUSED_MAX);

  /** Why a document is to be passed over; undefined when it is not. */
  reasonOf(change: Change): string | undefined {
    return this.#refused.get(keyOf(change));
  }

  /** Tries each change in a transaction that is rolled back. @returns how many were found */
  async look(projection: Projection, changes: readonly Change[], database: Database): Promise<number> {
    let found = 0;
    for (const change of changes) {
      try {
        projection.forget?.();
        await database.transaction(async (sql) => {
          await projection.gather?.([change], sql);
          await projection.apply(projection.gather === undefined ? [change] : [], sql);
          throw new TrialOver();
        });
      } catch (error) {
        if (error instanceof TrialOver) continue;
        if (!mayBePoison(error)) throw error;
        this.#refused.set(keyOf(change), messageOf(error), 1);
        found++;
      }
    }
    projection.forget?.();
    return found;
  }
}

function keyOf({ container, document: { partition, id, etag } }: Change): string {
  return JSON.stringify([container, partition.stream, partition.part, id, etag]);
}
