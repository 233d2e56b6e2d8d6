import { randomUUID } from "node:crypto";
import { HubError } from "../hub-error.ts";
import type { Hub, Identity, JsonMap } from "../ports.ts";
import type { MessageIds } from "./message-ids.ts";
import type { Outlet } from "./outlet.ts";

/** Notices at QoS 1 that a client may leave unacknowledged; what comes behind them goes at QoS 0. */
const UNACKNOWLEDGED_MAX = 64;

/** Answers a client's requests about its own twin. */
export class TwinRequests {
  readonly #hub: Hub;
  readonly #identity: Identity;
  readonly #outlet: Outlet;

  readonly #messageIds: MessageIds;
  readonly #unacknowledged = new Set<number>();

  readonly #isHeard: () => boolean;

  /** @param isHeard whether the client listens to answers: what it reports is taken in any case */
  constructor(hub: Hub, identity: Identity, outlet: Outlet, messageIds: MessageIds, isHeard: () => boolean) {
    this.#hub = hub;
    this.#identity = identity;
    this.#outlet = outlet;
    this.#messageIds = messageIds;
    this.#isHeard = isHeard;
  }

  get(requestId: string): void {
    this.#answering(requestId, () => {
      const { desired, reported } = this.#hub.twins.get(this.#identity);
      const shown = {
        desired: { ...desired.values, $version: desired.version },
        reported: { ...reported.values, $version: reported.version },
      };
      this.#answer(200, `$rid=${requestId}`, JSON.stringify(shown));
    });
  }

  patchReported(requestId: string, payload: Buffer | string): void {
    this.#answering(requestId, () => {
      const version = this.#hub.twins.patchReported(this.#identity, patchOf(payload));
      this.#answer(204, `$rid=${requestId}&$version=${version}`, "");
    });
  }

  /** What a client that listens is told. */
  tellDesired(patch: JsonMap, qos: 0 | 1): void {
    const topic = `$iothub/twin/PATCH/properties/desired/?$version=${String(patch.$version)}`;
    const body = JSON.stringify(patch);
    if (qos === 0 || this.#unacknowledged.size >= UNACKNOWLEDGED_MAX) {
      this.#outlet.publish(topic, body);
      return;
    }
    const messageId = this.#messageIds.take();
    this.#unacknowledged.add(messageId);
    this.#outlet.publish(topic, body, { qos: 1, messageId, dup: false });
  }

  acknowledged(messageId: number): void {
    if (this.#unacknowledged.delete(messageId)) this.#messageIds.release(messageId);
  }

  #answering(requestId: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof HubError)) {
        this.#hub.logger.error({ ...this.#identity, err: error }, "twin request failed");
      }
      const known = error instanceof HubError ? error : new HubError("ServerError", "the twin can't be used now");
      const refusal = {
        errorCode: known.status * 1_000 + 4,
        trackingId: randomUUID(),
        message: known.message,
        timestampUtc: new Date(this.#hub.clock.nowMs()).toISOString(),
      };
      this.#answer(known.status, `$rid=${requestId}`, JSON.stringify(refusal));
    }
  }

  #answer(status: number, query: string, body: string): void {
    if (this.#isHeard()) this.#outlet.publish(`$iothub/twin/res/${status}/?${query}`, body);
  }
}

function patchOf(payload: Buffer | string): JsonMap {
  try {
    return JSON.parse(payload.toString()) as JsonMap;
  } catch (error) {
    throw new HubError("IotHubFormatError", "reported properties are a JSON object", { cause: error });
  }
}
