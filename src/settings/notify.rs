//! The channels of notifications: tables `[notify.NAME]` of the configuration file. Each key may also
//! stand in a file (`url_file`) or in a variable (`WFX_NOTIFY_NAME_URL`).

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Value;

use super::notify_urls::{smtp_server, target};
use super::{Environment, Group, Origin, Settings, SettingsError, Shown};
use crate::base::period::Period;
use crate::base::signature::Secret;
use crate::notify::channel::{
    Channel, ChannelKind, Email, Hidden, OUTPUT_LINES, OUTPUT_LINES_MAX, Target,
};
use crate::notify::{mask, sender};
use crate::system::files;
use crate::workflow::check::{self, CHANNEL_NAME, is_channel_name};
use crate::workflow::environment;
use crate::workflow::notification::{Notify, NotifyRule};

/// The longest file of one key.
const VALUE_BYTES_MAX: u64 = 64 * 1024;
/// Events API v2 of PagerDuty.
const PAGERDUTY_URL: &str = "https://events.pagerduty.com/v2/enqueue";
/// Keys that stand only in the table: in no file and no variable.
const INLINE_KEYS: [&str; 4] = ["labels", "to", "every", OUTPUT_LINES_KEY];
const OUTPUT_LINES_KEY: &str = "output_lines";
const TYPES: [&str; 6] = ["webhook", "slack", "pagerduty", "alertmanager", "email", "heartbeat"];

/// The table `notify` of the configuration file.
#[derive(Debug, Clone, Default)]
pub(super) struct NotifyTable {
    /// What is under each name, and its line.
    pub(super) entries: BTreeMap<String, (Value, usize)>,
    /// The text of the file by lines, to find keys.
    pub(super) lines: Vec<String>,
}

/// A channel as it is set.
#[derive(Debug)]
pub(crate) struct ChannelSetting {
    /// Its name.
    pub(crate) name: String,
    /// Where it is set.
    origin: Origin,
    /// The channel, or what is wrong with it.
    pub(crate) channel: Result<Channel, SettingsError>,
    /// Files with secrets that others can read.
    pub(crate) warnings: Vec<String>,
}

impl Settings {
    /// The channels, by name, each with what is wrong with it.
    ///
    /// # Errors
    /// Exit 2 when the configuration file cannot be used.
    pub(crate) fn channels(&self) -> Result<Vec<ChannelSetting>, SettingsError> {
        let Some(file) = self.file().map_err(Clone::clone)? else { return Ok(Vec::new()) };
        let entries = file.notify.entries.iter().filter(|(name, _)| *name != "default");
        let names: Vec<&str> = entries.clone().map(|(name, _)| name.as_str()).collect();
        let settings = entries.map(|(name, (value, line))| {
            let mut reader = Reader {
                name,
                line: *line,
                path: &file.path,
                lines: &file.notify.lines,
                environment: self.environment(),
                names: names.clone(),
                table: value.as_table(),
                warnings: Vec::new(),
                has_inline_secret: false,
                secrets: Vec::new(),
            };
            let channel = reader.channel();
            if reader.has_inline_secret && others_can_read(&file.path) {
                reader.warnings.push(format!(
                    "others can read {}, which holds a secret of the channel `{name}`: run `chmod \
                     o-r` on it, or put the secret into a file of its own",
                    file.path.display()
                ));
            }
            let origin = Origin::File { path: file.path.clone(), line: *line };
            ChannelSetting {
                name: name.clone(),
                origin,
                channel,
                warnings: std::mem::take(&mut reader.warnings),
            }
        });
        Ok(settings.collect())
    }

    /// The channels, all of them usable, and what there is to warn of.
    ///
    /// # Errors
    /// Exit 2 for the first one that cannot be used.
    pub(crate) fn usable_channels(&self) -> Result<(Vec<Channel>, Vec<String>), SettingsError> {
        let (mut channels, mut warnings) = (Vec::new(), Vec::new());
        for setting in self.channels()? {
            warnings.extend(setting.warnings);
            channels.push(setting.channel?);
        }
        Ok((channels, warnings))
    }

