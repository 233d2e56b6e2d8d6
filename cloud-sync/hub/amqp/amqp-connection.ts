import type { Duplex } from "node:stream";
import type { EventContext, Receiver, Sender } from "rhea";
import type { Hub } from "../ports.ts";
import { type Address, parseAddress, pathOf } from "./address.ts";
import { AmqpError, conditionOf, isRefusal } from "./amqp-error.ts";
import { type Claim, Claims, claimOfToken } from "./claims.ts";
import { CommandSenderLink } from "./command-sender-link.ts";
import { ConsumerLink } from "./consumer-link.ts";
import type { ConsumerPump } from "./consumer-pump.ts";
import type { ConsumerRegistry } from "./consumer-registry.ts";
import { firstSequenceNumber, selectorOf } from "./event-position.ts";
import type { FeedbackDispatcher } from "./feedback-link.ts";
import { managementAnswer, partitionOf } from "./management.ts";
import { textOf } from "./message-fields.ts";
import { Outlet } from "./outlet.ts";
import { MESSAGE_BYTES_MAX, ProducerLink, tooLarge } from "./producer-link.ts";
import { type Request, RequestLinks } from "./request-links.ts";
import type { ServerConnection, ServerReceiver, ServerSender } from "./rhea-parts.ts";

const LINKS_MAX = 1000;
const SESSIONS_MAX = 1000;
/** A frame holds a message at most; room for its performative and properties. */
const FRAME_BYTES_MAX = MESSAGE_BYTES_MAX + 256 * 1024;
/** Who has proved nothing after so long is sent away. */
const UNPROVED_MS_MAX = 60_000;
/** Frames of one message, and bytes of all messages of a connection that are not here whole. */
const FRAMES_MAX = 8_192;
const INCOMPLETE_BYTES_MAX = 8 * 1024 * 1024;
const GOODBYE_MS = 500;
const TOKEN_TYPES = ["servicebus.windows.net:sastoken", "com.microsoft:sastoken"];
const RUNTIME_CAPABILITY = "com.microsoft:enable-receiver-runtime-metric";

/** What the connections of a front share. */
export interface Shared {
  readonly hub: Hub;
  readonly pump: ConsumerPump;
  readonly registry: ConsumerRegistry;
  readonly feedback: FeedbackDispatcher;
  /** In lower case. */
  readonly consumerGroups: ReadonlySet<string>;
  readonly nextPartition: () => number;
  /** Where the event hub is reached: for clients that ask the IoT Hub for it. */
  readonly eventHub: () => { readonly hostname: string; readonly port: number; readonly url: string };
}

interface Held {
  /** What it must have a claim for as long as it lives; undefined for $cbs, where claims come from. */
  readonly path: string | undefined;
  readonly link: ServerSender | ServerReceiver;
  readonly ended: () => void;
}

/** One connection: what it proved, and its links, each routed to what its address names. */
export class AmqpConnection {
  readonly #shared: Shared;
  readonly #connection: ServerConnection;
  readonly #socket: Duplex;
  readonly #outlet: Outlet;
  readonly #claims = new Claims();
  readonly #openedMs: number;
  readonly #held = new Map<Sender | Receiver, Held>();
  readonly #consumers = new Set<ConsumerLink>();
  readonly #receivers = new Set<ServerReceiver>();
  readonly #cbs: RequestLinks;
  readonly #management: RequestLinks;
  #sessions = 0;
  #hangingUp: NodeJS.Timeout | undefined;

