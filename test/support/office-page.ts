import { mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pino } from "pino";
import { build } from "vite";
import { createOffice } from "../../cloud-sync/office/create-office.ts";
import { ProjectionRunner } from "../../cloud-sync/projections/runner.ts";
import { type AccessControl, createAccess } from "../../cloud-sync/services/access/access-control.ts";
import { commandRoutes } from "../../cloud-sync/services/command/routes.ts";
import { queryRoutes } from "../../cloud-sync/services/query/service.ts";
import type { EventStore } from "../../cloud-sync/store/event-store.ts";
import { createPostgresEventStore } from "../../cloud-sync/store/postgres/postgres-event-store.ts";
import { systemClock } from "../../edge/kernel/clock.ts";
import { type TestDatabase, testDatabase } from "./postgres.ts";

const WEB = fileURLToPath(new URL("../../cloud-sync/office/web", import.meta.url));

/** The office as people reach it: the built page, logins, commands, queries; metadata goes through the store and its projection. */
export interface OfficePage extends AsyncDisposable {
  readonly url: string;
  readonly db: TestDatabase;
  readonly store: EventStore;
  readonly access: AccessControl;
}

export async function officePage(): Promise<OfficePage> {
  const folder = mkdtempSync(join(tmpdir(), "tailstock-office-page-"));
  const webRoot = join(folder, "page");
  const [db] = await Promise.all([testDatabase(), build({ root: WEB, logLevel: "error", build: { outDir: webRoot } })]);
  const { database } = db;
  const clock = systemClock;
  const logger = pino({ level: "silent" });
  const store = createPostgresEventStore({ database, clock, logger });
  await store.ensure(AbortSignal.timeout(30_000));
  const ending = new AbortController();
  const projections = ["metadata"];
  const running = new ProjectionRunner({ store, database, projections, clock, logger }).run(
    ending.signal,
    () => undefined,
  );
  const access = createAccess({ database, config: { secure: false, passwordCost: 1_024 }, clock, logger });
  const app = createOffice({
    access,
    command: commandRoutes({ store, access, clock, logger }),
    query: queryRoutes({ database, store, access, clock, logger }),
    webRoot,
    clock,
    logger,
  });
  await app.listen({ host: "127.0.0.1", port: 0 });
  return {
    url: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`,
    db,
    store,
    access,
    [Symbol.asyncDispose]: async () => {
      ending.abort();
      await app.close();
      await running;
      await store[Symbol.asyncDispose]();
      await db[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
