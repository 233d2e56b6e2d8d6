import { expect, test } from "vitest";
import type { SampleValue } from "../../../cloud-sync/contract/sample.ts";
import { sampleOf, telemetryOf } from "../../support/events.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { assertWritesAreCounted } from "./disk-writes.ts";
import { factoryTicks } from "./factory-data.ts";
import { gorillaBytes } from "./gorilla-size.ts";
import { jsonSize } from "./json-size.ts";
import { parquetSize } from "./parquet-size.ts";
import { eventsOf, type TelemetryEvent } from "./tick.ts";

const START_MS = Date.UTC(2026, 0, 5, 6);

/** One signal, a value a second. */
function seriesOf(values: readonly SampleValue[]): TelemetryEvent[] {
  return values.map((value, at) => {
    const timeMs = START_MS + at * 1_000;
    const times = { sourceTimestampMs: timeMs, serverTimestampMs: timeMs, receivedTimestampMs: timeMs };
    return telemetryOf("site/machine", [sampleOf("signal", value, times)], timeMs) as TelemetryEvent;
  });
}

test("Parquet: both layouts of the same factory, the smaller one counts; noise costs more than a constant", async () => {
  const events = eventsOf(factoryTicks({ machines: 13, seed: 7, startMs: START_MS }), 10_000);
  const { longBytes, wideBytes, bytes } = await parquetSize(events);
  expect(bytes).toBe(Math.min(longBytes, wideBytes));
  // Thirteen files of four letters, a footer and at least a few bytes a signal.
  expect(wideBytes).toBeGreaterThan(430 * 20);
  expect(longBytes).toBeGreaterThan(4_300);
  const constant = await parquetSize(seriesOf(Array.from({ length: 500 }, () => 12.5)));
  const noise = await parquetSize(seriesOf(Array.from({ length: 500 }, (_, at) => Math.sin(at * at))));
  expect(noise.longBytes - constant.longBytes).toBeGreaterThan(500 * 5);
  expect(noise.wideBytes - constant.wideBytes).toBeGreaterThan(500 * 5);
});

test("Parquet takes values of every kind, lost ones and changing kinds too", async () => {
  const mixed = await parquetSize(seriesOf([1, null, 2n, "text", true, 0.1, Number.NaN]));
  expect(mixed.bytes).toBeGreaterThan(0);
});

test("JSON: rows are what JSON.stringify gives, a line each", () => {
  const events = seriesOf([1.5, 2.25]);
  const lines = events.map((event) => `${JSON.stringify(event)}\n`).join("");
  const { fullRowsBytes, rowsBytes, columnsZstdBytes } = jsonSize(events);
  expect(fullRowsBytes).toBe(lines.length);
  const row = (time: number, value: number): string =>
    `{"machineId":"site/machine","time":${time},"values":{"signal":${value}}}\n`;
  expect(rowsBytes).toBe((row(START_MS, 1.5) + row(START_MS + 1_000, 2.25)).length);
  expect(columnsZstdBytes).toBeGreaterThan(50);
});

test("Gorilla: by hand, after the paper", () => {
  // First: 64 bits of header time, 14 of delta, 64 of value. Then 1 bit for the same value; times need 36 and 1.
  expect(gorillaBytes(seriesOf([12, 12, 12]))).toBe(Math.ceil((142 + (16 + 1) + (1 + 1)) / 8));
  // 12 → 24 differs in one bit (0x4028… ^ 0x4038…): two control bits, 5, 6 and the one.
  expect(gorillaBytes(seriesOf([12, 24]))).toBe(Math.ceil((142 + 16 + 14) / 8));
});

test("what is written to disk is counted", () => {
  assertWritesAreCounted(tempFolder());
});
