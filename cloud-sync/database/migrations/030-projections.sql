-- Read models. All of them are made from the feed of the event store by cloud-sync/projections and can be made anew.

-- Where each projection stands, moved in the transaction that applies its changes.
CREATE TABLE model.checkpoint (
  projection   text NOT NULL,
  container    text NOT NULL,
  feed_range   text NOT NULL,
  continuation text,
  documents    bigint NOT NULL DEFAULT 0,
  moved_at     timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (projection, container, feed_range)
);
CREATE TABLE model.projection (
  name       text PRIMARY KEY,
  version    integer NOT NULL,
  -- Since it was made anew it has not yet come to the end of the feed.
  rebuilding boolean NOT NULL DEFAULT false,
  rebuilt_at timestamptz,
  -- Until then whoever runs it leaves it to somebody who wants to rebuild it.
  wanted_until timestamptz
);
-- Documents that a projection had to pass over.
CREATE TABLE app.unreadable_document (
  projection text NOT NULL,
  container  text NOT NULL,
  stream     text NOT NULL,
  part       text NOT NULL,
  id         text NOT NULL,
  etag       text NOT NULL,
  reason     text NOT NULL,
  found_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (projection, container, stream, part, id, etag)
);
SELECT app.reference('app.unreadable_document');

-- Names of a machine's signals: arrays of the other tables have one element for each, in this order. A set never changes; a machine that
-- gets another signal gets another set, the names that it had first.
CREATE TABLE model.signal_set (
  machine_id text NOT NULL,
  set_no     integer NOT NULL,
  signals    text[] NOT NULL,
  PRIMARY KEY (machine_id, set_no)
);
SELECT app.distribute('model.signal_set', 'machine_id', 'none');

-- What is known of each machine now: the newest value of every signal (a row per machine, for ten thousand signals change every second).
-- A machine of which nothing is known but its link has epoch "" and empty arrays.
CREATE TABLE model.machine_latest (
  machine_id     text PRIMARY KEY,
  factory_id     text NOT NULL,
  device_id      text NOT NULL,
  type_name      text,
  -- Of the epoch whose newest event is the latest; all below but the link is of this epoch.
  epoch          text NOT NULL,
  -- Of its newest event.
  seq            bigint NOT NULL,
  event_at       timestamptz NOT NULL,
  enqueued_at    timestamptz NOT NULL,
  -- From the newest event of type connection that names it: connected, degraded, connecting, disconnected; null: none came.
  link_state     text,
  link_detail    text,
  -- From the newest event of type state: running, idle, setup, fault, offline; null: none came.
  state          text,
  state_at       timestamptz,
  -- From the newest event of type config: name, title, unit, key, type, intervalMs of each signal.
  signal_info    jsonb,
  removed        boolean NOT NULL DEFAULT false,
  set_no         integer NOT NULL,
  -- null where there is none, too where the value is no number.
  numbers        double precision[] NOT NULL,
  -- Values that are no numbers, as JSON; null where numbers has it.
  texts          text[] NOT NULL,
  -- null where the signal has had no sample; so are the arrays below.
  status_codes   bigint[] NOT NULL,
  -- UTC epoch ms; NaN where the sample has none.
  source_ms      double precision[] NOT NULL,
  received_ms    double precision[] NOT NULL,
  seqs           bigint[] NOT NULL,
  -- What the projection itself needs to go on.
  key_ms         double precision NOT NULL,
  state_seq      bigint NOT NULL,
  info_seq       bigint NOT NULL,
  info_at        timestamptz,
  -- By epoch of the stream that told it.
  links          jsonb NOT NULL
) WITH (fillfactor = 70);
SELECT app.distribute('model.machine_latest', 'machine_id', 'model.signal_set');
CREATE INDEX machine_latest_factory ON model.machine_latest (factory_id, machine_id);
-- The same of a machine's other epochs: one of them may turn out to be the latest.
CREATE TABLE model.machine_epoch (
  machine_id   text NOT NULL,
  factory_id   text NOT NULL,
  device_id    text NOT NULL,
  type_name    text,
  epoch        text NOT NULL,
  seq          bigint NOT NULL,
  event_at     timestamptz NOT NULL,
  enqueued_at  timestamptz NOT NULL,
  state        text,
  state_at     timestamptz,
  signal_info  jsonb,
  removed      boolean NOT NULL DEFAULT false,
  set_no       integer NOT NULL,
  numbers      double precision[] NOT NULL,
  texts        text[] NOT NULL,
  status_codes bigint[] NOT NULL,
  source_ms    double precision[] NOT NULL,
  received_ms  double precision[] NOT NULL,
  seqs         bigint[] NOT NULL,
  key_ms       double precision NOT NULL,
  state_seq    bigint NOT NULL,
  info_seq     bigint NOT NULL,
  info_at      timestamptz,
  PRIMARY KEY (machine_id, epoch)
);
SELECT app.distribute('model.machine_epoch', 'machine_id', 'model.signal_set');

