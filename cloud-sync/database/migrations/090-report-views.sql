-- Views with stable names for Power BI, Grafana and people: what is behind them may change, they do not. Conditions on machine_id and on
-- times reach the tables, so name a machine or a span where there are many rows.

CREATE VIEW report.factories AS
SELECT f.id AS factory_id, f.data->>'name' AS name, f.data->>'dateInService' AS date_in_service, f.data, f.changed_at, f.changed_by
  FROM model.metadata f
 WHERE f.kind = 'factory' AND NOT f.deleted;
COMMENT ON VIEW report.factories IS 'Factories as the office has described them; a row each';
COMMENT ON COLUMN report.factories.factory_id IS 'Unique; what the other views call factory_id';
COMMENT ON COLUMN report.factories.name IS 'For people';
COMMENT ON COLUMN report.factories.date_in_service IS 'ISO 8601 date';
COMMENT ON COLUMN report.factories.data IS 'All that is described: location with address and coordinates, …';
COMMENT ON COLUMN report.factories.changed_at IS 'When the description was last changed';
COMMENT ON COLUMN report.factories.changed_by IS 'Who changed it';

CREATE VIEW report.machines AS
SELECT m.machine_id, m.factory_id, m.device_id, m.type_name, d.data->>'serialNumber' AS serial_number, m.state, m.state_at,
       m.link_state, m.link_detail, m.removed, m.event_at AS last_event_at, m.enqueued_at AS last_enqueued_at,
       cardinality(m.numbers) AS signals, d.data AS described
  FROM model.machine_latest m
  LEFT JOIN model.metadata d ON d.kind = 'machine' AND d.id = m.machine_id AND NOT d.deleted;
COMMENT ON VIEW report.machines IS 'Machines that any factory has sent something of, as they are now; a row each';
COMMENT ON COLUMN report.machines.machine_id IS 'Unique within the company';
COMMENT ON COLUMN report.machines.factory_id IS 'The factory that it stands in';
COMMENT ON COLUMN report.machines.device_id IS 'Identity of the box at the hub';
COMMENT ON COLUMN report.machines.type_name IS 'Machine type of the box''s configuration';
COMMENT ON COLUMN report.machines.serial_number IS 'As the office has described it';
COMMENT ON COLUMN report.machines.state IS 'running, idle, setup, fault, offline; null when it does not say';
COMMENT ON COLUMN report.machines.state_at IS 'Since when';
COMMENT ON COLUMN report.machines.link_state IS 'Between box and machine: connected, degraded, connecting, disconnected; null when it does not say';
COMMENT ON COLUMN report.machines.link_detail IS 'In words';
COMMENT ON COLUMN report.machines.removed IS 'No longer in the configuration of the box';
COMMENT ON COLUMN report.machines.last_event_at IS 'Time of its newest event, by the clock of the box';
COMMENT ON COLUMN report.machines.last_enqueued_at IS 'When the hub took that';
COMMENT ON COLUMN report.machines.signals IS 'How many signals it has had';
COMMENT ON COLUMN report.machines.described IS 'What the office has described of it';

CREATE VIEW report.machine_latest AS
SELECT m.machine_id, m.factory_id, v.signal, v.number, v.text::jsonb AS other, v.status_code,
       CASE WHEN v.status_code < 1073741824 THEN 'good' WHEN v.status_code < 2147483648 THEN 'uncertain' ELSE 'bad' END AS quality,
       CASE WHEN abs(v.source_ms) < 8e15 THEN to_timestamp(v.source_ms / 1000) END AS source_at,
       CASE WHEN abs(v.received_ms) < 8e15 THEN to_timestamp(v.received_ms / 1000) END AS received_at, v.seq
  FROM model.machine_latest m
  JOIN model.signal_set s ON s.machine_id = m.machine_id AND s.set_no = m.set_no
 CROSS JOIN LATERAL unnest(s.signals, m.numbers, m.texts, m.status_codes, m.source_ms, m.received_ms, m.seqs)
       AS v (signal, number, text, status_code, source_ms, received_ms, seq)
 WHERE v.seq IS NOT NULL;
COMMENT ON VIEW report.machine_latest IS 'The newest value of every signal; a row each';
COMMENT ON COLUMN report.machine_latest.number IS 'The value when it is a number';
COMMENT ON COLUMN report.machine_latest.other IS 'The value when it is none: text, true or false, an array';
COMMENT ON COLUMN report.machine_latest.status_code IS 'OPC UA status code';
COMMENT ON COLUMN report.machine_latest.quality IS 'good, uncertain, bad: the status code''s severity';
COMMENT ON COLUMN report.machine_latest.source_at IS 'When it was measured, by the clock of the source; null when that has none';
COMMENT ON COLUMN report.machine_latest.received_at IS 'When the box got it';
COMMENT ON COLUMN report.machine_latest.seq IS 'Number of its event in the machine''s stream';

