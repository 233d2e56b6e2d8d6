import type { ConfigData, ConnectionData, StoredEvent } from "../../../cloud-sync/contract/event.ts";
import type { Changes } from "./changes.ts";
import { MachineEntry } from "./machine-entry.ts";

const MACHINES_MAX = 5_000;
const CONNECTIONS_MAX = 5_000;

export interface ConnectionEntry {
  readonly data: ConnectionData;
  /** When it came into its present state. */
  readonly sinceMs: number;
  /** When it last said anything; a collector that runs does so every 30 s while a link is up. */
  readonly reportedMs: number;
  readonly offset: number;
}

/**
 * The newest sample of every signal, the state of every machine and the newest word of every connection: a read model of
 * the log, in memory, rebuilt at every start. Events may arrive in any order and more than once: the higher offset wins.
 */
export class LatestProjection {
  readonly machines = new Map<string, MachineEntry>();
  readonly connections = new Map<string, ConnectionEntry>();
  /** Offsets at which machines were removed; what is older than that does not bring them back. */
  readonly #removed = new Map<string, number>();
  /** All events up to here are in the projection. */
  offset = 0;
  /** Time of the newest event, by this box's clock. */
  newestMs = 0;

  apply(event: StoredEvent, changes: Changes): void {
    if (event.timeMs > this.newestMs) this.newestMs = event.timeMs;
    if (event.type === "telemetry") this.#telemetry(event.machineId, event.offset, event.data.samples, changes);
    else if (event.type === "config") this.#config(event.machineId, event.offset, event.data, changes);
    else if (event.type === "connection") this.#connection(event.offset, event.timeMs, event.data, changes);
    else if (event.type === "state") this.#state(event, changes);
    else if (event.type === "gap") this.#gap(event, changes);
  }

  #telemetry(
    machineId: string,
    offset: number,
    samples: (StoredEvent & { type: "telemetry" })["data"]["samples"],
    changes: Changes,
  ): void {
    const machine = this.#machine(machineId, offset, changes);
    if (!machine) return;
    const wasState = machine.state()?.word;
    for (const sample of samples) {
      const latest = machine.take(sample, offset);
      if (latest) changes.addSample(machineId, latest);
    }
    if (machine.state()?.word !== wasState) changes.machines.add(machineId);
  }

  #config(machineId: string, offset: number, data: ConfigData, changes: Changes): void {
    if (data.kind === "removed") {
      if ((this.machines.get(machineId)?.configOffset ?? 0) > offset) return;
      this.#removed.set(machineId, Math.max(offset, this.#removed.get(machineId) ?? 0));
      if (this.machines.delete(machineId)) changes.machines.add(machineId);
    } else if (data.kind === "machine") {
      this.#machine(machineId, offset, changes)?.configure(data.typeName, data.connectionId, data.signals, offset);
      changes.machines.add(machineId);
    }
  }

  #connection(offset: number, timeMs: number, data: ConnectionData, changes: Changes): void {
    const known = this.connections.get(data.connectionId);
    // The line to the cloud leads to no machine: it has a view of its own.
    if (data.protocol === "iothub") return;
    if (known && known.offset >= offset) return;
    if (!known && this.connections.size >= CONNECTIONS_MAX) return;
    const sinceMs = known && known.data.state === data.state ? known.sinceMs : timeMs;
    this.connections.set(data.connectionId, { data, sinceMs, reportedMs: timeMs, offset });
    changes.connections.add(data.connectionId);
  }

  #state(event: StoredEvent & { type: "state" }, changes: Changes): void {
    const word = event.data.state;
    const machine = this.#machine(event.machineId, event.offset, changes);
    if (!machine || typeof word !== "string" || event.offset < machine.stateOffset) return;
    machine.stateOffset = event.offset;
    machine.stateEvent = { word, sinceMs: event.timeMs };
    changes.machines.add(event.machineId);
  }

  #gap(event: StoredEvent & { type: "gap" }, changes: Changes): void {
    const machine = this.#machine(event.machineId, event.offset, changes);
    if (!machine || event.offset < machine.gapOffset) return;
    machine.gapOffset = event.offset;
    machine.lastGap = event.data;
    changes.machines.add(event.machineId);
  }

  #machine(machineId: string, offset: number, changes: Changes): MachineEntry | undefined {
    const known = this.machines.get(machineId);
    if (known) return known;
    if ((this.#removed.get(machineId) ?? 0) > offset || this.machines.size >= MACHINES_MAX) return undefined;
    const machine = new MachineEntry(machineId);
    this.machines.set(machineId, machine);
    changes.machines.add(machineId);
    return machine;
  }

  /** The connection that a machine hangs on, by its own configuration or by the connection's list. */
  connectionOf(machine: MachineEntry): ConnectionEntry | undefined {
    const named = this.connections.get(machine.connectionId);
    if (named || machine.connectionId !== "") return named;
    for (const entry of this.connections.values()) {
      if (entry.data.machineIds.includes(machine.machineId)) return entry;
    }
    return undefined;
  }
}
