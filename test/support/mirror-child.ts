import { pino } from "pino";
import { Database } from "../../cloud-sync/database/database.ts";
import { createMirror } from "../../cloud-sync/mirror/mirror.ts";
import { createPostgresEventStore } from "../../cloud-sync/store/postgres/postgres-event-store.ts";
import { systemClock } from "../../edge/kernel/clock.ts";
import { openFollowingReader } from "../../edge/log/following-reader.ts";

// A mirror in a process of its own, to be killed; prints a line when it runs.
const [path = "", url = "", queryUrl = "", tokenFile = ""] = process.argv.slice(2);
const logger = pino({ level: "silent" });
const database = new Database({ url, connectionsMax: 4 });
const store = createPostgresEventStore({ database, clock: systemClock, logger });
const mirror = createMirror({
  log: openFollowingReader(path),
  site: "redmond",
  database,
  store,
  cloud: { queryUrl, token: { file: tokenFile } },
  clock: systemClock,
  logger,
  gatherMs: 100,
  askMs: 100,
});
await mirror.run(new AbortController().signal, () => process.stdout.write("runs\n"));
