import type { Sql } from "../../../database/database.ts";
import { Conditions } from "../paging/conditions.ts";
import { type Page, readPage } from "../paging/page.ts";
import { readRanges } from "./ranges.ts";
import type { LedgerStream } from "./schema.ts";

export interface LedgerQuery {
  readonly factory?: string;
  readonly machine?: string;
  readonly only: "troubled" | "all";
  readonly limit: number;
  readonly cursor?: string;
}

interface StreamRow {
  readonly machine_id: string;
  readonly epoch: string;
  readonly factory_id: string;
  readonly numbered: boolean;
  readonly first_seq: number;
  readonly last_seq: number;
  readonly events: number;
  readonly samples: number;
  readonly thinned: number;
  readonly lost: number;
  readonly missing: number;
  readonly first_at: Date;
  readonly last_at: Date;
}

/** The streams and what of each is not here, by machine. */
export async function readLedger(sql: Sql, query: LedgerQuery): Promise<Page<LedgerStream>> {
  const { factory, machine, only, limit, cursor } = query;
  const conditions = new Conditions().add("factory_id = ?", factory).add("machine_id = ?", machine);
  if (only === "troubled") conditions.fixed("(missing > 0 OR lost > 0 OR thinned > 0)");
  const page = await readPage<StreamRow>(sql, {
    select:
      "machine_id, epoch, factory_id, numbered, first_seq, last_seq, events, samples, thinned, lost, missing, first_at, last_at",
    from: "model.ledger_stream",
    conditions,
    order: {
      keys: [
        { sql: "machine_id", type: "text" },
        { sql: "epoch", type: "text" },
      ],
      direction: "ASC",
    },
    limit,
    cursor,
    question: ["ledger", factory, machine, only],
  });
  const keys = page.rows.map((row) => ({
    machineId: row.machine_id,
    epoch: row.epoch,
    firstSeq: row.first_seq,
    lastSeq: row.last_seq,
    numbered: row.numbered,
  }));
  const ranges = await readRanges(sql, keys);
  const rows = page.rows.map((row, index): LedgerStream => {
    const { machineId, epoch, firstSeq, lastSeq, numbered } = keys[index] as (typeof keys)[number];
    return {
      machineId,
      epoch,
      factoryId: row.factory_id,
      numbered,
      firstSeq,
      lastSeq,
      events: row.events,
      samples: row.samples,
      missing: row.missing,
      lost: row.lost,
      thinned: row.thinned,
      firstMs: row.first_at.getTime(),
      lastMs: row.last_at.getTime(),
      ranges: ranges[index]?.ranges ?? [],
      moreRanges: ranges[index]?.moreRanges ?? false,
    };
  });
  return { rows, nextCursor: page.nextCursor };
}

export interface LedgerSumRow {
  readonly factoryId: string;
  readonly streams: number;
  readonly events: number;
  readonly samples: number;
  readonly missing: number;
  readonly lost: number;
  readonly thinned: number;
}

/** Totals of each factory. */
export async function readLedgerSums(sql: Sql): Promise<LedgerSumRow[]> {
  const { rows } = await sql.query<LedgerSumRow>(
    `SELECT factory_id AS "factoryId", count(*) AS streams, sum(events)::float8 AS events, sum(samples)::float8 AS samples,
            sum(missing)::float8 AS missing, sum(lost)::float8 AS lost, sum(thinned)::float8 AS thinned
       FROM model.ledger_stream GROUP BY factory_id ORDER BY factory_id`,
  );
  return rows;
}
