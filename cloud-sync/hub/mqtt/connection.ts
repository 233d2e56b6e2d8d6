import type { Duplex } from "node:stream";
import { generate, type Packet, parser } from "mqtt-packet";
import type { ClientCertificate } from "../authorize.ts";
import type { Hub } from "../ports.ts";
import { ClientSession } from "./client-session.ts";
import { CONNACK, type ConnectRequest, readConnect } from "./connect-request.ts";
import { FrameSplitter } from "./frame-splitter.ts";
import type { Outlet } from "./outlet.ts";
import type { RefusalLog } from "./refusal-log.ts";

/** Before a client has proved who it is, a packet can be no larger; afterwards a message with a topic full of properties fits. */
const CONNECT_BYTES_MAX = 32 << 10;
const PACKET_BYTES_MAX = (256 << 10) + (80 << 10);
const CONNECT_WITHIN_MS = 20_000;
/** What a client that does not read is sent at most before it is cut off. */
const UNREAD_BYTES_MAX = 8 << 20;
/** How long what was written last has to reach a client whose connection the hub closes. */
export const LINGER_MS = 250;
/** Wall clocks jump and locks of commands end: looked at so often at least. */
const WATCH_MS_MAX = 30_000;
const WATCH_MS_MIN = 5;

export interface ConnectionOptions {
  readonly hub: Hub;
  readonly stream: Duplex;
  /** Of the TLS connection, when the client showed one. */
  readonly certificate: ClientCertificate | undefined;
  readonly remote: string;
  /** Ends the TCP connection below the stream with a reset. */
  readonly cut: () => void;
  readonly allowFaults: boolean;
  readonly refusals: RefusalLog;
  readonly onSession: (session: ClientSession) => void;
  readonly onClosed: (connection: MqttConnection) => void;
}

