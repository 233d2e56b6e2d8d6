import type Database from "better-sqlite3";
import { blockHash, decodeBlock } from "../../../cloud-sync/contract/block/block.ts";
import { encodeBlock } from "../../../cloud-sync/contract/block/block-builder.ts";
import { BlockError } from "../../../cloud-sync/contract/block/block-error.ts";
import type { StoredEvent } from "../../../cloud-sync/contract/event.ts";
import type { LedgerRange, LedgerState } from "../../../cloud-sync/contract/ledger.ts";
import { enterGone } from "../keep/gone.ts";
import { insertBlock } from "../seal/insert-block.ts";
import type { Harvest } from "./harvest.ts";
import type { SlotHarvest } from "./slot-harvest.ts";

export interface SalvageReport {
  /** The new log with what was readable. */
  readonly target: string;
  readonly pages: number;
  readonly damagedPages: number;
  readonly blocks: number;
  /** Blocks that were found but don't prove. */
  readonly damagedBlocks: number;
  /** Commits that were not sealed yet, of which something was found and not enough. */
  readonly damagedCommits: number;
  readonly events: number;
  readonly samples: number;
  readonly machines: number;
  /** Seqs that were given out, were here as far as is known, and were not found. */
  readonly lost: readonly LostRange[];
  /** Events that were let go before the damage, by the old file's ledger; none where that could not be read. */
  readonly gone: readonly { readonly state: LedgerState; readonly events: number }[];
}

interface LostRange {
  readonly machineId: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
}

/** What the old ledger says of events that are not here, so that they don't count as lost. */
const LET_GO: ReadonlySet<LedgerState> = new Set(["forwarded", "shed", "expired", "corrupt"]);
/** Events of one block that is made of what was not sealed. */
const EVENTS_PER_BLOCK = 400;

interface FoundBlock {
  readonly id: number;
  readonly machineId: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly epoch: string;
}

interface StreamState {
  readonly ref: number;
  lastSeq: number;
  hash: Buffer;
}

/** Makes a new log of a harvest, within one transaction. */
export class Rebuild {
  readonly #database: Database.Database;
  readonly #streams = new Map<string, StreamState>();
  readonly #epochs = new Map<string, number>();
  readonly #lost: LostRange[] = [];
  readonly #gone = new Map<LedgerState, number>();
  #ledger: ReadonlyMap<string, LedgerRange[]> = new Map();
  #keptSeqs: ReadonlyMap<string, Set<number>> = new Map();
  #groupNo = 0;
  #groupEnd = 0;
  #blocks = 0;
  #events = 0;
  #samples = 0;

  constructor(database: Database.Database) {
    this.#database = database;
  }

