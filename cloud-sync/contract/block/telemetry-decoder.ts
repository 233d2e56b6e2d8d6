import { crc32 } from "node:zlib";
import { BlockError, malformed } from "./block-error.ts";
import { type FullHead, SectionAt, sectionOf } from "./block-head.ts";
import { ByteReader } from "./bytes.ts";
import type { EventColumns } from "./event-columns.ts";
import { RangeDecoder } from "./range-decoder.ts";
import { inRounds, OrderCode } from "./sample-order.ts";
import { decodePresence, decodeSignal, type SignalColumn, type TelemetryFrame } from "./signal-column.ts";
import { type Budget, unpack } from "./text-pack.ts";
import { WAY_BITS } from "./time-column.ts";
import { codeTimeSlots, NO_SLOTS } from "./time-slots.ts";

interface Directory {
  readonly names: readonly string[];
  readonly numberByName: ReadonlyMap<string, number>;
  readonly counts: Uint32Array;
  /** Start of each chunk behind the head of the pages, and the end of the last. */
  readonly starts: Uint32Array;
}
/** The samples of all telemetry events in their order: which signal, and which of its samples. */
export interface Rows {
  /** Of each telemetry event, and one more. */
  readonly firstSample: Uint32Array;
  readonly signals: Uint32Array;
  readonly indexes: Uint32Array;
}

/** Telemetry of one block, each part decoded when it is first wanted. */
export class TelemetryDecoder {
  readonly #bytes: Uint8Array;
  readonly #head: FullHead;
  readonly #budget: Budget;
  readonly #events: () => EventColumns;
  readonly #columns = new Map<number, SignalColumn>();
  readonly #pagesProved = new Set<number>();
  #directory: Directory | undefined;
  #frame: TelemetryFrame | undefined;
  #rows: Rows | undefined;

  constructor(bytes: Uint8Array, head: FullHead, budget: Budget, events: () => EventColumns) {
    this.#bytes = bytes;
    this.#head = head;
    this.#budget = budget;
    this.#events = events;
  }

  get directory(): Directory {
    this.#directory ??= this.#readDirectory();
    return this.#directory;
  }

