import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Connection, Delivery, Receiver, Sender, Session } from "rhea";

/** The parts of rhea 3 that this front uses and its typings leave out or loose. */

export interface ServerConnection extends Connection {
  accept(socket: Socket | Duplex): Connection;
  abort_socket(socket: Socket | Duplex): void;
  /** Size that the frame now being received announced; undefined between frames. */
  readonly frame_size?: number;
  /** Has what was changed written on the next tick. */
  _register(): void;
}

interface LocalLink {
  readonly attach: { snd_settle_mode?: number; max_message_size?: number };
}

export interface ServerSession extends Session {
  readonly outgoing: {
    /** Deliveries that can still be queued. */
    available(): number;
    /** Transfers that the peer's window still allows; NaN before its first flow. */
    transfer_window(): number;
  };
}

export interface ServerSender extends Sender {
  connection: ServerConnection;
  readonly session: ServerSession;
  readonly local: LocalLink;
  readonly credit: number;
  /** Deliveries that were written: rhea takes credit away then, not when they are queued. */
  readonly delivery_count: number;
}

export interface ServerReceiver extends Receiver {
  readonly session: ServerSession;
  readonly local: LocalLink;
  readonly credit: number;
  /** The delivery whose frames are still coming in. */
  readonly _incomplete?: { readonly frames: readonly Buffer[] };
}

export interface ServerDelivery extends Delivery {
  readonly format: number;
}

/** A message that rhea decoded, its fields of unknown type: a peer may send anything. */
export type DecodedMessage = Readonly<Record<string, unknown>>;

/** A data section, or several of them; what is not binary comes as the value itself. */
export interface DataSection {
  readonly typecode: number;
  readonly content: unknown;
  readonly multiple?: boolean;
}

export function isDataSection(body: unknown): body is DataSection {
  return typeof body === "object" && body !== null && "typecode" in body && body.typecode === 0x75;
}
