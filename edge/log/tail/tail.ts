import type Database from "better-sqlite3";
import { chunkHead, decodeChunkBody, type SectionHead } from "./chunk.ts";
import { GROWTH, isUnused, SlotTable, slotBody, slotHead } from "./slots.ts";

export interface TailChunk {
  readonly number: number;
  /** Number of the first chunk of its chain. */
  readonly chain: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly samples: number;
  readonly appendedMs: number;
  readonly slots: readonly number[];
  readonly sections: readonly SectionHead[];
  readonly raw: Buffer;
  /** Damaged, or of a chain with a damaged chunk before it: then there are no sections. */
  readonly isLost: boolean;
}

interface Chain {
  readonly ids: string[];
  readonly lastSeqs: number[];
  isBroken: boolean;
}

interface Mark {
  readonly closedChunk: number;
  readonly sealedChunk: number;
  readonly sealedOffset: number;
  readonly sealedSlot: number;
  readonly slots: number;
}

const UNKNOWN: Mark = { closedChunk: 0, sealedChunk: -1, sealedOffset: 0, sealedSlot: -1, slots: 0 };

/**
 * What this process knows of the tail: every chunk that is not sealed, decompressed. `refresh` brings it up to the
 * snapshot that the connection's transaction sees; what this process itself appends is added after its commit.
 */
export class Tail {
  readonly #database: Database.Database;
  readonly #slots: SlotTable;
  readonly #markStatement: Database.Statement;
  readonly #machines: Database.Statement;
  readonly #chains = new Map<number, Chain>();
  readonly #lastSeqs = new Map<string, number>();
  readonly #live = new Set<number>();
  #chunks: TailChunk[] = [];
  #mark: Mark = UNKNOWN;
  #slotsKnown = 0;
  /** How many there were at the look before. */
  #slotsBefore = 0;
  #lastSlot = -1;
  #dataVersion = -1;

