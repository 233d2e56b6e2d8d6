import type { Database, Sql } from "../database/database.ts";
import type { Refusal } from "./arrival.ts";
import type { HubMessage } from "./read-message.ts";

/** A message that can't be stored, or parts of it. */
export interface RefusedMessage {
  readonly message: HubMessage;
  /** At least one. */
  readonly refusals: readonly Refusal[];
}

export interface QuarantineOptions {
  readonly database: Database;
  /** What is kept at most; the oldest go first. */
  readonly bytesMax?: number;
  readonly messagesMax?: number;
  readonly daysMax?: number;
}

export interface QuarantineTotal {
  readonly messages: number;
  readonly bytes: number;
  /** What had to make room since the beginning. */
  readonly droppedMessages: number;
  readonly droppedBytes: number;
}

const BYTES_MAX = 256 * 1024 * 1024;
const MESSAGES_MAX = 100_000;
const DAYS_MAX = 90;
/** A larger body is not kept: nobody could send it again. */
const BODY_BYTES_MAX = 1_048_576;
const PROPERTIES_CHARACTERS_MAX = 65_536;
/** For what stands beside the body. */
export const ROW_BYTES = 512;
const DROP_ROWS = 1_000;
const STATEMENT_BYTES_MAX = 4 * 1024 * 1024;

const INSERT = `
INSERT INTO app.quarantine AS q
       (hub_key, partition_id, sequence_number, enqueued_ms, device_id, content_type, properties, system_properties,
        body, body_bytes, code, reason, refusals)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::double precision[], $5::text[], $6::text[], $7::text[], $8::text[],
                     $9::bytea[], $10::bigint[], $11::text[], $12::text[], $13::integer[])
ON CONFLICT (hub_key, partition_id, sequence_number) DO UPDATE
   SET code = excluded.code, reason = excluded.reason, refusals = excluded.refusals, last_seen = excluded.last_seen,
       count = q.count + 1
RETURNING (xmax = 0) AS is_new, coalesce(octet_length(body), 0) + ${ROW_BYTES} AS bytes`;
const DROP = `
DELETE FROM app.quarantine q
 USING (SELECT id, first_seen, row_number() OVER w AS n, sum(bytes) OVER w - bytes AS before
          FROM (SELECT id, first_seen, coalesce(octet_length(body), 0) + ${ROW_BYTES} AS bytes
                  FROM app.quarantine ORDER BY id LIMIT ${DROP_ROWS}) oldest
        WINDOW w AS (ORDER BY id)) o
 WHERE q.id = o.id AND (o.n <= $1 OR o.before < $2 OR o.first_seen < now() - make_interval(days => $3))
RETURNING coalesce(octet_length(q.body), 0) + ${ROW_BYTES} AS bytes`;

/**
 * Where messages go that can't be stored, ever, so that nothing waits behind them: whole, with the reason. Bounded in bytes, number
 * and age; the oldest make room, and are counted.
 */
export class Quarantine {
  readonly #database: Database;
  readonly #bytesMax: number;
  readonly #messagesMax: number;
  readonly #daysMax: number;

  constructor({ database, bytesMax = BYTES_MAX, messagesMax = MESSAGES_MAX, daysMax = DAYS_MAX }: QuarantineOptions) {
    this.#database = database;
    this.#bytesMax = bytesMax;
    this.#messagesMax = messagesMax;
    this.#daysMax = daysMax;
  }

  /**
   * The same message again is counted, not kept twice.
   * @returns the total afterwards
   * @throws EdgeError as Database
   */
  async add(refused: readonly RefusedMessage[]): Promise<QuarantineTotal> {
    const once = new Map(refused.map((each) => [identityOf(each.message), each]));
    return this.#database.transaction(async (sql) => {
      await lockTotal(sql);
      let total = await addToTotal(sql, 0, 0);
      for (const part of partsOf([...once.values()])) {
        const rows = part.map(rowOf);
        const columns = Array.from({ length: rows[0]?.length ?? 0 }, (_, at) => rows.map((row) => row[at]));
        const { rows: written } = await sql.query<{ is_new: boolean; bytes: number }>(INSERT, columns);
        const added = written.filter(({ is_new }) => is_new);
        total = await addToTotal(sql, added.length, sumOf(added));
      }
      return this.#trim(sql, total);
    });
  }

  async #trim(sql: Sql, total: QuarantineTotal): Promise<QuarantineTotal> {
    let now = total;
    for (;;) {
      const over = [now.messages - this.#messagesMax, now.bytes - this.#bytesMax, this.#daysMax];
      const { rows } = await sql.query<{ bytes: number }>(DROP, over);
      if (rows.length === 0) return now;
      now = await addToTotal(sql, -rows.length, -sumOf(rows), true);
    }
  }
}

