//! Which store commands work with, or which daemon instead.

use std::fs;
use std::path::PathBuf;

use super::{Origin, Settings, SettingsError, catalogue, paths, refuse};
use crate::client::address::ServerAddress;
use crate::repository::{StoreAddress, StoreError};

impl Settings {
    /// The path of the database.
    ///
    /// # Errors
    /// Exit 3 when no path is set and there is no default.
    pub(crate) fn database(&self) -> Result<StoreAddress, SettingsError> {
        match self.database_on_server()? {
            Some((value, _)) => self.on_server(&value),
            None => Ok(StoreAddress::File(self.database_with_origin()?.0)),
        }
    }

    /// The daemon that commands work with instead of a database. `--db` chooses a database, and so
    /// do `--store`, and `WFX_DB` and `WFX_STORE` where no flag and no variable names a daemon.
    ///
    /// # Errors
    /// Exit 2 when the value is invalid, or a daemon and a database were chosen by flags.
    pub(crate) fn server(&self) -> Result<Option<ServerAddress>, SettingsError> {
        let setting = catalogue::find("WFX_SERVER");
        let database = match &self.flags {
            flags if flags.db.is_some() => Some("--db"),
            flags if flags.values.contains_key("WFX_STORE") => Some("--store"),
            _ => None,
        };
        if let Some(flag) = database {
            if !self.flags.values.contains_key(setting.name) {
                return Ok(None);
            }
            return Err(SettingsError::usage(
                format!(
                    "--server and {flag} cannot be given together: a daemon has its own database"
                ),
                "leave out one of them".to_owned(),
            ));
        }
        let Some((value, origin)) = self.find(setting)? else { return Ok(None) };
        let is_from_file = matches!(origin, Origin::File { .. });
        let names_database = |name| self.environment.get(name).is_some();
        if is_from_file && (names_database("WFX_DB") || names_database("WFX_STORE")) {
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

    /// The file of the database, where none on a server is named.
    pub(super) fn database_with_origin(&self) -> Result<(PathBuf, Origin), SettingsError> {
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

    /// The database on a server that is to be used, if one is. A flag beats a variable, and a
    /// variable the configuration file.
    fn database_on_server(&self) -> Result<Option<(String, Origin)>, SettingsError> {
        let setting = catalogue::find("WFX_STORE");
        let is_flag = self.flags.values.contains_key(setting.name);
        if is_flag && self.flags.db.is_some() {
            return Err(SettingsError::usage(
                "--store and --db cannot be given together: each names a database".to_owned(),
                "leave out one of them".to_owned(),
            ));
        }
        if self.flags.db.is_some() {
            return Ok(None);
        }
        let Some((value, origin)) = self.find(setting)? else { return Ok(None) };
        if matches!(origin, Origin::File { .. }) && self.environment.get("WFX_DB").is_some() {
            return Ok(None);
        }
        match setting.check(&value) {
            Ok(()) => Ok(Some((value, origin))),
            Err(_) => Err(refuse(setting, &value, &origin)),
        }
    }

    fn on_server(&self, value: &str) -> Result<StoreAddress, SettingsError> {
        let refuse = |error: &StoreError| {
            let hint = error.hint().unwrap_or("look at WFX_STORE").to_owned();
            SettingsError::usage(format!("WFX_STORE: {error}"), hint)
        };
        let url = match value.strip_prefix('@') {
            None => value.to_owned(),
            Some(path) => fs::read_to_string(path).map_err(|error| {
                SettingsError::environment(
                    format!("cannot read the URL of the database from {path}: {error}"),
                    "write it into a file that wfx can read".to_owned(),
                )
            })?,
        };
        let passwords = paths::passwords(&self.environment);
        let state = paths::state(&self.environment)?;
        StoreAddress::postgres(url.trim(), passwords.as_deref(), &state)
            .map_err(|error| refuse(&error))
    }
}
