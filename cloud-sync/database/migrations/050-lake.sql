-- The lake's files. Beside them, in the lake, lies a copy (_manifest/files.json) for readers who have no database.
CREATE TABLE app.lake_file (
  -- In the lake: kind/factory=…/date=…/name.parquet
  path         text PRIMARY KEY,
  kind         text NOT NULL CHECK (kind IN ('readings', 'events', 'rollups')),
  factory_id   text NOT NULL,
  -- UTC day, days since 1970; null: rows of no day.
  day          integer,
  rows         bigint NOT NULL,
  bytes        bigint NOT NULL,
  -- Of the earliest and latest row, UTC epoch ms.
  min_ms       bigint,
  max_ms       bigint,
  committed_at timestamptz NOT NULL DEFAULT now(),
  -- Set when larger files have taken its rows over: readers who began before may still have it open.
  replaced_at  timestamptz
);
SELECT app.reference('app.lake_file');
CREATE INDEX lake_file_partition ON app.lake_file (kind, factory_id, day) WHERE replaced_at IS NULL;
CREATE INDEX lake_file_replaced ON app.lake_file (replaced_at) WHERE replaced_at IS NOT NULL;

-- Files that are about to be put into the lake and are not committed yet: whoever starts again removes them.
CREATE TABLE app.lake_intent (
  id       text PRIMARY KEY,
  worker   text NOT NULL CHECK (worker IN ('writer', 'compaction')),
  paths    text[] NOT NULL,
  begun_at timestamptz NOT NULL DEFAULT now()
);
SELECT app.reference('app.lake_intent');
