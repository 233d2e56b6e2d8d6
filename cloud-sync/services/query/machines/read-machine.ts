import type { Sql } from "../../../database/database.ts";
import { unknownThing } from "../refusals.ts";
import { machineView, SUMMARY, SUMMARY_FROM, type SummaryRow } from "./read-machines.ts";
import type { MachineDetail, SignalView } from "./schema.ts";

interface MachineRow extends SummaryRow {
  readonly removed: boolean;
  readonly enqueued_at: Date;
  readonly epoch: string;
  readonly seq: number;
  readonly set_no: number;
  readonly signal_info: unknown;
  readonly numbers: readonly (number | null)[];
  readonly texts: readonly (string | null)[];
  readonly status_codes: readonly (number | string | null)[];
  readonly source_ms: readonly (number | null)[];
  readonly received_ms: readonly (number | null)[];
}

/** A machine with the newest value of every signal. @throws Failure 404 */
export async function readMachine(sql: Sql, machineId: string, nowMs: number): Promise<MachineDetail> {
  const [{ rows }, sets] = await Promise.all([
    sql.prepared<MachineRow>(
      "machine",
      `SELECT ${SUMMARY}, m.removed, m.enqueued_at, m.epoch, m.seq, m.set_no, m.signal_info, m.numbers, m.texts, m.status_codes,
              m.source_ms, m.received_ms
         FROM ${SUMMARY_FROM} WHERE m.machine_id = $1`,
      [machineId],
    ),
    sql.prepared<{ set_no: number; signals: string[] }>(
      "machine-signals",
      "SELECT set_no, signals FROM model.signal_set WHERE machine_id = $1 ORDER BY set_no DESC LIMIT 3",
      [machineId],
    ),
  ]);
  const [row] = rows;
  if (row === undefined)
    throw unknownThing("MACHINE_UNKNOWN", `no factory has sent anything of a machine "${machineId.slice(0, 200)}"`);
  // Between the two statements the machine may have got another set; sets only grow, so the newest one names all.
  const names = (sets.rows.find(({ set_no }) => set_no === row.set_no) ?? sets.rows[0])?.signals ?? [];
  return {
    ...machineView(row),
    removed: row.removed,
    enqueuedMs: row.enqueued_at.getTime(),
    epoch: row.epoch,
    seq: row.seq,
    nowMs,
    signals: signalViews(row, names),
  };
}

function signalViews(row: MachineRow, names: readonly string[]): SignalView[] {
  const info = infoByName(row.signal_info);
  return names.slice(0, row.numbers.length).map((name, index): SignalView => {
    const about = info.get(name);
    return {
      name,
      title: textOf(about?.title) || name,
      unit: textOf(about?.unit) ?? "",
      type: textOf(about?.type),
      intervalMs: timeOf(about?.intervalMs),
      value: newestValue(row.texts[index] ?? null, row.numbers[index] ?? null),
      statusCode: timeOf(row.status_codes[index] === null ? null : Number(row.status_codes[index])),
      sourceMs: timeOf(row.source_ms[index]),
      receivedMs: timeOf(row.received_ms[index]),
    };
  });
}

export interface SignalAbout {
  readonly title?: unknown;
  readonly unit?: unknown;
  readonly type?: unknown;
  readonly intervalMs?: unknown;
  readonly mode?: unknown;
}

/** What the configuration says of each signal. */
export function infoByName(info: unknown): Map<string, SignalAbout> {
  if (!Array.isArray(info)) return new Map();
  return new Map(
    info.flatMap((each: unknown) =>
      typeof each === "object" && each !== null && "name" in each && typeof each.name === "string"
        ? [[each.name, each as SignalAbout]]
        : [],
    ),
  );
}

/** What is no number travels as JSON; a damaged one is shown as it is. */
function newestValue(text: string | null, number: number | null): unknown {
  if (text === null) return number === null || !Number.isFinite(number) ? null : number;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function timeOf(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}
