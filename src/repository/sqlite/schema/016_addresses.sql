-- Version 16. Released: never edited, only followed by further files.
--
-- From which address somebody cancelled, paused or resumed on the web page.
ALTER TABLE workflow_executions ADD COLUMN cancel_requested_address TEXT;
ALTER TABLE workflow_pauses ADD COLUMN paused_address TEXT;
ALTER TABLE workflow_pauses ADD COLUMN resumed_address TEXT;
