import type { GapData } from "../../contract/event.ts";
import { rangesOf } from "../../store/seq-ranges.ts";
import { FOREIGN_EPOCH_PREFIX, type TelemetryDocument } from "../../store/telemetry-document.ts";
import { SeqSet } from "../state/seq-set.ts";

/** Ranges of one stream: beyond, it has more holes than anybody can look at, and its lowest are forgotten. */
const RANGES_MAX = 100_000;
/** Of a stream whose numbers have holes: documents that are known to have come. */
const RECENT_MAX = 256;

export interface LedgerRow {
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly state: "here" | "thinned" | "lost";
  readonly cause: string;
}

/** What became of the seqs of one machine's stream of one epoch; the same whatever came first and how often. */
export class StreamLedger {
  readonly machineId: string;
  readonly epoch: string;
  readonly isNumbered: boolean;
  factoryId = "";
  firstSeq = Number.MAX_SAFE_INTEGER;
  lastSeq = -1;
  samples = 0;
  firstMs = Number.POSITIVE_INFINITY;
  lastMs = Number.NEGATIVE_INFINITY;
  /** Of a stream that is not numbered. */
  events = 0;
  keptSeq = -1;
  recent = new SeqSet(RECENT_MAX);
  readonly #here = new SeqSet(RANGES_MAX);
  readonly #thinned = new SeqSet(RANGES_MAX);
  readonly #lostByCause = new Map<string, SeqSet>();
  /** As the table has it. */
  written = new Map<string, LedgerRow>();

  constructor(machineId: string, epoch: string) {
    this.machineId = machineId;
    this.epoch = epoch;
    this.isNumbered = !epoch.startsWith(FOREIGN_EPOCH_PREFIX);
  }

  /** Roughly, in ranges. */
  get weight(): number {
    return 5 + 2 * this.written.size + this.#here.ranges + this.#thinned.ranges;
  }

  /** @throws BlockError, FrameError when it is damaged */
  add(document: TelemetryDocument): void {
    const { kind, fields } = document;
    if (kind === "rollup") {
      this.#bounds(fields.firstSeq, fields.lastSeq);
      this.#thinned.add(fields.firstSeq, fields.lastSeq);
      this.#told(fields.factoryId, fields.enqueuedMs, fields.enqueuedMs);
      return;
    }
    if (this.#isKnown(fields.firstSeq)) return;
    this.#told(fields.factoryId, fields.fromMs, fields.toMs);
    this.#bounds(fields.firstSeq, fields.lastSeq);
    this.samples += fields.samples;
    if (!this.isNumbered) {
      this.events += fields.events;
      this.recent.add(fields.firstSeq, fields.lastSeq);
      return;
    }
    const whole = [[fields.firstSeq, fields.lastSeq]] as const;
    const seqs = kind === "events" ? rangesOf(document.events().map(({ seq }) => seq)) : (fields.admitted ?? whole);
    for (const [first, last] of seqs) this.#here.add(first, last);
    for (const event of document.rareEvents()) if (event.type === "gap") this.#addGap(event.data, event.seq);
  }

  /** A range as the table has it. */
  load(row: LedgerRow): void {
    this.written.set(keyOf(row), row);
    this.#setOf(row.state, row.cause).add(row.firstSeq, row.lastSeq);
  }

  /** What is here counts as here, whatever else is said of it; what is thinned is not lost; of several causes the first by name. */
  rows(): LedgerRow[] {
    const rows: LedgerRow[] = [];
    const taken = new SeqSet(3 * RANGES_MAX);
    const take = (set: SeqSet, state: LedgerRow["state"], cause: string): void => {
      const free = [...set].flatMap(([first, last]) => [...taken.missing(first, last)]);
      for (const [firstSeq, lastSeq] of free) rows.push({ firstSeq, lastSeq, state, cause });
      for (const [first, last] of free) taken.add(first, last);
    };
    take(this.#here, "here", "");
    take(this.#thinned, "thinned", "");
    for (const cause of [...this.#lostByCause.keys()].sort()) take(this.#setOf("lost", cause), "lost", cause);
    return rows;
  }

  #isKnown(seq: number): boolean {
    return this.isNumbered ? this.#here.has(seq) : seq <= this.keptSeq || this.recent.has(seq);
  }

  /** Of several factories that tell of one machine the name counts that comes last in the alphabet, whichever came first. */
  #told(factoryId: string, fromMs: number, toMs: number): void {
    if (factoryId > this.factoryId) this.factoryId = factoryId;
    this.firstMs = Math.min(this.firstMs, fromMs);
    this.lastMs = Math.max(this.lastMs, toMs);
  }

  #bounds(firstSeq: number, lastSeq: number): void {
    this.firstSeq = Math.min(this.firstSeq, firstSeq);
    this.lastSeq = Math.max(this.lastSeq, lastSeq);
  }

  /** @param ownSeq of the gap's event: what is lost was before it */
  #addGap({ cause, firstSeq, lastSeq, aggregates }: GapData, ownSeq: number): void {
    if (!Number.isSafeInteger(firstSeq) || !Number.isSafeInteger(lastSeq)) return;
    const [first, last] = [Math.max(0, firstSeq as number), Math.min(lastSeq as number, ownSeq - 1)];
    if (first > last) return;
    this.#bounds(first, last);
    this.#setOf(aggregates === true ? "thinned" : "lost", String(cause).slice(0, 40)).add(first, last);
  }

  #setOf(state: LedgerRow["state"], cause: string): SeqSet {
    if (state === "here") return this.#here;
    if (state === "thinned") return this.#thinned;
    const known = this.#lostByCause.get(cause) ?? new SeqSet(RANGES_MAX);
    this.#lostByCause.set(cause, known);
    return known;
  }
}

export function keyOf({ state, firstSeq }: LedgerRow): string {
  return `${state} ${firstSeq}`;
}
