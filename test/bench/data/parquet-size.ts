import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  BIGINT,
  BOOLEAN,
  DOUBLE,
  type DuckDBConnection,
  DuckDBDataChunk,
  DuckDBInstance,
  type DuckDBType,
  type DuckDBValue,
  FLOAT,
  INTEGER,
  UINTEGER,
  VARCHAR,
} from "@duckdb/node-api";
import type { SampleValue } from "../../../cloud-sync/contract/sample.ts";
import type { TelemetryEvent } from "./tick.ts";

export interface ParquetSize {
  /** One file of rows (machine, time, signal, value, text, status, source), sorted by machine, signal, time. */
  readonly longBytes: number;
  /** A file per machine, a column per signal. */
  readonly wideBytes: number;
  /** Of the smaller layout: what a comparison should be held against. */
  readonly bytes: number;
}

const ZSTD_LEVEL = 22;
/**
 * What DuckDB can be told about encodings: dictionaries as it likes them, none (so that zstd sees the plain values, which
 * is smallest for readings with many different values), and version 2's delta and byte-stream split.
 */
const ENCODINGS = [
  "PARQUET_VERSION V1",
  "PARQUET_VERSION V1, DICTIONARY_SIZE_LIMIT 1",
  "PARQUET_VERSION V2, DICTIONARY_SIZE_LIMIT 1",
] as const;
const CHUNK_ROWS = 2_048;
/** As large as DuckDB likes them for compression, far more than a machine's rows here. */
const ROW_GROUP_ROWS = 1_000_000;

interface Column {
  readonly name: string;
  readonly type: DuckDBType;
  readonly values: readonly DuckDBValue[];
}

/**
 * Size of the events as Parquet, written by DuckDB with zstd at its highest level; of each layout the encoding counts that
 * came out smallest. Parquet is given less to keep than the log: server and received time, the events' borders, their seq
 * and offset are left out, and wide leaves out statuses and source times that say nothing new. Nor can it be read while it
 * is written: it is the size to come near to. DuckDB loads no extension and asks no network.
 */
