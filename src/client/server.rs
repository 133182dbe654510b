//! The API of a daemon as values: the same ones that a database gives.

use std::fmt::Write;
use std::future::Future;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::address::ServerAddress;
use super::connection::{Call, Connection};
use super::error::{ClientError, ClientErrorKind};
use crate::base::timestamp::Timestamp;
use crate::notify::testing::Tested;
use crate::operations::replay::PlannedStep;
use crate::operations::status::WorkflowStatus;
use crate::repository::Queue;
use crate::repository::notifications::{NotificationFilter, NotificationRecord, NotificationState};
use crate::repository::{Lineage, LineageRows, ListFilter};
use crate::workflow::concurrency::WaitingFor;
use crate::workflow::notification::EventKind;
use crate::workflow::output::lines::{NamedPage, NamedPart};
use crate::workflow::pin::Pin;
use crate::workflow::record::{Attempt, ExecutionDetail, ExecutionRecord};
use crate::workflow::record_json::AttemptRow;
use crate::workflow::report::Stream;

/// The most executions of one page.
const PAGE_ITEMS: u32 = 500;
/// The longest that a daemon may be asked to wait.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(300);

/// The media type of lines of JSON.
const NDJSON: &str = "application/x-ndjson";
const EXECUTIONS: &str = "/api/v1/workflows/executions";

/// What a segment of a path, or a value of a query, has as it is.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');

/// A daemon.
#[derive(Debug)]
pub(crate) struct Server {
    pub(super) connection: Connection,
}

/// How much of the output of steps is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutputRead {
    /// What is kept.
    Kept,
    /// None.
    None,
}

/// Which output of an execution is meant.
#[derive(Debug, Clone, Default)]
pub(crate) struct OutputQuery {
    pub step: Option<String>,
    pub attempt: Option<u32>,
    pub stream: Option<Stream>,
    pub since: Option<Timestamp>,
}

/// A page of executions.
#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    pub items: Vec<ExecutionRecord>,
    pub total: u64,
    /// Where the list goes on, if there may be more.
    pub next_cursor: Option<String>,
}

/// Where a list begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PageStart {
    /// After so many of the newest.
    Offset(u64),
    /// After the page that gave this.
    Cursor(String),
}

/// An execution that was accepted.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Started {
    pub execution_id: String,
    pub persisted: bool,
    /// What it waits for before it begins.
    #[serde(default)]
    pub waiting_for: Option<WaitingFor>,
}

/// What the replay of an execution is to be.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReplayRequest<'a> {
    pub from: &'a [String],
    pub failed: bool,
    /// As flags give them.
    pub params: &'a [(String, String)],
}

impl Server {
    /// The daemon at `address`.
    ///
    /// # Errors
    /// As [`Connection::new`].
    pub(crate) fn new(address: ServerAddress, token: Option<&str>) -> Result<Self, ClientError> {
        Ok(Self { connection: Connection::new(address, token)? })
    }

    /// Where it is.
    #[must_use]
    pub(crate) fn address(&self) -> &ServerAddress {
        self.connection.address()
    }