  constructor(shared: Shared, connection: ServerConnection, socket: Duplex) {
    this.#shared = shared;
    this.#connection = connection;
    this.#socket = socket;
    this.#openedMs = shared.hub.clock.monotonicMs();
    this.#outlet = new Outlet(socket, () => this.#wake());
    this.#cbs = new RequestLinks((request) => this.#putToken(request));
    this.#management = new RequestLinks((request) => managementAnswer(shared.hub, request));
    connection.on("receiver_open", ({ receiver }: EventContext) => this.#opened(receiver as ServerReceiver));
    connection.on("sender_open", ({ sender }: EventContext) => this.#opened(sender as ServerSender));
    for (const event of ["receiver_close", "sender_close"]) {
      connection.on(event, ({ receiver, sender }: EventContext) => this.#ended(receiver ?? sender));
    }
    connection.on("session_open", () => {
      if (++this.#sessions > SESSIONS_MAX) void this.close(`more than ${SESSIONS_MAX} sessions on one connection`);
    });
    connection.on("session_close", ({ session }: EventContext) => {
      this.#sessions--;
      // Nothing is said of its links by themselves.
      for (const link of [...this.#held.keys()]) if (link.session === session) this.#ended(link);
    });
    connection.on("sender_draining", ({ sender }: EventContext) => this.#drain(sender as ServerSender));
    // Behind rhea's own listener: whatever a client sent may have given credit or room in the session's window.
    socket.on("data", () => {
      this.#guardSize();
      this.#wake();
    });
  }

  /** What SASL PLAIN proved. */
  prove(claim: Claim): void {
    this.#claims.put(claim, this.#shared.hub.clock.nowMs());
  }

  /** Says why and waits a moment for the client to go. */
  async close(description: string): Promise<void> {
    this.#connection.close({ condition: "amqp:connection:forced", description });
    this.hangUp();
    if (!this.#socket.closed) await new Promise((resolve) => this.#socket.once("close", resolve));
  }

  /** What rhea has ended, or never began, is not left to the peer to end. */
  hangUp(): void {
    this.#hangingUp ??= setTimeout(() => this.#socket.destroy(), GOODBYE_MS);
  }

  /** Closes links whose token ran out, and a connection that never showed one. */
  sweep(): void {
    const { clock } = this.#shared.hub;
    if (this.#claims.empty && clock.monotonicMs() - this.#openedMs > UNPROVED_MS_MAX) {
      void this.close(`no token within ${UNPROVED_MS_MAX / 1000} s`);
      return;
    }
    for (const { path, link } of this.#held.values()) {
      if (path === undefined) continue;
      try {
        this.#claims.demand(path, "ServiceConnect", clock.nowMs());
      } catch (error) {
        link.close(conditionOf(error));
        this.#ended(link);
      }
    }
  }

  /** The socket is closed. */
  ended(): void {
    clearTimeout(this.#hangingUp);
    // rhea listens to the end of a stream only; one that was destroyed has none, and its timers would run on.
    this.#connection.abort_socket(this.#socket);
    for (const link of [...this.#held.keys()]) this.#ended(link);
  }

  #opened(link: ServerReceiver | ServerSender): void {
    const { hub } = this.#shared;
    try {
      if (this.#held.size >= LINKS_MAX) {
        throw new AmqpError("amqp:resource-limit-exceeded", `more than ${LINKS_MAX} links on one connection`);
      }
      const terminus = link.is_receiver() ? link.target : link.source;
      const text = textOf(terminus?.address) ?? "";
      const address = parseAddress(text, hub.hubName);
      if (address === undefined) {
        throw new AmqpError(
          "amqp:not-found",
          `The messaging entity '${text}' could not be found: this is '${hub.hubName}'`,
        );
      }
      // Clients attach to "$management" alone and put their token for the event hub's.
      const path =
        address.kind === "cbs"
          ? undefined
          : address.kind === "management"
            ? `${hub.hubName}/$management`
            : pathOf(text);
      if (path !== undefined) this.#claims.demand(path, "ServiceConnect", hub.clock.nowMs());
      const ended = link.is_receiver()
        ? this.#receives(link as ServerReceiver, address, text)
        : this.#sends(link as ServerSender, address, text);
      this.#held.set(link, { path, link, ended });
      if (link.is_receiver()) this.#receivers.add(link as ServerReceiver);
      echo(link);
    } catch (error) {
      this.#ended(link);
      if (!isRefusal(error)) hub.logger.error({ err: error, link: link.name }, "link failed");
      link.close(conditionOf(error));
    }
  }

  /** The client is the sender. Gives what is to be done when the link ends. */
  #receives(receiver: ServerReceiver, address: Address, text: string): () => void {
    const { hub, nextPartition } = this.#shared;
    switch (address.kind) {
      case "cbs":
        this.#cbs.addRequests(receiver);
        return () => undefined;
      case "management":
        this.#management.addRequests(receiver);
        return () => undefined;
      case "commands":
        new CommandSenderLink(hub, receiver);
        return () => undefined;
      case "producer": {
        const id = address.partition;
        const partition = id === undefined ? undefined : partitionOf(id, hub.events.partitions);
        new ProducerLink(hub, receiver, partition, nextPartition);
        return () => undefined;
      }
      case "redirect":
        throw this.#redirect(address.rest);
      default:
        throw new AmqpError("amqp:not-allowed", `nothing can be sent to '${text}'`);
    }
  }

  /** The client is the receiver. */
  #sends(sender: ServerSender, address: Address, text: string): () => void {
    switch (address.kind) {
      case "cbs":
        this.#cbs.addAnswers(sender);
        return () => this.#cbs.removeAnswers(sender);
      case "management":
        this.#management.addAnswers(sender);
        return () => this.#management.removeAnswers(sender);
      case "consumer":
        return this.#consumes(sender, address);
      case "feedback": {
        const link = this.#shared.feedback.add(sender);
        return () => this.#shared.feedback.remove(link);
      }
      case "file-notifications":
        return () => undefined;
      case "redirect":
        throw this.#redirect(address.rest);
      default:
        throw new AmqpError("amqp:not-allowed", `nothing can be received from '${text}'`);
    }
  }

  #consumes(sender: ServerSender, address: Address & { kind: "consumer" }): () => void {
    const { hub, pump, registry, consumerGroups } = this.#shared;
    const { consumerGroup } = address;
    if (!consumerGroups.has(consumerGroup.toLowerCase())) {
      const known = [...consumerGroups].join(", ");
      throw new AmqpError(
        "amqp:not-found",
        `The messaging entity '${hub.hubName}/ConsumerGroups/${consumerGroup}' could not be found: ` +
          `there is no such consumer group, only ${known}`,
      );
    }
    const partition = partitionOf(address.partition, hub.events.partitions);
    const sequenceNumber = firstSequenceNumber(selectorOf(sender.source?.filter), hub.events, partition);
    const link = new ConsumerLink(sender, this.#outlet, hub.events, hub.clock, {
      consumerGroup,
      partition,
      epoch: epochOf(sender.properties?.["com.microsoft:epoch"]),
      sequenceNumber,
      tracksRuntime: [sender.desired_capabilities].flat().some((name) => String(name) === RUNTIME_CAPABILITY),
    });
    registry.admit(link);
    hub.logger.debug({ consumerGroup, partition, epoch: link.epoch, sequenceNumber }, "consumer attached");
    this.#consumers.add(link);
    pump.add(link);
    return () => {
      this.#consumers.delete(link);
      pump.remove(link);
      registry.leave(link);
    };
  }

  #ended(link: Receiver | Sender | undefined): void {
    if (link === undefined) return;
    const held = this.#held.get(link);
    this.#held.delete(link);
    this.#receivers.delete(link as ServerReceiver);
    held?.ended();
  }

  #drain(sender: ServerSender): void {
    for (const consumer of this.#consumers) {
      if (consumer.name === sender.name) consumer.drain();
    }
  }

  #wake(): void {
    for (const link of this.#consumers) this.#shared.pump.wake(link);
  }

  /** rhea gathers whatever a peer announces; a message that may not be sent must not fill the memory either. */
  #guardSize(): void {
    if ((this.#connection.frame_size ?? 0) > FRAME_BYTES_MAX) {
      this.#socket.destroy();
      return;
    }
    let incompleteBytes = 0;
    for (const receiver of this.#receivers) {
      const frames = receiver._incomplete?.frames;
      if (frames === undefined || frames.length < 2) continue;
      const bytes = frames.reduce((sum, { length }) => sum + length, 0);
      incompleteBytes += bytes;
      if (bytes > FRAME_BYTES_MAX || frames.length > FRAMES_MAX || incompleteBytes > INCOMPLETE_BYTES_MAX) {
        receiver.close(conditionOf(tooLarge()));
        this.#socket.destroy();
      }
    }
  }

  #putToken({ properties, body }: Request): null {
    const { hub } = this.#shared;
    const operation = textOf(properties.operation);
    const type = textOf(properties.type) ?? "";
    if (operation !== "put-token") throw new AmqpError("amqp:not-implemented", `no operation '${operation}'`);
    if (!TOKEN_TYPES.includes(type)) {
      throw new AmqpError(
        "amqp:not-implemented",
        `tokens of type '${type}' are not taken, only shared access signatures`,
      );
    }
    const nowMs = hub.clock.nowMs();
    try {
      this.#claims.put(claimOfToken(textOf(body) ?? "", hub.access, nowMs), nowMs);
    } catch (error) {
      hub.logger.info({ audience: textOf(properties.name), err: error }, "token refused");
      throw error;
    }
    return null;
  }

  #redirect(rest: string): AmqpError {
    const { hostname, port, url } = this.#shared.eventHub();
    const address = `${url}/${this.#shared.hub.hubName}${rest}`;
    return new AmqpError("amqp:link:redirect", `the events are at ${address}`, {
      hostname,
      "network-host": hostname,
      port,
      address,
    });
  }
}

/** A link that is let in says so by repeating what the client asked for. */
function echo(link: ServerReceiver | ServerSender): void {
  if (link.source !== undefined && link.source !== null) link.set_source(link.source);
  if (link.target !== undefined && link.target !== null) link.set_target(link.target);
}

function epochOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) ? value : undefined;
}
