import { existsSync, rmSync } from "node:fs";
import type Database from "better-sqlite3";
import { blockHash, decodeBlock, verifyBlock } from "../../../cloud-sync/contract/block/block.ts";
import { encodeBlock } from "../../../cloud-sync/contract/block/block-builder.ts";
import { BlockError } from "../../../cloud-sync/contract/block/block-error.ts";
import type { StoredEvent } from "../../../cloud-sync/contract/event.ts";
import { EdgeError } from "../../kernel/errors.ts";
import { openDatabase } from "../database.ts";
import { enterGone } from "../keep/gone.ts";
import { insertBlock } from "../seal/insert-block.ts";
import { carveRecords } from "./carve.ts";
import { SlotHarvest } from "./slot-harvest.ts";

export interface SalvageReport {
  /** The new log with what was readable. */
  readonly target: string;
  readonly pages: number;
  readonly damagedPages: number;
  readonly blocks: number;
  /** Blocks that were found but don't prove. */
  readonly damagedBlocks: number;
  readonly events: number;
  readonly samples: number;
  readonly machines: number;
  /** Seqs that nobody found, by machine. */
  readonly lost: readonly { readonly machineId: string; readonly firstSeq: number; readonly lastSeq: number }[];
}

const BLOCK_MAGIC = Buffer.from("TSBK");
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Events of one block that is made of what was not sealed. */
const EVENTS_PER_BLOCK = 400;

/**
 * Builds a new log out of whatever is readable in a damaged one: every block that proves, and every commit of the tail whose
 * slots do, with the epochs, seqs and offsets that they had. Looks at each page by itself, so no structure need be intact.
 * @throws EdgeError USAGE when the target exists, LOG_UNAVAILABLE when the file can't be read, LOG_FULL
 */
export function salvageLog(path: string, target: string): SalvageReport {
  if (!existsSync(path))
    throw new EdgeError("LOG_UNAVAILABLE", `there is no file ${path}`, { hint: "Check the name." });
  if (existsSync(target))
    throw new EdgeError("USAGE", `${target} is there already, and salvaging overwrites nothing`, {
      hint: "Name a new file with --to.",
    });
  const database = openDatabase(target);
  try {
    const harvest = harvestOf(database, path);
    const report = database.transaction(() => new Rebuild(database).run(harvest))();
    database.pragma("wal_checkpoint(TRUNCATE)");
    return { target, ...report };
  } catch (error) {
    database.close();
    for (const suffix of ["", "-wal", "-shm"]) rmSync(target + suffix, { force: true });
    throw error;
  } finally {
    database.close();
  }
}

interface Harvest {
  readonly slots: SlotHarvest;
  readonly kept: readonly StoredEvent[];
  /** Epochs by the offset at which each begins, as the old file's table had them. */
  readonly epochs: ReadonlyMap<number, string>;
  readonly damagedBlocks: number;
  readonly pages: number;
  readonly damagedPages: number;
}

/** Sorts what the pages hold; blocks go into a temporary table, for they may be more than memory takes. */
function harvestOf(database: Database.Database, path: string): Harvest {
  database.exec(`CREATE TEMP TABLE found (
    machine_id TEXT, first_seq INTEGER, first_offset INTEGER, data BLOB, PRIMARY KEY (machine_id, first_seq))`);
  const insert = database.prepare("INSERT INTO temp.found VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING");
  const slots = new SlotHarvest();
  const kept = new Map<number, StoredEvent>();
  const epochs = new Map<number, string>();
  const carving = carveRecords(path, { walPath: `${path}-wal` });
  let damagedBlocks = 0;
  for (const { values, rowid } of carving) {
    const [, epoch] = values;
    if (values.length === 3 && typeof epoch === "string" && UUID.test(epoch)) epochs.set(Number(rowid), epoch);
    for (const value of values) {
      if (typeof value === "string") {
        const event = value.startsWith('{"epoch":') ? storedEvent(value) : undefined;
        if (event) kept.set(event.offset, event);
      }
      if (!Buffer.isBuffer(value) || slots.take(value) || !looksLikeBlock(value)) continue;
      try {
        const head = verifyBlock(value);
        insert.run(head.machineId, head.firstSeq, head.firstOffset, value);
      } catch (error) {
        if (!(error instanceof BlockError)) throw error;
        damagedBlocks++;
      }
    }
  }
  const { pages, badPages } = carving.report;
  return { slots, kept: [...kept.values()], epochs, damagedBlocks, pages, damagedPages: badPages };
}

