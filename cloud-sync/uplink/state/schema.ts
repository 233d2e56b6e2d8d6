import { dirname, join } from "node:path";

/** Where the uplink of a log keeps what it has to remember. */
export function uplinkStatePathOf(logPath: string): string {
  return join(dirname(logPath), "uplink.db");
}

export const STATE_VERSION = 1;

/**
 * dead_letter: what could not go. body is null when it had to make room; is_wanted_again is set by people and taken back by
 * the uplink. traffic: of each UTC day. setting: what commands gave. resend: ranges that are asked for again; next_seq is the first
 * that is not sent yet.
 */
export const SCHEMA = `
CREATE TABLE dead_letter (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  message_id TEXT NOT NULL,
  lane TEXT NOT NULL,
  at_ms REAL NOT NULL,
  code TEXT NOT NULL,
  reason TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  contents TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  content_type TEXT NOT NULL,
  content_encoding TEXT,
  properties TEXT NOT NULL,
  body BLOB,
  is_wanted_again INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE traffic (
  day TEXT NOT NULL,
  lane TEXT NOT NULL,
  messages INTEGER NOT NULL,
  units INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  PRIMARY KEY (day, lane)
) STRICT, WITHOUT ROWID;
CREATE TABLE status (id INTEGER PRIMARY KEY CHECK (id = 1), json TEXT NOT NULL) STRICT;
CREATE TABLE setting (name TEXT PRIMARY KEY, json TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE resend (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  machine_id TEXT NOT NULL,
  first_seq INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  next_seq INTEGER NOT NULL
) STRICT;
PRAGMA user_version = ${STATE_VERSION};
`;
