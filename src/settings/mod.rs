//! Settings: flag > variable > file > default, each checked when it is used, each with its origin.

mod catalogue;
mod file;
mod notify;
mod notify_urls;
mod paths;
mod slo;

use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

pub(crate) use self::catalogue::{Group, RETENTION, SETTINGS, Setting};
use self::file::ConfigFile;
use crate::base::exit::Exit;
use crate::base::period::Period;
use crate::base::size::Size;
use crate::client::address::ServerAddress;
use crate::perf::stats::Latency;
use crate::repository::{BudgetOf, Durability, OutputBudgets};
use crate::system::users;

/// The environment of this process, read once.
#[derive(Debug, Clone, Default)]
pub struct Environment(HashMap<OsString, OsString>);

impl Environment {
    /// Takes variables as the system gives them.
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self(variables.into_iter().collect())
    }

    /// The same with more variables.
    #[must_use]
    pub fn with(mut self, more: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        self.0.extend(more);
        self
    }

    /// The variables.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.0.iter()
    }

    /// The value of a variable; an empty one counts as unset.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }
}

/// What was given on the command line.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags {
    /// `--db`.
    pub db: Option<PathBuf>,
    /// `--config`.
    pub config: Option<PathBuf>,
    /// Values of other flags by the name of their setting.
    pub values: HashMap<&'static str, String>,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag(&'static str),
    /// A variable of the environment.
    Variable(&'static str),
    /// A line of a configuration file.
    File {
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// The database, where a daemon stored it for commands that do not set it.
    Database,
    /// The default.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::Variable(name) => f.write_str(name),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Database => f.write_str("the database, by `wfx serve`"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct SettingsError {
    message: String,
    hint: Option<String>,
    exit: Exit,
}

impl SettingsError {
    fn usage(message: String, hint: impl Into<Option<String>>) -> Self {
        Self { message, hint: hint.into(), exit: Exit::Usage }
    }

    fn environment(message: String, hint: impl Into<Option<String>>) -> Self {
        Self { message, hint: hint.into(), exit: Exit::Environment }
    }

    /// What can be done.
    #[must_use]
    pub(crate) fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The exit code of a command that needs it.
    #[must_use]
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }
}

/// One setting with its current value, for `wfx config`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    /// The name of its variable, or of a channel.
    pub name: Cow<'static, str>,
    /// Its value; secrets redacted; none when it is unset and has no default.
    pub value: Option<String>,
    /// Where the value comes from.
    pub origin: Origin,
    /// Why it cannot be used.
    pub problem: Option<String>,
    /// What it is about.
    pub group: Group,
}

/// Finds settings. Each is checked when it is asked for, so that a command does not
/// stop for one that it does not use.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    environment: Environment,
    flags: Flags,
    file: OnceLock<Result<Option<ConfigFile>, SettingsError>>,
}

impl Settings {
    /// Settings of one run of the program.
    #[must_use]
    pub(crate) fn new(environment: Environment, flags: Flags) -> Self {
        Self { environment, flags, file: OnceLock::new() }
    }

    /// The environment that the settings come from.
    pub(crate) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The path of the database.
    ///
    /// # Errors
    /// Exit 3 when no path is set and there is no default.
    pub(crate) fn database(&self) -> Result<PathBuf, SettingsError> {
        Ok(self.database_with_origin()?.0)
    }

    /// The daemon that commands work with instead of a database. `--db` chooses a database, and so
    /// does `WFX_DB` where no flag and no variable names a daemon.
    ///
    /// # Errors
    /// Exit 2 when the value is invalid, or a daemon and a database were chosen by flags.
    pub(crate) fn server(&self) -> Result<Option<ServerAddress>, SettingsError> {
        let setting = catalogue::find("WFX_SERVER");
        if self.flags.db.is_some() {
            if !self.flags.values.contains_key(setting.name) {
                return Ok(None);
            }
            return Err(SettingsError::usage(
                "--server and --db cannot be given together: a daemon has its own database"
                    .to_owned(),
                "leave out one of them".to_owned(),
            ));
        }
        let Some((value, origin)) = self.find(setting)? else { return Ok(None) };
        let is_from_file = matches!(origin, Origin::File { .. });
        if is_from_file && self.environment.get("WFX_DB").is_some() {
            return Ok(None);
        }
        let address = ServerAddress::parse(value.trim());
        // It says more than what a setting takes.
        address.map(Some).map_err(|why| {
            let mut error = refuse(setting, &value, &origin);
            error.message += &format!(": {why}");
            error
        })
    }

