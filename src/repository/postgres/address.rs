//! Where a database of PostgreSQL is, and as whom it is used.

use std::fmt;
use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::repository::error::{StoreError, StoreErrorKind};
use crate::repository::sql::client::Client;
use crate::repository::sql::failure::Failure;
use crate::system::tls;

/// How long a connection may take until it stands.
const CONNECTING: Duration = Duration::from_secs(5);
/// A peer that is gone is noticed within this time.
const SILENCE: Duration = Duration::from_secs(10);
/// The port where none is named.
const PORT: u16 = 5432;

/// A database of PostgreSQL.
#[derive(Clone)]
pub(crate) struct Address {
    config: Config,
    /// The certificate of the authority that is trusted beside those of the system.
    authority: Option<PathBuf>,
    /// Where this machine keeps the lock files of its processes.
    state: PathBuf,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Address {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        if let Some(user) = self.config.get_user() {
            write!(f, "{user}@")?;
        }
        let ports = self.config.get_ports();
        for (number, host) in self.config.get_hosts().iter().enumerate() {
            let port = ports.get(number).or(ports.first()).copied().unwrap_or(PORT);
            let comma = if number > 0 { "," } else { "" };
            match host {
                Host::Tcp(name) => write!(f, "{comma}{name}:{port}")?,
                Host::Unix(path) => write!(f, "{comma}{}:{port}", path.display())?,
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl Address {
    /// That of a URL (<https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS>).
    /// Where it has no password, that of `passwords`, a file as `PGPASSFILE` names one. `state` is the
    /// folder for what this machine keeps of its processes.
    pub(crate) fn parse(
        url: &str,
        passwords: Option<&Path>,
        state: &Path,
    ) -> Result<Self, StoreError> {
        let refuse = |why: String| {
            StoreError::new(StoreErrorKind::Refused, format!("the URL of the database {why}"))
                .with_hint("write postgres://user@host:5432/database")
        };
        let (url, authority) = tls_options(url).map_err(refuse)?;
        let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            refuse(format!("is not valid: {}", cause.unwrap_or_else(|| error.to_string())))
        })?;
        if config.get_hosts().is_empty() {
            return Err(refuse("names no host".to_owned()));
        }
        if config.get_dbname().is_none_or(str::is_empty) {
            return Err(refuse("names no database".to_owned()));
        }
        if config.get_password().is_none()
            && let Some(path) = passwords
        {
            let text = fs::read_to_string(path).map_err(|error| {
                StoreError::io(&format!("read the passwords in {}", path.display()), &error)
            })?;
            if let Some(password) = password(&text, &config) {
                config.password(password);
            }
        }
        config
            .application_name("wfx")
            .connect_timeout(CONNECTING)
            .keepalives_idle(SILENCE)
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(2);
        #[cfg(target_os = "linux")]
        config.tcp_user_timeout(SILENCE * 3);
        Ok(Self { config, authority, state: state.to_owned() })
    }

    /// Where this machine keeps what it knows of processes that use the database with this number.
    pub(crate) fn locks(&self, number: u32) -> PathBuf {
        self.state.join(format!("postgres-{number:08x}"))
    }

    /// Makes that folder, for this user alone.
    pub(crate) fn prepare_state(&self) -> Result<(), StoreError> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.state).map_err(|error| {
            StoreError::io(&format!("make the folder {}", self.state.display()), &error)
        })
    }

    /// Connects, and sets what `setup` sets; each answer is waited for so long.
    pub(crate) fn connect(
        &self,
        setup: &str,
        connecting: Duration,
        patience: Option<Duration>,
    ) -> Result<Client, Failure> {
        let tls = match self.config.get_ssl_mode() {
            SslMode::Disable => None,
            mode => match tls::client_trusting(self.authority.as_deref()) {
                Ok(tls) => Some(tls),
                // Where no server can be trusted, TLS is no use.
                Err(_) if mode == SslMode::Prefer && self.authority.is_none() => None,
                Err(why) => return Err(Failure::Tls(why)),
            },
        };
        Client::connect(&self.config, tls, setup, connecting, patience)
    }
}