-- One-minute and one-hour aggregates of finite numbers (booleans as 0 and 1) whose status is not Bad, by received time; a reading that was
-- received after the hub took its message counts in the minute in which the hub took it. minima, maxima and sums are null where counts
-- is 0; bad counts samples with a Bad status. Minutes are kept for 30 days, a partition each, hours for ever.
CREATE TABLE model.rollup_1m (
  machine_id text NOT NULL,
  minute_at  timestamptz NOT NULL,
  set_no     integer NOT NULL,
  counts     integer[] NOT NULL,
  bad        integer[] NOT NULL,
  minima     double precision[] NOT NULL,
  maxima     double precision[] NOT NULL,
  sums       double precision[] NOT NULL,
  PRIMARY KEY (machine_id, minute_at)
) PARTITION BY RANGE (minute_at);
SELECT app.distribute('model.rollup_1m', 'machine_id', 'model.signal_set');
CREATE TABLE model.rollup_1h (
  machine_id text NOT NULL,
  hour_at    timestamptz NOT NULL,
  set_no     integer NOT NULL,
  counts     bigint[] NOT NULL,
  bad        bigint[] NOT NULL,
  minima     double precision[] NOT NULL,
  maxima     double precision[] NOT NULL,
  sums       double precision[] NOT NULL,
  PRIMARY KEY (machine_id, hour_at)
);
SELECT app.distribute('model.rollup_1h', 'machine_id', 'model.signal_set');
-- Seqs whose readings the rollups count, as first and last of each range; kept: those whose documents may have expired.
CREATE TABLE model.rollup_seen (
  machine_id text NOT NULL,
  epoch      text NOT NULL,
  seen       bigint[] NOT NULL,
  kept       bigint[] NOT NULL,
  -- They count in rows before this instant (UTC epoch ms) already.
  kept_ms    double precision NOT NULL,
  -- First and last seq of the ranges in thinned_1m.
  thinned    bigint[] NOT NULL,
  PRIMARY KEY (machine_id, epoch)
);
SELECT app.distribute('model.rollup_seen', 'machine_id', 'model.signal_set');
-- What is left of ranges whose readings had to make room at the box: beside the rollups, never added to them; a minute of a range whose
-- readings are all here says nothing new.
CREATE TABLE model.thinned_1m (
  machine_id text NOT NULL,
  epoch      text NOT NULL,
  first_seq  bigint NOT NULL,
  last_seq   bigint NOT NULL,
  signal     text NOT NULL,
  minute_at  timestamptz NOT NULL,
  count      integer NOT NULL,
  minimum    double precision NOT NULL,
  maximum    double precision NOT NULL,
  mean       double precision NOT NULL,
  PRIMARY KEY (machine_id, epoch, first_seq, signal, minute_at)
);
SELECT app.distribute('model.thinned_1m', 'machine_id', 'model.signal_set');

-- Entities with state: every event that is not bulk telemetry, and the telemetry that such an event derives from or that a device of
-- another make sent. event_type in the customer's words: Telemetry Ingest, Maintenance Prediction, Spike Anomaly, …
CREATE TABLE model.entity_event (
  machine_id  text NOT NULL,
  id          text NOT NULL,
  factory_id  text NOT NULL,
  entity_type text NOT NULL,
  entity_id   text NOT NULL,
  event_type  text NOT NULL,
  event_data  jsonb NOT NULL,
  event_at    timestamptz NOT NULL,
  epoch       text NOT NULL,
  seq         bigint NOT NULL,
  caused_by   text,
  PRIMARY KEY (machine_id, id)
);
SELECT app.distribute('model.entity_event', 'machine_id', 'model.signal_set');
CREATE INDEX entity_event_time ON model.entity_event (machine_id, event_at DESC, id);
CREATE INDEX entity_event_entity ON model.entity_event (machine_id, entity_id);
CREATE INDEX entity_event_factory ON model.entity_event (factory_id, event_at DESC, machine_id, id);
-- Telemetry that an event is caused by and that has not come yet.
CREATE TABLE model.entity_wanted (
  machine_id text NOT NULL,
  epoch      text NOT NULL,
  seq        bigint NOT NULL,
  wanted_at  timestamptz NOT NULL,
  PRIMARY KEY (machine_id, epoch, seq)
);
SELECT app.distribute('model.entity_wanted', 'machine_id', 'model.signal_set');

