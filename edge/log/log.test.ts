import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { TelemetrySample } from "../../cloud-sync/contract/event.ts";
import { sampleOf, telemetryOf } from "../../test/support/events.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import { type Clock, systemClock } from "../kernel/clock.ts";
import type { EventLog } from "./event-log.ts";
import { openLog } from "./log.ts";
import { openLogReader } from "./reader.ts";

function open(path: string, clock: Clock = systemClock, commitIntervalMs = 250): EventLog {
  return openLog({ path, clock, commitIntervalMs });
}

const anyScalar = fc.oneof(
  fc.double(),
  fc.float(),
  fc.integer(),
  fc.integer({ min: -99_999, max: 99_999 }).map((n) => n / 100),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n }),
  fc.string({ unit: "grapheme" }),
  fc.boolean(),
  fc.constantFrom(
    null,
    Number.NaN,
    -0,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    Number.MAX_SAFE_INTEGER,
    5e-324,
  ),
);
const anyTimeMs = fc.oneof(
  fc.double({ min: 0, max: 2e12, noNaN: true }),
  fc.integer({ min: 1_600_000_000_000, max: 1_900_000_000_000 }),
);
const anySample: fc.Arbitrary<TelemetrySample> = fc.record({
  signal: fc.constantFrom("speed", "load", "temperature", "program"),
  value: fc.oneof(anyScalar, fc.array(anyScalar, { maxLength: 6 })),
  statusCode: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffffffff })),
  sourceTimestampMs: fc.option(anyTimeMs),
  serverTimestampMs: fc.option(anyTimeMs),
  receivedTimestampMs: anyTimeMs,
});

