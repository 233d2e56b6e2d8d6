import type { IncomingMessage } from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { createServer as createTlsServer, Server as TlsServer } from "node:tls";
import type { Hub } from "../ports.ts";
import { acceptConnection } from "./accept-connection.ts";
import { AmqpConnection, type Shared } from "./amqp-connection.ts";
import { conditionOf } from "./amqp-error.ts";
import { type Claim, claimOfPassword } from "./claims.ts";
import { consumerGroupsOf } from "./consumer-groups.ts";
import { ConsumerPump } from "./consumer-pump.ts";
import { ConsumerRegistry } from "./consumer-registry.ts";
import { FeedbackDispatcher } from "./feedback-link.ts";
import { acceptWebSocket } from "./web-socket.ts";

const CONNECTIONS_MAX = 1000;
const SWEEP_MS = 1_000;

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

/**
 * Serves the Event Hubs protocol and the service side of IoT Hub.
 * @throws HubError ArgumentInvalid (consumer groups), and the system's error when a port can't be had
 */
export async function startAmqp(hub: Hub, options: AmqpOptions): Promise<AmqpFront> {
  const groups = consumerGroupsOf(options.consumerGroups ?? []).map((name) => name.toLowerCase());
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
  readonly #connections = new Set<AmqpConnection>();
  readonly #sockets = new Set<Socket>();
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
      for (const connection of this.#connections) connection.sweep();
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
    const gone = [...this.#connections].map((connection) => connection.close("the hub stops"));
    await Promise.all(gone);
    // Those that never got as far as AMQP.
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
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
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    server.on("error", (error) => this.#hub.logger.warn({ err: error }, "listener failed"));
    this.#servers.push(server);
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : port;
  }

  #accept(socket: Socket | Duplex): void {
    // A WebSocket's connection was another listener's.
    if (this.#closed !== undefined || this.#connections.size >= CONNECTIONS_MAX) {
      socket.destroy();
      return;
    }
    if ("setNoDelay" in socket) socket.setNoDelay(true);
    const { access, clock, logger } = this.#hub;
    let proved: Claim | undefined;
    const connection = acceptConnection(socket, {
      password: (user, password) => {
        try {
          proved = claimOfPassword(user, password, access, clock.nowMs());
          return true;
        } catch (error) {
          logger.info({ user, err: error }, "password refused");
          return false;
        }
      },
      trouble: (error) => {
        logger.debug({ err: error }, "client in trouble");
        served.hangUp();
      },
    });
    const served = new AmqpConnection(this.#shared, connection, socket);
    this.#connections.add(served);
    connection.on("connection_open", () => {
      if (proved !== undefined) served.prove(proved);
    });
    socket.on("close", () => {
      this.#connections.delete(served);
      served.ended();
    });
  }
}
