import type { IPublishPacket, ISubscribePacket, IUnsubscribePacket, Packet } from "mqtt-packet";
import { messageBytes } from "../message-size.ts";
import type { Hub, Identity, JsonMap, Link } from "../ports.ts";
import { CommandDelivery } from "./command-delivery.ts";
import type { ConnectRequest } from "./connect-request.ts";
import { EventSender } from "./event-sender.ts";
import { faultOf } from "./fault.ts";
import { MessageIds } from "./message-ids.ts";
import { MethodCalls } from "./method-calls.ts";
import type { Outlet } from "./outlet.ts";
import { Subscriptions } from "./subscriptions.ts";
import {
  commandsFilters,
  DESIRED_FILTER,
  METHODS_FILTER,
  type PublishTopic,
  publishTopicOf,
  TWIN_RESPONSES_FILTER,
} from "./topics.ts";
import { TwinRequests } from "./twin-requests.ts";

export interface SessionOptions {
  readonly hub: Hub;
  readonly request: ConnectRequest;
  readonly outlet: Outlet;
  /** Aborted when the connection ends. */
  readonly signal: AbortSignal;
  /** Whether messages may order faults. */
  readonly allowFaults: boolean;
}

/** One client that has proved who it is: what it sends is handled, what is for it is sent. */
export class ClientSession {
  readonly identity: Identity;
  readonly #options: SessionOptions;
  readonly #subscriptions: Subscriptions;
  readonly #link: Link;
  readonly #events: EventSender;
  readonly #twin: TwinRequests;
  readonly #methods: MethodCalls;
  readonly #commands: CommandDelivery;
  #detach: (() => void) | undefined;

  /** Takes the client's place among the links: an older connection of it is closed. */
  constructor(options: SessionOptions) {
    const { hub, request, outlet } = options;
    const { identity, grant } = request;
    this.identity = identity;
    this.#options = options;
    // First of all, for the disk may refuse it: nothing is attached then.
    this.#subscriptions = new Subscriptions(hub, identity, request.clean);
    const messageIds = new MessageIds();
    this.#events = new EventSender(hub, identity, grant, outlet, (messageId) => outlet.acknowledge(messageId));
    this.#twin = new TwinRequests(hub, identity, outlet, messageIds, () => this.#hearsAnswers);
    this.#methods = new MethodCalls(hub, identity, outlet);
    this.#commands = new CommandDelivery(hub, identity.deviceId, outlet, messageIds);
    this.#link = { ...identity, invoke: undefined, close: (reason) => outlet.close(reason) };
    this.#detach = hub.links.attach(this.#link);
  }