function storedEvent(json: string): StoredEvent | undefined {
  try {
    const event = JSON.parse(json) as StoredEvent;
    return typeof event.machineId === "string" && typeof event.seq === "number" && typeof event.offset === "number"
      ? event
      : undefined;
  } catch {
    return undefined;
  }
}

function looksLikeBlock(bytes: Buffer): boolean {
  return bytes.length > 64 && bytes.subarray(0, BLOCK_MAGIC.length).equals(BLOCK_MAGIC);
}

interface StreamState {
  readonly ref: number;
  lastSeq: number;
  hash: Buffer;
}

class Rebuild {
  readonly #database: Database.Database;
  readonly #streams = new Map<string, StreamState>();
  readonly #epochs = new Map<string, number>();
  readonly #lost: { machineId: string; firstSeq: number; lastSeq: number }[] = [];
  #groupNo = 0;
  #groupEnd = 0;
  #blocks = 0;
  #events = 0;
  #samples = 0;

  constructor(database: Database.Database) {
    this.#database = database;
  }

  run({ slots, kept, epochs, damagedBlocks, pages, damagedPages }: Harvest): Omit<SalvageReport, "target"> {
    const ids = this.#database.prepare("SELECT rowid FROM temp.found ORDER BY first_offset").pluck().all();
    const data = this.#database.prepare("SELECT data FROM temp.found WHERE rowid = ?").pluck();
    for (const id of ids) this.#block(data.get(id) as Buffer);
    for (const [firstOffset, epoch] of epochs) this.#epochs.set(epoch, firstOffset);
    let head = this.#groupEnd;
    for (const events of this.#fresh(slots)) {
      const hash = this.#stream(events[0]?.machineId ?? "").hash;
      this.#block(encodeBlock(events, hash));
    }
    for (const event of kept) this.#kept(event);
    head = Math.max(head, this.#groupEnd, ...kept.map(({ offset }) => offset));
    this.#database.prepare("UPDATE mark SET sealed_offset = ?").run(head);
    this.#saveEpochs();
    const counts = { blocks: this.#blocks, events: this.#events, samples: this.#samples, machines: this.#streams.size };
    return { pages, damagedPages, damagedBlocks, ...counts, lost: this.#lost };
  }

  /** Events of the tail that no block has, in runs of one machine with consecutive seqs. */
  *#fresh(slots: SlotHarvest): Generator<StoredEvent[]> {
    const begins = [...this.#epochs].sort((a, b) => b[1] - a[1]);
    const own = this.#database.prepare("SELECT epoch FROM epoch").pluck().get() as string;
    const epochOf = (offset: number): string =>
      begins.find(([, first]) => offset >= first)?.[0] ?? begins.at(-1)?.[0] ?? own;
    const byMachine = Map.groupBy(slots.events(epochOf), ({ machineId }) => machineId);
    for (const [machineId, events] of byMachine) {
      let run: StoredEvent[] = [];
      for (const event of events.sort((a, b) => a.seq - b.seq)) {
        const last = run.at(-1);
        if (event.seq <= (last?.seq ?? this.#stream(machineId).lastSeq)) continue;
        const isNext = last === undefined || (event.seq === last.seq + 1 && event.epoch === last.epoch);
        if (!isNext || run.length >= EVENTS_PER_BLOCK) {
          yield run;
          run = [];
        }
        run.push(event);
      }
      if (run.length > 0) yield run;
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

  #hole(machineId: string, stream: StreamState, firstSeq: number, firstOffset: number): void {
    if (firstSeq === stream.lastSeq + 1) return;
    this.#lost.push({ machineId, firstSeq: stream.lastSeq + 1, lastSeq: firstSeq - 1 });
    const none = { samples: 0, fromMs: 0, toMs: 0, previousHash: Buffer.alloc(16), lastHash: Buffer.alloc(16) };
    const range = { machineRef: stream.ref, firstSeq: stream.lastSeq + 1, lastSeq: firstSeq - 1, firstOffset, ...none };
    enterGone(this.#database, { ...range, cause: "lost" }, () => true);
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
