-- The event store. position: another number for each write, ascending in the order of commits within a feed bucket, because a writer takes
-- the lock of the bucket first; it is the etag too. Text is compared by its bytes, whatever the database's collation is.
-- A day's partition holds what was stored on that day (UTC) and is dropped whole; an id is unique over all days because writers of a
-- bucket are one behind the other.
CREATE SEQUENCE store.position INCREMENT BY 1024 START WITH 1024;

CREATE TABLE store.telemetry (
  position  bigint NOT NULL,
  stored_ms bigint NOT NULL,
  stored_on date NOT NULL,
  bucket    smallint NOT NULL,
  in_feed   boolean NOT NULL,
  kind      text COLLATE "C" NOT NULL,
  stream    text COLLATE "C" NOT NULL,
  part      text COLLATE "C" NOT NULL,
  id        text COLLATE "C" NOT NULL,
  -- JSON; as text, because jsonb takes no NUL and no half of a surrogate pair.
  fields    text COLLATE "C" NOT NULL,
  body      bytea,
  PRIMARY KEY (stream, part, id, stored_on)
) PARTITION BY RANGE (stored_on);
-- Bodies are compressed already.
ALTER TABLE store.telemetry ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX telemetry_feed ON store.telemetry (bucket, position) WHERE in_feed;
SELECT app.distribute('store.telemetry', 'stream', 'none');

CREATE TABLE store.scored_telemetry (
  position  bigint NOT NULL,
  stored_ms bigint NOT NULL,
  stored_on date NOT NULL,
  bucket    smallint NOT NULL,
  in_feed   boolean NOT NULL,
  kind      text COLLATE "C" NOT NULL,
  stream    text COLLATE "C" NOT NULL,
  part      text COLLATE "C" NOT NULL,
  id        text COLLATE "C" NOT NULL,
  fields    text COLLATE "C" NOT NULL,
  body      bytea,
  PRIMARY KEY (stream, part, id, stored_on)
) PARTITION BY RANGE (stored_on);
ALTER TABLE store.scored_telemetry ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX scored_telemetry_feed ON store.scored_telemetry (bucket, position) WHERE in_feed;
SELECT app.distribute('store.scored_telemetry', 'stream', 'store.telemetry');

-- What is kept for ever, of all containers: metadata, and the bookkeeping of who writes telemetry, which is replaced again and again.
CREATE TABLE store.document (
  position  bigint NOT NULL,
  stored_ms bigint NOT NULL,
  bucket    smallint NOT NULL,
  in_feed   boolean NOT NULL,
  container text COLLATE "C" NOT NULL,
  kind      text COLLATE "C" NOT NULL,
  stream    text COLLATE "C" NOT NULL,
  part      text COLLATE "C" NOT NULL,
  id        text COLLATE "C" NOT NULL,
  fields    text COLLATE "C" NOT NULL,
  body      bytea,
  PRIMARY KEY (stream, container, part, id)
) WITH (fillfactor = 50);
CREATE INDEX document_feed ON store.document (container, bucket, position) WHERE in_feed;
SELECT app.distribute('store.document', 'stream', 'store.telemetry');

-- The first day of each partition of a stream, so that its documents are not looked for in the days before: one that is not here has none.
CREATE TABLE store.part (
  container text COLLATE "C" NOT NULL,
  stream    text COLLATE "C" NOT NULL,
  part      text COLLATE "C" NOT NULL,
  first_on  date NOT NULL,
  PRIMARY KEY (stream, container, part)
);
SELECT app.distribute('store.part', 'stream', 'store.telemetry');
