import type Database from "better-sqlite3";
import { decodeBlock } from "../../../cloud-sync/contract/block/block.ts";
import { BlockError } from "../../../cloud-sync/contract/block/block-error.ts";
import type { DecodedBlock } from "../../../cloud-sync/contract/block/decoded-block.ts";
import type { EventType, GapData, NewEvent } from "../../../cloud-sync/contract/event.ts";
import { type BlockMeta, META_COLUMNS } from "../block-store.ts";
import type { Epochs } from "../epochs.ts";
import { enterGone } from "./gone.ts";

/** Blocks that one transaction may touch. */
export const BLOCKS_PER_STEP = 128;
/** Kinds in the order in which they are let go when nothing else is left; alarms and what explains losses go last. */
const RARE_ORDER: readonly EventType[] = [
  "connection",
  "command",
  "aggregate",
  "config",
  "job",
  "state",
  "prediction",
  "anomaly",
  "alarm",
  "gap",
];
const RARE_PER_STEP = 2_000;

interface ShedBlock extends BlockMeta {
  readonly machineId: string;
  readonly hash: Uint8Array;
  readonly previousHash: Uint8Array;
}

const BLOCK_COLUMNS = `${META_COLUMNS}, machine_id AS machineId, hash, previous_hash AS previousHash`;

/** How the log makes room. Each method runs within a writer's transaction and gives the events that tell of what is gone. */
export class Shedder {
  readonly #database: Database.Database;
  readonly #epochs: Epochs;

  constructor(database: Database.Database, epochs: Epochs) {
    this.#database = database;
    this.#epochs = epochs;
  }

  /** Drops the oldest blocks that end at or before `offset`: the cloud has them. Nothing is lost, so nothing is told. */
  dropForwarded(offset: number, bytesWanted: number): { readonly blocks: number } {
    const blocks = this.#oldest("last_offset <= ?", [offset], bytesWanted);
    for (const block of blocks) {
      this.#keepNewestOfKind(block);
      this.#remove(block, causeOf(block, "forwarded"));
    }
    return { blocks: blocks.length };
  }

