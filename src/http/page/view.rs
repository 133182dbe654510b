//! What pages are made from, and how each request sees them.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::HeaderMap;
use jiff::tz::TimeZone;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::base::civil::Civil;
use crate::base::timestamp::Timestamp;
use crate::base::{clock, zone};
use crate::http::api::resources::context::Resources;
use crate::http::exchange::problem::Problem;
use crate::http::page::headers::cookie;
use crate::http::page::memo::Memo;
use crate::http::page::rate::Rate;
use crate::http::page::sessions::Sessions;
use crate::operations::rehearsal::Workflow;
use crate::operations::status::median;
use crate::repository::{FailingWorkflow, Reader, StoreError};
use crate::workflow::schedule_record::OverdueRecord;

/// The cookie with the zone that somebody chose.
pub(super) const ZONE_COOKIE: &str = "wfx-zone";
/// How often the signals are noted, and how many times.
pub(crate) const SAMPLE_EVERY: Duration = Duration::from_secs(30);
const SAMPLES_MAX: usize = 120;
/// So many successes say how long a workflow usually takes.
const USUAL_OF: u32 = 20;
/// For how long it is not looked up again, and what fails neither.
const USUAL_KEPT: Duration = Duration::from_secs(30);
const FAILING_KEPT: Duration = Duration::from_secs(1);
/// The most workflows that a page says fail.
const FAILING_MAX: u32 = 100;
/// What stands in a path as it is.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'@');

/// What pages are made from.
#[derive(Debug)]
pub(crate) struct Pages {
    /// What the API answers from.
    pub resources: Arc<Resources>,
    /// Who is logged in.
    pub sessions: Sessions,
    /// The machine.
    pub host: String,
    /// When the daemon began.
    pub since: Timestamp,
    /// The zone of the machine.
    pub zone: TimeZone,
    usual: Memo<String, Option<u64>>,
    failing: Memo<(), Arc<[FailingWorkflow]>>,
    overdue: Memo<(), Arc<[OverdueRecord]>>,
    pub(super) rate: Mutex<Rate>,
    /// The values of the four signals over the last hour, the newest last.
    trend: Mutex<VecDeque<[Option<f64>; 4]>>,
}

impl Pages {
    /// Pages of a daemon on `host`, whose clocks are those of `zone`.
    #[must_use]
    pub(crate) fn new(
        resources: Arc<Resources>,
        sessions: Sessions,
        host: String,
        zone: TimeZone,
    ) -> Self {
        Self {
            resources,
            sessions,
            host,
            since: clock::now(),
            zone,
            usual: Memo::new(USUAL_KEPT),
            failing: Memo::new(FAILING_KEPT),
            overdue: Memo::new(FAILING_KEPT),
            rate: Mutex::default(),
            trend: Mutex::default(),
        }
    }

    /// Notes the values of the signals, to be shown over time.
    pub(crate) fn sample(&self) {
        let standings = self.resources.observed.monitor.standings();
        let values = standings.indicators.map(|stand| stand.standing.value);
        let mut trend = self.trend.lock().unwrap_or_else(PoisonError::into_inner);
        if trend.len() >= SAMPLES_MAX {
            trend.pop_front();
        }
        trend.push_back(values);
    }

    /// The values of a signal over the last hour; nothing for the time before.
    pub(super) fn trend(&self, signal: usize) -> Vec<Option<f64>> {
        let trend = self.trend.lock().unwrap_or_else(PoisonError::into_inner);
        let known = trend.iter().map(|values| values.get(signal).copied().flatten());
        std::iter::repeat_n(None, SAMPLES_MAX - trend.len()).chain(known).collect()
    }

    /// Wrong tokens are counted one by one.
    pub(super) fn rate(&self) -> std::sync::MutexGuard<'_, Rate> {
        self.rate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How one request sees the pages.
pub(super) struct View<'a> {
    pub pages: &'a Pages,
    pub headers: &'a HeaderMap,
    pub now: Timestamp,
    pub began: Instant,
    pub civil: Civil,
    /// Whether the zone is that of the machine.
    pub is_server_zone: bool,
    /// From the address of this page to that of the home page.
    pub base: String,
    pub has_session: bool,
}

