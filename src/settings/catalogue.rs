//! Every setting: its variable, its flag, its valid values and its default.

use std::time::Duration;

use hyper::Uri;

use crate::base::period::Period;
use crate::base::signature::Secret;
use crate::base::size::{self, Size};
use crate::client::address::ServerAddress;
use crate::perf::stats::Latency;
use crate::slo::Share;
use crate::system::users;

/// One setting. Its key in the configuration file is the name in lower case.
#[derive(Debug)]
pub(crate) struct Setting {
    /// The name of its variable.
    pub name: &'static str,
    /// The flag of the same meaning, of the commands that use it.
    pub flag: Option<&'static str>,
    /// What it takes, in words.
    pub takes: &'static str,
    /// The default; none: unset.
    pub default: Option<&'static str>,
    /// How much of it may be shown.
    pub secrecy: Secrecy,
    /// What it is about.
    pub group: Group,
    accepts: fn(&str) -> bool,
}

/// What settings are about. Those of one group stand together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Storage,
    Execution,
    Daemon,
    ServiceLevels,
    Notifications,
    PerformanceGate,
}

impl Group {
    /// Its title, with the commands that use it where they are few.
    #[must_use]
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Storage => "storage",
            Self::Execution => "execution",
            Self::Daemon => "daemon (serve)",
            Self::ServiceLevels => "service levels (serve, slo-sim)",
            Self::Notifications => "notifications (serve, exec, replay)",
            Self::PerformanceGate => "performance gate (perf-check)",
        }
    }

    /// Its name in JSON.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Storage => "storage",
            Self::Execution => "execution",
            Self::Daemon => "daemon",
            Self::ServiceLevels => "service_levels",
            Self::Notifications => "notifications",
            Self::PerformanceGate => "performance_gate",
        }
    }
}

/// How much of a value may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrecy {
    Public,
    Secret,
    /// Scheme and host: the path of a webhook is its password.
    Url,
    /// All of it, unless a user and a password stand in it.
    Address,
}

impl Setting {
    /// Checks a value; the error describes the valid values.
    ///
    /// # Errors
    /// The description of the valid values.
    pub(crate) fn check(&self, value: &str) -> Result<(), &'static str> {
        if (self.accepts)(value.trim()) { Ok(()) } else { Err(self.takes) }
    }

    /// The value as it may be shown.
    #[must_use]
    pub(crate) fn redact(&self, value: &str) -> String {
        match self.secrecy {
            Secrecy::Public => value.to_owned(),
            Secrecy::Secret => "***".to_owned(),
            Secrecy::Address if value.contains('@') => "***".to_owned(),
            Secrecy::Address => value.to_owned(),
            // In text that is no URL, the host cannot be found.
            Secrecy::Url => match url(value.trim()) {
                Some((scheme, host)) => format!("{scheme}://{host}/***"),
                None => "***".to_owned(),
            },
        }
    }
}

const fn setting(
    group: Group,
    name: &'static str,
    default: Option<&'static str>,
    takes: &'static str,
    accepts: fn(&str) -> bool,
) -> Setting {
    Setting { name, flag: None, takes, default, secrecy: Secrecy::Public, group, accepts }
}

impl Setting {
    const fn flag(self, flag: &'static str) -> Self {
        Self { flag: Some(flag), ..self }
    }

    const fn secrecy(self, secrecy: Secrecy) -> Self {
        Self { secrecy, ..self }
    }
}

/// How many finished executions are kept.
pub(crate) const RETENTION: &str = "WORKFLOW_EXECUTION_RETENTION";

const MILLISECONDS: &str = "milliseconds, a decimal of 0 or more, such as 50";
/// The value of a threshold that is never breached.
pub(super) const OFF: &str = "off";
const SHARE: &str =
    "a decimal of 0 or more, such as 0.05, with at most 24 digits after the point, or off";
const WINDOW: &str = "a duration such as 300, 300s or 5m, longer than 0 and at most 24h";
/// Memory grows with a window: some 40 bytes for each 10 ms in which there was a request.
const WINDOW_MAX: Duration = Duration::from_secs(24 * 3_600);
const STORE: &str = "the URL of a database of PostgreSQL, such as postgres://user@host/database, \
     or @ and the path of a file with it";
const TRUTH: &str = "true or false (1 or 0, yes or no)";

use Group::{Daemon, Execution, PerformanceGate, ServiceLevels, Storage};

/// Whether a value names a database on a server.
fn is_store(value: &str) -> bool {
    value.starts_with("postgres://")
        || value.starts_with("postgresql://")
        || value.strip_prefix('@').is_some_and(|path| !path.is_empty())
}

