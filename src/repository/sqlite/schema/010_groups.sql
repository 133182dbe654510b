-- Version 10. Released: never edited, only followed by further files.
--
-- Concurrency groups: which executions share slots, and how many slots there are.

-- The group with the values of its parameters. While it is unfinished, an execution that has one
-- holds a slot exactly if it is running, and waits for one exactly if it is pending.
ALTER TABLE workflow_executions ADD COLUMN concurrency_group TEXT;
-- The seq of the execution that waits until this one is gone, and has it cancelled.
ALTER TABLE workflow_executions ADD COLUMN replaced_by INTEGER;

-- Who holds the slots of a group, and who waits, first come first.
CREATE INDEX workflow_executions_grouped ON workflow_executions (concurrency_group, status)
  WHERE concurrency_group IS NOT NULL AND completed_at IS NULL;

-- Who makes room for an execution.
CREATE INDEX workflow_executions_replaced ON workflow_executions (replaced_by)
  WHERE replaced_by IS NOT NULL AND completed_at IS NULL;

-- How many executions hold a slot of each group, and how many wait; kept by triggers, so that
-- whatever changes a status counts in the same transaction. A group that is not used has no row.
CREATE TABLE workflow_groups (
  name TEXT PRIMARY KEY,
  running INTEGER NOT NULL,
  waiting INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How many slots a group has, without the values of its parameters.
CREATE TABLE workflow_group_limits (
  base TEXT PRIMARY KEY,
  slots INTEGER,                         -- NULL: the catalogue has no such group any more
  set_by TEXT                            -- the workflow of the catalogue that sets it; NULL: it
                                         -- came with a file or a request
) STRICT, WITHOUT ROWID;

CREATE TRIGGER workflow_executions_inserted_grouped AFTER INSERT ON workflow_executions
WHEN new.concurrency_group IS NOT NULL AND new.completed_at IS NULL BEGIN
  INSERT INTO workflow_groups
    VALUES (new.concurrency_group, new.status = 'running', new.status = 'pending')
    ON CONFLICT DO UPDATE SET running = running + excluded.running,
      waiting = waiting + excluded.waiting;
END;

CREATE TRIGGER workflow_executions_moved_grouped
AFTER UPDATE OF status, concurrency_group ON workflow_executions
WHEN (old.concurrency_group IS NOT NULL OR new.concurrency_group IS NOT NULL)
  AND (new.status <> old.status OR new.concurrency_group IS NOT old.concurrency_group) BEGIN
  UPDATE workflow_groups SET running = running - (old.status = 'running'),
      waiting = waiting - (old.status = 'pending')
    WHERE name = old.concurrency_group;
  INSERT INTO workflow_groups
    SELECT new.concurrency_group, new.status = 'running', new.status = 'pending'
    WHERE new.concurrency_group IS NOT NULL AND new.completed_at IS NULL
    ON CONFLICT DO UPDATE SET running = running + excluded.running,
      waiting = waiting + excluded.waiting;
  DELETE FROM workflow_groups
    WHERE name = old.concurrency_group AND running = 0 AND waiting = 0;
END;

CREATE TRIGGER workflow_executions_deleted_grouped AFTER DELETE ON workflow_executions
WHEN old.concurrency_group IS NOT NULL AND old.completed_at IS NULL BEGIN
  UPDATE workflow_groups SET running = running - (old.status = 'running'),
      waiting = waiting - (old.status = 'pending')
    WHERE name = old.concurrency_group;
  DELETE FROM workflow_groups
    WHERE name = old.concurrency_group AND running = 0 AND waiting = 0;
END;
