import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
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
