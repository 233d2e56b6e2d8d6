import { Failure } from "../http/failure.ts";

/** The request can't be answered as it stands. */
export function invalid(message: string, hint?: string): Failure {
  return new Failure(400, "REQUEST_INVALID", message, hint === undefined ? {} : { hint });
}

export function unknownThing(code: string, message: string): Failure {
  return new Failure(404, code, message);
}

/** Enough of this is being done already. */
export function busy(message: string): Failure {
  return new Failure(503, "BUSY", message, { hint: "Try again in a second.", headers: { "retry-after": "1" } });
}
