-- Version 14. Released: never edited, only followed by further files.
--
-- Sessions of the web page. Neither the session nor its token can be found from what is stored.
CREATE TABLE workflow_sessions (
  hash BLOB PRIMARY KEY,                 -- SHA-256 of the session
  token_proof BLOB NOT NULL,             -- HMAC-SHA-256 of its token, keyed with the session
  expires_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- From which address an execution was started on the web page.
ALTER TABLE workflow_executions ADD COLUMN trigger_address TEXT;
