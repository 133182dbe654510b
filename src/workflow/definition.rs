//! A workflow definition, checked and complete.
//!
//! [`Definition`] is the one meaning of a document, a stored snapshot and an API
//! body. It serialises to a document that reads back as the same definition, with
//! every `depends_on` written out.

use indexmap::IndexMap;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::concurrency::Concurrency;
use super::condition::Condition;
use super::defaults::{AppliedDefaults, FolderDefaults};
use super::exit_codes::ExitCodes;
use super::handler::HandlerKind;
use super::notification::Notify;
use super::parameter::Parameter;
use super::retention_policy::RetentionPolicy;
use super::retry_on::RetryOn;
pub(crate) use super::scalar::{Parameters, Scalar};
use super::scheduling::Scheduling;
use crate::base::backoff::Retry;
use crate::base::period::Period;
use crate::base::size::Size;

/// The most bytes that one string handed to a process may have: Linux takes
/// 131,072 with the closing NUL (`MAX_ARG_STRLEN`).
pub(crate) const PROCESS_STRING_BYTES_MAX: usize = 131_071;
/// The most steps of one workflow.
pub(crate) const STEPS_MAX: usize = 1_000;
/// The largest `max_parallel`.
pub(crate) const PARALLEL_MAX: u16 = 256;

/// A workflow that can be run: names unique, dependencies known, no cycle.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// The workflow id.
    pub id: String,
    /// For people.
    pub name: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// Declared parameters.
    pub params: IndexMap<String, Parameter>,
    /// Environment of every step.
    pub env: IndexMap<String, String>,
    /// The program and arguments that get the `run` text of a step as the last argument; `None`:
    /// `sh -c --`.
    pub shell: Option<Vec<String>>,
    /// Steps of one execution at a time; `None`: the number of CPUs.
    pub max_parallel: Option<u16>,
    /// Longest time of one execution, from its start.
    pub timeout: Option<Period>,
    /// What is kept of its executions; `None`: they count for the number of all workflows.
    pub retention: Option<RetentionPolicy>,
    /// How much of the output of each attempt of its steps is kept; `None`: as wfx is set.
    pub output_limit: Option<Size>,
    /// Who is notified of what; `None`: what `[notify] default` of the configuration file says.
    pub notify: Option<Notify>,
    /// When it starts by itself, and what is expected of its executions.
    pub scheduling: Option<Box<Scheduling>>,
    /// How many of its executions run at a time; `None`: any number.
    pub concurrency: Option<Concurrency>,
    /// The steps in the order of the document.
    pub steps: Vec<Step>,
    /// What runs once the steps have ended: by kind, and as listed.
    pub handlers: Vec<Handler>,
    /// The `x-…` keys, unchanged.
    pub extra: IndexMap<String, serde_json::Value>,
    /// Which values came from the defaults of its folder: no part of its document, and stored
    /// beside it.
    pub from_folder: Option<AppliedDefaults>,
}

/// A step that runs once all others have ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Handler {
    /// After which outcome.
    pub on: HandlerKind,
    /// What it does; it has a timeout, and depends on nothing.
    pub step: Step,
}

/// One step of a workflow.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Unique in the workflow.
    pub name: String,
    /// Displayed instead of the name.
    pub title: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// Names of the steps that must have ended before; never implicit.
    pub depends_on: Vec<String>,
    /// What it does.
    pub work: Work,
    /// Raises a simulated failure instead of doing its work.
    pub fail: bool,
    /// Environment of this step.
    pub env: IndexMap<String, String>,
    /// Working folder, below that of the execution when relative.
    pub cwd: Option<String>,
    /// Longest time of one attempt.
    pub timeout: Option<Period>,
    /// How often and how far apart it is tried.
    pub retry: Retry,
    /// Which failures are retried.
    pub retry_on: RetryOn,
    /// How its process is run, beyond the defaults.
    pub process: ProcessKeys,
    /// Its failure neither fails the execution nor skips its dependents.
    pub continue_on_error: bool,
    /// Whether it runs at all, and what follows if it does not.
    pub flow: Flow,
    /// Stored for users of the predecessor, otherwise ignored.
    pub agent_id: Option<serde_json::Value>,
    /// The `x-…` keys, unchanged.
    pub extra: IndexMap<String, serde_json::Value>,
}

