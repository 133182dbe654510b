-- Version 1. Released: never edited, only followed by further files.
--
-- Times are RFC 3339 UTC with six digits and a `Z`, so that texts sort as times do.
-- Small columns come first and long ones last, so that a list reads no overflow page.

CREATE TABLE workflow_executions (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice: `@12` stays one execution
  execution_id TEXT NOT NULL UNIQUE,     -- also finds an id by its prefix
  workflow_id TEXT NOT NULL,
  status TEXT NOT NULL
    CHECK (status IN ('pending', 'running', 'success', 'failed', 'cancelled', 'interrupted')),
  created_at TEXT NOT NULL,
  started_at TEXT,
  completed_at TEXT,
  updated_at TEXT NOT NULL,
  steps_completed INTEGER NOT NULL,
  total_steps INTEGER NOT NULL,
  replay_of TEXT,                        -- may outlive its target
  owner TEXT,                            -- the process that runs it; NULL once it ended
  cancel_requested_at TEXT,
  error TEXT,
  step_order TEXT NOT NULL,              -- JSON list of step names by position
  input_snapshot TEXT NOT NULL,          -- JSON: definition, params, workdir
  CHECK ((completed_at IS NULL) = (status IN ('pending', 'running')))
) STRICT;

-- One workflow's executions, newest first.
CREATE INDEX workflow_executions_by_workflow ON workflow_executions (workflow_id);

-- Executions in one state, newest first. Success is what most have: those are found by
-- going through all, and their rows cost no entry here.
CREATE INDEX workflow_executions_by_status ON workflow_executions (status)
  WHERE status <> 'success';

-- Finished executions in the order they completed: what retention deletes next.
CREATE INDEX workflow_executions_finished ON workflow_executions (completed_at)
  WHERE completed_at IS NOT NULL;

-- The replays of an execution.
CREATE INDEX workflow_executions_replays ON workflow_executions (replay_of)
  WHERE replay_of IS NOT NULL;

CREATE TABLE workflow_execution_steps (
  seq INTEGER NOT NULL,
  position INTEGER NOT NULL,
  step_name TEXT NOT NULL,
  status TEXT NOT NULL
    CHECK (status IN
      ('pending', 'running', 'success', 'failed', 'skipped', 'cancelled', 'interrupted')),
  started_at TEXT,
  completed_at TEXT,
  duration_ms INTEGER,
  attempt INTEGER NOT NULL,              -- the last one that started; 0: none
  exit_code INTEGER,
  depends_on TEXT NOT NULL,              -- JSON list of step names
  error TEXT,
  outputs TEXT,                          -- JSON object; NULL: none
  PRIMARY KEY (seq, position)
) STRICT, WITHOUT ROWID;

-- Attempts that wrote something or were not the only one of their step. Output makes
-- rows long, so this table has rowids where that of the steps has none.
CREATE TABLE workflow_execution_attempts (
  seq INTEGER NOT NULL,
  position INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  status TEXT NOT NULL
    CHECK (status IN ('success', 'failed', 'cancelled', 'interrupted')),
  started_at TEXT NOT NULL,
  completed_at TEXT NOT NULL,
  duration_ms INTEGER NOT NULL,
  exit_code INTEGER,
  stdout_bytes INTEGER NOT NULL,         -- written in all; more than kept: truncated
  stderr_bytes INTEGER NOT NULL,
  error TEXT,
  stdout TEXT,                           -- the end of it; NULL: nothing was written
  stderr TEXT,
  UNIQUE (seq, position, attempt)
) STRICT;

CREATE VIEW workflow_execution_steps_by_id AS
  SELECT executions.execution_id, steps.*
  FROM workflow_executions AS executions
  JOIN workflow_execution_steps AS steps ON steps.seq = executions.seq;

-- How many executions of each workflow are in each state: true totals without counting.
CREATE TABLE workflow_execution_counts (
  workflow_id TEXT NOT NULL,
  status TEXT NOT NULL,
  executions INTEGER NOT NULL,
  PRIMARY KEY (workflow_id, status)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER workflow_executions_inserted AFTER INSERT ON workflow_executions BEGIN
  INSERT INTO workflow_execution_counts VALUES (new.workflow_id, new.status, 1)
    ON CONFLICT DO UPDATE SET executions = executions + 1;
END;

CREATE TRIGGER workflow_executions_moved
AFTER UPDATE OF status, workflow_id ON workflow_executions
WHEN new.status <> old.status OR new.workflow_id <> old.workflow_id BEGIN
  UPDATE workflow_execution_counts SET executions = executions - 1
    WHERE workflow_id = old.workflow_id AND status = old.status;
  INSERT INTO workflow_execution_counts VALUES (new.workflow_id, new.status, 1)
    ON CONFLICT DO UPDATE SET executions = executions + 1;
END;

CREATE TRIGGER workflow_executions_deleted AFTER DELETE ON workflow_executions BEGIN
  UPDATE workflow_execution_counts SET executions = executions - 1
    WHERE workflow_id = old.workflow_id AND status = old.status;
END;

-- Steps, attempts and output go with their execution, whoever deletes it. wfx deletes
-- them first, many at a time; then this has nothing to do.
CREATE TRIGGER workflow_executions_deleted_alone AFTER DELETE ON workflow_executions
WHEN EXISTS (SELECT 1 FROM workflow_execution_steps WHERE seq = old.seq)
  OR EXISTS (SELECT 1 FROM workflow_execution_attempts WHERE seq = old.seq) BEGIN
  DELETE FROM workflow_execution_attempts WHERE seq = old.seq;
  DELETE FROM workflow_execution_steps WHERE seq = old.seq;
END;

-- What processes that share this database agree on.
CREATE TABLE wfx_settings (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
