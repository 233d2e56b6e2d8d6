import { join } from "node:path";
import { pino } from "pino";
import { afterAll } from "vitest";
import type { StoredEvent } from "../../cloud-sync/contract/event.ts";
import type { Database } from "../../cloud-sync/database/database.ts";
import { CloudScorer, type CloudScorerOptions } from "../../cloud-sync/scoring/cloud-scorer.ts";
import type { EventStore } from "../../cloud-sync/store/event-store.ts";
import { createPostgresEventStore } from "../../cloud-sync/store/postgres/postgres-event-store.ts";
import { readTelemetryDocument } from "../../cloud-sync/store/read-telemetry.ts";
import { systemClock } from "../../edge/kernel/clock.ts";
import { type TestDatabase, testDatabase } from "./postgres.ts";
import { ROOT } from "./source-tree.ts";
import { until } from "./until.ts";

export const MODELS_FOLDER = join(ROOT, "models");
const NEVER = new AbortController().signal;
const logger = pino({ level: "silent" });

export interface Office {
  readonly store: EventStore;
  readonly database: Database;
}

let server: Promise<TestDatabase> | undefined;
afterAll(async () => (await server)?.[Symbol.asyncDispose]());

/** An event store in a database, both as good as new: the database is the same for all tests of a file, for making one takes longest. */
export async function openedOffice(): Promise<Office> {
  server ??= testDatabase();
  const { database } = await server;
  const store = createPostgresEventStore({ database, clock: systemClock, logger });
  await store.ensure(NEVER);
  await database.query(
    "TRUNCATE store.telemetry, store.scored_telemetry, store.document, store.part, app.scoring_stream, model.checkpoint",
  );
  return { store, database };
}

export interface RunningScorer {
  readonly counts: CloudScorer["counts"];
  /** Rejects when the scorer ends by itself. */
  readonly failed: Promise<never>;
  end(): Promise<void>;
}

export function startScorer({ store, database }: Office, options: Partial<CloudScorerOptions> = {}): RunningScorer {
  const own = { store, database, modelsFolder: MODELS_FOLDER, clock: systemClock, logger };
  const scorer = new CloudScorer({ ...own, ...options });
  const ending = new AbortController();
  const running = scorer.run(ending.signal, () => undefined);
  const failed = running.then(() => {
    throw new Error("the scorer has ended");
  });
  failed.catch(() => undefined);
  const end = async (): Promise<void> => {
    ending.abort();
    await running.catch(() => undefined);
  };
  return { counts: scorer.counts, failed, end };
}

/** Runs a scorer until it has read so many documents of telemetry, then ends it; gives what it counted. */
export async function scoreUntil(
  office: Office,
  documents: number,
  options: Partial<CloudScorerOptions> = {},
): Promise<CloudScorer["counts"]> {
  const { counts, failed, end } = startScorer(office, options);
  try {
    await Promise.race([until(`${documents} documents scored`, () => counts.documents >= documents), failed]);
  } finally {
    await end();
  }
  return counts;
}

/** What the cloud's models said, by epoch, machine, seq. */
export async function scoresIn({ store }: Pick<Office, "store">): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for (const range of await store.feedRanges("scored_telemetry", NEVER)) {
    let continuation: string | undefined;
    for (let hasMore = true; hasMore; ) {
      const page = await store.changes("scored_telemetry", range, continuation, 500, NEVER);
      events.push(...page.documents.flatMap((document) => [...readTelemetryDocument(document).events()]));
      ({ continuation, hasMore } = page);
    }
  }
  const keyOf = ({ epoch, machineId, seq }: StoredEvent): string =>
    `${machineId} ${epoch} ${String(seq).padStart(9, "0")}`;
  return events.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}
