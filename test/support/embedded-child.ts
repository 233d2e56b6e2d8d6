import { pino } from "pino";
import { startEmbeddedPostgres } from "../../cloud-sync/database/embedded/embedded-postgres.ts";

// Runs an embedded PostgreSQL until it is killed or told to end by its standard input: node embedded-child.ts
// FOLDER [exit]. Prints pid and address. With `exit` it ends without stopping its server.
const [folder = "", how = "dispose"] = process.argv.slice(2);
const server = await startEmbeddedPostgres({ folder, logger: pino({ level: "silent" }) });
const url = await server.url("child");
process.stdout.write(`${JSON.stringify({ pid: server.pid, url, uid: process.getuid?.() })}\n`);
process.stdin.resume().once("end", async () => {
  if (how === "dispose") await server[Symbol.asyncDispose]();
  process.exit(0);
});
