import { pino } from "pino";
import { Database } from "../../cloud-sync/database/database.ts";
import { Ingest } from "../../cloud-sync/ingest/ingest.ts";
import { createPostgresEventStore } from "../../cloud-sync/store/postgres/postgres-event-store.ts";
import { systemClock } from "../../edge/kernel/clock.ts";
import { ShakyStore } from "./shaky-store.ts";

/** A worker as a process of its own, which may be killed. Prints a line when it runs; ends on SIGTERM or when stdin closes. */
export interface IngestChildOptions {
  readonly eventsConnectionString: string;
  readonly databaseUrl: string;
  readonly workerId: string;
  readonly ownershipMs: number;
  /** Of the calls of the store that fail. */
  readonly failingShare: number;
  readonly seed: number;
}

const options = JSON.parse(process.argv[2] ?? "{}") as IngestChildOptions;
const { eventsConnectionString, databaseUrl, workerId, ownershipMs, failingShare, seed } = options;
const ending = new AbortController();
process.on("SIGTERM", () => ending.abort());
process.stdin.on("end", () => ending.abort()).resume();

const logger = pino({ level: process.env.TAILSTOCK_TEST_LOG ?? "silent" });
const database = new Database({ url: databaseUrl });
const inner = createPostgresEventStore({ database, clock: systemClock, logger });
const store = failingShare > 0 ? new ShakyStore(inner, { seed, share: failingShare }) : inner;
const ingest = new Ingest({
  eventsConnectionString,
  consumerGroup: "$Default",
  workerId,
  store,
  database,
  clock: systemClock,
  logger,
  ownershipMs,
});
await ingest.run(ending.signal, () => process.stdout.write(`${workerId}\n`));
await database[Symbol.asyncDispose]();
process.exit(0);
