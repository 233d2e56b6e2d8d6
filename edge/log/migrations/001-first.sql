-- The log's first form: events as rows. Offsets are never reused, also after rows have gone (AUTOINCREMENT).
CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value ANY NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE machine (
  machine_ref INTEGER PRIMARY KEY,
  machine_id TEXT NOT NULL UNIQUE,
  last_seq INTEGER NOT NULL
) STRICT;

-- Telemetry rows name their signals by number; a number is never given to another name.
CREATE TABLE signal (
  machine_ref INTEGER NOT NULL,
  signal_ref INTEGER NOT NULL,
  name TEXT NOT NULL,
  PRIMARY KEY (machine_ref, signal_ref),
  UNIQUE (machine_ref, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
  offset INTEGER PRIMARY KEY AUTOINCREMENT,
  machine_ref INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  type TEXT NOT NULL,
  time_ms REAL NOT NULL,
  appended_ms INTEGER NOT NULL,
  entity_id TEXT,           -- NULL: the event's own identity
  caused_by TEXT,
  data ANY NOT NULL         -- telemetry: BLOB (row-codec.ts); all others: JSON text
) STRICT;
CREATE UNIQUE INDEX event_stream ON event (machine_ref, seq);
-- Everything but telemetry is rare and asked for by itself: newest of a kind, and in the order of the offset.
CREATE INDEX event_kind ON event (machine_ref, type, seq) WHERE type <> 'telemetry';
CREATE INDEX event_rare ON event (offset) WHERE type <> 'telemetry';

-- Where each machine's wall-clock minutes begin: one row per change of minute, so that a read by time is exact also
-- when the clock jumps, at the price of one small row a machine and minute.
CREATE TABLE minute (
  machine_ref INTEGER NOT NULL,
  first_seq INTEGER NOT NULL,
  minute INTEGER NOT NULL,  -- appended_ms / 60000
  PRIMARY KEY (machine_ref, first_seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE cursor (
  name TEXT PRIMARY KEY,
  offset INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