CREATE VIEW report.rollup_1m AS
SELECT r.machine_id, v.signal, r.minute_at, v.count, v.bad, v.minimum, v.maximum, v.sum / nullif(v.count, 0) AS mean, v.sum
  FROM model.rollup_1m r
  JOIN model.signal_set s ON s.machine_id = r.machine_id AND s.set_no = r.set_no
 CROSS JOIN LATERAL unnest(s.signals, r.counts, r.bad, r.minima, r.maxima, r.sums) AS v (signal, count, bad, minimum, maximum, sum)
 WHERE v.count > 0 OR v.bad > 0;
COMMENT ON VIEW report.rollup_1m IS 'One-minute aggregates, 30 days; a row for each signal and minute that has readings';
COMMENT ON COLUMN report.rollup_1m.minute_at IS 'Beginning of the minute in which the box received the readings';
COMMENT ON COLUMN report.rollup_1m.count IS 'Readings that are numbers (true as 1) and not bad';
COMMENT ON COLUMN report.rollup_1m.bad IS 'Readings with a bad status; they are in nothing else';
COMMENT ON COLUMN report.rollup_1m.minimum IS 'Of the counted readings';
COMMENT ON COLUMN report.rollup_1m.maximum IS 'Of the counted readings';
COMMENT ON COLUMN report.rollup_1m.mean IS 'Of the counted readings';
COMMENT ON COLUMN report.rollup_1m.sum IS 'Of the counted readings; add up sums and counts for the mean of several minutes';

CREATE VIEW report.rollup_1h AS
SELECT r.machine_id, v.signal, r.hour_at, v.count, v.bad, v.minimum, v.maximum, v.sum / nullif(v.count, 0) AS mean, v.sum
  FROM model.rollup_1h r
  JOIN model.signal_set s ON s.machine_id = r.machine_id AND s.set_no = r.set_no
 CROSS JOIN LATERAL unnest(s.signals, r.counts, r.bad, r.minima, r.maxima, r.sums) AS v (signal, count, bad, minimum, maximum, sum)
 WHERE v.count > 0 OR v.bad > 0;
COMMENT ON VIEW report.rollup_1h IS 'One-hour aggregates, for ever; a row for each signal and hour that has readings';
COMMENT ON COLUMN report.rollup_1h.hour_at IS 'Beginning of the hour (UTC) in which the box received the readings';
COMMENT ON COLUMN report.rollup_1h.count IS 'Readings that are numbers (true as 1) and not bad';
COMMENT ON COLUMN report.rollup_1h.bad IS 'Readings with a bad status; they are in nothing else';
COMMENT ON COLUMN report.rollup_1h.minimum IS 'Of the counted readings';
COMMENT ON COLUMN report.rollup_1h.maximum IS 'Of the counted readings';
COMMENT ON COLUMN report.rollup_1h.mean IS 'Of the counted readings';
COMMENT ON COLUMN report.rollup_1h.sum IS 'Of the counted readings; add up sums and counts for the mean of several hours';

CREATE VIEW report.machine_telemetry AS
SELECT e.machine_id, e.factory_id, e.id, e.entity_type, e.entity_id, e.event_type, e.event_data, e.event_at, e.caused_by
  FROM model.entity_event e;
COMMENT ON VIEW report.machine_telemetry IS 'Telemetry entities with state: a row for each event; of telemetry only what another event derives from or a device of another make sent';
COMMENT ON COLUMN report.machine_telemetry.id IS 'Unique within the machine';
COMMENT ON COLUMN report.machine_telemetry.entity_id IS 'The same for telemetry and all that was derived from it';
COMMENT ON COLUMN report.machine_telemetry.event_type IS 'Telemetry Ingest, Maintenance Prediction, Spike Anomaly, Alarm, …';
COMMENT ON COLUMN report.machine_telemetry.event_data IS 'What the event says; of telemetry the value of each signal by its name';
COMMENT ON COLUMN report.machine_telemetry.event_at IS 'When it was measured or happened';
COMMENT ON COLUMN report.machine_telemetry.caused_by IS 'Epoch, machine and number of the event that it derives from';

CREATE VIEW report.anomalies AS
SELECT a.machine_id, a.factory_id, a.id, a.entity_id, a.event_at, a.kind, a.signal, a.value, a.score, a.threshold, a.expected_low,
       a.expected_high, a.message, a.model, a.model_version, a.scored_by
  FROM model.anomaly a;
