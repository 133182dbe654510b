//! The configuration file: TOML, the names of the variables in lower case.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Spanned, Value};

use super::SettingsError;
use super::catalogue::SETTINGS;
use super::notify::NotifyTable;
use crate::system::files;

/// The longest configuration file.
const BYTES_MAX: u64 = 1024 * 1024;

/// A configuration file that was read.
#[derive(Debug, Clone)]
pub(super) struct ConfigFile {
    pub(super) path: PathBuf,
    /// Values as text, and their lines, by key.
    values: BTreeMap<String, (String, usize)>,
    /// The channels of notifications.
    pub(super) notify: NotifyTable,
}

/// The one table of the file.
#[derive(Deserialize)]
struct WithNotify {
    notify: Option<BTreeMap<Spanned<String>, Value>>,
}

impl ConfigFile {
    /// Reads the file; none when it does not exist and was not `named`.
    pub(super) fn read(path: &Path, named: bool) -> Result<Option<Self>, SettingsError> {
        let cannot = |error: &io::Error| {
            SettingsError::usage(
                format!("cannot read the configuration file {}: {error}", path.display()),
                "correct --config or WFX_CONFIG, or make the file readable".to_owned(),
            )
        };
        match files::read_text(path, BYTES_MAX) {
            Ok(text) => Self::parse(path, &text).map(Some),
            Err(error) if !named && is_absent(&error) => Ok(None),
            Err(error) => Err(cannot(&error)),
        }
    }

    fn parse(path: &Path, text: &str) -> Result<Self, SettingsError> {
        let table: BTreeMap<Spanned<String>, Spanned<Value>> =
            toml::from_str(text).map_err(|error| {
                let line = error.span().map_or(1, |span| line_of(text, span.start));
                let message = format!("{}:{line}: {}", path.display(), error.message());
                SettingsError::usage(message, "the file is TOML: `name = value`".to_owned())
            })?;
        let mut values = BTreeMap::new();
        let mut notify = NotifyTable::default();
        for (key, value) in table {
            let line = line_of(text, key.span().start);
            let key = key.into_inner();
            if key == "notify" {
                notify = Self::notify(path, text, line)?;
                continue;
            }
            let refuse = |message: String, hint: String| {
                SettingsError::usage(format!("{}:{line}: {message}", path.display()), hint)
            };
            if !SETTINGS.iter().any(|setting| setting.name.eq_ignore_ascii_case(&key))
                || key == "wfx_config"
            {
                return Err(refuse(format!("`{key}` is not a setting"), nearest(&key)));
            }
            let span = value.span();
            let value = match value.into_inner() {
                Value::String(text) => text,
                // In its written form, so that 0.10 stays 0.10.
                Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => {
                    text.get(span).unwrap_or_default().to_owned()
                }
                Value::Array(items) if items.iter().all(|value| item(value).is_some()) => {
                    items.iter().filter_map(item).collect::<Vec<_>>().join(",")
                }
                other => {
                    let message = format!("`{key}` cannot be {}", other.type_str());
                    return Err(refuse(message, "write text, a number or true".to_owned()));
                }
            };
            values.insert(key, (value, line));
        }
        Ok(Self { path: path.to_owned(), values, notify })
    }

    fn notify(path: &Path, text: &str, line: usize) -> Result<NotifyTable, SettingsError> {
        let table: WithNotify = toml::from_str(text).map_err(|_| {
            let message = format!("{}:{line}: `notify` is a table", path.display());
            SettingsError::usage(message, "write a table `[notify.NAME]`".to_owned())
        })?;
        let entries = table.notify.into_iter().flatten().map(|(name, value)| {
            let line = line_of(text, name.span().start);
            (name.into_inner(), (value, line))
        });
        let lines = text.lines().map(str::to_owned).collect();
        Ok(NotifyTable { entries: entries.collect(), lines })
    }

    /// The value of a setting by the name of its variable, and its line.
    pub(super) fn get(&self, name: &str) -> Option<(&str, usize)> {
        let (value, line) = self.values.get(&name.to_ascii_lowercase())?;
        Some((value, *line))
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::PermissionDenied
    )
}

/// An item of a list as text; none when it is a list or a map itself.
fn item(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(value) => Some(value.to_string()),
        _ => None,
    }
}

fn nearest(key: &str) -> String {
    let lower = key.to_ascii_lowercase();
    SETTINGS
        .iter()
        .map(|setting| setting.name.to_ascii_lowercase())
        .map(|name| (strsim::damerau_levenshtein(&lower, &name), name))
        .min()
        .filter(|(distance, name)| *distance <= name.len() / 3)
        .map_or_else(
            || "`wfx config` shows every setting".to_owned(),
            |(_, name)| format!("did you mean `{name}`?"),
        )
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|&&byte| byte == b'\n').count() + 1
}
