-- One call writes a batch of changes, and is a transaction of its own: the server never waits for the
-- process in the middle of it, so a process that is stopped holds no locks. It takes what the
-- statements of `sql::change` take, in their order, each row as a value of a type; a version of wfx that
-- needs other columns makes types and a function of its own beside these.
--
-- In a list, a `seq` below 0 stands for the execution that is made from that entry of `created`. What
-- contradicts the stored state fails the call as a whole (WFX02); statement by statement it is found out
-- then what exactly is refused, and why.

CREATE TYPE created_v1 AS (
  execution_id text, workflow_id text, status text, created_at timestamptz, started_at timestamptz,
  completed_at timestamptz, updated_at timestamptz, steps_completed bigint, total_steps bigint,
  replay_of text, owner text, error bytea, step_order json, input_snapshot json,
  completion_number bigint, outcome text, ad_hoc bigint, own_retention bigint, trigger_kind text,
  trigger_by bytea, schedule text, scheduled_at timestamptz, steps_failed bigint,
  steps_skipped bigint, concurrency_group bytea, trigger_address bytea,
  -- The retention of the workflow, if the start defines it (`own_retention` is not NULL): it must be
  -- stored already.
  keep bigint, success_us bigint, failed_us bigint
);

CREATE TYPE created_step_v1 AS (
  seq bigint, "position" bigint, step_name text, status text, started_at timestamptz,
  completed_at timestamptz, duration_ms bigint, attempt bigint, exit_code bigint, depends_on json,
  error bytea, outputs json, skip_reason text, reused_from text, reused_from_seq bigint,
  reused_position bigint
);

CREATE TYPE changed_v1 AS (
  seq bigint, status text, started_at timestamptz, completed_at timestamptz, updated_at timestamptz,
  steps_completed bigint, owner text, error bytea, owner_before text, execution_id text,
  completion_number bigint, outcome text, steps_failed bigint, steps_skipped bigint
);

CREATE TYPE changed_step_v1 AS (
  seq bigint, "position" bigint, status text, started_at timestamptz, completed_at timestamptz,
  duration_ms bigint, attempt bigint, exit_code bigint, error bytea, outputs json, skip_reason text
);

CREATE TYPE handler_v1 AS (
  seq bigint, "position" bigint, handler_name text, kind text, status text, started_at timestamptz,
  completed_at timestamptz, duration_ms bigint, attempt bigint, exit_code bigint, skip_reason text,
  error bytea, outputs json
);

CREATE TYPE attempt_v1 AS (
  seq bigint, "position" bigint, attempt bigint, status text, started_at timestamptz,
  completed_at timestamptz, duration_ms bigint, exit_code bigint, stdout_bytes bigint,
  stderr_bytes bigint, error bytea, stdout bytea, stderr bytea
);

CREATE TYPE output_v1 AS (
  seq bigint, "position" bigint, attempt bigint, own_stdout bigint, own_stderr bigint,
  all_stdout bigint, all_stderr bigint, end_stdout bigint, end_stderr bigint, stdout bigint,
  stderr bigint, first bigint, ends bigint, began_us bigint, ended_us bigint, size bigint, data bytea
);

-- `me` is the token of the process, `number` that of the transaction, `last` that of the one before.
CREATE FUNCTION write_v1(
  me bigint, number bigint, last bigint, created created_v1[], steps created_step_v1[],
  changed changed_v1[], changed_steps changed_step_v1[], handlers handler_v1[],
  attempts attempt_v1[], output output_v1[], OUT seqs bigint[], OUT chunks bigint[]
) LANGUAGE plpgsql
-- The lists are short beside the tables, which the planner cannot know.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
  found_rows bigint;
