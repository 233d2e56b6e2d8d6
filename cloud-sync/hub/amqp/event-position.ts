import type { HubEventLog } from "../ports.ts";
import { AmqpError } from "./amqp-error.ts";

const SELECTOR = /^\s*(?:amqp\.annotation\.)?(x-opt-[a-z-]+)\s*(>=|>)\s*'?([^']*?)'?\s*$/i;

/**
 * Where a receiver link begins, from its apache.org:selector-filter; without one at the first event still kept.
 * @returns a sequence number, lastSequenceNumber + 1 for what comes from now on
 * @throws AmqpError com.microsoft:argument-error for a selector that is not one, com.microsoft:argument-out-of-range for a
 *   position behind the last event: the log is another one than the one the client remembers
 */
export function firstSequenceNumber(selector: string | undefined, log: HubEventLog, partition: number): number {
  const { firstSequenceNumber: first, lastSequenceNumber: last } = log.info(partition);
  if (selector === undefined) return first;
  const [, annotation, comparison, value = ""] = SELECTOR.exec(selector) ?? [];
  const inclusive = comparison === ">=";
  switch (annotation?.toLowerCase()) {
    case "x-opt-offset":
    case "x-opt-sequence-number": {
      if (value === "@latest") return last + 1;
      const position = value === "" ? Number.NaN : Number(value);
      if (!Number.isSafeInteger(position)) break;
      // The next one to come is a position too: the first of an empty partition, say.
      if (position > last + (inclusive ? 1 : 0)) {
        throw new AmqpError(
          "com.microsoft:argument-out-of-range",
          `partition ${partition} ends at ${last}, but the receiver asks for ${annotation} ${comparison} ${value}: ` +
            "was the hub's data removed since that checkpoint was written?",
        );
      }
      return Math.max(first, inclusive ? position : position + 1);
    }
    case "x-opt-enqueued-time":
    case "x-opt-enqueuedtimeutc": {
      const ms = Number(value);
      if (value === "" || !Number.isFinite(ms)) break;
      return Math.max(first, log.sequenceNumberAfter(partition, inclusive ? ms - 1 : ms));
    }
  }
  throw new AmqpError("com.microsoft:argument-error", `not a position in a partition: ${selector.slice(0, 200)}`);
}

/** The selector of a source, which rhea gives as text or as a described value. */
export function selectorOf(filter: unknown): string | undefined {
  if (typeof filter !== "object" || filter === null) return undefined;
  for (const [name, value] of Object.entries(filter)) {
    if (!name.startsWith("apache.org:selector-filter")) continue;
    const text: unknown = typeof value === "object" && value !== null && "value" in value ? value.value : value;
    if (typeof text === "string") return text;
  }
  return undefined;
}
