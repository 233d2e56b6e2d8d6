import { type AddressInfo, createConnection, createServer, type Server, type Socket } from "node:net";
import { portError } from "./opcua-host.ts";

/**
 * pass: as a cable. cut: connections are reset, and new ones refused. freeze: connections stay open and nothing comes through,
 * as behind a switch that hangs; what waited goes on when the line is mended.
 */
export const LINE_MODES = ["pass", "cut", "freeze"] as const;
export type LineMode = (typeof LINE_MODES)[number];

export interface LineState {
  readonly mode: LineMode;
  /** UTC epoch ms. */
  readonly sinceMs: number;
  /** When it mends itself; null when somebody has to. */
  readonly untilMs: number | null;
  /** Of loopback, on which it listens. */
  readonly port: number;
  /** Where it leads, also on loopback. */
  readonly targetPort: number;
  readonly connections: number;
}

/** Somebody else may have taken the port for a moment while the line was cut. */
const LISTEN_AGAIN_MS = 200;
/** What one timer can wait for. */
const DURATION_MS_MAX = 2_147_000_000;

/** A line of TCP on loopback that can be cut and mended while others use it. */
export class LineSwitch implements AsyncDisposable {
  readonly #targetPort: number;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #server: Server | undefined;
  #port = 0;
  #mode: LineMode = "pass";
  #sinceMs = Date.now();
  #untilMs: number | null = null;
  #timer: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;

  constructor(targetPort: number) {
    this.#targetPort = targetPort;
  }

  /** @param port 0 takes any free one. @throws EdgeError PORT_IN_USE */
  async listen(port: number): Promise<void> {
    const server = createServer((near) => this.#accept(near));
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) => reject(portError(port, error)));
      server.listen(port, "127.0.0.1", resolve);
    });
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
  }

  get state(): LineState {
    return {
      mode: this.#mode,
      sinceMs: this.#sinceMs,
      untilMs: this.#untilMs,
      port: this.#port,
      targetPort: this.#targetPort,
      connections: this.#pairs.size,
    };
  }

  /** @param durationMs after which it passes again by itself; left out, it stays */
  set(mode: LineMode, durationMs?: number): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#untilMs = null;
    if (mode !== this.#mode) this.#sinceMs = Date.now();
    this.#mode = mode;
    if (mode === "cut") this.#close();
    else if (this.#server === undefined) this.#open();
    for (const [near, far] of this.#pairs) {
      if (mode === "cut") {
        near.resetAndDestroy();
        far.resetAndDestroy();
      } else if (mode === "freeze") hold(near, far);
      else join(near, far);
    }
    if (mode === "pass" || durationMs === undefined) return;
    const lastsMs = Math.min(durationMs, DURATION_MS_MAX);
    this.#untilMs = Date.now() + lastsMs;
    this.#timer = setTimeout(() => this.set("pass"), lastsMs).unref();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    for (const socket of [...this.#pairs].flat()) socket.destroy();
    this.#close();
  }

  #close(): void {
    clearTimeout(this.#again);
    this.#server?.close();
    this.#server = undefined;
  }

  #open(): void {
    clearTimeout(this.#again);
    const server = createServer((near) => this.#accept(near));
    this.#server = server;
    server.on("error", () => {
      if (this.#server !== server) return;
      this.#again = setTimeout(() => this.#server === server && this.#open(), LISTEN_AGAIN_MS).unref();
    });
    server.listen(this.#port, "127.0.0.1");
  }

  #accept(near: Socket): void {
    near.on("error", () => undefined);
    // It was on its way when the line was cut.
    if (this.#mode === "cut") {
      near.resetAndDestroy();
      return;
    }
    const far = createConnection(this.#targetPort, "127.0.0.1");
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      socket.setNoDelay(true);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        this.#pairs.delete(pair);
        other.destroy();
      });
    }
    if (this.#mode === "freeze") hold(near, far);
    else join(near, far);
  }
}

function join(near: Socket, far: Socket): void {
  near.pipe(far);
  far.pipe(near);
}

function hold(near: Socket, far: Socket): void {
  near.unpipe(far).pause();
  far.unpipe(near).pause();
}