impl<'a> View<'a> {
    pub(super) fn of(
        pages: &'a Pages,
        path: &str,
        headers: &'a HeaderMap,
        has_session: bool,
    ) -> Self {
        let chosen = cookie(headers, ZONE_COOKIE).and_then(|name| {
            let name = percent_encoding::percent_decode_str(name).decode_utf8().ok()?;
            zone::named(&name)
        });
        let base = match path.bytes().filter(|&byte| byte == b'/').count() {
            0 | 1 => "./".to_owned(),
            depth => "../".repeat(depth - 1),
        };
        Self {
            pages,
            headers,
            now: clock::now(),
            began: clock::monotonic(),
            is_server_zone: chosen.is_none(),
            civil: Civil::of(chosen.unwrap_or_else(|| pages.zone.clone())),
            base,
            has_session,
        }
    }

    /// Reads over a connection.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&Reader) -> Result<T, StoreError>,
    ) -> Result<T, Problem> {
        self.pages.resources.readers.read(work)
    }

    /// The address of an execution.
    pub(super) fn execution(&self, reference: &str) -> String {
        format!("{}executions/{}", self.base, segment(reference))
    }

    /// The address of a workflow.
    pub(super) fn workflow(&self, workflow_id: &str) -> String {
        format!("{}workflows/{}", self.base, segment(workflow_id))
    }

    /// What the clocks are called now.
    pub(super) fn zone(&self) -> String {
        self.civil.abbreviation(self.now)
    }

    /// A time in words, with what the clocks were called then.
    pub(super) fn at(&self, at: Timestamp) -> String {
        format!("{} {}", self.civil.brief(at, self.now), self.civil.abbreviation(at))
    }

    /// A time of a schedule: with its seconds, unless it is at the full minute.
    pub(super) fn due(&self, at: Timestamp) -> String {
        let brief = self.civil.brief(at, self.now);
        match at.as_micros() / 1_000_000 % 60 {
            0 => brief,
            second => format!("{brief}:{second:02}"),
        }
    }

    /// How long a workflow usually takes, milliseconds.
    pub(super) fn usual(
        &self,
        reader: &Reader,
        workflow_id: &str,
    ) -> Result<Option<u64>, StoreError> {
        let read = |id: &String| Ok(median(reader.durations(id, USUAL_OF)?));
        self.pages.usual.get(workflow_id.to_owned(), self.began, read)
    }

    /// The workflows whose newest finished execution did not succeed.
    pub(super) fn failing(&self) -> Result<Arc<[FailingWorkflow]>, Problem> {
        let read =
            |(): &()| self.read(|reader| reader.failing_workflows(FAILING_MAX)).map(Arc::from);
        self.pages.failing.get((), self.began, read)
    }

    /// The expectations that are not met.
    pub(super) fn overdue(&self) -> Result<Arc<[OverdueRecord]>, Problem> {
        let read = |(): &()| self.read(Reader::overdue).map(Arc::from);
        self.pages.overdue.get((), self.began, read)
    }

    /// The workflows of the folder that have schedules.
    pub(super) fn scheduled_workflows(&self) -> Vec<Workflow> {
        let workflows = self.pages.resources.catalogue.workflows();
        let definitions = workflows.values().map(|compiled| compiled.definition());
        definitions.filter(|one| one.has_schedules()).map(Workflow::of).collect()
    }
}

/// Text as a part of a path.
pub(super) fn segment(text: &str) -> String {
    utf8_percent_encode(text, PATH).to_string()
}

/// Keys and values as a query, with its `?`; empty without any.
pub(super) fn query(pairs: &[(&str, &str)]) -> String {
    let mut query = String::new();
    for (key, value) in pairs {
        query.push(if query.is_empty() { '?' } else { '&' });
        let _ = write!(query, "{key}={}", utf8_percent_encode(value, PATH));
    }
    query
}
