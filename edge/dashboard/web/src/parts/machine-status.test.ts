import { expect, test } from "vitest";
import { StatusCode } from "../../../../kernel/status-code.ts";
import type { SignalView } from "../../../schemas/views.ts";
import { readingsOf } from "./machine-status.ts";

function signal(name: string, value: SignalView["value"], statusCode: number = StatusCode.Good): SignalView {
  return {
    name,
    title: name,
    unit: "",
    key: true,
    type: "string",
    intervalMs: 1_000,
    polled: false,
    value,
    statusCode,
    receivedMs: 1,
    sourceMs: null,
    goodValue: value,
    goodMs: 1,
  };
}

function shown(word: string, ...keys: SignalView[]): string[] {
  return readingsOf({ keys }, word).map(({ name }) => name);
}

test("a state that the machine's word says already is not a reading too", () => {
  expect(shown("Running", signal("state", "running"), signal("speed", 8_000))).toEqual(["speed"]);
  expect(shown("Idle", signal("machineState", "IDLE"), signal("speed", 0))).toEqual(["speed"]);
});

test("a state that the word does not say stays: another word, a link that is down, a bad reading, another signal", () => {
  expect(shown("Running", signal("state", "setup"))).toEqual(["state"]);
  expect(shown("Disconnected", signal("state", "running"))).toEqual(["state"]);
  expect(shown("Running", signal("state", "running", StatusCode.BadSensorFailure))).toEqual(["state"]);
  expect(shown("Running", signal("program", "running"), signal("doorState", "closed"))).toEqual([
    "program",
    "doorState",
  ]);
});