/** Everyone who changes the quarantine waits here for the others. */
export async function lockTotal(sql: Sql): Promise<void> {
  await sql.query("SELECT 1 FROM app.quarantine_total FOR UPDATE");
}

/** @param isDropped what went had to make room */
export async function addToTotal(
  sql: Sql,
  messages: number,
  bytes: number,
  isDropped = false,
): Promise<QuarantineTotal> {
  const { rows } = await sql.query<TotalRow>(
    `UPDATE app.quarantine_total
        SET messages = messages + $1, bytes = bytes + $2, dropped_messages = dropped_messages + $3, dropped_bytes = dropped_bytes + $4
     RETURNING messages, bytes, dropped_messages, dropped_bytes`,
    [messages, bytes, isDropped ? -messages : 0, isDropped ? -bytes : 0],
  );
  return totalOf(rows[0]);
}

export interface TotalRow {
  readonly messages: number;
  readonly bytes: number;
  readonly dropped_messages: number;
  readonly dropped_bytes: number;
}

export function totalOf(row: TotalRow | undefined): QuarantineTotal {
  return {
    messages: row?.messages ?? 0,
    bytes: row?.bytes ?? 0,
    droppedMessages: row?.dropped_messages ?? 0,
    droppedBytes: row?.dropped_bytes ?? 0,
  };
}

export function sumOf(rows: readonly { readonly bytes: number }[]): number {
  return rows.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** As many as one statement takes; at least one each. */
function partsOf(refused: readonly RefusedMessage[]): RefusedMessage[][] {
  const parts: RefusedMessage[][] = [];
  let bytes = 0;
  for (const each of refused) {
    bytes += each.message.body.length + ROW_BYTES;
    if (parts.length === 0 || bytes > STATEMENT_BYTES_MAX) {
      parts.push([]);
      bytes = each.message.body.length + ROW_BYTES;
    }
    parts.at(-1)?.push(each);
  }
  return parts;
}

function identityOf({ hubKey, partition, sequenceNumber }: HubMessage): string {
  return `${hubKey}/${partition}/${sequenceNumber}`;
}

function rowOf({ message, refusals }: RefusedMessage): readonly unknown[] {
  const { hubKey, partition, sequenceNumber, enqueuedMs, deviceId, contentType, body } = message;
  const first = refusals[0];
  return [
    hubKey,
    partition,
    sequenceNumber,
    enqueuedMs,
    plainText(deviceId),
    plainText(contentType),
    propertiesText(message.properties),
    propertiesText(message.systemProperties),
    body.length > BODY_BYTES_MAX ? null : Buffer.from(body.buffer, body.byteOffset, body.byteLength),
    body.length,
    first?.code ?? "malformed",
    plainText(first?.reason ?? ""),
    refusals.length,
  ];
}

/** Text of PostgreSQL holds no NUL, and no half of a surrogate pair. */
function plainText(text: string): string {
  return text.replaceAll("\0", "\ufffd").toWellFormed();
}

function propertiesText(properties: Readonly<Record<string, unknown>>): string {
  const text = JSON.stringify(properties, function (this: Readonly<Record<string, unknown>>, key, value: unknown) {
    // A Buffer has become something else by the time it gets here.
    const own = this[key];
    return own instanceof Uint8Array
      ? Buffer.from(own).toString("base64")
      : typeof value === "bigint"
        ? `${value}`
        : value;
  });
  return text.length > PROPERTIES_CHARACTERS_MAX ? "{}" : text;
}