    /// How many finished executions are kept; `None`: all.
    ///
    /// # Errors
    /// Exit 2 when the value is invalid.
    pub(crate) fn retention(&self) -> Result<Option<u64>, SettingsError> {
        let retained: i64 = self.parsed(RETENTION)?;
        Ok(u64::try_from(retained).ok().filter(|retained| *retained > 0))
    }

    /// How much of the output of each attempt is kept, if neither step nor workflow says it.
    ///
    /// # Errors
    /// Exit 2 when the value is invalid.
    pub(crate) fn output_limit(&self) -> Result<Size, SettingsError> {
        self.parsed("WFX_OUTPUT_LIMIT")
    }

    /// How much of the output of all executions is kept; stored for others if it `leads`.
    ///
    /// # Errors
    /// Exit 2 when a value is invalid.
    pub(crate) fn output_budgets(&self, leads: bool) -> Result<OutputBudgets, SettingsError> {
        let is_set = |name| Ok(self.value_or_default(name)?.1 != Origin::Default);
        let total_bytes = self.parsed::<Size>("WFX_OUTPUT_TOTAL")?.bytes();
        let age = self.parsed::<Period>("WFX_OUTPUT_RETENTION")?.duration();
        Ok(OutputBudgets {
            total_bytes: BudgetOf { value: total_bytes, is_set: is_set("WFX_OUTPUT_TOTAL")? },
            age: BudgetOf { value: age, is_set: is_set("WFX_OUTPUT_RETENTION")? },
            leads,
        })
    }

    /// Whether the retention is set explicitly.
    ///
    /// # Errors
    /// As [`Self::retention`].
    pub(crate) fn is_retention_set(&self) -> Result<bool, SettingsError> {
        let (_, origin) = self.value_or_default(RETENTION)?;
        Ok(origin != Origin::Default)
    }

    /// What a commit survives: a crash of the process, or a power loss.
    ///
    /// # Errors
    /// Exit 2 when the value is invalid.
    pub(crate) fn durability(&self) -> Result<Durability, SettingsError> {
        let (value, _) = self.value_or_default("WFX_DURABILITY")?;
        Ok(if value == "normal" { Durability::Normal } else { Durability::Full })
    }

    /// Another user whose database may be used as if it were this one's.
    ///
    /// # Errors
    /// Exit 2 when there is no such user.
    pub(crate) fn trusted_owner(&self) -> Result<Option<u32>, SettingsError> {
        let (value, origin) = self.value_or_default("WFX_TRUST_OWNER")?;
        Ok((origin != Origin::Default).then(|| users::find(&value)).flatten())
    }

    /// How long a failing database is tolerated.
    ///
    /// # Errors
    /// Exit 2 when the value is invalid.
    pub(crate) fn store_timeout(&self) -> Result<Duration, SettingsError> {
        Ok(self.parsed::<Period>("WFX_STORE_TIMEOUT")?.duration())
    }

    /// How many steps run at a time, over all executions of a process; `None`: as many as the
    /// limits of the system allow.
    ///
    /// # Errors
    /// Exit 2 when the value is invalid.
    pub(crate) fn max_steps(&self) -> Result<Option<usize>, SettingsError> {
        let (value, _) = self.value_or_default("WFX_MAX_STEPS")?;
        Ok(value.parse().ok())
    }

