-- Version 7. Released: never edited, only followed by further files.
--
-- Retention by workflow, pins, and executions whose definition came with a request.

-- 1: the definition came with a request (ad hoc), so that it says nothing of the workflow of the
-- same id. NULL: it did not.
ALTER TABLE workflow_executions ADD COLUMN ad_hoc INTEGER;
-- 1: the retention of its workflow applies to it, and it does not count for the number of all.
ALTER TABLE workflow_executions ADD COLUMN own_retention INTEGER;
-- Since when nothing but an explicit purge deletes it, who wanted that, and why.
ALTER TABLE workflow_executions ADD COLUMN pinned_at TEXT;
ALTER TABLE workflow_executions ADD COLUMN pinned_by TEXT;
ALTER TABLE workflow_executions ADD COLUMN pin_reason TEXT;

-- A snapshot ends with its source; version 3 marked requests otherwise.
UPDATE workflow_executions SET ad_hoc = 1
WHERE substr(input_snapshot, -19) = '"source":"request"}'
   OR substr(input_snapshot, -15) = ',"ad_hoc":true}';

-- The retention of workflows, as their last definition has it. All three limits NULL: the
-- definition has none any more, and its executions are being moved back.
CREATE TABLE workflow_retention (
  workflow_id TEXT PRIMARY KEY,
  keep INTEGER,                          -- so many finished executions
  success_us INTEGER,                    -- how old those that succeeded become, microseconds
  failed_us INTEGER,                     -- the same for those that ended otherwise
  finished INTEGER NOT NULL DEFAULT 0,   -- finished executions that it applies to
  moving INTEGER                         -- executions up to this seq have their `own_retention`;
                                         -- NULL: all have
) STRICT, WITHOUT ROWID;

-- Workflows with more than they keep.
CREATE INDEX workflow_retention_exceeded ON workflow_retention (workflow_id)
  WHERE finished > keep;

-- Workflows whose executions are being moved.
CREATE INDEX workflow_retention_moving ON workflow_retention (workflow_id)
  WHERE moving IS NOT NULL;

-- How many finished executions of each workflow are pinned.
CREATE TABLE workflow_pinned_counts (
  workflow_id TEXT PRIMARY KEY,
  finished INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Finished executions that count for the number of all, in the order they completed: what
-- retention deletes next. Those that do not are in the next index, so that each is in one of the
-- two, and the greatest number of both is that of the last completion.
DROP INDEX workflow_executions_finished;
CREATE INDEX workflow_executions_finished ON workflow_executions (completion_number)
  WHERE completion_number IS NOT NULL AND own_retention IS NULL AND pinned_at IS NULL;
CREATE INDEX workflow_executions_finished_apart ON workflow_executions (completion_number)
  WHERE completion_number IS NOT NULL AND (own_retention IS NOT NULL OR pinned_at IS NOT NULL);

-- Those of a workflow with its own retention: beyond its number, too old, and the last success.
CREATE INDEX workflow_executions_own_by_completion
  ON workflow_executions (workflow_id, completion_number)
  WHERE own_retention IS NOT NULL AND pinned_at IS NULL AND completion_number IS NOT NULL;
CREATE INDEX workflow_executions_own_by_age
  ON workflow_executions (workflow_id, status, completed_at)
  WHERE own_retention IS NOT NULL AND pinned_at IS NULL AND completion_number IS NOT NULL;
CREATE INDEX workflow_executions_own_successes
  ON workflow_executions (workflow_id, completion_number)
  WHERE own_retention IS NOT NULL AND pinned_at IS NULL AND completion_number IS NOT NULL
    AND status = 'success';

-- Pinned executions, newest first.
CREATE INDEX workflow_executions_pinned ON workflow_executions (pinned_at)
  WHERE pinned_at IS NOT NULL;

-- Completions are counted by wfx itself, where any are counted: a trigger would cost each of them
-- 0.5 µs, also where none are.
CREATE TRIGGER workflow_executions_moved_apart
AFTER UPDATE OF own_retention, pinned_at ON workflow_executions
WHEN new.completion_number IS NOT NULL BEGIN
  UPDATE workflow_retention SET finished = finished
      + (new.own_retention IS NOT NULL AND new.pinned_at IS NULL)
      - (old.own_retention IS NOT NULL AND old.pinned_at IS NULL)
    WHERE workflow_id = new.workflow_id;
  INSERT INTO workflow_pinned_counts
    SELECT new.workflow_id, 1 WHERE new.pinned_at IS NOT NULL AND old.pinned_at IS NULL
    ON CONFLICT DO UPDATE SET finished = finished + 1;
  UPDATE workflow_pinned_counts SET finished = finished - 1
    WHERE workflow_id = old.workflow_id
      AND old.pinned_at IS NOT NULL AND new.pinned_at IS NULL;
END;

CREATE TRIGGER workflow_executions_deleted_apart AFTER DELETE ON workflow_executions
WHEN old.completion_number IS NOT NULL
  AND (old.own_retention IS NOT NULL OR old.pinned_at IS NOT NULL) BEGIN
  UPDATE workflow_retention SET finished = finished - 1
    WHERE workflow_id = old.workflow_id AND old.own_retention IS NOT NULL
      AND old.pinned_at IS NULL;
  UPDATE workflow_pinned_counts SET finished = finished - 1
    WHERE workflow_id = old.workflow_id AND old.pinned_at IS NOT NULL;
END;
