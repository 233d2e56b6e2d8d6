import type { IPublishPacket } from "mqtt-packet";
import type { Grant } from "../authorize.ts";
import { HubError } from "../hub-error.ts";
import { messageBytes } from "../message-size.ts";
import type { Hub, Identity, NewHubEvent } from "../ports.ts";
import type { Outlet } from "./outlet.ts";
import type { PublishTopic } from "./topics.ts";

const MESSAGE_BYTES_MAX = 256 << 10;
/** What of one connection may wait for the disk; more is left in its socket. */
const IN_FLIGHT_BYTES_MAX = 4 << 20;
const IN_FLIGHT_MESSAGES_MAX = 1_024;

type EventTopic = Extract<PublishTopic, { kind: "event" }>;

/** Takes the events of one connection: measured, metered, appended in order, acknowledged when they are on disk. */
export class EventSender {
  readonly #hub: Hub;
  readonly #source: Identity;
  readonly #grant: Grant;
  readonly #outlet: Outlet;
  readonly #acknowledge: (messageId: number) => void;
  #bytes = 0;
  #messages = 0;
  #room: PromiseWithResolvers<void> | undefined;

  constructor(hub: Hub, source: Identity, grant: Grant, outlet: Outlet, acknowledge: (messageId: number) => void) {
    this.#hub = hub;
    this.#source = source;
    this.#grant = grant;
    this.#outlet = outlet;
    this.#acknowledge = acknowledge;
  }

  /** Resolves, or returns, when the connection may read on. */
  take(packet: IPublishPacket, { properties, system }: EventTopic, signal: AbortSignal): Promise<void> | undefined {
    const body = typeof packet.payload === "string" ? Buffer.from(packet.payload) : packet.payload;
    const bytes = messageBytes(body, properties, system);
    if (bytes > MESSAGE_BYTES_MAX) {
      this.#outlet.close(`a message of ${bytes} bytes, at most ${MESSAGE_BYTES_MAX} are allowed`);
      return undefined;
    }
    const verdict = this.#hub.meter.admit(this.#source, bytes);
    if (verdict.verdict === "refused") {
      this.#outlet.close(
        verdict.reason === "quota" ? "the day's messages are used up" : "it sends faster than allowed",
      );
      return undefined;
    }
    const event: NewHubEvent = {
      source: this.#source,
      body,
      // IoT Hub keeps no retained messages; it says that one was meant to be.
      properties: packet.retain ? { ...properties, "mqtt-retain": "true" } : properties,
      system,
      messageSource: "Telemetry",
      authMethod: this.#grant.authMethod,
      authGenerationId: this.#grant.entry.generationId,
    };
    const messageId = packet.qos === 1 ? packet.messageId : undefined;
    if (verdict.verdict === "now") {
      this.#append(event, bytes, messageId);
      return this.#whenRoom();
    }
    // What comes behind it waits as well: the order is kept, and the client is slowed by its own socket.
    return this.#hub.clock.sleep(verdict.ms, signal).then(() => {
      if (signal.aborted) return undefined;
      this.#append(event, bytes, messageId);
      return this.#whenRoom();
    });
  }

  #append(event: NewHubEvent, bytes: number, messageId: number | undefined): void {
    this.#bytes += bytes;
    this.#messages++;
    this.#hub.events.append(event).then(
      () => {
        this.#leave(bytes);
        if (messageId !== undefined) this.#acknowledge(messageId);
      },
      (error: unknown) => {
        this.#leave(bytes);
        this.#outlet.close(error instanceof HubError ? error.message : "the event could not be stored");
      },
    );
  }

  #leave(bytes: number): void {
    this.#bytes -= bytes;
    this.#messages--;
    if (this.#bytes > IN_FLIGHT_BYTES_MAX / 2 || this.#messages > IN_FLIGHT_MESSAGES_MAX / 2) return;
    this.#room?.resolve();
    this.#room = undefined;
  }

  #whenRoom(): Promise<void> | undefined {
    if (this.#bytes < IN_FLIGHT_BYTES_MAX && this.#messages < IN_FLIGHT_MESSAGES_MAX) return undefined;
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }
}
