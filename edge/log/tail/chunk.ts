import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { ByteWriter } from "../../../cloud-sync/contract/block/bytes.ts";
import { EVENT_TYPES } from "../../../cloud-sync/contract/event.ts";
import { ByteReader } from "../byte-reader.ts";

/**
 * A chunk: what one commit appended, all machines.
 *
 *   head       version u8 (1), chain varint (number of its first chunk), first offset varint, events varint,
 *              samples varint, appended f64 (this box's clock, ms), raw bytes varint
 *   body       zstd over: sections varint, section × n, control stream, value stream
 *   section    machine varint (its number in the chain; a new one brings its id as text), skipped zigzag (seqs of
 *              other writers since the chain's last event of the machine), events varint, events that are not
 *              telemetry varint, bytes of control varint, bytes of values varint
 *   event      (control) type u8 with EventFlag, distance to the time of the machine's last event in the chain
 *              zigzag, telemetry: samples varint, sample × n (chain-state.ts); (values) time f64 if so flagged,
 *              entity id, cause, data as JSON text
 *
 * Sections stand in the order of the offset; a section is a run of events of one machine, with consecutive seqs.
 */
const VERSION = 1;
const RAW_BYTES_MAX = 256 * 1024 * 1024;
const SECTIONS_MAX = 1_000_000;
const COMPRESSION = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

export const EventFlag = { EntityId: 0x10, CausedBy: 0x20, TimeFloat: 0x40, Type: 0x0f } as const;
export const TELEMETRY = EVENT_TYPES.indexOf("telemetry");

export interface SectionHead {
  /** The machine's number in the chain. */
  readonly machine: number;
  /** Known to whoever follows the chain; in the file only at the machine's first section. */
  machineId: string;
  readonly isNew: boolean;
  firstSeq: number;
  readonly skipped: number;
  events: number;
  /** Events that are not telemetry. */
  rare: number;
  controlStart: number;
  controlEnd: number;
  valuesStart: number;
  valuesEnd: number;
}

export interface ChunkHead {
  /** Number of the chain's first chunk. */
  readonly chain: number;
  readonly firstOffset: number;
  readonly events: number;
  readonly samples: number;
  readonly appendedMs: number;
}

/** The chunk as it is stored, and its body as readers see it; the sections' places become those in the body. */
export function encodeChunk(
  head: ChunkHead,
  sections: readonly SectionHead[],
  control: Uint8Array,
  values: Uint8Array,
): { readonly bytes: Buffer; readonly raw: Buffer } {
  const body = new ByteWriter(sections.length * 8 + control.length + values.length + 16);
  body.varint(sections.length);
  for (const section of sections) {
    body.varint(section.machine);
    if (section.isNew) body.text(section.machineId);
    body.zigzag(section.skipped);
    body.varint(section.events);
    body.varint(section.rare);
    body.varint(section.controlEnd - section.controlStart);
    body.varint(section.valuesEnd - section.valuesStart);
  }
  const controlAt = body.length;
  body.bytes(control);
  const valuesAt = body.length;
  body.bytes(values);
  const raw = body.take();
  for (const section of sections) {
    section.controlStart += controlAt;
    section.controlEnd += controlAt;
    section.valuesStart += valuesAt;
    section.valuesEnd += valuesAt;
  }
  const out = new ByteWriter(raw.length + 64);
  out.u8(VERSION);
  out.varint(head.chain);
  out.varint(head.firstOffset);
  out.varint(head.events);
  out.varint(head.samples);
  out.f64(head.appendedMs);
  out.varint(raw.length);
  out.bytes(zstdCompressSync(raw, COMPRESSION));
  return { bytes: out.take(), raw };
}

/** The head alone. @throws RangeError when it is none */
export function chunkHead(bytes: Uint8Array): ChunkHead & { readonly rawBytes: number; readonly headBytes: number } {
  const input = new ByteReader(bytes);
  const version = input.u8();
  if (version !== VERSION) throw new RangeError(`chunk version ${version}, expected ${VERSION}`);
  const chain = input.varint();
  const firstOffset = input.varint();
  const events = input.varint();
  const samples = input.varint();
  const appendedMs = input.f64();
  const rawBytes = input.varint();
  if (rawBytes > RAW_BYTES_MAX) throw new RangeError(`a chunk of ${rawBytes} bytes`);
  return { chain, firstOffset, events, samples, appendedMs, rawBytes, headBytes: input.position };
}

export interface ChunkBody {
  readonly raw: Buffer;
  readonly sections: readonly SectionHead[];
}

/**
 * @param names ids of the chain's machines so far, and the newest seq of each; what this chunk brings is added
 * @throws RangeError and zlib's errors when the bytes are no chunk of this chain
 */
export function decodeChunkBody(bytes: Uint8Array, names: { ids: string[]; lastSeqs: number[] }): ChunkBody {
  const { rawBytes, headBytes } = chunkHead(bytes);
  const raw = zstdDecompressSync(bytes.subarray(headBytes), { maxOutputLength: Math.max(1, rawBytes) });
  if (raw.length !== rawBytes) throw new RangeError("a chunk of another length than its head says");
  const input = new ByteReader(raw);
  const count = input.varint();
  if (count > Math.min(SECTIONS_MAX, raw.length)) throw new RangeError(`a chunk of ${count} sections`);
  const sections: SectionHead[] = [];
  for (let i = 0; i < count; i++) {
    const machine = input.varint();
    const isNew = machine === names.ids.length;
    if (machine > names.ids.length) throw new RangeError(`machine ${machine} is new to this chain`);
    if (isNew) {
      names.ids.push(input.text());
      names.lastSeqs.push(0);
    }
    const skipped = input.zigzag();
    const events = input.varint();
    const rare = input.varint();
    const controlBytes = input.varint();
    const valuesBytes = input.varint();
    const firstSeq = (names.lastSeqs[machine] as number) + skipped + 1;
    names.lastSeqs[machine] = firstSeq + events - 1;
    const machineId = names.ids[machine] as string;
    sections.push({
      machine,
      machineId,
      isNew,
      firstSeq,
      skipped,
      events,
      rare,
      controlStart: 0,
      controlEnd: controlBytes,
      valuesStart: 0,
      valuesEnd: valuesBytes,
    });
  }
  locate(sections, input.position, raw.length);
  return { raw, sections };
}

/** Turns lengths into places: all control streams first, then all values. */
function locate(sections: readonly SectionHead[], start: number, end: number): void {
  let at = start;
  for (const section of sections) {
    section.controlStart = at;
    at += section.controlEnd;
    section.controlEnd = at;
  }
  for (const section of sections) {
    section.valuesStart = at;
    at += section.valuesEnd;
    section.valuesEnd = at;
  }
  if (at !== end) throw new RangeError("the sections of a chunk do not fill it");
}
