import { HubError, type HubErrorCode } from "../hub-error.ts";

/** As it goes over the line in a detach or a rejected outcome. */
export interface AmqpCondition {
  readonly condition: string;
  readonly description: string;
  readonly info?: Readonly<Record<string, string | number>>;
}

/** A refusal in AMQP's own terms, thrown by the parts of this front and sent to the client as its condition. */
export class AmqpError extends Error {
  override readonly name = "AmqpError";
  readonly condition: string;
  readonly info: AmqpCondition["info"];

  constructor(condition: string, description: string, info?: AmqpCondition["info"]) {
    super(description);
    this.condition = condition;
    this.info = info;
  }
}

/** What azure-iothub and @azure/event-hubs turn back into their own error types. */
const CONDITION_BY_CODE: Partial<Record<HubErrorCode, string>> = {
  ArgumentInvalid: "com.microsoft:argument-error",
  ArgumentNull: "com.microsoft:argument-error",
  IotHubFormatError: "com.microsoft:argument-error",
  IotHubUnauthorizedAccess: "amqp:unauthorized-access",
  Unauthorized: "amqp:unauthorized-access",
  IotHubQuotaExceeded: "com.microsoft:quota-exceeded",
  QuotaExceeded: "com.microsoft:quota-exceeded",
  DeviceMaximumQueueDepthExceeded: "amqp:resource-limit-exceeded",
  DeviceNotFound: "amqp:not-found",
  ModuleNotFound: "amqp:not-found",
  PreconditionFailed: "com.microsoft:precondition-failed",
  DeviceMessageTooLarge: "amqp:link:message-size-exceeded",
  MessageTooLarge: "amqp:link:message-size-exceeded",
  ThrottlingException: "com.microsoft:device-container-throttled",
  ThrottleBacklogLimitExceeded: "com.microsoft:device-container-throttled",
  ServiceUnavailable: "com.microsoft:server-busy",
  GatewayTimeout: "com.microsoft:timeout",
};

export function conditionOf(error: unknown): AmqpCondition {
  if (error instanceof AmqpError) {
    const { condition, message: description, info } = error;
    return info === undefined ? { condition, description } : { condition, description, info };
  }
  if (error instanceof HubError) {
    return { condition: CONDITION_BY_CODE[error.code] ?? "amqp:internal-error", description: error.message };
  }
  return { condition: "amqp:internal-error", description: "the hub failed; its log says why" };
}

/** Whether it is the client's doing; anything else is ours and belongs in the log. */
export function isRefusal(error: unknown): boolean {
  return error instanceof AmqpError || (error instanceof HubError && error.status < 500);
}
