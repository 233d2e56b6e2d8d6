import type { Sql } from "../../../database/database.ts";
import type { MetadataKind } from "../../../store/metadata-document.ts";
import { Conditions, containing } from "../paging/conditions.ts";
import { type Order, type Page, readPage } from "../paging/page.ts";
import { unknownThing } from "../refusals.ts";
import type { MetadataEventView, MetadataView } from "./schema.ts";

export interface MetadataQuery {
  readonly kind?: readonly MetadataKind[];
  readonly factory?: string;
  readonly machine?: string;
  readonly text?: string;
  readonly deleted: "no" | "yes" | "both";
  readonly order: "id" | "newest";
  readonly limit: number;
  readonly cursor?: string;
}

interface Row {
  readonly kind: string;
  readonly id: string;
  readonly factory_id: string;
  readonly machine_id: string;
  readonly etag: string;
  readonly version: number;
  readonly deleted: boolean;
  readonly data: unknown;
  readonly created_at: Date;
  readonly created_by: string;
  readonly changed_at: Date;
  readonly changed_by: string;
}

const COLUMNS =
  "kind, id, factory_id, machine_id, etag, version, deleted, data, created_at, created_by, changed_at, changed_by";
const ORDERS: Readonly<Record<MetadataQuery["order"], Order>> = {
  id: {
    keys: [
      { sql: "kind", type: "text" },
      { sql: "id", type: "text" },
    ],
    direction: "ASC",
  },
  newest: {
    keys: [
      { sql: "created_at", type: "timestamptz" },
      { sql: "kind", type: "text" },
      { sql: "id", type: "text" },
    ],
    direction: "DESC",
  },
};

/** Factories, machines, criteria, notes and work orders as they are now. newest: by when each was created. */
export async function readMetadata(sql: Sql, query: MetadataQuery): Promise<Page<MetadataView>> {
  const { kind, factory, machine, text, deleted, order, limit, cursor } = query;
  const conditions = new Conditions()
    .add("kind = ANY (?)", kind)
    .add("factory_id = ?", factory)
    .add("machine_id = ?", machine)
    .add("(id ILIKE ? OR data::text ILIKE ?)", containing(text))
    .add("deleted = ?", deleted === "both" ? undefined : deleted === "yes");
  const page = await readPage<Row>(sql, {
    select: COLUMNS,
    from: "model.metadata",
    conditions,
    order: ORDERS[order],
    limit,
    cursor,
    question: ["metadata", kind, factory, machine, text, deleted, order],
  });
  return { rows: page.rows.map(view), nextCursor: page.nextCursor };
}

/** @throws Failure 404 */
export async function readEntity(sql: Sql, kind: MetadataKind, id: string): Promise<MetadataView> {
  const { rows } = await sql.query<Row>(`SELECT ${COLUMNS} FROM model.metadata WHERE kind = $1 AND id = $2`, [
    kind,
    id,
  ]);
  const [row] = rows;
  if (row === undefined) throw unknownThing("ENTITY_UNKNOWN", `there is no ${kind} "${id.slice(0, 200)}"`);
  return view(row);
}

export interface HistoryQuery {
  readonly kind: MetadataKind;
  readonly id: string;
  readonly limit: number;
  readonly cursor?: string;
}

/** What was done to one entity and by whom, the newest first. */
export async function readHistory(
  sql: Sql,
  { kind, id, limit, cursor }: HistoryQuery,
): Promise<Page<MetadataEventView>> {
  const page = await readPage<{ version: number; event_type: string; author: string; event_at: Date; data: unknown }>(
    sql,
    {
      select: "version, event_type, author, event_at, data",
      from: "model.metadata_event",
      conditions: new Conditions().add("kind = ?", kind).add("id = ?", id),
      order: { keys: [{ sql: "version", type: "bigint" }], direction: "DESC" },
      limit,
      cursor,
      question: ["history", kind, id],
    },
  );
  const rows = page.rows.map((row) => ({
    version: row.version,
    eventType: row.event_type,
    author: row.author,
    atMs: row.event_at.getTime(),
    data: row.data,
  }));
  return { rows, nextCursor: page.nextCursor };
}

function view(row: Row): MetadataView {
  return {
    kind: row.kind,
    id: row.id,
    factoryId: row.factory_id,
    machineId: row.machine_id,
    etag: row.etag,
    version: row.version,
    deleted: row.deleted,
    data: row.data,
    createdMs: row.created_at.getTime(),
    createdBy: row.created_by,
    changedMs: row.changed_at.getTime(),
    changedBy: row.changed_by,
  };
}