    /// Where `serve` listens: addresses with ports, and `unix:PATH`.
    ///
    /// # Errors
    /// Exit 2 when the value is invalid.
    pub(crate) fn listen(&self) -> Result<Vec<String>, SettingsError> {
        let (value, _) = self.value_or_default("WFX_LISTEN")?;
        Ok(value.split(',').map(|place| place.trim().to_owned()).collect())
    }

    /// The mode of the files of unix sockets.
    ///
    /// # Errors
    /// Exit 2 when the value is invalid.
    pub(crate) fn listen_mode(&self) -> Result<u32, SettingsError> {
        let name = "WFX_LISTEN_MODE";
        let (value, origin) = self.value_or_default(name)?;
        catalogue::mode(&value).ok_or_else(|| refuse(catalogue::find(name), &value, &origin))
    }

    /// The folder of the workflows that the daemon starts; `None`: there is none.
    ///
    /// # Errors
    /// Exit 2 when the value is invalid.
    pub(crate) fn workflows(&self) -> Result<Option<PathBuf>, SettingsError> {
        self.path("WFX_WORKFLOWS")
    }

    /// The folder in which the steps of the daemon run.
    ///
    /// # Errors
    /// Exit 2 when the value is invalid.
    pub(crate) fn workdir(&self) -> Result<PathBuf, SettingsError> {
        Ok(self.path("WFX_WORKDIR")?.unwrap_or_default())
    }

    /// How long running executions may take to end when the daemon is stopped.
    ///
    /// # Errors
    /// Exit 2 when the value is invalid.
    pub(crate) fn drain_timeout(&self) -> Result<Duration, SettingsError> {
        Ok(self.parsed::<Period>("WFX_DRAIN_TIMEOUT")?.duration())
    }

    /// How long the daemon that is started on SIGUSR2 may take to get ready.
    ///
    /// # Errors
    /// Exit 2 when the value is invalid.
    pub(crate) fn handover_timeout(&self) -> Result<Duration, SettingsError> {
        Ok(self.parsed::<Period>("WFX_HANDOVER_TIMEOUT")?.duration())
    }

    /// Where requests are logged; `None`: nowhere.
    ///
    /// # Errors
    /// Exit 2 when the value is invalid.
    pub(crate) fn access_log(&self) -> Result<Option<PathBuf>, SettingsError> {
        self.path("WFX_ACCESS_LOG")
    }

    /// The token that requests need; `None`: none is needed.
    ///
    /// # Errors
    /// Exit 2 when the value is invalid.
    pub(crate) fn token(&self) -> Result<Option<String>, SettingsError> {
        let (token, _) = self.value_or_default("WFX_TOKEN")?;
        Ok(Some(token).filter(|token| !token.is_empty()))
    }

    /// The URL under which the daemon is reached, if it says so.
    ///
    /// # Errors
    /// Exit 2 when the value is invalid.
    pub(crate) fn public_url(&self) -> Result<Option<String>, SettingsError> {
        let (url, _) = self.value_or_default("WFX_PUBLIC_URL")?;
        Ok(Some(url).filter(|url| !url.is_empty()))
    }

    /// The upper bounds of the histogram of step durations, seconds, rising.
    ///
    /// # Errors
    /// For a list that is none.
    pub(crate) fn step_duration_buckets(&self) -> Result<Vec<f64>, SettingsError> {
        let (value, _) = self.value_or_default("WORKFLOW_STEP_DURATION_BUCKETS")?;
        Ok(value.split(',').filter_map(|bound| bound.trim().parse().ok()).collect())
    }

    /// How much the daemon logs.
    ///
    /// # Errors
    /// Exit 2 when the value is invalid.
    pub(crate) fn log_level(&self) -> Result<String, SettingsError> {
        Ok(self.value_or_default("WFX_LOG")?.0)
    }

    /// How much slower a median may be.
    ///
    /// # Errors
    /// Exit 2 when the value is invalid.
    pub(crate) fn tolerance_median(&self) -> Result<Latency, SettingsError> {
        self.milliseconds("REG_TOL_MEDIAN_MS")
    }

