import type { IncomingMessage } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { createServer as createTlsServer, Server as TlsServer } from "node:tls";
import rhea, { type EventContext } from "rhea";
import type { Hub } from "../ports.ts";
import { AmqpConnection, type Shared } from "./amqp-connection.ts";
import { conditionOf } from "./amqp-error.ts";
import { type Claim, claimOfPassword } from "./claims.ts";
import { ConsumerPump } from "./consumer-pump.ts";
import { ConsumerRegistry } from "./consumer-registry.ts";
import { FeedbackDispatcher } from "./feedback-link.ts";
import type { ServerConnection } from "./rhea-parts.ts";
import { acceptWebSocket } from "./web-socket.ts";

const CONNECTIONS_MAX = 1000;
const CONSUMER_GROUPS_MAX = 20;
/** What a client must send something in; it is told, and sends an empty frame. */
const IDLE_MS_MAX = 60_000;
const FRAME_BYTES = 64 * 1024;
const CONTAINER_ID = "tailstock-hub";
const SWEEP_MS = 1_000;
const GOODBYE_MS = 500;

export interface AmqpOptions {
  readonly host: string;
  /** 5671 is what clients expect; 0 is any. */
  readonly tls?: { readonly port: number; readonly key: string | Buffer; readonly cert: string | Buffer };
  /** Without TLS, for UseDevelopmentEmulator=true; 5672 is what clients expect, 0 is any. */
  readonly plain?: { readonly port: number };
  /** Beside $Default, 19 at most. */
  readonly consumerGroups?: readonly string[];
}

export interface AmqpFront {
  /** Of the TLS listener, undefined when there is none. */
  readonly port: number | undefined;
  readonly plainPort: number | undefined;
  /** For an HTTP server's upgrade event; false when the request is not for AMQP over WebSocket. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean;
  /** For new connections, when the old one is about to end. */
  renewCertificate(certificate: { readonly key: string | Buffer; readonly cert: string | Buffer }): void;
  /** Says goodbye to the clients, waits for them a moment. Idempotent. */
  close(): Promise<void>;
}

/** Serves the Event Hubs protocol and the service side of IoT Hub. @throws the system's error when a port can't be had */
export async function startAmqp(hub: Hub, options: AmqpOptions): Promise<AmqpFront> {
  const groups = ["$Default", ...(options.consumerGroups ?? [])].map((name) => name.toLowerCase());
  if (groups.length > CONSUMER_GROUPS_MAX) throw new Error(`more than ${CONSUMER_GROUPS_MAX} consumer groups`);
  const front = new Front(hub, options.host, new Set(groups));
  try {
    if (options.tls !== undefined) await front.listenTls(options.tls);
    if (options.plain !== undefined) await front.listenPlain(options.plain.port);
  } catch (error) {
    await front.close();
    throw error;
  }
  return front;
}

class Front implements AmqpFront {
  port: number | undefined;
  plainPort: number | undefined;
  readonly #hub: Hub;
  readonly #host: string;
  readonly #connections = new Map<ServerConnection, { connection: AmqpConnection; socket: Duplex }>();
  readonly #servers: Server[] = [];
  readonly #shared: Shared;
  readonly #sweeper: NodeJS.Timeout;
  #roundRobin = 0;
  #closed: Promise<void> | undefined;

