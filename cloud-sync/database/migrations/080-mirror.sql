-- Where a factory's mirror stands in the log of its edge and in the feeds of the central office. Neither moves before what it stands for is
-- stored, and all that is read again is known again; so these may be lost, and everything is read once more.
CREATE TABLE app.mirror_log (
  site       text COLLATE "C" PRIMARY KEY,
  -- Of the log file's life; offsets of another one mean nothing.
  epoch      text NOT NULL,
  -- Everything up to here is stored.
  whole      bigint NOT NULL,
  -- Sealed blocks that end up to here are stored, too.
  blocks     bigint NOT NULL,
  -- And what is not telemetry up to here.
  rare       bigint NOT NULL,
  updated_at timestamptz NOT NULL
);
SELECT app.reference('app.mirror_log');

CREATE TABLE app.mirror_feed (
  source       text COLLATE "C" NOT NULL,
  container    text COLLATE "C" NOT NULL,
  -- As the office's store names it; a name stays valid while it is followed.
  range        text COLLATE "C" NOT NULL,
  -- NULL: at the beginning.
  continuation text,
  updated_at   timestamptz NOT NULL,
  PRIMARY KEY (source, container, range)
);
SELECT app.reference('app.mirror_feed');
