-- Version 15. Released: never edited, only followed by further files.
--
-- Alerts of service levels whose breach is not over. If the daemon that raised one ends, the next one
-- adopts it, so that its receivers are notified of the end.
CREATE TABLE workflow_open_alerts (
  owner TEXT NOT NULL,                   -- the daemon that resolves it; '': the next one
  channel TEXT NOT NULL,
  event TEXT NOT NULL,                   -- the type of the alert
  since TEXT NOT NULL,                   -- when the breach began; receivers know the incident by it
  content TEXT NOT NULL,                 -- what was sent last
  PRIMARY KEY (owner, channel, event, since)
) STRICT, WITHOUT ROWID;
