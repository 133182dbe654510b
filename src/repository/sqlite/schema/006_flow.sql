-- Version 6. Released: never edited, only followed by further files.
--
-- Why a step was skipped: its own condition, its own exit code, or a step it depends on. NULL for
-- those that were skipped before: a step that they depend on was the only reason.
ALTER TABLE workflow_execution_steps ADD COLUMN skip_reason TEXT
  CHECK (skip_reason = 'condition' OR skip_reason = 'exit_code' OR skip_reason = 'dependency');

-- How the steps of an execution ended, decided before its handlers run; NULL where none do.
ALTER TABLE workflow_executions ADD COLUMN outcome TEXT
  CHECK (outcome = 'success' OR outcome = 'failed' OR outcome = 'cancelled'
      OR outcome = 'interrupted');

-- Handlers that began. Their positions, in the attempts as well, follow those of the steps.
CREATE TABLE workflow_execution_handlers (
  seq INTEGER NOT NULL,
  position INTEGER NOT NULL,
  handler_name TEXT NOT NULL,
  kind TEXT NOT NULL
    CHECK (kind = 'on_success' OR kind = 'on_failure' OR kind = 'on_cancel' OR kind = 'on_exit'),
  status TEXT NOT NULL
    CHECK (status = 'pending' OR status = 'running' OR status = 'success'
      OR status = 'failed' OR status = 'skipped' OR status = 'cancelled'
      OR status = 'interrupted'),
  started_at TEXT,
  completed_at TEXT,
  duration_ms INTEGER,
  attempt INTEGER NOT NULL,              -- the last one that started; 0: it was withdrawn
  exit_code INTEGER,
  skip_reason TEXT CHECK (skip_reason = 'exit_code'),
  error TEXT,
  outputs TEXT,                          -- JSON object; NULL: none
  PRIMARY KEY (seq, position)
) STRICT, WITHOUT ROWID;

-- Handlers go with their execution, whoever deletes it.
CREATE TRIGGER workflow_executions_deleted_with_handlers AFTER DELETE ON workflow_executions
WHEN old.outcome IS NOT NULL BEGIN
  DELETE FROM workflow_execution_handlers WHERE seq = old.seq;
END;

-- An attempt may end with an exit code that says that there was nothing to do.
PRAGMA writable_schema = ON;

UPDATE sqlite_schema SET sql = replace(sql,
  'CHECK (status = ''success'' OR status = ''failed'' OR status = ''cancelled''
      OR status = ''interrupted'')',
  'CHECK (status = ''success'' OR status = ''failed'' OR status = ''skipped''
      OR status = ''cancelled'' OR status = ''interrupted'')')
WHERE type = 'table' AND name = 'workflow_execution_attempts';

-- Reads the schema anew as well.
PRAGMA writable_schema = RESET;