CREATE TABLE model.anomaly (
  machine_id    text NOT NULL,
  id            text NOT NULL,
  factory_id    text NOT NULL,
  entity_id     text NOT NULL,
  event_at      timestamptz NOT NULL,
  kind          text NOT NULL,
  signal        text,
  value         double precision,
  score         double precision,
  threshold     double precision,
  expected_low  double precision,
  expected_high double precision,
  message       text NOT NULL,
  model         text NOT NULL,
  model_version text NOT NULL,
  scored_by     text NOT NULL CHECK (scored_by IN ('edge', 'cloud')),
  PRIMARY KEY (machine_id, id)
);
SELECT app.distribute('model.anomaly', 'machine_id', 'model.signal_set');
CREATE INDEX anomaly_time ON model.anomaly (event_at DESC, machine_id, id);
CREATE INDEX anomaly_factory ON model.anomaly (factory_id, event_at DESC, machine_id, id);

-- Alarms with the state of the newest event of each.
CREATE TABLE model.alarm (
  machine_id      text NOT NULL,
  alarm_id        text NOT NULL,
  factory_id      text NOT NULL,
  source          text NOT NULL,
  signal          text,
  priority        text NOT NULL,
  state           text NOT NULL,
  message         text NOT NULL,
  raised_at       timestamptz NOT NULL,
  changed_at      timestamptz NOT NULL,
  acknowledged_by text,
  occurrences     bigint NOT NULL,
  epoch           text NOT NULL,
  seq             bigint NOT NULL,
  data            jsonb NOT NULL,
  -- The newest event and the newest that raised it, by epoch: what the projection itself needs to go on.
  history         jsonb NOT NULL,
  PRIMARY KEY (machine_id, alarm_id)
);
SELECT app.distribute('model.alarm', 'machine_id', 'model.signal_set');
-- What became of each alarm, event by event.
CREATE TABLE model.alarm_event (
  machine_id text NOT NULL,
  id         text NOT NULL,
  alarm_id   text NOT NULL,
  epoch      text NOT NULL,
  seq        bigint NOT NULL,
  event_at   timestamptz NOT NULL,
  key_ms     double precision NOT NULL,
  factory_id text NOT NULL,
  state      text NOT NULL,
  raises     boolean NOT NULL,
  data       jsonb NOT NULL,
  PRIMARY KEY (machine_id, id)
);
SELECT app.distribute('model.alarm_event', 'machine_id', 'model.signal_set');
CREATE INDEX alarm_event_alarm ON model.alarm_event (machine_id, alarm_id, event_at DESC);
CREATE INDEX alarm_factory ON model.alarm (factory_id, changed_at DESC, machine_id, alarm_id);

CREATE TABLE model.prediction (
  machine_id           text NOT NULL,
  id                   text NOT NULL,
  factory_id           text NOT NULL,
  entity_id            text NOT NULL,
  event_at             timestamptz NOT NULL,
  -- The maintenance requirement, "none" when nothing is to be done.
  requirement          text NOT NULL,
  probability          double precision,
  remaining_hours      double precision,
  remaining_hours_low  double precision,
  remaining_hours_high double precision,
  outside_training     boolean NOT NULL,
  signals              jsonb NOT NULL,
  message              text NOT NULL,
  model                text NOT NULL,
  model_version        text NOT NULL,
  scored_by            text NOT NULL CHECK (scored_by IN ('edge', 'cloud')),
  PRIMARY KEY (machine_id, id)
);
SELECT app.distribute('model.prediction', 'machine_id', 'model.signal_set');
CREATE INDEX prediction_time ON model.prediction (event_at DESC, machine_id, id);
CREATE INDEX prediction_machine_time ON model.prediction (machine_id, event_at DESC);