/// All settings, in the order in which they are shown.
pub(crate) const SETTINGS: [Setting; 39] = [
    setting(Storage, "WFX_DB", None, "the path of the database", not_empty).flag("--db"),
    setting(Storage, "WFX_STORE", None, STORE, is_store).flag("--store").secrecy(Secrecy::Url),
    setting(Storage, "WFX_CONFIG", None, "the path of a TOML file", not_empty).flag("--config"),
    setting(Storage, "WFX_DURABILITY", Some("full"), "full or normal", |v| {
        matches!(v, "full" | "normal")
    })
    .flag("--durability"),
    setting(Storage, "WFX_TRUST_OWNER", None, "the name or the number of a user", |v| {
        users::find(v).is_some()
    })
    .flag("--trust-owner"),
    setting(Storage, "WFX_STORE_TIMEOUT", Some("60s"), "a duration such as 60 or 1m30s", is_period)
        .flag("--store-timeout"),
    setting(
        Storage,
        RETENTION,
        Some("1000"),
        "a whole number; 0 or less keeps every execution",
        |v| v.parse::<i64>().is_ok(),
    )
    .flag("--retention"),
    setting(Storage, "WFX_OUTPUT_LIMIT", Some("64MiB"), size::TAKES, is_size)
        .flag("--output-limit"),
    setting(Storage, "WFX_OUTPUT_TOTAL", Some("4GiB"), size::TAKES, is_size).flag("--output-total"),
    setting(
        Storage,
        "WFX_OUTPUT_RETENTION",
        Some("30d"),
        "a duration such as 30d or 12h",
        is_period,
    )
    .flag("--output-retention"),
    setting(Execution, "WFX_MAX_STEPS", None, "a whole number of 1 or more", |v| {
        v.parse::<usize>().is_ok_and(|count| count > 0)
    })
    .flag("--max-steps"),
    setting(Storage, "WFX_SERVER", None, "unix:PATH, http://HOST:PORT or https://HOST", |v| {
        ServerAddress::parse(v).is_ok()
    })
    .flag("--server")
    .secrecy(Secrecy::Address),
    setting(
        Daemon,
        "WORKFLOW_STEP_DURATION_BUCKETS",
        Some("0.05,0.1,0.25,0.5,1,2,5,10"),
        "rising numbers of seconds separated by commas",
        is_buckets,
    ),
    setting(
        Daemon,
        "WFX_LISTEN",
        Some("127.0.0.1:8080"),
        "an address and a port such as 127.0.0.1:8080, or unix:/run/wfx.sock; several separated by \
         commas",
        |v| v.split(',').all(|place| is_address(place.trim())),
    )
    .flag("--listen"),
    setting(
        Daemon,
        "WFX_LISTEN_MODE",
        Some("0600"),
        "an octal mode such as 0660, which lets a group in",
        |v| mode(v).is_some(),
    )
    .flag("--listen-mode"),
    setting(Daemon, "WFX_WORKFLOWS", None, "the path of a folder", not_empty).flag("--workflows"),
    setting(Daemon, "WFX_WORKDIR", Some("."), "the path of a folder", not_empty).flag("--workdir"),
    setting(Daemon, "WFX_DRAIN_TIMEOUT", Some("30s"), "a duration such as 30 or 5m", is_period)
        .flag("--drain-timeout"),
    setting(Daemon, "WFX_HANDOVER_TIMEOUT", Some("30s"), "a duration such as 30 or 5m", is_period)
        .flag("--handover-timeout"),
    setting(Daemon, "WFX_ACCESS_LOG", None, "the path of a file; - is standard output", not_empty)
        .flag("--access-log"),
    setting(Daemon, "WFX_PUBLIC_URL", None, "an http or https URL without user and query", |v| {
        matches!(ServerAddress::parse(v), Ok(ServerAddress::Http(_)))
    })
    .flag("--public-url")
    .secrecy(Secrecy::Address),
    setting(Daemon, "WFX_TOKEN", None, "a token without spaces", |v| {
        !v.is_empty() && !v.contains(char::is_whitespace)
    })
    .secrecy(Secrecy::Secret),
    setting(Daemon, "WFX_LOG", Some("info"), "error, warn, info, debug or trace", |v| {
        matches!(v, "error" | "warn" | "info" | "debug" | "trace")
    })
    .flag("--log"),
    setting(ServiceLevels, "SLO_ERROR_RATE_THRESHOLD", Some("0.05"), SHARE, is_share)
        .flag("--slo-error-rate-threshold"),
    setting(ServiceLevels, "SLO_ERROR_RATE_5XX_THRESHOLD", None, SHARE, is_share)
        .flag("--slo-error-rate-5xx-threshold"),
    setting(ServiceLevels, "SLO_ERROR_RATE_4XX_THRESHOLD", Some("0.10"), SHARE, is_share)
        .flag("--slo-error-rate-4xx-threshold"),
    setting(ServiceLevels, "SLO_ERROR_RATE_WINDOW", Some("300"), WINDOW, is_window)
        .flag("--slo-error-rate-window"),
    setting(
        ServiceLevels,
        "SLO_LATENCY_P95_THRESHOLD",
        Some("0.750"),
        "a duration such as 0.750 or 750ms, or off",
        |v| v == OFF || is_period(v),
    )
    .flag("--slo-latency-p95-threshold"),
    setting(ServiceLevels, "SLO_LATENCY_WINDOW", Some("300"), WINDOW, is_window)
        .flag("--slo-latency-window"),
    setting(ServiceLevels, "SLO_MIN_SAMPLES", Some("1"), "a whole number of 0 or more", |v| {
        v.parse::<u64>().is_ok()
    })
    .flag("--slo-min-samples"),
    setting(
        ServiceLevels,
        "SLO_ALERT_COOLDOWN_SECONDS",
        Some("300"),
        "a duration such as 300 or 5m",
        is_period,
    )
    .flag("--slo-alert-cooldown-seconds"),
    setting(ServiceLevels, "SLO_ALERT_WEBHOOK_URL", None, "an http or https URL", is_url)
        .flag("--slo-alert-webhook-url")
        .secrecy(Secrecy::Url),
    setting(
        ServiceLevels,
        "SLO_ALERT_WEBHOOK_SECRET",
        None,
        "a secret of Standard Webhooks: `whsec_` and base64, or any other text",
        |v| v.parse::<Secret>().is_ok(),
    )
    .secrecy(Secrecy::Secret),
    setting(
        ServiceLevels,
        "SLO_NOTIFY",
        None,
        "names of channels of the configuration file, separated by commas",
        is_list,
    )
    .flag("--slo-notify"),
    setting(PerformanceGate, "REG_TOL_MEDIAN_MS", Some("50"), MILLISECONDS, is_milliseconds)
        .flag("--tolerance-median-ms"),
    setting(PerformanceGate, "REG_TOL_P95_MS", Some("80"), MILLISECONDS, is_milliseconds)
        .flag("--tolerance-p95-ms"),
    setting(
        PerformanceGate,
        "TRACK_ENDPOINTS",
        None,
        "substrings of endpoints separated by commas",
        is_list,
    )
    .flag("--track-endpoints"),
    setting(PerformanceGate, "UPDATE_BASELINE", Some("false"), TRUTH, is_truth)
        .flag("--update-baseline"),
    setting(PerformanceGate, "PERF_JUNIT", Some("false"), TRUTH, is_truth).flag("--junit"),
];

