-- Version 2: a batch takes fewer statements of the server, and what retention deletes one call.

SET LOCAL search_path = wfx;

-- As write_v1, but for what the process knows of the lists and says: how many of `created` have ended
-- (`ended`), whether anything else does (`ends`), whether a start defines the retention of its workflow
-- (`defines`), and whether a step is reused of which the number is to be looked up (`reuses`).
-- Executions are inserted into the partition that they belong to, so that no trigger of the parent runs,
-- and are counted here: that is cheaper. What comes of nearly every call is one statement.
CREATE FUNCTION write_v2(
  me bigint, number bigint, last bigint, ended bigint, ends boolean, defines boolean,
  reuses boolean, created created_v1[], steps created_step_v1[],
  changed changed_v1[], changed_steps changed_step_v1[], handlers handler_v1[],
  attempts attempt_v1[], output output_v1[], OUT seqs bigint[], OUT chunks bigint[]
) LANGUAGE plpgsql
-- The lists are short beside the tables, which the planner cannot know.
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
DECLARE
  -- This transaction gets its number before it reads what is kept: others wait for it by that
  -- (`policies::move_some`).
  own_number xid8 := pg_current_xact_id();
  has_more boolean := cardinality(changed) + cardinality(changed_steps) + cardinality(handlers)
    + cardinality(attempts) + cardinality(output) > 0;
  found_rows bigint;
  has_retention boolean;
  counts_apart boolean;
  retained text[] := '{}';
