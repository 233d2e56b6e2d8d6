import type { EventType, StoredEvent } from "../../../cloud-sync/contract/event.ts";
import { MachineDecoder } from "./chain-decoder.ts";
import { EventSink, NOWHERE } from "./event-sink.ts";
import type { Tail, TailChunk } from "./tail.ts";

/** Decoded chunks that are kept, by their samples and their number: several consumers follow the head together. */
const KEPT_SAMPLES_MAX = 60_000;
const KEPT_CHUNKS_MAX = 64;
/** Places in a chain at which somebody reads on. */
const FOLLOWERS_MAX = 4;
/** Places in streams of machines at which somebody reads on. */
const MACHINE_FOLLOWERS_MAX = 8;

/** One reader's place in a chain. */
class Follower {
  readonly chain: number;
  position: number;
  readonly #decoders = new Map<number, MachineDecoder>();

  constructor(chain: number) {
    this.chain = chain;
    this.position = chain - 1;
  }

  /** Decodes the chain's next chunk; without an epoch it is passed over. */
  next(chunk: TailChunk, epoch?: string): StoredEvent[] {
    this.position = chunk.number;
    const events = new EventSink(epoch ?? "");
    let offset = chunk.firstOffset;
    for (const section of chunk.sections) {
      let decoder = this.#decoders.get(section.machine);
      if (!decoder) {
        decoder = new MachineDecoder(section.machineId);
        this.#decoders.set(section.machine, decoder);
      }
      decoder.section(chunk.raw, section, epoch === undefined ? NOWHERE : events.begin(section, offset, decoder));
      offset += section.events;
    }
    return events.events;
  }
}

/** One reader's place in a machine's stream, over all chains. */
class MachineFollower {
  readonly machineId: string;
  /** The chunk after which it began. */
  readonly begin: number;
  position: number;
  /** Seq from which on nothing has been passed over but what `recent` holds. */
  recentFirst = 0;
  /** What the chunk decoded last had of the machine, from the seq on that was wanted then. */
  recent: readonly StoredEvent[] = [];
  readonly #decoders = new Map<number, MachineDecoder>();

  constructor(machineId: string, begin: number) {
    this.machineId = machineId;
    this.begin = begin;
    this.position = begin;
  }

  next(chunk: TailChunk, first: number, epochOf: (offset: number) => string): readonly StoredEvent[] {
    this.position = chunk.number;
    const sink = new EventSink(epochOf(chunk.firstOffset));
    let offset = chunk.firstOffset;
    let lastSeq = 0;
    for (const section of chunk.sections) {
      const firstOffset = offset;
      offset += section.events;
      if (section.machineId !== this.machineId) continue;
      let decoder = this.#decoders.get(chunk.chain);
      if (!decoder) {
        decoder = new MachineDecoder(this.machineId);
        this.#decoders.set(chunk.chain, decoder);
      }
      lastSeq = section.firstSeq + section.events - 1;
      decoder.section(chunk.raw, section, lastSeq >= first ? sink.begin(section, firstOffset, decoder) : NOWHERE);
    }
    if (lastSeq === 0) return [];
    this.recent = sink.events;
    this.recentFirst = sink.events[0]?.seq ?? lastSeq + 1;
    return sink.events;
  }
}

/** Reads events of the tail; the tail must have been refreshed in the same transaction. */
export class TailReader {
  readonly #tail: Tail;
  readonly #epochOf: (offset: number) => string;
  readonly #kept = new Map<number, { readonly events: readonly StoredEvent[]; readonly samples: number }>();
  #keptSamples = 0;
  #followers: Follower[] = [];
  #machineFollowers: MachineFollower[] = [];

  constructor(tail: Tail, epochOf: (offset: number) => string) {
    this.#tail = tail;
    this.#epochOf = epochOf;
  }

  forget(): void {
    this.#kept.clear();
    this.#keptSamples = 0;
    this.#followers = [];
    this.#machineFollowers = [];
  }

  /** Events with offset > `offset`, ascending. */
  after(offset: number, limitEvents: number, types: ReadonlySet<EventType> | undefined): StoredEvent[] {
    const found: StoredEvent[] = [];
    const { chunks } = this.#tail;
    const rareOnly = types !== undefined && !types.has("telemetry");
    for (let i = this.#tail.indexAfter(offset); i < chunks.length && found.length < limitEvents; i++) {
      const chunk = chunks[i] as TailChunk;
      if (rareOnly && !chunk.sections.some(({ rare }) => rare > 0)) continue;
      for (const event of this.#events(i)) {
        if (event.offset <= offset || (types !== undefined && !types.has(event.type))) continue;
        found.push(event);
        if (found.length >= limitEvents) break;
      }
    }
    return found;
  }

