//! Default locations of files: the XDG base directories
//! (<https://specifications.freedesktop.org/basedir-spec/latest/>) and systemd's `STATE_DIRECTORY`.

use std::path::{Path, PathBuf};

use super::{Environment, Flags, Origin, SettingsError};

/// The candidate configuration files, and whether each was named explicitly: then it must exist.
pub(super) fn config_files(flags: &Flags, environment: &Environment) -> Vec<(PathBuf, bool)> {
    if let Some(path) = &flags.config {
        return vec![(path.clone(), true)];
    }
    if let Some(path) = environment.get("WFX_CONFIG") {
        return vec![(PathBuf::from(path), true)];
    }
    let own = absolute(environment, "XDG_CONFIG_HOME")
        .or_else(|| Some(absolute(environment, "HOME")?.join(".config")));
    own.into_iter()
        .map(|folder| folder.join("wfx/config.toml"))
        .chain([PathBuf::from("/etc/wfx/config.toml")])
        .map(|path| (path, false))
        .collect()
}

/// The database when neither flag, variable nor file names one.
pub(super) fn default_database(
    environment: &Environment,
) -> Result<(PathBuf, Origin), SettingsError> {
    if let Some(folders) = environment.get("STATE_DIRECTORY") {
        // systemd gives several separated by colons.
        let first = std::env::split_paths(folders).find(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = first {
            return Ok((folder.join("wfx.db"), Origin::Variable("STATE_DIRECTORY")));
        }
    }
    if let Some(folder) = absolute(environment, "XDG_STATE_HOME") {
        return Ok((folder.join("wfx/wfx.db"), Origin::Variable("XDG_STATE_HOME")));
    }
    if let Some(home) = absolute(environment, "HOME") {
        return Ok((home.join(".local/state/wfx/wfx.db"), Origin::Default));
    }
    Err(SettingsError::environment(
        "cannot tell where the database is: HOME is not set".to_owned(),
        "name it with --db or WFX_DB, or set HOME to an absolute path".to_owned(),
    ))
}

/// The folder for what this machine keeps beside a database on a server.
pub(super) fn state(environment: &Environment) -> Result<PathBuf, SettingsError> {
    let (database, _) = default_database(environment).map_err(|_| {
        SettingsError::environment(
            "cannot tell where to keep locks: HOME is not set".to_owned(),
            "set HOME or XDG_STATE_HOME to an absolute path".to_owned(),
        )
    })?;
    Ok(database.parent().map(Path::to_owned).unwrap_or_default())
}

/// The file of passwords of PostgreSQL's clients
/// (<https://www.postgresql.org/docs/current/libpq-pgpass.html>), if there is one.
pub(super) fn passwords(environment: &Environment) -> Option<PathBuf> {
    if let Some(path) = environment.get("PGPASSFILE") {
        return Some(PathBuf::from(path));
    }
    let own = absolute(environment, "HOME")?.join(".pgpass");
    own.exists().then_some(own)
}

/// A folder named by a variable; XDG requires that a relative one is ignored.
fn absolute(environment: &Environment, name: &str) -> Option<PathBuf> {
    environment.get(name).map(PathBuf::from).filter(|path| Path::is_absolute(path))
}
