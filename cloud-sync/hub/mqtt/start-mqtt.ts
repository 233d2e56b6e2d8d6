import type { IncomingMessage } from "node:http";
import { type AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { createServer } from "node:tls";
import { createWebSocketStream, WebSocketServer } from "ws";
import { certificateOf } from "../client-certificate.ts";
import { keyOf } from "../identity.ts";
import type { Hub } from "../ports.ts";
import type { ClientSession } from "./client-session.ts";
import { LINGER_MS, MqttConnection } from "./connection.ts";
import { RefusalLog } from "./refusal-log.ts";

const WEB_SOCKET_PATH = "/$iothub/websocket";
const HANDSHAKE_MS = 10_000;
const CONNECTIONS_MAX = 20_000;
/** Connections that have not proved yet whose they are. */
const UNKNOWN_MAX = 2_000;
const WEB_SOCKET_MESSAGE_BYTES_MAX = 1 << 20;

export interface MqttOptions {
  readonly host: string;
  /** 0 for any that is free; IoT Hub's is 8883. */
  readonly port: number;
  /** PEM. */
  readonly key: string;
  readonly cert: string;
  /** PEM; authorities whose certificates devices of type "certificateAuthority" may show. */
  readonly caCertificates?: readonly string[];
  /** Whether messages with AzIoTHub_FaultOperationType may cut their own connection; default false. */
  readonly allowFaults?: boolean;
}

export interface MqttFront {
  readonly port: number;
  /**
   * For an HTTPS server's "upgrade": MQTT over WebSocket. It sees a client's certificate when that server was made with
   * requestCert: true and rejectUnauthorized: false.
   */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** New connections see the new certificate; those there are go on. */
  setCertificate(certificate: { readonly key: string; readonly cert: string }): void;
  close(): Promise<void>;
}

/** Serves IoT Hub's dialect of MQTT 3.1.1 over TLS. @throws Error of node:net when it can't listen, or of node:tls */
export async function startMqtt(hub: Hub, options: MqttOptions): Promise<MqttFront> {
  const connections = new Set<MqttConnection>();
  const sessions = new Map<string, ClientSession>();
  const refusals = new RefusalLog(hub.logger, hub.clock);
  const sockets = new Map<string, Socket>();
  const context = { ca: [...(options.caCertificates ?? [])], minVersion: "TLSv1.2" as const };

  const accept = (stream: Duplex, socket: Duplex): void => {
    const unknown = connections.size - sessions.size;
    if (connections.size >= CONNECTIONS_MAX || unknown >= UNKNOWN_MAX) {
      stream.destroy();
      return;
    }
    const address = addressOf(socket);
    const connection = new MqttConnection({
      hub,
      stream,
      certificate: certificateOf(socket),
      remote: (socket instanceof Socket ? socket.remoteAddress : undefined) ?? "unknown",
      cut: () => {
        sockets.get(address)?.resetAndDestroy();
        stream.destroy();
      },
      allowFaults: options.allowFaults ?? false,
      refusals,
      onSession: (session) => sessions.set(keyOf(session.identity), session),
      onClosed: (closed) => {
        connections.delete(closed);
        const { session } = closed;
        if (session === undefined) return;
        const key = keyOf(session.identity);
        if (sessions.get(key) === session) sessions.delete(key);
      },
    });
    connections.add(connection);
    void connection.run();
  };

  const server = createServer({
    ...context,
    key: options.key,
    cert: options.cert,
    requestCert: true,
    rejectUnauthorized: false,
    handshakeTimeout: HANDSHAKE_MS,
    noDelay: true,
  });
  server.maxConnections = CONNECTIONS_MAX;
  server.on("connection", (socket: Socket) => {
    // A TLS socket can't be reset, and no longer knows its own socket: found by the client's address.
    const address = addressOf(socket);
    sockets.set(address, socket);
    socket.once("close", () => sockets.delete(address));
  });
  server.on("secureConnection", (socket) => accept(socket, socket));
  server.on("tlsClientError", (error, socket) => {
    hub.logger.debug({ remote: socket.remoteAddress, err: error }, "TLS handshake failed");
    socket.destroy();
  });
  const webSockets = new WebSocketServer({
    noServer: true,
    maxPayload: WEB_SOCKET_MESSAGE_BYTES_MAX,
    perMessageDeflate: false,
    handleProtocols: (protocols) => (protocols.has("mqtt") ? "mqtt" : false),
  });

  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen(options.port, options.host, resolve);
  await promise;
  server.off("error", reject);
  server.on("error", (error) => hub.logger.error({ err: error }, "MQTT listener failed"));

  const unlisten = [
    hub.twins.onDesired((identity, patch) => sessions.get(keyOf(identity))?.tellDesired(patch)),
    hub.registry.onChanged((identity, _entry, what) => {
      if (what === "updated") sessions.get(keyOf(identity))?.proveAgain();
    }),
    hub.commands.onEnqueued((deviceId) => sessions.get(deviceId)?.deliverCommands()),
  ];
  return {
    port: (server.address() as AddressInfo).port,
    handleUpgrade(request, socket, head) {
      const [path] = (request.url ?? "").split("?");
      if (path !== WEB_SOCKET_PATH) {
        socket.on("error", () => undefined);
        socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n");
        return;
      }
      webSockets.handleUpgrade(request, socket, head, (webSocket) => accept(createWebSocketStream(webSocket), socket));
    },
    setCertificate: ({ key, cert }) => server.setSecureContext({ ...context, key, cert }),
    async close() {
      for (const stop of unlisten) stop();
      const closed = new Promise((done) => server.close(done));
      for (const connection of [...connections]) connection.close("the hub closes");
      // What is still shaking hands, or does not take its end, is not waited for.
      setTimeout(() => {
        for (const socket of sockets.values()) socket.destroy();
      }, LINGER_MS);
      await closed;
    },
  };
}

function addressOf(socket: Duplex): string {
  return socket instanceof Socket ? `${socket.remoteAddress}:${socket.remotePort}` : "";
}
