-- Version 11. Released: never edited, only followed by further files.
--
-- Schedules: since when wfx knows them, what was decided of each scheduled time, pauses, and
-- expectations that are not met.

CREATE TABLE workflow_schedules (
  workflow_id TEXT NOT NULL,
  schedule TEXT NOT NULL,                -- its name
  timing TEXT NOT NULL,                  -- expression and zone: with another one it is a new schedule
  first_seen TEXT NOT NULL,              -- nothing before this is decided
  decided_until TEXT,                    -- every scheduled time up to this one is decided
  decisions INTEGER NOT NULL,            -- how many rows it has
  PRIMARY KEY (workflow_id, schedule)
) STRICT, WITHOUT ROWID;

-- What became of each scheduled time. Consecutive ones at which nothing was started, for the same
-- reason, are one row.
CREATE TABLE workflow_schedule_decisions (
  workflow_id TEXT NOT NULL,
  schedule TEXT NOT NULL,
  scheduled_at TEXT NOT NULL,            -- the first scheduled time
  scheduled_until TEXT NOT NULL,         -- the last one
  count INTEGER NOT NULL,                -- how many
  decided_at TEXT NOT NULL,              -- when that was decided of the last one
  action TEXT NOT NULL
    CHECK (action IN ('started', 'skipped', 'missed', 'queued', 'deferred')),
  reason TEXT NOT NULL,
  execution_id TEXT,                     -- the one that was started, or the one in the way
  catch_up INTEGER NOT NULL,             -- 1: it makes up for a missed time
  PRIMARY KEY (workflow_id, schedule, scheduled_at)
) STRICT, WITHOUT ROWID;

CREATE INDEX workflow_schedule_decisions_by_time
  ON workflow_schedule_decisions (scheduled_at);
CREATE INDEX workflow_schedule_decisions_by_workflow
  ON workflow_schedule_decisions (workflow_id, scheduled_at);
CREATE INDEX workflow_schedule_decisions_waiting
  ON workflow_schedule_decisions (workflow_id, schedule)
  WHERE action = 'queued' OR action = 'deferred';

-- Spans without scheduled starts.
CREATE TABLE workflow_pauses (
  id INTEGER PRIMARY KEY,
  workflow_id TEXT,                      -- NULL: all workflows
  paused_at TEXT NOT NULL,
  paused_until TEXT,                     -- NULL: until somebody resumes it
  reason TEXT,
  paused_by TEXT,
  resumed_by TEXT
) STRICT;

-- Expectations that were not met: open until they are met again.
CREATE TABLE workflow_expectations (
  id INTEGER PRIMARY KEY,
  workflow_id TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('missed', 'late', 'slow', 'stale')),
  count INTEGER NOT NULL,                -- how often since it is open
  raised_at TEXT NOT NULL,
  cleared_at TEXT,
  schedule TEXT,
  scheduled_at TEXT,
  execution_id TEXT
) STRICT;

CREATE UNIQUE INDEX workflow_expectations_open ON workflow_expectations (workflow_id, kind)
  WHERE cleared_at IS NULL;
CREATE INDEX workflow_expectations_by_workflow ON workflow_expectations (workflow_id, raised_at);
