import { factoryTicks } from "../data/factory-data.ts";
import { gorillaBytes } from "../data/gorilla-size.ts";
import { jsonSize, PUBLISHED } from "../data/json-size.ts";
import { parquetSize } from "../data/parquet-size.ts";
import { slowTicks } from "../data/slow-signals.ts";
import type { TelemetryEvent, Tick } from "../data/tick.ts";
import { play } from "./play.ts";
import { perReading, type Row, SEED, type SectionOptions, START_MS, withLog } from "./section.ts";

/** Bytes a reading on disk once everything is sealed, beside the same events in other forms. */
export async function size({ minutes, machines }: SectionOptions): Promise<Row[]> {
  const options = { seed: SEED, startMs: START_MS, machines };
  const kinds: [string, IterableIterator<Tick>][] = [
    ["factory, polled", factoryTicks(options)],
    ["factory, polled, last-change", factoryTicks({ ...options, stamps: "last-change" })],
    ["factory, subscribed", factoryTicks({ ...options, onChange: true })],
    ["slow signals", slowTicks(options)],
  ];
  const rows: Row[] = [];
  for (const [name, ticks] of kinds) rows.push(...(await sizesOf(name, ticks, minutes)));
  for (const { name, bytesPerReading, source } of PUBLISHED) {
    rows.push([`published: ${name}`, `${bytesPerReading} B a reading`, `${source}; on its own data`]);
  }
  return rows;
}

function sizesOf(name: string, ticks: IterableIterator<Tick>, minutes: number): Promise<Row[]> {
  return withLog(async (driver) => {
    const events: TelemetryEvent[] = [];
    const emptyBytes = driver.sizeBytes();
    const readings = await play(driver, ticks, minutes * 60_000, (more) => events.push(...more));
    await driver.seal();
    const logBytes = driver.sizeBytes();
    const parquet = await parquetSize(events);
    const json = jsonSize(events);
    return [
      [name, perReading(logBytes, readings), `${readings} readings; an empty log of ${emptyBytes} B included`],
      ["  Parquet, zstd", perReading(parquet.bytes, readings), layouts(parquet, readings)],
      ["  Gorilla's encoding", perReading(gorillaBytes(events), readings), "computed: values and one time a series"],
      ["  JSON columns, zstd", perReading(json.columnsZstdBytes, readings), ""],
      ["  JSON rows, names and values", perReading(json.rowsBytes, readings), ""],
      ["  JSON rows, whole events", perReading(json.fullRowsBytes, readings), ""],
    ];
  });
}

function layouts({ longBytes, wideBytes }: { longBytes: number; wideBytes: number }, readings: number): string {
  return `long ${(longBytes / readings).toFixed(2)}, wide ${(wideBytes / readings).toFixed(2)}`;
}
