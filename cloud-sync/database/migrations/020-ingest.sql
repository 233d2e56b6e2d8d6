-- How far ingest has read each partition of a hub, and which worker reads it. Small, and asked for by every worker every second or so.
CREATE TABLE app.events_ownership (
  namespace      text NOT NULL,
  hub_name       text NOT NULL,
  consumer_group text NOT NULL,
  partition_id   text NOT NULL,
  -- Empty: given up by its last owner.
  owner_id       text NOT NULL,
  etag           text NOT NULL,
  modified_at    timestamptz NOT NULL,
  PRIMARY KEY (namespace, hub_name, consumer_group, partition_id)
);
SELECT app.reference('app.events_ownership');
CREATE TABLE app.events_checkpoint (
  namespace       text NOT NULL,
  hub_name        text NOT NULL,
  consumer_group  text NOT NULL,
  partition_id    text NOT NULL,
  -- Names the hub as long as it is the same one: a hub that was made anew counts from the beginning.
  hub_key         text NOT NULL,
  event_offset    text NOT NULL,
  sequence_number bigint NOT NULL,
  moved_at        timestamptz NOT NULL,
  PRIMARY KEY (namespace, hub_name, consumer_group, partition_id)
);
SELECT app.reference('app.events_checkpoint');

-- Messages that can't be stored, as they came, so that they can be put in again. A table of the coordinator alone.
CREATE TABLE app.quarantine (
  id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  hub_key           text NOT NULL,
  partition_id      text NOT NULL,
  sequence_number   bigint NOT NULL,
  enqueued_ms       double precision NOT NULL,
  device_id         text NOT NULL,
  content_type      text NOT NULL,
  -- JSON; as text, because jsonb takes no NUL.
  properties        text NOT NULL,
  system_properties text NOT NULL,
  -- null: larger than is kept.
  body              bytea,
  body_bytes        bigint NOT NULL,
  code              text NOT NULL,
  reason            text NOT NULL,
  -- Parts of the message that can't be stored; the others are.
  refusals          integer NOT NULL,
  first_seen        timestamptz NOT NULL DEFAULT now(),
  last_seen         timestamptz NOT NULL DEFAULT now(),
  count             bigint NOT NULL DEFAULT 1,
  UNIQUE (hub_key, partition_id, sequence_number)
);
CREATE INDEX quarantine_first_seen ON app.quarantine (first_seen);
-- What it holds, and what had to make room. One row, which everyone who changes the quarantine locks first.
CREATE TABLE app.quarantine_total (
  only_row         boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  messages         bigint NOT NULL DEFAULT 0,
  bytes            bigint NOT NULL DEFAULT 0,
  dropped_messages bigint NOT NULL DEFAULT 0,
  dropped_bytes    bigint NOT NULL DEFAULT 0
);
INSERT INTO app.quarantine_total DEFAULT VALUES;
