import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import type { TestProject } from "vitest/node";
import { startEmbeddedPostgres } from "../../cloud-sync/database/embedded/embedded-postgres.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Of the server's database "postgres"; support/postgres.ts makes one of its own for each test file. */
    postgresUrl: string;
  }
}

/**
 * A server of one's own in place of the throw-away one: postgres://…/postgres of a user who may create databases. Where it has Citus
 * loaded, every database of the tests gets the extension, and with it distributed tables.
 */
const OWN_SERVER = process.env.TAILSTOCK_TEST_POSTGRES_URL;

/** One PostgreSQL server for all test files of a run; what it holds is thrown away, so nothing waits for the disk. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  if (OWN_SERVER !== undefined) {
    project.provide("postgresUrl", OWN_SERVER);
    return async () => undefined;
  }
  const folder = mkdtempSync(join(tmpdir(), "tailstock-postgres-"));
  // Root's tests run the server as somebody else, who must get in.
  chmodSync(folder, 0o755);
  const server = await startEmbeddedPostgres({
    folder,
    settings: { fsync: "off", synchronous_commit: "off", full_page_writes: "off", max_connections: "200" },
    logger: pino({ level: "silent" }),
  });
  project.provide("postgresUrl", await server.url("postgres"));
  return async () => {
    await server[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  };
}
