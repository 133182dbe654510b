-- Version 9. Released: never edited, only followed by further files.
--
-- How many of the steps that have ended did not succeed: failed, cancelled or interrupted; and how
-- many were skipped. The others of `steps_completed` succeeded.
ALTER TABLE workflow_executions ADD COLUMN steps_failed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workflow_executions ADD COLUMN steps_skipped INTEGER NOT NULL DEFAULT 0;

UPDATE workflow_executions SET steps_failed = counted.failed, steps_skipped = counted.skipped
FROM (
  SELECT seq, sum(status IN ('failed', 'cancelled', 'interrupted')) AS failed,
    sum(status = 'skipped') AS skipped
  FROM workflow_execution_steps WHERE status NOT IN ('success', 'pending', 'running') GROUP BY seq
) AS counted
WHERE counted.seq = workflow_executions.seq;
