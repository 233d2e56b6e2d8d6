import { constants, zstdCompressSync } from "node:zlib";
import type { SampleValue } from "../../../cloud-sync/contract/sample.ts";
import type { TelemetryEvent } from "./tick.ts";

/** Bytes a reading that others have published for their own data, not measured here: an order of magnitude, no race. */
export const PUBLISHED = [
  {
    name: "InfluxDB (TSM)",
    bytesPerReading: 2.86,
    source: "2 to 3 B a value by InfluxData itself: community.influxdata.com/t/how-much-disk-does-influxdb-consume/31",
  },
  {
    name: "Gorilla",
    bytesPerReading: 1.37,
    source: "Pelkonen et al., Gorilla: A Fast, Scalable, In-Memory Time Series Database, PVLDB 8(12), 2015",
  },
] as const;

export interface JsonSize {
  /** Each event as `JSON.stringify` gives it, a line each: every sample with its name, status and three times. */
  readonly fullRowsBytes: number;
  /** A line for each event with machine, time and `{name: value}`; no statuses, no other times. */
  readonly rowsBytes: number;
  /** A document for each machine, an array for each signal, statuses only where not Good; zstd at its highest level. */
  readonly columnsZstdBytes: number;
}

const ZSTD_LEVEL = 19;

/** Size of the events as JSON: as rows as they are sent by most, and as columns with zstd. */
export function jsonSize(events: readonly TelemetryEvent[]): JsonSize {
  let fullRowsBytes = 0;
  let rowsBytes = 0;
  for (const event of events) {
    const values = Object.fromEntries(event.data.samples.map(({ signal, value }) => [signal, plain(value)]));
    rowsBytes += bytesOf({ machineId: event.machineId, time: event.timeMs, values }) + 1;
    const samples = event.data.samples.map((sample) => ({ ...sample, value: plain(sample.value) }));
    fullRowsBytes += bytesOf({ ...event, data: { samples } }) + 1;
  }
  let columnsZstdBytes = 0;
  for (const [machineId, own] of Map.groupBy(events, (event) => event.machineId)) {
    const text = JSON.stringify({ machineId, time: own.map(({ timeMs }) => timeMs), signals: columnsOf(own) });
    const params = { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL };
    columnsZstdBytes += zstdCompressSync(text, { params }).length;
  }
  return { fullRowsBytes, rowsBytes, columnsZstdBytes };
}

interface SignalColumn {
  readonly value: unknown[];
  readonly source: (number | null)[];
  /** Only [row, status] that are not Good. */
  readonly status: [number, number][];
}

function columnsOf(events: readonly TelemetryEvent[]): Record<string, SignalColumn> {
  const columns: Record<string, SignalColumn> = {};
  for (const [row, { data }] of events.entries()) {
    for (const { signal, value, statusCode, sourceTimestampMs } of data.samples) {
      columns[signal] ??= { value: [], source: [], status: [] };
      const column = columns[signal];
      // A row without this signal is null, as is a sample without a value.
      while (column.value.length < row) {
        column.value.push(null);
        column.source.push(null);
      }
      column.value.push(plain(value));
      column.source.push(sourceTimestampMs);
      if (statusCode !== 0) column.status.push([row, statusCode]);
    }
  }
  return columns;
}

/** JSON has no 64-bit integers; these fit a double. */
function plain(value: SampleValue): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}
