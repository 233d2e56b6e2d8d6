CREATE TABLE configuration (
  id TEXT PRIMARY KEY,
  etag TEXT NOT NULL,
  document TEXT NOT NULL, -- JSON: content, target condition, labels, metric queries
  priority INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE job (
  id TEXT PRIMARY KEY,
  type TEXT NOT NULL CHECK (type IN ('scheduleDeviceMethod', 'scheduleUpdateTwin')),
  request TEXT NOT NULL, -- JSON: the method or the twin's patch, and the query condition
  status TEXT NOT NULL CHECK (status IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
  created_ms INTEGER NOT NULL,
  start_ms INTEGER NOT NULL,
  execution_ms_max INTEGER NOT NULL,
  end_ms INTEGER,
  failure_reason TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX job_due ON job (status, start_ms);

CREATE TABLE job_device (
  job_id TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
  device_id TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('pending', 'running', 'completed', 'failed', 'canceled')),
  outcome TEXT, -- JSON: what the device answered
  error TEXT, -- JSON: code and description
  created_ms INTEGER NOT NULL,
  started_ms INTEGER,
  ended_ms INTEGER,
  PRIMARY KEY (job_id, device_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_device_by_device ON job_device (device_id, job_id);