    /// Runs something on the thread of the connection.
    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.connection.block_on(work)
    }

    /// The execution that `reference` means, as commands and the API take them.
    ///
    /// # Errors
    /// When there is no answer, or it is ambiguous.
    pub(crate) fn detail(
        &self,
        reference: &str,
        output: OutputRead,
    ) -> Result<Option<ExecutionDetail>, ClientError> {
        self.block_on(self.look(reference, output))
    }

    /// The same within [`Self::block_on`].
    ///
    /// # Errors
    /// As [`Self::detail`].
    pub(crate) async fn look(
        &self,
        reference: &str,
        output: OutputRead,
    ) -> Result<Option<ExecutionDetail>, ClientError> {
        let Some(path) = execution(reference) else { return Ok(None) };
        let query = if output == OutputRead::None { "?output=none" } else { "" };
        let answer = self.connection.sent(&Call::get(format!("{path}{query}"))).await;
        unless_unknown(answer)?.map(|answer| self.parse(&answer)).transpose()
    }

    /// Its attempts that are kept.
    ///
    /// # Errors
    /// When there is no answer.
    pub(crate) fn attempts(
        &self,
        execution_id: &str,
        output: OutputRead,
    ) -> Result<Vec<Attempt>, ClientError> {
        #[derive(Deserialize)]
        struct Attempts {
            attempts: Vec<AttemptRow>,
        }
        let query = if output == OutputRead::None { "?output=none" } else { "" };
        let path = format!("{EXECUTIONS}/{}/attempts{query}", escaped(execution_id));
        let Attempts { attempts } = self.parse(&self.connection.send(&Call::get(path))?)?;
        Ok(attempts.into_iter().map(Into::into).collect())
    }

    /// A part of what its steps print; `None` where there is no such execution or step.
    ///
    /// # Errors
    /// When there is no answer.
    pub(crate) fn output(
        &self,
        execution_id: &str,
        query: &OutputQuery,
        from: u64,
    ) -> Result<Option<NamedPage>, ClientError> {
        let mut path = format!("{EXECUTIONS}/{}/output?from={from}", escaped(execution_id));
        // Writing to a text cannot fail.
        if let Some(step) = &query.step {
            let _ = write!(path, "&step={}", escaped(step));
        }
        if let Some(attempt) = query.attempt {
            let _ = write!(path, "&attempt={attempt}");
        }
        if let Some(stream) = query.stream {
            let _ = write!(path, "&stream={}", stream.as_str());
        }
        if let Some(since) = query.since {
            let _ = write!(path, "&since={}", escaped(&since.to_string()));
        }
        let call = Call { accept: NDJSON, ..Call::get(path) };
        let answered = self.block_on(self.connection.answered(&call));
        let Some((headers, body)) = unless_unknown(answered)? else { return Ok(None) };
        let foreign = || ClientError::foreign(self.address(), "its output is not as expected");
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let next_from = header("x-next-from").and_then(|value| value.parse().ok());
        let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let parts = lines.map(NamedPart::parse).collect::<Option<Vec<_>>>();
        Ok(Some(NamedPage {
            parts: parts.ok_or_else(foreign)?,
            next_from: next_from.ok_or_else(foreign)?,
            is_complete: header("x-complete") == Some("true"),
        }))
    }

    /// What it repeats, and what repeats it.
    ///
    /// # Errors
    /// When there is no answer.
    pub(crate) fn lineage(&self, execution_id: &str) -> Result<Lineage, ClientError> {
        let path = format!("{EXECUTIONS}/{}/lineage", escaped(execution_id));
        let rows: LineageRows = self.parse(&self.connection.send(&Call::get(path))?)?;
        rows.tree().ok_or_else(|| ClientError::foreign(self.address(), "its lineage is no tree"))
    }

    /// A page of at most `limit` executions that fit `filter`, newest first.
    ///
    /// # Errors
    /// When there is no answer.
    pub(crate) fn list(
        &self,
        filter: &ListFilter,
        limit: u32,
        from: &PageStart,
    ) -> Result<Page, ClientError> {
        let mut path = match &filter.workflow_id {
            // No workflow has an id that no path can hold.
            Some(id) if !is_segment(id) => {
                return Ok(Page { items: Vec::new(), total: 0, next_cursor: None });
            }
            Some(id) => format!("/api/v1/workflows/{}/executions", escaped(id)),
            None => EXECUTIONS.to_owned(),
        };
        // Writing to a text cannot fail.
        let _ = write!(path, "?limit={}", limit.min(PAGE_ITEMS));
        let _ = match from {
            PageStart::Offset(offset) => write!(path, "&offset={offset}"),
            PageStart::Cursor(cursor) => write!(path, "&cursor={}", escaped(cursor)),
        };
        if let Some(status) = filter.status {
            let _ = write!(path, "&status={status}");
        }
        if let Some(since) = filter.since {
            let _ = write!(path, "&since={}", escaped(&since.at.to_string()));
        }
        self.parse(&self.connection.send(&Call::get(path))?)
    }

    /// The ids of the workflows of the daemon's catalogue.
    ///
    /// # Errors
    /// When there is no answer.
    pub(crate) fn workflow_ids(&self) -> Result<Vec<String>, ClientError> {
        #[derive(Deserialize)]
        struct Workflows {
            items: Vec<Workflow>,
        }
        #[derive(Deserialize)]
        struct Workflow {
            workflow_id: String,
        }
        let answer = self.connection.send(&Call::get("/api/v1/workflows".to_owned()))?;
        let Workflows { items } = self.parse(&answer)?;
        Ok(items.into_iter().map(|workflow| workflow.workflow_id).collect())
    }

    /// Starts a workflow of the daemon's catalogue.
    ///
    /// # Errors
    /// When there is no answer, or it cannot be started so.
    pub(crate) fn start(
        &self,
        workflow_id: &str,
        params: &[(String, String)],
    ) -> Result<Started, ClientError> {
        let call = self.start_call(workflow_id, params)?;
        self.parse(&self.connection.send(&call)?)
    }

    /// The same, and waits for its end, for as long as a daemon waits.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub(crate) fn start_and_wait(
        &self,
        workflow_id: &str,
        params: &[(String, String)],
    ) -> Result<Waited, ClientError> {
        let mut call = self.start_call(workflow_id, params)?;
        let _ = write!(call.path, "&wait={}s", WAIT_MAX.as_secs());
        call.wait = WAIT_MAX;
        let answer = self.connection.send(&call)?;
        // Whichever of the two it is, its first key says.
        if answer.starts_with(br#"{"execution":"#) {
            return Ok(Waited::Detail(Box::new(self.parse(&answer)?)));
        }
        Ok(Waited::Started(self.parse(&answer)?))
    }

    fn start_call(
        &self,
        workflow_id: &str,
        params: &[(String, String)],
    ) -> Result<Call, ClientError> {
        if !is_segment(workflow_id) {
            let message = format!("no workflow has the id `{workflow_id}`");
            return Err(ClientError::new(ClientErrorKind::Unknown, message));
        }
        let path = format!("/api/v1/workflows/{}/execute?params=text", escaped(workflow_id));
        let body = (!params.is_empty()).then(|| format!("{{\"params\":{}}}", object(params)));
        Ok(Call::post(path, body))
    }

    /// Replays an execution.
    ///
    /// # Errors
    /// When there is no answer, or it cannot be replayed so.
    pub(crate) fn replay(
        &self,
        execution_id: &str,
        request: &ReplayRequest<'_>,
    ) -> Result<Started, ClientError> {
        let path = format!("{EXECUTIONS}/{}/replay?params=text", escaped(execution_id));
        let call = Call::post(path, Some(request.body()));
        self.parse(&self.connection.send(&call)?)
    }

    /// What a replay would do with each step.
    ///
    /// # Errors
    /// As [`Self::replay`].
    pub(crate) fn replay_plan(
        &self,
        execution_id: &str,
        request: &ReplayRequest<'_>,
    ) -> Result<Vec<PlannedStep>, ClientError> {
        #[derive(Deserialize)]
        struct Plan {
            steps: Vec<PlannedStep>,
        }
        let path =
            format!("{EXECUTIONS}/{}/replay?dry_run=true&params=text", escaped(execution_id));
        let call = Call::post(path, Some(request.body()));
        let Plan { steps } = self.parse(&self.connection.send(&call)?)?;
        Ok(steps)
    }

    /// The state of every workflow.
    ///
    /// # Errors
    /// When there is no answer.
    pub(crate) fn status(&self) -> Result<Vec<WorkflowStatus>, ClientError> {
        #[derive(Deserialize)]
        struct Status {
            workflows: Vec<WorkflowStatus>,
        }
        let answer = self.connection.send(&Call::get("/api/v1/status".to_owned()))?;
        let Status { workflows } = self.parse(&answer)?;
        Ok(workflows)
    }

    /// Who waits for a slot of a concurrency group.
    ///
    /// # Errors
    /// When there is no answer.
    pub(crate) fn queue(&self) -> Result<Queue, ClientError> {
        let answer = self.connection.send(&Call::get("/api/v1/queue".to_owned()))?;
        self.parse(&answer)
    }

    /// Notifications, newest first.
    ///
    /// # Errors
    /// When there is no answer.
    pub(crate) fn notifications(
        &self,
        filter: &NotificationFilter,
    ) -> Result<Vec<NotificationRecord>, ClientError> {
        #[derive(Deserialize)]
        struct Page {
            items: Vec<NotificationRecord>,
            next_cursor: Option<String>,
        }
        let (mut items, mut cursor) = (Vec::new(), None::<String>);
        let limit = filter.limit as usize;
        while items.len() < limit {
            let count = limit.saturating_sub(items.len()).min(PAGE_ITEMS as usize);
            let mut path = format!("/api/v1/notifications?limit={count}");
            let given = [
                ("cursor", cursor.as_deref()),
                ("channel", filter.channel.as_deref()),
                ("workflow", filter.workflow_id.as_deref()),
                ("state", filter.state.map(NotificationState::as_str)),
            ];
            for (key, value) in given.into_iter().filter_map(|(key, value)| Some((key, value?))) {
                let _ = write!(path, "&{key}={}", escaped(value));
            }
            let page: Page = self.parse(&self.connection.send(&Call::get(path))?)?;
            items.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        Ok(items)
    }

    /// Has the daemon send a test to one of its channels, or all.
    ///
    /// # Errors
    /// When there is no answer, or no such channel.
    pub(crate) fn test_channels(
        &self,
        channel: Option<&str>,
        event: EventKind,
    ) -> Result<Vec<Tested>, ClientError> {
        #[derive(Deserialize)]
        struct Answer {
            tested: Vec<Tested>,
        }
        let body = json!({ "channel": channel, "event": event }).to_string();
        let call = Call::post("/api/v1/notifications/test".to_owned(), Some(body));
        let Answer { tested } = self.parse(&self.connection.send(&call)?)?;
        Ok(tested)
    }

    /// Pins an execution with a reason, or unpins it.
    ///
    /// # Errors
    /// When there is no answer, or there is no such execution.
    pub(crate) fn pin(&self, execution_id: &str, pin: Option<&Pin>) -> Result<(), ClientError> {
        let path = format!("{EXECUTIONS}/{}", escaped(execution_id));
        let call = match pin {
            Some(pin) => {
                let body = match &pin.reason {
                    Some(reason) => json!({ "reason": reason }),
                    None => json!({}),
                };
                Call::post(format!("{path}/pin"), Some(body.to_string()))
            }
            None => Call::post(format!("{path}/unpin"), None),
        };
        self.connection.send(&call).map(|_| ())
    }

    /// Asks for the end of an execution.
    ///
    /// # Errors
    /// When there is no answer, or it has ended.
    pub(crate) fn cancel(&self, execution_id: &str) -> Result<(), ClientError> {
        let path = format!("{EXECUTIONS}/{}/cancel", escaped(execution_id));
        self.connection.send(&Call::post(path, None)).map(|_| ())
    }

    pub(super) fn parse<T: DeserializeOwned>(&self, answer: &[u8]) -> Result<T, ClientError> {
        serde_json::from_slice(answer).map_err(|error| {
            let what = format!("its answer is not as expected: {error}");
            self.connection.without_token(ClientError::foreign(self.address(), &what))
        })
    }
}

