import { AttributeIds, coerceNodeId, ReadRequest, TimestampsToReturn, VariableIds } from "node-opcua-client";
import type { Clock } from "../../kernel/clock.ts";
import { EdgeError } from "../../kernel/errors.ts";
import { StatusCode } from "../../kernel/status-code.ts";
import { convert, timestampMs } from "./convert.ts";
import { type Delivery, sameValue, withinDeadband } from "./delivery.ts";
import type { Item } from "./item.ts";
import type { OperationLimits } from "./limits.ts";
import type { OpcuaLink } from "./link.ts";
import { readItems } from "./reader.ts";
import { isProven, suspect } from "./suspicion.ts";

/** Silent items read in one check; the next check goes on with the next ones. */
const SILENT_PER_CHECK = 200;

/** Asks for the server's state, so that a dead link shows even when no value changes. Faults of the server count as life. */
export async function heartbeat(link: OpcuaLink, timeoutMs: number): Promise<void> {
  const nodesToRead = [
    { nodeId: coerceNodeId(VariableIds.Server_ServerStatus_State), attributeId: AttributeIds.Value },
  ];
  const request = new ReadRequest({ nodesToRead, timestampsToReturn: TimestampsToReturn.Neither, maxAge: 0 });
  try {
    await link.request(request, timeoutMs);
  } catch (error) {
    if (!(error instanceof EdgeError)) throw error;
  }
}

/** A link on which nothing came for so long that its signals can't be called Good any more. */
export function staleLink(silentMs: number): EdgeError {
  return new EdgeError("DRIVER_NOT_CONNECTED", `the server has been silent for ${Math.round(silentMs)} ms`, {
    statusCode: StatusCode.BadTimeout,
    hint: "check the cable and the switch; the socket is still open but nothing comes through",
  });
}

/**
 * Finds items whose subscription publishes keep-alives but no longer their values (P13). A silent item is read: a value
 * that the subscription should have told, and did not tell within the grace time either, means that it is dead. A value
 * that only does not change is left alone.
 */
export class SilenceCheck {
  #next = 0;
  readonly #clock: Clock;
  readonly #delivery: Delivery;

  constructor(clock: Clock, delivery: Delivery) {
    this.#clock = clock;
    this.#delivery = delivery;
  }

  /** Resolves with the items that are dead: their last known value has been told as Uncertain. */
  async run(link: OpcuaLink, items: readonly Item[], staleAfterMs: number, limits: OperationLimits): Promise<Item[]> {
    const nowMs = this.#clock.monotonicMs();
    const silent: Item[] = [];
    for (let i = 0; i < items.length && silent.length < SILENT_PER_CHECK; i++) {
      const item = items[this.#next++ % items.length];
      if (item?.subscription && nowMs - item.heardMs > Math.max(staleAfterMs / 2, graceMs(item))) silent.push(item);
    }
    const dead: Item[] = [];
    await readItems(
      link,
      silent,
      limits,
      (item, dataValue) => {
        if (item.heardMs > nowMs) return; // it spoke while the read was on its way
        const { value, statusCode } = convert(dataValue, item.signal);
        if (!item.hasLast || (item.marked !== null && item.suspicion === null)) {
          this.#delivery.deliver(item, dataValue, "refresh");
          return;
        }
        // The low half of a status holds notes such as "queue overflowed", which a read does not repeat.
        const sameStatus = item.lastStatusCode >>> 16 === statusCode >>> 16;
        const told = sameStatus && (sameValue(item.lastValue, value) || withinDeadband(item, value));
        if (told || (item.signal.deadband?.kind === "percent" && typeof value === "number")) {
          item.suspicion = null;
          return;
        }
        const sourceMs = timestampMs(dataValue.sourceTimestamp, dataValue.sourcePicoseconds);
        item.suspicion = suspect(item.suspicion, { value, sourceMs }, nowMs);
        if (isProven(item.suspicion, nowMs, graceMs(item))) {
          dead.push(item);
        }
      },
      () => undefined,
    );
    for (const item of dead) this.#delivery.mark(item, StatusCode.UncertainLastUsableValue);
    return dead;
  }
}

/** Time in which a healthy subscription tells a change: sampled, queued, published, each once and a margin. */
function graceMs(item: Item): number {
  return 2 * (Math.max(0, item.samplingIntervalMs) + (item.subscription?.publishingIntervalMs ?? 0)) + 200;
}
