CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;

-- What is left of a partition's numbers when retention has taken its events: they are never given out again.
CREATE TABLE partition (
  id INTEGER PRIMARY KEY,
  next_sequence INTEGER NOT NULL,
  last_enqueued_ms INTEGER NOT NULL
) STRICT;