/// How a start that was waited for stands.
#[derive(Debug)]
pub(crate) enum Waited {
    /// As it is shown.
    Detail(Box<ExecutionDetail>),
    /// It was accepted; nothing else is known.
    Started(Started),
}

impl ReplayRequest<'_> {
    fn body(&self) -> String {
        let Self { from, failed, params } = self;
        let params = object(params);
        format!("{{\"from\":{},\"failed\":{failed},\"params\":{params}}}", json!(from))
    }
}

/// An object of texts. One that is given twice stands in it twice, which the daemon refuses.
fn object(params: &[(String, String)]) -> String {
    let pairs = params.iter().map(|(name, value)| format!("{}:{}", json!(name), json!(value)));
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
}

fn execution(reference: &str) -> Option<String> {
    is_segment(reference).then(|| format!("{EXECUTIONS}/{}", escaped(reference)))
}

/// Whether a path can hold it as one part.
pub(super) fn is_segment(text: &str) -> bool {
    !text.is_empty()
        && !matches!(text, "." | "..")
        && !text.contains(|character: char| character == '/' || character.is_control())
}

pub(super) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// `None` for what is not there.
fn unless_unknown<T>(answer: Result<T, ClientError>) -> Result<Option<T>, ClientError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.kind() == ClientErrorKind::Unknown => Ok(None),
        Err(error) => Err(error),
    }
}
