/** IoT Hub's error codes, each with the HTTP status of the REST API; MQTT and AMQP fronts translate from these. */
const STATUS_BY_CODE = {
  ArgumentInvalid: 400,
  ArgumentNull: 400,
  InvalidProtocolVersion: 400,
  BulkRegistryOperationFailure: 400,
  IotHubFormatError: 400,
  IotHubUnauthorizedAccess: 401,
  Unauthorized: 401,
  IotHubQuotaExceeded: 403,
  DeviceMaximumQueueDepthExceeded: 403,
  QuotaExceeded: 403,
  DeviceNotFound: 404,
  ModuleNotFound: 404,
  ConfigurationNotFound: 404,
  JobNotFound: 404,
  DeviceNotOnline: 404,
  DeviceAlreadyExists: 409,
  ModuleAlreadyExistsOnDevice: 409,
  ConfigurationAlreadyExists: 409,
  JobAlreadyExists: 409,
  PreconditionFailed: 412,
  DeviceMessageTooLarge: 413,
  MessageTooLarge: 413,
  ThrottlingException: 429,
  ThrottleBacklogLimitExceeded: 429,
  ServerError: 500,
  ServiceUnavailable: 503,
  GatewayTimeout: 504,
} as const satisfies Record<string, number>;

export type HubErrorCode = keyof typeof STATUS_BY_CODE;

/** An answer to a client that asked for something it cannot have. */
export class HubError extends Error {
  override readonly name = "HubError";
  readonly code: HubErrorCode;

  constructor(code: HubErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
  }

  get status(): number {
    return STATUS_BY_CODE[this.code];
  }
}
