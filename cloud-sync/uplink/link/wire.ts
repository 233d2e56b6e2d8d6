import type { EventEmitter } from "node:events";
import type { Duplex } from "node:stream";

/** How far an attempt came. */
export type Phase = "nothing" | "tcp" | "tls" | "open";

interface MqttJsClient extends EventEmitter {
  readonly stream: Duplex;
  /** False while a ping is without its answer. */
  readonly pingResp?: boolean | null;
  end(force: boolean, callback?: () => void): unknown;
}
interface MqttJsProvider {
  connect(uri: string, options: Record<string, unknown>): MqttJsClient;
}

/**
 * What happens below the SDK, on the sockets of one of its clients. The SDK turns every failure of a first connection into
 * "Not authorized" and every loss into "closed"; here the real cause is still to be seen. A renewal of the token opens a
 * second socket in place of the first, so there may be several in a row.
 */
export class Wire {
  readonly #connectTimeoutMs: number;
  readonly #clients = new Set<MqttJsClient>();
  #phase: Phase = "nothing";
  #error: Error | undefined;
  #isEndedByPeer = false;

  constructor(connectTimeoutMs: number) {
    this.#connectTimeoutMs = connectTimeoutMs;
  }

  /** Of the latest socket. */
  get phase(): Phase {
    return this.#phase;
  }

  /** The first error of the latest socket; undefined when there was none. */
  get error(): Error | undefined {
    return this.#error;
  }

  /** Whether the other side closed the latest socket in good order, rather than that it broke or fell silent. */
  get isEndedByPeer(): boolean {
    return this.#isEndedByPeer;
  }

  /** Watches the sockets of an SDK transport; to be called before it connects. */
  watch(transport: object): void {
    // Private to the SDK, whose version is pinned; without it errors are told less exactly, and that is all.
    const base = Reflect.get(transport, "_mqtt") as { mqttProvider?: MqttJsProvider } | undefined;
    const provider = base?.mqttProvider;
    if (base === undefined || provider === undefined) return;
    base.mqttProvider = {
      connect: (uri, options) => {
        const client = provider.connect(uri, { ...options, connectTimeout: this.#connectTimeoutMs });
        this.#watchClient(client);
        return client;
      },
    };
  }

  /** Cuts everything at once. */
  destroy(): void {
    for (const client of this.#clients) {
      client.end(true);
      client.stream.destroy();
    }
    this.#clients.clear();
  }

  #watchClient(client: MqttJsClient): void {
    this.#clients.add(client);
    this.#phase = "nothing";
    this.#error = undefined;
    this.#isEndedByPeer = false;
    const note = (error: Error): void => {
      this.#error ??= error;
    };
    const { stream } = client;
    stream.on("connect", () => {
      this.#phase = "tcp";
    });
    stream.on("secureConnect", () => {
      this.#phase = "tls";
    });
    stream.on("end", () => {
      this.#isEndedByPeer = true;
    });
    stream.on("error", note);
    client.on("error", note);
    client.on("connect", () => {
      this.#phase = "open";
    });
    client.on("close", () => {
      this.#clients.delete(client);
      // A WebSocket's stream closes without an end, and complains, without a code, of what is written after that. It was
      // the hub, unless the hub owes the answer to a ping: then it is silence that mqtt.js has given up on.
      const isBroken = this.#error !== undefined && "code" in this.#error;
      if (this.#phase === "open" && !isBroken && client.pingResp !== false) this.#isEndedByPeer = true;
    });
  }
}