  run(harvest: Harvest): Omit<SalvageReport, "target"> {
    const { slots, kept, epochs, lastSeqs, damagedBlocks, pages, damagedPages } = harvest;
    this.#ledger = Map.groupBy(harvest.ledger, ({ machineId }) => machineId);
    this.#keptSeqs = new Map(
      [...Map.groupBy(kept, ({ machineId }) => machineId)].map(([id, own]) => [id, new Set(own.map(({ seq }) => seq))]),
    );
    for (const [firstOffset, epoch] of epochs) this.#epochs.set(epoch, firstOffset);
    const found = this.#database.prepare(
      "SELECT rowid AS id, machine_id AS machineId, first_seq AS firstSeq, last_seq AS lastSeq, first_offset AS firstOffset, last_offset AS lastOffset, epoch FROM temp.found",
    );
    const blocks = found.all() as FoundBlock[];
    for (const { epoch, firstOffset } of blocks)
      this.#epochs.set(epoch, Math.min(this.#epochs.get(epoch) ?? firstOffset, firstOffset));
    const sealedEnd = blocks.reduce((end, { lastOffset }) => Math.max(end, lastOffset), 0);
    // What fills a hole among the blocks stands among them: in the order of the offset, groups of blocks never overlap.
    const runs = this.#fresh(slots, blocks).map((events) => ({ firstOffset: events[0]?.offset ?? 0, events }));
    const data = this.#database.prepare("SELECT data FROM temp.found WHERE rowid = ?").pluck();
    for (const part of [...blocks, ...runs].sort((a, b) => a.firstOffset - b.firstOffset)) {
      if ("events" in part) this.#encode(part.events);
      else this.#block(data.get(part.id) as Buffer);
    }
    for (const event of kept) this.#kept(event);
    for (const [machineId, lastSeq] of lastSeqs) this.#missingEnd(machineId, lastSeq);
    const head = Math.max(sealedEnd, this.#groupEnd, slots.headSeen, ...kept.map(({ offset }) => offset));
    this.#database.prepare("UPDATE mark SET sealed_offset = ?").run(head);
    this.#saveEpochs();
    const counts = { blocks: this.#blocks, events: this.#events, samples: this.#samples, machines: this.#streams.size };
    const damagedCommits = slots.damagedAfter(sealedEnd);
    const gone = [...this.#gone].map(([state, events]) => ({ state, events }));
    return { pages, damagedPages, damagedBlocks, damagedCommits, ...counts, lost: this.#lost, gone };
  }

  /** Events of the tail that no block has, in runs of one machine with consecutive seqs. */
  #fresh(slots: SlotHarvest, blocks: readonly FoundBlock[]): StoredEvent[][] {
    const begins = [...this.#epochs].sort((a, b) => b[1] - a[1]);
    const own = this.#database.prepare("SELECT epoch FROM epoch").pluck().get() as string;
    const epochOf = (offset: number): string =>
      begins.find(([, first]) => offset >= first)?.[0] ?? begins.at(-1)?.[0] ?? own;
    const blocksOf = Map.groupBy(blocks, ({ machineId }) => machineId);
    const runs: StoredEvent[][] = [];
    for (const [machineId, events] of Map.groupBy(slots.events(epochOf), (event) => event.machineId)) {
      const covered = (blocksOf.get(machineId) ?? []).sort((a, b) => a.firstSeq - b.firstSeq);
      let at = 0;
      let last: StoredEvent | undefined;
      for (const event of events.sort((a, b) => a.seq - b.seq)) {
        while (at < covered.length && (covered[at] as FoundBlock).lastSeq < event.seq) at++;
        if ((covered[at]?.firstSeq ?? Number.POSITIVE_INFINITY) <= event.seq || event.seq === last?.seq) continue;
        const isNext = last !== undefined && event.seq === last.seq + 1 && event.epoch === last.epoch;
        const run = runs.at(-1);
        if (isNext && run && run.length < EVENTS_PER_BLOCK) run.push(event);
        else runs.push([event]);
        last = event;
      }
    }
    return runs;
  }

  /** Makes blocks of a run of events, of as many as one takes. An event that none takes is lost: the next block's hole says so. */
  #encode(events: readonly StoredEvent[]): void {
    try {
      this.#block(encodeBlock(events, this.#stream(events[0]?.machineId ?? "").hash));
    } catch (error) {
      if (!(error instanceof BlockError) || error.code !== "limit") throw error;
      if (events.length < 2) return;
      const half = events.length >> 1;
      this.#encode(events.slice(0, half));
      this.#encode(events.slice(half));
    }
  }

  #block(bytes: Buffer): void {
    const decoded = decodeBlock(bytes);
    const { head } = decoded;
    const stream = this.#stream(head.machineId);
    // A block that repeats what another has is one of an older life of the file.
    if (head.firstSeq <= stream.lastSeq) return;
    this.#hole(head.machineId, stream, head.firstSeq, head.firstOffset);
    if (head.firstOffset > this.#groupEnd) this.#groupNo++;
    this.#groupEnd = Math.max(this.#groupEnd, head.lastOffset);
    const rare = decoded.rareEvents();
    insertBlock(
      this.#database,
      { machineRef: stream.ref, groupNo: this.#groupNo, runMs: 0 },
      { bytes, rare, rollup: undefined },
    );
    stream.lastSeq = head.lastSeq;
    stream.hash = blockHash(bytes);
    this.#epochs.set(head.epoch, Math.min(this.#epochs.get(head.epoch) ?? head.firstOffset, head.firstOffset));
    this.#blocks++;
    this.#events += head.events;
    this.#samples += head.samples;
  }

  /** Enters what is missing before `firstSeq`: let go, where the old ledger says so, else lost. */
  #hole(machineId: string, stream: StreamState, firstSeq: number, firstOffset: number): void {
    let seq = stream.lastSeq + 1;
    const enter = (lastSeq: number, cause: LedgerState): void => {
      if (lastSeq < seq) return;
      const none = { samples: 0, fromMs: 0, toMs: 0, previousHash: Buffer.alloc(16), lastHash: Buffer.alloc(16) };
      const range = { machineRef: stream.ref, firstSeq: seq, lastSeq, firstOffset, ...none };
      enterGone(this.#database, { ...range, cause }, () => true);
      if (cause === "lost") this.#addLost(machineId, seq, lastSeq);
      else this.#gone.set(cause, (this.#gone.get(cause) ?? 0) + lastSeq - seq + 1);
      seq = lastSeq + 1;
    };
    for (const range of this.#ledger.get(machineId) ?? []) {
      if (!LET_GO.has(range.state) || range.lastSeq < seq || range.firstSeq >= firstSeq) continue;
      enter(range.firstSeq - 1, "lost");
      enter(Math.min(range.lastSeq, firstSeq - 1), range.state);
    }
    enter(firstSeq - 1, "lost");
  }

  /** Lost but for those events of the range that were kept by themselves. */
  #addLost(machineId: string, firstSeq: number, lastSeq: number): void {
    const kept = [...(this.#keptSeqs.get(machineId) ?? [])].filter((seq) => seq >= firstSeq && seq <= lastSeq);
    let next = firstSeq;
    for (const seq of [...kept.sort((a, b) => a - b), lastSeq + 1]) {
      if (seq > next) this.#lost.push({ machineId, firstSeq: next, lastSeq: seq - 1 });
      next = seq + 1;
    }
  }

  /** What the machine's row knows of and nobody found. */
  #missingEnd(machineId: string, lastSeq: number): void {
    const stream = this.#stream(machineId);
    if (lastSeq <= stream.lastSeq) return;
    this.#hole(machineId, stream, lastSeq + 1, this.#groupEnd + 1);
    stream.lastSeq = lastSeq;
    this.#database.prepare("UPDATE machine SET last_seq = ? WHERE machine_ref = ?").run(lastSeq, stream.ref);
  }

  #kept(event: StoredEvent): void {
    const { ref } = this.#stream(event.machineId);
    const inserted = this.#database
      .prepare(`
        INSERT INTO event (offset, machine_ref, seq, type, time_ms, kept) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`)
      .run(event.offset, ref, event.seq, event.type, event.timeMs, JSON.stringify(event));
    this.#events += inserted.changes;
  }

  #stream(machineId: string): StreamState {
    let stream = this.#streams.get(machineId);
    if (!stream) {
      const { lastInsertRowid } = this.#database
        .prepare("INSERT INTO machine (machine_id, last_seq, last_hash) VALUES (?, 0, zeroblob(16))")
        .run(machineId);
      stream = { ref: Number(lastInsertRowid), lastSeq: 0, hash: Buffer.alloc(16) };
      this.#streams.set(machineId, stream);
    }
    return stream;
  }

  /** The epochs that the blocks had; the file's own, which is new, comes after them. */
  #saveEpochs(): void {
    const own = this.#database.prepare("SELECT epoch FROM epoch").pluck().get() as string;
    this.#database.exec("DELETE FROM epoch");
    const insert = this.#database.prepare("INSERT INTO epoch (first_offset, epoch, cause) VALUES (?, ?, ?)");
    const found = [...this.#epochs].sort((a, b) => a[1] - b[1]);
    for (const [index, [epoch, firstOffset]] of found.entries())
      insert.run(index === 0 ? 0 : firstOffset, epoch, "salvaged");
    if (this.#epochs.has(own)) return;
    const head = this.#database.prepare("SELECT sealed_offset FROM mark").pluck().get() as number;
    insert.run(found.length === 0 ? 0 : head + 1, own, "salvaged");
  }
}
