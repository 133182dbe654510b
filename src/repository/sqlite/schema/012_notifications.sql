-- Version 12. Released: never edited, only followed by further files.
--
-- Notifications: incidents, and the outbox from which they are delivered.

-- What is wrong, or was, of each workflow and kind of event.
CREATE TABLE workflow_incidents (
  incident_id INTEGER PRIMARY KEY,
  subject TEXT NOT NULL,                 -- the workflow; `adhoc/` before it where a request defined it
  event TEXT NOT NULL,
  opened_at TEXT NOT NULL,
  closed_at TEXT,
  occurrences INTEGER NOT NULL,          -- in a row
  last_execution TEXT                    -- the execution that was counted last
) STRICT;

-- At most one is open for each workflow and event.
CREATE UNIQUE INDEX workflow_incidents_open ON workflow_incidents (subject, event)
  WHERE closed_at IS NULL;
-- Which go with their age.
CREATE INDEX workflow_incidents_closed ON workflow_incidents (closed_at)
  WHERE closed_at IS NOT NULL;

-- The channels that were notified of an incident.
CREATE TABLE workflow_incident_channels (
  incident_id INTEGER NOT NULL,
  channel TEXT NOT NULL,
  accepted INTEGER NOT NULL DEFAULT 0 CHECK (accepted IN (0, 1)),
  remind_ms INTEGER,
  remind_at TEXT,                        -- NULL: never again
  PRIMARY KEY (incident_id, channel)
) STRICT, WITHOUT ROWID;

-- Who is to be reminded.
CREATE INDEX workflow_incident_channels_remind ON workflow_incident_channels (remind_at)
  WHERE remind_at IS NOT NULL;

-- The outbox, and what was delivered.
CREATE TABLE workflow_notifications (
  seq INTEGER PRIMARY KEY,
  notification_id TEXT NOT NULL UNIQUE,  -- the same on every attempt
  origin TEXT UNIQUE,                    -- what it is about: nothing is notified twice
  channel TEXT NOT NULL,
  event TEXT NOT NULL,
  thread TEXT NOT NULL,                  -- those of one thread and channel are sent one after another
  workflow_id TEXT,
  execution_id TEXT,
  incident_id INTEGER,
  state TEXT NOT NULL CHECK (state IN ('pending', 'accepted', 'given_up', 'dropped')),
  created_at TEXT NOT NULL,
  next_at TEXT,                          -- when it is tried, or its lease ends; NULL: it has ended
  ended_at TEXT,
  attempts INTEGER NOT NULL DEFAULT 0,
  claimed_by TEXT,                       -- the process that sends it now
  after_seq INTEGER,                     -- the one before it in its thread
  error TEXT,                            -- why the last attempt failed
  content TEXT NOT NULL
) STRICT;

-- What a channel has to send, the earliest first.
CREATE INDEX workflow_notifications_due ON workflow_notifications (channel, next_at)
  WHERE state = 'pending';
-- What is before a new one.
CREATE INDEX workflow_notifications_threads ON workflow_notifications (thread, channel, seq)
  WHERE state = 'pending';
-- Which processes send something now.
CREATE INDEX workflow_notifications_claims ON workflow_notifications (claimed_by)
  WHERE claimed_by IS NOT NULL;
-- Which go with their age.
CREATE INDEX workflow_notifications_ended ON workflow_notifications (ended_at)
  WHERE ended_at IS NOT NULL;
-- The history of one workflow.
CREATE INDEX workflow_notifications_of_workflow ON workflow_notifications (workflow_id, seq);

-- The channels that the daemons of this database deliver.
CREATE TABLE workflow_notification_couriers (
  owner TEXT NOT NULL,
  channel TEXT NOT NULL,
  PRIMARY KEY (owner, channel)
) STRICT, WITHOUT ROWID;
