import { readFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { type Logger, pino } from "pino";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Clock } from "../../../edge/kernel/clock.ts";
import { ManualClock } from "../../../test/support/manual-clock.ts";
import { tempFolder } from "../../../test/support/temp-folder.ts";
import type { HubEvent, NewHubEvent } from "../ports.ts";
import { type Retention, SqliteEventLog } from "./event-log.ts";

const FOREVER: Retention = { ageMsMax: 1e12, bytesMax: 1e12 };

function openLog(
  options: { path?: string; clock?: Clock; partitions?: number; retention?: Partial<Retention>; logger?: Logger } = {},
): SqliteEventLog {
  const log = new SqliteEventLog({
    path: options.path ?? join(tempFolder(), "events.db"),
    partitions: options.partitions ?? 4,
    retention: { ...FOREVER, ...options.retention },
    clock: options.clock ?? new ManualClock(),
    logger: options.logger ?? pino({ level: "silent" }),
  });
  onTestFinished(() => log.close());
  return log;
}

function event(body: string | Buffer, more: Partial<NewHubEvent> = {}): NewHubEvent {
  return {
    source: { deviceId: "d" },
    body: Buffer.from(body),
    properties: {},
    system: {},
    messageSource: "Telemetry",
    ...more,
  };
}

function all(log: SqliteEventLog, partition: number): HubEvent[] {
  return log.read(partition, 0, { events: 1e6, bytes: 1e9 });
}

test("a slow disk is told of when it begins and when it ends, and the log goes on", async () => {
  const manual = new ManualClock();
  let [ms, commitMs] = [0, 2_000];
  const clock: Clock = {
    nowMs: () => manual.nowMs(),
    monotonicMs: () => {
      ms += commitMs / 2;
      return ms;
    },
    sleep: (duration, signal) => manual.sleep(duration, signal),
  };
  const lines: string[] = [];
  const logger = pino({ level: "info" }, { write: (line: string) => void lines.push(line) });
  const log = openLog({ clock, logger });
  for (let n = 0; n < 3; n++) await log.append(event(`${n}`));
  commitMs = 2;
  for (let n = 3; n < 6; n++) await log.append(event(`${n}`));
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(/"component":"hub disk".*the disk is slow: a commit took \d+ ms/);
  expect(lines[1]).toMatch(/"component":"hub disk".*"failures":3.*recovered/);
});

test("gives back what was appended, whole", async () => {
  const log = openLog({ clock: new ManualClock(1_700_000_000_123) });
  const whole = event(Buffer.of(0, 255, 10), {
    source: { deviceId: "d", moduleId: "m" },
    properties: { a: "ü", __proto__x: "y" },
    system: { messageId: "1", outputName: "o" },
    authMethod: "{}",
    authGenerationId: "638",
    partitionKey: "k",
  });
  const at = await log.append(whole);
  const service = await log.append(event("s", { source: undefined, partition: 3 }));
  expect(log.read(at.partition, 0, { events: 9, bytes: 1 })[0]).toEqual({
    ...whole,
    ...at,
    enqueuedMs: 1_700_000_000_123,
  });
  expect(service.partition).toBe(3);
  expect(all(log, 3).at(-1)?.source).toBeUndefined();
  await expect(log.append(event("x", { partition: 4 }))).rejects.toMatchObject({ code: "ArgumentInvalid" });
});

test("one device is one partition, in order, without holes; keys decide, and nobody's events go round", async () => {
  const log = openLog();
  const placed = await Promise.all(
    Array.from({ length: 200 }, (_, n) => log.append(event(`${n}`, { source: { deviceId: `d${n % 20}` } }))),
  );
  expect(new Set(placed.map(({ partition }) => partition)).size).toBe(4);
  for (let partition = 0; partition < 4; partition++) {
    const events = all(log, partition);
    expect(events.map(({ sequenceNumber }) => sequenceNumber)).toEqual(events.map((_, i) => i));
  }
  const homes = placed.reduce(
    (map, { partition }, n) => map.set(n % 20, (map.get(n % 20) ?? new Set()).add(partition)),
    new Map<number, Set<number>>(),
  );
  expect([...homes.values()].every(({ size }) => size === 1)).toBe(true);
  const round = await Promise.all(Array.from({ length: 4 }, () => log.append(event("s", { source: undefined }))));
  expect(round.map(({ partition }) => partition).sort()).toEqual([0, 1, 2, 3]);
  const keyed = await Promise.all(
    ["x", "y"].map((deviceId) => log.append(event("k", { source: { deviceId }, partitionKey: "same" }))),
  );
  expect(keyed[0]?.partition).toBe(keyed[1]?.partition);
});