export async function parquetSize(events: readonly TelemetryEvent[]): Promise<ParquetSize> {
  const folder = mkdtempSync(join(tmpdir(), "tailstock-parquet-"));
  const instance = await DuckDBInstance.create(":memory:", {
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    threads: "1",
  });
  const connection = await instance.connect();
  try {
    const longBytes = await bytesAs(connection, folder, longColumns(events), "ORDER BY machine, signal, time");
    let wideBytes = 0;
    for (const own of Map.groupBy(events, ({ machineId }) => machineId).values()) {
      wideBytes += await bytesAs(connection, folder, wideColumns(own), "ORDER BY time");
    }
    return { longBytes, wideBytes, bytes: Math.min(longBytes, wideBytes) };
  } finally {
    connection.closeSync();
    instance.closeSync();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function bytesAs(
  connection: DuckDBConnection,
  folder: string,
  columns: readonly Column[],
  order: string,
): Promise<number> {
  await fill(connection, columns);
  const sizes: number[] = [];
  for (const [at, encoding] of ENCODINGS.entries()) {
    const path = join(folder, `${at}.parquet`);
    await connection.run(
      `COPY (SELECT * FROM reading ${order}) TO '${path}' (FORMAT parquet, COMPRESSION zstd,
        COMPRESSION_LEVEL ${ZSTD_LEVEL}, ${encoding}, ROW_GROUP_SIZE ${ROW_GROUP_ROWS})`,
    );
    sizes.push(statSync(path).size);
  }
  await connection.run("DROP TABLE reading");
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
  return Math.min(...sizes);
}

async function fill(connection: DuckDBConnection, columns: readonly Column[]): Promise<void> {
  const types = columns.map(({ type }) => type);
  await connection.run(`CREATE TABLE reading (${columns.map(({ name, type }) => `"${name}" ${type}`).join(", ")})`);
  const appender = await connection.createAppender("reading");
  const rows = columns[0]?.values.length ?? 0;
  for (let from = 0; from < rows; from += CHUNK_ROWS) {
    const chunk = DuckDBDataChunk.create(types);
    chunk.setColumns(columns.map(({ values }) => values.slice(from, from + CHUNK_ROWS)));
    appender.appendDataChunk(chunk);
  }
  appender.closeSync();
}

function longColumns(events: readonly TelemetryEvent[]): Column[] {
  const rows = events.flatMap(({ machineId, timeMs, data }) => data.samples.map((of) => ({ machineId, timeMs, of })));
  return [
    { name: "machine", type: VARCHAR, values: rows.map(({ machineId }) => machineId) },
    { name: "time", type: BIGINT, values: rows.map(({ timeMs }) => BigInt(timeMs)) },
    { name: "signal", type: VARCHAR, values: rows.map(({ of }) => of.signal) },
    { name: "value", type: DOUBLE, values: rows.map(({ of }) => numeric(of.value)) },
    { name: "text", type: VARCHAR, values: rows.map(({ of }) => (typeof of.value === "string" ? of.value : null)) },
    { name: "status", type: UINTEGER, values: rows.map(({ of }) => of.statusCode) },
    { name: "source", type: BIGINT, values: rows.map(({ of }) => instant(of.sourceTimestampMs)) },
  ];
}

function wideColumns(events: readonly TelemetryEvent[]): Column[] {
  const names = [...new Set(events.flatMap(({ data }) => data.samples.map(({ signal }) => signal)))];
  const byName = events.map(({ data }) => new Map(data.samples.map((sample) => [sample.signal, sample])));
  const column = <T>(pick: (sample: TelemetryEvent["data"]["samples"][number]) => T, name: string) =>
    byName.map((samples) => {
      const sample = samples.get(name);
      return sample === undefined ? null : pick(sample);
    });
  // A source time that all samples of each event share needs one column; where they differ, each signal has its own.
  const shared = events.every(({ data: { samples } }) =>
    samples.every(({ sourceTimestampMs }) => sourceTimestampMs === samples[0]?.sourceTimestampMs),
  );
  const sources = events.map(({ data }) => instant(data.samples[0]?.sourceTimestampMs ?? null));
  return [
    { name: "time", type: BIGINT, values: events.map(({ timeMs }) => BigInt(timeMs)) },
    ...(shared && sources.some((source) => source !== null) ? [{ name: "source", type: BIGINT, values: sources }] : []),
    ...names.flatMap((name): Column[] => {
      const statuses = column(({ statusCode }) => statusCode, name);
      const ownSources = column(({ sourceTimestampMs }) => instant(sourceTimestampMs), name);
      return [
        typed(
          name,
          column(({ value }) => value, name),
        ),
        ...(statuses.some((status) => status !== null && status !== 0)
          ? [{ name: `${name} status`, type: UINTEGER, values: statuses }]
          : []),
        ...(shared ? [] : [{ name: `${name} source`, type: BIGINT, values: ownSources }]),
      ];
    }),
  ];
}

/** The narrowest type that holds all of a signal's values, as somebody who knows the signal would declare it. */
function typed(name: string, values: readonly SampleValue[]): Column {
  const known = values.filter((value) => value !== null);
  if (known.every((value) => typeof value === "boolean")) {
    return { name, type: BOOLEAN, values: values.map((value) => (value === null ? null : value === true)) };
  }
  if (known.some((value) => typeof value === "string")) {
    return { name, type: VARCHAR, values: values.map((value) => (value === null ? null : String(value))) };
  }
  const numbers = values.map(numeric);
  const all = (is: (value: number) => boolean): boolean => numbers.every((value) => value === null || is(value));
  if (all((value) => Number.isInteger(value) && Math.abs(value) < 2 ** 31))
    return { name, type: INTEGER, values: numbers };
  return { name, type: all((value) => Math.fround(value) === value) ? FLOAT : DOUBLE, values: numbers };
}

function numeric(value: SampleValue): number | null {
  return typeof value === "number" || typeof value === "bigint" || typeof value === "boolean" ? Number(value) : null;
}

function instant(ms: number | null): bigint | null {
  return ms === null ? null : BigInt(Math.round(ms));
}
