-- Indexes that the query service reads by.

-- Lists over all factories, the newest first.
CREATE INDEX entity_event_all ON model.entity_event (event_at DESC, machine_id, id);
CREATE INDEX prediction_factory ON model.prediction (factory_id, event_at DESC, machine_id, id);
CREATE INDEX anomaly_machine ON model.anomaly (machine_id, event_at DESC, id);
CREATE INDEX alarm_raised ON model.alarm (raised_at DESC, machine_id, alarm_id);
-- The alarms that stand, of all that ever were.
CREATE INDEX alarm_standing ON model.alarm (factory_id, priority, state) WHERE state <> 'normal';
-- Whether a telemetry entity is anomalous.
CREATE INDEX anomaly_entity ON model.anomaly (machine_id, entity_id);
-- What is left of one signal where its readings had to make room.
CREATE INDEX thinned_1m_signal ON model.thinned_1m (machine_id, signal, minute_at);
-- The few streams that lack something.
CREATE INDEX ledger_stream_troubled ON model.ledger_stream (factory_id, machine_id, epoch) WHERE missing > 0 OR lost > 0 OR thinned > 0;
