-- Schemas: app (this program's own), store (the event store), model (read models, each rebuildable), report (views with stable names).
CREATE SCHEMA IF NOT EXISTS app;
CREATE SCHEMA IF NOT EXISTS store;
CREATE SCHEMA IF NOT EXISTS model;
CREATE SCHEMA IF NOT EXISTS report;

CREATE FUNCTION app.has_citus() RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus') $$;

-- What Citus demands of every table, asserted where it is not installed too, so that a mistake fails on plain PostgreSQL.
CREATE FUNCTION app.assert_distributable(target regclass, distribution_column name) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  offender text;
BEGIN
  IF NOT EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = target AND attname = distribution_column AND NOT attisdropped) THEN
    RAISE EXCEPTION '% has no column %, by which it is to be distributed', target, distribution_column;
  END IF;
  SELECT i.indexrelid::regclass::text INTO offender
    FROM pg_index i
   WHERE i.indrelid = target AND i.indisunique
     AND NOT EXISTS (SELECT 1 FROM pg_attribute a
                      WHERE a.attrelid = target AND a.attname = distribution_column AND a.attnum = ANY (i.indkey::int2[]));
  IF offender IS NOT NULL THEN
    RAISE EXCEPTION 'the unique index % lacks %, by which % is distributed', offender, distribution_column, target;
  END IF;
  SELECT t.tgname INTO offender FROM pg_trigger t WHERE t.tgrelid = target AND NOT t.tgisinternal;
  IF offender IS NOT NULL THEN
    RAISE EXCEPTION '% has the trigger %, which a distributed table may not have', target, offender;
  END IF;
END $$;

-- Distributes a table by a column, beside the shards of another; on plain PostgreSQL it only asserts the rules.
CREATE FUNCTION app.distribute(target text, distribution_column text, colocate_with text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM app.assert_distributable(target::regclass, distribution_column::name);
  IF app.has_citus() THEN
    EXECUTE format('SELECT create_distributed_table(%L, %L, colocate_with => %L)', target, distribution_column, colocate_with);
  END IF;
END $$;

-- A small table that every node has whole.
CREATE FUNCTION app.reference(target text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM target::regclass;
  IF app.has_citus() THEN
    EXECUTE format('SELECT create_reference_table(%L)', target);
  END IF;
END $$;
