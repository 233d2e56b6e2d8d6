/**
 * The one error class of the edge. `code` names the fault, `message` states the facts, `hint` tells the technician what
 * to check. Control flow reads `retry` and nothing else. Every code is described in ERRORS.md (a test compares).
 */
export type Retry = "never" | "backoff" | "reconnect";

const RETRY_BY_CODE = {
  CONFIG_INVALID: "never",
  CONFIG_UNREADABLE: "never",
  DRIVER_NOT_CONNECTED: "reconnect",
  DRIVER_REFUSED: "backoff",
  DRIVER_CONFIG: "never",
  LOG_UNAVAILABLE: "backoff",
  LOG_FULL: "backoff",
  LOG_CORRUPT: "backoff",
  LOG_CLOSED: "never",
  EVENT_INVALID: "never",
  LOG_VERSION: "never",
  UPLINK_CONFIG: "never",
  UPLINK_UNREACHABLE: "backoff",
  UPLINK_CERTIFICATE: "backoff",
  UPLINK_IDENTITY: "backoff",
  UPLINK_CLOCK: "backoff",
  UPLINK_THROTTLED: "backoff",
  UPLINK_QUOTA: "backoff",
  UPLINK_LOST: "reconnect",
  UPLINK_REFUSED: "never",
  COMMAND_REFUSED: "never",
  HUB_UNAVAILABLE: "backoff",
  DATABASE_UNAVAILABLE: "backoff",
  DATABASE_REFUSED: "never",
  STORE_UNAVAILABLE: "backoff",
  STORE_REFUSED: "never",
  EVENTS_UNREACHABLE: "backoff",
  EVENTS_IDENTITY: "backoff",
  MESSAGE_REFUSED: "never",
  LAKE_UNAVAILABLE: "backoff",
  LAKE_QUERY: "never",
  MODEL_INVALID: "never",
  SERVICE_UNREACHABLE: "backoff",
  SERVICE_REFUSED: "never",
  PORT_IN_USE: "never",
  SHUTDOWN_DEADLINE: "never",
  USAGE: "never",
} as const satisfies Record<string, Retry>;

export type ErrorCode = keyof typeof RETRY_BY_CODE;
export const ERROR_CODES: readonly ErrorCode[] = Object.keys(RETRY_BY_CODE) as ErrorCode[];

export class EdgeError extends Error {
  override readonly name = "EdgeError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  /** The OPC UA status that samples carry while this error lasts, for example BadNotConnected; undefined if not about a link. */
  readonly statusCode: number | undefined;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; hint?: string; statusCode?: number } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.statusCode = options.statusCode;
  }

  get retry(): Retry {
    return RETRY_BY_CODE[this.code];
  }
}

/** The message of anything thrown, for a log field or a person. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