  /** Reduces the oldest whole blocks to their one-minute aggregates; what is not telemetry in them stays. */
  thin(bytesWanted: number, nowMs: number): { readonly blocks: number; readonly events: NewEvent[] } {
    const blocks = this.#oldest("state = 'whole' AND samples > 0", [], bytesWanted);
    const gaps = new GapTally(nowMs, "shed", "the log's quota was full; one-minute aggregates stay", true);
    for (const block of blocks) {
      gaps.add(block, this.#keepRare(block));
      this.#run("UPDATE block_data SET data = NULL WHERE block_id = ?", block.blockId);
      this.#run("UPDATE block SET state = 'thinned', bytes = 0 WHERE block_id = ?", block.blockId);
    }
    return { blocks: blocks.length, events: gaps.events() };
  }

  /** Takes apart the oldest blocks without a reading, so that their events can be let go one by one (dropRare). */
  unpack(bytesWanted: number): { readonly blocks: number } {
    const blocks = this.#oldest("state = 'whole' AND samples = 0", [], bytesWanted);
    for (const block of blocks) {
      this.#keepRare(block);
      this.#remove(block, "shed");
    }
    return { blocks: blocks.length };
  }

  /** Drops the oldest aggregates of thinned blocks, and blocks that were set aside. */
  dropThinned(bytesWanted: number, nowMs: number): { readonly blocks: number; readonly events: NewEvent[] } {
    // An aggregate takes about a tenth of its block; the count of blocks bounds the step.
    const blocks = this.#oldest("state <> 'whole'", [], bytesWanted);
    const gaps = new GapTally(
      nowMs,
      "shed",
      "the log's quota was full; the one-minute aggregates are gone as well",
      false,
    );
    for (const block of blocks) {
      if (block.state === "thinned") gaps.add({ ...block, samples: 0 }, undefined);
      this.#remove(block, causeOf(block, "shed"));
    }
    return { blocks: blocks.length, events: gaps.events() };
  }

  /** Drops blocks that were sealed before the log's running time `runMs`, and all that is kept of them. */
  expire(
    runMs: number,
    forwardedOffset: number,
    nowMs: number,
  ): { readonly blocks: number; readonly events: NewEvent[] } {
    const blocks = this.#oldest("sealed_run_ms < ?", [Math.floor(runMs)], Number.POSITIVE_INFINITY);
    const gaps = new GapTally(nowMs, "expired", "older than the log keeps", false);
    for (const block of blocks) {
      const isForwarded = block.lastOffset <= forwardedOffset;
      const signals = this.#keepNewestOfKind(block);
      // The readings of a thinned block, and of a damaged one, have been told already.
      if (!isForwarded && block.state !== "corrupt")
        gaps.add(block.state === "whole" ? block : { ...block, samples: 0 }, signals);
      this.#remove(block, causeOf(block, isForwarded ? "forwarded" : "expired"));
    }
    return { blocks: blocks.length, events: gaps.events() };
  }

  /** The last resort: events that are not telemetry, the least important kind first, never the newest of its stream. */
  dropRare(nowMs: number): { readonly blocks: number; readonly events: NewEvent[] } {
    for (const type of RARE_ORDER) {
      const rows = this.#database
        .prepare(`
          SELECT event.offset, machine_id AS machineId, event.seq, event.time_ms AS timeMs FROM event
          JOIN machine USING (machine_ref)
          WHERE event.type = ? AND kept IS NOT NULL AND event.seq < (SELECT max(seq) FROM event AS newest
            WHERE newest.machine_ref = event.machine_ref AND newest.type = event.type)
          ORDER BY event.offset LIMIT ${RARE_PER_STEP}`)
        .all(type) as { offset: number; machineId: string; seq: number; timeMs: number }[];
      if (rows.length === 0) continue;
      for (const { offset } of rows) this.#run("DELETE FROM event WHERE offset = ?", offset);
      const events = [...Map.groupBy(rows, ({ machineId }) => machineId)].map(([machineId, own]) => {
        const times = own.map(({ timeMs }) => timeMs);
        const data: GapData = {
          cause: "shed",
          samples: 0,
          fromMs: Math.min(...times),
          toMs: Math.max(...times),
          detail: `the log's quota was full; ${own.length} ${type} events are gone`,
          firstSeq: own[0]?.seq ?? 0,
          lastSeq: own.at(-1)?.seq ?? 0,
        };
        return { type: "gap", machineId, timeMs: nowMs, data } as const;
      });
      return { blocks: rows.length, events };
    }
    return { blocks: 0, events: [] };
  }

  /** Sets a damaged block aside: it is served no more, its bytes stay for whoever wants to look. */
  setAside(blockId: number, nowMs: number): NewEvent[] {
    const block = this.#database
      .prepare(
        `SELECT ${BLOCK_COLUMNS} FROM block JOIN machine USING (machine_ref) WHERE block_id = ? AND state = 'whole'`,
      )
      .get(blockId) as ShedBlock | undefined;
    if (!block) return [];
    const gaps = new GapTally(
      nowMs,
      "corrupt",
      "a block of the log is damaged; its bytes are set aside in the file",
      true,
    );
    gaps.add(block, this.#keepRare(block));
    this.#run(
      "DELETE FROM event WHERE machine_ref = ? AND seq BETWEEN ? AND ? AND kept IS NULL",
      block.machineRef,
      block.firstSeq,
      block.lastSeq,
    );
    this.#run("UPDATE block SET state = 'corrupt' WHERE block_id = ?", blockId);
    return gaps.events();
  }

  #oldest(where: string, parameters: readonly unknown[], bytesWanted: number): ShedBlock[] {
    const rows = this.#database
      .prepare(`
        SELECT ${BLOCK_COLUMNS} FROM block JOIN machine USING (machine_ref)
        WHERE ${where} ORDER BY block_id LIMIT ${BLOCKS_PER_STEP}`)
      .all(...parameters) as ShedBlock[];
    let bytes = 0;
    const wanted = rows.findIndex((row) => {
      bytes += row.bytes;
      return bytes >= bytesWanted;
    });
    return wanted < 0 ? rows : rows.slice(0, wanted + 1);
  }

