import type { OPCUAClient } from "node-opcua-client";
import { StatusCodes } from "node-opcua-client";
import type { Request, Response } from "node-opcua-secure-channel";
import { EdgeError, messageOf } from "../../kernel/errors.ts";
import { StatusCode, statusName } from "../../kernel/status-code.ts";

/** OPC UA status codes that steer this driver and that the kernel's table does not name (Part 6, Annex A). */
export const ServiceStatus = {
  BadEncodingLimitsExceeded: 0x80080000,
  BadServiceUnsupported: 0x800b0000,
  BadNothingToDo: 0x800f0000,
  BadTooManyOperations: 0x80100000,
  BadSecureChannelIdInvalid: 0x80220000,
  BadSessionIdInvalid: 0x80250000,
  BadSessionClosed: 0x80260000,
  BadSessionNotActivated: 0x80270000,
  BadSubscriptionIdInvalid: 0x80280000,
  BadNoCommunication: 0x80310000,
  BadMonitoredItemFilterUnsupported: 0x80440000,
  BadFilterNotAllowed: 0x80450000,
  BadTooManySessions: 0x80560000,
  BadTooManyPublishRequests: 0x80780000,
  BadNoSubscription: 0x80790000,
  BadMessageNotAvailable: 0x807b0000,
  BadTooManySubscriptions: 0x80770000,
  BadTooManyMonitoredItems: 0x80db0000,
  BadRequestTooLarge: 0x80b80000,
  BadResponseTooLarge: 0x80b90000,
} as const;

export const SESSION_GONE: ReadonlySet<number> = new Set([
  ServiceStatus.BadSessionIdInvalid,
  ServiceStatus.BadSessionClosed,
  ServiceStatus.BadSessionNotActivated,
  ServiceStatus.BadSecureChannelIdInvalid,
]);

/**
 * The two members of node-opcua's client that its typings keep to themselves. Going straight to the channel avoids the
 * session object's own repair, which recreates sessions and replays requests behind the driver's back.
 */
interface ChannelClient {
  performMessageTransaction(request: Request, callback: (error: Error | null, response?: Response) => void): void;
  _secureChannel: { abortConnection(callback: () => void): void } | null;
}

/** Closes the socket without asking the other side; for a link on which nothing answers. */
export function abortSocket(client: OPCUAClient): void {
  (client as unknown as ChannelClient)._secureChannel?.abortConnection(() => undefined);
}

/**
 * Sends one service request and resolves with its response.
 * @throws EdgeError DRIVER_REFUSED with the server's service result, DRIVER_NOT_CONNECTED when nothing answers in time
 */
export function perform<R extends Response>(
  client: OPCUAClient,
  authenticationToken: unknown,
  request: Request,
  timeoutMs: number,
): Promise<R> {
  const name = request.constructor.name;
  return new Promise<R>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(notConnected(`${name} was not answered within ${Math.round(timeoutMs)} ms`, StatusCode.BadTimeout));
    }, timeoutMs);
    const header = request.requestHeader as { authenticationToken: unknown; timeoutHint: number };
    header.authenticationToken = authenticationToken;
    header.timeoutHint = Math.ceil(timeoutMs);
    try {
      (client as unknown as ChannelClient).performMessageTransaction(request, (error, response) => {
        clearTimeout(timer);
        const result = serviceResultOf(error, response);
        if (result !== undefined && result !== StatusCodes.Good.value) reject(refused(name, result, error));
        else if (error || !response)
          reject(notConnected(`${name} failed: ${messageOf(error)}`, StatusCode.BadConnectionClosed));
        else resolve(response as R);
      });
    } catch (error) {
      clearTimeout(timer);
      reject(notConnected(`${name} could not be sent: ${messageOf(error)}`, StatusCode.BadConnectionClosed));
    }
  });
}

function serviceResultOf(error: Error | null, response: Response | undefined): number | undefined {
  const fault = response ?? (error as { response?: Response } | null)?.response;
  const result = fault?.responseHeader?.serviceResult;
  return result === undefined ? undefined : result.value >>> 0;
}

function refused(name: string, statusCode: number, cause: unknown): EdgeError {
  return new EdgeError("DRIVER_REFUSED", `the server answered ${name} with ${statusText(statusCode)}`, {
    statusCode,
    cause,
    hint: "check the server's own log and its limits for sessions, subscriptions and monitored items",
  });
}

function notConnected(message: string, statusCode: number): EdgeError {
  return new EdgeError("DRIVER_NOT_CONNECTED", message, {
    statusCode,
    hint: "check the cable, the switch and whether the OPC UA server still runs",
  });
}

const NAME_OF_SERVICE_STATUS = new Map<number, string>(
  Object.entries(ServiceStatus).map(([name, code]) => [code, name]),
);

/** A status code's standard name where one is known. */
export function statusText(statusCode: number): string {
  return NAME_OF_SERVICE_STATUS.get((statusCode & 0xffff0000) >>> 0) ?? statusName(statusCode);
}

/** Resolves like the promise, or with undefined after the time or when it rejects: for clean-up that must not hang. */
export async function within<T>(promise: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), timeoutMs);
  });
  try {
    return await Promise.race([promise.catch(() => undefined), deadline]);
  } finally {
    clearTimeout(timer);
  }
}
