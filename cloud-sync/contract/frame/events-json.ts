import { EVENT_TYPES, type EventType, type StoredEvent } from "../event.ts";
import { FrameError, guardedFrame } from "./frame-error.ts";
import { tagged, untagged } from "./tagged-json.ts";

/**
 * The body of a priority message: plain JSON in UTF-8, so that a hub's routes and stream processors can read it.
 *
 *   {"v": 1, "site": "redmond", "events": [{"epoch", "machineId", "seq", "offset", "type", "time", "entityId", "causedBy", "data"}]}
 *
 * site may be left out, so may an entityId that is "epoch/machineId/seq", and causedBy. time is ISO 8601 in UTC with milliseconds; a
 * time that this does not give back is a number, UTC epoch ms. data is tagged JSON (tagged-json.ts).
 */
export const EVENTS_CONTENT_TYPE = "application/json";
export const EVENTS_CONTENT_ENCODING = "utf-8";

const VERSION = 1;
const EVENTS_MAX = 100_000;
const BODY_BYTES_MAX = 16 * 1024 * 1024;
/** Of {"v":1,"site":"","events":[]}, with room. */
const ENVELOPE_BYTES = 48;

export interface EventsMessage {
  readonly site: string | undefined;
  readonly events: readonly StoredEvent[];
}

/** As many messages as are needed; an event that does not fit into one by itself stands in `tooLarge`. */
export interface EventMessages {
  readonly messages: readonly { readonly body: Buffer; readonly events: readonly StoredEvent[] }[];
  readonly tooLarge: readonly StoredEvent[];
}

/**
 * Events in their order, in as few bodies of at most `bytesMax` as they take.
 * @throws FrameError malformed when an event has no JSON
 */
export function encodeEvents(events: readonly StoredEvent[], bytesMax: number, site?: string): EventMessages {
  const head = `{"v":${VERSION},${site === undefined ? "" : `"site":${JSON.stringify(site)},`}"events":[`;
  const envelope = Buffer.byteLength(head) + ENVELOPE_BYTES;
  const messages: { body: Buffer; events: StoredEvent[] }[] = [];
  const tooLarge: StoredEvent[] = [];
  let texts: string[] = [];
  let taken: StoredEvent[] = [];
  let bytes = envelope;
  const end = (): void => {
    if (taken.length > 0) messages.push({ body: Buffer.from(`${head}${texts.join(",")}]}`), events: taken });
    [texts, taken, bytes] = [[], [], envelope];
  };
  for (const event of events) {
    const text = guardedFrame("an event", () => textOf(event));
    const more = Buffer.byteLength(text) + 1;
    if (envelope + more > bytesMax) {
      tooLarge.push(event);
      continue;
    }
    if (bytes + more > bytesMax) end();
    texts.push(text);
    taken.push(event);
    bytes += more;
  }
  end();
  return { messages, tooLarge };
}

function textOf({ epoch, machineId, seq, offset, type, timeMs, entityId, causedBy, data }: StoredEvent): string {
  const isOwn = entityId === `${epoch}/${machineId}/${seq}`;
  return JSON.stringify({
    epoch,
    machineId,
    seq,
    offset,
    type,
    time: timeOf(timeMs),
    ...(isOwn ? {} : { entityId }),
    ...(causedBy === undefined ? {} : { causedBy }),
    data: tagged(data),
  });
}

function timeOf(timeMs: number): unknown {
  const isWhole = Number.isInteger(timeMs) && !Object.is(timeMs, -0) && Math.abs(timeMs) <= 8.64e15;
  return isWhole ? new Date(timeMs).toISOString() : tagged(timeMs);
}

/** @throws FrameError malformed, version, limit */
export function decodeEvents(body: Uint8Array): EventsMessage {
  if (body.length > BODY_BYTES_MAX) throw new FrameError("limit", `${body.length} bytes of events`);
  return guardedFrame("the events", () => {
    const json: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
    const { v, site, events } = objectOf(json);
    if (v !== VERSION) throw new FrameError("version", `events of version ${String(v)}; this decoder knows ${VERSION}`);
    if (!Array.isArray(events) || events.length > EVENTS_MAX)
      throw new FrameError("malformed", "the message has no events");
    if (site !== undefined && typeof site !== "string") throw new FrameError("malformed", "a site that is no text");
    return { site, events: events.map(eventOf) };
  });
}

function eventOf(json: unknown): StoredEvent {
  const { epoch, machineId, seq, offset, type, time, entityId, causedBy, data } = objectOf(json);
  const isText = (value: unknown): value is string => typeof value === "string";
  const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
  const timeMs = isText(time) && !time.startsWith("$") ? Date.parse(time) : untagged(time);
  if (
    !isText(epoch) ||
    !isText(machineId) ||
    !isCount(seq) ||
    !isCount(offset) ||
    !EVENT_TYPES.includes(type as EventType) ||
    typeof timeMs !== "number" ||
    !Number.isFinite(timeMs) ||
    !(entityId === undefined || isText(entityId)) ||
    !(causedBy === undefined || isText(causedBy))
  ) {
    throw new FrameError("malformed", "an event that lacks what every event has");
  }
  // The envelope was checked field by field; that data fits the type is the producer's promise, as in a block.
  return {
    epoch,
    machineId,
    seq,
    offset,
    type,
    timeMs,
    entityId: entityId ?? `${epoch}/${machineId}/${seq}`,
    ...(causedBy === undefined ? {} : { causedBy }),
    data: untagged(objectOf(data)),
  } as StoredEvent;
}

function objectOf(json: unknown): Readonly<Record<string, unknown>> {
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw new FrameError("malformed", "something stands where an object is wanted");
  return json as Readonly<Record<string, unknown>>;
}