  constructor(hub: Hub, host: string, consumerGroups: ReadonlySet<string>) {
    this.#hub = hub;
    this.#host = host;
    this.#shared = {
      hub,
      registry: new ConsumerRegistry(),
      feedback: new FeedbackDispatcher(hub.commands, hub.hubName),
      pump: new ConsumerPump(hub.events, (link, error) => {
        hub.logger.error({ err: error, link: link.name, partition: link.partition }, "events not read");
        link.fail(conditionOf(error));
      }),
      consumerGroups,
      nextPartition: () => this.#roundRobin++ % hub.events.partitions,
      eventHub: () => {
        const port = this.port ?? this.plainPort ?? 0;
        const scheme = this.port === undefined ? "amqp" : "amqps";
        return { hostname: hub.hostName, port, url: `${scheme}://${hub.hostName}:${port}` };
      },
    };
    this.#sweeper = setInterval(() => {
      for (const { connection } of this.#connections.values()) connection.sweep();
    }, SWEEP_MS);
    this.#sweeper.unref();
  }

  async listenTls({ port, key, cert }: NonNullable<AmqpOptions["tls"]>): Promise<void> {
    const server = createTlsServer({ key, cert }, (socket) => this.#accept(socket));
    server.on("tlsClientError", (error) => this.#hub.logger.debug({ err: error }, "TLS failed"));
    this.port = await this.#listen(server, port);
  }

  async listenPlain(port: number): Promise<void> {
    this.plainPort = await this.#listen(
      createServer((socket) => this.#accept(socket)),
      port,
    );
  }

  renewCertificate(certificate: { readonly key: string | Buffer; readonly cert: string | Buffer }): void {
    for (const server of this.#servers) if (server instanceof TlsServer) server.setSecureContext(certificate);
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    return acceptWebSocket(request, socket, head, (stream) => this.#accept(stream));
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    clearInterval(this.#sweeper);
    this.#shared.pump.close();
    this.#shared.feedback.close();
    const closed = this.#servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    for (const connection of this.#connections.keys()) {
      connection.close({ condition: "amqp:connection:forced", description: "the hub stops" });
    }
    const late = setTimeout(() => {
      for (const { socket } of this.#connections.values()) socket.destroy();
    }, GOODBYE_MS);
    await Promise.all(closed);
    clearTimeout(late);
    for (const { socket } of this.#connections.values()) socket.destroy();
  }

  async #listen(server: Server, port: number): Promise<number> {
    server.maxConnections = CONNECTIONS_MAX;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, this.#host, () => {
        server.off("error", reject);
        resolve();
      });
    });
    server.on("error", (error) => this.#hub.logger.warn({ err: error }, "listener failed"));
    this.#servers.push(server);
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : port;
  }

  #accept(socket: Socket | Duplex): void {
    if (this.#closed !== undefined) {
      socket.destroy();
      return;
    }
    if ("setNoDelay" in socket) socket.setNoDelay(true);
    let proved: Claim | undefined;
    const container = this.#container((claim) => {
      proved = claim;
    });
    const connection = container.create_connection({
      idle_time_out: IDLE_MS_MAX,
      max_frame_size: FRAME_BYTES,
      receiver_options: { autoaccept: false, credit_window: 0 },
      sender_options: {},
    } as Parameters<typeof rhea.create_connection>[0]) as ServerConnection;
    connection.accept(socket);
    const served = new AmqpConnection(this.#shared, connection, socket);
    this.#connections.set(connection, { connection: served, socket });
    connection.on("connection_open", () => {
      if (proved !== undefined) served.prove(proved);
    });
    const ended = (): void => {
      if (!this.#connections.delete(connection)) return;
      served.ended();
    };
    connection.on("disconnected", ended);
    socket.on("close", () => {
      // rhea listens to the end of a stream only; a socket that was destroyed has none, and its timers would run on.
      connection.abort_socket(socket);
      ended();
    });
  }

  /** One for each connection: who comes in by SASL PLAIN is known by nothing else. */
  #container(proved: (claim: Claim) => void): ReturnType<typeof rhea.create_container> {
    const container = rhea.create_container({ id: CONTAINER_ID });
    // What rhea finds nobody for it emits as an error of the container, which would end the process.
    for (const event of ["error", "protocol_error", "connection_error", "session_error"]) {
      container.on(event, (what: EventContext | Error) => {
        const error = what instanceof Error ? what : what.error;
        this.#hub.logger.debug({ err: error, event }, "client in trouble");
      });
    }
    for (const event of ["connection_close", "session_close"]) container.on(event, () => undefined);
    const mechanisms = container.sasl_server_mechanisms;
    mechanisms.enable_anonymous();
    mechanisms.enable_plain((user: string | null, password: string | null) => {
      try {
        proved(claimOfPassword(user ?? "", password ?? "", this.#hub.access, this.#hub.clock.nowMs()));
        return true;
      } catch (error) {
        this.#hub.logger.info({ user, err: error }, "password refused");
        return false;
      }
    });
    // Nothing is proved by it: the token comes by $cbs.
    mechanisms.MSSBCBS = () => ({ outcome: true, username: "$cbs", start: () => undefined });
    return container;
  }
}
