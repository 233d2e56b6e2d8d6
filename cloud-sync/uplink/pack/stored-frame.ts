import { BlockError } from "../../contract/block/block-error.ts";
import { encodeFrame, FRAME_OVERHEAD_BYTES, type FramePart, PART_OVERHEAD_BYTES } from "../../contract/frame/frame.ts";
import { type RollupPart, writeRollupPart } from "../../contract/frame/rollup-part.ts";
import { readRollup } from "../../contract/rollup/rollup.ts";
import { BODY_BYTES_MAX } from "../limits.ts";
import { stretchOf } from "./pack-live.ts";

/** What a frame of a backlog is made of, and how far the cursor may move when it is there. */
export interface BacklogPart {
  readonly machineId: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly samples: number;
  readonly part: FramePart;
  readonly lastOffset: number;
}

export interface StoredFrame {
  readonly body: Buffer;
  readonly events: number;
  readonly samples: number;
  readonly contents: readonly string[];
  /** Of its last part. */
  readonly lastOffset: number;
}

/**
 * With the names that the aggregates use, out of all that the machine ever had. Aggregates that are damaged or larger than a
 * message are left out: that the range was thinned is told all the same, and nothing waits behind it.
 */
export function rollupPartOf(rollup: RollupPart): FramePart {
  const bare = { ...rollup, names: [], aggregates: undefined };
  const used = rollup.aggregates && usedIn(rollup.aggregates);
  if (used === undefined) return { kind: "rollup", rollup: bare };
  const names = rollup.names.slice(0, Math.max(-1, ...used) + 1).map((name, at) => (used.has(at) ? name : ""));
  const lean = { ...rollup, names };
  const bytes = writeRollupPart(lean).length + PART_OVERHEAD_BYTES + FRAME_OVERHEAD_BYTES;
  return { kind: "rollup", rollup: bytes <= BODY_BYTES_MAX ? lean : bare };
}

function usedIn(aggregates: Uint8Array): ReadonlySet<number> | undefined {
  try {
    return new Set(readRollup(aggregates).keys());
  } catch (error) {
    if (error instanceof BlockError) return undefined;
    throw error;
  }
}

/** Fills frames to just under `bytesMax` with parts in their order, nothing encoded anew. A part never goes alone into less. */
export class FrameFiller {
  #parts: BacklogPart[] = [];
  #bytes = FRAME_OVERHEAD_BYTES;

  /** @returns the frame that is full, when this part does not fit into it any more */
  add(part: BacklogPart, bytesMax: number): StoredFrame | undefined {
    const bytes = sizeOf(part.part) + PART_OVERHEAD_BYTES;
    const full = this.#parts.length > 0 && this.#bytes + bytes > bytesMax ? this.finish() : undefined;
    this.#parts.push(part);
    this.#bytes += bytes;
    return full;
  }

  /** What is gathered; undefined when nothing is. */
  finish(): StoredFrame | undefined {
    const parts = this.#parts;
    const last = parts.at(-1);
    if (last === undefined) return undefined;
    this.#parts = [];
    this.#bytes = FRAME_OVERHEAD_BYTES;
    return {
      body: encodeFrame(parts.map(({ part }) => part)),
      events: parts.reduce((sum, { firstSeq, lastSeq }) => sum + lastSeq - firstSeq + 1, 0),
      samples: parts.reduce((sum, { samples }) => sum + samples, 0),
      contents: parts.map(({ machineId, firstSeq, lastSeq }) => stretchOf(machineId, firstSeq, lastSeq)),
      lastOffset: last.lastOffset,
    };
  }
}

function sizeOf(part: FramePart): number {
  return part.kind === "rollup" ? writeRollupPart(part.rollup).length : part.bytes.length;
}