/// What libpq calls `sslmode` and `sslrootcert`, taken out of a URL: certificates are always checked
/// where there are any.
fn tls_options(url: &str) -> Result<(String, Option<PathBuf>), String> {
    let Some((before, query)) = url.split_once('?') else { return Ok((url.to_owned(), None)) };
    let mut authority = None;
    let mut rest: Vec<String> = Vec::new();
    for part in query.split('&') {
        match part.split_once('=') {
            Some(("sslrootcert", path)) => {
                let path = percent_decode_str(path).decode_utf8();
                let path = path.map_err(|_| "has a path that is no text".to_owned())?;
                authority = Some(PathBuf::from(path.as_ref()));
            }
            Some(("sslmode", "verify-ca" | "verify-full")) => {
                rest.push("sslmode=require".to_owned());
            }
            _ => rest.push(part.to_owned()),
        }
    }
    let query = if rest.is_empty() { String::new() } else { format!("?{}", rest.join("&")) };
    Ok((format!("{before}{query}"), authority))
}

/// The password of the first line that fits
/// (<https://www.postgresql.org/docs/current/libpq-pgpass.html>).
fn password(text: &str, config: &Config) -> Option<String> {
    let host = match config.get_hosts().first()? {
        Host::Tcp(name) => name.clone(),
        Host::Unix(_) => "localhost".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(PORT).to_string();
    let database = config.get_dbname().unwrap_or_default();
    let user = config.get_user().unwrap_or_default();
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut fields = fields(line).into_iter();
        let fits = [host.as_str(), port.as_str(), database, user]
            .into_iter()
            .all(|value| fields.next().is_some_and(|field| field == "*" || field == value));
        fields.next().filter(|_| fits)
    })
}

/// The fields of a line, between colons; a backslash takes what follows as it is.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        let last = fields.len() - 1;
        match letter {
            ':' if last < 4 => fields.push(String::new()),
            '\\' => fields[last].extend(letters.next()),
            letter => fields[last].push(letter),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Address, StoreError> {
        Address::parse(url, None, Path::new("/state"))
    }

    #[test]
    fn an_address_is_shown_without_its_password() {
        let address = parse("postgres://wfx:secret@db.example:6432/runs?sslmode=disable").unwrap();
        assert_eq!(address.to_string(), "postgres://wfx@db.example:6432/runs");
        assert_eq!(format!("{address:?}"), "postgres://wfx@db.example:6432/runs");
        let two = parse("postgresql://wfx@a,b:7000/runs?target_session_attrs=read-write").unwrap();
        assert_eq!(two.to_string(), "postgres://wfx@a:5432,b:7000/runs");
    }

    #[test]
    fn what_is_no_address_is_refused_without_its_password() {
        for url in [
            "postgres://wfx:secret@/runs",
            "postgres://wfx:secret@db",
            "postgres://wfx:secret@db:port/runs",
            "postgres://wfx:secret@db/runs?no_such=1",
        ] {
            let error = parse(url).unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Refused, "{error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn certificates_are_named_as_libpq_names_them() {
        let url = "postgres://wfx@db/runs?sslmode=verify-full&sslrootcert=/a%20b.pem";
        let (url, authority) = tls_options(url).unwrap();
        assert_eq!(url, "postgres://wfx@db/runs?sslmode=require");
        assert_eq!(authority, Some(PathBuf::from("/a b.pem")));
    }

    #[test]
    fn the_first_line_that_fits_has_the_password() {
        let config: Config = "postgres://wfx@db:6432/runs".parse().unwrap();
        let text = "# comment\ndb:5432:runs:wfx:other\nd\\b:*:runs:wfx:a\\:b:c\ndb:*:*:*:last\n";
        assert_eq!(password(text, &config), Some("a:b:c".to_owned()));
        assert_eq!(password("db:6432:runs:other:x", &config), None);
        assert_eq!(password("db:6432:runs:wfx", &config), None);
    }
}