    /// How much slower a 95th percentile may be.
    ///
    /// # Errors
    /// Exit 2 when the value is invalid.
    pub(crate) fn tolerance_p95(&self) -> Result<Latency, SettingsError> {
        self.milliseconds("REG_TOL_P95_MS")
    }

    /// Which endpoints are judged: substrings separated by commas; empty: all.
    ///
    /// # Errors
    /// Exit 2 when the value is invalid.
    pub(crate) fn track_endpoints(&self) -> Result<String, SettingsError> {
        Ok(self.value_or_default("TRACK_ENDPOINTS")?.0)
    }

    /// Whether the baseline is to be replaced.
    ///
    /// # Errors
    /// Exit 2 when the value is invalid.
    pub(crate) fn update_baseline(&self) -> Result<bool, SettingsError> {
        self.truth("UPDATE_BASELINE")
    }

    /// Whether a JUnit report is to be written.
    ///
    /// # Errors
    /// Exit 2 when the value is invalid.
    pub(crate) fn perf_junit(&self) -> Result<bool, SettingsError> {
        self.truth("PERF_JUNIT")
    }

    /// The value of a variable that a CI system sets.
    #[must_use]
    pub(crate) fn of_ci(&self, name: &str) -> Option<&OsStr> {
        self.environment.get(name)
    }

    /// Every setting with its current value.
    #[must_use]
    pub(crate) fn shown(&self) -> Vec<Shown> {
        let settings = SETTINGS.iter().map(|setting| self.show(setting));
        settings.chain(self.shown_channels()).collect()
    }

    /// The candidate configuration files, of which the first existing one is used, and whether each
    /// is the one in use.
    #[must_use]
    pub(crate) fn config_files(&self) -> Vec<(PathBuf, bool)> {
        let used = self.file().ok().flatten().map(|file| file.path.clone());
        paths::config_files(&self.flags, &self.environment)
            .into_iter()
            .map(|(path, _)| {
                let is_used = used.as_ref() == Some(&path);
                (path, is_used)
            })
            .collect()
    }

    /// Why the configuration file cannot be used.
    #[must_use]
    pub(crate) fn config_problem(&self) -> Option<&SettingsError> {
        self.file().err()
    }

    fn show(&self, setting: &'static Setting) -> Shown {
        if setting.name == "WFX_DB" {
            return match self.database_with_origin() {
                Ok((path, origin)) => Shown {
                    name: setting.name.into(),
                    value: Some(path.display().to_string()),
                    origin,
                    problem: None,
                    group: setting.group,
                },
                Err(error) => Shown {
                    name: setting.name.into(),
                    value: None,
                    origin: Origin::Default,
                    problem: Some(error.to_string()),
                    group: setting.group,
                },
            };
        }
        // The variable is checked even if the file is broken.
        let (value, origin, problem) = match self.find(setting) {
            Ok(Some((value, origin))) => {
                let problem = setting.check(&value).err().map(|takes| format!("takes {takes}"));
                (Some(value), origin, problem)
            }
            Ok(None) => (setting.default.map(str::to_owned), Origin::Default, None),
            Err(error) => (None, Origin::Default, Some(error.to_string())),
        };
        let (name, group) = (setting.name.into(), setting.group);
        Shown { name, value: value.map(|v| setting.redact(&v)), origin, problem, group }
    }

    fn database_with_origin(&self) -> Result<(PathBuf, Origin), SettingsError> {
        if let Some(path) = &self.flags.db {
            return Ok((path.clone(), Origin::Flag("--db")));
        }
        // A path need not be UTF-8.
        if let Some(path) = self.environment.get("WFX_DB") {
            return Ok((PathBuf::from(path), Origin::Variable("WFX_DB")));
        }
        if let Some((path, origin)) = self.in_file("WFX_DB")? {
            return Ok((PathBuf::from(path), origin));
        }
        paths::default_database(&self.environment)
    }

