import type { Packet } from "mqtt-packet";

/** What the parts of a connection send through. */
export interface Outlet {
  send(packet: Packet): void;
  /** QoS 0 without a message id. */
  publish(topic: string, payload: Buffer | string, delivery?: { qos: 1; messageId: number; dup: boolean }): void;
  acknowledge(messageId: number): void;
  /** Closes the connection; the reason is for the log. */
  close(reason: string): void;
  /** Cuts it, so that the client sees a reset where the transport can do that. */
  reset(reason: string): void;
}
