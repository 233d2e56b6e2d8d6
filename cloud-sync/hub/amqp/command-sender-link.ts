import type { EventContext } from "rhea";
import type { Ack, Hub, NewCommand } from "../ports.ts";
import { pathOf } from "./address.ts";
import { AmqpError, conditionOf, isRefusal } from "./amqp-error.ts";
import { bodyOf, instantOf, propertiesOf, systemOf } from "./message-fields.ts";
import type { DecodedMessage, ServerDelivery, ServerReceiver } from "./rhea-parts.ts";

/** Messages that a service may have on the way without an answer; each is 64 KB at most. */
const CREDIT = 100;
const ACKS: readonly string[] = ["none", "positive", "negative", "full"] satisfies Ack[];
const ACK_PROPERTY = "iothub-ack";

/** The sender link of a service to `/messages/devicebound`: each message is accepted when it is in its device's queue. */
export class CommandSenderLink {
  readonly #hub: Hub;
  readonly #receiver: ServerReceiver;

  constructor(hub: Hub, receiver: ServerReceiver) {
    this.#hub = hub;
    this.#receiver = receiver;
    receiver.on("message", (context: EventContext) => void this.#received(context));
    receiver.add_credit(CREDIT);
  }

  async #received(context: EventContext): Promise<void> {
    const delivery = context.delivery as ServerDelivery;
    try {
      await this.#hub.commands.enqueue(commandOf(context.message as unknown as DecodedMessage | Buffer));
      delivery.accept();
    } catch (error) {
      if (!isRefusal(error)) this.#hub.logger.warn({ err: error, link: this.#receiver.name }, "command not stored");
      delivery.reject(conditionOf(error));
    }
    if (!this.#receiver.is_closed()) this.#receiver.add_credit(1);
  }
}

function commandOf(message: DecodedMessage | Buffer): NewCommand {
  if (Buffer.isBuffer(message)) throw new AmqpError("amqp:not-implemented", "a message format that is not known here");
  const to: unknown = message.to;
  const deviceId = deviceOf(typeof to === "string" ? to : "");
  const { [ACK_PROPERTY]: ack = "none", ...properties } = propertiesOf(message);
  if (!isAck(ack)) {
    throw new AmqpError("com.microsoft:argument-error", `${ACK_PROPERTY} is one of ${ACKS.join(", ")}, not '${ack}'`);
  }
  const expiresMs = instantOf(message.absolute_expiry_time);
  return {
    deviceId,
    body: bodyOf(message),
    properties,
    system: {
      ...systemOf(message),
      ...(typeof to === "string" ? { to } : {}),
      ...(expiresMs === undefined ? {} : { expiryTimeUtc: new Date(expiresMs).toISOString() }),
    },
    ack,
    ...(expiresMs === undefined ? {} : { expiresMs }),
  };
}

function isAck(text: string): text is Ack {
  return ACKS.includes(text);
}

/** "/devices/{id}/messages/devicebound", the id URI encoded. Modules have no queue of their own, as in IoT Hub. */
function deviceOf(to: string): string {
  const parts = pathOf(to).split("/");
  const [devices, id] = parts;
  if (devices?.toLowerCase() !== "devices" || id === undefined || id === "") {
    throw new AmqpError("com.microsoft:argument-error", `not the address of a device: to is '${to}'`);
  }
  if (parts[2]?.toLowerCase() === "modules") {
    throw new AmqpError("amqp:not-allowed", `cloud-to-device messages go to devices, not to modules: to is '${to}'`);
  }
  try {
    return decodeURIComponent(id);
  } catch {
    throw new AmqpError("com.microsoft:argument-error", `the device id is not URI encoded: to is '${to}'`);
  }
}