/// The keys of a step that concern its process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcessKeys {
    /// As [`Definition::shell`], which it overrides.
    pub shell: Option<Vec<String>>,
    /// The signal that asks it to end, without `SIG`; `None`: `TERM`.
    pub stop_signal: Option<&'static str>,
    /// The time between that signal and SIGKILL; `None`: 5 s.
    pub stop_timeout: Option<Period>,
    /// Files of variables, relative to the working folder of the execution; a later one overrides
    /// an earlier one.
    pub env_file: Vec<String>,
    /// The output that holds what it writes to its standard output.
    pub stdout: Option<String>,
    /// The exit codes with which it succeeds; empty: 0.
    pub success_exit_codes: ExitCodes,
    /// As [`Definition::output_limit`], which it overrides.
    pub output_limit: Option<Size>,
}

impl Definition {
    /// The error of an execution, and of a step, that the timeout of the workflow ended.
    #[must_use]
    pub fn timeout_text(&self) -> String {
        match self.timeout {
            Some(timeout) => format!("the workflow timed out after {timeout}"),
            None => "the workflow timed out".to_owned(),
        }
    }

    /// Whether it has schedules.
    #[must_use]
    pub fn has_schedules(&self) -> bool {
        self.scheduling.as_ref().is_some_and(|it| !it.rules.schedules.is_empty())
    }

    /// The same with what the defaults of its folder set.
    #[must_use]
    pub fn with_defaults(mut self, defaults: &FolderDefaults) -> Self {
        self.from_folder = defaults.apply(
            &mut self.env,
            &mut self.shell,
            &mut self.retention,
            &mut self.output_limit,
            &mut self.notify,
            &mut self.scheduling,
        );
        self
    }
}

impl ProcessKeys {
    /// Whether a process that ended with this exit code has succeeded.
    #[must_use]
    pub fn is_success(&self, exit_code: i32) -> bool {
        if self.success_exit_codes.is_empty() {
            return exit_code == 0;
        }
        self.success_exit_codes.contains(exit_code)
    }
}

/// Whether a step runs, and what its skip means for others.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Flow {
    /// It runs only if this holds once all its dependencies have ended.
    pub when: Option<Condition>,
    /// Its dependents still run when its condition or its exit code skipped it.
    pub continue_on_skip: bool,
    /// Exit codes that say that it was skipped; never 0.
    pub skip_exit_codes: ExitCodes,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Succeeds at once.
    Nothing,
    /// A command line for a shell.
    Shell(String),
    /// A program and its arguments, without a shell.
    Argv(Vec<String>),
    /// Waits.
    Sleep(Period),
}

impl Work {
    /// Whether a crash in the middle leaves it unknown what was done.
    #[must_use]
    pub fn has_side_effects(&self) -> bool {
        self.has_process()
    }

    /// Whether it is done by processes.
    #[must_use]
    pub fn has_process(&self) -> bool {
        matches!(self, Self::Shell(_) | Self::Argv(_))
    }
}

/// `WFX_…` names are upper-cased, and everything but ASCII letters and digits
/// becomes `_`.
#[must_use]
pub(crate) fn environment_name(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
        .collect()
}

