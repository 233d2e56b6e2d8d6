import type Database from "better-sqlite3";
import type { DeadLetter, Lane, Outgoing } from "../ports.ts";

/** Of the messages themselves; beyond it the oldest keep their description only. */
const BODY_BYTES_MAX = 64 * 1024 * 1024;
/** Descriptions that are kept, the newest. */
const LETTERS_MAX = 10_000;
/** Stretches that a description names. */
const CONTENTS_MAX = 200;

const COLUMNS = "id, message_id AS messageId, lane, at_ms AS atMs, code, reason, bytes, contents, attempts";

export interface NewDeadLetter {
  readonly message: Outgoing;
  readonly code: string;
  readonly reason: string;
  readonly contents: readonly string[];
  readonly attempts: number;
  readonly atMs: number;
}

export function insertDeadLetter(
  database: Database.Database,
  letter: NewDeadLetter,
  bytesMax = BODY_BYTES_MAX,
): number {
  const { message, code, reason, atMs, attempts } = letter;
  const contents = letter.contents.slice(0, CONTENTS_MAX);
  if (letter.contents.length > CONTENTS_MAX) contents.push(`and ${letter.contents.length - CONTENTS_MAX} more`);
  const known = message.body.length === 0 ? describedAlready(database, message.lane, contents) : undefined;
  if (known !== undefined) return known;
  const { lastInsertRowid } = database
    .prepare(`INSERT INTO dead_letter (message_id, lane, at_ms, code, reason, bytes, contents, attempts, content_type,
      content_encoding, properties, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
    .run(
      message.id,
      message.lane,
      atMs,
      code,
      reason,
      message.body.length,
      JSON.stringify(contents),
      attempts,
      message.contentType,
      message.contentEncoding ?? null,
      JSON.stringify(message.properties),
      message.body.length === 0 ? null : message.body,
    );
  let bytes = 0;
  const bodies = database
    .prepare("SELECT id, length(body) AS bytes FROM dead_letter WHERE body IS NOT NULL ORDER BY id DESC")
    .all() as { id: number; bytes: number }[];
  for (const body of bodies) {
    bytes += body.bytes;
    if (bytes > bytesMax) database.prepare("UPDATE dead_letter SET body = NULL WHERE id = ?").run(body.id);
  }
  database.prepare("DELETE FROM dead_letter WHERE id <= (SELECT max(id) FROM dead_letter) - ?").run(LETTERS_MAX);
  return Number(lastInsertRowid);
}

/** An event that fits into no message is met again each time that its place in the log is read again. */
function describedAlready(database: Database.Database, lane: Lane, contents: readonly string[]): number | undefined {
  return database
    .prepare("SELECT id FROM dead_letter WHERE bytes = 0 AND lane = ? AND contents = ? ORDER BY id DESC LIMIT 1")
    .pluck()
    .get(lane, JSON.stringify(contents)) as number | undefined;
}

/** The oldest first. */
export function readDeadLetters(database: Database.Database): DeadLetter[] {
  const rows = database.prepare(`SELECT ${COLUMNS} FROM dead_letter ORDER BY id`).all() as (Omit<
    DeadLetter,
    "contents"
  > & {
    contents: string;
  })[];
  return rows.map((row) => ({ ...row, contents: JSON.parse(row.contents) as string[] }));
}

interface MessageRow {
  readonly id: number;
  readonly messageId: string;
  readonly lane: Lane;
  readonly contentType: string;
  readonly contentEncoding: string | null;
  readonly properties: string;
  readonly body: Buffer | null;
  readonly attempts: number;
}

export interface WantedLetter {
  readonly id: number;
  /** Undefined: only its description was kept. */
  readonly message: Outgoing | undefined;
  readonly attempts: number;
}

export function readMessages(
  database: Database.Database,
  where: "id = ?" | "is_wanted_again = 1",
  id?: number,
): WantedLetter[] {
  const rows = database
    .prepare(`SELECT id, message_id AS messageId, lane, content_type AS contentType, content_encoding AS contentEncoding,
      properties, body, attempts FROM dead_letter WHERE ${where} ORDER BY id LIMIT 16`)
    .all(...(id === undefined ? [] : [id])) as MessageRow[];
  return rows.map((row) => ({
    id: row.id,
    attempts: row.attempts,
    message:
      row.body === null
        ? undefined
        : {
            id: row.messageId,
            lane: row.lane,
            body: row.body,
            contentType: row.contentType,
            ...(row.contentEncoding === null ? {} : { contentEncoding: row.contentEncoding }),
            properties: JSON.parse(row.properties) as Record<string, string>,
          },
  }));
}
