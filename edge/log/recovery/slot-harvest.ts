import type { StoredEvent } from "../../../cloud-sync/contract/event.ts";
import { MachineDecoder } from "../tail/chain-decoder.ts";
import { chunkHead, decodeChunkBody } from "../tail/chunk.ts";
import { EventSink } from "../tail/event-sink.ts";
import { slotBody, slotHead } from "../tail/slots.ts";

interface Chain {
  readonly ids: string[];
  readonly lastSeqs: number[];
  readonly decoders: Map<number, MachineDecoder>;
}

/** Slots found somewhere in a damaged file, put together again; a chain is followed as far as it is whole. */
export class SlotHarvest {
  readonly #parts = new Map<number, (Uint8Array | undefined)[]>();
  /** Offset up to which each chunk that gave nothing reaches; 0 where not even that can be read. */
  readonly #damaged: number[] = [];
  /** The highest offset that any chunk names, read or not. */
  headSeen = 0;

  /** How many chunks with events past `offset` gave nothing. Those before are sealed: the ring is just overwriting them. */
  damagedAfter(offset: number): number {
    return this.#damaged.filter((lastOffset) => lastOffset > offset).length;
  }

  /** True when the bytes are a slot, damaged or not. */
  take(bytes: Buffer): boolean {
    const head = slotHead(bytes);
    if (!head) return false;
    const body = slotBody(bytes);
    if (!body) return true;
    const parts = this.#parts.get(head.chunk) ?? Array.from({ length: head.parts }, () => undefined);
    parts[head.part] ??= Uint8Array.from(body);
    this.#parts.set(head.chunk, parts);
    return true;
  }

  /**
   * Events of all chunks that can be read, in the order of the chunks.
   * @param epochOf the epoch that an offset had
   */
  events(epochOf: (offset: number) => string): StoredEvent[] {
    const chains = new Map<number, Chain>();
    const events: StoredEvent[] = [];
    let brokenAt = 0;
    let before = 0;
    for (const [chunk, parts] of [...this.#parts].sort((a, b) => a[0] - b[0])) {
      const lastOffset = lastOffsetOf(parts[0]);
      this.headSeen = Math.max(this.headSeen, lastOffset);
      // Whose chunk a missing one was can't be told: no chain that began before it goes on after it.
      if (chunk !== before + 1) brokenAt = chunk - 1;
      before = chunk;
      const found = parts.every((part) => part !== undefined)
        ? read(Buffer.concat(parts as Uint8Array[]), chunk, chains, brokenAt, epochOf)
        : undefined;
      if (found) for (const event of found) events.push(event);
      else brokenAt = chunk;
      if (!found || found.length === 0) this.#damaged.push(lastOffset);
    }
    return events;
  }
}

function lastOffsetOf(firstPart: Uint8Array | undefined): number {
  if (!firstPart) return 0;
  try {
    const { firstOffset, events } = chunkHead(firstPart);
    return firstOffset + events - 1;
  } catch {
    return 0;
  }
}

/** Events of a chunk, or undefined when it can't be read. */
function read(
  bytes: Buffer,
  chunk: number,
  chains: Map<number, Chain>,
  brokenAt: number,
  epochOf: (offset: number) => string,
): StoredEvent[] | undefined {
  try {
    const { chain: first, firstOffset } = chunkHead(bytes);
    // What follows a gap in its own chain says only differences to something that is not here.
    if (first <= brokenAt || (!chains.has(first) && first !== chunk)) return [];
    const chain = chains.get(first) ?? { ids: [], lastSeqs: [], decoders: new Map() };
    chains.set(first, chain);
    return decode(bytes, chain, firstOffset, epochOf(firstOffset));
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return undefined;
  }
}

function decode(bytes: Buffer, chain: Chain, firstOffset: number, epoch: string): StoredEvent[] {
  const { raw, sections } = decodeChunkBody(bytes, chain);
  const sink = new EventSink(epoch);
  let offset = firstOffset;
  for (const section of sections) {
    let decoder = chain.decoders.get(section.machine);
    if (!decoder) {
      decoder = new MachineDecoder(section.machineId);
      chain.decoders.set(section.machine, decoder);
    }
    decoder.section(raw, section, sink.begin(section, offset, decoder));
    offset += section.events;
  }
  return sink.events;
}
