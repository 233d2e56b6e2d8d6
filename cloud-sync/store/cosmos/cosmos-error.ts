import { ErrorResponse, TimeoutError } from "@azure/cosmos";
import { EdgeError, messageOf } from "../../../edge/kernel/errors.ts";

/** Of a failed request: the HTTP status, and how long the account wants us to wait. */
export interface Refusal {
  readonly status: number | undefined;
  readonly subStatus: number | undefined;
  readonly retryAfterMs: number | undefined;
}

/** The SDK wraps a batch's error in another one, and gives connection errors names for codes. */
export function refusalOf(error: unknown): Refusal {
  const response = responseOf(error);
  const status = Number(response?.code);
  return {
    status: Number.isInteger(status) ? status : undefined,
    subStatus: response?.substatus ?? numberOf(response?.headers?.["x-ms-substatus"]),
    retryAfterMs: response?.retryAfterInMs ?? numberOf(response?.headers?.["x-ms-retry-after-ms"]),
  };
}

function responseOf(error: unknown): ErrorResponse | undefined {
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof ErrorResponse) return at;
  return undefined;
}

function numberOf(header: unknown): number | undefined {
  const number = Number(header);
  return header === undefined || !Number.isFinite(number) ? undefined : number;
}

/** 403 while the write region moves: not an answer about us. */
const REGION_MOVES = new Set([3, 1008]);
const CODES_OF_A_LINE = /^(?:E[A-Z]+|REQUEST_SEND_ERROR|PARSE_ERROR|TimeoutError|UND_ERR_\w+)$/;

/** In our words; what is no fault of the account or the line is given back as it is. */
export function cosmosError(error: unknown): unknown {
  if (error instanceof EdgeError) return error;
  const { status, subStatus } = refusalOf(error);
  const message = messageOf(error).split("\n")[0];
  if (status === undefined) {
    if (isForeignToken(error))
      return new EdgeError("STORE_REFUSED", `Cosmos DB refuses: ${message}`, {
        cause: error,
        hint: "The container was made anew: begin at the feed's beginning (tailstock cloud rebuild).",
      });
    if (!isOfTheLine(error)) return error;
    return new EdgeError("STORE_UNAVAILABLE", `Cosmos DB does not answer: ${message}`, {
      cause: error,
      hint: "Check the account's address, the network and its firewall rules.",
    });
  }
  const again = status === 408 || status === 410 || status === 429 || status === 449 || status >= 500;
  if (again || (status === 403 && REGION_MOVES.has(subStatus ?? 0)))
    return new EdgeError("STORE_UNAVAILABLE", `Cosmos DB asks to try again: ${message} (${status})`, {
      cause: error,
      hint: status === 429 ? "Raise the account's throughput (RU/s)." : "Look at the account's health in the portal.",
    });
  return new EdgeError("STORE_REFUSED", `Cosmos DB refuses: ${message} (${status})`, {
    cause: error,
    hint: HINTS[status] ?? "Look at the message.",
  });
}

const HINTS: Readonly<Record<number, string>> = {
  401: "Check the key and this computer's clock.",
  403: "Check the key's rights and the account's firewall.",
  404: "The database or container is missing.",
};

/** The SDK gives these no status. */
function isForeignToken(error: unknown): boolean {
  return error instanceof ErrorResponse && /continuation token|feed range/i.test(error.message);
}

/**
 * The change feed's reader loses the status of what it looks up beside; an answer without a body (a balancer's 503) makes the SDK fail on
 * reading its message.
 */
function isOfTheLine(error: unknown): boolean {
  if (error instanceof ErrorResponse) return true;
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code } = at as { code?: unknown };
    if (at instanceof TypeError && at.message.includes("reading 'message'")) return true;
    if (at instanceof TimeoutError || at.name === "AbortError" || at instanceof SyntaxError) return true;
    if (typeof code === "string" && CODES_OF_A_LINE.test(code)) return true;
  }
  return false;
}
