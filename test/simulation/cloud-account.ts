import { DuckDBInstance } from "@duckdb/node-api";
import type { StoredEvent } from "../../cloud-sync/contract/event.ts";
import type { Database } from "../../cloud-sync/database/database.ts";
import type { EventStore } from "../../cloud-sync/store/event-store.ts";
import { readTelemetryDocument } from "../../cloud-sync/store/read-telemetry.ts";

const NEVER = new AbortController().signal;
const PAGE = 200;
/** Columns of read models that say when something was done, not what. */
const OF_THE_MOMENT = ["enqueued_at", "enqueued_time"];

/** Every event of the feed, with how often it came; there must be one of each. */
export async function eventsOfStore(store: EventStore): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for (const range of await store.feedRanges("telemetry", NEVER)) {
    let continuation: string | undefined;
    for (;;) {
      const page = await store.changes("telemetry", range, continuation, PAGE, NEVER);
      for (const document of page.documents) {
        events.push(...readTelemetryDocument(document).events());
      }
      continuation = page.continuation;
      if (!page.hasMore) break;
    }
  }
  return events;
}

/** Arrays whose order is that in which signals were first heard of: compared as the views show them, a row a signal. */
const BY_SIGNAL_SET = ["signal_set", "machine_latest", "rollup_1m", "rollup_1h"];
const VIEWS = ["machines", "machine_latest", "rollup_1m", "rollup_1h"];

/** Every row of every read model, as text, in an order of its own: what two databases must have alike. */
export async function dumpOfModels(database: Database): Promise<Map<string, string[]>> {
  const { rows: tables } = await database.query<{ name: string }>(
    `SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = 'model' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        AND c.relname <> ALL ($1) ORDER BY 1`,
    [["checkpoint", "projection", ...BY_SIGNAL_SET]],
  );
  const dump = new Map<string, string[]>();
  const sources = [...tables.map(({ name }) => `model.${name}`), ...VIEWS.map((name) => `report.${name}`)];
  for (const source of sources) {
    const without = OF_THE_MOMENT.map((column) => ` - '${column}'`).join("");
    const { rows } = await database.query<{ row: unknown }>(`SELECT to_jsonb(t)${without} AS row FROM ${source} t`);
    dump.set(source, rows.map(({ row }) => JSON.stringify(row, rounded)).sort());
  }
  return dump;
}

/** A sum of floats says in its last digits in which order they were added. */
function rounded(key: string, value: unknown): unknown {
  return typeof value === "number" && /^(?:sum|mean|average)/.test(key) ? Number(value.toPrecision(9)) : value;
}

/** Where two dumps differ: a sentence a table. */
export function differences(expected: Map<string, string[]>, found: Map<string, string[]>): string[] {
  return [...expected].flatMap(([name, rows]) => {
    const other = found.get(name) ?? [];
    const at = rows.findIndex((row, index) => row !== other[index]);
    if (at < 0 && rows.length === other.length) return [];
    return [
      `${name}: ${rows.length} rows, ${other.length} after faults; the first that differs: ${rows[at]} / ${other[at]}`,
    ];
  });
}

/** Readings of a lake, by a plain reader of its files: how many, and a sum over all that each says. */
export async function readingsOfLake(folder: string): Promise<{ rows: number; distinct: number; sum: string }> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    const result = await connection.runAndReadAll(
      `SELECT count(*)::INTEGER AS rows, count(DISTINCT (epoch, machine_id, seq, signal, time))::INTEGER AS d,
              sum(hash(epoch, machine_id, seq, signal, time, value, status_code) % 1000003)::VARCHAR AS sum
         FROM read_parquet('${folder}/readings/**/*.parquet', hive_partitioning = true)`,
    );
    const [row] = result.getRowObjects() as unknown as { rows: number; d: number; sum: string }[];
    return { rows: row?.rows ?? 0, distinct: row?.d ?? 0, sum: row?.sum ?? "" };
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
