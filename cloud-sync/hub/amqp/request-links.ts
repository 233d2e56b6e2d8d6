import rhea, { type EventContext } from "rhea";
import { type AmqpCondition, conditionOf } from "./amqp-error.ts";
import { mapOf, textOf } from "./message-fields.ts";
import type { DecodedMessage, ServerDelivery, ServerReceiver, ServerSender } from "./rhea-parts.ts";

const CREDIT = 20;
/** A client that gives no credit for its answers gets none any more before rhea's queue for them is full. */
const UNUSED_MIN = 100;

export interface Request {
  readonly properties: Readonly<Record<string, unknown>>;
  readonly body: unknown;
}

/** Answers requests that come in on one link by another of the same session: $cbs and $management work so. */
export class RequestLinks {
  readonly #answer: (request: Request) => unknown;
  readonly #senders = new Set<ServerSender>();

  /** @param answer gives the body, throws what the client is told */
  constructor(answer: (request: Request) => unknown) {
    this.#answer = answer;
  }

  addRequests(receiver: ServerReceiver): void {
    receiver.on("message", (context: EventContext) => this.#received(receiver, context));
    receiver.add_credit(CREDIT);
  }

  addAnswers(sender: ServerSender): void {
    this.#senders.add(sender);
  }

  removeAnswers(sender: ServerSender): void {
    this.#senders.delete(sender);
  }

  #received(receiver: ServerReceiver, context: EventContext): void {
    (context.delivery as ServerDelivery).accept();
    receiver.add_credit(1);
    const message = context.message as unknown as DecodedMessage;
    if (Buffer.isBuffer(message)) return;
    const sender = this.#senderFor(receiver, textOf(message.reply_to));
    if (sender === undefined || sender.session.outgoing.available() < UNUSED_MIN) return;
    let body: unknown = null;
    let failure: AmqpCondition | undefined;
    try {
      body = this.#answer({
        properties: mapOf(message.application_properties),
        body: message.body,
      });
    } catch (error) {
      failure = conditionOf(error);
    }
    sender.send({
      correlation_id: message.message_id,
      application_properties: answerProperties(failure),
      body,
    } as unknown as Parameters<ServerSender["send"]>[0]);
  }

  /** The link that the client named, else the one of the same session: IoT Hub's clients name none that exists. */
  #senderFor(receiver: ServerReceiver, replyTo: string | undefined): ServerSender | undefined {
    const open = [...this.#senders].filter((sender) => sender.is_open());
    return (
      open.find((sender) => replyTo !== undefined && (sender.name === replyTo || sender.target?.address === replyTo)) ??
      open.find((sender) => sender.session === receiver.session)
    );
  }
}

const STATUS_BY_CONDITION: Readonly<Record<string, number>> = {
  "amqp:unauthorized-access": 401,
  "amqp:not-found": 404,
  "amqp:not-implemented": 501,
  "amqp:resource-limit-exceeded": 403,
  "com.microsoft:argument-error": 400,
  "com.microsoft:argument-out-of-range": 400,
};

/** Under both names that clients look for. */
function answerProperties(failure: AmqpCondition | undefined): Record<string, unknown> {
  const status = rhea.types.wrap_int(failure === undefined ? 200 : (STATUS_BY_CONDITION[failure.condition] ?? 500));
  const description = failure?.description ?? "OK";
  return {
    "status-code": status,
    "status-description": description,
    statusCode: status,
    statusDescription: description,
    ...(failure === undefined
      ? {}
      : {
          "error-condition": rhea.types.wrap_symbol(failure.condition),
          errorCondition: rhea.types.wrap_symbol(failure.condition),
        }),
  };
}
