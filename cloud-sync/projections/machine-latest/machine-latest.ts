import type { ConnectionData } from "../../contract/event.ts";
import type { Sql } from "../../database/database.ts";
import type { TelemetryDocument } from "../../store/telemetry-document.ts";
import type { Change, Projection } from "../projection.ts";
import { plainText } from "../sql/literals.ts";
import { BoundedMap } from "../state/bounded-map.ts";
import type { SignalSet, SignalSets } from "../state/signal-sets.ts";
import { MachineEntry } from "./machine-entry.ts";
import { readMachines, writeMachines, written } from "./machine-rows.ts";
import { takeDocument, tellsOfMachine } from "./take-document.ts";

/** Elements of arrays that the machines in memory have together: some 100 MB. */
const WEIGHT_MAX = 10_000_000;
/** Machines that one event of type connection may name. */
const NAMED_MAX = 10_000;
const RESET_MACHINES = 200;

/** model.machine_latest: what each machine said last. */
export class MachineLatest implements Projection {
  readonly name = "machine_latest";
  readonly version = 1;
  readonly containers = ["telemetry"] as const;
  readonly batchMax = 1_000;
  readonly gatherMs = 50;
  readonly #sets: SignalSets;
  readonly #entries = new BoundedMap<string, MachineEntry>(WEIGHT_MAX);

  constructor(sets: SignalSets) {
    this.#sets = sets;
  }

  async apply(changes: readonly Change[], sql: Sql): Promise<void> {
    const documents = changes.flatMap(({ telemetry }) =>
      telemetry === undefined || telemetry.kind === "rollup" ? [] : [telemetry],
    );
    if (documents.length === 0) return;
    const needed = new Map<string, Set<string>>();
    const telling = documents.filter(tellsOfMachine);
    for (const document of telling) addNames(needed, document);
    const links = documents.flatMap(linksOf);
    for (const { machineId } of links) if (!needed.has(machineId)) needed.set(machineId, new Set());
    if (needed.size === 0) return;
    const sets = await this.#sets.having(needed);
    const entries = await this.#load([...needed.keys()], sets, sql);
    for (const document of telling) {
      const { machineId, epoch } = document.fields;
      const entry = entries.get(machineId) as MachineEntry;
      takeDocument(entry.epoch(epoch, sets.get(machineId) as SignalSet), document);
    }
    for (const { machineId, document, seq, timeMs, data } of links) {
      const { epoch, factoryId, deviceId, enqueuedMs } = document.fields;
      const link = { state: data.state, detail: data.detail, factoryId, deviceId, enqueuedMs };
      entries.get(machineId)?.links.add(epoch, seq, timeMs, Math.min(timeMs, enqueuedMs), link);
    }
    await writeMachines(sql, [...entries.values()]);
    for (const entry of entries.values()) {
      written(entry);
      this.#entries.set(entry.machineId, entry, entry.weight);
    }
  }

  async #load(
    machineIds: readonly string[],
    sets: ReadonlyMap<string, SignalSet>,
    sql: Sql,
  ): Promise<Map<string, MachineEntry>> {
    const entries = new Map<string, MachineEntry>();
    const unknown: string[] = [];
    for (const machineId of machineIds) {
      const known = this.#entries.get(machineId);
      if (known === undefined) unknown.push(machineId);
      else entries.set(machineId, known);
    }
    const read = unknown.length === 0 ? [] : await readMachines(sql, unknown, sets);
    for (const entry of read) entries.set(entry.machineId, entry);
    for (const machineId of unknown) if (!entries.has(machineId)) entries.set(machineId, new MachineEntry(machineId));
    return entries;
  }

  /** What is left of older times: signals, states and configurations that nothing newer has been heard of. */
  async reset(sql: Sql, keepBeforeMs: number): Promise<void> {
    this.forget();
    for (let after = ""; ; ) {
      const { rows } = await sql.query<{ machine_id: string }>(
        "SELECT machine_id FROM model.machine_latest WHERE machine_id > $1 ORDER BY machine_id LIMIT $2",
        [after, RESET_MACHINES],
      );
      const last = rows.at(-1);
      if (last === undefined) return;
      after = last.machine_id;
      const machineIds = rows.map(({ machine_id }) => machine_id);
      const sets = await this.#sets.having(new Map(machineIds.map((machineId) => [machineId, []])));
      const entries = await readMachines(sql, machineIds, sets);
      const kept = entries.filter((entry) => hasOlder(entry, keepBeforeMs));
      await sql.query("DELETE FROM model.machine_epoch WHERE machine_id = ANY($1::text[])", [machineIds]);
      await sql.query("DELETE FROM model.machine_latest WHERE machine_id = ANY($1::text[])", [machineIds]);
      if (kept.length > 0) await writeMachines(sql, kept);
    }
  }

  forget(): void {
    this.#entries.clear();
  }
}

function hasOlder(entry: MachineEntry, beforeMs: number): boolean {
  for (const [epoch, state] of entry.epochs) if (!state.forgetFrom(beforeMs)) entry.epochs.delete(epoch);
  entry.links.forgetFrom(beforeMs);
  // The rows are written anew.
  entry.besides.clear();
  return entry.epochs.size > 0 || entry.links.newest() !== undefined;
}

function addNames(needed: Map<string, Set<string>>, document: TelemetryDocument): void {
  const { machineId } = document.fields;
  let names = needed.get(machineId);
  if (names === undefined) {
    names = new Set();
    needed.set(machineId, names);
  }
  if (document.block !== undefined) for (const name of document.block.signals) names.add(name);
  else
    for (const event of document.events())
      if (event.type === "telemetry") for (const { signal } of event.data.samples) names.add(signal);
}

interface NamedLink {
  readonly machineId: string;
  readonly document: TelemetryDocument;
  readonly seq: number;
  readonly timeMs: number;
  readonly data: ConnectionData;
}

/** What connections of the box say of the machines behind them. */
function linksOf(document: TelemetryDocument): NamedLink[] {
  return document.rareEvents().flatMap(({ type, seq, timeMs, data }) => {
    if (type !== "connection" || !Array.isArray(data.machineIds) || typeof data.state !== "string") return [];
    const named = data.machineIds
      .filter((id) => typeof id === "string" && id !== "" && plainText(id) === id)
      .slice(0, NAMED_MAX);
    const detail = typeof data.detail === "string" ? data.detail : "";
    return named.map((machineId) => ({ machineId, document, seq, timeMs, data: { ...data, detail } }));
  });
}
