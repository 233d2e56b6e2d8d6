import { severityOf } from "../../../kernel/status-code.ts";
import type { Uplink } from "../../schemas/uplink.ts";
import type { ConnectionView, MachineSummary, SignalView } from "../../schemas/views.ts";
import { getConnections, getFloor, getMachine, getUplink } from "./api.ts";
import { Digits } from "./digits.ts";
import { LiveStream } from "./live-stream.ts";

export type WireSample = [
  signal: string,
  value: SignalView["value"],
  statusCode: number,
  receivedMs: number,
  sourceMs: number | null,
];
interface WireMachine {
  id: string;
  updatedMs: number | null;
  good: number;
  uncertain: number;
  bad: number;
  waiting: number;
  samples: WireSample[];
}

/** What the page knows; changed by REST once and by the live stream from then on. */
export class Store {
  site = "";
  loaded = false;
  readonly machines = new Map<string, MachineSummary>();
  readonly connections = new Map<string, ConnectionView>();
  /** The line to the cloud, as the server last told it. */
  uplink: Uplink = { configured: false, uplink: null };
  /** Signals of the machine that is open, by name. */
  openMachineId: string | null = null;
  openMissing = false;
  readonly digits = new Digits();
  readonly openSignals = new Map<string, SignalView>();
  /** Since when the page hears nothing, by its own clock; null while it hears. */
  downSinceMs: number | null = null;
  /** The server's clock minus this browser's. */
  #skewMs = 0;
  newestMs = 0;
  #epoch = "";
  #loads = 0;
  #frame = 0;
  readonly #watchers = new Set<() => void>();
  readonly #sampleWatchers = new Set<(samples: readonly WireSample[]) => void>();
  readonly #floor = new LiveStream(
    (event, data) => this.#hear(event, data),
    (up) => this.#link(up),
  );
  readonly #open = new LiveStream(
    (event, data) => this.#hearOpen(event, data),
    () => undefined,
  );

  nowMs(): number {
    return Date.now() + this.#skewMs;
  }

  get streamUp(): boolean {
    return this.downSinceMs === null;
  }

  watch(watcher: () => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Every sample of the open machine, in order. */
  watchSamples(watcher: (samples: readonly WireSample[]) => void): () => void {
    this.#sampleWatchers.add(watcher);
    return () => this.#sampleWatchers.delete(watcher);
  }

  start(): void {
    void this.#load();
  }

  async #load(): Promise<void> {
    const load = ++this.#loads;
    try {
      const [floor, connections, uplink] = await Promise.all([getFloor(), getConnections(), getUplink()]);
      if (load !== this.#loads) return;
      this.site = floor.site;
      this.#epoch = floor.epoch;
      this.#skewMs = floor.nowMs - Date.now();
      this.machines.clear();
      for (const machine of floor.machines) this.machines.set(machine.machineId, machine);
      this.connections.clear();
      for (const connection of connections) this.connections.set(connection.connectionId, connection);
      this.uplink = uplink;
      this.loaded = true;
      this.#floor.open(`/api/stream?keys=true&after=${floor.offset}`);
      this.#changed();
    } catch {
      if (load !== this.#loads) return;
      this.#link(false);
      setTimeout(() => load === this.#loads && void this.#load(), 1_000);
    }
  }

  /** Loads a machine with all its signals and follows each of its samples. */
  async openMachine(machineId: string): Promise<void> {
    this.closeMachine();
    this.openMachineId = machineId;
    try {
      const machine = await getMachine(machineId);
      if (this.openMachineId !== machineId) return;
      this.openSignals.clear();
      for (const signal of machine.signals) this.openSignals.set(signal.name, signal);
      this.#open.open(`/api/stream?machine=${encodeURIComponent(machineId)}&after=${machine.offset}`);
    } catch {
      if (this.openMachineId !== machineId) return;
      this.openMissing = true;
      setTimeout(() => this.openMachineId === machineId && this.openMissing && void this.openMachine(machineId), 3_000);
    }
    this.#changed();
  }

  closeMachine(): void {
    this.openMachineId = null;
    this.openMissing = false;
    this.#open.close();
    this.openSignals.clear();
  }

  #link(up: boolean): void {
    if (up === this.streamUp) return;
    this.downSinceMs = up ? null : Date.now();
    this.#changed();
  }

  #hear(event: string, data: unknown): void {
    if (event === "hello" || event === "time") {
      const { nowMs, newestMs, epoch } = data as { nowMs: number; newestMs: number; epoch?: string };
      this.#skewMs = nowMs - Date.now();
      this.newestMs = newestMs;
      // Another life of the log: nothing that we know is known to be true.
      if (epoch !== undefined && epoch !== this.#epoch) void this.#load();
    } else if (event === "connection") {
      const connection = data as ConnectionView;
      this.connections.set(connection.connectionId, connection);
      for (const machine of this.machines.values()) {
        if (machine.connectionId === connection.connectionId || connection.machineIds.includes(machine.machineId)) {
          machine.link = { state: connection.state, sinceMs: connection.sinceMs, reportedMs: connection.reportedMs };
        }
      }
    } else if (event === "uplink") {
      this.uplink = data as Uplink;
    } else if (event === "machine") {
      const machine = data as MachineSummary & { removed?: true };
      if (machine.removed) this.machines.delete(machine.machineId);
      else this.machines.set(machine.machineId, machine);
      if (machine.machineId === this.openMachineId && !machine.removed) void this.#refreshOpen(machine.machineId);
    } else if (event === "sample") {
      for (const wire of (data as { machines: WireMachine[] }).machines) this.#take(wire);
    }
    this.#changed();
  }

  #take(wire: WireMachine): void {
    const machine = this.machines.get(wire.id);
    if (!machine) return;
    machine.updatedMs = wire.updatedMs;
    machine.good = wire.good;
    machine.uncertain = wire.uncertain;
    machine.bad = wire.bad;
    machine.waiting = wire.waiting;
    for (const sample of wire.samples) {
      const signal = machine.keys.find(({ name }) => name === sample[0]);
      if (signal) applySample(signal, sample);
    }
  }

  #hearOpen(event: string, data: unknown): void {
    if (event !== "sample") return;
    for (const { id, samples } of (data as { machines: WireMachine[] }).machines) {
      if (id !== this.openMachineId) continue;
      for (const sample of samples) {
        const signal = this.openSignals.get(sample[0]);
        if (signal) applySample(signal, sample);
      }
      for (const watcher of this.#sampleWatchers) watcher(samples);
    }
    this.#changed();
  }

  /** A machine's description changed: its set of signals may have, too. */
  async #refreshOpen(machineId: string): Promise<void> {
    const machine = await getMachine(machineId).catch(() => undefined);
    if (!machine || this.openMachineId !== machineId) return;
    const names = new Set(machine.signals.map(({ name }) => name));
    for (const name of this.openSignals.keys()) if (!names.has(name)) this.openSignals.delete(name);
    for (const signal of machine.signals) this.openSignals.set(signal.name, signal);
    this.#changed();
  }

  /** However many messages come, the page is drawn once a frame. */
  #changed(): void {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      for (const watcher of this.#watchers) watcher();
    });
  }
}

function applySample(signal: SignalView, [, value, statusCode, receivedMs, sourceMs]: WireSample): void {
  signal.value = value;
  signal.statusCode = statusCode;
  signal.receivedMs = receivedMs;
  signal.sourceMs = sourceMs;
  if (severityOf(statusCode) === "bad" || value === null) return;
  signal.goodValue = value;
  signal.goodMs = receivedMs;
}
