//! The schedules of a daemon as values.

use std::fmt::Write;

use serde::Deserialize;
use serde_json::json;

use super::connection::Call;
use super::error::{ClientError, ClientErrorKind};
use super::server::{Server, Started, escaped, is_segment};
use crate::base::timestamp::Timestamp;
use crate::operations::schedules::{self, ScheduleStatus};
use crate::workflow::schedule_record::{DecisionRecord, PauseRecord};

impl Server {
    /// Every schedule.
    ///
    /// # Errors
    /// When there is no answer.
    pub(crate) fn schedules(&self) -> Result<Vec<ScheduleStatus>, ClientError> {
        #[derive(Deserialize)]
        struct Schedules {
            schedules: Vec<ScheduleStatus>,
        }
        let answer = self.connection.send(&Call::get("/api/v1/schedules".to_owned()))?;
        let Schedules { schedules } = self.parse(&answer)?;
        Ok(schedules)
    }

    /// At most `limit` rows of decisions after `position`, the latest scheduled time first.
    ///
    /// # Errors
    /// When there is no answer.
    pub(crate) fn decisions(
        &self,
        workflow_id: Option<&str>,
        position: Option<&DecisionRecord>,
        limit: u32,
    ) -> Result<Vec<DecisionRecord>, ClientError> {
        #[derive(Deserialize)]
        struct Decisions {
            decisions: Vec<DecisionRecord>,
        }
        let mut path = match schedules_path(workflow_id, "decisions") {
            Some(path) => format!("{path}?limit={limit}"),
            // No workflow has an id that no path can hold.
            None => return Ok(Vec::new()),
        };
        if let Some(last) = position {
            // Writing to a text cannot fail.
            let _ = write!(path, "&cursor={}", schedules::cursor(last));
        }
        let Decisions { decisions } = self.parse(&self.connection.send(&Call::get(path))?)?;
        Ok(decisions)
    }

    /// Lets the schedules of a workflow, or of all, start nothing.
    ///
    /// # Errors
    /// When there is no answer, or no such workflow.
    pub(crate) fn pause(
        &self,
        workflow_id: Option<&str>,
        until: Option<Timestamp>,
        reason: Option<&str>,
    ) -> Result<PauseRecord, ClientError> {
        let path = schedules_path(workflow_id, "pause").ok_or_else(unknown_schedules)?;
        let body = json!({ "until": until, "reason": reason }).to_string();
        self.parse(&self.connection.send(&Call::post(path, Some(body)))?)
    }

    /// Lets them start again; whether they were paused.
    ///
    /// # Errors
    /// As [`Self::pause`].
    pub(crate) fn resume(&self, workflow_id: Option<&str>) -> Result<bool, ClientError> {
        #[derive(Deserialize)]
        struct Resumed {
            was_paused: bool,
        }
        let path = schedules_path(workflow_id, "resume").ok_or_else(unknown_schedules)?;
        let Resumed { was_paused } = self.parse(&self.connection.send(&Call::post(path, None))?)?;
        Ok(was_paused)
    }

    /// Starts a scheduled time by hand: the last one that was missed, or `at`.
    ///
    /// # Errors
    /// When there is no answer, or it cannot be started so.
    pub(crate) fn run_scheduled(
        &self,
        workflow_id: &str,
        schedule: Option<&str>,
        at: Option<Timestamp>,
    ) -> Result<Started, ClientError> {
        let path = schedules_path(Some(workflow_id), "run-scheduled");
        let path = path.ok_or_else(unknown_schedules)?;
        let body = json!({ "schedule": schedule, "at": at }).to_string();
        self.parse(&self.connection.send(&Call::post(path, Some(body)))?)
    }
}

/// What is asked for of the schedules of a workflow, or of all.
fn schedules_path(workflow_id: Option<&str>, what: &str) -> Option<String> {
    match workflow_id {
        None => Some(format!("/api/v1/schedules/{what}")),
        Some(id) => is_segment(id).then(|| format!("/api/v1/workflows/{}/{what}", escaped(id))),
    }
}

fn unknown_schedules() -> ClientError {
    ClientError::new(ClientErrorKind::Unknown, "no workflow has that id".to_owned())
}
