import type { Clock } from "../../edge/kernel/clock.ts";
import { EdgeError } from "../../edge/kernel/errors.ts";
import type { Database, Sql } from "../database/database.ts";
import type { EventStore } from "../store/event-store.ts";
import { MessageWriter, takeMessage } from "./message-writer.ts";
import { addToTotal, lockTotal, type QuarantineTotal, ROW_BYTES, sumOf, type TotalRow, totalOf } from "./quarantine.ts";
import type { HubMessage } from "./read-message.ts";
import { TelemetryWriter } from "./telemetry-writer.ts";

/** A message in the quarantine, without its body. */
export interface QuarantinedMessage {
  readonly id: number;
  readonly deviceId: string;
  readonly partition: string;
  readonly sequenceNumber: number;
  readonly enqueuedMs: number;
  readonly contentType: string;
  readonly bytes: number;
  readonly code: string;
  readonly reason: string;
  /** Parts of it that can't be stored. */
  readonly refusals: number;
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  /** How often it came. */
  readonly count: number;
}

export interface QuarantinedContent extends QuarantinedMessage {
  readonly properties: Readonly<Record<string, unknown>>;
  readonly systemProperties: Readonly<Record<string, unknown>>;
  /** undefined: too large to be kept. */
  readonly body: Uint8Array | undefined;
  readonly hubKey: string;
}

export interface ReplayDeps {
  readonly database: Database;
  readonly store: EventStore;
  readonly clock: Clock;
}

export interface Replayed {
  /** Stored whole, and gone from the quarantine. */
  readonly stored: number;
  /** Events of them that were new. */
  readonly events: number;
  /** Still there, for the reason that the list shows. */
  readonly refused: number;
}

interface Row {
  readonly id: number;
  readonly hub_key: string;
  readonly partition_id: string;
  readonly sequence_number: number;
  readonly enqueued_ms: number;
  readonly device_id: string;
  readonly content_type: string;
  readonly properties: string;
  readonly system_properties: string;
  readonly body: Buffer | null;
  readonly body_bytes: number;
  readonly code: string;
  readonly reason: string;
  readonly refusals: number;
  readonly first_seen: Date;
  readonly last_seen: Date;
  readonly count: number;
}

const HEAD = `id, hub_key, partition_id, sequence_number, enqueued_ms, device_id, content_type, body_bytes, code, reason, refusals,
              first_seen, last_seen, count`;
const REPLAY_MESSAGES = 20;

/** The newest first. @param beforeId of the last one that was seen, to go on behind it */
export async function listQuarantine(
  database: Sql,
  { beforeId = Number.MAX_SAFE_INTEGER, limit = 100 }: { readonly beforeId?: number; readonly limit?: number } = {},
): Promise<{ readonly messages: readonly QuarantinedMessage[]; readonly total: QuarantineTotal }> {
  const { rows } = await database.query<Omit<Row, "body">>(
    `SELECT ${HEAD} FROM app.quarantine WHERE id < $1 ORDER BY id DESC LIMIT $2`,
    [beforeId, limit],
  );
  const { rows: totals } = await database.query<TotalRow>("SELECT * FROM app.quarantine_total");
  return { messages: rows.map(headOf), total: totalOf(totals[0]) };
}

/** @throws EdgeError USAGE when there is none of that id */
export async function showQuarantine(database: Sql, id: number): Promise<QuarantinedContent> {
  const [row] = await rowsOf(database, [id]);
  if (row === undefined)
    throw new EdgeError("USAGE", `no message ${id} is in the quarantine`, {
      hint: "tailstock cloud quarantine list shows those that are.",
    });
  const { properties, systemProperties, body, hubKey } = contentOf(row);
  return { ...headOf(row), properties, systemProperties, hubKey, body: row.body === null ? undefined : body };
}

/**
 * Puts messages in again, by the way that all take: what could not be stored then and can now is stored and leaves the quarantine.
 * @throws EdgeError as the database and the store; what was done stays done
 */
export async function replayQuarantine(
  { database, store, clock }: ReplayDeps,
  which: readonly number[] | "all",
  signal: AbortSignal,
): Promise<Replayed> {
  const writer = new MessageWriter({ store, writer: new TelemetryWriter({ store, clock }) });
  let [stored, events, refused] = [0, 0, 0];
  const ids = which === "all" ? await allIds(database) : which;
  for (let at = 0; at < ids.length; at += REPLAY_MESSAGES) {
    const rows = (await rowsOf(database, ids.slice(at, at + REPLAY_MESSAGES))).filter(({ body }) => body !== null);
    const taken = rows.map((row) => takeMessage(contentOf(row), row.id));
    const written = await writer.write(taken, signal);
    const still = new Map(written.refused.map(({ message, refusals }) => [message, refusals]));
    const left = taken.filter(({ message }) => still.has(message));
    for (const { number, message } of left) {
      const refusals = still.get(message) ?? [];
      await database.query(
        "UPDATE app.quarantine SET code = $2, reason = $3, refusals = $4, last_seen = now() WHERE id = $1",
        [number, refusals[0]?.code, refusals[0]?.reason, refusals.length],
      );
    }
    const done = taken.filter(({ message }) => !still.has(message)).map(({ number }) => number);
    await removeQuarantine(database, done);
    stored += done.length;
    events += written.events;
    refused += left.length;
  }
  return { stored, events, refused };
}

/** @returns how many there were */
export async function removeQuarantine(database: Database, which: readonly number[] | "all"): Promise<number> {
  return database.transaction(async (sql) => {
    await lockTotal(sql);
    const where = which === "all" ? "" : "WHERE id = ANY ($1::bigint[])";
    const { rows } = await sql.query<{ bytes: number }>(
      `DELETE FROM app.quarantine ${where} RETURNING coalesce(octet_length(body), 0) + ${ROW_BYTES} AS bytes`,
      which === "all" ? [] : [which],
    );
    await addToTotal(sql, -rows.length, -sumOf(rows));
    return rows.length;
  });
}

async function allIds(database: Sql): Promise<number[]> {
  const { rows } = await database.query<{ id: number }>("SELECT id FROM app.quarantine ORDER BY id");
  return rows.map(({ id }) => id);
}

async function rowsOf(database: Sql, ids: readonly number[]): Promise<Row[]> {
  const { rows } = await database.query<Row>(
    `SELECT ${HEAD}, properties, system_properties, body FROM app.quarantine WHERE id = ANY ($1::bigint[]) ORDER BY id`,
    [ids],
  );
  return rows;
}

function headOf(row: Omit<Row, "body">): QuarantinedMessage {
  return {
    id: row.id,
    deviceId: row.device_id,
    partition: row.partition_id,
    sequenceNumber: row.sequence_number,
    enqueuedMs: row.enqueued_ms,
    contentType: row.content_type,
    bytes: row.body_bytes,
    code: row.code,
    reason: row.reason,
    refusals: row.refusals,
    firstSeenMs: row.first_seen.getTime(),
    lastSeenMs: row.last_seen.getTime(),
    count: row.count,
  };
}

function contentOf(row: Row): HubMessage {
  return {
    hubKey: row.hub_key,
    partition: row.partition_id,
    sequenceNumber: row.sequence_number,
    offset: "",
    enqueuedMs: row.enqueued_ms,
    deviceId: row.device_id,
    contentType: row.content_type,
    body: row.body ?? new Uint8Array(),
    properties: JSON.parse(row.properties) as Record<string, unknown>,
    systemProperties: JSON.parse(row.system_properties) as Record<string, unknown>,
  };
}
