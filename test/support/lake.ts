import { DuckDBInstance } from "@duckdb/node-api";
import { decodeBlock } from "../../cloud-sync/contract/block/block.ts";
import { encodeBlock } from "../../cloud-sync/contract/block/block-builder.ts";
import { HASH_BYTES } from "../../cloud-sync/contract/block/block-head.ts";
import type { StoredEvent } from "../../cloud-sync/contract/event.ts";
import type { SampleValue } from "../../cloud-sync/contract/sample.ts";
import { instantOf, instantUsOf } from "../../cloud-sync/lake/columns.ts";
import { valueOfColumns } from "../../cloud-sync/lake/lake-value.ts";
import type { EventStore, NewDocument, StoredDocument } from "../../cloud-sync/store/event-store.ts";
import { partitionOf } from "../../cloud-sync/store/telemetry-document.ts";
import { blockDocument } from "../../cloud-sync/store/write-telemetry.ts";

const NO_HASH = new Uint8Array(HASH_BYTES);
export const noSignal = new AbortController().signal;

export function blockOf(events: readonly StoredEvent[], factoryId = "redmond"): NewDocument {
  const bytes = encodeBlock(events, NO_HASH);
  return blockDocument(bytes, decodeBlock(bytes), { factoryId, deviceId: "box", enqueuedMs: 1 });
}

export function storedOf(document: NewDocument, stream = "m"): StoredDocument {
  return { ...document, partition: { stream, part: "" }, etag: "1", storedMs: 1 };
}

/** Puts a document into the store's telemetry, where ingest would. */
export async function put(store: EventStore, ...documents: readonly NewDocument[]): Promise<void> {
  const transactions = documents.map((document) => {
    const { epoch, machineId, firstSeq } = document.fields as { epoch: string; machineId: string; firstSeq: number };
    const partition = partitionOf({ epoch, machineId, seq: firstSeq });
    return { partition, operations: [{ op: "create", document } as const] };
  });
  const results = await store.commit("telemetry", transactions, noSignal);
  const failed = results.find(({ status }) => status !== "done");
  if (failed !== undefined) throw new Error(`not stored: ${failed.status}`);
}

/** A reading with everything that the lake keeps of it; lines of text, so that two sets of them can be compared. */
export interface Reading {
  readonly machineId: string;
  readonly signal: string;
  readonly timeMs: number | null;
  readonly sourceUs: number | null;
  readonly value: SampleValue;
  readonly statusCode: number;
  readonly epoch: string;
  readonly seq: number;
}

export function readingsOf(events: readonly StoredEvent[]): string[] {
  const readings = events.flatMap((event) =>
    event.type !== "telemetry"
      ? []
      : event.data.samples.map(
          (sample): Reading => ({
            machineId: event.machineId,
            signal: sample.signal,
            timeMs: instantOf(sample.receivedTimestampMs) ?? null,
            sourceUs: instantUsOf(sample.sourceTimestampMs ?? Number.NaN) ?? null,
            value: sample.value,
            statusCode: sample.statusCode,
            epoch: event.epoch,
            seq: event.seq,
          }),
        ),
  );
  return readings.map(lineOf).sort();
}

/** All readings of some Parquet files, by a DuckDB that knows nothing of the lake. */
export async function readingsIn(glob: string | readonly string[]): Promise<string[]> {
  const rows = await duckDbRows(
    `SELECT machine_id, signal, epoch_ms(time)::DOUBLE, epoch_us(source_time)::DOUBLE, value, text, status_code::DOUBLE, epoch, seq::DOUBLE
       FROM read_parquet(${JSON.stringify(glob).replaceAll('"', "'")}, hive_partitioning = false)`,
  );
  return rows
    .map(([machineId, signal, timeMs, sourceUs, value, text, statusCode, epoch, seq]) =>
      lineOf({
        machineId,
        signal,
        timeMs,
        sourceUs,
        value: valueOfColumns(value as number | null, text as string | null),
        statusCode,
        epoch,
        seq,
      } as Reading),
    )
    .sort();
}

export async function duckDbRows(sql: string): Promise<unknown[][]> {
  const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
  const connection = await instance.connect();
  try {
    return (await connection.runAndReadAll(sql)).getRows() as unknown[][];
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

function lineOf(reading: Reading): string {
  return JSON.stringify(Object.values(reading), (_key, value) => {
    if (typeof value === "bigint") return `bigint ${value}`;
    if (typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0)))
      return Object.is(value, -0) ? "minus zero" : String(value);
    return value;
  });
}
