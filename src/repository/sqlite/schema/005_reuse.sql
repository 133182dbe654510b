-- Version 5. Released: never edited, only followed by further files.
--
-- Steps that a replay did not run but took over from the execution that it replays.

-- The id of the execution in which the step really ran; NULL: it ran in this one. May outlive
-- its target.
ALTER TABLE workflow_execution_steps ADD COLUMN reused_from TEXT;
-- The number of that execution, which is shown once it is deleted.
ALTER TABLE workflow_execution_steps ADD COLUMN reused_from_seq INTEGER;
-- The position of the step there, which its output is stored under; NULL: it wrote nothing.
ALTER TABLE workflow_execution_steps ADD COLUMN reused_position INTEGER;
