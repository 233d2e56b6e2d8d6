import { crc32 } from "node:zlib";
import { verifyBlock } from "../block/block.ts";
import { ByteReader, ByteWriter } from "../block/bytes.ts";
import { BLOCK_BYTES_MAX } from "../block/limits.ts";
import type { Budget } from "../block/text-pack.ts";
import { FrameError, guardedFrame } from "./frame-error.ts";
import { namesBudget, type RollupPart, readRollupPart, writeRollupPart } from "./rollup-part.ts";

/**
 * # Frame format, version 1
 *
 * A frame is the body of a telemetry message (content type application/vnd.tailstock.frame): parts of several machines, each with
 * a checksum of its own. Golden files under test/golden/frame/v1 pin it; what a part holds stands in its own file.
 *
 *   frame    = "TSFR", version u8 (1), frame bytes u32, number of parts varint, for each: kind u8, bytes varint, CRC-32 u32;
 *              CRC-32 u32 of all up to here; then the parts, without gaps
 *   kinds    = 0 block: as it lies in the log (block/block.ts). 1 bundle: fresh events of several machines (bundle.ts).
 *              2 roll-up: what is left of a thinned range (rollup-part.ts)
 * Bytes, varint, text and CRC-32 as in block.ts. A decoder refuses a version or a kind that it does not know.
 */
export const FRAME_CONTENT_TYPE = "application/vnd.tailstock.frame";
/** What IoT Hub allows a message. */
export const FRAME_BYTES_MAX = 256 * 1024;

const MAGIC = 0x5246_5354; // "TSFR", little endian
const VERSION = 1;
const PARTS_MAX = 16_384;
const HEAD_BYTES = 4 + 1 + 4;
const CRC_BYTES = 4;
const Kind = { Block: 0, Bundle: 1, Rollup: 2 } as const;

/** What one part adds to a frame besides its own bytes, at most. */
export const PART_OVERHEAD_BYTES = 1 + 3 + 4;
/** What a frame takes besides its parts, at most. */
export const FRAME_OVERHEAD_BYTES = HEAD_BYTES + 3 + CRC_BYTES;

export type FramePart =
  | { readonly kind: "block"; readonly bytes: Uint8Array }
  | { readonly kind: "bundle"; readonly bytes: Uint8Array }
  | { readonly kind: "rollup"; readonly rollup: RollupPart };

/** @throws FrameError limit when it would be larger than FRAME_BYTES_MAX */
export function encodeFrame(parts: readonly FramePart[]): Buffer {
  const bodies = parts.map((part) => (part.kind === "rollup" ? writeRollupPart(part.rollup) : part.bytes));
  const head = new ByteWriter(64 + parts.length * PART_OVERHEAD_BYTES);
  head.varint(parts.length);
  for (const [at, { kind }] of parts.entries()) {
    const body = bodies[at] as Uint8Array;
    head.u8(kind === "block" ? Kind.Block : kind === "bundle" ? Kind.Bundle : Kind.Rollup);
    head.varint(body.length);
    head.u32(crc32(body));
  }
  const bytes = HEAD_BYTES + head.length + CRC_BYTES + bodies.reduce((sum, body) => sum + body.length, 0);
  if (bytes > FRAME_BYTES_MAX || parts.length > PARTS_MAX) {
    throw new FrameError(
      "limit",
      `${parts.length} parts make a frame of ${bytes} bytes; ${FRAME_BYTES_MAX} are allowed`,
    );
  }
  const out = new ByteWriter(bytes);
  out.u32(MAGIC);
  out.u8(VERSION);
  out.u32(bytes);
  out.bytes(head.take());
  out.u32(crc32(out.take()));
  for (const body of bodies) out.bytes(body);
  return out.take();
}

/**
 * All parts, proved by their checksums; nothing in them is decoded but roll-ups' names. Bytes are views into the frame.
 * @throws FrameError version, truncated, checksum, limit, malformed
 */
export function decodeFrame(bytes: Uint8Array): FramePart[] {
  return guardedFrame("the frame", () => {
    const input = new ByteReader(bytes);
    if (input.left < HEAD_BYTES) throw new FrameError("truncated", `${bytes.length} bytes are no frame`);
    if (input.u32() !== MAGIC) throw new FrameError("version", "these bytes are no frame: they do not begin with TSFR");
    const version = input.u8();
    if (version !== VERSION) throw new FrameError("version", `frame format ${version}; this decoder knows ${VERSION}`);
    const declared = input.u32();
    if (declared > FRAME_BYTES_MAX) throw new FrameError("limit", `a frame of ${declared} bytes`);
    if (declared > bytes.length) throw new FrameError("truncated", `${bytes.length} bytes of a frame of ${declared}`);
    const heads = Array.from({ length: input.varint(PARTS_MAX) }, () => ({
      kind: input.u8(),
      bytes: input.varint(FRAME_BYTES_MAX),
      crc: input.u32(),
    }));
    const covered = bytes.subarray(0, input.position);
    if (crc32(covered) !== input.u32()) throw new FrameError("checksum", "the frame's head was altered");
    if (declared < bytes.length) throw new FrameError("malformed", `${bytes.length - declared} bytes are left over`);
    const budget = namesBudget();
    const parts = heads.map((head, at) => {
      const body = input.bytes(head.bytes);
      if (crc32(body) !== head.crc) throw new FrameError("checksum", `part ${at} of the frame was altered`);
      return partOf(head.kind, body, budget);
    });
    input.end("the frame");
    return parts;
  });
}

function partOf(kind: number, bytes: Uint8Array, budget: Budget): FramePart {
  switch (kind) {
    case Kind.Block:
      if (bytes.length > BLOCK_BYTES_MAX) throw new FrameError("limit", `a block of ${bytes.length} bytes`);
      verifyBlock(bytes);
      return { kind: "block", bytes };
    case Kind.Bundle:
      return { kind: "bundle", bytes };
    case Kind.Rollup:
      return { kind: "rollup", rollup: readRollupPart(bytes, budget) };
    default:
      throw new FrameError("version", `a part of kind ${kind}`);
  }
}
