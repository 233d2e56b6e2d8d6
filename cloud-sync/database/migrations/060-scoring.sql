-- What scoring knows of each stream of telemetry, written with its checkpoint in one transaction.
CREATE TABLE app.scoring_stream (
  machine_id text NOT NULL,
  epoch      text NOT NULL,
  -- JSON, as text: names of signals may hold characters that jsonb does not take.
  facts      text NOT NULL,
  detectors  bytea NOT NULL,
  -- Of readings that came late and are still coming; null: none are.
  late       bytea,
  moved_at   timestamptz NOT NULL,
  PRIMARY KEY (machine_id, epoch)
);
SELECT app.distribute('app.scoring_stream', 'machine_id', 'model.signal_set');
