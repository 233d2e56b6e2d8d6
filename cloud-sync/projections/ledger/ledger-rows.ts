import type { Sql } from "../../database/database.ts";
import { instant, numbersLiteral, plainText } from "../sql/literals.ts";
import { SeqSet } from "../state/seq-set.ts";
import { keyOf, type LedgerRow, StreamLedger } from "./stream-ledger.ts";

export interface StreamName {
  readonly machineId: string;
  readonly epoch: string;
}

/** Streams as the tables have them; those that they have not are left out. */
export async function readStreams(names: readonly StreamName[], sql: Sql): Promise<StreamLedger[]> {
  const keys = [names.map(({ machineId }) => machineId), names.map(({ epoch }) => epoch)];
  const { rows } = await sql.prepared<StreamRow>(
    "model_ledger_stream_read",
    `SELECT s.* FROM unnest($1::text[], $2::text[]) AS k (machine_id, epoch)
       JOIN model.ledger_stream s ON s.machine_id = k.machine_id AND s.epoch = k.epoch`,
    keys,
  );
  const streams = new Map(rows.map((row) => [nameKey(row.machine_id, row.epoch), streamOf(row)]));
  const { rows: ranges } = await sql.prepared<RangeRow>(
    "model_ledger_range_read",
    `SELECT r.* FROM unnest($1::text[], $2::text[]) AS k (machine_id, epoch)
       JOIN model.ledger_range r ON r.machine_id = k.machine_id AND r.epoch = k.epoch ORDER BY r.first_seq`,
    keys,
  );
  for (const { machine_id, epoch, first_seq, last_seq, state, cause } of ranges)
    streams.get(nameKey(machine_id, epoch))?.load({ firstSeq: first_seq, lastSeq: last_seq, state, cause });
  return [...streams.values()];
}

interface StreamRow {
  readonly machine_id: string;
  readonly epoch: string;
  readonly factory_id: string;
  readonly first_seq: number;
  readonly last_seq: number;
  readonly events: number;
  readonly samples: number;
  readonly first_at: Date;
  readonly last_at: Date;
  readonly recent: readonly (string | number)[];
  readonly kept_seq: number;
}

interface RangeRow {
  readonly machine_id: string;
  readonly epoch: string;
  readonly first_seq: number;
  readonly last_seq: number;
  readonly state: LedgerRow["state"];
  readonly cause: string;
}

function streamOf(row: StreamRow): StreamLedger {
  const stream = new StreamLedger(row.machine_id, row.epoch);
  stream.factoryId = row.factory_id;
  stream.firstSeq = row.first_seq;
  stream.lastSeq = row.last_seq;
  stream.events = row.events;
  stream.samples = row.samples;
  stream.firstMs = row.first_at.getTime();
  stream.lastMs = row.last_at.getTime();
  stream.recent = SeqSet.of(row.recent.map(Number), 256);
  stream.keptSeq = row.kept_seq;
  return stream;
}

/** Writes what has changed of some streams: of their ranges only those that have. */
export async function writeStreams(streams: readonly StreamLedger[], sql: Sql): Promise<void> {
  const summaries: Summary[] = [];
  const changed: (StreamName & LedgerRow)[] = [];
  const gone: (StreamName & LedgerRow)[] = [];
  const after: [StreamLedger, Map<string, LedgerRow>][] = [];
  for (const stream of streams) {
    const { machineId, epoch } = stream;
    const rows = new Map(stream.rows().map((row) => [keyOf(row), row]));
    summaries.push(summaryOf(stream, rows.values()));
    for (const [key, row] of rows) {
      const known = stream.written.get(key);
      if (known?.lastSeq !== row.lastSeq || known.cause !== row.cause) changed.push({ machineId, epoch, ...row });
    }
    for (const [key, row] of stream.written) if (!rows.has(key)) gone.push({ machineId, epoch, ...row });
    after.push([stream, rows]);
  }
  if (gone.length > 0)
    await sql.prepared(
      "model_ledger_range_delete",
      `DELETE FROM model.ledger_range r USING unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) AS t (machine_id, epoch, first_seq, state)
        WHERE r.machine_id = t.machine_id AND r.epoch = t.epoch AND r.first_seq = t.first_seq AND r.state = t.state`,
      (["machineId", "epoch", "firstSeq", "state"] as const).map((name) => gone.map((row) => row[name])),
    );
  if (changed.length > 0)
    await sql.prepared(
      "model_ledger_range_write",
      `INSERT INTO model.ledger_range (machine_id, epoch, first_seq, last_seq, state, cause)
       SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[])
       ON CONFLICT (machine_id, epoch, first_seq, state) DO UPDATE SET last_seq = excluded.last_seq, cause = excluded.cause`,
      (["machineId", "epoch", "firstSeq", "lastSeq", "state", "cause"] as const).map((name) =>
        changed.map((row) => row[name]),
      ),
    );
  await writeSummaries(summaries, sql);
  for (const [stream, rows] of after) stream.written = rows;
}

