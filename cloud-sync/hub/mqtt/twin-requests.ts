import { randomUUID } from "node:crypto";
import { HubError } from "../hub-error.ts";
import type { Hub, Identity, JsonMap } from "../ports.ts";
import type { Outlet } from "./outlet.ts";

/** Answers a client's requests about its own twin. */
export class TwinRequests {
  readonly #hub: Hub;
  readonly #identity: Identity;
  readonly #outlet: Outlet;

  constructor(hub: Hub, identity: Identity, outlet: Outlet) {
    this.#hub = hub;
    this.#identity = identity;
    this.#outlet = outlet;
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
  tellDesired(patch: JsonMap): void {
    const topic = `$iothub/twin/PATCH/properties/desired/?$version=${String(patch.$version)}`;
    this.#outlet.publish(topic, JSON.stringify(patch));
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
    this.#outlet.publish(`$iothub/twin/res/${status}/?${query}`, body);
  }
}

function patchOf(payload: Buffer | string): JsonMap {
  try {
    return JSON.parse(payload.toString()) as JsonMap;
  } catch (error) {
    throw new HubError("IotHubFormatError", "reported properties are a JSON object", { cause: error });
  }
}