BEGIN
  has_retention := EXISTS (SELECT 1 FROM wfx.workflow_retention);
  -- What counts apart is counted in rows that others change as well. What is made here is not pinned.
  -- (A query within a condition is run whatever stands before it.)
  counts_apart := has_retention AND (ended > 0 OR ends);
  IF ends AND NOT has_retention THEN
    counts_apart := EXISTS (SELECT 1 FROM wfx.workflow_pinned_counts);
  END IF;
  IF counts_apart THEN
    PERFORM pg_advisory_xact_lock(2003204097);
    -- Whoever waits for the right to decide reads the retention once he has it.
    has_retention := EXISTS (SELECT 1 FROM wfx.workflow_retention);
  END IF;
  IF has_retention THEN
    retained := ARRAY(SELECT workflow_id FROM wfx.workflow_retention
      WHERE keep IS NOT NULL OR success_us IS NOT NULL OR failed_us IS NOT NULL);
  END IF;
  IF defines THEN
    PERFORM 1 FROM unnest(created) AS c
      LEFT JOIN wfx.workflow_retention AS r ON r.workflow_id = c.workflow_id
    WHERE c.own_retention IS NOT NULL AND (r.keep IS DISTINCT FROM c.keep
      OR r.success_us IS DISTINCT FROM c.success_us OR r.failed_us IS DISTINCT FROM c.failed_us);
    IF FOUND THEN
      RAISE EXCEPTION 'the retention of a workflow is to be stored' USING ERRCODE = 'WFX02';
    END IF;
  END IF;

  chunks := '{}';
  IF has_more THEN
    chunks := ARRAY(SELECT nextval('wfx.workflow_output_chunk_seq')
      FROM generate_series(1, cardinality(output)));
  END IF;
  seqs := '{}';
  IF cardinality(created) > 0 THEN
    seqs := ARRAY(SELECT nextval('wfx.workflow_executions_seq_seq')
      FROM generate_series(1, cardinality(created)));
  END IF;
  WITH mine AS (SELECT token FROM wfx.fence WHERE token = me FOR SHARE),
    forgotten AS (DELETE FROM wfx.commits AS c WHERE c.token = me AND c.number = last),
    made AS (
      INSERT INTO wfx.executions_done (seq, execution_id, workflow_id, status, created_at,
        started_at, completed_at, updated_at, steps_completed, total_steps, replay_of, owner,
        error, step_order, input_snapshot, completion_number, outcome, ad_hoc, own_retention,
        trigger_kind, trigger_by, schedule, scheduled_at, steps_failed, steps_skipped,
        trigger_address)
      SELECT seqs[c.ordinality], c.execution_id, c.workflow_id, c.status, c.created_at,
        c.started_at, c.completed_at, c.updated_at, c.steps_completed, c.total_steps,
        c.replay_of, c.owner, c.error, c.step_order, c.input_snapshot, nextval('wfx.completions'),
        c.outcome, c.ad_hoc,
        CASE WHEN c.ad_hoc IS NULL AND c.workflow_id = ANY (retained) THEN 1 END,
        c.trigger_kind, c.trigger_by, c.schedule, c.scheduled_at, c.steps_failed,
        c.steps_skipped, c.trigger_address
      FROM unnest(created) WITH ORDINALITY AS c WHERE c.completed_at IS NOT NULL
      RETURNING workflow_id, status
    ), counted AS (
      INSERT INTO wfx.workflow_execution_counts (slot, workflow_id, status, executions)
        SELECT me, workflow_id, status, count(*) FROM made GROUP BY 2, 3
    ), made_steps AS (
      INSERT INTO wfx.workflow_execution_steps (seq, position, step_name, status, started_at,
          completed_at, duration_ms, attempt, exit_code, depends_on, error, outputs, skip_reason,
          reused_from, reused_from_seq, reused_position)
        SELECT seqs[-s.seq], s.position, s.step_name, s.status, s.started_at, s.completed_at,
          s.duration_ms, s.attempt, s.exit_code, s.depends_on, s.error, s.outputs, s.skip_reason,
          s.reused_from, s.reused_from_seq, s.reused_position
        FROM unnest(steps) AS s
    )
  INSERT INTO wfx.commits (token, number, seqs, chunks)
    SELECT token, write_v2.number, write_v2.seqs, write_v2.chunks FROM mine;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'this process was declared dead' USING ERRCODE = 'WFX01';
  END IF;
  IF ended < cardinality(created) THEN
    WITH made AS (
      INSERT INTO wfx.executions_live (seq, execution_id, workflow_id, status, created_at,
        started_at, completed_at, updated_at, steps_completed, total_steps, replay_of, owner,
        error, step_order, input_snapshot, completion_number, outcome, ad_hoc, own_retention,
        trigger_kind, trigger_by, schedule, scheduled_at, steps_failed, steps_skipped,
        trigger_address)
      SELECT seqs[c.ordinality], c.execution_id, c.workflow_id, c.status, c.created_at,
        c.started_at, c.completed_at, c.updated_at, c.steps_completed, c.total_steps,
        c.replay_of, c.owner, c.error, c.step_order, c.input_snapshot, NULL,
        c.outcome, c.ad_hoc,
        CASE WHEN c.ad_hoc IS NULL AND c.workflow_id = ANY (retained) THEN 1 END,
        c.trigger_kind, c.trigger_by, c.schedule, c.scheduled_at, c.steps_failed,
        c.steps_skipped, c.trigger_address
      FROM unnest(created) WITH ORDINALITY AS c WHERE c.completed_at IS NULL
      RETURNING workflow_id, status
    )
    INSERT INTO wfx.workflow_execution_counts (slot, workflow_id, status, executions)
      SELECT me, workflow_id, status, count(*) FROM made GROUP BY 2, 3;
  END IF;
  IF reuses THEN
    -- It may be that of an execution of this batch.
    UPDATE wfx.workflow_execution_steps AS s SET reused_from_seq = (
        SELECT e.seq FROM wfx.workflow_executions AS e WHERE e.execution_id = s.reused_from
      ) WHERE s.seq = ANY (seqs) AND s.reused_from IS NOT NULL AND s.reused_from_seq IS NULL;
  END IF;
  IF has_retention AND ended > 0 THEN
    UPDATE wfx.workflow_retention AS r SET finished = r.finished + own.n
      FROM (SELECT workflow_id, count(*) AS n FROM wfx.executions_done
        WHERE seq = ANY (seqs) AND own_retention IS NOT NULL GROUP BY 1) AS own
      WHERE own.workflow_id = r.workflow_id;
  END IF;

  IF has_more THEN
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
      INSERT INTO wfx.workflow_output (chunk, seq, position, attempt, own_stdout, own_stderr,
          all_stdout, all_stderr, end_stdout, end_stderr, stdout, stderr, first, ends, began_us,
          ended_us, size, data)
        SELECT chunks[o.ordinality], CASE WHEN o.seq < 0 THEN seqs[-o.seq] ELSE o.seq END,
          o.position, o.attempt, o.own_stdout, o.own_stderr, o.all_stdout, o.all_stderr,
          o.end_stdout, o.end_stderr, o.stdout, o.stderr, o.first, o.ends, o.began_us, o.ended_us,
          o.size, o.data
        FROM unnest(output) WITH ORDINALITY AS o;
    END IF;
  END IF;
