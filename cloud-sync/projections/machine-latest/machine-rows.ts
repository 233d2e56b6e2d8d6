import type { Sql } from "../../database/database.ts";
import { instant, jsonLiteral, numbersLiteral, plainText, textsLiteral } from "../sql/literals.ts";
import { type EpochFact, NewestByEpoch } from "../state/newest-by-epoch.ts";
import type { SignalSet } from "../state/signal-sets.ts";
import { EpochState } from "./epoch-state.ts";
import { type Link, MachineEntry } from "./machine-entry.ts";

/** Columns of both tables and their types, in the order of stateValues. */
const STATE = {
  machine_id: "text",
  factory_id: "text",
  device_id: "text",
  type_name: "text",
  epoch: "text",
  seq: "bigint",
  event_at: "timestamptz",
  enqueued_at: "timestamptz",
  state: "text",
  state_at: "timestamptz",
  signal_info: "jsonb",
  removed: "boolean",
  set_no: "integer",
  numbers: "double precision[]",
  texts: "text[]",
  status_codes: "bigint[]",
  source_ms: "double precision[]",
  received_ms: "double precision[]",
  seqs: "bigint[]",
  key_ms: "double precision",
  state_seq: "bigint",
  info_seq: "bigint",
  info_at: "timestamptz",
} as const;
const LINKS = { link_state: "text", link_detail: "text", links: "jsonb" } as const;
const LATEST_UPSERT = upsert("model.machine_latest", { ...STATE, ...LINKS }, "machine_id");
const EPOCH_UPSERT = upsert("model.machine_epoch", STATE, "machine_id, epoch");

/** Rows come as arrays of texts, one for each column, and are cast one by one: so an array may be a column. */
function upsert(table: string, columns: Readonly<Record<string, string>>, key: string): string {
  const names = Object.keys(columns);
  const types = Object.values(columns);
  const set = names.filter((name) => !key.split(", ").includes(name)).map((name) => `${name} = excluded.${name}`);
  return `INSERT INTO ${table} (${names.join(", ")})
    SELECT ${names.map((name, i) => `${name}::${types[i]}`).join(", ")}
      FROM unnest(${names.map((_, i) => `$${i + 1}::text[]`).join(", ")}) AS t (${names.join(", ")})
    ON CONFLICT (${key}) DO UPDATE SET ${set.join(", ")}`;
}

type Value = string | number | null;

function stateValues(machineId: string, state: EpochState): Value[] {
  const isThere = (index: number): boolean => (state.seqs[index] as number) >= 0;
  const isNumber = (index: number): boolean => isThere(index) && (state.texts[index] ?? null) === null;
  const texts = Array.from(state.seqs, (_, index) => (isThere(index) ? (state.texts[index] ?? null) : null));
  return [
    machineId,
    plainText(state.factoryId),
    plainText(state.deviceId),
    state.typeName === null ? null : plainText(state.typeName),
    state.epoch,
    state.seq,
    instant(state.eventMs),
    instant(state.enqueuedMs),
    state.state === null ? null : plainText(state.state),
    state.state === null ? null : instant(state.stateMs),
    state.info,
    String(state.removed),
    state.set.setNo,
    numbersLiteral(state.numbers, isNumber),
    textsLiteral(texts),
    numbersLiteral(state.statusCodes, isThere),
    numbersLiteral(state.sourceMs, isThere),
    numbersLiteral(state.receivedMs, isThere),
    numbersLiteral(state.seqs, isThere),
    state.keyMs,
    state.stateSeq,
    state.infoSeq,
    state.infoSeq < 0 ? null : instant(state.infoMs),
  ];
}

function bareValues(entry: MachineEntry, none: SignalSet): Value[] {
  const { factoryId, deviceId, enqueuedMs, eventMs } = entry.origin();
  const state = new EpochState("", none);
  Object.assign(state, { factoryId, deviceId, enqueuedMs, eventMs, seq: 0 });
  return stateValues(entry.machineId, state);
}

const NO_SIGNALS: SignalSet = { setNo: 0, names: [], indexByName: new Map() };