    /// What is secret in this process, whatever it is used for: settings, and variables that are
    /// secrets of wfx or have the name of a secret.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let settings = ["WFX_TOKEN", "SLO_ALERT_WEBHOOK_URL", "SLO_ALERT_WEBHOOK_SECRET"];
        let settings = settings.iter().filter_map(|name| Some(self.value_or_default(name).ok()?.0));
        let variables = self.environment.variables().filter_map(|(name, value)| {
            let has_name = name.to_str().is_some_and(mask::is_secret_name);
            (environment::is_secret(name) || has_name).then(|| value.to_str().map(str::to_owned))?
        });
        let store = self.value_or_default("WFX_STORE").ok();
        let store = store.and_then(|(url, _)| environment::password(&url).map(str::to_owned));
        settings.chain(variables).chain(store).filter(|secret| !secret.is_empty()).collect()
    }

    /// Who is notified where a workflow does not say; `None`: nobody.
    ///
    /// # Errors
    /// Exit 2 when the value cannot be used.
    pub(crate) fn notify_default(&self) -> Result<Option<Notify>, SettingsError> {
        let Some(file) = self.file().map_err(Clone::clone)? else { return Ok(None) };
        let Some((value, line)) = file.notify.entries.get("default") else { return Ok(None) };
        let refuse = |why: String| {
            let message = format!("{}:{line}: `default` of [notify]: {why}", file.path.display());
            let hint = "write `default = [\"ops\"]`, or rules as `notify` of a workflow has them";
            SettingsError::usage(message, hint.to_owned())
        };
        let notify = default_rules(value).map_err(refuse)?;
        for name in notify.channels() {
            match file.notify.entries.get(name) {
                None => return Err(refuse(format!("there is no channel `{name}`"))),
                Some((channel, _)) if is_heartbeat(channel) => {
                    return Err(refuse(no_receiver(name)));
                }
                Some(_) => {}
            }
        }
        Ok(Some(notify))
    }

    /// The channels that alerts of service levels go to.
    ///
    /// # Errors
    /// Exit 2 when one of them is not in the configuration file.
    pub(crate) fn slo_notify(&self) -> Result<Vec<String>, SettingsError> {
        let (value, origin) = self.value_or_default("SLO_NOTIFY")?;
        let names: Vec<String> = value
            .split(',')
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect();
        let known = self.channels()?;
        for name in &names {
            let Some(setting) = known.iter().find(|channel| channel.name == *name) else {
                let message = format!("SLO_NOTIFY ({origin}): there is no channel `{name}`");
                let hint = format!("add a table `[notify.{name}]` to the configuration file");
                return Err(SettingsError::usage(message, hint));
            };
            let channel = setting.channel.as_ref();
            if channel.is_ok_and(|it| matches!(it.kind, ChannelKind::Heartbeat { .. })) {
                let message = format!("SLO_NOTIFY ({origin}): {}", no_receiver(name));
                let hint = "name a channel of another type".to_owned();
                return Err(SettingsError::usage(message, hint));
            }
        }
        Ok(names)
    }

    /// The channels and the default as `wfx config` shows them.
    pub(super) fn shown_channels(&self) -> Vec<Shown> {
        let mut shown = Vec::new();
        if let Ok(Some(file)) = self.file()
            && let Some((value, line)) = file.notify.entries.get("default")
        {
            shown.push(Shown {
                name: "notify.default".into(),
                value: serde_json::to_string(value).ok(),
                origin: Origin::File { path: file.path.clone(), line: *line },
                problem: self.notify_default().err().map(|error| error.to_string()),
                group: Group::Notifications,
            });
        }
        for setting in self.channels().unwrap_or_default() {
            let (value, problem) = match &setting.channel {
                Ok(channel) => {
                    (Some(format!("{} {}", channel.kind.as_str(), channel.kind.shown())), None)
                }
                Err(error) => (None, Some(error.to_string())),
            };
            let name = format!("notify.{}", setting.name).into();
            let (origin, group) = (setting.origin, Group::Notifications);
            shown.push(Shown { name, value, origin, problem, group });
        }
        shown
    }
}

