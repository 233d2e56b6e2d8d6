CREATE TABLE meta (key TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE policy (
  name TEXT PRIMARY KEY,
  primary_key TEXT NOT NULL,
  secondary_key TEXT NOT NULL,
  rights TEXT NOT NULL -- JSON array
) STRICT, WITHOUT ROWID;

-- A device has module_id ''.
CREATE TABLE identity (
  device_id TEXT NOT NULL,
  module_id TEXT NOT NULL,
  generation_id TEXT NOT NULL,
  etag TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('enabled', 'disabled')),
  status_reason TEXT,
  auth_type TEXT NOT NULL CHECK (auth_type IN ('sas', 'selfSigned', 'certificateAuthority', 'none')),
  primary_key TEXT,
  secondary_key TEXT,
  primary_thumbprint TEXT,
  secondary_thumbprint TEXT,
  iot_edge INTEGER NOT NULL,
  device_scope TEXT,
  parent_scopes TEXT NOT NULL, -- JSON array
  managed_by TEXT,
  connection_updated_ms INTEGER NOT NULL,
  status_updated_ms INTEGER NOT NULL,
  last_activity_ms INTEGER NOT NULL,
  PRIMARY KEY (device_id, module_id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX identity_device ON identity (device_id) WHERE module_id = '';

CREATE TABLE twin (
  device_id TEXT NOT NULL,
  module_id TEXT NOT NULL,
  version INTEGER NOT NULL,
  etag_number INTEGER NOT NULL,
  tags TEXT NOT NULL, -- this and all that follow but the versions: JSON
  desired TEXT NOT NULL,
  desired_metadata TEXT NOT NULL,
  desired_version INTEGER NOT NULL,
  reported TEXT NOT NULL,
  reported_metadata TEXT NOT NULL,
  reported_version INTEGER NOT NULL,
  configurations TEXT NOT NULL,
  PRIMARY KEY (device_id, module_id),
  FOREIGN KEY (device_id, module_id) REFERENCES identity (device_id, module_id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- MQTT sessions that a client asked to be kept: what it subscribed to.
CREATE TABLE session (
  device_id TEXT NOT NULL,
  module_id TEXT NOT NULL,
  subscriptions TEXT NOT NULL, -- JSON object, topic filter to QoS
  PRIMARY KEY (device_id, module_id),
  FOREIGN KEY (device_id, module_id) REFERENCES identity (device_id, module_id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE command (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  device_id TEXT NOT NULL,
  body BLOB NOT NULL,
  properties TEXT NOT NULL, -- JSON
  system TEXT NOT NULL, -- JSON
  ack TEXT NOT NULL CHECK (ack IN ('none', 'positive', 'negative', 'full')),
  enqueued_ms INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL,
  delivery_count INTEGER NOT NULL DEFAULT 0,
  lock_token TEXT,
  locked_until_ms INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX command_device ON command (device_id, sequence);
CREATE UNIQUE INDEX command_lock ON command (lock_token) WHERE lock_token IS NOT NULL;
CREATE INDEX command_expiry ON command (expires_ms);

CREATE TABLE feedback (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  record TEXT NOT NULL, -- JSON
  created_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE metered_day (
  day TEXT PRIMARY KEY, -- 2026-06-01, UTC
  messages INTEGER NOT NULL,
  units INTEGER NOT NULL,
  bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
