import type { PluginConfig, RequestContext } from "@azure/cosmos";
import type { StoreCharges } from "../event-store.ts";

type Purpose = "writeUnits" | "readUnits" | "feedUnits";

/** Counts the request units of every answer of the account, refusals included. */
export class Charges {
  readonly #units = { writeUnits: 0, readUnits: 0, feedUnits: 0 };
  #throttled = 0;

  total(): StoreCharges {
    return { ...this.#units, throttled: this.#throttled };
  }

  /** Sees each request on the wire, also those that the SDK makes for itself or tries again. */
  readonly plugin: PluginConfig = {
    on: "request",
    plugin: async (context, _diagnostics, next) => {
      try {
        const response = await next(context);
        this.#count(context, response.headers);
        return response;
      } catch (error) {
        const { code, headers } = error as { code?: unknown; headers?: Readonly<Record<string, unknown>> };
        if (code === 429) this.#throttled++;
        this.#count(context, headers);
        throw error;
      }
    },
  };

  #count(context: RequestContext, headers: Readonly<Record<string, unknown>> | undefined): void {
    const units = Number(headers?.["x-ms-request-charge"] ?? 0);
    if (Number.isFinite(units)) this.#units[purposeOf(context)] += units;
  }
}

function purposeOf({ headers = {}, operationType }: RequestContext): Purpose {
  if (Object.keys(headers).some((name) => name.toLowerCase() === "a-im")) return "feedUnits";
  return operationType === "read" || operationType === "query" ? "readUnits" : "writeUnits";
}
