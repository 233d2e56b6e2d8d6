import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { pino } from "pino";
import { expect, test } from "vitest";
import { anyEvents, FUZZ_SEED } from "../../test/support/any-events.ts";
import { slowSignals } from "../../test/support/block-samples.ts";
import { blockOf, duckDbRows, noSignal, readingsIn, readingsOf, storedOf } from "../../test/support/lake.ts";
import { tempFolder } from "../../test/support/temp-folder.ts";
import type { StoredEvent, TelemetrySample } from "../contract/event.ts";
import type { SampleValue } from "../contract/sample.ts";
import { eventsDocument } from "../store/write-telemetry.ts";
import { BatchFiles, type StagedFile } from "./batch-files.ts";
import type { LakeKind } from "./columns.ts";
import { writeBatch } from "./write-batch.ts";

const logger = pino({ level: "silent" });
const DAY_MS = 86_400_000;
const NOON_MS = Date.UTC(2026, 5, 1, 12);

async function write(documents: Parameters<typeof writeBatch>[0], folder: string): Promise<readonly StagedFile[]> {
  const files = new BatchFiles({ folder, name: "b", level: 1 });
  await writeBatch(documents, files, logger, noSignal);
  return files.files();
}

function localPaths(files: readonly StagedFile[], kind: LakeKind): string[] {
  return files.filter((file) => file.kind === kind).map(({ localPath }) => localPath);
}

function telemetry(seq: number, samples: readonly (Partial<TelemetrySample> & { value: SampleValue })[]): StoredEvent {
  const timeMs = NOON_MS + seq * 1_000;
  return {
    epoch: "epoch-1",
    machineId: "redmond/mill-07",
    seq,
    offset: seq,
    type: "telemetry",
    timeMs,
    entityId: `epoch-1/redmond/mill-07/${seq}`,
    data: {
      samples: samples.map((sample, i) => ({
        signal: `signal-${i}`,
        statusCode: 0,
        sourceTimestampMs: timeMs - 7,
        serverTimestampMs: null,
        receivedTimestampMs: timeMs,
        ...sample,
      })),
    },
  };
}

// Goal: whatever a block can hold comes back bit for bit. Method: streams of anything, read by a DuckDB that knows nothing of the lake.
test("anything that a block holds is in the files, exactly, each once", async () => {
  const folder = tempFolder();
  await fc.assert(
    fc.asyncProperty(anyEvents, async (events) => {
      const own = mkdtempSync(join(folder, "run-"));
      const files = await write([storedOf(blockOf(events))], own);
      const readings = localPaths(files, "readings");
      expect(readings.length === 0 ? [] : await readingsIn(readings)).toEqual(readingsOf(events));
      const rare = events.filter(({ type }) => type !== "telemetry");
      expect(files.reduce((sum, { kind, rows }) => sum + (kind === "events" ? rows : 0), 0)).toBe(rare.length);
      rmSync(own, { recursive: true });
    }),
    { numRuns: 25, seed: FUZZ_SEED },
  );
});

test("values of every kind, with what SQL can do with them", async () => {
  const values: SampleValue[] = [
    1.1,
    -0,
    0,
    5e-324,
    2n ** 64n - 1n,
    -5n,
    true,
    false,
    "running",
    'a "quote"\u0000',
    null,
  ];
  const arrays: SampleValue[] = [[1, 2.5], [], [-0, 3n, "$x", Number.NaN], ["a"]];
  const events = [
    telemetry(
      1,
      [...values, ...arrays].map((value) => ({ value, statusCode: value === null ? 0x8031_0000 : 0 })),
    ),
  ];
  const [file] = localPaths(await write([storedOf(blockOf(events))], tempFolder()), "readings");
  expect(await readingsIn(file as string)).toEqual(readingsOf(events));
  const rows = await duckDbRows(`SELECT signal, value, text, status_code::DOUBLE FROM '${file}' ORDER BY signal`);
  expect(rows.find(([signal]) => signal === "signal-4")).toEqual(["signal-4", 2 ** 64, "18446744073709551615", 0]);
  expect(rows.find(([signal]) => signal === "signal-6")).toEqual(["signal-6", 1, "true", 0]);
  expect(rows.find(([signal]) => signal === "signal-8")).toEqual(["signal-8", null, '"running"', 0]);
  expect(rows.find(([signal]) => signal === "signal-10")).toEqual(["signal-10", null, null, 0x8031_0000]);
});

