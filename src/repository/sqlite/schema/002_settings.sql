-- Version 2. Released: never edited, only followed by further files.

-- What a daemon was told and others follow: `retention`, how many finished executions are
-- kept; 0: all.
CREATE TABLE workflow_settings (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