  column(signal: number): SignalColumn {
    let column = this.#columns.get(signal);
    if (column === undefined) {
      const count = this.directory.counts[signal] as number;
      this.#frame ??= this.#decodeFrame();
      column = decodeSignal(this.#chunk(signal), count, this.#frame, this.#budget, (other) => this.#presence(other));
      this.#columns.set(signal, column);
    }
    return column;
  }

  rows(): Rows {
    this.#rows ??= this.#layRows();
    return this.#rows;
  }

  #presence(signal: number): Uint32Array {
    const known = this.#columns.get(signal);
    if (known !== undefined) return known.eventOf;
    const count = this.directory.counts[signal];
    if (count === undefined) throw malformed(`there is no signal ${signal}`);
    const none = (): never => {
      throw malformed("a signal is like one that is like a third");
    };
    return decodePresence(new RangeDecoder(this.#chunk(signal)), count, this.#events().telemetry.length, none);
  }

  #readDirectory(): Directory {
    const { signals, samples, sections } = this.#head;
    const input = new ByteReader(unpacked(this.#bytes, this.#head, SectionAt.Directory, this.#budget));
    if (signals * 3 > input.left) throw malformed(`${signals} signals in a directory of ${input.left} bytes`);
    const read = (): Uint32Array => {
      const list = new Uint32Array(signals);
      for (let i = 0; i < signals; i++) list[i] = input.varint(0xffff_ffff);
      return list;
    };
    const [nameBytes, counts, chunkBytes] = [read(), read(), read()];
    const names = Array.from(nameBytes, (bytes) => input.bytes(bytes).toString("utf8"));
    input.end("the directory");
    const numberByName = new Map(names.map((name, signal) => [name, signal]));
    if (numberByName.size !== signals) throw malformed("a signal is named twice");
    const total = counts.reduce((sum, count) => sum + count, 0);
    if (total !== samples || counts.includes(0))
      throw malformed(`signals of ${total} samples in a block of ${samples}`);
    const starts = new Uint32Array(signals + 1);
    let end = 0;
    chunkBytes.forEach((bytes, signal) => {
      end += bytes;
      starts[signal + 1] = end;
    });
    const pageBytes = sections.slice(SectionAt.Pages).reduce((sum, { bytes }) => sum + bytes, 0);
    if (end !== pageBytes) throw malformed(`columns of ${end} bytes in pages of ${pageBytes}`);
    return { names, numberByName, counts, starts };
  }

  /** A signal's bytes; the checksum of their page is proved once. */
  #chunk(signal: number): Uint8Array {
    const { starts } = this.directory;
    const from = starts[signal] as number;
    const to = starts[signal + 1] as number;
    let pageStart = 0;
    for (let at = SectionAt.Pages as number; at < this.#head.sections.length; at++) {
      const section = this.#head.sections[at];
      const pageEnd = pageStart + (section?.bytes ?? 0);
      if (to <= pageEnd) {
        if (from < pageStart) throw malformed("a signal's column lies in two pages");
        const start = this.#pagesStart() + pageStart;
        const page = this.#bytes.subarray(start, start + pageEnd - pageStart);
        if (!this.#pagesProved.has(at)) {
          if (crc32(page) !== section?.crc) throw new BlockError("checksum", `section ${at} of the block was altered`);
          this.#pagesProved.add(at);
        }
        return page.subarray(from - pageStart, to - pageStart);
      }
      pageStart = pageEnd;
    }
    throw malformed("a signal's column lies in no page");
  }

  #pagesStart(): number {
    const before = this.#head.sections.slice(0, SectionAt.Pages);
    return before.reduce((sum, { bytes }) => sum + bytes, this.#head.headBytes);
  }

  #decodeFrame(): TelemetryFrame {
    const { telemetryMs, telemetryTicks } = this.#events();
    const coder = new RangeDecoder(sectionOf(this.#bytes, this.#head, SectionAt.Slots));
    const slots = () => codeTimeSlots(coder, telemetryTicks, NO_SLOTS);
    const [source, server, received] = [slots(), slots(), slots()];
    const usualWays = [source, server, received].map(() => coder.direct(0, WAY_BITS));
    const frame = { timesMs: telemetryMs, ticks: telemetryTicks, source, server, received, usualWays };
    coder.end("the slots");
    return frame;
  }

  #layRows(): Rows {
    const { names, counts } = this.directory;
    const events = this.#events().telemetry.length;
    const firstSample = new Uint32Array(events + 1);
    for (let signal = 0; signal < names.length; signal++) {
      for (const t of this.column(signal).eventOf) firstSample[t + 1] = (firstSample[t + 1] as number) + 1;
    }
    for (let t = 0; t < events; t++) firstSample[t + 1] = (firstSample[t + 1] as number) + (firstSample[t] as number);
    const signals = new Uint32Array(this.#head.samples);
    const filled = firstSample.slice();
    for (let signal = 0; signal < names.length; signal++) {
      for (const t of this.column(signal).eventOf) {
        const at = filled[t] as number;
        filled[t] = at + 1;
        signals[at] = signal;
      }
    }
    this.#reorder(signals, firstSample);
    const indexes = new Uint32Array(signals.length);
    const next = new Uint32Array(counts.length);
    signals.forEach((signal, at) => {
      const index = next[signal] as number;
      next[signal] = index + 1;
      indexes[at] = index;
    });
    return { firstSample, signals, indexes };
  }

  #reorder(signals: Uint32Array, firstSample: Uint32Array): void {
    const section = sectionOf(this.#bytes, this.#head, SectionAt.Order);
    const coder = new RangeDecoder(section);
    const code = new OrderCode();
    for (let t = 0; t + 1 < firstSample.length; t++) {
      const mine = signals.subarray(firstSample[t], firstSample[t + 1]);
      if (section.length > 0) code.code(coder, mine.slice(), mine);
      else mine.set(inRounds(mine));
    }
    if (section.length > 0) coder.end("the order of the samples");
  }
}

/** A section of text as it was before packing: a byte says how, then its length, then the packed bytes. An empty one is empty. */
export function unpacked(bytes: Uint8Array, head: FullHead, at: number, budget: Budget): Uint8Array {
  const content = sectionOf(bytes, head, at);
  if (content.length === 0) return content;
  const input = new ByteReader(content);
  const packing = input.u8();
  const rawBytes = input.varint();
  return unpack({ packing, bytes: input.bytes(input.left) }, rawBytes, budget);
}
