import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { pino } from "pino";
import { expect, test } from "vitest";
import { tempFolder } from "../../../test/support/temp-folder.ts";
import type { Outgoing, UplinkStatus } from "../ports.ts";
import { uplinkStatePathOf } from "./schema.ts";
import { openUplinkStateReader, wantDeadLettersAgain } from "./state-reader.ts";
import { openUplinkState } from "./uplink-state.ts";

const logger = pino({ level: "silent" });
const NOON_MS = Date.UTC(2026, 2, 1, 12);

function messageOf(id: string, bytes: number): Outgoing {
  return { id, lane: "telemetry", body: Buffer.alloc(bytes, id), contentType: "x", properties: { site: "redmond" } };
}

function letterOf(id: string, bytes: number) {
  return {
    message: messageOf(id, bytes),
    code: "UPLINK_REFUSED",
    reason: "no",
    contents: [`m ${id}`],
    attempts: 2,
    atMs: 5,
  };
}

test("dead letters keep their message while there is room, then their description", () => {
  const path = uplinkStatePathOf(join(tempFolder(), "log.db"));
  using state = openUplinkState(path, logger);
  const ids = ["a", "b", "c"].map((id) => state.addDeadLetter(letterOf(id, 1_000), 2_500));
  using reader = openUplinkStateReader(path);
  expect(reader.deadLetters().map(({ messageId, bytes, contents }) => [messageId, bytes, contents])).toEqual([
    ["a", 1_000, ["m a"]],
    ["b", 1_000, ["m b"]],
    ["c", 1_000, ["m c"]],
  ]);
  expect(reader.deadLetterMessage(ids[0] as number)).toBeUndefined();
  expect(reader.deadLetterMessage(ids[2] as number)).toEqual(messageOf("c", 1_000));
  expect(wantDeadLettersAgain(path, "all")).toBe(2);
  expect(state.wantedAgain().map(({ message }) => message?.id)).toEqual(["b", "c"]);
  state.keepDeadLetter(ids[1] as number, "UPLINK_REFUSED", "again", 9);
  state.removeDeadLetter(ids[2] as number);
  expect(state.wantedAgain()).toEqual([]);
  expect(reader.deadLetters().map(({ messageId, attempts, reason }) => [messageId, attempts, reason])).toEqual([
    ["a", 2, "no"],
    ["b", 3, "again"],
  ]);
});

test("traffic is counted by UTC day and lane, ranges and the rate survive a restart", () => {
  const path = join(tempFolder(), "uplink.db");
  {
    using state = openUplinkState(path, logger);
    state.addTraffic(NOON_MS, "priority", { messages: 1, units: 2, bytes: 5_000 });
    state.addTraffic(NOON_MS + 60_000, "priority", { messages: 1, units: 1, bytes: 100 });
    state.addTraffic(NOON_MS + 86_400_000, "telemetry", { messages: 7, units: 8, bytes: 9 });
    state.setRateOverride(null);
    state.addResend("m", 3, 40);
  }
  using state = openUplinkState(path, logger);
  expect(state.traffic(NOON_MS)).toEqual({
    priority: { messages: 2, units: 3, bytes: 5_100 },
    telemetry: { messages: 0, units: 0, bytes: 0 },
  });
  expect(state.rateOverride()).toBeNull();
  const range = state.nextResend();
  expect(range).toEqual({ id: 1, machineId: "m", firstSeq: 3, lastSeq: 40, nextSeq: 3 });
  if (range) state.saveResend(range, 41);
  expect(state.nextResend()).toBeUndefined();
});

test("a reader finds nothing before there is a file, and the new file after it was removed", () => {
  const path = join(tempFolder(), "uplink.db");
  using reader = openUplinkStateReader(path);
  expect([reader.status(), reader.deadLetters(), wantDeadLettersAgain(path, "all")]).toEqual([undefined, [], 0]);
  const status = { updatedMs: 7, hub: "h" } as UplinkStatus;
  {
    using state = openUplinkState(path, logger);
    state.saveStatus(status);
    expect(reader.status()).toEqual(status);
  }
  for (const suffix of ["", "-wal", "-shm"]) rmSync(`${path}${suffix}`, { force: true });
  expect(reader.status()).toBeUndefined();
});

test("a damaged file is set aside and said to be", () => {
  const path = join(tempFolder(), "uplink.db");
  writeFileSync(path, Buffer.alloc(8_192, "no database"));
  const lines: string[] = [];
  using state = openUplinkState(path, pino({}, { write: (line) => lines.push(line) }));
  expect(state.deadLetterCount()).toBe(0);
  expect(lines.join("")).toContain("uplink.db.damaged");
});

test("an event that fits into no message is described once, however often it is met", () => {
  using state = openUplinkState(join(tempFolder(), "uplink.db"), logger);
  const ids = ["m 1", "m 2", "m 1"].map((content) => state.addDeadLetter({ ...letterOf("e", 0), contents: [content] }));
  expect(ids[2]).toBe(ids[0]);
  expect(state.deadLetters().map(({ contents }) => contents)).toEqual([["m 1"], ["m 2"]]);
});

test("a second uplink on one log is told, and begins when the first has ended", () => {
  const path = join(tempFolder(), "uplink.db");
  {
    using _first = openUplinkState(path, logger);
    expect(() => openUplinkState(path, logger)).toThrow(
      expect.objectContaining({ code: "LOG_UNAVAILABLE", message: expect.stringContaining("another uplink") }),
    );
  }
  using second = openUplinkState(path, logger);
  expect(second.deadLetterCount()).toBe(0);
});

test("a file that is removed while it is open is begun anew, so that what is written durably can be found", () => {
  const path = join(tempFolder(), "uplink.db");
  using state = openUplinkState(path, logger);
  state.addDeadLetter(letterOf("a", 10));
  for (const suffix of ["", "-wal", "-shm"]) rmSync(`${path}${suffix}`, { force: true });
  state.addDeadLetter(letterOf("b", 10));
  using reader = openUplinkStateReader(path);
  expect(reader.deadLetters().map(({ messageId }) => messageId)).toEqual(["b"]);
});

test("a file that is damaged while it is open is moved aside, and the uplink goes on with a new one", () => {
  const path = join(tempFolder(), "uplink.db");
  using state = openUplinkState(path, logger);
  for (let i = 0; i < 50; i++) state.addDeadLetter(letterOf(`m${i}`, 3_000));
  {
    // All of it into the file itself, then all pages but the first are spoilt.
    const other = new Database(path);
    other.pragma("wal_checkpoint(TRUNCATE)");
    other.close();
  }
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.fill(0x55, 4_096));
  let failures = 0;
  const tried = (work: () => void): void => {
    try {
      work();
    } catch {
      failures++;
    }
  };
  for (let i = 0; i < 5; i++) tried(() => state.addTraffic(NOON_MS, "priority", { messages: 1, units: 1, bytes: 1 }));
  for (let i = 0; i < 5; i++) tried(() => state.deadLetters());
  expect(failures).toBeLessThanOrEqual(2);
  state.addDeadLetter(letterOf("after", 10));
  using reader = openUplinkStateReader(path);
  expect(reader.deadLetters().map(({ messageId }) => messageId)).toEqual(["after"]);
});