  constructor(database: Database.Database) {
    this.#database = database;
    this.#slots = new SlotTable(database);
    this.#markStatement = database.prepare(`
      SELECT closed_chunk AS closedChunk, sealed_chunk AS sealedChunk, sealed_offset AS sealedOffset,
        sealed_slot AS sealedSlot, slots FROM mark`);
    this.#machines = database.prepare("SELECT machine_id, last_seq FROM machine").raw();
  }

  /** Chunks that are not sealed, in order. */
  get chunks(): readonly TailChunk[] {
    return this.#chunks;
  }

  get closedChunk(): number {
    return this.#mark.closedChunk;
  }

  get sealedChunk(): number {
    return this.#mark.sealedChunk;
  }

  get lastChunk(): number {
    return this.#chunks.at(-1)?.number ?? this.#mark.sealedChunk;
  }

  /** Slot of the last part of the chunk. */
  slotOf(chunk: number): number {
    return this.#chunks.find(({ number }) => number === chunk)?.slots.at(-1) ?? this.#mark.sealedSlot;
  }

  /** Offset of the newest event, 0 when there is none. */
  head(): number {
    return this.#chunks.at(-1)?.lastOffset ?? this.#mark.sealedOffset;
  }

  /** Machines and their newest seq, sealed or not. */
  get lastSeqs(): ReadonlyMap<string, number> {
    return this.#lastSeqs;
  }

  /** Index of the first chunk with this number or a higher one. */
  indexOf(number: number): number {
    const first = this.#chunks[0]?.number ?? 0;
    return Math.min(this.#chunks.length, Math.max(0, number - first));
  }

  /** Index of the first chunk with an event past `offset`. */
  indexAfter(offset: number): number {
    let low = 0;
    for (let high = this.#chunks.length; low < high; ) {
      const middle = (low + high) >> 1;
      if ((this.#chunks[middle] as TailChunk).lastOffset > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Takes over what other connections wrote, as this connection's transaction sees it; false when they wrote nothing. */
  refresh(): boolean {
    const dataVersion = this.#database.pragma("data_version", { simple: true }) as number;
    if (dataVersion === this.#dataVersion) return false;
    this.reload();
    this.#dataVersion = dataVersion;
    return true;
  }

  /** The same, whether another connection wrote or this one did. */
  reload(): void {
    const mark = this.#markStatement.get() as Mark;
    const isFirst = this.#mark.sealedChunk < 0;
    const isSealed = mark.sealedChunk !== this.#mark.sealedChunk;
    if (isSealed) this.#sealed(mark);
    this.#mark = mark;
    this.#slotsBefore = this.#slotsKnown;
    this.#slotsKnown = mark.slots;
    // Where chunks lie depends on which slots were free, and a seal that this process has not seen freed some.
    if (isSealed) this.#load(isFirst);
    else while (this.#follow());
  }

  /** Everything that this process thinks it knows may be wrong: it is read anew at the next refresh. */
  forget(): void {
    this.#chunks = [];
    this.#chains.clear();
    this.#live.clear();
    this.#lastSeqs.clear();
    this.#mark = UNKNOWN;
    this.#lastSlot = -1;
    this.#dataVersion = -1;
  }

  /** Writes a chunk's slots; `add` follows once they are committed. */
  write(slots: readonly Buffer[]): number[] {
    let last = this.#lastSlot;
    let count = this.#slotsKnown;
    const taken: number[] = [];
    for (const data of slots) {
      let slot = last + 1 < count ? last + 1 : 0;
      if (count === 0 || this.#live.has(slot) || taken.includes(slot)) {
        this.#slots.grow(count);
        slot = count;
        count += GROWTH;
      }
      this.#slots.write(slot, data);
      taken.push(slot);
      last = slot;
    }
    // After a failure all of this is forgotten and read anew.
    this.#slotsKnown = count;
    return taken;
  }

  add(chunk: TailChunk): void {
    this.#chunks.push(chunk);
    for (const slot of chunk.slots) this.#live.add(slot);
    this.#lastSlot = chunk.slots.at(-1) ?? this.#lastSlot;
    for (const section of chunk.sections) {
      const lastSeq = section.firstSeq + section.events - 1;
      if (lastSeq > (this.#lastSeqs.get(section.machineId) ?? 0)) this.#lastSeqs.set(section.machineId, lastSeq);
    }
  }

  /** Gives back all slots; for the transaction that seals all there is. */
  trimAll(): void {
    this.#slots.trim(0);
  }

  /** Gives back the slots that a long time without sealing has added; for the transaction that seals. */
  trim(sealedSlot: number, liveAfter: number): void {
    const keep = Math.max(64, 4 * liveAfter);
    if (this.#slotsKnown <= keep || sealedSlot >= keep) return;
    for (const { number, slots } of this.#chunks)
      if (number > this.#mark.closedChunk && slots.some((s) => s >= keep)) return;
    this.#slots.trim(keep);
  }

  #sealed({ sealedChunk, sealedSlot }: Mark): void {
    this.#chunks = this.#chunks.filter(({ number }) => number > sealedChunk);
    this.#live.clear();
    for (const { slots } of this.#chunks) for (const slot of slots) this.#live.add(slot);
    const chains = new Set(this.#chunks.map(({ chain }) => chain));
    // A chain begins after the chunk up to which the one before was closed, so a sealed one is not continued.
    for (const chain of this.#chains.keys()) if (!chains.has(chain)) this.#chains.delete(chain);
    for (const [machineId, lastSeq] of this.#machines.all() as [string, number][]) {
      if (lastSeq > (this.#lastSeqs.get(machineId) ?? 0)) this.#lastSeqs.set(machineId, lastSeq);
    }
    if (this.#chunks.length === 0) this.#lastSlot = sealedSlot;
  }

  /** Finds the chunks after the last one among all slots; the first time, every slot is proved. */
  #load(isFirst: boolean): void {
    const { lastChunk } = this;
    const places = new Map<number, { slots: number[]; bodies: (Uint8Array | undefined)[] }>();
    const doubtful: number[] = [];
    let newest = lastChunk;
    for (const [slot, head] of this.#slots.heads()) {
      if (!isFirst && head && head.chunk <= lastChunk) continue;
      const data = this.#slots.read(slot) ?? EMPTY;
      if (isUnused(data)) continue;
      const body = slotBody(data);
      if (!head || !body || head.part >= head.parts) {
        doubtful.push(head?.chunk ?? 0);
        continue;
      }
      if (head.chunk <= lastChunk) continue;
      const place = places.get(head.chunk) ?? {
        slots: [],
        bodies: Array.from({ length: head.parts }, () => undefined),
      };
      place.slots[head.part] = slot;
      place.bodies[head.part] = body;
      places.set(head.chunk, place);
      newest = Math.max(newest, head.chunk);
    }
    newest = this.#newestOf(newest, doubtful, isFirst);
    for (let chunk = lastChunk + 1; chunk <= newest; chunk++) {
      const { slots, bodies } = places.get(chunk) ?? { slots: [], bodies: [] };
      this.#take(
        chunk,
        slots.filter((slot) => slot !== undefined),
        bodies,
      );
    }
  }

  /**
   * The newest chunk, where damaged slots may be of later ones. Chunks have no holes, so that each damaged slot makes for one
   * at most; the number that it gives is believed within that. One that says nothing may have been the last chunk: numbers
   * given out must not be given out again, so one is taken to be lost.
   */
  #newestOf(newestSound: number, doubtful: readonly number[], isFirst: boolean): number {
    const later = doubtful.filter((chunk) => chunk > newestSound && chunk <= newestSound + doubtful.length);
    const isUnknown = doubtful.some((chunk) => chunk <= this.lastChunk || chunk > newestSound + doubtful.length);
    return Math.max(newestSound + (isFirst && isUnknown && later.length === 0 ? 1 : 0), ...later);
  }

  /** The chunk after the last one, if it is there. */
  #follow(): boolean {
    const wanted = this.lastChunk + 1;
    const slots: number[] = [];
    const bodies: (Uint8Array | undefined)[] = [];
    let last = this.#lastSlot;
    for (let part = 0, parts = 1; part < parts; part++) {
      const found = this.#find(wanted, part, last);
      if (found === undefined) return false;
      parts = slotHead(found.data)?.parts ?? 1;
      slots.push(found.slot);
      bodies.push(slotBody(found.data));
      last = found.slot;
    }
    this.#take(wanted, slots, bodies);
    return true;
  }

  /** Looks for a part where it may lie: behind the last one, at the beginning, or where the ring has grown meanwhile. */
  #find(chunk: number, part: number, last: number): { readonly slot: number; readonly data: Uint8Array } | undefined {
    const places = [last + 1, 0];
    for (let slot = this.#slotsBefore; slot < this.#slotsKnown; slot += GROWTH) places.push(slot);
    for (const slot of places) {
      const data = slot < this.#slotsKnown ? this.#slots.read(slot) : undefined;
      const head = data && slotHead(data);
      if (data !== undefined && head?.chunk === chunk && head.part === part) return { slot, data };
    }
    return undefined;
  }

  #take(number: number, slots: readonly number[], bodies: readonly (Uint8Array | undefined)[]): void {
    const before = this.head();
    const whole = bodies.length > 0 && bodies.every((body) => body !== undefined) ? Buffer.concat(bodies) : undefined;
    try {
      if (!whole) throw new RangeError("a slot of the chunk is damaged");
      const head = chunkHead(whole);
      const lastOffset = head.firstOffset + head.events - 1;
      const rest = { number, chain: head.chain, lastOffset, samples: head.samples, slots };
      let chain = this.#chains.get(head.chain);
      if (!chain) {
        chain = { ids: [], lastSeqs: [], isBroken: number !== head.chain };
        this.#chains.set(head.chain, chain);
      }
      try {
        if (chain.isBroken) throw new RangeError("a chunk before it in its chain is damaged");
        this.add({ ...head, ...rest, ...decodeChunkBody(whole, chain), isLost: false });
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        chain.isBroken = true;
        this.add({ ...head, ...rest, sections: [], raw: EMPTY, isLost: true });
      }
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      // Whose chain it was can't be told: none may go on over it.
      for (const chain of this.#chains.values()) chain.isBroken = true;
      const place = { firstOffset: before + 1, lastOffset: before, samples: 0, appendedMs: 0, slots };
      this.add({ number, chain: number, ...place, sections: [], raw: EMPTY, isLost: true });
    }
  }
}

const EMPTY = Buffer.alloc(0);
