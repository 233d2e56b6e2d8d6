import type { Properties } from "../ports.ts";

/** A fault that a test orders by a message, with properties that Microsoft's test suites use. */
export interface Fault {
  readonly kind: "reset" | "close";
  readonly delayMs: number;
}

const KIND_BY_OPERATION = new Map<string, Fault["kind"]>([
  ["KillTcp", "reset"],
  ["ShutDownMqtt", "close"],
]);
const DELAY_SECONDS_MAX = 600;

/** Undefined when the message orders none, or one that is not of MQTT. */
export function faultOf(properties: Properties): Fault | undefined {
  const kind = KIND_BY_OPERATION.get(properties.AzIoTHub_FaultOperationType ?? "");
  if (kind === undefined) return undefined;
  const seconds = Number(properties.AzIoTHub_FaultOperationDelayInSecs ?? 0);
  return { kind, delayMs: 1_000 * Math.min(Math.max(0, Number.isFinite(seconds) ? seconds : 0), DELAY_SECONDS_MAX) };
}