END $$;

-- Deletes those of `chosen` that have ended, with all that belongs to them, as many as one transaction
-- may by their output (8 MiB, a chunk counts for a page at least). Where already the first has more,
-- some of its output goes and `has_rest` is true.
CREATE FUNCTION delete_v2(chosen bigint[], OUT executions bigint, OUT has_rest boolean)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
DECLARE
  most CONSTANT bigint := 8388608;
  ended bigint[] := ARRAY(SELECT seq FROM wfx.executions_done WHERE seq = ANY (chosen) ORDER BY seq);
  fitting bigint[] := '{}';
  bytes bigint := 0;
  one bigint;
  lows bigint[];
  highs bigint[];
BEGIN
  executions := 0;
  has_rest := false;
  IF cardinality(ended) = 0 THEN
    RETURN;
  END IF;

  IF EXISTS (SELECT 1 FROM wfx.workflow_output WHERE seq = ANY (ended)) THEN
    -- No more chunks are looked at than can fit.
    FOREACH one IN ARRAY ended LOOP
      bytes := bytes + (SELECT coalesce(sum(greatest(size, 4096)), 0) FROM (
        SELECT size FROM wfx.workflow_output WHERE seq = one LIMIT 2049) AS beginning);
      EXIT WHEN bytes > most;
      fitting := fitting || one;
    END LOOP;
    has_rest := cardinality(fitting) < cardinality(ended);
    IF cardinality(fitting) = 0 THEN
      DELETE FROM wfx.workflow_output WHERE chunk IN (
        SELECT chunk FROM (
          SELECT chunk, sum(greatest(size, 4096)) OVER (ORDER BY ends, chunk) AS total
          FROM (SELECT chunk, size, ends FROM wfx.workflow_output WHERE seq = ended[1]
            ORDER BY ends, chunk LIMIT 2048) AS first_ones
        ) AS sizes WHERE total <= most
      );
      RETURN;
    END IF;
    ended := fitting;
  END IF;

  -- Neighbours go together: one search for many rows.
  SELECT array_agg(low), array_agg(high) INTO lows, highs FROM (
    SELECT min(seq) AS low, max(seq) AS high FROM (
      SELECT seq, seq - row_number() OVER (ORDER BY seq) AS run FROM unnest(ended) AS e (seq)
    ) AS numbered GROUP BY run
  ) AS runs;
  DELETE FROM wfx.workflow_output AS o USING unnest(lows, highs) AS run (low, high)
    WHERE o.seq BETWEEN run.low AND run.high;
  DELETE FROM wfx.workflow_execution_attempts AS a USING unnest(lows, highs) AS run (low, high)
    WHERE a.seq BETWEEN run.low AND run.high;
  DELETE FROM wfx.workflow_execution_handlers AS h USING unnest(lows, highs) AS run (low, high)
    WHERE h.seq BETWEEN run.low AND run.high;
  DELETE FROM wfx.workflow_execution_steps AS s USING unnest(lows, highs) AS run (low, high)
    WHERE s.seq BETWEEN run.low AND run.high;

  IF EXISTS (SELECT 1 FROM wfx.executions_done
    WHERE seq = ANY (ended) AND (own_retention IS NOT NULL OR pinned_at IS NOT NULL))
  THEN
    DELETE FROM wfx.workflow_executions WHERE seq = ANY (ended) AND completed_at IS NOT NULL;
    GET DIAGNOSTICS executions = ROW_COUNT;
  ELSE
    -- Counted here: triggers would look for what belongs to them again.
    WITH gone AS (
      DELETE FROM wfx.executions_done AS e USING unnest(lows, highs) AS run (low, high)
      WHERE e.seq BETWEEN run.low AND run.high RETURNING workflow_id, status
    ), counted AS (
      INSERT INTO wfx.workflow_execution_counts (slot, workflow_id, status, executions)
        SELECT wfx.slot(), workflow_id, status, -count(*) FROM gone GROUP BY 2, 3
    )
    SELECT count(*) INTO executions FROM gone;
  END IF;