/** Writes what has changed of some machines. */
export async function writeMachines(sql: Sql, entries: readonly MachineEntry[]): Promise<void> {
  const latest: Value[][] = [];
  const besides: Value[][] = [];
  const gone: { machineId: string; epoch: string }[] = [];
  for (const entry of [...entries].sort((a, b) => (a.machineId < b.machineId ? -1 : 1))) {
    entry.bound();
    const current = entry.current();
    const link = entry.links.newest()?.value;
    latest.push([
      ...(current === undefined ? bareValues(entry, NO_SIGNALS) : stateValues(entry.machineId, current)),
      link === undefined ? null : plainText(link.state),
      link === undefined ? null : plainText(link.detail),
      jsonLiteral(entry.links.toJSON()),
    ]);
    for (const state of entry.epochs.values()) {
      if (state === current || (entry.besides.has(state.epoch) && !entry.changed.has(state.epoch))) continue;
      besides.push(stateValues(entry.machineId, state));
    }
    for (const epoch of entry.besides)
      if (epoch === current?.epoch || !entry.epochs.has(epoch)) gone.push({ machineId: entry.machineId, epoch });
  }
  await sql.prepared("model_machine_latest", LATEST_UPSERT, columnsOf(latest));
  if (besides.length > 0) await sql.prepared("model_machine_epoch", EPOCH_UPSERT, columnsOf(besides));
  if (gone.length > 0)
    await sql.prepared(
      "model_machine_epoch_delete",
      `DELETE FROM model.machine_epoch m USING unnest($1::text[], $2::text[]) AS t (machine_id, epoch)
        WHERE m.machine_id = t.machine_id AND m.epoch = t.epoch`,
      [gone.map(({ machineId }) => machineId), gone.map(({ epoch }) => epoch)],
    );
}

/** What memory holds is in the tables now. */
export function written(entry: MachineEntry): void {
  const current = entry.current();
  entry.changed.clear();
  entry.besides.clear();
  for (const state of entry.epochs.values()) if (state !== current) entry.besides.add(state.epoch);
}

function columnsOf(rows: readonly Value[][]): Value[][] {
  return (rows[0] ?? []).map((_, column) => rows.map((row) => row[column] as Value));
}

interface StateRow {
  readonly machine_id: string;
  readonly factory_id: string;
  readonly device_id: string;
  readonly type_name: string | null;
  readonly epoch: string;
  readonly seq: number;
  readonly event_at: Date;
  readonly enqueued_at: Date;
  readonly state: string | null;
  readonly state_at: Date | null;
  readonly signal_info: unknown;
  readonly removed: boolean;
  readonly numbers: (number | null)[];
  readonly texts: (string | null)[];
  readonly status_codes: (string | null)[];
  readonly source_ms: (number | null)[];
  readonly received_ms: (number | null)[];
  readonly seqs: (string | null)[];
  readonly key_ms: number;
  readonly state_seq: number;
  readonly info_seq: number;
  readonly info_at: Date | null;
  readonly links?: Record<string, EpochFact<Link>>;
}

/** Machines as the tables have them; those that they have not are left out. @param sets the newest of each machine */
export async function readMachines(
  sql: Sql,
  machineIds: readonly string[],
  sets: ReadonlyMap<string, SignalSet>,
): Promise<MachineEntry[]> {
  const entries = new Map<string, MachineEntry>();
  const { rows } = await sql.prepared<StateRow>(
    "model_machine_latest_read",
    "SELECT * FROM model.machine_latest WHERE machine_id = ANY($1::text[])",
    [machineIds],
  );
  const { rows: besides } = await sql.prepared<StateRow>(
    "model_machine_epoch_read",
    "SELECT * FROM model.machine_epoch WHERE machine_id = ANY($1::text[])",
    [machineIds],
  );
  for (const row of [...rows, ...besides]) {
    const entry = entries.get(row.machine_id) ?? new MachineEntry(row.machine_id);
    entries.set(row.machine_id, entry);
    if (row.links !== undefined) entry.links = new NewestByEpoch(row.links);
    else entry.besides.add(row.epoch);
    if (row.epoch !== "" || row.seqs.length > 0) {
      const state = stateOf(row, sets.get(row.machine_id) ?? NO_SIGNALS);
      entry.epochs.set(row.epoch, state);
    }
  }
  return [...entries.values()];
}

function stateOf(row: StateRow, set: SignalSet): EpochState {
  const state = new EpochState(row.epoch, set);
  Object.assign(state, {
    factoryId: row.factory_id,
    deviceId: row.device_id,
    typeName: row.type_name,
    seq: row.seq,
    eventMs: row.event_at.getTime(),
    enqueuedMs: row.enqueued_at.getTime(),
    keyMs: row.key_ms,
    state: row.state,
    stateMs: row.state_at?.getTime() ?? 0,
    stateSeq: row.state_seq,
    info: row.signal_info === null ? null : JSON.stringify(row.signal_info),
    infoMs: row.info_at?.getTime() ?? 0,
    infoSeq: row.info_seq,
    removed: row.removed,
  });
  row.seqs.forEach((seq, index) => {
    if (seq === null || index >= state.seqs.length) return;
    state.seqs[index] = Number(seq);
    state.numbers[index] = row.numbers[index] ?? Number.NaN;
    state.texts[index] = row.texts[index] ?? null;
    state.statusCodes[index] = Number(row.status_codes[index]);
    state.sourceMs[index] = row.source_ms[index] ?? Number.NaN;
    state.receivedMs[index] = row.received_ms[index] ?? Number.NaN;
  });
  return state;
}
