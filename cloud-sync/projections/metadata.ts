import type { Sql } from "../database/database.ts";
import type { StoredDocument } from "../store/event-store.ts";
import { METADATA_KINDS } from "../store/metadata-document.ts";
import type { Change, Projection } from "./projection.ts";
import { instant, jsonLiteral, plainText } from "./sql/literals.ts";

/** model.metadata and metadata_event: factories, machines, criteria, notes and work orders as they are, and how they became so. */
export class Metadata implements Projection {
  readonly name = "metadata";
  readonly version = 1;
  readonly containers = ["metadata"] as const;

  async apply(changes: readonly Change[], sql: Sql): Promise<void> {
    const states = new Map<string, Row>();
    const events = new Map<string, Row>();
    for (const { document } of changes) {
      const row = rowOf(document);
      if (row === undefined) continue;
      const key = JSON.stringify([row.kind, row.id]);
      if (document.kind === "event") events.set(`${key} ${row.version}`, row);
      else if (document.kind === "state" && row.version >= (states.get(key)?.version ?? 0)) states.set(key, row);
    }
    if (states.size > 0) await writeStates([...states.values()], sql);
    if (events.size > 0) await writeEvents([...events.values()], sql);
  }

  /** All of it is kept in the store for ever. */
  async reset(sql: Sql): Promise<void> {
    await sql.query("DELETE FROM model.metadata");
    await sql.query("DELETE FROM model.metadata_event");
  }
}

interface Row {
  readonly kind: string;
  readonly id: string;
  readonly version: number;
  readonly etag: string;
  readonly data: string;
  text(name: string): string;
  at(name: string): string;
  readonly isDeleted: boolean;
}

/** undefined when it is none of ours. */
function rowOf({ fields, etag }: StoredDocument): Row | undefined {
  const { kind, id, version } = fields;
  if (typeof id !== "string" || !Number.isSafeInteger(version)) return undefined;
  if (!METADATA_KINDS.some((each) => each === kind)) return undefined;
  const text = (name: string): string => {
    const value = fields[name];
    return typeof value === "string" ? plainText(value) : "";
  };
  return {
    kind: String(kind),
    id: plainText(id),
    version: version as number,
    etag,
    data: jsonLiteral(fields.data ?? {}),
    text,
    at: (name) => instant(Date.parse(text(name))),
    isDeleted: fields.deleted === true,
  };
}

async function writeStates(rows: readonly Row[], sql: Sql): Promise<void> {
  await sql.prepared(
    "model_metadata",
    `INSERT INTO model.metadata AS m (kind, id, factory_id, machine_id, etag, version, deleted, data, created_at, created_by, changed_at,
                                      changed_by)
     SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::boolean[], $8::jsonb[],
                          $9::timestamptz[], $10::text[], $11::timestamptz[], $12::text[])
     ON CONFLICT (kind, id) DO UPDATE SET factory_id = excluded.factory_id, machine_id = excluded.machine_id, etag = excluded.etag,
       version = excluded.version, deleted = excluded.deleted, data = excluded.data, created_at = excluded.created_at,
       created_by = excluded.created_by, changed_at = excluded.changed_at, changed_by = excluded.changed_by
     WHERE excluded.version >= m.version`,
    [
      rows.map(({ kind }) => kind),
      rows.map(({ id }) => id),
      rows.map((row) => row.text("factoryId")),
      rows.map((row) => row.text("machineId")),
      rows.map(({ etag }) => etag),
      rows.map(({ version }) => version),
      rows.map(({ isDeleted }) => isDeleted),
      rows.map(({ data }) => data),
      rows.map((row) => row.at("createdAt")),
      rows.map((row) => row.text("createdBy")),
      rows.map((row) => row.at("changedAt")),
      rows.map((row) => row.text("changedBy")),
    ],
  );
}

async function writeEvents(rows: readonly Row[], sql: Sql): Promise<void> {
  await sql.prepared(
    "model_metadata_event",
    `INSERT INTO model.metadata_event (kind, id, version, event_type, author, event_at, data)
     SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::timestamptz[], $7::jsonb[])
     ON CONFLICT (kind, id, version) DO NOTHING`,
    [
      rows.map(({ kind }) => kind),
      rows.map(({ id }) => id),
      rows.map(({ version }) => version),
      rows.map((row) => row.text("eventType")),
      rows.map((row) => row.text("author")),
      rows.map((row) => row.at("at")),
      rows.map(({ data }) => data),
    ],
  );
}