test("a block over midnight, and one of very many days, become files by day within bounds", async () => {
  const midnight = telemetry(1, [
    { value: 1, receivedTimestampMs: NOON_MS + DAY_MS / 2 - 1 },
    { value: 2, receivedTimestampMs: NOON_MS + DAY_MS / 2 },
  ]);
  const many = telemetry(
    2,
    Array.from({ length: 300 }, (_, day) => ({ value: day, receivedTimestampMs: NOON_MS - day * 10 * DAY_MS })),
  );
  const late = await write([storedOf(blockOf([midnight]))], tempFolder());
  expect(late.map(({ path, rows }) => [path, rows])).toEqual([
    ["readings/factory=redmond/date=2026-06-01/b-0.parquet", 1],
    ["readings/factory=redmond/date=2026-06-02/b-1.parquet", 1],
  ]);
  const spread = await write([storedOf(blockOf([many]))], tempFolder());
  expect(spread.length).toBe(65);
  expect(await readingsIn(localPaths(spread, "readings"))).toEqual(readingsOf([many]));
  const none = spread.filter(({ day }) => day === undefined);
  expect(none.map(({ path }) => path)).toEqual([expect.stringMatching(/date=__HIVE_DEFAULT_PARTITION__/)]);
});

test("events that are not telemetry, and telemetry of devices of another make", async () => {
  const foreign = { ...telemetry(5, [{ value: 20.5 }]), epoch: "iothub:x", entityId: "given by the device" };
  const alarm = {
    ...telemetry(6, []),
    epoch: "iothub:x",
    type: "alarm",
    causedBy: "iothub:x/redmond/mill-07/5",
    data: { state: "raised", text: "nul \u0000, ü, 💥" },
  } as StoredEvent;
  const document = eventsDocument([foreign, alarm], { factoryId: "a/b%27' *", deviceId: "d", enqueuedMs: 1 });
  const files = await write([storedOf(document)], tempFolder());
  expect(files.map(({ path }) => path)).toEqual([
    "events/factory=a%2Fb%2527%27%20%2A/date=2026-06-01/b-0.parquet",
    "readings/factory=a%2Fb%2527%27%20%2A/date=2026-06-01/b-1.parquet",
  ]);
  expect(await readingsIn(localPaths(files, "readings"))).toEqual(readingsOf([foreign]));
  const [file] = localPaths(files, "events");
  expect(
    await duckDbRows(
      `SELECT type, entity_id, caused_by, data, seq::DOUBLE, epoch_ms(time)::DOUBLE FROM '${file}' ORDER BY seq`,
    ),
  ).toEqual([
    ["telemetry", "given by the device", null, null, 5, foreign.timeMs],
    ["alarm", alarm.entityId, alarm.causedBy, JSON.stringify(alarm.data), 6, alarm.timeMs],
  ]);
});

test("of a block of which only a part counts, only that part; a damaged document is left out, the others are not", async () => {
  const events = [1, 2, 3, 4, 5].map((seq) => telemetry(seq, [{ value: seq }, { value: `text ${seq}` }]));
  const whole = blockOf(events);
  const part = {
    ...whole,
    fields: {
      ...whole.fields,
      admitted: [
        [2, 2],
        [4, 5],
      ],
    },
  };
  const body = (whole.body as Uint8Array).map((byte, i, all) => (i > all.length - 30 ? byte ^ 0xff : byte));
  const damaged = { ...whole, body };
  const odd = { ...whole, kind: "nothing" };
  const files = await write(
    [part, damaged, odd].map((document) => storedOf(document)),
    tempFolder(),
  );
  expect(await readingsIn(localPaths(files, "readings"))).toEqual(
    readingsOf([1, 3, 4].map((i) => events[i] as StoredEvent)),
  );
});

test("a machine with many readings has row groups of its own, so that asking for it reads little else", async () => {
  const machines = ["a", "b", "c"].map((machineId) => slowSignals(250, 100).map((event) => ({ ...event, machineId })));
  const [file] = localPaths(
    await write(
      machines.map((events) => storedOf(blockOf(events))),
      tempFolder(),
    ),
    "readings",
  );
  const groups = await duckDbRows(
    `SELECT row_group_id::DOUBLE, stats_min_value, stats_max_value, row_group_num_rows::DOUBLE FROM parquet_metadata('${file}')
      WHERE path_in_schema = 'machine_id' ORDER BY 1`,
  );
  expect(groups).toEqual([
    [0, "a", "a", 25_000],
    [1, "b", "b", 25_000],
    [2, "c", "c", 25_000],
  ]);
});
