import { HubError } from "../hub-error.ts";
import type { Hub, Identity, Json, MethodRequest, MethodResponse } from "../ports.ts";
import type { Outlet } from "./outlet.ts";

/** Calls that one client may have before it at a time. */
const CALLS_MAX = 64;
const NAME = /^[^/?#+$&\s]{1,128}$/;

/** The calls that wait for one client's answers. */
export class MethodCalls {
  readonly #hub: Hub;
  readonly #identity: Identity;
  readonly #outlet: Outlet;
  readonly #waiting = new Map<string, PromiseWithResolvers<MethodResponse>>();
  #calls = 0;

  constructor(hub: Hub, identity: Identity, outlet: Outlet) {
    this.#hub = hub;
    this.#identity = identity;
    this.#outlet = outlet;
  }

  /** @throws HubError GatewayTimeout, ThrottlingException, ArgumentInvalid */
  async invoke({ methodName, payload, responseTimeoutMs }: MethodRequest): Promise<MethodResponse> {
    if (!NAME.test(methodName)) throw new HubError("ArgumentInvalid", `"${methodName}" is not a method's name`);
    const { deviceId } = this.#identity;
    if (this.#waiting.size >= CALLS_MAX) {
      throw new HubError("ThrottlingException", `${CALLS_MAX} calls wait for ${deviceId} already`);
    }
    const requestId = (++this.#calls).toString(16);
    const answer = Promise.withResolvers<MethodResponse>();
    this.#waiting.set(requestId, answer);
    const answered = new AbortController();
    try {
      this.#outlet.publish(`$iothub/methods/POST/${methodName}/?$rid=${requestId}`, JSON.stringify(payload ?? null));
      void this.#hub.clock.sleep(responseTimeoutMs, answered.signal).then(() => {
        answer.reject(new HubError("GatewayTimeout", `${deviceId} did not answer within ${responseTimeoutMs} ms`));
      });
      return await answer.promise;
    } finally {
      answered.abort();
      this.#waiting.delete(requestId);
    }
  }

  /** An answer that nobody waits for any more is forgotten. */
  answered(requestId: string, status: number, payload: Buffer | string): void {
    const answer = this.#waiting.get(requestId);
    if (answer === undefined) return;
    try {
      const text = payload.toString();
      answer.resolve({ status, payload: text.trim() === "" ? null : (JSON.parse(text) as Json) });
    } catch (error) {
      answer.reject(new HubError("IotHubFormatError", "the device's answer is not JSON", { cause: error }));
    }
  }

  close(): void {
    for (const answer of this.#waiting.values()) {
      answer.reject(new HubError("GatewayTimeout", "the device's connection ended before it answered"));
    }
  }
}
