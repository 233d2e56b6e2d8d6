import { pino } from "pino";
import { startEmbeddedPostgres } from "../../cloud-sync/database/embedded/embedded-postgres.ts";

// Runs an embedded PostgreSQL until it is killed or told to end by its standard input: node embedded-child.ts FOLDER. Prints pid and address.
const [folder = ""] = process.argv.slice(2);
const server = await startEmbeddedPostgres({ folder, logger: pino({ level: "silent" }) });
const url = await server.url("child");
process.stdout.write(`${JSON.stringify({ pid: server.pid, url, uid: process.getuid?.() })}\n`);
process.stdin.resume().once("end", async () => {
  await server[Symbol.asyncDispose]();
  process.exit(0);
});