END $$;

-- Deletes of the executions that count for the number of all those that completed first, until `keep`
-- are left: at most 1024, and whether there is more. One call is a transaction of its own, beside those
-- that write. Nobody waits for the disk: what a crash undoes is done again.
--
-- `me` is the token of the process, which counts by its negative what it deletes here: its other
-- transactions go on meanwhile. `number` is that of the call, from 1.
CREATE FUNCTION prune_v2(
  me bigint, number bigint, keep bigint, OUT executions bigint, OUT more boolean
) LANGUAGE plpgsql SET jit = off AS $$
DECLARE
  most CONSTANT bigint := 1024;
  excess bigint;
  has_rest boolean;
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true), set_config('wfx.slot', (-me)::text, true);
  PERFORM 1 FROM wfx.fence WHERE token = me FOR SHARE;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'this process was declared dead' USING ERRCODE = 'WFX01';
  END IF;
  PERFORM pg_advisory_xact_lock(2003204097);
  executions := 0;
  more := false;
  -- First it has to be known of each execution what applies to it (`policies::move_some`): of the
  -- retention of a workflow this process may not know yet.
  IF EXISTS (SELECT 1 FROM wfx.workflow_retention WHERE moving IS NOT NULL) THEN
    RETURN;
  END IF;
  excess := (SELECT coalesce(sum(c.executions), 0) FROM wfx.workflow_execution_counts AS c
      WHERE status NOT IN ('pending', 'running'))
    - (SELECT coalesce(sum(finished), 0) FROM wfx.workflow_pinned_counts)
    - (SELECT coalesce(sum(finished), 0) FROM wfx.workflow_retention) - keep;
  IF excess <= 0 THEN
    RETURN;
  END IF;
  SELECT d.executions, d.has_rest INTO executions, has_rest FROM wfx.delete_v2(ARRAY(
    SELECT seq FROM wfx.executions_done
    WHERE completion_number IS NOT NULL AND own_retention IS NULL AND pinned_at IS NULL
    ORDER BY completion_number LIMIT least(excess, most)
  )) AS d;
  more := has_rest OR (excess > most AND executions > 0);
  -- What readers tell by that something has changed.
  DELETE FROM wfx.commits AS c WHERE c.token = me AND c.number < 0;
  INSERT INTO wfx.commits (token, number) VALUES (me, -prune_v2.number);
  IF prune_v2.number % 64 = 0 THEN
    PERFORM wfx.fold(-me, 0, 0);
  END IF;
END $$;

-- As it was, and what the process counted by `prune_v2` as well.
CREATE OR REPLACE FUNCTION leave(gone bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM wfx.fence WHERE token = gone;
  -- Nobody asks what became of these.
  DELETE FROM wfx.commits AS c WHERE c.token = gone AND c.number < 0;
  UPDATE wfx.workflow_execution_counts SET slot = 0, added = DEFAULT WHERE slot IN (gone, -gone);
  UPDATE wfx.workflow_output_usage SET id = 0, added = DEFAULT WHERE id IN (gone, -gone);
  PERFORM wfx.fold(0, 0, 0);
END $$;

-- Whoever else deletes executions: what was deleted is little beside the tables, which the planner
-- cannot know.
ALTER FUNCTION executions_deleted() SET enable_seqscan = off;
ALTER FUNCTION executions_deleted() SET enable_hashjoin = off;
ALTER FUNCTION executions_deleted() SET enable_mergejoin = off;
ALTER FUNCTION executions_deleted() SET jit = off;
