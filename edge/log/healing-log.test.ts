import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import Database from "better-sqlite3";
import { pino } from "pino";
import { describe, expect, onTestFinished, test } from "vitest";
import type { StoredEvent } from "../../cloud-sync/contract/event.ts";
import { sampleOf, telemetryOf } from "../../test/support/events.ts";
import { everyEvent, filledLog, MACHINES } from "../../test/support/filled-log.ts";
import { ManualClock } from "../../test/support/manual-clock.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { until } from "../../test/support/until.ts";
import type { EventLog } from "./event-log.ts";
import { openFollowingReader } from "./following-reader.ts";
import { openHealingLog } from "./healing-log.ts";
import { openLogReader } from "./reader.ts";

const PAGE = 4_096;
const silent = pino({ level: "silent" });
const OWN = "redmond/edge";

async function open(path: string, clock: ManualClock): Promise<EventLog> {
  const log = await openHealingLog({ path, clock, logger: silent, ownStream: OWN });
  onTestFinished(() => log.close());
  return log;
}

/** A log that a collector has opened at least once, closed in order. */
async function closedLog(rounds = 45): Promise<{ path: string; clock: ManualClock; before: StoredEvent[] }> {
  const path = join(tempFolder(), "log.db");
  const clock = new ManualClock();
  (await openHealingLog({ path, clock, logger: silent, ownStream: OWN })).close();
  const { log } = await filledLog(path, { clock, rounds, sealEvery: 20 });
  const before = everyEvent(log);
  log.close();
  return { path, clock, before };
}

function overwrite(path: string, page: number, bytes: Buffer): void {
  const content = readFileSync(path);
  bytes.copy(content, (page - 1) * PAGE);
  writeFileSync(path, content);
}

function rootOf(path: string, name: string): number {
  const database = new Database(path, { readonly: true });
  const page = database.prepare("SELECT rootpage FROM sqlite_schema WHERE name = ?").pluck().get(name) as number;
  database.close();
  return page;
}

const setAsides = (path: string): string[] =>
  readdirSync(dirname(path))
    .filter((name) => /\.damaged-\d{8}T\d{6}Z(-\d+)?$/.test(name))
    .map((name) => join(dirname(path), name));

const alarmsOf = (log: Pick<EventLog, "readStream">): string[] =>
  log
    .readStream(OWN, 0, { limitEvents: 100, types: ["alarm"] })
    .map(({ data }) => String((data as { what?: string }).what));

/** Collection goes on: an append is durable, comes after all that was, and no identity is used twice. */
async function checkGoesOn(log: EventLog, before: readonly StoredEvent[]): Promise<void> {
  const offset = await log.append([telemetryOf(MACHINES[0], [sampleOf("x", 42)])], "now");
  expect(offset).toBeGreaterThan(before.at(-1)?.offset ?? 0);
  log.seal();
  log.maintain();
  const identity = (event: StoredEvent): string => `${event.epoch}/${event.machineId}/${event.seq}`;
  const known = new Map(before.map((event) => [identity(event), event]));
  for (const event of everyEvent(log)) {
    const same = known.get(identity(event));
    if (same) expect(event).toEqual(same);
    else expect(event.offset).toBeGreaterThan(before.at(-1)?.offset ?? 0);
  }
}