/** One client's connection, from its first byte to its end. Whatever is wrong on it ends it, and nothing else. */
export class MqttConnection implements Outlet {
  readonly #options: ConnectionOptions;
  readonly #parser = parser({ protocolVersion: 4 });
  readonly #splitter = new FrameSplitter(CONNECT_BYTES_MAX);
  readonly #ended = new AbortController();
  #rewatch = new AbortController();
  #parsed: Packet | undefined;
  #session: ClientSession | undefined;
  #request: ConnectRequest | undefined;
  #out: Buffer[] = [];
  #heardMs: number;
  #saidGoodbye = false;
  /** It reads nothing now, for what came last must wait: so it can't know whether the client is silent. */
  #isHolding = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#heardMs = options.hub.clock.monotonicMs();
    this.#parser.on("packet", (packet) => {
      this.#parsed = packet;
    });
    this.#parser.on("error", (error: Error) => {
      throw error;
    });
    options.stream.on("error", () => undefined);
    options.stream.on("close", () => this.close("the client is gone"));
  }

  get session(): ClientSession | undefined {
    return this.#session;
  }

  /** Runs until the connection has ended; never rejects. */
  async run(): Promise<void> {
    this.#watch().catch((error: unknown) => this.close(error instanceof Error ? error.message : String(error)));
    try {
      for await (const piece of this.#options.stream.iterator({ destroyOnReturn: false })) {
        for (const frame of this.#splitter.split(piece as Buffer)) {
          // What was on its way when the hub closed the connection is not taken: nobody could tell its sender.
          if (this.#ended.signal.aborted) return;
          const held = this.#handle(this.#parse(frame));
          if (held !== undefined) await this.#holding(held);
          if (this.#options.stream.writableNeedDrain) await this.#drained();
        }
      }
      this.close("the client ended it");
    } catch (error) {
      this.close(error instanceof Error ? error.message : String(error));
    } finally {
      // Unread bytes would turn the end into a reset, which clients take for another fault.
      this.#options.stream.resume();
    }
  }

  async #holding(held: Promise<void>): Promise<void> {
    this.#isHolding = true;
    await held;
    this.#isHolding = false;
    this.#heardMs = this.#options.hub.clock.monotonicMs();
  }

  send(packet: Packet): void {
    this.#write(generate(packet));
  }

  publish(topic: string, payload: Buffer | string, delivery?: { qos: 1; messageId: number; dup: boolean }): void {
    this.send({ cmd: "publish", topic, payload, retain: false, qos: 0, dup: false, ...delivery });
  }

  acknowledge(messageId: number): void {
    this.#write(Buffer.of(0x40, 2, messageId >> 8, messageId & 0xff));
  }

  close(reason: string): void {
    if (!this.#end(reason)) return;
    const { stream } = this.#options;
    this.#flush();
    stream.end();
    setTimeout(() => stream.destroy(), LINGER_MS).unref();
  }

  reset(reason: string): void {
    if (!this.#end(reason)) return;
    this.#options.cut();
  }

  #end(reason: string): boolean {
    if (this.#ended.signal.aborted) return false;
    this.#ended.abort();
    const { hub, remote } = this.#options;
    try {
      this.#session?.end(this.#saidGoodbye);
    } catch (error) {
      // The disk may refuse to take commands back: their locks end by themselves.
      hub.logger.error({ ...this.#session?.identity, err: error }, "session not ended well");
    }
    if (this.#session !== undefined)
      hub.logger.info({ ...this.#session.identity, remote, reason }, "device disconnected");
    else hub.logger.debug({ remote, reason }, "connection ended before a device was known");
    this.#options.onClosed(this);
    return true;
  }

  #parse(frame: Buffer): Packet {
    this.#parsed = undefined;
    this.#parser.parse(frame);
    if (this.#parsed === undefined) throw new Error("a malformed packet");
    return this.#parsed;
  }

  #handle(packet: Packet): Promise<void> | undefined {
    this.#heardMs = this.#options.hub.clock.monotonicMs();
    if (packet.cmd === "disconnect") {
      this.#saidGoodbye = true;
      this.close("the client said goodbye");
      return undefined;
    }
    if (this.#session !== undefined) return this.#session.handle(packet);
    if (packet.cmd !== "connect") this.close("its first packet is not CONNECT");
    else this.#connect(packet.clientId, readConnect(this.#options.hub, packet, this.#options.certificate));
    return undefined;
  }

  #connect(clientId: string, request: ReturnType<typeof readConnect>): void {
    const { hub, remote, allowFaults, refusals, onSession } = this.#options;
    if ("returnCode" in request) {
      this.send({ cmd: "connack", returnCode: request.returnCode, sessionPresent: false });
      refusals.refused(clientId, remote, request.reason);
      this.close(request.reason);
      return;
    }
    refusals.accepted(clientId);
    this.#request = request;
    this.#splitter.bytesMax = PACKET_BYTES_MAX;
    const session = new ClientSession({ hub, request, outlet: this, signal: this.#ended.signal, allowFaults });
    this.#session = session;
    hub.logger.info({ ...request.identity, remote }, "device connected");
    this.send({ cmd: "connack", returnCode: CONNACK.accepted, sessionPresent: session.isRestored });
    onSession(session);
    session.resume();
    // The watch slept for the time that a CONNECT may take.
    this.#rewatch.abort();
  }

  /** What is sent in one turn of the loop goes out in one piece: one TLS record for all the PUBACKs of a commit. */
  #write(bytes: Buffer): void {
    if (this.#ended.signal.aborted) return;
    if (this.#out.push(bytes) === 1) process.nextTick(() => this.#flush());
  }

  #flush(): void {
    const { stream } = this.#options;
    const out = this.#out;
    this.#out = [];
    if (out.length === 0 || stream.destroyed || stream.writableEnded) return;
    stream.write(out.length === 1 ? out[0] : Buffer.concat(out));
    if (stream.writableLength > UNREAD_BYTES_MAX) this.reset("it does not read what it is sent");
  }

  async #drained(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const { stream } = this.#options;
    stream.once("drain", resolve);
    this.#ended.signal.addEventListener("abort", () => resolve(), { once: true });
    await promise;
    stream.off("drain", resolve);
  }

  /** Ends it when the client is silent for too long, or its token has expired. */
  async #watch(): Promise<void> {
    const { clock } = this.#options.hub;
    const { signal } = this.#ended;
    while (!signal.aborted) {
      const silentMs = this.#isHolding ? 0 : clock.monotonicMs() - this.#heardMs;
      const silenceLeftMs = (this.#request?.silenceMsMax ?? CONNECT_WITHIN_MS) - silentMs;
      const tokenLeftMs = (this.#request?.grant.expiresMs ?? Number.POSITIVE_INFINITY) - clock.nowMs();
      if (silenceLeftMs <= 0) this.close(this.#session === undefined ? "no CONNECT came" : "the client is silent");
      else if (tokenLeftMs <= 0) this.close("its token has expired");
      else {
        this.#session?.deliverCommands();
        this.#rewatch = new AbortController();
        const dueMs = Math.max(WATCH_MS_MIN, Math.min(silenceLeftMs, tokenLeftMs, WATCH_MS_MAX));
        await clock.sleep(dueMs, AbortSignal.any([signal, this.#rewatch.signal]));
      }
    }
  }
}
