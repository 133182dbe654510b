-- Version 8. Released: never edited, only followed by further files.
--
-- Who or what started an execution. NULL for those that were started before this was recorded.
ALTER TABLE workflow_executions ADD COLUMN trigger_kind TEXT
  CHECK (trigger_kind = 'api' OR trigger_kind = 'cli' OR trigger_kind = 'replay'
      OR trigger_kind = 'schedule');
-- The name of a token, or a user; NULL where nobody is named.
ALTER TABLE workflow_executions ADD COLUMN trigger_by TEXT;
-- The schedule that it belongs to, and the time that this gave.
ALTER TABLE workflow_executions ADD COLUMN schedule TEXT;
ALTER TABLE workflow_executions ADD COLUMN scheduled_at TEXT;

-- Who asked first for its end.
ALTER TABLE workflow_executions ADD COLUMN cancel_requested_by TEXT;
