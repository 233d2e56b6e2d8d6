import type { ServerResponse } from "node:http";
import type { Changes } from "../projection/changes.ts";
import type { LatestProjection } from "../projection/latest-projection.ts";
import type { LatestSample, MachineEntry } from "../projection/machine-entry.ts";
import { connectionViewOf, summaryOf } from "../views.ts";

/** Samples that wait for a client which wants every one of them; the overview's wait is bounded by the number of signals. */
const WAITING_SAMPLES_MAX = 20_000;
/** How long a client's socket may refuse to take more. */
const STALLED_MS_MAX = 15_000;
/** The overview is written at most this often; what changes twice meanwhile is sent once. */
const OVERVIEW_EVERY_MS = 50;

export interface StreamFilter {
  /** Only this machine, with every sample in order; null is the overview, with the latest value of each signal. */
  readonly machineId: string | null;
  /** Of the overview, only the key signals that tiles show. */
  readonly keysOnly: boolean;
}

/** One browser on the live stream: a bounded queue before its socket. */
export class StreamClient {
  readonly #response: ServerResponse;
  readonly #projection: LatestProjection;
  readonly #filter: StreamFilter;
  readonly #dropped: (reason: string) => void;
  #samples = new Map<string, Map<string, LatestSample[]>>();
  #waiting = 0;
  #machines = new Set<string>();
  #connections = new Set<string>();
  #stalledSinceMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #writtenMs = Number.NEGATIVE_INFINITY;

  constructor(
    response: ServerResponse,
    projection: LatestProjection,
    filter: StreamFilter,
    dropped: (reason: string) => void,
  ) {
    this.#response = response;
    this.#projection = projection;
    this.#filter = filter;
    this.#dropped = dropped;
    response.on("drain", () => {
      this.#stalledSinceMs = undefined;
      this.#schedule();
    });
  }

  /** The latest of everything that is newer than `offset`: what a client missed, at most one value a signal. */
  catchUp(offset: number): void {
    for (const machine of this.#projection.machines.values()) {
      if (machine.configOffset > offset || machine.stateOffset > offset || machine.gapOffset > offset)
        this.#machines.add(machine.machineId);
      for (const sample of machine.latest.values()) {
        if (sample.offset > offset) this.#add(machine, sample);
      }
    }
    for (const [id, connection] of this.#projection.connections) {
      if (connection.offset > offset) this.#connections.add(id);
    }
    this.#schedule();
  }

  offer(changes: Changes): void {
    for (const [machineId, samples] of changes.samples) {
      const machine = this.#projection.machines.get(machineId);
      if (machine) for (const sample of samples) this.#add(machine, sample);
    }
    for (const machineId of changes.machines) this.#machines.add(machineId);
    for (const connectionId of changes.connections) this.#connections.add(connectionId);
    if (this.#waiting > WAITING_SAMPLES_MAX) {
      this.#dropped(`more than ${WAITING_SAMPLES_MAX} samples waited for it`);
      return;
    }
    this.#schedule();
  }

  #add(machine: MachineEntry, sample: LatestSample): void {
    const { machineId, keysOnly } = this.#filter;
    if (machineId !== null && machine.machineId !== machineId) return;
    let samples = this.#samples.get(machine.machineId);
    if (!samples) {
      samples = new Map();
      this.#samples.set(machine.machineId, samples);
    }
    // Without a value of its own the entry still tells the tile when the machine was heard and how its signals are.
    if (keysOnly && !machine.keys.includes(sample.signal)) return;
    const known = samples.get(sample.signal);
    if (known && machineId !== null) {
      known.push(sample);
      this.#waiting += 1;
    } else if (known) {
      known[0] = sample;
    } else {
      samples.set(sample.signal, [sample]);
      if (machineId !== null) this.#waiting += 1;
    }
  }

  #schedule(): void {
    if (this.#timer || this.#stalledSinceMs !== undefined) return;
    const restMs = this.#filter.machineId === null ? OVERVIEW_EVERY_MS - (performance.now() - this.#writtenMs) : 0;
    this.#timer = setTimeout(() => this.#flush(), Math.max(0, restMs));
  }

  #flush(): void {
    this.#timer = undefined;
    const { machineId } = this.#filter;
    const parts: string[] = [];
    for (const id of this.#connections) {
      const connection = this.#projection.connections.get(id);
      if (connection) parts.push(this.#message("connection", connectionViewOf(connection)));
    }
    for (const id of this.#machines) {
      if (machineId !== null && id !== machineId) continue;
      const machine = this.#projection.machines.get(id);
      parts.push(
        this.#message("machine", machine ? summaryOf(this.#projection, machine) : { machineId: id, removed: true }),
      );
    }
    if (this.#samples.size > 0) parts.push(this.#message("sample", { machines: this.#compact() }));
    this.#connections = new Set();
    this.#machines = new Set();
    this.#samples = new Map();
    this.#waiting = 0;
    if (parts.length > 0) this.#write(parts.join(""));
  }

  #compact(): unknown[] {
    return [...this.#samples].flatMap(([id, samples]) => {
      const machine = this.#projection.machines.get(id);
      if (!machine) return [];
      return {
        id,
        updatedMs: machine.updatedMs,
        ...machine.counts(),
        samples: [...samples.values()]
          .flat()
          .map(({ signal, value, statusCode, receivedMs, sourceMs }) => [
            signal,
            value,
            statusCode,
            receivedMs,
            sourceMs,
          ]),
      };
    });
  }

  /** Outside the queue: the greeting and the time. */
  say(event: string, data: unknown): void {
    this.#write(this.#message(event, data));
  }

  /** Drops the client when its socket has taken nothing for too long. */
  beat(nowMs: number): void {
    if (this.#stalledSinceMs !== undefined) {
      if (performance.now() - this.#stalledSinceMs > STALLED_MS_MAX) {
        this.#dropped(`it took nothing for ${STALLED_MS_MAX / 1_000} s`);
      }
      return;
    }
    this.#write(`: heartbeat\n${this.#message("time", { nowMs, newestMs: this.#projection.newestMs })}`);
  }

  #message(event: string, data: unknown): string {
    return `event: ${event}\nid: ${this.#projection.offset}\ndata: ${JSON.stringify(data)}\n\n`;
  }

  #write(text: string): void {
    if (this.#response.destroyed || this.#response.writableEnded) return;
    this.#writtenMs = performance.now();
    if (!this.#response.write(text)) this.#stalledSinceMs ??= performance.now();
  }

  /** Says why, as far as the socket still takes it, and closes. */
  close(reason: string): void {
    clearTimeout(this.#timer);
    this.#response.end(`event: dropped\ndata: ${JSON.stringify({ reason })}\n\n`);
    setTimeout(() => this.#response.destroy(), 200).unref();
  }
}
