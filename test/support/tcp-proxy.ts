import type { AddressInfo } from "node:net";
import { createConnection, createServer, type Server, type Socket } from "node:net";

/**
 * pass: as a cable. freeze: sockets stay open, bytes wait and go on when thawed (a switch that hangs). reset: connections
 * are cut with RST and new ones too. blackhole: bytes are lost for ever and new connections are taken without an answer (a
 * pulled cable behind a gateway). deaf: what the client sends arrives, the answers are lost for ever. delay: each piece comes
 * late by `delayMs`. corrupt: one bit of each piece is turned over (a faulty repeater whose checksums fit again).
 */
export type ProxyMode = "pass" | "freeze" | "reset" | "blackhole" | "deaf" | "delay" | "corrupt";

/** A TCP relay on loopback that fails on command. The faults are those of real networks. */
export class TcpProxy implements AsyncDisposable {
  delayMs = 0;
  /**
   * What was connected during a black hole or deafness stays dead without a word when the line is back, as behind a gateway
   * that has forgotten it; otherwise it is reset then.
   */
  leavesOrphans = false;
  #mode: ProxyMode = "pass";
  #port = 0;
  #server: Server | undefined;
  readonly #pairs = new Set<{ near: Socket; far: Socket; isOrphan: boolean }>();
  readonly #targetPort: number;

  constructor(targetPort: number) {
    this.#targetPort = targetPort;
  }

  get port(): number {
    return this.#port;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  async listen(): Promise<this> {
    this.#server = createServer((near) => this.#accept(near));
    await new Promise<void>((resolve) => this.#server?.listen(0, "127.0.0.1", resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  set mode(mode: ProxyMode) {
    const left = this.#mode;
    this.#mode = mode;
    for (const pair of this.#pairs) {
      const { near, far } = pair;
      const wasSwallowed = left === "blackhole" || left === "deaf";
      if (wasSwallowed && this.leavesOrphans && mode !== "reset") pair.isOrphan = true;
      else if (mode === "reset" || wasSwallowed) {
        // What a black hole has swallowed is missing from the stream: such a connection can't go on.
        near.resetAndDestroy();
        far.resetAndDestroy();
      } else if (mode === "freeze") {
        near.pause();
        far.pause();
      } else {
        near.resume();
        far.resume();
      }
    }
  }

  get mode(): ProxyMode {
    return this.#mode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { near, far } of this.#pairs) {
      near.destroy();
      far.destroy();
    }
    await new Promise<void>((resolve) => (this.#server ? this.#server.close(() => resolve()) : resolve()));
  }

  #accept(near: Socket): void {
    if (this.#mode === "reset") {
      near.on("error", () => undefined);
      near.resetAndDestroy();
      return;
    }
    const far = createConnection(this.#targetPort, "127.0.0.1");
    const pair = { near, far, isOrphan: false };
    this.#pairs.add(pair);
    const isSwallowed = (...modes: ProxyMode[]): boolean => pair.isOrphan || modes.includes(this.#mode);
    this.#relay(near, far, () => isSwallowed("blackhole"));
    this.#relay(far, near, () => isSwallowed("blackhole", "deaf"));
    const end = (): void => {
      // A black hole swallows the end of a connection, too: the other side goes on believing in it.
      if (this.#mode === "blackhole") return;
      this.#pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) {
      socket.on("error", () => undefined);
      socket.on("close", end);
    }
    if (this.#mode === "freeze") {
      near.pause();
      far.pause();
    }
  }

  #relay(from: Socket, to: Socket, isSwallowed: () => boolean): void {
    from.on("data", (bytes) => {
      if (isSwallowed()) return;
      if (this.#mode === "corrupt") bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 0x10;
      if (this.#mode !== "delay") to.write(bytes);
      else setTimeout(() => to.destroyed || to.write(bytes), this.delayMs);
    });
  }
}
