import { describe, expect, test } from "vitest";
import { pause, until, watch } from "../../../test/contract/watch.ts";
import { modbusConnection, modbusDriver, modbusMachine, modbusSignal } from "../../../test/support/modbus-fixtures.ts";
import { startModbusServer } from "../../../test/support/modbus-server.ts";
import type { PlannedRead } from "./plan.ts";
import { advance, pickNext, type ScheduledRead } from "./schedule.ts";

const INTERVAL_MS = 60;

function scheduled(name: string, pollIntervalMs: number, dueMs: number): ScheduledRead {
  const read: PlannedRead = {
    unitId: 1,
    table: "holding",
    address: 0,
    count: 1,
    pollIntervalMs,
    items: [{ machineId: "m", signal: modbusSignal(name, 0), address: 0, count: 1 }],
  };
  return { read, dueMs, once: false };
}

describe("P16 schedule", () => {
  test("P16 the grid never moves, and what was passed over is counted", () => {
    expect(advance(1_000, 100, 1_003)).toEqual({ dueMs: 1_100, missed: 0 });
    expect(advance(1_000, 100, 1_099)).toEqual({ dueMs: 1_100, missed: 0 });
    expect(advance(1_000, 100, 1_100)).toEqual({ dueMs: 1_200, missed: 1 });
    expect(advance(1_000, 100, 1_730)).toEqual({ dueMs: 1_800, missed: 7 });
  });

  test("P16 the nearest deadline goes first; nothing starves", () => {
    const slow = scheduled("slow", 1_000, 0);
    const fast = scheduled("fast", 50, 20);
    expect(pickNext([slow, fast], 30)).toBe(fast);
    expect(pickNext([slow, fast], 10)).toBe(slow);
    // On an overloaded line the fast one is always due, yet the slow one's deadline comes.
    fast.dueMs = 990;
    expect(pickNext([slow, fast], 995)).toBe(slow);
    expect(pickNext([scheduled("later", 50, 40)], 15)).toEqual({ waitMs: 25 });
    expect(pickNext([], 15)).toEqual({ waitMs: Number.POSITIVE_INFINITY });
  });
});

async function run(
  delayMs: (request: number) => number,
  signals = [modbusSignal("speed", 1, { pollIntervalMs: INTERVAL_MS })],
) {
  const server = await startModbusServer("tcp", (request) => {
    const words = Array.from({ length: request.count }, (_, i) => request.address + i);
    setTimeout(() => request.send(request.data(words)), delayMs(request.number));
  });
  const connection = modbusConnection(server.port, { machines: [modbusMachine(1, signals)], timeoutMs: 2_000 });
  const driver = modbusDriver(connection);
  const seen = watch(driver);
  return {
    driver,
    seen,
    server,
    async [Symbol.asyncDispose]() {
      await seen.stop();
      await driver[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

test("P16 a device slower than its poll interval is counted, not silently missed", async () => {
  await using line = await run(() => 100);
  await until(() => line.seen.samples.length >= 5, 3_000, "five samples");
  expect(line.driver.status().counters.missedDeadlines).toBeGreaterThanOrEqual(3);
});

test("P16 a device that keeps up misses next to nothing, and its cadence does not drift", async () => {
  await using line = await run(() => 15);
  await until(() => line.seen.samples.length >= 21, 4_000, "21 samples");
  const times = line.seen.samples.map(({ receivedTimestampMs }) => receivedTimestampMs);
  const missed = line.driver.status().counters.missedDeadlines ?? 0;
  // Sleeping an interval after each 15 ms answer would take 75 ms a turn: 300 ms more over these twenty.
  const elapsedMs = (times[20] ?? 0) - (times[0] ?? 0);
  expect(Math.abs(elapsedMs - (20 + missed) * INTERVAL_MS)).toBeLessThan(INTERVAL_MS * 1.5);
  expect(missed).toBeLessThan(20); // a loaded test machine misses some
});

test("P16 a stall is followed by the grid, not by a burst", async () => {
  await using line = await run((request) => (request === 4 ? 500 : 2));
  await until(() => line.seen.samples.length >= 10, 4_000, "ten samples");
  const missed = line.driver.status().counters.missedDeadlines ?? 0;
  expect(missed).toBeGreaterThanOrEqual(7);
  expect(missed).toBeLessThanOrEqual(20);
  const times = line.seen.samples.map(({ receivedTimestampMs }) => receivedTimestampMs);
  // To make up for the stall, a burst would bring the five samples after it within a few milliseconds.
  expect((times[9] ?? 0) - (times[4] ?? 0)).toBeGreaterThan(3 * INTERVAL_MS);
});

test("P16 a fast signal keeps its pace beside a long list of slow ones", async () => {
  // 40 slow reads of 10 ms each (too far apart to be joined) are 400 ms of line time.
  const slow = Array.from({ length: 40 }, (_, i) => modbusSignal(`slow-${i}`, 100 + i * 20, { pollIntervalMs: 2_000 }));
  await using line = await run(() => 10, [...slow, modbusSignal("fast", 1, { pollIntervalMs: INTERVAL_MS })]);
  await until(() => line.seen.of("slow-39").length >= 1, 4_000, "the last of the slow ones");
  expect(line.seen.of("fast").length).toBeGreaterThanOrEqual(4);
});

test("P16 signals added later are read at once and do not disturb the others", async () => {
  await using line = await run(() => 2, [modbusSignal("speed", 1, { pollIntervalMs: INTERVAL_MS })]);
  await until(() => line.seen.samples.length >= 2, 2_000, "two samples");
  const speed = modbusSignal("speed", 1, { pollIntervalMs: INTERVAL_MS });
  line.driver.apply([modbusMachine(1, [speed, modbusSignal("total", 9, { pollIntervalMs: 60_000 })])]);
  await until(
    () => line.seen.of("total").length === 1,
    1_000,
    "the first reading of a signal with a minute's interval",
  );
  await pause(INTERVAL_MS * 5);
  expect(line.seen.of("total")).toMatchObject([{ value: 9 }]);
  const times = line.seen.of("speed").map(({ receivedTimestampMs }) => receivedTimestampMs);
  const elapsedMs = (times.at(-1) ?? 0) - (times[0] ?? 0);
  const points = elapsedMs / INTERVAL_MS + 1 - (line.driver.status().counters.missedDeadlines ?? 0);
  expect(Math.abs(times.length - points)).toBeLessThan(1);
});