fn is_heartbeat(channel: &Value) -> bool {
    channel.get("type").and_then(Value::as_str) == Some("heartbeat")
}

fn no_receiver(name: &str) -> String {
    format!("the channel `{name}` is a heartbeat, which takes no notifications")
}

/// One name, several, or rules.
fn default_rules(value: &Value) -> Result<Notify, String> {
    let name = |value: &Value| match value.as_str() {
        Some(name) if is_channel_name(name) => Ok(name.to_owned()),
        Some(name) => Err(format!("`{name}` cannot be the name of a channel: {CHANNEL_NAME}")),
        None => Err("it takes names of channels, or rules".to_owned()),
    };
    match value {
        Value::String(text) if text == "none" => Ok(Notify::default()),
        Value::String(_) => Ok(Notify { rules: vec![NotifyRule::to(vec![name(value)?])] }),
        Value::Array(items) if items.iter().all(Value::is_str) => {
            let names = items.iter().map(name).collect::<Result<Vec<_>, String>>()?;
            let rules = if names.is_empty() { Vec::new() } else { vec![NotifyRule::to(names)] };
            Ok(Notify { rules })
        }
        Value::Array(_) => {
            let json = serde_json::to_string(value).map_err(|error| error.to_string())?;
            check::notify_of_json(&json).map_err(|problems| problems.to_string())
        }
        _ => Err("it takes names of channels, or rules".to_owned()),
    }
}

/// Reads the keys of one channel.
struct Reader<'a> {
    name: &'a str,
    line: usize,
    path: &'a Path,
    lines: &'a [String],
    environment: &'a Environment,
    /// The names of all channels.
    names: Vec<&'a str>,
    table: Option<&'a toml::Table>,
    warnings: Vec<String>,
    has_inline_secret: bool,
    /// What was read of keys with secrets.
    secrets: Vec<Hidden>,
}