describe("P04 a collector that starts", () => {
  test.each<[string, (path: string) => void]>([
    ["the header is destroyed", (path) => overwrite(path, 1, Buffer.alloc(100))],
    ["the schema page is destroyed", (path) => overwrite(path, 1, Buffer.alloc(PAGE - 100, 0xee).fill(0xee, 0, 0))],
    [
      "the page of the schema is noise behind its header",
      (path) => {
        const page = readFileSync(path).subarray(0, PAGE);
        overwrite(path, 1, Buffer.concat([page.subarray(0, 100), Buffer.alloc(PAGE - 100, 0x7b)]));
      },
    ],
    ["the page of the epochs is destroyed", (path) => overwrite(path, rootOf(path, "epoch"), Buffer.alloc(PAGE, 0x11))],
    ["the page of the marks is destroyed", (path) => overwrite(path, rootOf(path, "mark"), Buffer.alloc(PAGE, 0x11))],
  ])(
    "%s: the file is set aside as it is, a new epoch begins with an alarm, and collection goes on",
    async (_what, damage) => {
      const { path, clock, before } = await closedLog();
      damage(path);
      const bytes = readFileSync(path);
      const log = await open(path, clock);
      const [aside] = setAsides(path);
      expect(readFileSync(aside ?? "")).toEqual(bytes);
      expect(alarmsOf(log)).toEqual(["log-damaged"]);
      expect(log.epoch).not.toBe(before[0]?.epoch);
      expect(JSON.stringify(everyEvent(log))).toContain(`tailstock log salvage ${basename(aside ?? "?")}`);
      await checkGoesOn(log, before);
    },
  );

  /** A process that was killed with commits in its write-ahead log; gives what it had acknowledged. */
  async function killed(): Promise<{ path: string; clock: ManualClock; before: StoredEvent[] }> {
    const path = join(tempFolder(), "log.db");
    const clock = new ManualClock();
    (await openHealingLog({ path, clock, logger: silent, ownStream: OWN })).close();
    const child = join(import.meta.dirname, "..", "..", "test", "support", "log-writer-child.ts");
    const writer = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", child, path, "x"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let text = "";
    writer.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    await until("commits", () => text.split("\n").length > 12);
    writer.kill("SIGKILL");
    await once(writer, "close");
    const reader = openLogReader(path);
    const before = everyEvent(reader);
    reader.close();
    return { path, clock, before };
  }

  test("a write-ahead log that is damaged before intact commits: set aside, for SQLite would drop them without a word", async () => {
    const { path, clock, before } = await killed();
    const wal = readFileSync(`${path}-wal`);
    wal.fill(0x33, 32 + 3 * (24 + PAGE) + 100, 32 + 3 * (24 + PAGE) + 180);
    writeFileSync(`${path}-wal`, wal);
    const log = await open(path, clock);
    expect(setAsides(path)).toHaveLength(1);
    expect(existsSync(`${setAsides(path)[0]}-wal`)).toBe(true);
    expect(alarmsOf(log)).toEqual(["log-damaged"]);
    await checkGoesOn(log, before);
  });

  test("a write-ahead log that ends in a torn write: all that was acknowledged is there, and a new epoch begins", async () => {
    const { path, clock, before } = await killed();
    const wal = readFileSync(`${path}-wal`);
    writeFileSync(`${path}-wal`, wal.subarray(0, wal.length - 1_000));
    const log = await open(path, clock);
    expect(setAsides(path)).toEqual([]);
    const kept = everyEvent(log);
    // The last commit was cut: its numbers may have been seen by somebody.
    expect(kept.length).toBeGreaterThanOrEqual(before.length - 4);
    expect(kept).toEqual(before.slice(0, kept.length));
    expect(log.epoch).not.toBe(before[0]?.epoch);
    await log.append([telemetryOf("a/1", [sampleOf("x", 1)])], "now");
    const events = everyEvent(log);
    expect(events.at(-1)?.epoch).toBe(log.epoch);
    const ids = [...before, ...events.slice(kept.length)].map((each) => `${each.epoch}/${each.machineId}/${each.seq}`);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("kill -9 alone is no damage: nothing is set aside, and the epoch stays", async () => {
    const { path, clock, before } = await killed();
    const log = await open(path, clock);
    expect({ asides: setAsides(path), epoch: log.epoch }).toEqual({ asides: [], epoch: before[0]?.epoch });
    expect(everyEvent(log)).toEqual(before);
  });

  test("what is not a log of ours is refused and left as it was", async () => {
    const folder = tempFolder();
    const other = new Database(join(folder, "other.db"));
    other.exec("CREATE TABLE shopping (item TEXT)");
    other.close();
    writeFileSync(join(folder, "text"), "just some text ".repeat(1_000));
    for (const name of ["other.db", "text"]) {
      const before = readFileSync(join(folder, name));
      const opening = openHealingLog({ path: join(folder, name), clock: new ManualClock(), logger: silent });
      await expect(opening).rejects.toMatchObject({ code: "LOG_VERSION" });
      expect(readFileSync(join(folder, name))).toEqual(before);
    }
    expect(readdirSync(folder).filter((name) => name.includes("damaged") || name.includes("mark"))).toEqual([]);
  });
});

describe("P04 a collector that runs", () => {
  /** Overwrites pages of the file under the open log, and makes its connection look at the file again. */
  function destroy(path: string, keep: number): void {
    const pages = statSync(path).size / PAGE;
    const content = readFileSync(path);
    content.fill(0xc3, keep * PAGE, pages * PAGE);
    writeFileSync(path, content);
    const database = new Database(path);
    // Another process's commit: who has pages in memory reads them anew.
    database.pragma("user_version = 2");
    database.close();
  }

  test.each<[string, (log: EventLog) => Promise<unknown>]>([
    ["append", (log) => log.append([telemetryOf(MACHINES[1], [sampleOf("x", 1)])], "now")],
    ["maintain", async (log) => log.maintain()],
    ["seal", async (log) => log.seal()],
    ["head", async (log) => log.head()],
    ["readStream", async (log) => log.readStream(MACHINES[0], 0, { limitEvents: 9 })],
    ["saveCursor", async (log) => log.saveCursor("uplink", 3)],
  ])("%s meets SQLITE_CORRUPT: it heals, says so, and a reader in another connection follows", async (_name, work) => {
    const { path, clock } = await closedLog();
    const log = await open(path, clock);
    const before = everyEvent(log);
    await log.append([telemetryOf(MACHINES[2], [sampleOf("x", 7)])], "now");
    const reader = openFollowingReader(path);
    onTestFinished(() => reader.close());
    const head = reader.head();
    const { epoch } = log;
    // All of it must be in the file, for the write-ahead log would bring it back.
    const raw = new Database(path);
    raw.pragma("wal_checkpoint(TRUNCATE)");
    raw.close();
    destroy(path, 1);
    await work(log);
    expect(setAsides(path)).toHaveLength(1);
    expect(alarmsOf(log)).toEqual(["log-damaged"]);
    expect(log.epoch).not.toBe(epoch);
    await checkGoesOn(log, before);
    const seen = await reader.waitPast(head, AbortSignal.timeout(5_000));
    expect(seen).toBe(true);
    await until("the reader follows", () => reader.epoch === log.epoch);
    expect(everyEvent(reader)).toEqual(everyEvent(log));
  });

  test("several appends that fail together heal once, and all of them get through", async () => {
    const { path, clock, before } = await closedLog();
    const log = await open(path, clock);
    const raw = new Database(path);
    raw.pragma("wal_checkpoint(TRUNCATE)");
    raw.close();
    destroy(path, 1);
    const offsets = await Promise.all(
      [1, 2, 3].map((value) => log.append([telemetryOf(MACHINES[0], [sampleOf("x", value)])])),
    );
    expect(setAsides(path)).toHaveLength(1);
    expect(Math.min(...offsets)).toBeGreaterThan(before.at(-1)?.offset ?? 0);
    expect(log.readStream(MACHINES[0], 0, { limitEvents: 9 })).toHaveLength(3);
  });
});
