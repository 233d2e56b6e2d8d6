import { crc32 } from "node:zlib";
import type { BlockContent, EventText } from "./block-content.ts";
import { BlockError } from "./block-error.ts";
import { HASH_BYTES, type Section, writeHead } from "./block-head.ts";
import { ByteWriter } from "./bytes.ts";
import { ColumnEncoder } from "./column-encoder.ts";
import { BLOCK_BYTES_MAX } from "./limits.ts";
import { RangeEncoder } from "./range-encoder.ts";
import { encodeTelemetry } from "./telemetry-encoder.ts";
import { pack } from "./text-pack.ts";
import { valuesOf } from "./values.ts";

/** Chunks of signals share a page, and so a checksum, until it is this large. */
const PAGE_BYTES = 4096;

/** @throws BlockError limit when the block would be larger than BLOCK_BYTES_MAX */
export function encodeBlockContent(content: BlockContent, previousHash: Uint8Array): Buffer {
  if (previousHash.length !== HASH_BYTES)
    throw new BlockError("malformed", `a previous hash of ${previousHash.length} bytes`);
  const columns = new ColumnEncoder();
  const telemetry = encodeTelemetry(content, columns);
  const parts: Uint8Array[] = [
    encodeEvents(content, columns),
    packed(rareBytes(content.texts)),
    packed(directoryBytes(telemetry.names, telemetry.counts, telemetry.chunks)),
    telemetry.slots,
    telemetry.order,
    ...pagesOf(telemetry.chunks),
  ];
  const events = content.offsets.length;
  const head = writeHead({
    epoch: content.epoch,
    machineId: content.machineId,
    firstSeq: content.firstSeq,
    firstOffset: content.offsets[0] ?? 0,
    lastOffset: content.offsets[events - 1] ?? 0,
    events,
    samples: content.numbers.length,
    fromMs: content.timesMs.reduce((least, timeMs) => Math.min(least, timeMs), content.timesMs[0] ?? 0),
    toMs: content.timesMs.reduce((most, timeMs) => Math.max(most, timeMs), content.timesMs[0] ?? 0),
    previousHash: Buffer.from(previousHash),
    signals: telemetry.names.length,
    sections: parts.map((part): Section => ({ bytes: part.length, crc: crc32(part) })),
  });
  const block = Buffer.concat([head, ...parts]);
  if (block.length > BLOCK_BYTES_MAX) {
    throw new BlockError(
      "limit",
      `${events} events make a block of ${block.length} bytes; at most ${BLOCK_BYTES_MAX} are allowed`,
    );
  }
  return block;
}

/** A section of text; nothing stays nothing. */
function packed(raw: Uint8Array): Uint8Array {
  if (raw.length === 0) return raw;
  const { packing, bytes } = pack(raw);
  const out = new ByteWriter(bytes.length + 8);
  out.u8(packing);
  out.varint(raw.length);
  out.bytes(bytes);
  return out.take();
}

/** Times, types, offsets: a column each, the offsets as the distance to the one before. */
function encodeEvents({ timesMs, types, offsets }: BlockContent, columns: ColumnEncoder): Buffer {
  const coder = new RangeEncoder();
  columns.encode(coder, valuesOf(timesMs));
  columns.encode(coder, valuesOf(Float64Array.from(types)));
  columns.encode(coder, valuesOf(offsets.subarray(1).map((offset, i) => offset - (offsets[i] as number))));
  return timesMs.length === 0 ? Buffer.alloc(0) : coder.finish();
}

function rareBytes(texts: readonly EventText[]): Buffer {
  const out = new ByteWriter(1024);
  let next = 0;
  for (const { event, entityId, causedBy, json } of texts) {
    out.varint(event - next);
    next = event + 1;
    out.u8((entityId === null ? 0 : 1) | (causedBy === null ? 0 : 2) | (json === null ? 0 : 4));
    for (const text of [entityId, causedBy, json]) if (text !== null) out.text(text);
  }
  return out.take();
}

function directoryBytes(names: readonly string[], counts: readonly number[], chunks: readonly Uint8Array[]): Buffer {
  const out = new ByteWriter(1024);
  for (const name of names) out.varint(Buffer.byteLength(name));
  for (const count of counts) out.varint(count);
  for (const chunk of chunks) out.varint(chunk.length);
  for (const name of names) out.bytes(Buffer.from(name));
  return out.take();
}

function pagesOf(chunks: readonly Uint8Array[]): Buffer[] {
  const pages: Buffer[] = [];
  let page: Uint8Array[] = [];
  let bytes = 0;
  for (const chunk of chunks) {
    page.push(chunk);
    bytes += chunk.length;
    if (bytes < PAGE_BYTES) continue;
    pages.push(Buffer.concat(page));
    page = [];
    bytes = 0;
  }
  if (page.length > 0) pages.push(Buffer.concat(page));
  return pages;
}