describe("the log", () => {
  test("L02 an append is all or nothing", async () => {
    const log = open(join(tempFolder(), "log.db"));
    await log.append([telemetryOf("a/1", [sampleOf("x", 1)])], "now");
    // The second event can't be stored: a value that no column takes.
    const bad = {
      type: "state",
      machineId: "a/1",
      timeMs: Symbol("no number") as unknown as number,
      data: {},
    } as const;
    await expect(log.append([telemetryOf("a/1", [sampleOf("x", 2)]), bad], "now")).rejects.toThrow();
    await log.append([telemetryOf("a/1", [sampleOf("x", 3)])], "now");
    const values = log
      .readAfter(0, { limitEvents: 10 })
      .map((event) => event.type === "telemetry" && event.data.samples[0]?.value);
    expect(values).toEqual([1, 3]);
    expect(log.readStream("a/1", 0, { limitEvents: 10 }).map(({ seq }) => seq)).toEqual([1, 2]);
    log.close();
  });

  test("L02 an event that can't be stored fails its own append, not those that share the commit", async () => {
    const log = open(join(tempFolder(), "log.db"));
    const bad = { type: "state", machineId: "a/1", timeMs: Number.NaN, data: {} } as const;
    const results = await Promise.allSettled([
      log.append([telemetryOf("a/1", [sampleOf("x", 1)])]),
      log.append([bad]),
      log.append([telemetryOf("a/1", [sampleOf("x", 2)])]),
    ]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(log.readStream("a/1", 0, { limitEvents: 9 }).map(({ seq }) => seq)).toEqual([1, 2]);
    log.close();
  });

  test("L05 an offset is never given out twice, also when the newest events have been removed", async () => {
    const path = join(tempFolder(), "log.db");
    const log = open(path);
    const last = await log.append(
      [telemetryOf("a/1", [sampleOf("x", 1)]), telemetryOf("a/2", [sampleOf("x", 2)])],
      "now",
    );
    log.seal();
    log.close();
    const raw = new Database(path);
    // Sealed, and then all of it let go.
    raw.exec("DELETE FROM block; DELETE FROM block_data");
    raw.close();
    const again = open(path);
    expect(await again.append([telemetryOf("a/1", [sampleOf("x", 3)])], "now")).toBe(last + 1);
    expect(again.readStream("a/1", 0, { limitEvents: 1 })[0]?.seq).toBe(2);
    again.close();
  });

  test("L06 the epoch is made with the file and never changes", async () => {
    const folder = tempFolder();
    const first = open(join(folder, "one.db"));
    const { epoch } = first;
    await first.append([telemetryOf("a/1", [sampleOf("x", 1)])], "now");
    first.close();
    const again = open(join(folder, "one.db"));
    expect(again.epoch).toBe(epoch);
    expect(again.readAfter(0, { limitEvents: 1 })[0]?.epoch).toBe(epoch);
    again.close();
    const other = open(join(folder, "two.db"));
    expect(other.epoch).not.toBe(epoch);
    other.close();
  });

  test("L06 where numbers may have been lost another epoch begins, at once for every process", async () => {
    const path = join(tempFolder(), "log.db");
    const [one, other, reader] = [openLog({ path, clock: systemClock }), open(path), openLogReader(path)];
    await other.append([telemetryOf("a/1", [sampleOf("x", 1)])], "now");
    const before = reader.readAfter(0, { limitEvents: 9 })[0]?.epoch;
    other.saveCursor("uplink", 7);
    one.beginEpoch("test");
    await other.append([telemetryOf("a/1", [sampleOf("x", 2)])], "now");
    const names = [before, one.epoch];
    expect(new Set(names).size).toBe(2);
    for (const log of [one, other, reader]) {
      const events = log.readAfter(0, { limitEvents: 9 });
      expect(events.map(({ epoch }) => epoch)).toEqual(names);
      // Beyond a cursor of somebody who has seen what is lost.
      expect(events.map(({ offset }) => offset)).toEqual([1, 8]);
    }
    for (const log of [reader, one, other]) log.close();
  });

  test("L07 what is read is what was appended, bit for bit", async () => {
    const log = open(join(tempFolder(), "log.db"));
    await fc.assert(
      fc.asyncProperty(fc.array(anySample, { minLength: 1, maxLength: 20 }), async (samples) => {
        const before = log.head();
        await log.append([telemetryOf("a/1", samples)], "now");
        const [event] = log.readAfter(before, { limitEvents: 10 });
        // Sealed it is still the same.
        if (before % 3 === 0) log.seal();
        expect(log.readAfter(before, { limitEvents: 10 })).toEqual([event]);
        // toEqual tells -0 from 0 and NaN from null; fast-check's own null prototypes are not at issue here.
        expect(event?.type === "telemetry" && event.data.samples.map((sample) => ({ ...sample }))).toEqual(
          samples.map((sample) => ({ ...sample })),
        );
      }),
      { numRuns: 300 },
    );
    log.close();
  });

  test("L08 a cursor is durable and belongs to its name", () => {
    const path = join(tempFolder(), "log.db");
    const log = open(path);
    expect(log.cursor("uplink")).toBe(0);
    log.saveCursor("uplink", 17);
    log.saveCursor("scorer", 4);
    log.saveCursor("uplink", 23);
    log.close();
    const again = open(path);
    expect(again.cursors().map(({ name, offset }) => [name, offset])).toEqual([
      ["scorer", 4],
      ["uplink", 23],
    ]);
    again.close();
  });

  test("L10 an event waits no longer than the commit interval, and what waits is bounded", async () => {
    const log = open(join(tempFolder(), "log.db"), systemClock, 50);
    let durable = false;
    const appended = log.append([telemetryOf("a/1", [sampleOf("x", 1)])]).then(() => (durable = true));
    expect(durable).toBe(false);
    expect(log.head()).toBe(0);
    await appended;
    expect(log.head()).toBe(1);
    const flood = Array.from({ length: 60_000 }, () => telemetryOf("a/1", [sampleOf("x", 2)]));
    await expect(log.append(flood)).rejects.toMatchObject({ code: "LOG_UNAVAILABLE" });
    expect(log.head()).toBe(1);
    log.close();
  });

  test("L11 an event without an entity id gets its own identity, one that has it keeps it", async () => {
    const log = open(join(tempFolder(), "log.db"));
    await log.append([telemetryOf("a/1", [sampleOf("x", 1)])], "now");
    const entityId = log.readAfter(0, { limitEvents: 1 })[0]?.entityId ?? "";
    expect(entityId).toBe(`${log.epoch}/a/1/1`);
    await log.append(
      [{ type: "anomaly", machineId: "a/1", timeMs: 3_000, entityId, causedBy: entityId, data: { score: 0.5 } }],
      "now",
    );
    expect(log.readStream("a/1", 1, { limitEvents: 1 })[0]).toMatchObject({
      entityId,
      causedBy: entityId,
      timeMs: 3_000,
      data: { score: 0.5 },
    });
    log.close();
  });

  test("L12 reading by time finds the events of that time, in the order of their seq, also when the clock jumped back", async () => {
    const log = open(join(tempFolder(), "log.db"));
    const minutes = [10, 11, 11, 12, 3, 4, 11, 12, 13];
    for (const [i, minute] of minutes.entries()) {
      const timeMs = minute * 60_000 + i;
      await log.append(
        [telemetryOf("a/1", [sampleOf("x", i)], timeMs), telemetryOf("a/2", [sampleOf("x", 100 + i)], timeMs)],
        "now",
      );
      // Some of it sealed, some not: a read sees no seam.
      if (i === 2 || i === 5) log.seal();
    }
    const found = (from: number, to: number): unknown[] =>
      log
        .readTime("a/1", from * 60_000, to * 60_000, { limitEvents: 100 })
        .map((event) => event.type === "telemetry" && event.data.samples[0]?.value);
    expect(found(11, 12)).toEqual([1, 2, 6]);
    expect(found(3, 5)).toEqual([4, 5]);
    expect(found(12, 99)).toEqual([3, 7, 8]);
    expect(found(5, 10)).toEqual([]);
    expect(log.readTime("a/1", 0, 1e9, { limitEvents: 2, afterSeq: 6 }).map(({ seq }) => seq)).toEqual([7, 8]);
    log.close();
  });

  test("L13 a file that is not a log, or of a newer version, is refused and left as it was", () => {
    const folder = tempFolder();
    const text = join(folder, "notes.txt");
    writeFileSync(text, "my shopping list, longer than a page header of SQLite: ".repeat(20));
    const foreign = join(folder, "foreign.db");
    const other = new Database(foreign);
    other.exec("CREATE TABLE mine (x)");
    other.close();
    const newer = join(folder, "newer.db");
    open(newer).close();
    const raw = new Database(newer);
    raw.pragma("user_version = 99");
    raw.close();
    for (const [path, words] of [
      [text, "not a SQLite file"],
      [foreign, "not a Tailstock log"],
      [newer, "version 99"],
    ] as const) {
      const before = readFileSync(path);
      expect(() => open(path)).toThrow(words);
      expect(() => openLogReader(path)).toThrow(words);
      expect(readFileSync(path).equals(before)).toBe(true);
    }
    expect(() => openLogReader(join(folder, "none.db"))).toThrow("there is no log");
  });

  test("L14 a full disk refuses the append, and appends succeed again once there is space", async () => {
    const path = join(tempFolder(), "log.db");
    const log = open(path);
    const big = (value: string): ReturnType<typeof telemetryOf> =>
      telemetryOf("a/1", [sampleOf("text", value + randomBytes(40_000).toString("base64"))]);
    await log.append([big("a")], "now");
    // SQLite's own limit stands in for the disk's: the same SQLITE_FULL at the same places.
    const { database } = log as unknown as { database: Database.Database };
    const pages = database.pragma("page_count", { simple: true }) as number;
    database.pragma(`max_page_count = ${pages}`);
    // What room there still is within the file is used; then the log refuses.
    let refused: unknown;
    let stored = 1;
    for (; refused === undefined && stored < 40; stored++) {
      await log.append([telemetryOf("a/2", [sampleOf("x", 1)]), big("b")], "now").catch((error) => (refused = error));
    }
    expect(refused).toMatchObject({ code: "LOG_FULL" });
    const head = log.head();
    const seqs = log.readStream("a/1", 0, { limitEvents: 99 }).map(({ seq }) => seq);
    expect(seqs).toEqual(Array.from({ length: stored - 1 }, (_, i) => i + 1));
    await expect(log.append([telemetryOf("a/3", [sampleOf("x", 1)]), big("c")], "now")).rejects.toThrow("full");
    expect(log.head()).toBe(head);
    expect(log.streams().map(({ machineId }) => machineId)).not.toContain("a/3");
    database.pragma("max_page_count = 1000000");
    expect(await log.append([big("d")], "now")).toBe(head + 1);
    expect(log.readStream("a/1", stored - 1, { limitEvents: 9 }).map(({ seq }) => seq)).toEqual([stored]);
    log.close();
  });

  test("L15 one call returns at most 10,000 events", async () => {
    const log = open(join(tempFolder(), "log.db"));
    await log.append(
      Array.from({ length: 10_050 }, (_, i) => telemetryOf("a/1", [sampleOf("x", i)])),
      "now",
    );
    expect(log.readAfter(0, { limitEvents: 1e9 })).toHaveLength(10_000);
    expect(log.readAfter(10_000, { limitEvents: 1e9 })).toHaveLength(50);
    log.close();
  });

  test("L16 readings that do not compress are sealed into blocks that a message can hold", async () => {
    const log = open(join(tempFolder(), "log.db"));
    const noise = (n: number): TelemetrySample => sampleOf(`s${n % 50}`, randomBytes(900).toString("base64"));
    const events = Array.from({ length: 12 }, () =>
      telemetryOf(
        "a/1",
        Array.from({ length: 150 }, (_, n) => noise(n)),
      ),
    );
    await log.append(events, "now");
    log.seal();
    expect(log.readBlocks(0, { limitBytes: 1e9 }).length).toBeGreaterThan(5);
    expect(log.readAfter(0, { limitEvents: 99 }).map(({ data }) => data)).toEqual(events.map(({ data }) => data));
    // One that no block can hold could never be sealed: it is refused, and its neighbours in the commit are not.
    const huge = telemetryOf(
      "a/1",
      Array.from({ length: 400 }, (_, n) => noise(n)),
    );
    const [refused, taken] = await Promise.allSettled([
      log.append([huge]),
      log.append([telemetryOf("a/1", [sampleOf("x", 1)])]),
    ]);
    expect(refused).toMatchObject({ status: "rejected", reason: { code: "EVENT_INVALID" } });
    expect(taken).toEqual({ status: "fulfilled", value: 13 });
    log.close();
  });

  test("rare kinds are read by themselves, in the order of the offset", async () => {
    const log = open(join(tempFolder(), "log.db"));
    await log.append([
      telemetryOf("a/1", [sampleOf("x", 1)]),
      { type: "state", machineId: "a/1", timeMs: 5, data: { state: "running" } },
      telemetryOf("a/2", [sampleOf("x", 2)]),
      { type: "alarm", machineId: "a/2", timeMs: 6, data: { what: "hot" } },
      { type: "state", machineId: "a/1", timeMs: 7, data: { state: "idle" } },
    ]);
    expect(log.readAfter(0, { limitEvents: 9, types: ["state", "alarm"] }).map(({ offset }) => offset)).toEqual([
      2, 4, 5,
    ]);
    expect(log.latest("a/1", "state")?.data).toEqual({ state: "idle" });
    expect(log.latest("a/1", "telemetry")?.offset).toBe(1);
    expect(log.latest("a/9", "state")).toBeUndefined();
    log.close();
  });
});
