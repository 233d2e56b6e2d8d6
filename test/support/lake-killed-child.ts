import { pino } from "pino";
import { Database } from "../../cloud-sync/database/database.ts";
import { LakeWriter } from "../../cloud-sync/lake/lake-writer.ts";
import type { LakeFiles } from "../../cloud-sync/lake/place/lake-files.ts";
import { filesOf } from "../../cloud-sync/lake/place/place.ts";
import { createPostgresEventStore } from "../../cloud-sync/store/postgres/postgres-event-store.ts";
import { systemClock } from "../../edge/kernel/clock.ts";

// A writer of the lake, or a merge, that kills itself before its nth step beyond its own memory: each statement and transaction of the
// database, each change of the lake's files. Prints "survived" when it has fewer steps.
const [work = "", url = "", folder = "", nth = "0", rowsMax = "1000000"] = process.argv.slice(2);
let step = 0;

function killAtStep(): void {
  if (++step === Number(nth)) process.kill(process.pid, "SIGKILL");
}

class StepDatabase extends Database {
  override query<Row extends Record<string, unknown>>(text: string, values?: readonly unknown[]) {
    if (!text.startsWith("SELECT")) killAtStep();
    return super.query<Row>(text, values);
  }

  override async transaction<T>(work: Parameters<Database["transaction"]>[0]): Promise<T> {
    killAtStep();
    const result = (await super.transaction(async (sql) => {
      const done = await work(sql);
      killAtStep();
      return done;
    })) as T;
    killAtStep();
    return result;
  }
}

const place = filesOf({ folder });
const files: LakeFiles = {
  name: place.name,
  stagingFolder: () => place.stagingFolder(),
  list: (signal) => place.list(signal),
  readText: (path, signal) => place.readText(path, signal),
  local: (wanted, signal) => place.local(wanted, signal),
  put: async (...args) => {
    killAtStep();
    await place.put(...args);
    killAtStep();
  },
  remove: async (...args) => {
    killAtStep();
    await place.remove(...args);
    killAtStep();
  },
  writeText: async (...args) => {
    killAtStep();
    await place.writeText(...args);
  },
};
await using database = new StepDatabase({ url, connectionsMax: 4 });
const logger = pino({ level: "silent" });
const end = new AbortController();
if (work === "compact") {
  const { compactLake } = await import("../../cloud-sync/lake/compact-lake.ts");
  await compactLake({ database, place: files, logger, signal: end.signal, graceMs: 0 });
} else {
  await using plain = new Database({ url, connectionsMax: 2 });
  const store = createPostgresEventStore({ database: plain, clock: systemClock, logger });
  // The first sleep is at the end of the feed.
  const clock = { ...systemClock, sleep: async () => end.abort() };
  await new LakeWriter({ store, database, place: files, clock, logger, compactMs: 0, rowsMax: Number(rowsMax) }).run(
    end.signal,
    () => undefined,
  );
}
process.stdout.write(`survived ${step}`);
