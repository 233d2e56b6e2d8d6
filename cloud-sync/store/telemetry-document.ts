import type { DecodedBlock } from "../contract/block/decoded-block.ts";
import type { StoredEvent } from "../contract/event.ts";
import type { ReceivedRollup } from "../contract/frame/received-rollup.ts";
import type { Partition } from "./event-store.ts";

/**
 * Documents of the containers telemetry and scored_telemetry.
 *
 * Each event of the factories is in exactly one of them: ingest admits an event when its identity (epoch, machineId, seq) is new, and
 * writes down what it has admitted in the partition's document "admitted", in the same transaction. So readers of the feed may count.
 *
 * - block: a run of one machine's events as a block (contract/block). Where some of its events had come before, `admitted` of its fields
 *   lists the ranges of seq that count; the others are in other documents.
 * - events: events as JSON: what came by the priority lane, from foreign devices, and what the cloud's models said.
 * - rollup: what is left of a range whose readings had to make room at the box; beside readings, never added to them
 *   (contract/frame/message.ts).
 * - admitted: bookkeeping, not in the feed, kept for ever.
 */
export const DOCUMENT_KINDS = ["block", "events", "rollup", "admitted"] as const;
export type DocumentKind = (typeof DOCUMENT_KINDS)[number];

/** Seqs of one stream, both ends included, ascending, not touching each other. */
export type SeqRanges = readonly (readonly [firstSeq: number, lastSeq: number])[];

/**
 * Events of a stream in one partition. At 76 KB an event, which is ten thousand signals, that is Cosmos DB's 20 GB; a machine of a
 * hundred signals has 60 MB.
 */
export const SEQS_PER_PARTITION = 2 ** 18;

/**
 * Epochs of events that came from devices of another make: "iothub:<hub, as long as it is the same>/<partition>". seq is the hub's
 * sequence number times FOREIGN_EVENTS_MAX plus the place in the message (cloud-sync/ingest/foreign.ts), so it has holes.
 */
export const FOREIGN_EPOCH_PREFIX = "iothub:";
/**
 * Epochs of what the cloud's own models said: "score:<model>@<version>/<epoch of the telemetry>"; seq is the telemetry's. Of a detector
 * that judges each signal by itself "score:<model>#<signal, percent-encoded>@…": one event of telemetry may have several of its events.
 */
export const SCORE_EPOCH_PREFIX = "score:";

/** The partition of the telemetry container that holds an event. */
export function partitionOf({ epoch, machineId, seq }: Pick<StoredEvent, "epoch" | "machineId" | "seq">): Partition {
  return { stream: machineId, part: `${epoch}/${Math.floor(seq / SEQS_PER_PARTITION)}` };
}

/** Fields that every document of the feed has. */
export interface DocumentFields {
  readonly epoch: string;
  readonly machineId: string;
  readonly factoryId: string;
  /** Identity of the hub's device that sent it; "" for what the cloud itself made. */
  readonly deviceId: string;
  /** Lowest and highest seq that counts; of a roll-up its range. */
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** Of events and samples that count, of a roll-up the readings that were there. */
  readonly events: number;
  readonly samples: number;
  /** Earliest and latest time of its events, UTC epoch ms. */
  readonly fromMs: number;
  readonly toMs: number;
  /** When the hub took the message, UTC epoch ms. */
  readonly enqueuedMs: number;
  /** Of a block: the seqs that count; left out when all do. */
  readonly admitted?: SeqRanges;
}

/** A document of the feed, read. All lazily; each throws BlockError or FrameError when the body was damaged in the store. */
export interface TelemetryDocument {
  readonly kind: "block" | "events" | "rollup";
  readonly fields: DocumentFields;
  /** Of a block, whatever is admitted. */
  readonly block: DecodedBlock | undefined;
  readonly rollup: ReceivedRollup | undefined;
  /** Whether an event of the block counts, by its index in the block; all do when undefined. */
  readonly counts: ((eventIndex: number) => boolean) | undefined;
  /** Events that count and are not telemetry, in the order of seq. */
  rareEvents(): readonly StoredEvent[];
  /** All events that count; of a block an object for each sample. */
  events(): readonly StoredEvent[];
}
