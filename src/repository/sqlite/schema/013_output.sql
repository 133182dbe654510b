-- Version 13. Released: never edited, only followed by further files.
--
-- Everything that steps print, up to a budget. A chunk holds what one attempt wrote to both of its
-- streams in a span of time, in the order of arrival.
--
-- Counts are of bytes as they were written, whatever was dropped: `own_…` of the attempt before the
-- chunk, `all_…` of the whole execution before the chunk, `end_…` of the whole execution after it.
-- So a place in the output stays the same place when something before it is dropped.
CREATE TABLE workflow_output (
  chunk INTEGER PRIMARY KEY,             -- in the order they were begun: the oldest goes first
  seq INTEGER NOT NULL,
  position INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  own_stdout INTEGER NOT NULL,
  own_stderr INTEGER NOT NULL,
  all_stdout INTEGER NOT NULL,
  all_stderr INTEGER NOT NULL,
  end_stdout INTEGER NOT NULL,
  end_stderr INTEGER NOT NULL,
  stdout INTEGER NOT NULL,               -- bytes of the chunk itself
  stderr INTEGER NOT NULL,
  first INTEGER NOT NULL,                -- all_stdout + all_stderr
  ends INTEGER NOT NULL,                 -- end_stdout + end_stderr
  began_us INTEGER NOT NULL,             -- when its first and its last bytes came, microseconds since
  ended_us INTEGER NOT NULL,             -- 1970
  size INTEGER NOT NULL,                 -- what it counts for in the budget of all executions
  data BLOB NOT NULL
) STRICT;

-- The output of an execution in order, of a step, and how much that is.
CREATE INDEX workflow_output_in_order
  ON workflow_output (seq, ends, first, position, attempt, size);

-- The size of all output; kept by triggers, so that whatever deletes some is counted.
CREATE TABLE workflow_output_usage (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  bytes INTEGER NOT NULL
) STRICT;

INSERT INTO workflow_output_usage VALUES (1, 0);

CREATE TRIGGER workflow_output_inserted AFTER INSERT ON workflow_output BEGIN
  UPDATE workflow_output_usage SET bytes = bytes + new.size WHERE id = 1;
END;

CREATE TRIGGER workflow_output_grown AFTER UPDATE OF size ON workflow_output BEGIN
  UPDATE workflow_output_usage SET bytes = bytes + new.size - old.size WHERE id = 1;
END;

CREATE TRIGGER workflow_output_deleted AFTER DELETE ON workflow_output BEGIN
  UPDATE workflow_output_usage SET bytes = bytes - old.size WHERE id = 1;
END;

-- Output goes with its execution, whoever deletes it. wfx deletes it first, many at a time.
CREATE TRIGGER workflow_executions_deleted_with_output AFTER DELETE ON workflow_executions
WHEN EXISTS (SELECT 1 FROM workflow_output WHERE seq = old.seq) BEGIN
  DELETE FROM workflow_output WHERE seq = old.seq;
END;
