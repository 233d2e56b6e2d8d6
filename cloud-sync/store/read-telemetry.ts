import { decodeBlock } from "../contract/block/block.ts";
import type { DecodedBlock } from "../contract/block/decoded-block.ts";
import type { StoredEvent } from "../contract/event.ts";
import { decodeEvents } from "../contract/frame/events-json.ts";
import { FrameError, guardedFrame } from "../contract/frame/frame-error.ts";
import { type ReceivedRollup, receivedRollup } from "../contract/frame/received-rollup.ts";
import { readRollupPart } from "../contract/frame/rollup-part.ts";
import type { StoredDocument } from "./event-store.ts";
import { seqFilter } from "./seq-ranges.ts";
import type { DocumentFields, TelemetryDocument } from "./telemetry-document.ts";

/**
 * Reads a document of telemetry or scored_telemetry that is in the feed. What it holds is decoded when it is asked for, once.
 * @throws FrameError malformed when it is none, or its fields are not those of one; later as TelemetryDocument says
 */
export function readTelemetryDocument(document: StoredDocument): TelemetryDocument {
  const { kind } = document;
  if (kind !== "block" && kind !== "events" && kind !== "rollup")
    throw new FrameError("malformed", `a document of kind ${kind.slice(0, 40)} in the feed of telemetry`);
  return new LazyDocument(kind, fieldsOf(document), document.body ?? new Uint8Array());
}

class LazyDocument implements TelemetryDocument {
  readonly kind: "block" | "events" | "rollup";
  readonly fields: DocumentFields;
  readonly #body: Uint8Array;
  #block: DecodedBlock | undefined;
  #rollup: ReceivedRollup | undefined;
  #rare: readonly StoredEvent[] | undefined;
  #events: readonly StoredEvent[] | undefined;

  constructor(kind: "block" | "events" | "rollup", fields: DocumentFields, body: Uint8Array) {
    this.kind = kind;
    this.fields = fields;
    this.#body = body;
  }

  get block(): DecodedBlock | undefined {
    if (this.kind !== "block") return undefined;
    this.#block ??= guardedFrame("a block", () => this.#own(decodeBlock(this.#body), (block) => block.head));
    return this.#block;
  }

  get rollup(): ReceivedRollup | undefined {
    if (this.kind !== "rollup") return undefined;
    this.#rollup ??= guardedFrame("a roll-up", () =>
      this.#own(receivedRollup(readRollupPart(this.#body)), (rollup) => rollup),
    );
    return this.#rollup;
  }

  get counts(): ((eventIndex: number) => boolean) | undefined {
    const { admitted } = this.fields;
    const block = this.block;
    if (block === undefined || admitted === undefined) return undefined;
    const { firstSeq } = block.head;
    const isAdmitted = seqFilter(admitted);
    return (eventIndex) => isAdmitted(firstSeq + eventIndex);
  }

  rareEvents(): readonly StoredEvent[] {
    this.#rare ??=
      this.kind === "block"
        ? this.#counted(this.block?.rareEvents() ?? [])
        : this.events().filter(({ type }) => type !== "telemetry");
    return this.#rare;
  }

  events(): readonly StoredEvent[] {
    if (this.kind === "rollup") return [];
    // Of a block they are large and seldom asked for twice.
    if (this.kind === "block") return this.#counted(this.block?.events() ?? []);
    this.#events ??= this.#decodeEvents();
    return this.#events;
  }

  #counted(events: readonly StoredEvent[]): readonly StoredEvent[] {
    const { admitted } = this.fields;
    if (admitted === undefined) return events;
    const isAdmitted = seqFilter(admitted);
    return events.filter(({ seq }) => isAdmitted(seq));
  }

  #decodeEvents(): readonly StoredEvent[] {
    const { events } = decodeEvents(this.#body);
    for (const event of events) this.#own(event, (own) => own);
    return events.toSorted((a, b) => a.seq - b.seq);
  }

  /** A body under another stream's fields would be counted where it does not belong. */
  #own<T>(content: T, streamOf: (content: T) => { epoch: string; machineId: string }): T {
    const { epoch, machineId } = streamOf(content);
    if (epoch !== this.fields.epoch || machineId !== this.fields.machineId)
      throw new FrameError("malformed", "a document whose body is of another stream than its fields say");
    return content;
  }
}

const TEXTS = ["epoch", "machineId", "factoryId", "deviceId"] as const;
const COUNTS = ["firstSeq", "lastSeq", "events", "samples"] as const;
const TIMES = ["fromMs", "toMs", "enqueuedMs"] as const;

function fieldsOf({ fields }: StoredDocument): DocumentFields {
  const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
  const isRange = (range: unknown): boolean => {
    if (!Array.isArray(range) || range.length !== 2) return false;
    const [first, last] = range as unknown[];
    return isCount(first) && isCount(last) && first <= last;
  };
  const { admitted } = fields;
  const bad =
    TEXTS.find((name) => typeof fields[name] !== "string") ??
    COUNTS.find((name) => !isCount(fields[name])) ??
    TIMES.find((name) => !Number.isFinite(fields[name])) ??
    (admitted === undefined || (Array.isArray(admitted) && admitted.every(isRange)) ? undefined : "admitted");
  if (bad !== undefined) throw new FrameError("malformed", `a document with the field ${bad} missing or wrong`);
  return fields as unknown as DocumentFields;
}