BEGIN
  seqs := '{}';
  chunks := '{}';
  PERFORM 1 FROM wfx.fence WHERE token = me FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'this process was declared dead' USING ERRCODE = 'WFX01';
  END IF;
  -- What counts apart is counted in rows that others change as well.
  IF (EXISTS (SELECT 1 FROM unnest(created) AS c WHERE c.completed_at IS NOT NULL)
      OR EXISTS (SELECT 1 FROM unnest(changed) AS c WHERE c.completed_at IS NOT NULL))
    AND (EXISTS (SELECT 1 FROM wfx.workflow_retention)
      OR EXISTS (SELECT 1 FROM wfx.workflow_pinned_counts))
  THEN
    PERFORM pg_advisory_xact_lock(2003204097);
  END IF;

  IF EXISTS (
    SELECT 1 FROM unnest(created) AS c
      LEFT JOIN wfx.workflow_retention AS r ON r.workflow_id = c.workflow_id
    WHERE c.own_retention IS NOT NULL AND (r.keep IS DISTINCT FROM c.keep
      OR r.success_us IS DISTINCT FROM c.success_us OR r.failed_us IS DISTINCT FROM c.failed_us)
  ) THEN
    RAISE EXCEPTION 'the retention of a workflow is to be stored' USING ERRCODE = 'WFX02';
  END IF;

  IF cardinality(created) > 0 THEN
    seqs := ARRAY(SELECT nextval('wfx.workflow_executions_seq_seq')
      FROM generate_series(1, cardinality(created)));
    INSERT INTO wfx.workflow_executions (seq, execution_id, workflow_id, status, created_at,
        started_at, completed_at, updated_at, steps_completed, total_steps, replay_of, owner, error,
        step_order, input_snapshot, completion_number, outcome, ad_hoc, own_retention,
        trigger_kind, trigger_by, schedule, scheduled_at, steps_failed, steps_skipped,
        concurrency_group, trigger_address)
      SELECT seqs[c.ordinality], c.execution_id, c.workflow_id, c.status, c.created_at,
        c.started_at, c.completed_at, c.updated_at, c.steps_completed, c.total_steps, c.replay_of,
        c.owner, c.error, c.step_order, c.input_snapshot,
        CASE WHEN c.completed_at IS NOT NULL THEN nextval('wfx.completions') END, c.outcome,
        c.ad_hoc,
        CASE WHEN c.ad_hoc IS NULL AND EXISTS (
          SELECT 1 FROM wfx.workflow_retention AS r WHERE r.workflow_id = c.workflow_id
            AND (r.keep IS NOT NULL OR r.success_us IS NOT NULL OR r.failed_us IS NOT NULL)
        ) THEN 1 END,
        c.trigger_kind, c.trigger_by, c.schedule, c.scheduled_at, c.steps_failed, c.steps_skipped,
        c.concurrency_group, c.trigger_address
      FROM unnest(created) WITH ORDINALITY AS c ORDER BY c.ordinality;
  END IF;

  IF cardinality(steps) > 0 THEN
    INSERT INTO wfx.workflow_execution_steps (seq, position, step_name, status, started_at,
        completed_at, duration_ms, attempt, exit_code, depends_on, error, outputs, skip_reason,
        reused_from, reused_from_seq, reused_position)
      SELECT seqs[-s.seq], s.position, s.step_name, s.status, s.started_at, s.completed_at,
        s.duration_ms, s.attempt, s.exit_code, s.depends_on, s.error, s.outputs, s.skip_reason,
        s.reused_from,
        CASE WHEN s.reused_from IS NOT NULL THEN coalesce(s.reused_from_seq, (
          SELECT e.seq FROM wfx.workflow_executions AS e WHERE e.execution_id = s.reused_from
        )) END,
        s.reused_position
      FROM unnest(steps) AS s;
  END IF;

  IF cardinality(changed) > 0 THEN
    UPDATE wfx.workflow_executions AS e SET status = c.status, started_at = c.started_at,
        completed_at = c.completed_at, updated_at = c.updated_at,
        steps_completed = c.steps_completed, owner = c.owner, error = c.error,
        completion_number =
          CASE WHEN c.completed_at IS NOT NULL THEN nextval('wfx.completions') END,
        outcome = coalesce(e.outcome, c.outcome), steps_failed = c.steps_failed,
        steps_skipped = c.steps_skipped
      FROM unnest(changed) AS c
      WHERE e.seq = c.seq AND e.completed_at IS NULL
        AND e.owner IS NOT DISTINCT FROM c.owner_before AND e.execution_id = c.execution_id
        AND (e.concurrency_group IS NULL OR e.status <> 'pending' OR c.status <> 'running');
    GET DIAGNOSTICS found_rows = ROW_COUNT;
    IF found_rows <> cardinality(changed) THEN
      RAISE EXCEPTION 'an execution is not as expected' USING ERRCODE = 'WFX02';
    END IF;
  END IF;

  IF cardinality(changed_steps) > 0 THEN
    UPDATE wfx.workflow_execution_steps AS s SET status = c.status, started_at = c.started_at,
        completed_at = c.completed_at, duration_ms = c.duration_ms, attempt = c.attempt,
        exit_code = c.exit_code, error = c.error, outputs = c.outputs, skip_reason = c.skip_reason
      FROM unnest(changed_steps) AS c
      WHERE s.seq = c.seq AND s.position = c.position AND s.status IN ('pending', 'running');
    GET DIAGNOSTICS found_rows = ROW_COUNT;
    IF found_rows <> cardinality(changed_steps) THEN
      RAISE EXCEPTION 'a step is not as expected' USING ERRCODE = 'WFX02';
    END IF;
  END IF;

  IF cardinality(handlers) > 0 THEN
    INSERT INTO wfx.workflow_execution_handlers AS stored (seq, position, handler_name, kind, status,
        started_at, completed_at, duration_ms, attempt, exit_code, skip_reason, error, outputs)
      SELECT CASE WHEN h.seq < 0 THEN seqs[-h.seq] ELSE h.seq END, h.position, h.handler_name,
        h.kind, h.status, h.started_at, h.completed_at, h.duration_ms, h.attempt, h.exit_code,
        h.skip_reason, h.error, h.outputs
      FROM unnest(handlers) AS h
      ON CONFLICT (seq, position) DO UPDATE SET status = excluded.status,
        started_at = excluded.started_at, completed_at = excluded.completed_at,
        duration_ms = excluded.duration_ms, attempt = excluded.attempt,
        exit_code = excluded.exit_code, skip_reason = excluded.skip_reason, error = excluded.error,
        outputs = excluded.outputs
      WHERE stored.status IN ('pending', 'running', excluded.status);
    GET DIAGNOSTICS found_rows = ROW_COUNT;
    IF found_rows <> cardinality(handlers) THEN
      RAISE EXCEPTION 'a handler is not as expected' USING ERRCODE = 'WFX02';
    END IF;
  END IF;

  IF cardinality(attempts) > 0 THEN
    INSERT INTO wfx.workflow_execution_attempts (seq, position, attempt, status, started_at,
        completed_at, duration_ms, exit_code, stdout_bytes, stderr_bytes, error, stdout, stderr)
      SELECT CASE WHEN a.seq < 0 THEN seqs[-a.seq] ELSE a.seq END, a.position, a.attempt, a.status,
        a.started_at, a.completed_at, a.duration_ms, a.exit_code, a.stdout_bytes, a.stderr_bytes,
        a.error, a.stdout, a.stderr
      FROM unnest(attempts) AS a;
  END IF;

  IF cardinality(output) > 0 THEN
    chunks := ARRAY(SELECT nextval('wfx.workflow_output_chunk_seq')
      FROM generate_series(1, cardinality(output)));
    INSERT INTO wfx.workflow_output (chunk, seq, position, attempt, own_stdout, own_stderr,
        all_stdout, all_stderr, end_stdout, end_stderr, stdout, stderr, first, ends, began_us,
        ended_us, size, data)
      SELECT chunks[o.ordinality], CASE WHEN o.seq < 0 THEN seqs[-o.seq] ELSE o.seq END,
        o.position, o.attempt, o.own_stdout, o.own_stderr, o.all_stdout, o.all_stderr,
        o.end_stdout, o.end_stderr, o.stdout, o.stderr, o.first, o.ends, o.began_us, o.ended_us,
        o.size, o.data
      FROM unnest(output) WITH ORDINALITY AS o;
  END IF;

  DELETE FROM wfx.commits WHERE commits.token = me AND commits.number = last;
  INSERT INTO wfx.commits (token, number, seqs, chunks) VALUES (me, write_v1.number, seqs, chunks);
END $$;