    fn milliseconds(&self, name: &'static str) -> Result<Latency, SettingsError> {
        let (value, origin) = self.value_or_default(name)?;
        let latency = value.parse().ok().and_then(Latency::from_ms);
        latency.ok_or_else(|| refuse(catalogue::find(name), &value, &origin))
    }

    fn truth(&self, name: &'static str) -> Result<bool, SettingsError> {
        let (value, _) = self.value_or_default(name)?;
        Ok(matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "yes"))
    }

    fn parsed<T: std::str::FromStr>(&self, name: &'static str) -> Result<T, SettingsError> {
        let (value, origin) = self.value_or_default(name)?;
        value.parse().map_err(|_| refuse(catalogue::find(name), &value, &origin))
    }

    /// A path, from the folder in which wfx was started.
    fn path(&self, name: &'static str) -> Result<Option<PathBuf>, SettingsError> {
        let (value, _) = self.value_or_default(name)?;
        Ok(Some(value).filter(|value| !value.is_empty()).map(PathBuf::from))
    }

    /// The checked value of a setting that has a default, trimmed as it was for the check.
    fn value_or_default(&self, name: &'static str) -> Result<(String, Origin), SettingsError> {
        let setting = catalogue::find(name);
        match self.find(setting)? {
            Some((value, origin)) => match setting.check(&value) {
                Ok(()) => Ok((value.trim().to_owned(), origin)),
                Err(_) => Err(refuse(setting, &value, &origin)),
            },
            None => Ok((setting.default.unwrap_or_default().to_owned(), Origin::Default)),
        }
    }

    fn find(&self, setting: &Setting) -> Result<Option<(String, Origin)>, SettingsError> {
        if let (Some(flag), Some(value)) = (setting.flag, self.flags.values.get(setting.name)) {
            return Ok(Some((value.clone(), Origin::Flag(flag))));
        }
        if setting.name == "WFX_CONFIG"
            && let Some(path) = &self.flags.config
        {
            return Ok(Some((path.display().to_string(), Origin::Flag("--config"))));
        }
        if let Some(value) = self.environment.get(setting.name) {
            let Some(value) = value.to_str() else {
                let message = format!("the variable {} is not UTF-8", setting.name);
                return Err(SettingsError::usage(message, format!("it takes {}", setting.takes)));
            };
            return Ok(Some((value.to_owned(), Origin::Variable(setting.name))));
        }
        if setting.name == "WFX_CONFIG" {
            return Ok(None);
        }
        self.in_file(setting.name)
    }

    fn in_file(&self, name: &str) -> Result<Option<(String, Origin)>, SettingsError> {
        let Some(file) = self.file().map_err(Clone::clone)? else { return Ok(None) };
        Ok(file.get(name).map(|(value, line)| {
            (value.to_owned(), Origin::File { path: file.path.clone(), line })
        }))
    }

    fn file(&self) -> Result<Option<&ConfigFile>, &SettingsError> {
        let read = || -> Result<Option<ConfigFile>, SettingsError> {
            for (path, named) in paths::config_files(&self.flags, &self.environment) {
                if let Some(file) = ConfigFile::read(&path, named)? {
                    return Ok(Some(file));
                }
            }
            Ok(None)
        };
        self.file.get_or_init(read).as_ref().map(Option::as_ref)
    }
}

fn refuse(setting: &Setting, value: &str, origin: &Origin) -> SettingsError {
    let shown = setting.redact(value);
    let message = match origin {
        Origin::Flag(flag) => format!("`{shown}` cannot be {flag} ({})", setting.name),
        Origin::File { path, line } => format!(
            "{}:{line}: `{shown}` cannot be {} ({})",
            path.display(),
            setting.name.to_ascii_lowercase(),
            setting.name
        ),
        _ => format!("`{shown}` cannot be {}", setting.name),
    };
    SettingsError::usage(message, format!("it takes {}", setting.takes))
}

#[cfg(test)]
mod tests;
