import { EventEmitter } from "node:events";
import { Duplex } from "node:stream";

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
  readonly #isWebSocket: boolean;
  readonly #clients = new Set<MqttJsClient>();
  #phase: Phase = "nothing";
  #error: Error | undefined;
  #isEndedByPeer = false;
  #isSilent = false;
  #isSealed = false;

  /**
   * @param connectTimeoutMs mqtt.js's own, which tells nothing of why: longer than what the connector waits
   * @param isWebSocket whose stream ends however it was closed, so that its end says nothing
   */
  constructor(connectTimeoutMs: number, isWebSocket: boolean) {
    this.#connectTimeoutMs = connectTimeoutMs;
    this.#isWebSocket = isWebSocket;
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

  /** Whether the latest socket was given up here because the other side owed an answer to a ping. */
  get isSilent(): boolean {
    return this.#isSilent;
  }

  /** Watches the sockets of an SDK transport; to be called before it connects. */
  watch(transport: object): void {
    // Private to the SDK, whose version is pinned; without it errors are told less exactly, and that is all.
    const base = Reflect.get(transport, "_mqtt") as { mqttProvider?: MqttJsProvider } | undefined;
    const provider = base?.mqttProvider;
    if (base === undefined || provider === undefined) return;
    base.mqttProvider = {
      connect: (uri, options) => {
        if (this.#isSealed) return new NoClient();
        const client = provider.connect(uri, { ...options, connectTimeout: this.#connectTimeoutMs });
        this.#watchClient(client);
        return client;
      },
    };
  }

  /**
   * No further socket from now on. A request that reaches the SDK's transport after a loss would make it connect again by
   * itself, and so take the identity away from the session that came after.
   */
  seal(): void {
    this.#isSealed = true;
  }

  /** Cuts everything at once, for good. */
  destroy(): void {
    this.seal();
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
    this.#isSilent = false;
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
      this.#isEndedByPeer = !this.#isWebSocket;
    });
    stream.on("error", note);
    client.on("error", note);
    client.on("connect", () => {
      this.#phase = "open";
    });
    client.on("close", () => {
      this.#clients.delete(client);
      this.#isSilent = client.pingResp === false;
    });
  }
}

/** What a sealed wire gives in place of a connection: it fails at once. */
class NoClient extends EventEmitter implements MqttJsClient {
  readonly stream = new Duplex().destroy();

  constructor() {
    super();
    process.nextTick(() => this.emit("close"));
  }

  end(_force: boolean, callback?: () => void): void {
    if (callback) process.nextTick(callback);
  }
}
