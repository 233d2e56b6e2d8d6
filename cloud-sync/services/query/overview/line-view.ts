import type { LineView } from "./schema.ts";

export interface LineRow {
  readonly device_id: string;
  readonly factory_id: string | null;
  readonly connected: boolean;
  readonly enabled: boolean;
  readonly active_at: Date | null;
  readonly reported: unknown;
  readonly seen_at: Date;
}

/** What a box says of itself is read with care: it may be of another version, or of another make. */
export function lineView(row: LineRow): LineView {
  const reported = fieldsOf(row.reported);
  const backlog = fieldsOf(reported.backlog);
  const error = fieldsOf(reported.lastError);
  const priority = numberOf(backlog.priorityEvents);
  const telemetry = numberOf(backlog.telemetryEvents);
  const atMs = Date.parse(textOf(error.at) ?? "");
  const code = textOf(error.code);
  return {
    deviceId: row.device_id,
    connected: row.connected,
    enabled: row.enabled,
    activeMs: row.active_at?.getTime() ?? null,
    seenMs: row.seen_at.getTime(),
    condition: textOf(reported.condition),
    version: textOf(reported.version),
    backlogEvents: priority === null && telemetry === null ? null : (priority ?? 0) + (telemetry ?? 0),
    lagSeconds: numberOf(backlog.lagSeconds),
    drainSeconds: numberOf(reported.timeToDrainSeconds),
    lastError:
      code === null ? null : { code, message: textOf(error.message) ?? "", atMs: Number.isNaN(atMs) ? null : atMs },
  };
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function numberOf(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value.slice(0, 500) : null;
}
