import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { createWebSocketStream, WebSocketServer } from "ws";

const PATHS = ["/$servicebus/websocket", "/$iothub/websocket"];
const PROTOCOL = "AMQPWSB10";
const MESSAGE_BYTES_MAX = 2 * 1024 * 1024;

const server = new WebSocketServer({
  noServer: true,
  maxPayload: MESSAGE_BYTES_MAX,
  perMessageDeflate: false,
  handleProtocols: () => PROTOCOL,
});

/** IoT Hub has one path for MQTT and AMQP: the subprotocol tells them apart. */
export function acceptWebSocket(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  accepted: (stream: Duplex) => void,
): boolean {
  const path = (request.url ?? "").split("?", 1)[0]?.toLowerCase() ?? "";
  const protocols = String(request.headers["sec-websocket-protocol"] ?? "").split(/\s*,\s*/);
  if (!PATHS.includes(path) || !protocols.includes(PROTOCOL)) return false;
  server.handleUpgrade(request, socket, head, (webSocket) => accepted(createWebSocketStream(webSocket)));
  return true;
}