  get #hearsAnswers(): boolean {
    return this.#subscriptions.qosOf(TWIN_RESPONSES_FILTER) !== undefined;
  }

  get isRestored(): boolean {
    return this.#subscriptions.isRestored;
  }

  /** What was subscribed to before goes on; call it when the client was told that it is in. */
  resume(): void {
    this.#apply();
  }

  /** Resolves, or returns, when the next packet may be handled. */
  handle(packet: Packet): Promise<void> | undefined {
    const { hub, outlet } = this.#options;
    hub.links.touched(this.identity);
    switch (packet.cmd) {
      case "publish":
        return this.#take(packet);
      case "puback":
        if (!this.#commands.acknowledged(packet.messageId ?? 0)) this.#twin.acknowledged(packet.messageId ?? 0);
        return undefined;
      case "subscribe":
        this.#subscribe(packet);
        return othersTurn();
      case "unsubscribe":
        this.#unsubscribe(packet);
        return othersTurn();
      case "pingreq":
        outlet.send({ cmd: "pingresp" });
        return undefined;
      default:
        outlet.close(`a packet that no client sends here: ${packet.cmd}`);
        return undefined;
    }
  }

  tellDesired(patch: JsonMap): void {
    const qos = this.#subscriptions.qosOf(DESIRED_FILTER);
    if (qos !== undefined) this.#twin.tellDesired(patch, qos);
  }

  /** Its identity was changed: it goes when what it proved itself with would no longer let it in. */
  proveAgain(): void {
    const { outlet, request } = this.#options;
    try {
      request.prove();
    } catch (error) {
      outlet.close(`its identity was changed: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** A command was enqueued, or a lock may have ended. */
  deliverCommands(): void {
    try {
      this.#commands.deliver();
    } catch (error) {
      // The disk refuses to lock one. Who put it into the queue has nothing to do with that: there it is.
      const { hub, outlet } = this.#options;
      hub.logger.warn({ ...this.identity, err: error }, "commands not delivered");
      outlet.close("its commands can't be delivered now");
    }
  }

  /** @param isGraceful whether the client said goodbye: it takes its will back */
  end(isGraceful: boolean): void {
    this.#detach?.();
    this.#detach = undefined;
    this.#link.invoke = undefined;
    this.#methods.close();
    this.#commands.close();
    if (!isGraceful) this.#sendWill();
  }

  #take(packet: IPublishPacket): Promise<void> | undefined {
    const { outlet } = this.#options;
    const topic = packet.qos === 2 ? undefined : publishTopicOf(packet.topic, this.identity);
    if (topic === undefined) {
      outlet.close(packet.qos === 2 ? "QoS 2" : `a topic that it may not publish to: ${packet.topic.slice(0, 256)}`);
      return undefined;
    }
    if (topic.kind === "event") return this.#takeEvent(packet, topic);
    if (packet.qos === 1) outlet.acknowledge(packet.messageId ?? 0);
    if (topic.kind === "methodResponse") this.#methods.answered(topic.requestId, topic.status, packet.payload);
    else if (topic.kind === "twinGet") this.#twin.get(topic.requestId);
    else this.#twin.patchReported(topic.requestId, packet.payload);
    return othersTurn();
  }

  #takeEvent(packet: IPublishPacket, topic: Extract<PublishTopic, { kind: "event" }>): Promise<void> | undefined {
    const { hub, outlet, signal, allowFaults } = this.#options;
    const fault = allowFaults ? faultOf(topic.properties) : undefined;
    if (fault === undefined) return this.#events.take(packet, topic, signal);
    if (packet.qos === 1) outlet.acknowledge(packet.messageId ?? 0);
    void hub.clock.sleep(fault.delayMs, signal).then(() => {
      if (fault.kind === "reset") outlet.reset("a test ordered it");
      else outlet.close("a test ordered it");
    });
    return undefined;
  }

  #subscribe(packet: ISubscribePacket): void {
    const { outlet } = this.#options;
    const granted = this.#subscriptions.add(packet.subscriptions);
    if (granted === undefined) {
      outlet.close("a topic that it may not subscribe to");
      return;
    }
    outlet.send({ cmd: "suback", messageId: packet.messageId ?? 0, granted });
    this.#apply();
  }

  #unsubscribe(packet: IUnsubscribePacket): void {
    this.#subscriptions.remove(packet.unsubscriptions);
    this.#options.outlet.send({ cmd: "unsuback", messageId: packet.messageId ?? 0, granted: [] });
    this.#apply();
  }

  #apply(): void {
    const listens = this.#subscriptions.qosOf(METHODS_FILTER) !== undefined;
    if (listens && this.#link.invoke === undefined) {
      this.#link.invoke = (request) => this.#methods.invoke(request);
      this.#options.hub.links.listens(this.#link);
    } else if (!listens) this.#link.invoke = undefined;
    if (this.identity.moduleId !== undefined) return;
    this.#commands.subscribed(this.#subscriptions.usedOf(commandsFilters(this.identity)));
  }

  #sendWill(): void {
    const { hub, request } = this.#options;
    const { will, grant } = request;
    if (will === undefined) return;
    const { body, properties, system } = will;
    if (hub.meter.admit(this.identity, messageBytes(body, properties, system)).verdict === "refused") return;
    const { authMethod, entry } = grant;
    const event = { source: this.identity, body, properties, system, messageSource: "Telemetry", authMethod };
    hub.events.append({ ...event, authGenerationId: entry.generationId }).catch((error: unknown) => {
      hub.logger.warn({ ...this.identity, err: error }, "a client's will was lost");
    });
  }
}

/** Behind what is written to disk at once: a client that sends much of it in one go does not hold up the others. */
function othersTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