  /** One machine's events with first ≤ seq ≤ last, ascending, that are accepted. */
  ofMachine(
    machineId: string,
    range: { readonly first: number; readonly last: number; readonly limitEvents: number },
    accept: (event: StoredEvent) => boolean,
    onlyRare = false,
  ): StoredEvent[] {
    const lastNeeded = this.#lastChunkNeeded(machineId, range, onlyRare);
    if (lastNeeded < 0) return [];
    const follower = this.#machineFollower(machineId, range.first);
    const found: StoredEvent[] = [];
    const take = (events: readonly StoredEvent[]): void => {
      for (const event of events) {
        const isWanted = event.seq >= range.first && event.seq <= range.last;
        if (isWanted && found.length < range.limitEvents && accept(event)) found.push(event);
      }
    };
    take(follower.recent);
    for (let i = this.#tail.indexOf(follower.position + 1); i < this.#tail.chunks.length; i++) {
      const chunk = this.#tail.chunks[i] as TailChunk;
      if (chunk.number > lastNeeded || found.length >= range.limitEvents) break;
      take(follower.next(chunk, range.first, this.#epochOf));
    }
    return found;
  }

  /** A place from which the machine's stream can be read on to `first`: who reads on in small pieces does not begin anew. */
  #machineFollower(machineId: string, first: number): MachineFollower {
    const { sealedChunk } = this.#tail;
    const usable = this.#machineFollowers.filter(({ begin }) => begin === sealedChunk);
    const nearest = usable
      .filter((each) => each.machineId === machineId && each.recentFirst <= first)
      .sort((a, b) => b.position - a.position)[0];
    const follower = nearest ?? new MachineFollower(machineId, sealedChunk);
    this.#machineFollowers = [follower, ...usable.filter((each) => each !== follower)].slice(0, MACHINE_FOLLOWERS_MAX);
    return follower;
  }

  /** One machine's newest event of a type. */
  newest(machineId: string, type: EventType): StoredEvent | undefined {
    const isRare = type !== "telemetry";
    // From the end, a section at a time, until one has it: most of the time the first does.
    for (const chunk of this.#tail.chunks.toReversed()) {
      for (const section of chunk.sections.toReversed()) {
        if (section.machineId !== machineId) continue;
        if (isRare ? section.rare === 0 : section.rare === section.events) continue;
        const range = {
          first: section.firstSeq,
          last: section.firstSeq + section.events - 1,
          limitEvents: section.events,
        };
        const found = this.ofMachine(machineId, range, (event) => event.type === type, isRare).at(-1);
        if (found) return found;
      }
    }
    return undefined;
  }

  /** Number of the last chunk worth decoding, so that a look for what is rare passes over a tail without it. */
  #lastChunkNeeded(machineId: string, { first, last }: { first: number; last: number }, onlyRare: boolean): number {
    for (const chunk of this.#tail.chunks.toReversed()) {
      for (const section of chunk.sections) {
        if (section.machineId !== machineId || (onlyRare && section.rare === 0)) continue;
        if (section.firstSeq + section.events > first && section.firstSeq <= last) return chunk.number;
      }
    }
    return -1;
  }

  #events(index: number): readonly StoredEvent[] {
    const { chunks } = this.#tail;
    const chunk = chunks[index] as TailChunk;
    const kept = this.#kept.get(chunk.number);
    if (kept) return kept.events;
    if (chunk.isLost) return [];
    const follower = this.#follower(chunk);
    // The chunks of this chain between the follower's place and this one are passed over.
    let from = index;
    while (from > 0 && (chunks[from - 1] as TailChunk).number > follower.position) from--;
    for (const between of chunks.slice(from, index)) if (between.chain === chunk.chain) follower.next(between);
    const events = follower.next(chunk, this.#epochOf(chunk.firstOffset));
    this.#keep(chunk, events);
    return events;
  }

  /** The place nearest before the chunk, at which its chain can be read on. */
  #follower(chunk: TailChunk): Follower {
    const nearest = this.#followers
      .filter(({ chain, position }) => chain === chunk.chain && position < chunk.number)
      .sort((a, b) => b.position - a.position)[0];
    const follower = nearest ?? new Follower(chunk.chain);
    this.#followers = [follower, ...this.#followers.filter((each) => each !== follower)].slice(0, FOLLOWERS_MAX);
    return follower;
  }

  #keep(chunk: TailChunk, events: readonly StoredEvent[]): void {
    this.#kept.set(chunk.number, { events, samples: chunk.samples });
    this.#keptSamples += chunk.samples;
    for (const [number, { samples }] of this.#kept) {
      if (this.#keptSamples <= KEPT_SAMPLES_MAX && this.#kept.size <= KEPT_CHUNKS_MAX) break;
      this.#kept.delete(number);
      this.#keptSamples -= samples;
    }
  }
}
