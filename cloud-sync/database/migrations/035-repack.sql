-- Small blocks of telemetry are packed together once every reader has passed them (cloud-sync/store/postgres/repack).

-- Up to here a bucket of the feed is packed.
CREATE TABLE store.repack (
  container text NOT NULL,
  bucket    integer NOT NULL,
  position  bigint NOT NULL,
  PRIMARY KEY (container, bucket)
);

-- A reader that begins, or begins anew, waits until what is being packed is packed: else it could read events both before and after.
-- The lock is READERS_LOCK of repack/readers.ts.
CREATE FUNCTION store.reader_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(1414288208, 0);
  RETURN NULL;
END $$;
CREATE TRIGGER reader_begins AFTER INSERT OR DELETE ON model.checkpoint
  FOR EACH ROW EXECUTE FUNCTION store.reader_begins();
CREATE TRIGGER reader_begins_anew AFTER UPDATE ON model.checkpoint
  FOR EACH ROW WHEN (NEW.continuation IS NULL AND OLD.continuation IS NOT NULL) EXECUTE FUNCTION store.reader_begins();