impl Reader<'_> {
    fn channel(&mut self) -> Result<Channel, SettingsError> {
        if !is_channel_name(self.name) {
            let message = format!("`{}` cannot be the name of a channel", self.name);
            return Err(self.refuse(None, message, CHANNEL_NAME));
        }
        let Some(table) = self.table else {
            let message = format!("[notify] has `{}`, which is no channel", self.name);
            return Err(self.refuse(None, message, "write a table `[notify.NAME]`"));
        };
        let types = format!("`type` is one of {}", TYPES.join(", "));
        let Some(kind) = table.get("type") else {
            return Err(self.refuse(None, "`type` is missing".to_owned(), &types));
        };
        let kind = kind.as_str().unwrap_or_default();
        let keys: &[&str] = match kind {
            "webhook" => &["url", "secret", OUTPUT_LINES_KEY],
            "slack" => &["url", OUTPUT_LINES_KEY],
            "pagerduty" => &["url", "routing_key", "severity", OUTPUT_LINES_KEY],
            "alertmanager" => &["url", "labels", OUTPUT_LINES_KEY],
            "email" => &["smtp", "password", "from", "to", OUTPUT_LINES_KEY],
            "heartbeat" => &["url", "every"],
            _ => {
                let message = format!("`{kind}` is no type of channel");
                return Err(self.refuse(Some("type"), message, &types));
            }
        };
        self.refuse_unknown(table, kind, keys)?;
        let kind = match kind {
            "webhook" => {
                ChannelKind::Webhook { target: self.target(None, true)?, secret: self.secret()? }
            }
            "slack" => ChannelKind::Slack { target: self.target(None, true)? },
            "pagerduty" => ChannelKind::PagerDuty {
                target: self.target(Some(PAGERDUTY_URL), false)?,
                routing_key: Hidden(self.required("routing_key", true)?),
                severity: self.severity()?,
            },
            "alertmanager" => ChannelKind::Alertmanager {
                target: self.target(None, false)?,
                labels: self.labels()?,
            },
            "email" => ChannelKind::Email(self.email()?),
            _ => ChannelKind::Heartbeat { target: self.target(None, true)?, every: self.every()? },
        };
        let output_lines = self.output_lines()?;
        let secrets = std::mem::take(&mut self.secrets);
        Ok(Channel { name: self.name.to_owned(), kind, output_lines, secrets })
    }

    fn refuse(&self, key: Option<&str>, message: impl fmt::Display, hint: &str) -> SettingsError {
        let line = key.and_then(|key| self.line_of(key)).unwrap_or(self.line);
        let message = format!("{}:{line}: channel `{}`: {message}", self.path.display(), self.name);
        SettingsError::usage(message, hint.to_owned())
    }

    /// The line of a key below the head of the table.
    fn line_of(&self, key: &str) -> Option<usize> {
        let below = self.lines.iter().enumerate().skip(self.line);
        let mut own = below.take_while(|(_, line)| !line.trim_start().starts_with('['));
        own.find(|(_, line)| {
            line.trim_start()
                .strip_prefix(key)
                .is_some_and(|rest| rest.trim_start().starts_with('='))
        })
        .map(|(index, _)| index + 1)
    }

    fn refuse_unknown(
        &self,
        table: &toml::Table,
        kind: &str,
        keys: &[&str],
    ) -> Result<(), SettingsError> {
        let known: Vec<String> = keys
            .iter()
            .flat_map(|key| {
                let file = (!INLINE_KEYS.contains(key)).then(|| format!("{key}_file"));
                [Some((*key).to_owned()), file].into_iter().flatten()
            })
            .chain(["type".to_owned()])
            .collect();
        let Some(unknown) = table.keys().find(|key| !known.contains(key)) else { return Ok(()) };
        let near = known
            .iter()
            .map(|key| (strsim::damerau_levenshtein(unknown, key), key))
            .min()
            .filter(|(distance, key)| *distance <= key.len().div_ceil(3));
        let hint = match near {
            Some((_, near)) => format!("did you mean `{near}`?"),
            None => format!("it takes {}", known.join(", ")),
        };
        let message = format!("`{unknown}` is no key of the type {kind}");
        Err(self.refuse(Some(unknown), message, &hint))
    }

    /// The value of a key: of its variable, of the table, or of a file that the table names.
    fn text(&mut self, key: &str, is_secret: bool) -> Result<Option<String>, SettingsError> {
        let text = self.read(key, is_secret)?;
        // No URL is shown beyond its host.
        if let Some(text) = text.as_ref().filter(|text| is_secret || text.contains("://")) {
            self.secrets.push(Hidden(text.clone()));
        }
        Ok(text)
    }

    fn read(&mut self, key: &str, is_secret: bool) -> Result<Option<String>, SettingsError> {
        let upper = |text: &str| text.to_ascii_uppercase().replace('-', "_");
        let variable = format!("WFX_NOTIFY_{}_{}", upper(self.name), upper(key));
        if let Some(value) = self.environment.get(&variable) {
            let has_same = |name: &&&str| **name != self.name && upper(name) == upper(self.name);
            if let Some(other) = self.names.iter().find(has_same) {
                let message =
                    format!("the variable {variable} would also be that of the channel `{other}`");
                return Err(self.refuse(None, message, "rename one of the two channels"));
            }
            return match value.to_str() {
                Some(value) => Ok(Some(value.trim().to_owned())),
                None => {
                    let message = format!("the variable {variable} is not UTF-8");
                    Err(self.refuse(None, message, "give it text"))
                }
            };
        }
        let key_file = format!("{key}_file");
        let (inline, file) = match self.table {
            Some(table) => (table.get(key), table.get(&key_file)),
            None => (None, None),
        };
        let takes_text = format!("`{key}` takes text");
        match (inline, file) {
            (Some(_), Some(_)) => {
                let message = format!("`{key}` and `{key_file}` are both set");
                Err(self.refuse(Some(&key_file), message, "leave out one of them"))
            }
            (Some(value), None) => {
                let Some(text) = value.as_str() else {
                    return Err(self.refuse(Some(key), takes_text, "put it in quotes"));
                };
                self.has_inline_secret |= is_secret || environment::password(text).is_some();
                Ok(Some(text.trim().to_owned()))
            }
            (None, Some(file)) => {
                let Some(file) = file.as_str().map(PathBuf::from) else {
                    let message = format!("`{key_file}` takes a path");
                    return Err(self.refuse(Some(&key_file), message, "put it in quotes"));
                };
                let text = files::read_text(&file, VALUE_BYTES_MAX).map_err(|error| {
                    let message = format!("cannot read {}: {error}", file.display());
                    self.refuse(Some(&key_file), message, "correct the path, or make it readable")
                })?;
                if others_can_read(&file) {
                    let (name, file) = (self.name, file.display());
                    self.warnings.push(format!(
                        "others can read {file}, which holds a secret of the channel `{name}`: run \
                         `chmod o-r` on it"
                    ));
                }
                Ok(Some(text.trim().to_owned()))
            }
            (None, None) => Ok(None),
        }
    }

    fn required(&mut self, key: &str, is_secret: bool) -> Result<String, SettingsError> {
        let value = self.text(key, is_secret)?.filter(|value| !value.is_empty());
        value.ok_or_else(|| {
            let hint = format!("set `{key}`, `{key}_file` or its variable");
            self.refuse(None, format!("`{key}` is missing"), &hint)
        })
    }

    fn target(&mut self, default: Option<&str>, is_secret: bool) -> Result<Target, SettingsError> {
        let url = match default {
            Some(default) => self.text("url", is_secret)?.unwrap_or_else(|| default.to_owned()),
            None => self.required("url", is_secret)?,
        };
        target(&url).map_err(|why| {
            let hint = "it takes an http or https URL, such as https://example.com/hook";
            // The URL may be a password.
            self.refuse(Some("url"), format!("`url` cannot be used: {why}"), hint)
        })
    }

    fn secret(&mut self) -> Result<Option<Secret>, SettingsError> {
        let Some(text) = self.text("secret", true)? else { return Ok(None) };
        text.parse().map(Some).map_err(|error| {
            let hint = "it takes `whsec_` and base64, or any other text";
            self.refuse(Some("secret"), format!("`secret`: {error}"), hint)
        })
    }

    fn severity(&mut self) -> Result<String, SettingsError> {
        let severity = self.text("severity", false)?.unwrap_or_else(|| "error".to_owned());
        if ["critical", "error", "warning", "info"].contains(&severity.as_str()) {
            return Ok(severity);
        }
        let message = format!("`{severity}` is no severity");
        Err(self.refuse(Some("severity"), message, "it takes critical, error, warning or info"))
    }

    fn labels(&mut self) -> Result<BTreeMap<String, String>, SettingsError> {
        let hint = "write `labels = { team = \"data\" }`; names have letters, digits and `_`";
        let Some(value) = self.table.and_then(|table| table.get("labels")) else {
            return Ok(BTreeMap::new());
        };
        let is_name = |name: &str| {
            name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
                && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        };
        let labels = value.as_table().and_then(|table| {
            let label = |(name, value): (&String, &Value)| {
                Some((name.clone(), value.as_str()?.to_owned())).filter(|(name, _)| is_name(name))
            };
            table.iter().map(label).collect()
        });
        labels.ok_or_else(|| {
            self.refuse(Some("labels"), "`labels` takes names and texts".to_owned(), hint)
        })
    }

    fn output_lines(&self) -> Result<usize, SettingsError> {
        let value = match self.table.and_then(|table| table.get(OUTPUT_LINES_KEY)) {
            None => return Ok(OUTPUT_LINES),
            Some(value) => value.as_integer().and_then(|lines| usize::try_from(lines).ok()),
        };
        value.filter(|lines| *lines <= OUTPUT_LINES_MAX).ok_or_else(|| {
            let message =
                format!("`{OUTPUT_LINES_KEY}` takes a whole number from 0 to {OUTPUT_LINES_MAX}");
            let hint = "write `output_lines = 0` to leave out what steps print";
            self.refuse(Some(OUTPUT_LINES_KEY), message, hint)
        })
    }

    fn every(&mut self) -> Result<Duration, SettingsError> {
        let every = match self.table.and_then(|table| table.get("every")) {
            None => return Ok(Duration::from_secs(60)),
            Some(Value::String(text)) => text.parse::<Period>().ok(),
            Some(Value::Integer(seconds)) => seconds.to_string().parse().ok(),
            Some(_) => None,
        };
        let every = every.map(Period::duration).filter(|every| *every >= Duration::from_secs(1));
        every.ok_or_else(|| {
            let message = "`every` takes a duration of at least a second".to_owned();
            self.refuse(Some("every"), message, "write `every = \"1m\"`")
        })
    }

    fn email(&mut self) -> Result<Email, SettingsError> {
        let smtp = self.required("smtp", false)?;
        let mut email = smtp_server(&smtp).map_err(|why| {
            let hint = "it takes smtps://USER@HOST or smtp://HOST:PORT";
            self.refuse(Some("smtp"), format!("`smtp` cannot be used: {why}"), hint)
        })?;
        let password = self.text("password", true)?.filter(|password| !password.is_empty());
        match (&mut email.login, password) {
            (Some((_, stored)), Some(password)) => *stored = Hidden(password),
            (Some((_, stored)), None) if stored.0.is_empty() => {
                let message = "`smtp` has a user, and there is no password".to_owned();
                let hint = "set `password_file`, or leave the user out";
                return Err(self.refuse(Some("smtp"), message, hint));
            }
            (None, Some(_)) => {
                let message = "there is a password, and `smtp` has no user".to_owned();
                return Err(self.refuse(Some("smtp"), message, "write smtps://USER@HOST"));
            }
            _ => {}
        }
        let no_mailbox = |key: &str, text: &str| {
            let hint = "write an address, or `Name <address>`";
            self.refuse(Some(key), format!("`{text}` is no mail address"), hint)
        };
        let list = |value: Option<&Value>| -> Option<Vec<String>> {
            match value? {
                Value::String(text) => Some(vec![text.clone()]),
                Value::Array(items) => {
                    items.iter().map(|item| item.as_str().map(str::to_owned)).collect()
                }
                _ => None,
            }
        };
        let to = self.table.and_then(|table| table.get("to"));
        let to = match (list(to), to) {
            (None, Some(_)) => {
                let hint = "write `to = [\"ops@example.com\"]`";
                let message = "`to` takes an address or a list of addresses".to_owned();
                return Err(self.refuse(Some("to"), message, hint));
            }
            (to, _) => to.unwrap_or_default(),
        };
        if let Some(bad) = to.iter().find(|to| !sender::is_mailbox(to)) {
            return Err(no_mailbox("to", bad));
        }
        if to.is_empty() {
            let hint = "write `to = [\"ops@example.com\"]`";
            return Err(self.refuse(Some("to"), "`to` names nobody".to_owned(), hint));
        }
        email.to = to;
        email.from = self.required("from", false)?;
        if !sender::is_mailbox(&email.from) {
            let hint = "write an address, or `Name <address>`";
            let message = format!("`{}` is no mail address", email.from);
            return Err(self.refuse(Some("from"), message, hint));
        }
        Ok(email)
    }
}

fn others_can_read(file: &Path) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.mode() & 0o004 != 0)
}
