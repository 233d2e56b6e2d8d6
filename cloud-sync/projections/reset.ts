import type { Database } from "../database/database.ts";
import type { Projection } from "./projection.ts";

const DAY_MS = 86_400_000;
/** Telemetry is kept for 30 days; the two days between are for the replay itself. */
const KEPT_DAYS = 28;

/** The beginning of the day (UTC epoch ms) from which on all documents are certainly still there while they are read anew. */
export function keepBeforeMs(nowMs: number): number {
  return Math.floor((nowMs - KEPT_DAYS * DAY_MS) / DAY_MS) * DAY_MS;
}

/** Empties a projection and sends it back to the beginning of the feed, in one transaction. */
export async function resetProjection(database: Database, projection: Projection, nowMs: number): Promise<void> {
  projection.forget?.();
  await database.transaction(async (sql) => {
    // First, so that whoever still writes has either committed or finds its checkpoint gone.
    await sql.query("DELETE FROM model.checkpoint WHERE projection = $1", [projection.name]);
    await sql.query("DELETE FROM app.unreadable_document WHERE projection = $1", [projection.name]);
    await projection.reset(sql, keepBeforeMs(nowMs));
    await sql.query(
      `INSERT INTO model.projection (name, version, rebuilding) VALUES ($1, $2, true)
       ON CONFLICT (name) DO UPDATE SET version = excluded.version, rebuilding = true`,
      [projection.name, projection.version],
    );
  });
}

/** Whether the tables were made by this version of the projection; a projection that never ran begins with what is there: nothing. */
export async function isCurrent(database: Database, { name, version }: Projection): Promise<boolean> {
  const { rows } = await database.query<{ version: number }>("SELECT version FROM model.projection WHERE name = $1", [
    name,
  ]);
  if (rows[0] !== undefined) return rows[0].version === version;
  await database.query("INSERT INTO model.projection (name, version) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING", [
    name,
    version,
  ]);
  return true;
}

/** The feed is read to its end. */
export async function markRebuilt(database: Database, name: string): Promise<void> {
  await database.query(
    "UPDATE model.projection SET rebuilding = false, rebuilt_at = now() WHERE name = $1 AND rebuilding",
    [name],
  );
}
