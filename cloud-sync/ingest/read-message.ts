import { BlockError } from "../contract/block/block-error.ts";
import type { StoredEvent } from "../contract/event.ts";
import { decodeEvents, EVENTS_CONTENT_TYPE } from "../contract/frame/events-json.ts";
import { FRAME_CONTENT_TYPE } from "../contract/frame/frame.ts";
import { FrameError } from "../contract/frame/frame-error.ts";
import { decodeMessage } from "../contract/frame/message.ts";
import type { Origin } from "../store/write-telemetry.ts";
import { type Arrival, factoryOf, type Refusal, RefusalError } from "./arrival.ts";
import { foreignEvent, foreignReadings } from "./foreign.ts";
import { checkBlock, checkEvent, checkRollup } from "./plausible.ts";

/** A message as the hub gave it. */
export interface HubMessage {
  /** Names the hub as long as it is the same one. */
  readonly hubKey: string;
  readonly partition: string;
  readonly sequenceNumber: number;
  /** The hub's own word for its position. */
  readonly offset: string;
  readonly enqueuedMs: number;
  /** Identity of the device, or "device/module"; "" when a service put it in. */
  readonly deviceId: string;
  readonly contentType: string;
  readonly body: Uint8Array;
  /** The device's own, and those of the hub; kept with a message that can't be stored. */
  readonly properties: Readonly<Record<string, unknown>>;
  readonly systemProperties: Readonly<Record<string, unknown>>;
}

export interface ReadMessage {
  readonly arrivals: readonly Arrival[];
  /** Of the message, or of parts of it: then the others are in `arrivals`. */
  readonly refusals: readonly Refusal[];
}

/** Largest body that is looked at: Event Hubs allows 1 MB a message, IoT Hub 256 KB. */
const BODY_BYTES_MAX = 1_048_576;
const REASON_CHARACTERS_MAX = 500;

/** Takes a message apart. Never throws: what can't be stored is in `refusals`. @param message its number, kept in what comes out */
export function readMessage(hubMessage: HubMessage, message: number): ReadMessage {
  const arrivals: Arrival[] = [];
  const refusals: Refusal[] = [];
  const attempt = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      refusals.push(refusalOf(error, message));
    }
  };
  attempt(() => {
    const { body, contentType } = hubMessage;
    if (body.length > BODY_BYTES_MAX) throw new RefusalError("limit", `a message of ${body.length} bytes`);
    if (contentType === FRAME_CONTENT_TYPE) readFrame(hubMessage, message, arrivals, attempt);
    else if (contentType === "" || contentType.startsWith(EVENTS_CONTENT_TYPE)) {
      readJson(hubMessage, message, arrivals, attempt);
    } else throw new RefusalError("content-type", `a message of type ${contentType.slice(0, 100)}`);
  });
  return { arrivals, refusals };
}

type Attempt = (work: () => void) => void;

function readFrame(hubMessage: HubMessage, message: number, arrivals: Arrival[], attempt: Attempt): void {
  const { enqueuedMs } = hubMessage;
  const { blocks, rollups } = decodeMessage(hubMessage);
  for (const { block, bytes } of blocks)
    attempt(() => {
      checkBlock(block, enqueuedMs);
      arrivals.push({ kind: "run", message, origin: originOf(hubMessage, block.head.machineId), block, bytes });
    });
  for (const rollup of rollups)
    attempt(() => {
      checkRollup(rollup);
      rollup.content();
      arrivals.push({ kind: "rollup", message, origin: originOf(hubMessage, rollup.machineId), rollup });
    });
}

function readJson(hubMessage: HubMessage, message: number, arrivals: Arrival[], attempt: Attempt): void {
  const { body, enqueuedMs } = hubMessage;
  const json = parsed(body);
  if (typeof json === "object" && json !== null && "v" in json && "events" in json) {
    const sound: StoredEvent[] = [];
    for (const event of decodeEvents(body).events)
      attempt(() => {
        checkEvent(event, enqueuedMs);
        sound.push(event);
      });
    for (const events of byStream(sound)) {
      const [{ machineId }] = events;
      arrivals.push({ kind: "events", message, origin: originOf(hubMessage, machineId), events });
    }
    return;
  }
  const readings: StoredEvent[] = [];
  for (const [at, reading] of foreignReadings(json).entries())
    attempt(() => void readings.push(foreignEvent(reading, at, hubMessage)));
  const byMachine = Map.groupBy(readings, ({ machineId }) => machineId);
  for (const [machineId, events] of byMachine)
    arrivals.push({ kind: "foreign", message, origin: originOf(hubMessage, machineId), events });
}

/** @throws RefusalError malformed */
function parsed(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (error) {
    throw new RefusalError("malformed", `no JSON: ${(error as Error).message}`);
  }
}

/** Events of each stream in the order of seq; of those that a message tells twice the first. */
function byStream(events: readonly StoredEvent[]): [StoredEvent, ...StoredEvent[]][] {
  const streams = Map.groupBy(events, ({ epoch, machineId }) => JSON.stringify([epoch, machineId]));
  return [...streams.values()].map((stream) => {
    const bySeq = new Map(stream.toReversed().map((event) => [event.seq, event]));
    return [...bySeq.values()].sort((a, b) => a.seq - b.seq) as [StoredEvent, ...StoredEvent[]];
  });
}

function originOf({ deviceId, enqueuedMs }: HubMessage, machineId: string): Origin {
  return { factoryId: factoryOf(machineId), deviceId, enqueuedMs };
}

export function refusalOf(error: unknown, message: number): Refusal {
  const { code, reason } = cause(error);
  return { message, code, reason: reason.slice(0, REASON_CHARACTERS_MAX).replaceAll("\0", "\ufffd") };
}

function cause(error: unknown): Pick<Refusal, "code" | "reason"> {
  if (error instanceof RefusalError || error instanceof FrameError || error instanceof BlockError)
    return { code: error.code, reason: error.message };
  // Reading depends on the message alone: what fails would fail each time, and the messages behind it would wait for ever.
  return { code: "malformed", reason: `it cannot be read: ${String(error)}` };
}
