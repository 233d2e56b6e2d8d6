import type { DataValue } from "node-opcua-client";
import type { SampleValue } from "../../../cloud-sync/contract/sample.ts";
import type { Clock } from "../../kernel/clock.ts";
import { StatusCode, severityOf } from "../../kernel/status-code.ts";
import type { SignalProblem } from "../driver.ts";
import { convert, timestampMs, typeName } from "./convert.ts";
import type { Item } from "./item.ts";
import type { Outbox } from "./outbox.ts";
import { ServiceStatus, statusText } from "./services.ts";

/** Where a reading comes from. "changes" polls in place of a subscription and tells changes only. */
export type Origin = "notification" | "poll" | "changes" | "refresh";

/** Bad statuses that a person must mend in the configuration or on the server; others are the machine's own word. */
const PROBLEM_HINT = new Map<number, string>([
  [StatusCode.BadNodeIdUnknown, "browse the server and correct the node id; it is tried again by itself"],
  [StatusCode.BadNodeIdInvalid, "correct the node id's form"],
  [StatusCode.BadAttributeIdInvalid, "the node is not a variable: name the variable below it"],
  [StatusCode.BadIndexRangeNoData, "the array is shorter than the index, or the value is no array"],
  [StatusCode.BadIndexRangeInvalid, "correct the index"],
  [StatusCode.BadTypeMismatch, "correct the signal's type, or leave it out to take what the server delivers"],
  [StatusCode.BadNotReadable, "allow reading of the node on the server"],
  [StatusCode.BadUserAccessDenied, "give this user the right to read the node"],
  [ServiceStatus.BadEncodingLimitsExceeded, "name one element by index, or a smaller node"],
]);

/** Turns what the server delivers into samples, once each. */
export class Delivery {
  samples = 0;
  repeatsDropped = 0;
  readonly #clock: Clock;
  readonly #outbox: Outbox;

  constructor(clock: Clock, outbox: Outbox) {
    this.#clock = clock;
    this.#outbox = outbox;
  }

  /**
   * Hands on one reading. Dropped are: a reading that the consumer has already (the initial value of a monitored item made anew, a value read meanwhile),
   * and, where the deadband is applied here, a change within it. A signal marked in between always speaks again.
   */
  deliver(item: Item, dataValue: DataValue, origin: Origin): void {
    const { value, statusCode } = convert(dataValue, item.signal);
    const sourceMs = timestampMs(dataValue.sourceTimestamp, dataValue.sourcePicoseconds);
    item.heardMs = this.#clock.monotonicMs();
    item.suspicion = null;
    // A change that the subscription told: the item lives.
    if (origin === "notification" && !item.fresh) item.silences = 0;
    const changesOnly = origin === "changes" || origin === "refresh";
    if (item.marked === null && item.hasLast && item.lastStatusCode === statusCode) {
      const same = sameValue(item.lastValue, value);
      const repeated =
        same &&
        (changesOnly || (origin !== "poll" && item.lastSourceMs === sourceMs && (item.fresh || sourceMs !== null)));
      if (repeated || ((item.localDeadband || changesOnly) && withinDeadband(item, value))) {
        item.fresh = false;
        this.repeatsDropped++;
        return;
      }
    }
    item.fresh = false;
    item.hasLast = true;
    item.marked = null;
    item.lastValue = value;
    item.lastStatusCode = statusCode;
    item.lastSourceMs = sourceMs;
    if (statusCode >= 0x80000000) this.#judge(item, statusCode, dataValue);
    else if (item.problem !== null && !isNotice(item.problem)) item.problem = null;
    this.samples++;
    this.#outbox.push({
      machineId: item.machineId,
      signal: item.signal.name,
      value,
      statusCode,
      sourceTimestampMs: sourceMs,
      serverTimestampMs: timestampMs(dataValue.serverTimestamp, dataValue.serverPicoseconds),
      receivedTimestampMs: this.#clock.nowMs(),
    });
  }

  /** Says by ourselves that a signal is not Good, once for each status. Uncertain keeps the last value, Bad has none. */
  mark(item: Item, statusCode: number): void {
    if (item.marked === statusCode) return;
    const uncertain = severityOf(statusCode) === "uncertain" && item.hasLast;
    if (uncertain && item.marked !== null && severityOf(item.marked) === "bad") return;
    item.marked = statusCode;
    this.samples++;
    this.#outbox.push({
      machineId: item.machineId,
      signal: item.signal.name,
      value: uncertain ? item.lastValue : null,
      statusCode,
      sourceTimestampMs: uncertain ? item.lastSourceMs : null,
      serverTimestampMs: null,
      receivedTimestampMs: this.#clock.nowMs(),
    });
  }

  /** A signal that can't be read as configured: Bad with its own status, and a problem for the technician. */
  fail(item: Item, statusCode: number, message?: string, hint?: string): void {
    this.problem(item, statusCode, message ?? `${addressOf(item)} can't be read: ${statusText(statusCode)}`, hint);
    this.mark(item, statusCode);
  }

  problem(item: Item, statusCode: number, message: string, hint?: string): void {
    const text = hint ?? PROBLEM_HINT.get((statusCode & 0xffff0000) >>> 0) ?? "check the node on the server";
    item.problem = { machineId: item.machineId, signal: item.signal.name, statusCode, message, hint: text };
  }

  #judge(item: Item, statusCode: number, dataValue: DataValue): void {
    if (!PROBLEM_HINT.has((statusCode & 0xffff0000) >>> 0)) return;
    const delivered =
      statusCode === StatusCode.BadTypeMismatch
        ? `, the server delivers ${typeName(dataValue)} where ${item.signal.type} is configured`
        : "";
    this.problem(item, statusCode, `${addressOf(item)}: ${statusText(statusCode)}${delivered}`);
  }
}

/** A problem that lasts although values flow: a refused deadband, an item that is polled because it is not published. */
export function isNotice({ statusCode }: SignalProblem): boolean {
  return (
    statusCode === ServiceStatus.BadMonitoredItemFilterUnsupported ||
    statusCode === StatusCode.UncertainNoCommunicationLastUsable
  );
}

export function addressOf(item: Item): string {
  return item.signal.node ?? item.signal.path ?? "(no node)";
}

/** NaN equals NaN here: a sensor that keeps saying NaN has not changed. */
export function sameValue(a: SampleValue, b: SampleValue): boolean {
  if (Object.is(a, b) || a === b) return true;
  if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
  return a.every((element, i) => Object.is(element, b[i]) || element === b[i]);
}

/** The absolute deadband of Part 4, 7.22.2, against the last delivered value; it is given in the server's own units. */
export function withinDeadband(item: Item, value: SampleValue): boolean {
  const { deadband, scale } = item.signal;
  if (deadband?.kind !== "absolute" || typeof value !== "number" || typeof item.lastValue !== "number") return false;
  return Math.abs(value - item.lastValue) <= deadband.value * Math.abs(scale);
}
