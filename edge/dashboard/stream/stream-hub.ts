import type { ServerResponse } from "node:http";
import type { Clock } from "../../kernel/clock.ts";
import type { Changes } from "../projection/changes.ts";
import type { LatestProjection } from "../projection/latest-projection.ts";
import { StreamClient, type StreamFilter } from "./stream-client.ts";

export const CLIENTS_MAX = 64;
const HEARTBEAT_MS = 10_000;

export interface HubOptions {
  readonly projection: LatestProjection;
  readonly clock: Clock;
  readonly site: string;
  readonly epoch: string;
  readonly onDrop: (reason: string) => void;
}

/** All browsers on the live stream. */
export class StreamHub {
  readonly #options: HubOptions;
  readonly #clients = new Set<StreamClient>();
  readonly #standing = new Map<string, unknown>();
  #timer: NodeJS.Timeout | undefined;
  droppedClients = 0;
  lastDropReason: string | null = null;

  constructor(options: HubOptions) {
    this.#options = options;
  }

  get clients(): number {
    return this.#clients.size;
  }

  get isFull(): boolean {
    return this.#clients.size >= CLIENTS_MAX;
  }

  /** @param afterOffset what the client has seen; null starts at the present */
  connect(response: ServerResponse, filter: StreamFilter, afterOffset: number | null): void {
    const { projection, clock, site, epoch } = this.#options;
    const client = new StreamClient(response, projection, filter, (reason) => this.#drop(client, reason));
    this.#clients.add(client);
    response.on("close", () => this.#clients.delete(client));
    response.on("error", () => this.#clients.delete(client));
    this.#timer ??= setInterval(() => this.#beat(), HEARTBEAT_MS).unref();
    response.write("retry: 1000\n\n");
    client.say("hello", { site, epoch, nowMs: clock.nowMs(), newestMs: projection.newestMs });
    for (const [event, data] of this.#standing) client.say(event, data);
    // An offset beyond the end is from another life of the log: everything is news.
    if (afterOffset !== null) client.catchUp(afterOffset > projection.offset ? 0 : afterOffset);
  }

  publish(changes: Changes): void {
    for (const client of [...this.#clients]) client.offer(changes);
  }

  /** To every client, and to those that come later right after the greeting. */
  sayAll(event: string, data: unknown): void {
    this.#standing.set(event, data);
    for (const client of [...this.#clients]) client.say(event, data);
  }

  #beat(): void {
    for (const client of [...this.#clients]) client.beat(this.#options.clock.nowMs());
  }

  #drop(client: StreamClient, reason: string): void {
    if (!this.#clients.delete(client)) return;
    this.droppedClients += 1;
    this.lastDropReason = reason;
    this.#options.onDrop(reason);
    client.close(reason);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const client of this.#clients) client.close("the dashboard is stopping");
    this.#clients.clear();
  }
}
