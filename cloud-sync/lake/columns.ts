import type { ColumnSpec } from "./parquet/column.ts";

/** What the lake keeps: a folder of that name for each, with partitions factory=…/date=… */
export const LAKE_KINDS = ["readings", "events", "rollups"] as const;
export type LakeKind = (typeof LAKE_KINDS)[number];

/**
 * One row a reading. `time` is when the box received it, whole ms; `source_time` by the source's clock, to the µs. A value that is no
 * number stands as JSON in `text` (lake-value.ts); of truth values and integers beyond 2^53 `value` is the nearest number.
 */
const READINGS: readonly ColumnSpec[] = [
  { name: "machine_id", type: "text", nullable: false },
  { name: "signal", type: "text", nullable: false },
  { name: "time", type: "time", nullable: true },
  { name: "source_time", type: "time-us", nullable: true },
  { name: "value", type: "double", nullable: true },
  { name: "text", type: "text", nullable: true },
  { name: "status_code", type: "integer", nullable: false },
  { name: "epoch", type: "text", nullable: false },
  { name: "seq", type: "integer", nullable: false },
];

/** One row an event that is not telemetry of a block. `data` is JSON; null of telemetry, whose samples are among the readings. */
const EVENTS: readonly ColumnSpec[] = [
  { name: "machine_id", type: "text", nullable: false },
  { name: "type", type: "text", nullable: false },
  { name: "time", type: "time", nullable: true },
  { name: "entity_id", type: "text", nullable: false },
  { name: "caused_by", type: "text", nullable: true },
  { name: "data", type: "text", nullable: true },
  { name: "epoch", type: "text", nullable: false },
  { name: "seq", type: "integer", nullable: false },
];

/** One row a minute of a signal, of a range whose readings had to make room at the box; beside readings, never added to them. */
const ROLLUPS: readonly ColumnSpec[] = [
  { name: "machine_id", type: "text", nullable: false },
  { name: "signal", type: "text", nullable: false },
  { name: "time", type: "time", nullable: true },
  { name: "count", type: "integer", nullable: false },
  { name: "minimum", type: "double", nullable: false },
  { name: "maximum", type: "double", nullable: false },
  { name: "mean", type: "double", nullable: false },
  { name: "epoch", type: "text", nullable: false },
  { name: "first_seq", type: "integer", nullable: false },
  { name: "last_seq", type: "integer", nullable: false },
];

export const LAKE_COLUMNS: Readonly<Record<LakeKind, readonly ColumnSpec[]>> = {
  readings: READINGS,
  events: EVENTS,
  rollups: ROLLUPS,
};

const MS_MAX = 8.64e15;
/** DuckDB's timestamps are µs in 64 bits. */
const US_MAX = 9.2e18;

/** Whole UTC ms; undefined when it is no instant that a calendar has. */
export function instantOf(timeMs: number): number | undefined {
  return Math.abs(timeMs) <= MS_MAX ? Math.round(timeMs) + 0 : undefined;
}

/** Whole UTC µs; undefined when it is no instant. */
export function instantUsOf(timeMs: number): number | undefined {
  const timeUs = Math.round(timeMs * 1_000) + 0;
  return Math.abs(timeUs) <= US_MAX ? timeUs : undefined;
}
