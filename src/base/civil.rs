//! Points in time as the clocks of a zone show them, in words for people. The zone is named apart:
//! in the head of a column, in a sentence, at an axis.

use jiff::Zoned;
use jiff::tz::TimeZone;

use super::timestamp::Timestamp;

/// The clocks of a zone.
#[derive(Debug, Clone)]
pub(crate) struct Civil(TimeZone);

impl Civil {
    /// The clocks of this zone.
    #[must_use]
    pub(crate) fn of(zone: TimeZone) -> Self {
        Self(zone)
    }

    /// The name of the zone: `Europe/Berlin`.
    #[must_use]
    pub(crate) fn name(&self) -> String {
        self.0.iana_name().unwrap_or("local time").to_owned()
    }

    /// What its clocks are called at a time: `CET`.
    #[must_use]
    pub(crate) fn abbreviation(&self, at: Timestamp) -> String {
        self.written(at, "%Z")
    }

    /// `Sat 28 Nov 2026, 13:42:10`
    #[must_use]
    pub(crate) fn full(&self, at: Timestamp) -> String {
        self.written(at, "%a %-d %b %Y, %H:%M:%S")
    }

    /// `13:42:10`
    #[must_use]
    pub(crate) fn clock(&self, at: Timestamp) -> String {
        self.written(at, "%H:%M:%S")
    }

    /// `13:42:10.123`
    #[must_use]
    pub(crate) fn millis(&self, at: Timestamp) -> String {
        self.written(at, "%H:%M:%S.%3f")
    }

    /// `Sat 28 Nov`
    #[must_use]
    pub(crate) fn day(&self, at: Timestamp) -> String {
        self.written(at, "%a %-d %b")
    }

    /// As short as it can be: `today 12:12`, `Fri 17:46`, `Wed 18 Nov 06:04`, `18 Nov 2025 06:04`.
    #[must_use]
    pub(crate) fn brief(&self, at: Timestamp, now: Timestamp) -> String {
        let (zoned, today) = (self.zoned(at), self.zoned(now));
        if zoned.date() == today.date() {
            return zoned.strftime("today %H:%M").to_string();
        }
        let is_near = at < now && now.since(at).as_secs() < 6 * 86_400;
        let format = match (is_near, zoned.year() == today.year()) {
            (true, _) => "%a %H:%M",
            (false, true) => "%a %-d %b %H:%M",
            (false, false) => "%-d %b %Y %H:%M",
        };
        zoned.strftime(format).to_string()
    }

    fn zoned(&self, at: Timestamp) -> Zoned {
        let instant = jiff::Timestamp::from_microsecond(at.as_micros()).unwrap_or_default();
        instant.to_zoned(self.0.clone())
    }

    fn written(&self, at: Timestamp, format: &str) -> String {
        self.zoned(at).strftime(format).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::zone;

    #[test]
    fn a_time_is_written_as_the_clocks_of_its_zone_show_it() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let berlin = Civil::of(zone::named("Europe/Berlin").unwrap());
        let now = at("2026-11-28T12:42:10Z");
        assert_eq!(berlin.full(now), "Sat 28 Nov 2026, 13:42:10");
        assert_eq!(
            (berlin.name(), berlin.abbreviation(now)),
            ("Europe/Berlin".into(), "CET".into())
        );
        for (text, brief) in [
            ("2026-11-28T11:12:00Z", "today 12:12"),
            ("2026-11-27T23:30:00Z", "today 00:30"),
            ("2026-11-27T16:46:00Z", "Fri 17:46"),
            ("2026-11-18T05:04:00Z", "Wed 18 Nov 06:04"),
            ("2026-11-30T05:00:00Z", "Mon 30 Nov 06:00"),
            ("2025-12-31T05:04:00Z", "31 Dec 2025 06:04"),
        ] {
            assert_eq!(berlin.brief(at(text), now), brief);
        }
        // The hour that comes twice is told apart by what the clocks are called.
        let twice = [at("2026-10-25T00:30:00Z"), at("2026-10-25T01:30:00Z")];
        assert_eq!(twice.map(|at| berlin.clock(at)), ["02:30:00", "02:30:00"]);
        assert_eq!(twice.map(|at| berlin.abbreviation(at)), ["CEST", "CET"]);
    }
}
