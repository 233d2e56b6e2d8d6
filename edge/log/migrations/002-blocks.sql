-- The log's form: fresh events in the slots of the tail, older ones in sealed blocks. Version 1 had rows only (upgrade.ts).
CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- Where the tail begins. Chunks up to closed_chunk are to be sealed, those up to sealed_chunk are sealed, and their slots free.
CREATE TABLE mark (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  closed_chunk INTEGER NOT NULL,
  sealed_chunk INTEGER NOT NULL,
  sealed_offset INTEGER NOT NULL,
  -- Slot of the last part of the chunk sealed last; -1 before there was one.
  sealed_slot INTEGER NOT NULL,
  -- Rows of the tail.
  slots INTEGER NOT NULL,
  -- How long the log has been running in all, ms: the age of blocks is measured by it, for no clock can set it.
  run_ms INTEGER NOT NULL
) STRICT;
INSERT INTO mark VALUES (1, 0, 0, 0, -1, 0, 0);

-- An epoch begins with the file, after a restore, and wherever numbers given out may have been lost.
CREATE TABLE epoch (
  first_offset INTEGER PRIMARY KEY,
  epoch TEXT NOT NULL UNIQUE,
  cause TEXT NOT NULL
) STRICT;

-- Rows of one size, a page each, overwritten in place (tail/slots.ts).
CREATE TABLE tail (
  slot INTEGER PRIMARY KEY,
  data BLOB NOT NULL
) STRICT;

-- last_seq and last_hash are those of the newest sealed event and block.
CREATE TABLE machine (
  machine_ref INTEGER PRIMARY KEY,
  machine_id TEXT NOT NULL UNIQUE,
  last_seq INTEGER NOT NULL,
  last_hash BLOB NOT NULL
) STRICT;

-- Roll-ups name a machine's signals by their place in this list (a JSON array, zstd); it only grows.
CREATE TABLE signal (
  machine_ref INTEGER PRIMARY KEY,
  names BLOB NOT NULL
) STRICT;

-- Blocks that were sealed together form a group; groups do not overlap in offsets.
CREATE TABLE block (
  block_id INTEGER PRIMARY KEY AUTOINCREMENT,
  group_no INTEGER NOT NULL,
  machine_ref INTEGER NOT NULL,
  first_seq INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  first_offset INTEGER NOT NULL,
  last_offset INTEGER NOT NULL,
  -- First and last time of its events and of its readings, as they were received.
  from_ms REAL NOT NULL,
  to_ms REAL NOT NULL,
  samples INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  hash BLOB NOT NULL,
  previous_hash BLOB NOT NULL,
  sealed_run_ms INTEGER NOT NULL,
  -- whole: as sealed. thinned: only the roll-up is left. corrupt: set aside, not served.
  state TEXT NOT NULL CHECK (state IN ('whole', 'thinned', 'corrupt'))
) STRICT;
CREATE UNIQUE INDEX block_stream ON block (machine_ref, first_seq);
CREATE INDEX block_end ON block (last_offset);
CREATE INDEX block_time ON block (machine_ref, to_ms);
CREATE INDEX block_state ON block (state, block_id) WHERE state <> 'whole';

-- The block itself, NULL once it is thinned, and the one-minute aggregates of its signals (cloud-sync/contract/rollup), NULL when it
-- has no numbers. In one row they fill pages better than in two.
CREATE TABLE block_data (
  block_id INTEGER PRIMARY KEY,
  rollup BLOB,
  data BLOB
) STRICT;

-- Every sealed event that is not telemetry; they are rare and asked for by themselves. kept: the event as JSON, once its
-- block is gone.
CREATE TABLE event (
  offset INTEGER PRIMARY KEY,
  machine_ref INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  type TEXT NOT NULL,
  time_ms REAL NOT NULL,
  kept TEXT
) STRICT;
CREATE INDEX event_kind ON event (machine_ref, type, seq);
CREATE INDEX event_kept ON event (machine_ref, seq) WHERE kept IS NOT NULL;

-- The ledger of what is no longer here: ranges of seq, neighbours of one cause joined.
CREATE TABLE gone (
  machine_ref INTEGER NOT NULL,
  first_seq INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  first_offset INTEGER NOT NULL,
  -- forwarded: the cloud has it. shed, expired: by quota, by age. corrupt: damaged. lost: never found in a salvaged file.
  cause TEXT NOT NULL,
  samples INTEGER NOT NULL,
  from_ms REAL NOT NULL,
  to_ms REAL NOT NULL,
  -- Of the first and the last block of the range; empty where that is not known.
  previous_hash BLOB NOT NULL,
  last_hash BLOB NOT NULL,
  PRIMARY KEY (machine_ref, first_seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE cursor (
  name TEXT PRIMARY KEY,
  offset INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
