import { chmodSync } from "node:fs";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../edge/kernel/clock.ts";
import { followed } from "../../test/contract/feed-reader.ts";
import { countedEvents, liveBlock, storeBlocks } from "../../test/support/live-blocks.ts";
import { OTHER_VERSIONS, postgresPackage } from "../../test/support/postgres-package.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { createPostgresEventStore } from "../store/postgres/postgres-event-store.ts";
import { Repacker } from "../store/postgres/repack/repacker.ts";
import { Database } from "./database.ts";
import { startEmbeddedPostgres } from "./embedded/embedded-postgres.ts";
import { migrate, readMigrations } from "./migrate.ts";

const NEVER = new AbortController().signal;
const DOWNLOAD_MS_MAX = 180_000;
const logger = pino({ level: "silent" });

/** The installed version is what all other tests run on. */
describe.concurrent("the migrations and the event store on", () => {
  test.for(OTHER_VERSIONS)(
    "PostgreSQL %s",
    { timeout: DOWNLOAD_MS_MAX },
    async (version, { onTestFinished, expect: check }) => {
      const packageFolder = await postgresPackage(version);
      const folder = tempFolder(onTestFinished);
      chmodSync(folder, 0o755);
      await using server = await startEmbeddedPostgres({ folder, packageFolder, settings: { fsync: "off" }, logger });
      await using database = new Database({ url: await server.url("versions") });
      const { rows } = await database.query<{ server_version: string }>("SHOW server_version");
      check(rows[0]?.server_version.split(".")[0]).toBe(version.split(".")[0]);
      check(await migrate(database)).toEqual(readMigrations().map(({ name }) => name));
      check(await migrate(database)).toEqual([]);
      const store = createPostgresEventStore({ database, clock: systemClock, logger });
      await store.ensure(NEVER);
      const blocks = Array.from({ length: 6 }, (_, i) => ({ machineId: "redmond/mill", firstSeq: i * 3, events: 3 }));
      await storeBlocks(store, blocks);
      await expect(storeBlocks(store, blocks)).rejects.toThrow(/exists/);
      const partition = { stream: "redmond/mill", part: "e/0" };
      const kept = { ...liveBlock({ machineId: "redmond/mill", firstSeq: 90, events: 1 }), ttl: "never" as const };
      const [first] = await store.range("telemetry", partition, { limit: 1 }, NEVER);
      const rewritten = {
        id: first?.id ?? "",
        kind: "block",
        fields: first?.fields ?? {},
        body: first?.body ?? new Uint8Array(),
      };
      const [result] = await store.commit(
        "telemetry",
        [
          {
            partition,
            operations: [
              { op: "upsert", document: kept },
              { op: "replace", document: rewritten, etag: first?.etag ?? "" },
            ],
          },
        ],
        NEVER,
      );
      check(result?.status).toBe("done");
      const before = (await followed(store, "telemetry")).documents.flatMap(countedEvents).sort();
      check(before).toHaveLength(19);
      const limits = { readingsWanted: 1_000, documentsMax: 6, settleMs: 60_000 };
      await new Repacker({ database, clock: systemClock, logger, limits }).round(NEVER);
      const { documents } = await followed(store, "telemetry");
      check(documents).toHaveLength(2);
      check(documents.flatMap(countedEvents).sort()).toEqual(before);
      await store.commit("telemetry", [{ partition, operations: [{ op: "remove", id: kept.id }] }], NEVER);
      check(await store.get("telemetry", [{ partition, id: kept.id }], NEVER)).toEqual([undefined]);
    },
  );
});
