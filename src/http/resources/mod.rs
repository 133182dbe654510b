//! What the API answers: one file for each kind of resource.

mod executions;
mod launch;
mod long;
mod observe;
mod readers;
mod ready;
mod workflows;

use std::borrow::Cow;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use tokio_util::sync::CancellationToken;

use super::query;
use super::{Api, Call, Problem, Reply, Route, Seen};
use crate::base::period::Period;
use crate::engine::memory::Memory;
use crate::engine::supervisor::Supervisor;
use crate::operations::catalogue::Catalogue;
use crate::repository::StoreError;
use crate::repository::Writer;

pub use observe::Observed;
pub use readers::Readers;

/// Who may define what is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Definitions {
    /// Only the files of the folder of workflows.
    Files,
    /// Requests as well.
    Api,
}

/// What the resources answer from.
#[derive(Debug)]
pub struct Resources {
    /// Runs executions.
    pub supervisor: Arc<Supervisor>,
    /// Where they are stored.
    pub writer: Arc<Writer>,
    /// Those that are not stored yet.
    pub memory: Arc<Memory>,
    /// The workflows of files.
    pub catalogue: Arc<Catalogue>,
    /// Read-only connections that nobody uses at the moment.
    pub readers: Arc<Readers>,
    /// Who may define what is run.
    pub definitions: Definitions,
    /// Where steps run.
    pub workdir: String,
    /// Cancelled when nothing new is taken.
    pub draining: CancellationToken,
    /// Who is told of what happens.
    pub observed: Observed,
}

impl Api for Resources {
    async fn call(&self, call: Call) -> Reply {
        let Call { route, query, body: given, patience, .. } = call;
        let (query, body) = (query.as_str(), given.as_deref());
        let outcome = match &route {
            Route::Ping => Query::read(query, &[]).map(|_| ready::ping()),
            Route::Healthz => Query::read(query, &[]).map(|_| ready::health()),
            Route::Readyz => Query::read(query, &[]).map(|_| self.ready()),
            Route::Metrics => self.metrics(query).await,
            Route::Slo => self.slo(query),
            Route::Workflows => self.workflows(query),
            Route::Workflow { workflow_id } => self.workflow(workflow_id, query),
            Route::Execute { workflow_id } => {
                self.execute(workflow_id, query, given, &patience).await
            }
            Route::WorkflowExecutions { workflow_id } => self.list(Some(workflow_id), query).await,
            Route::Executions => self.list(None, query).await,
            Route::Execution { execution_id } => self.execution(execution_id, query),
            Route::Replay { execution_id } => {
                self.replay(execution_id, query, body, &patience).await
            }
            Route::Cancel { execution_id } => self.cancel(execution_id, query, body).await,
        };
        outcome.unwrap_or_else(Reply::from)
    }

    fn done(&self, seen: &Seen<'_>) {
        self.observed.request(seen);
    }
}

/// The query of a request: known keys, each once.
struct Query<'q>(Vec<(&'static str, Cow<'q, str>)>);

impl<'q> Query<'q> {
    fn read(query: &'q str, known: &[&'static str]) -> Result<Self, Problem> {
        query::pairs(query, known).map(Self)
    }

    /// The value of a key as what it stands for; 400 when it does not, with what it `takes`.
    fn parsed<T: FromStr>(&self, key: &str, takes: &str) -> Result<Option<T>, Problem> {
        let value = self.0.iter().find(|(name, _)| *name == key).map(|(_, value)| value);
        let read = |value: &Cow<'_, str>| {
            value.parse().map_err(|_| {
                Problem::bad_request(format!("the query key `{key}` cannot be `{value}`"))
                    .with_hint(format!("it takes {takes}"))
            })
        };
        value.map(read).transpose()
    }
}

/// What is wrong is wfx.
fn fault(detail: &str) -> Problem {
    tracing::error!(detail, "a fault of wfx");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, format!("a fault of wfx: {detail}"))
}

fn unavailable(error: &StoreError) -> Problem {
    const RETRY_AFTER: u32 = 2;
    let problem = Problem::unavailable(error.to_string(), RETRY_AFTER);
    match error.hint() {
        Some(hint) => problem.with_hint(hint),
        None => problem,
    }
}

/// How long a request waits for what it started, as a query tells: `30s`, at most 5m.
fn wait(query: &Query<'_>) -> Result<Option<Duration>, Problem> {
    const WAIT_MAX: Duration = Duration::from_secs(300);
    let takes = "a duration of at most 5m such as 30s";
    match query.parsed::<Period>("wait", takes)? {
        Some(period) if period.duration() > WAIT_MAX => {
            Err(Problem::bad_request("the query key `wait` is too long")
                .with_hint(format!("it takes {takes}")))
        }
        period => Ok(period.map(Period::duration)),
    }
}
