-- Who may use the services of the central office. Small tables, whole on every node of a cluster.

-- Signs cookies and CSRF tokens; made by the first service that starts, the same for all of them.
CREATE TABLE app.access_secret (
  id     integer PRIMARY KEY CHECK (id = 1),
  secret bytea NOT NULL
);
SELECT app.reference('app.access_secret');

CREATE TABLE app.account (
  id         text PRIMARY KEY,
  -- What one name is, however it is written: two accounts never look alike.
  login      text NOT NULL UNIQUE,
  name       text NOT NULL,
  role       text NOT NULL CHECK (role IN ('viewer', 'operator', 'technician', 'administrator')),
  -- scrypt$N$r$p$salt$hash
  password   text NOT NULL,
  disabled   boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL,
  changed_at timestamptz NOT NULL,
  changed_by text NOT NULL
);
SELECT app.reference('app.account');

-- Only a hash of what stands in the cookie: who reads this table can't log in with it.
CREATE TABLE app.session (
  token_hash bytea PRIMARY KEY,
  kind       text NOT NULL CHECK (kind IN ('local', 'oidc')),
  person_id  text NOT NULL,
  -- Of a local one the account's are asked, so that a changed role counts at once.
  name       text NOT NULL,
  role       text NOT NULL CHECK (role IN ('viewer', 'operator', 'technician', 'administrator')),
  created_at timestamptz NOT NULL,
  seen_at    timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
);
SELECT app.reference('app.session');
CREATE INDEX session_person ON app.session (person_id, created_at);
CREATE INDEX session_expires ON app.session (expires_at);

CREATE TABLE app.token (
  id           text PRIMARY KEY,
  name         text NOT NULL UNIQUE,
  token_hash   bytea NOT NULL UNIQUE,
  role         text NOT NULL CHECK (role IN ('viewer', 'operator', 'technician', 'administrator')),
  -- null: of the whole company.
  factory_id   text,
  created_at   timestamptz NOT NULL,
  created_by   text NOT NULL,
  -- null: until it is revoked.
  expires_at   timestamptz,
  last_used_at timestamptz
);
SELECT app.reference('app.token');

-- Logins that failed, by hashes of names and addresses, in windows that begin with the first.
CREATE TABLE app.login_attempt (
  key       bytea PRIMARY KEY,
  window_at timestamptz NOT NULL,
  failures  integer NOT NULL
);
SELECT app.reference('app.login_attempt');
CREATE INDEX login_attempt_window ON app.login_attempt (window_at);
