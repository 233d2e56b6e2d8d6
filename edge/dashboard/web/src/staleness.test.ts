import { expect, test } from "vitest";
import { StatusCode } from "../../../kernel/status-code.ts";
import type { SignalView } from "../../schemas/views.ts";
import { routeOf } from "./router.ts";
import { freshnessOf, linkWordOf } from "./staleness.ts";

const NOW = 1_800_000_000_000;
function signal(overrides: Partial<SignalView>): SignalView {
  return {
    name: "speed",
    title: "Speed",
    unit: "rpm",
    key: true,
    type: "float64",
    intervalMs: 2_000,
    polled: true,
    value: 5,
    statusCode: StatusCode.Good,
    receivedMs: NOW,
    sourceMs: null,
    goodValue: 5,
    goodMs: NOW,
    ...overrides,
  };
}

test("a polled signal is stale past three intervals and five seconds, a subscribed one is not while its link is up", () => {
  const at = (ageMs: number, polled: boolean) =>
    freshnessOf(signal({ polled, receivedMs: NOW - ageMs }), "connected", true, NOW);
  expect(at(11_000, true)).toBe("fresh");
  expect(at(11_001, true)).toBe("stale");
  expect(at(3_600_000, false)).toBe("fresh");
});

test("whatever its age, a value is stale without its link, without the page's stream, or with a status that is not Good", () => {
  for (const link of ["disconnected", "connecting", "silent"] as const) {
    expect(freshnessOf(signal({}), link, true, NOW)).toBe("stale");
  }
  expect(freshnessOf(signal({}), "connected", false, NOW)).toBe("stale");
  expect(freshnessOf(signal({ statusCode: StatusCode.BadSensorFailure }), "connected", true, NOW)).toBe("stale");
  expect(freshnessOf(signal({ statusCode: StatusCode.UncertainLastUsableValue }), "connected", true, NOW)).toBe(
    "stale",
  );
  expect(freshnessOf(signal({ statusCode: null, receivedMs: null }), "connected", true, NOW)).toBe("waiting");
  expect(freshnessOf(signal({}), "degraded", true, NOW)).toBe("fresh");
});

test("a link whose collector has gone silent is not believed", () => {
  const link = { state: "connected" as const, sinceMs: NOW - 900_000, reportedMs: NOW - 76_000 };
  expect(linkWordOf({ link, updatedMs: NOW - 80_000 }, NOW)).toBe("silent");
  expect(linkWordOf({ link, updatedMs: NOW - 70_000 }, NOW)).toBe("connected");
  expect(linkWordOf({ link: { ...link, reportedMs: NOW - 30_000 }, updatedMs: null }, NOW)).toBe("connected");
  expect(linkWordOf({ link: null, updatedMs: NOW }, NOW)).toBe("unknown");
});

test("addresses of the page lead where they say, broken ones to the floor", () => {
  expect(routeOf("#/machine/redmond%2Fmill-07")).toEqual({ view: "machine", machineId: "redmond/mill-07" });
  expect(routeOf("#/connections")).toEqual({ view: "connections" });
  expect(routeOf("#/machine/%E0%A4%A")).toEqual({ view: "floor" });
  expect(routeOf("")).toEqual({ view: "floor" });
});