interface Summary {
  readonly stream: StreamLedger;
  readonly here: number;
  readonly thinned: number;
  readonly lost: number;
}

function summaryOf(stream: StreamLedger, rows: Iterable<LedgerRow>): Summary {
  const counts = { here: 0, thinned: 0, lost: 0 };
  for (const { state, firstSeq, lastSeq } of rows) counts[state] += lastSeq - firstSeq + 1;
  return { stream, ...counts };
}

async function writeSummaries(summaries: readonly Summary[], sql: Sql): Promise<void> {
  const streams = summaries.map(({ stream }) => stream);
  await sql.prepared(
    "model_ledger_stream_write",
    `INSERT INTO model.ledger_stream (machine_id, epoch, factory_id, numbered, first_seq, last_seq, events, samples, thinned, lost,
                                      missing, first_at, last_at, recent, kept_seq)
     SELECT machine_id, epoch, factory_id, numbered, first_seq, last_seq, events, samples, thinned, lost, missing, first_at, last_at,
            recent::bigint[], kept_seq
       FROM unnest($1::text[], $2::text[], $3::text[], $4::boolean[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
                   $9::bigint[], $10::bigint[], $11::bigint[], $12::timestamptz[], $13::timestamptz[], $14::text[], $15::bigint[])
            AS t (machine_id, epoch, factory_id, numbered, first_seq, last_seq, events, samples, thinned, lost, missing, first_at,
                  last_at, recent, kept_seq)
     ON CONFLICT (machine_id, epoch) DO UPDATE SET factory_id = excluded.factory_id, first_seq = excluded.first_seq,
       last_seq = excluded.last_seq, events = excluded.events, samples = excluded.samples, thinned = excluded.thinned,
       lost = excluded.lost, missing = excluded.missing, first_at = excluded.first_at, last_at = excluded.last_at,
       recent = excluded.recent, kept_seq = excluded.kept_seq`,
    [
      streams.map(({ machineId }) => machineId),
      streams.map(({ epoch }) => epoch),
      streams.map(({ factoryId }) => plainText(factoryId)),
      streams.map(({ isNumbered }) => isNumbered),
      streams.map(({ firstSeq }) => firstSeq),
      streams.map(({ lastSeq }) => lastSeq),
      summaries.map(({ stream, here }) => (stream.isNumbered ? here : stream.events)),
      streams.map(({ samples }) => samples),
      summaries.map(({ thinned }) => thinned),
      summaries.map(({ lost }) => lost),
      summaries.map(missingOf),
      streams.map(({ firstMs }) => instant(firstMs)),
      streams.map(({ lastMs }) => instant(lastMs)),
      streams.map(({ recent }) => numbersLiteral(recent.flat())),
      streams.map(({ keptSeq }) => keptSeq),
    ],
  );
}

function missingOf({ stream, here, thinned, lost }: Summary): number {
  if (!stream.isNumbered) return 0;
  return Math.max(0, stream.lastSeq - stream.firstSeq + 1 - here - thinned - lost);
}

function nameKey(machineId: string, epoch: string): string {
  return `${epoch}\0${machineId}`;
}
