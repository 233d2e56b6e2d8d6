import type { DecodedBlock } from "../contract/block/decoded-block.ts";
import type { StoredEvent } from "../contract/event.ts";
import type { RollupPart } from "../contract/frame/rollup-part.ts";
import { FOREIGN_EPOCH_PREFIX, SCORE_EPOCH_PREFIX } from "../store/telemetry-document.ts";
import { RefusalError } from "./arrival.ts";

/** Names are keys in every store: an index of PostgreSQL takes 2,704 bytes a row, a partition key of Cosmos DB 2,048. */
export const NAME_CHARACTERS_MAX = 512;
const EPOCH_CHARACTERS_MAX = 128;
const IDENTITY_CHARACTERS_MAX = 1024;
/** A box without a clock begins at 1970, and its readings are as good as others. */
const TIME_MIN_MS = 0;
/** Further ahead of the hub's clock no box's is: 366 days. */
const AHEAD_MS_MAX = 366 * 86_400_000;

/** @throws RefusalError name */
export function checkName(what: string, name: string, charactersMax = NAME_CHARACTERS_MAX, charactersMin = 1): void {
  if (name.length < charactersMin) throw new RefusalError("name", `an empty ${what}`);
  if (name.length > charactersMax)
    throw new RefusalError("name", `a ${what} of ${name.length} characters; ${charactersMax} are allowed`);
  if (name.includes("\0")) throw new RefusalError("name", `a ${what} with a NUL character`);
  if (!name.isWellFormed()) throw new RefusalError("name", `a ${what} that is no well-formed Unicode`);
}

/** @throws RefusalError name */
export function checkStream({ epoch, machineId }: { readonly epoch: string; readonly machineId: string }): void {
  checkName("machine id", machineId);
  checkName("epoch", epoch, EPOCH_CHARACTERS_MAX);
  if (epoch.startsWith(FOREIGN_EPOCH_PREFIX) || epoch.startsWith(SCORE_EPOCH_PREFIX))
    throw new RefusalError("name", `the epoch ${epoch}, which only the cloud gives`);
}

/** @throws RefusalError time */
export function checkTime(timeMs: number, enqueuedMs: number): void {
  if (!(timeMs >= TIME_MIN_MS && timeMs <= enqueuedMs + AHEAD_MS_MAX))
    throw new RefusalError("time", `the time ${timeText(timeMs)}, when the hub took it at ${timeText(enqueuedMs)}`);
}

function timeText(timeMs: number): string {
  return Math.abs(timeMs) <= 8.64e15 ? new Date(timeMs).toISOString() : String(timeMs);
}

/**
 * What readers may rely on of a block in the store: its checksums hold (the frame proved them), its head does not contradict its
 * events, names can be keys, times can be true, and events that are not telemetry are there with an object as their data. Its columns
 * of readings are not decoded: a block that was forged with true checksums throws BlockError there, and readers of the feed skip it.
 * @throws RefusalError, BlockError, FrameError
 */
export function checkBlock(block: DecodedBlock, enqueuedMs: number): void {
  const { head } = block;
  checkStream(head);
  if (head.events === 0) throw new RefusalError("malformed", "a block without events");
  checkTime(head.fromMs, enqueuedMs);
  checkTime(head.toMs, enqueuedMs);
  let [fromMs, toMs] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const timeMs of block.eventTimes()) {
    if (timeMs < fromMs) fromMs = timeMs;
    if (timeMs > toMs) toMs = timeMs;
  }
  if (fromMs !== head.fromMs || toMs !== head.toMs)
    throw new RefusalError("malformed", "a block whose events are of other times than its head says");
  block.eventOffsets();
  for (const signal of block.signals) checkName("signal", signal, NAME_CHARACTERS_MAX, 0);
  for (const identity of block.identities()) checkName("entity id", identity, IDENTITY_CHARACTERS_MAX, 0);
  for (const event of block.rareEvents()) checkEventBody(event);
}

/** @throws RefusalError */
export function checkEvent(event: StoredEvent, enqueuedMs: number): void {
  checkStream(event);
  checkTime(event.timeMs, enqueuedMs);
  checkEventBody(event);
}

function checkEventBody({ type, entityId, causedBy, data }: StoredEvent): void {
  checkName("entity id", entityId, IDENTITY_CHARACTERS_MAX, 0);
  checkName("cause", causedBy ?? "", IDENTITY_CHARACTERS_MAX, 0);
  if (typeof data !== "object" || data === null || Array.isArray(data))
    throw new RefusalError("malformed", `an event of type ${type} whose data is no object`);
  if (type !== "telemetry") return;
  const { samples } = data as { samples?: unknown };
  if (!Array.isArray(samples)) throw new RefusalError("malformed", "telemetry without samples");
  for (const sample of samples) checkSample(sample);
}

function checkSample(sample: unknown): void {
  const { signal, value, statusCode, ...times } = (sample ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof signal !== "string") throw new RefusalError("malformed", "a sample without a signal");
  checkName("signal", signal, NAME_CHARACTERS_MAX, 0);
  const isStatus = Number.isInteger(statusCode) && (statusCode as number) >= 0 && (statusCode as number) <= 0xffff_ffff;
  const isTime = (time: unknown): boolean => typeof time === "number" && Number.isFinite(time);
  if (
    !isStatus ||
    !(isValue(value) || (Array.isArray(value) && value.every(isValue))) ||
    !isTime(times.receivedTimestampMs) ||
    !(times.sourceTimestampMs === null || isTime(times.sourceTimestampMs)) ||
    !(times.serverTimestampMs === null || isTime(times.serverTimestampMs))
  )
    throw new RefusalError("malformed", `a sample of ${signal} that lacks what every sample has`);
}

function isValue(value: unknown): boolean {
  return value === null || ["number", "bigint", "boolean", "string"].includes(typeof value);
}

/** @throws RefusalError */
export function checkRollup(rollup: RollupPart): void {
  checkStream(rollup);
  for (const name of rollup.names) checkName("signal", name, NAME_CHARACTERS_MAX, 0);
}