COMMENT ON VIEW report.anomalies IS 'What models found unusual; a row each';
COMMENT ON COLUMN report.anomalies.event_at IS 'When it was measured';
COMMENT ON COLUMN report.anomalies.kind IS 'spike, dip, changepoint, contextual, multivariate, stuck, missing';
COMMENT ON COLUMN report.anomalies.signal IS 'null: the machine as a whole';
COMMENT ON COLUMN report.anomalies.score IS 'From threshold on it is an anomaly';
COMMENT ON COLUMN report.anomalies.scored_by IS 'edge or cloud';

CREATE VIEW report.alarms AS
SELECT a.machine_id, a.factory_id, a.alarm_id, a.source, a.signal, a.priority, a.state, a.message, a.raised_at, a.changed_at,
       a.acknowledged_by, a.occurrences
  FROM model.alarm a;
COMMENT ON VIEW report.alarms IS 'Alarms with the state that their newest event gave them; a row each';
COMMENT ON COLUMN report.alarms.alarm_id IS 'Unique within the machine';
COMMENT ON COLUMN report.alarms.state IS 'ISA-18.2: normal, unacknowledged, acknowledged, returned-unacknowledged, latched, shelved, suppressed-by-design, out-of-service';
COMMENT ON COLUMN report.alarms.raised_at IS 'When it was last raised';
COMMENT ON COLUMN report.alarms.changed_at IS 'Time of its newest event';
COMMENT ON COLUMN report.alarms.occurrences IS 'How often it was raised';

CREATE VIEW report.predictions AS
SELECT p.machine_id, p.factory_id, p.id, p.entity_id, p.event_at, p.requirement, p.probability, p.remaining_hours,
       p.remaining_hours_low, p.remaining_hours_high, p.outside_training, p.signals, p.message, p.model, p.model_version, p.scored_by
  FROM model.prediction p;
COMMENT ON VIEW report.predictions IS 'Maintenance predictions; a row each';
COMMENT ON COLUMN report.predictions.event_at IS 'When what it is made from was measured';
COMMENT ON COLUMN report.predictions.requirement IS 'What is to be done; none when nothing is';
COMMENT ON COLUMN report.predictions.probability IS '0 to 1; null when the model gives none';
COMMENT ON COLUMN report.predictions.outside_training IS 'The input lies outside what the model was trained on: the requirement is a guess';
COMMENT ON COLUMN report.predictions.signals IS 'What drove it, the strongest first';
COMMENT ON COLUMN report.predictions.scored_by IS 'edge or cloud';

CREATE VIEW report.maintenance_aggregates AS
SELECT a.machine_id, a.factory_id, a.window_hours, a.window_at, a.requirement, a.predictions, a.outside, a.first_at, a.last_at
  FROM model.maintenance_aggregate a;
COMMENT ON VIEW report.maintenance_aggregates IS 'Maintenance predictions counted in windows of the time of measurement; a row for each window, machine and requirement';
COMMENT ON COLUMN report.maintenance_aggregates.window_hours IS '1 or 24; choose one, for both count the same predictions';
COMMENT ON COLUMN report.maintenance_aggregates.window_at IS 'Beginning of the window, UTC';
COMMENT ON COLUMN report.maintenance_aggregates.predictions IS 'How many there were';
COMMENT ON COLUMN report.maintenance_aggregates.outside IS 'How many of them were guesses: outside what the model was trained on';

CREATE VIEW report.ledger AS
SELECT s.machine_id, s.factory_id, s.epoch, s.numbered, s.first_seq, s.last_seq, s.events, s.samples, s.thinned, s.lost, s.missing,
       s.first_at, s.last_at
  FROM model.ledger_stream s;
COMMENT ON VIEW report.ledger IS 'What became of every event of a machine; a row for each life of the log of its box';
COMMENT ON COLUMN report.ledger.epoch IS 'The life of the log: another when it was made anew';
COMMENT ON COLUMN report.ledger.numbered IS 'false: the numbers are the hub''s, of a device of another make, and have holes';
COMMENT ON COLUMN report.ledger.events IS 'Events that are here';
COMMENT ON COLUMN report.ledger.samples IS 'Readings that are here';
COMMENT ON COLUMN report.ledger.thinned IS 'Events of which one-minute aggregates are here';
COMMENT ON COLUMN report.ledger.lost IS 'Events that are lost, and it is known why';
COMMENT ON COLUMN report.ledger.missing IS 'Events that may still come';
COMMENT ON COLUMN report.ledger.first_at IS 'Time of the earliest event';
COMMENT ON COLUMN report.ledger.last_at IS 'Time of the latest event';