-- Counts of predictions in windows of event time, aligned to UTC, of 1 and 24 hours; late ones are counted where they belong.
CREATE TABLE model.maintenance_aggregate (
  machine_id   text NOT NULL,
  window_hours integer NOT NULL CHECK (window_hours IN (1, 24)),
  window_at    timestamptz NOT NULL,
  requirement  text NOT NULL,
  factory_id   text NOT NULL,
  predictions  bigint NOT NULL,
  outside      bigint NOT NULL,
  first_at     timestamptz NOT NULL,
  last_at      timestamptz NOT NULL,
  PRIMARY KEY (machine_id, window_hours, window_at, requirement)
);
SELECT app.distribute('model.maintenance_aggregate', 'machine_id', 'model.signal_set');
CREATE INDEX maintenance_aggregate_window ON model.maintenance_aggregate (window_hours, window_at DESC, factory_id);

-- What became of every seq of a stream, as ranges: here, thinned, lost (a gap event says why). Seqs in no range below last_seq of
-- ledger_stream are missing: they may still come.
CREATE TABLE model.ledger_range (
  machine_id text NOT NULL,
  epoch      text NOT NULL,
  first_seq  bigint NOT NULL,
  last_seq   bigint NOT NULL,
  state      text NOT NULL CHECK (state IN ('here', 'thinned', 'lost')),
  cause      text NOT NULL DEFAULT '',
  PRIMARY KEY (machine_id, epoch, first_seq, state)
);
SELECT app.distribute('model.ledger_range', 'machine_id', 'model.signal_set');
CREATE TABLE model.ledger_stream (
  machine_id  text NOT NULL,
  epoch       text NOT NULL,
  factory_id  text NOT NULL,
  -- false: the numbers are the hub's, of a device of another make, and have holes.
  numbered    boolean NOT NULL,
  first_seq   bigint NOT NULL,
  last_seq    bigint NOT NULL,
  events      bigint NOT NULL,
  samples     bigint NOT NULL,
  thinned     bigint NOT NULL,
  lost        bigint NOT NULL,
  missing     bigint NOT NULL,
  first_at    timestamptz NOT NULL,
  last_at     timestamptz NOT NULL,
  -- Of a stream that is not numbered: first and last seq of the documents that came last, and up to where all is counted.
  recent      bigint[] NOT NULL DEFAULT '{}',
  kept_seq    bigint NOT NULL DEFAULT -1,
  PRIMARY KEY (machine_id, epoch)
);
SELECT app.distribute('model.ledger_stream', 'machine_id', 'model.signal_set');
CREATE INDEX ledger_stream_factory ON model.ledger_stream (factory_id, machine_id);

-- Metadata as it is now, from the events of the container metadata; deleted ones stay, marked.
CREATE TABLE model.metadata (
  -- factory, machine, criterion, note, work-order
  kind        text NOT NULL,
  id          text NOT NULL,
  -- Of the machine or factory that it is about; "" when it is about neither.
  factory_id  text NOT NULL,
  machine_id  text NOT NULL,
  etag        text NOT NULL,
  version     bigint NOT NULL,
  deleted     boolean NOT NULL,
  data        jsonb NOT NULL,
  created_at  timestamptz NOT NULL,
  created_by  text NOT NULL,
  changed_at  timestamptz NOT NULL,
  changed_by  text NOT NULL,
  PRIMARY KEY (kind, id)
);
SELECT app.reference('model.metadata');
CREATE INDEX metadata_factory ON model.metadata (factory_id, kind);
CREATE INDEX metadata_machine ON model.metadata (machine_id, kind);
CREATE TABLE model.metadata_event (
  kind       text NOT NULL,
  id         text NOT NULL,
  version    bigint NOT NULL,
  event_type text NOT NULL,
  author     text NOT NULL,
  event_at   timestamptz NOT NULL,
  data       jsonb NOT NULL,
  PRIMARY KEY (kind, id, version)
);
SELECT app.reference('model.metadata_event');

-- The lines of the factories' boxes as the hub knows them: looked up there, not made from the feed.
CREATE TABLE app.line (
  device_id    text PRIMARY KEY,
  factory_id   text,
  connected    boolean NOT NULL,
  enabled      boolean NOT NULL,
  active_at    timestamptz,
  -- What the box reported of itself (twin, reported.tailstock): condition, backlog, version, lastError, …
  reported     jsonb NOT NULL,
  seen_at      timestamptz NOT NULL
);
SELECT app.reference('app.line');