test("reads by count and bytes, one at least; tells who grew; knows positions by time although the clock goes back", async () => {
  const clock = new ManualClock(1_000_000);
  const log = openLog({ clock, partitions: 1 });
  const grown: number[][] = [];
  const stop = log.onAppended((partitions) => grown.push([...partitions]));
  for (const deltaMs of [0, 1_000, 1_000, -5_000, 10_000]) {
    clock.jumpWall(deltaMs);
    await log.append(event(Buffer.alloc(1_000)));
  }
  stop();
  await log.append(event("unheard"));
  expect(grown).toEqual([[0], [0], [0], [0], [0]]);
  expect(all(log, 0).map(({ enqueuedMs }) => enqueuedMs - 1_000_000)).toEqual([0, 1_000, 2_000, 2_000, 7_000, 7_000]);
  const positions = [-1, 0, 999, 1_000, 2_000, 6_999, 7_000].map((ms) => log.sequenceNumberAfter(0, 1_000_000 + ms));
  expect(positions).toEqual([0, 1, 1, 2, 4, 4, 6]);
  expect(log.read(0, 1, { events: 2, bytes: 1e6 }).map(({ sequenceNumber }) => sequenceNumber)).toEqual([1, 2]);
  expect(log.read(0, 0, { events: 9, bytes: 1 })).toHaveLength(1);
  expect(log.read(0, 0, { events: 9, bytes: 3_000 })).toHaveLength(2);
  expect(log.read(0, 6, { events: 9, bytes: 1e6 })).toEqual([]);
  expect(log.info(0)).toEqual({
    partition: 0,
    firstSequenceNumber: 0,
    lastSequenceNumber: 5,
    lastEnqueuedMs: 1_007_000,
  });
});

describe("retention", () => {
  test("by age takes the oldest in short steps; numbers go on behind an empty partition, also after a restart", async () => {
    const clock = new ManualClock();
    const path = join(tempFolder(), "events.db");
    const log = openLog({ path, clock, partitions: 1, retention: { ageMsMax: 10_000 } });
    await Promise.all(Array.from({ length: 2_600 }, (_, n) => log.append(event(`${n}`))));
    clock.jumpWall(6_000);
    await log.append(event("younger"));
    expect(log.retain()).toBe(false);
    clock.jumpWall(6_000);
    let steps = 0;
    while (log.retain()) steps++;
    expect(steps).toBeGreaterThan(1);
    expect(all(log, 0).map(({ body, sequenceNumber }) => [body.toString(), sequenceNumber])).toEqual([
      ["younger", 2_600],
    ]);
    clock.jumpWall(6_000);
    while (log.retain());
    expect(log.info(0)).toMatchObject({ firstSequenceNumber: 2_601, lastSequenceNumber: 2_600 });
    expect(log.sequenceNumberAfter(0, 0)).toBe(2_601);
    log.close();
    const again = openLog({ path, clock, partitions: 7 });
    expect(again.partitions).toBe(1);
    expect(again.info(0)).toMatchObject({ firstSequenceNumber: 2_601, lastSequenceNumber: 2_600 });
    expect(await again.append(event("next"))).toEqual({ partition: 0, sequenceNumber: 2_601 });
  });

  test("by bytes: the file stays at its quota while events stream in, the oldest of all partitions go", async () => {
    const clock = new ManualClock();
    const log = openLog({ clock, retention: { bytesMax: 8 << 20 } });
    let most = 0;
    // Small ones first, which large ones then push out: as many bytes must go as come, however many events those are.
    for (let n = 0; n < 100; n++) {
      clock.jumpWall(1_000);
      const bodyBytes = n < 60 ? 3_000 : 100_000;
      await Promise.all(
        Array.from({ length: n < 60 ? 100 : 8 }, (_, i) =>
          log.append(event(Buffer.alloc(bodyBytes, n), { source: { deviceId: `d${i}` } })),
        ),
      );
      most = Math.max(most, log.usedBytes());
    }
    expect(most).toBeLessThan(9 << 20);
    const kept = [0, 1, 2, 3].flatMap((partition) => all(log, partition));
    expect(kept.reduce((sum, { body }) => sum + body.length, 0)).toBeGreaterThan(6 << 20);
    const firsts = [0, 1, 2, 3].map((p) => all(log, p)[0]?.enqueuedMs ?? 0);
    expect(Math.max(...firsts) - Math.min(...firsts)).toBeLessThan(30_000);
  });
});

test("a file of another program is refused and left as it is; a second hub on the same file too", () => {
  const path = join(tempFolder(), "events.db");
  openLog({ path });
  expect(() => openLog({ path })).toThrow(/can't be used/);
  const foreign = join(tempFolder(), "events.db");
  const database = new Database(foreign);
  database.exec("CREATE TABLE theirs (x)");
  database.close();
  const before = readFileSync(foreign);
  expect(() => openLog({ path: foreign })).toThrow(/not a hub's/);
  expect(readFileSync(foreign).equals(before)).toBe(true);
});