impl Serialize for Definition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.id)?;
        entry_if_some(&mut map, "name", self.name.as_ref())?;
        entry_if_some(&mut map, "description", self.description.as_ref())?;
        if !self.params.is_empty() {
            map.serialize_entry("params", &self.params)?;
        }
        if !self.env.is_empty() {
            map.serialize_entry("env", &self.env)?;
        }
        entry_if_some(&mut map, "shell", self.shell.as_ref())?;
        entry_if_some(&mut map, "max_parallel", self.max_parallel.as_ref())?;
        entry_if_some(&mut map, "timeout", self.timeout.as_ref())?;
        entry_if_some(&mut map, "retention", self.retention.as_ref())?;
        entry_if_some(&mut map, "output_limit", self.output_limit.as_ref())?;
        entry_if_some(&mut map, "notify", self.notify.as_ref())?;
        if let Some(scheduling) = &self.scheduling {
            scheduling.serialize_into(&mut map)?;
        }
        entry_if_some(&mut map, "concurrency", self.concurrency.as_ref())?;
        map.serialize_entry("steps", &self.steps)?;
        for on in HandlerKind::ALL.into_iter().filter(|_| !self.handlers.is_empty()) {
            let of_kind = self.handlers.iter().filter(|handler| handler.on == on);
            let of_kind: Vec<&Step> = of_kind.map(|handler| &handler.step).collect();
            if !of_kind.is_empty() {
                map.serialize_entry(on.as_str(), &of_kind)?;
            }
        }
        for (key, value) in &self.extra {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.name)?;
        entry_if_some(&mut map, "title", self.title.as_ref())?;
        entry_if_some(&mut map, "description", self.description.as_ref())?;
        map.serialize_entry("depends_on", &self.depends_on)?;
        match &self.work {
            Work::Nothing => {}
            Work::Shell(line) => map.serialize_entry("run", line)?,
            Work::Argv(argv) => map.serialize_entry("run", argv)?,
            Work::Sleep(period) => map.serialize_entry("sleep", period)?,
        }
        if self.fail {
            map.serialize_entry("fail", &true)?;
        }
        if !self.env.is_empty() {
            map.serialize_entry("env", &self.env)?;
        }
        entry_if_some(&mut map, "cwd", self.cwd.as_ref())?;
        entry_if_some(&mut map, "timeout", self.timeout.as_ref())?;
        if self.retry != Retry::default() || self.retry_on != RetryOn::default() {
            map.serialize_entry("retry", &RetryKeys { retry: &self.retry, on: &self.retry_on })?;
        }
        let process = &self.process;
        entry_if_some(&mut map, "shell", process.shell.as_ref())?;
        entry_if_some(&mut map, "stop_signal", process.stop_signal.as_ref())?;
        entry_if_some(&mut map, "stop_timeout", process.stop_timeout.as_ref())?;
        if !process.env_file.is_empty() {
            map.serialize_entry("env_file", &process.env_file)?;
        }
        entry_if_some(&mut map, "stdout", process.stdout.as_ref())?;
        if !process.success_exit_codes.is_empty() {
            map.serialize_entry("success_exit_codes", &process.success_exit_codes)?;
        }
        entry_if_some(&mut map, "output_limit", process.output_limit.as_ref())?;
        if self.continue_on_error {
            map.serialize_entry("continue_on_error", &true)?;
        }
        entry_if_some(&mut map, "when", self.flow.when.as_ref())?;
        if self.flow.continue_on_skip {
            map.serialize_entry("continue_on_skip", &true)?;
        }
        if !self.flow.skip_exit_codes.is_empty() {
            map.serialize_entry("skip_exit_codes", &self.flow.skip_exit_codes)?;
        }
        entry_if_some(&mut map, "agent_id", self.agent_id.as_ref())?;
        for (key, value) in &self.extra {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// The whole `retry` of a step.
struct RetryKeys<'a> {
    retry: &'a Retry,
    on: &'a RetryOn,
}

impl Serialize for RetryKeys<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("max_attempts", &self.retry.max_attempts)?;
        map.serialize_entry("backoff", &self.retry.backoff)?;
        map.serialize_entry("max_backoff", &self.retry.max_backoff)?;
        if !self.on.exit_codes.is_empty() {
            map.serialize_entry("on_exit_codes", &self.on.exit_codes)?;
        }
        if !self.on.timeout {
            map.serialize_entry("on_timeout", &false)?;
        }
        map.end()
    }
}

fn entry_if_some<M: SerializeMap, T: Serialize>(
    map: &mut M,
    key: &str,
    value: Option<&T>,
) -> Result<(), M::Error> {
    match value {
        Some(value) => map.serialize_entry(key, value),
        None => Ok(()),
    }
}
