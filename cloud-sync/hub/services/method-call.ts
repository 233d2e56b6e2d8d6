import { HubError } from "../hub-error.ts";
import type { Json, MethodRequest } from "../ports.ts";

const RESPONSE_SECONDS_DEFAULT = 30;
const SECONDS_MAX = 300;
const PAYLOAD_BYTES_MAX = 128 * 1024;

/** A direct method as a service writes it, in a request of its own or in a job. */
export interface MethodCall {
  readonly methodName: string;
  readonly payload?: Json | undefined;
  readonly responseTimeoutInSeconds?: number | null | undefined;
  readonly connectTimeoutInSeconds?: number | null | undefined;
}

/** @throws HubError ArgumentInvalid */
export function methodRequestOf(call: MethodCall): MethodRequest {
  const payload = call.payload ?? null;
  if (call.methodName === "") throw new HubError("ArgumentInvalid", "a method has a name");
  if (bytesOf(payload) > PAYLOAD_BYTES_MAX) {
    throw new HubError("ArgumentInvalid", `the payload of a method has at most ${PAYLOAD_BYTES_MAX} bytes`);
  }
  return {
    methodName: call.methodName,
    payload,
    responseTimeoutMs: millisecondsOf(
      "responseTimeoutInSeconds",
      call.responseTimeoutInSeconds ?? RESPONSE_SECONDS_DEFAULT,
    ),
    connectTimeoutMs: millisecondsOf("connectTimeoutInSeconds", call.connectTimeoutInSeconds ?? 0),
  };
}

/** @throws HubError ArgumentInvalid for one that is nested too deeply to be written */
function bytesOf(payload: Json): number {
  try {
    return Buffer.byteLength(JSON.stringify(payload));
  } catch (error) {
    throw new HubError("ArgumentInvalid", "the payload of a method is nested too deeply", { cause: error });
  }
}

function millisecondsOf(name: string, seconds: number): number {
  if (!(seconds >= 0 && seconds <= SECONDS_MAX)) {
    throw new HubError("ArgumentInvalid", `${name} is ${seconds}, expected 0 to ${SECONDS_MAX}`);
  }
  return seconds * 1_000;
}
