-- Version 4. Released: never edited, only followed by further files.
--
-- In which order executions completed. Clocks are set back and ahead; this number only grows,
-- so that retention deletes what completed first. NULL until the execution has ended.
ALTER TABLE workflow_executions ADD COLUMN completion_number INTEGER;

UPDATE workflow_executions SET completion_number = numbered.number
FROM (
  SELECT seq, row_number() OVER (ORDER BY completed_at, seq) AS number
  FROM workflow_executions WHERE completed_at IS NOT NULL
) AS numbered
WHERE numbered.seq = workflow_executions.seq;

-- Finished executions in the order they completed: what retention deletes next, and the
-- number that the next one gets.
DROP INDEX workflow_executions_finished;
CREATE INDEX workflow_executions_finished ON workflow_executions (completion_number)
  WHERE completion_number IS NOT NULL;