/// The setting called `name`, which must be in the table above.
pub(super) fn find(name: &'static str) -> &'static Setting {
    SETTINGS.iter().find(|setting| setting.name == name).unwrap_or(&SETTINGS[0])
}

/// A mode of files, octal.
pub(super) fn mode(value: &str) -> Option<u32> {
    u32::from_str_radix(value, 8).ok().filter(|mode| *mode <= 0o777)
}

fn not_empty(value: &str) -> bool {
    !value.is_empty()
}

fn is_decimal(value: &str) -> bool {
    value.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && value.parse::<f64>().is_ok_and(f64::is_finite)
}

fn is_milliseconds(value: &str) -> bool {
    is_decimal(value) && value.parse().is_ok_and(|ms| Latency::from_ms(ms).is_some())
}

fn is_list(value: &str) -> bool {
    value.split(',').any(|part| !part.trim().is_empty())
}

fn is_period(value: &str) -> bool {
    value.parse::<Period>().is_ok()
}

fn is_size(value: &str) -> bool {
    value.parse::<Size>().is_ok()
}

fn is_share(value: &str) -> bool {
    value == OFF || value.parse::<Share>().is_ok()
}

fn is_window(value: &str) -> bool {
    let is_one = |period: Period| !period.duration().is_zero() && period.duration() <= WINDOW_MAX;
    value.parse().is_ok_and(is_one)
}

fn is_truth(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "1" | "0" | "true" | "false" | "yes" | "no")
}

fn is_buckets(value: &str) -> bool {
    let bounds: Option<Vec<f64>> =
        value.split(',').map(|bound| bound.trim().parse().ok()).collect();
    bounds.is_some_and(|bounds| {
        bounds.iter().all(|bound| bound.is_finite() && *bound > 0.0)
            && bounds.is_sorted_by(|a, b| a < b)
    })
}

fn is_address(value: &str) -> bool {
    if let Some(path) = value.strip_prefix("unix:") {
        return !path.is_empty() && !path.contains('\0');
    }
    // Names are looked up when the server starts, not to check a setting.
    match value.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.starts_with('[') => {
            !host.is_empty() && port.parse::<u16>().is_ok()
        }
        _ => value.parse::<std::net::SocketAddr>().is_ok(),
    }
}

fn is_url(value: &str) -> bool {
    url(value).is_some()
}

/// The scheme of a URL, and its host with the port.
fn url(value: &str) -> Option<(&'static str, String)> {
    let uri: Uri = value.parse().ok()?;
    let scheme = match uri.scheme_str()? {
        "http" => "http",
        "https" => "https",
        _ => return None,
    };
    let host = uri.authority()?.as_str().rsplit('@').next()?;
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
    let is_whole = !uri.host()?.is_empty() && (!has_port || uri.port_u16().is_some());
    is_whole.then(|| (scheme, host.to_owned()))
}
