-- Views for people, with the names of the tables, in the schema that a session looks into first. One
-- statement, so that either all are made or none.
DO $$
DECLARE
  place text;
  source text;
BEGIN
  SELECT nspname INTO place FROM pg_catalog.pg_namespace
    WHERE nspname = 'public' AND has_schema_privilege(oid, 'CREATE');
  IF place IS NULL THEN
    RETURN;
  END IF;
  FOR source IN
    SELECT tablename FROM pg_catalog.pg_tables
    WHERE schemaname = 'wfx' AND tablename LIKE 'workflow\_%' AND tablename <> 'workflow_sessions'
  LOOP
    IF to_regclass(format('%I.%I', place, source)) IS NULL THEN
      EXECUTE (
        SELECT format('CREATE VIEW %I.%I AS SELECT %s FROM wfx.%I', place, source,
          string_agg(CASE WHEN data_type = 'bytea' AND column_name <> 'data'
            THEN format('wfx.shown(%I) AS %I', column_name, column_name)
            ELSE format('%I', column_name) END, ', ' ORDER BY ordinal_position), source)
        FROM information_schema.columns
        WHERE table_schema = 'wfx' AND table_name = source
      );
    END IF;
  END LOOP;
END $$;
