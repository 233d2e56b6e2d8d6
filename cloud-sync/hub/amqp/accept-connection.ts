import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import rhea, { type EventContext } from "rhea";
import { boundDecoding } from "./bounded-decoding.ts";
import type { ServerConnection } from "./rhea-parts.ts";

const CONTAINER_ID = "tailstock-hub";
/** What a client must send something in; it is told, and sends an empty frame. */
const IDLE_MS_MAX = 60_000;
const FRAME_BYTES = 64 * 1024;
/** Without them a peer, or rhea, that is in trouble would have the error thrown in the middle of the event loop. */
const TROUBLES = ["error", "protocol_error", "connection_error", "session_error"];
const OTHERS = ["connection_close", "session_close", "disconnected"];

boundDecoding();

export interface ConnectionHooks {
  /** SASL PLAIN: whether the password is right. */
  password(user: string, password: string): boolean;
  /** The peer broke the protocol, or said that we did; rhea ends the socket when it can't go on. */
  trouble(error: unknown): void;
}

/**
 * Begins AMQP on a socket, as a server: SASL PLAIN, ANONYMOUS, MSSBCBS or none. Each connection has a container of its
 * own, for who comes in by PLAIN is known by nothing else.
 */
export function acceptConnection(socket: Socket | Duplex, hooks: ConnectionHooks): ServerConnection {
  const container = rhea.create_container({ id: CONTAINER_ID });
  for (const event of TROUBLES) {
    container.on(event, (what: EventContext | Error) => hooks.trouble(what instanceof Error ? what : what.error));
  }
  for (const event of OTHERS) container.on(event, () => undefined);
  const mechanisms = container.sasl_server_mechanisms;
  mechanisms.enable_anonymous();
  mechanisms.enable_plain((user: string | null, password: string | null) => hooks.password(user ?? "", password ?? ""));
  // Nothing is proved by it: the token comes by $cbs.
  mechanisms.MSSBCBS = () => ({ outcome: true, username: "$cbs", start: () => undefined });
  const options = {
    idle_time_out: IDLE_MS_MAX,
    max_frame_size: FRAME_BYTES,
    receiver_options: { autoaccept: false, credit_window: 0 },
  };
  const connection = container.create_connection(
    options as Parameters<typeof rhea.create_connection>[0],
  ) as ServerConnection;
  connection.accept(socket);
  return connection;
}
