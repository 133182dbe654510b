-- Version 5. Released: never edited, only followed by further files.
--
-- Why a step was skipped: its own condition, its own exit code, or a step it depends on.
ALTER TABLE workflow_execution_steps ADD COLUMN skip_reason TEXT
  CHECK (skip_reason = 'condition' OR skip_reason = 'exit_code' OR skip_reason = 'dependency');

UPDATE workflow_execution_steps SET skip_reason = 'dependency'
WHERE status = 'skipped' AND error LIKE '`%`, which it depends on, %';

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