  #run(sql: string, ...parameters: readonly unknown[]): void {
    this.#database.prepare(sql).run(...parameters);
  }

  #decoded({ blockId }: ShedBlock): DecodedBlock | undefined {
    const bytes = this.#database.prepare("SELECT data FROM block_data WHERE block_id = ?").pluck().get(blockId) as
      | Buffer
      | undefined;
    try {
      return bytes && decodeBlock(bytes);
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
      return undefined;
    }
  }

  /** Copies what is not telemetry out of a block that goes; gives the block's signals. */
  #keepRare(block: ShedBlock): readonly string[] | undefined {
    const decoded = this.#decoded(block);
    try {
      for (const event of decoded?.rareEvents() ?? [])
        this.#run("UPDATE event SET kept = ? WHERE offset = ?", JSON.stringify(event), event.offset);
      return decoded?.signals;
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
      return undefined;
    }
  }

  /**
   * Of a block that goes for good, only the newest event of each kind of its stream stays: readers need it to begin. Gives
   * the block's signals.
   */
  #keepNewestOfKind(block: ShedBlock): readonly string[] | undefined {
    const signals = this.#keepRare(block);
    this.#run(
      `DELETE FROM event WHERE machine_ref = ? AND seq BETWEEN ? AND ? AND (kept IS NULL OR seq < (
         SELECT max(seq) FROM event AS newest WHERE newest.machine_ref = event.machine_ref AND newest.type = event.type))`,
      block.machineRef,
      block.firstSeq,
      block.lastSeq,
    );
    return signals;
  }

  #remove(block: ShedBlock, cause: "forwarded" | "shed" | "expired" | "corrupt"): void {
    const { blockId } = block;
    enterGone(
      this.#database,
      { ...block, cause, lastHash: block.hash },
      (a, b) => this.#epochs.of(a) === this.#epochs.of(b),
    );
    for (const table of ["block_data", "block"]) this.#run(`DELETE FROM ${table} WHERE block_id = ?`, blockId);
  }
}

/** What the ledger says of a block that goes: of one whose readings went before it, why those went. */
function causeOf<T>({ state }: ShedBlock, cause: T): T | "shed" | "corrupt" {
  return state === "whole" ? cause : state === "thinned" ? "shed" : "corrupt";
}

/** Adds up what is gone, one event a machine. */
class GapTally {
  readonly #nowMs: number;
  readonly #cause: GapData["cause"];
  readonly #detail: string;
  readonly #aggregates: boolean;
  readonly #byMachine = new Map<string, { data: GapData; signals: Set<string> | undefined }>();

  constructor(nowMs: number, cause: GapData["cause"], detail: string, aggregates: boolean) {
    this.#nowMs = nowMs;
    this.#cause = cause;
    this.#detail = detail;
    this.#aggregates = aggregates;
  }

  add(block: Omit<ShedBlock, "hash" | "previousHash">, signals: readonly string[] | undefined): void {
    const known = this.#byMachine.get(block.machineId);
    const data: GapData = {
      cause: this.#cause,
      samples: (known?.data.samples ?? 0) + block.samples,
      fromMs: Math.min(known?.data.fromMs ?? block.fromMs, block.fromMs),
      toMs: Math.max(known?.data.toMs ?? block.toMs, block.toMs),
      detail: this.#detail,
      firstSeq: known?.data.firstSeq ?? block.firstSeq,
      lastSeq: block.lastSeq,
      aggregates: this.#aggregates,
    };
    const all = known?.signals ?? (signals && new Set<string>());
    for (const signal of signals ?? []) all?.add(signal);
    this.#byMachine.set(block.machineId, { data, signals: all });
  }

  events(): NewEvent[] {
    return [...this.#byMachine].map(([machineId, { data, signals }]) => ({
      type: "gap",
      machineId,
      timeMs: this.#nowMs,
      data: signals && signals.size > 0 ? { ...data, signals: [...signals] } : data,
    }));
  }
}
