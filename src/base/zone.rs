//! Zones: looked up by name, and how points in time are written for people: in UTC, or as the clocks
//! around them show it.

use std::fmt;

use jiff::tz::TimeZone;

use super::timestamp::Timestamp;

/// The zone in which times are written.
#[derive(Clone, Copy)]
pub(crate) enum Zone {
    /// `2026-01-31T08:15:00Z`.
    Utc,
    /// `2026-01-31 09:15:00 CET`. The zone is looked up when the first time is written: most
    /// commands write none.
    Of(fn() -> &'static TimeZone),
}

/// A zone by its IANA name, in any case: its rules come from the files of the system, or from the
/// database that is built in where there are none. Offsets and rules of POSIX are no names.
#[must_use]
pub(crate) fn named(name: &str) -> Option<TimeZone> {
    let lower = name.to_ascii_lowercase();
    // Files beside those of zones: that of the machine, and other ways to count the same.
    let is_other = ["localtime", "posixrules", "factory", "local"].contains(&lower.as_str())
        || lower.starts_with("posix/")
        || lower.starts_with("right/");
    if is_other {
        return None;
    }
    if lower == "utc" {
        return Some(TimeZone::UTC);
    }
    TimeZone::get(name).ok().filter(|zone| zone.iana_name().is_some())
}

/// Where the rules of zones come from, with their version where that is known.
#[must_use]
pub(crate) fn rules() -> String {
    const FOLDER: &str = "/usr/share/zoneinfo";
    if !std::path::Path::new(FOLDER).is_dir() {
        return "those that are built in".to_owned();
    }
    // The first line of the text form, which distributions install beside the files of zones.
    let text = std::fs::read_to_string(format!("{FOLDER}/tzdata.zi")).unwrap_or_default();
    match text.lines().next().and_then(|line| line.strip_prefix("# version ")) {
        Some(version) => format!("{FOLDER}, version {version}"),
        None => FOLDER.to_owned(),
    }
}

/// The names of all zones.
#[must_use]
pub(crate) fn names() -> Vec<String> {
    let names = jiff::tz::db().available().map(|name| name.as_str().to_owned());
    names.filter(|name| named(name).is_some()).collect()
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Utc => "Utc",
            Self::Of(_) => "Of",
        })
    }
}

impl Zone {
    /// A time to the second, with its zone.
    #[must_use]
    pub(crate) fn second(self, at: Timestamp) -> String {
        self.written(at, "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S %Z")
    }

    /// A time to the millisecond, with its zone.
    #[must_use]
    pub(crate) fn millisecond(self, at: Timestamp) -> String {
        self.written(at, "%Y-%m-%dT%H:%M:%S.%3fZ", "%Y-%m-%d %H:%M:%S.%3f %Z")
    }

    /// A time to the minute, as short as it can be: without its zone in UTC, without its year in
    /// others.
    #[must_use]
    pub(crate) fn minute(self, at: Timestamp) -> String {
        self.written(at, "%Y-%m-%dT%H:%M", "%m-%d %H:%M %Z")
    }

    fn written(self, at: Timestamp, in_utc: &str, elsewhere: &str) -> String {
        let local = match self {
            Self::Utc => None,
            Self::Of(zone) => Some(zone()).filter(|zone| **zone != TimeZone::UTC),
        };
        let instant = jiff::Timestamp::from_microsecond(at.as_micros()).unwrap_or_default();
        match local {
            None => instant.strftime(in_utc).to_string(),
            Some(zone) => instant.to_zoned(zone.clone()).strftime(elsewhere).to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use jiff::tz;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn berlin() -> &'static TimeZone {
        static BERLIN: OnceLock<TimeZone> = OnceLock::new();
        BERLIN.get_or_init(|| TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap())
    }

    #[test]
    fn a_time_is_written_with_its_zone() {
        let winter = at("2026-01-31T08:15:00.999999Z");
        assert_eq!(Zone::Utc.second(winter), "2026-01-31T08:15:00Z");
        assert_eq!(Zone::Of(berlin).second(winter), "2026-01-31 09:15:00 CET");
        assert_eq!(Zone::Of(berlin).second(at("2026-07-31T23:30:00Z")), "2026-08-01 01:30:00 CEST");
        assert_eq!(Zone::Of(berlin).minute(winter), "01-31 09:15 CET");
        assert_eq!(Zone::Utc.minute(winter), "2026-01-31T08:15");
        // The hour that comes twice is told apart.
        assert_eq!(Zone::Of(berlin).second(at("2026-10-25T00:30:00Z")), "2026-10-25 02:30:00 CEST");
        assert_eq!(Zone::Of(berlin).second(at("2026-10-25T01:30:00Z")), "2026-10-25 02:30:00 CET");
    }

    #[test]
    fn a_machine_on_utc_and_times_before_1970_are_as_ever() {
        let utc: fn() -> &'static TimeZone = || {
            static UTC: TimeZone = TimeZone::UTC;
            &UTC
        };
        assert_eq!(Zone::Of(utc).second(at("1969-12-31T23:59:59.5Z")), "1969-12-31T23:59:59Z");
        let offset: fn() -> &'static TimeZone = || {
            static FIXED: TimeZone = TimeZone::fixed(tz::Offset::constant(-3));
            &FIXED
        };
        assert_eq!(Zone::Of(offset).second(at("1970-01-01T00:00:00Z")), "1969-12-31 21:00:00 -03");
    }
}
