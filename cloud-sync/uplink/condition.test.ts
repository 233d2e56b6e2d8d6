import { expect, test } from "vitest";
import { conditionOf, outlookOf, type UplinkCondition } from "./condition.ts";
import type { LaneStatus, UplinkStatus } from "./ports.ts";

const NOW_MS = 1_800_000_000_000;
const HOUR_MS = 3_600_000;
const lane: LaneStatus = {
  offset: 10,
  backlogEvents: 0,
  lagMs: 900,
  eventsPerSecond: 13,
  bytesPerSecond: 700,
  drainMs: null,
};
const error = { code: "UPLINK_UNREACHABLE", message: "nobody answers", hint: "the cable", atMs: NOW_MS - 2_000 };
const fine: UplinkStatus = {
  updatedMs: NOW_MS - 500,
  state: "connected",
  sinceMs: NOW_MS - HOUR_MS,
  hub: "hub as device box",
  lastError: null,
  lastAckMs: NOW_MS - 1_000,
  lanes: { priority: lane, telemetry: lane },
  inFlight: 1,
  bytesPerSecondMax: null,
  gatherMs: 5_000,
  today: { messages: 5, units: 6, bytes: 7, unitsMax: null },
  recent: null,
  deadLetters: 0,
};
const behind = (drainMs: number | null): UplinkStatus["lanes"] => ({
  priority: lane,
  telemetry: { ...lane, lagMs: HOUR_MS, drainMs },
});

test.each<[UplinkCondition, Partial<UplinkStatus>]>([
  ["sending", {}],
  // An error of before the newest acknowledgement is history.
  ["sending", { lastError: { ...error, code: "UPLINK_QUOTA", atMs: NOW_MS - HOUR_MS } }],
  ["catching-up", { lanes: behind(60_000) }],
  ["falling-behind", { lanes: behind(null) }],
  ["connecting", { state: "connecting" }],
  ["cut", { state: "connecting", lastError: error }],
  ["cut", { state: "waiting", lastError: error }],
  ["refused", { state: "refused", lastError: { ...error, code: "UPLINK_IDENTITY" } }],
  ["quota", { state: "waiting", lastError: { ...error, code: "UPLINK_QUOTA", atMs: NOW_MS } }],
  ["quota", { today: { messages: 5, units: 600, bytes: 7, unitsMax: 600 } }],
  // At eight there are sixteen hours to go: of what is kept for what happens (a twentieth), two thirds still are.
  ["quota", { today: { messages: 5, units: 9_800, bytes: 7, unitsMax: 10_000 } }],
  ["sending", { today: { messages: 5, units: 9_000, bytes: 7, unitsMax: 10_000 } }],
  ["stopped", { state: "stopped", updatedMs: NOW_MS - HOUR_MS }],
  ["silent", { updatedMs: NOW_MS - 30_000 }],
  ["silent", { updatedMs: NOW_MS + HOUR_MS }],
])("%s", (condition, change) => {
  expect(conditionOf({ ...fine, ...change }, NOW_MS)).toBe(condition);
});

test("a cut line is a warning while there is room for a day, and an alarm when there is less", () => {
  const cut: UplinkStatus = { ...fine, state: "waiting", lastError: error };
  const levels = [null, 30 * HOUR_MS, 3 * HOUR_MS].map((roomMs) => outlookOf(cut, roomMs, NOW_MS).level);
  expect(levels).toEqual(["warn", "warn", "alarm"]);
  expect(outlookOf(fine, HOUR_MS, NOW_MS).level).toBe("calm");
  expect(outlookOf({ ...fine, deadLetters: 2 }, HOUR_MS, NOW_MS)).toEqual({ condition: "sending", level: "warn" });
  expect(outlookOf({ ...fine, state: "refused" }, null, NOW_MS).level).toBe("alarm");
});
