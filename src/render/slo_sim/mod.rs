//! What `wfx slo-sim` found.

mod indicators;
pub(crate) mod json;

use std::time::Duration;

use super::layout::Layout;
use super::style::{BAD, BOLD, GOOD};
use super::table::{self, Column};
use crate::base::timestamp::Timestamp;
use crate::base::units;
use crate::base::visible::visible;
use crate::base::zone::Zone;
use crate::slo::Indicator;
use crate::slo::report::Report;
use crate::slo::simulation::Breach;

/// The most rows of a table; JSON has all.
const ROWS_MAX: usize = 20;
/// A rate over fewer requests changes by more than 5 % with each.
const FEW: u64 = 20;
/// The width to which a path may be cut before columns are left out.
const PATH_LEAST: usize = 16;

impl Layout {
    /// Plots, breaches, alerts, and how many alerts would have been sent.
    pub(crate) fn simulation(&self, report: &Report) -> String {
        let totals = &report.found.totals;
        let length = Duration::from_micros(totals.to_us - totals.from_us);
        let from = if report.is_epoch {
            format!(" from {}", moment(totals.from_us, report, self.zone))
        } else {
            String::new()
        };
        let share = |part| percent(part as f64 / totals.requests.max(1) as f64);
        let mut text = self.fold(&format!(
            "{}: {} over {}{from}, {} of them 4xx, {} 5xx",
            report.source,
            units::count(totals.requests, "request"),
            units::duration(length),
            share(totals.c4xx),
            share(totals.c5xx),
        ));
        text.push('\n');
        text += &self.indicators(report);
        text += &self.breaches(report);
        text += &self.alerts(report);
        text += &self.hasty(report);
        text += &self.suppressed(report);
        let alerts = report.alerts();
        let (look, alerts_text) = if alerts > 0 {
            (BAD, format!("{} would have been sent", units::count(alerts, "alert")))
        } else {
            (GOOD, "no alert would have been sent".to_owned())
        };
        text += &look.paint(&format!("{} {alerts_text}", look.sign(self.unicode)));
        text + "\n"
    }

    fn breaches(&self, report: &Report) -> String {
        let breaches = &report.found.breaches;
        if breaches.is_empty() {
            return String::new();
        }
        let mut text = format!("{BOLD}Breaches{BOLD:#}\n");
        let headers = ["signal", "from", "to", "for", "peak", "threshold"];
        let columns = headers.map(|header| match header {
            "threshold" => Column::new(header).rank(2),
            "to" => Column::new(header).rank(3),
            header => Column::new(header),
        });
        let mut table = table::Builder::new(*self, columns.to_vec());
        for breach in breaches.iter().take(ROWS_MAX) {
            let Breach { indicator, from_us, to_us, peak, is_open } = *breach;
            let lasted = units::duration(Duration::from_micros(to_us - from_us));
            let end = if is_open { "the end".to_owned() } else { moment(to_us, report, self.zone) };
            table.row(vec![
                table::cell(title(indicator)),
                table::cell(&moment(from_us, report, self.zone)),
                table::cell(&end),
                table::number(&lasted),
                table::number(&value(indicator, peak)),
                table::number(&indicators::threshold(indicator, report)),
            ]);
        }
        text += &table.finish();
        text + &more(report.breaches(), breaches.len())
    }

    fn alerts(&self, report: &Report) -> String {
        let alerts = &report.found.alerts;
        if alerts.is_empty() {
            return String::new();
        }
        let mut text = format!("{BOLD}Alerts{BOLD:#}\n");
        let columns = vec![
            Column::new("at"),
            Column::new("signal"),
            Column::new("value"),
            Column::new("requests").rank(2),
            Column::new("path").cut(PATH_LEAST).rank(3),
        ];
        let mut table = table::Builder::new(*self, columns);
        for (alert, path) in alerts.iter().zip(&report.paths).take(ROWS_MAX) {
            table.row(vec![
                table::cell(&moment(alert.t_us, report, self.zone)),
                table::cell(title(alert.indicator)),
                table::number(&value(alert.indicator, alert.value)),
                table::number(&alert.samples.to_string()),
                table::cell(&visible(path.as_deref().unwrap_or("-"))),
            ]);
        }
        text += &table.finish();
        text + &more(report.alerts(), alerts.len())
    }

    /// Notes alerts that are based on few requests, and the setting that suppresses them.
    fn hasty(&self, report: &Report) -> String {
        let hasty = report.found.alerts.iter().filter(|alert| alert.samples < FEW).count() as u64;
        if hasty == 0 {
            return String::new();
        }
        self.fold(&format!(
            "{} judged by fewer than {FEW} requests: SLO_MIN_SAMPLES holds such back",
            if hasty == 1 { "1 alert was".to_owned() } else { format!("{hasty} alerts were") },
        ))
    }

    /// Evaluations that sent no alert, and why.
    fn suppressed(&self, report: &Report) -> String {
        let mut text = String::new();
        for indicator in Indicator::ALL {
            let outcome = report.found.outcomes[indicator as usize];
            if outcome.suppressed > 0 {
                text += &self.fold(&format!(
                    "{}: held back {} with fewer than {} in the window (SLO_MIN_SAMPLES)",
                    title(indicator),
                    units::count(outcome.suppressed, "evaluation"),
                    units::count(report.found.policy.min_samples, "request"),
                ));
            }
            if outcome.cooled_down > 0 {
                text += &self.fold(&format!(
                    "{}: {} within {} of an alert sent no other (SLO_ALERT_COOLDOWN_SECONDS)",
                    title(indicator),
                    units::count(outcome.cooled_down, "breached evaluation"),
                    units::duration(report.found.policy.cooldown),
                ));
            }
        }
        text
    }
}

/// How many rows a table leaves out.
fn more(all: u64, rows: usize) -> String {
    match all.saturating_sub(rows.min(ROWS_MAX) as u64) {
        0 => String::new(),
        more => format!("and {more} more: --format json has them\n"),
    }
}

/// What a signal is called.
fn title(indicator: Indicator) -> &'static str {
    match indicator {
        Indicator::ErrorRate => "error rate",
        Indicator::ErrorRate5xx => "5xx rate",
        Indicator::ErrorRate4xx => "4xx rate",
        Indicator::LatencyP95 => "p95 latency",
    }
}

/// A share as a percentage, a latency with its unit.
fn value(indicator: Indicator, value: f64) -> String {
    match indicator {
        Indicator::LatencyP95 => latency(value),
        _ => percent(value),
    }
}

/// How many requests count in no percentile, and their share; nothing when all do.
fn unknown(indicator: Indicator, report: &Report) -> Option<String> {
    let count = report.found.totals.unknown_latency;
    let share = percent(report.unknown_share());
    (indicator == Indicator::LatencyP95 && count > 0)
        .then(|| format!("{} ({share}) of unknown latency", units::count(count, "request")))
}

/// `4.2 %`, `0.05 %`, `100 %`.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let text = match percent {
        0.0 => "0".to_owned(),
        ..0.095 => format!("{percent:.2}"),
        ..9.95 => format!("{percent:.1}"),
        _ => format!("{percent:.0}"),
    };
    format!("{text} %")
}

/// `0.25 ms`, `45 ms`, `1.5 s`, `2m 03s`.
fn latency(seconds: f64) -> String {
    match seconds {
        0.0 => "0 ms".to_owned(),
        ..0.01 => format!("{:.2} ms", seconds * 1e3),
        ..0.9995 => format!("{:.0} ms", seconds * 1e3),
        ..60.0 => format!("{seconds:.2} s"),
        _ => Duration::try_from_secs_f64(seconds).map_or("-".to_owned(), units::duration),
    }
}

/// A time of the trace: in a zone, or since the beginning.
fn moment(t_us: u64, report: &Report, zone: Zone) -> String {
    if !report.is_epoch {
        return since(t_us);
    }
    let at = Timestamp::from_micros(i64::try_from(t_us).unwrap_or(i64::MAX));
    let text = zone.second(at);
    // The date takes ten characters.
    match text.split_at_checked(10) {
        Some((date, time)) => format!("{date} {}", &time[1..]),
        None => text,
    }
}

/// A time since the beginning: `+4.2 s`, `+2m 03s`, `+1h 02m 03s`, `+3d 04h 05m 06s`.
fn since(t_us: u64) -> String {
    let seconds = t_us / 1_000_000;
    let (days, hours) = (seconds / 86_400, seconds / 3_600 % 24);
    let rest = format!("{:02}m {:02}s", seconds / 60 % 60, seconds % 60);
    match (days, hours) {
        (0, 0) => format!("+{}", units::duration(Duration::from_micros(t_us))),
        (0, hours) => format!("+{hours}h {rest}"),
        (days, hours) => format!("+{days}d {hours:02}h {rest}"),
    }
}

/// Alerts: time (seconds as in the trace), type, value, threshold, path.
pub(crate) fn plain_rows(report: &Report) -> Vec<Vec<String>> {
    let document = json::document(report);
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    };
    let alerts = document["alerts"].as_array().into_iter().flatten();
    let fields = ["t", "type", "value", "threshold", "path"];
    alerts.map(|alert| fields.iter().map(|field| text(&alert[field])).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_people_write_them() {
        for (share, text) in
            [(0.0, "0 %"), (0.0004, "0.04 %"), (0.042, "4.2 %"), (0.0999, "10 %"), (1.0, "100 %")]
        {
            assert_eq!(percent(share), text);
        }
        for (seconds, text) in [
            (0.0, "0 ms"),
            (0.00025, "0.25 ms"),
            (0.75, "750 ms"),
            (1.5, "1.50 s"),
            (123.0, "2m 03s"),
        ] {
            assert_eq!(latency(seconds), text);
        }
        let second = 1_000_000;
        for (t_us, text) in [
            (0, "+0 ms"),
            (4_200_000, "+4.2 s"),
            (123 * second, "+2m 03s"),
            (3_723 * second, "+1h 02m 03s"),
            (273_906 * second, "+3d 04h 05m 06s"),
        ] {
            assert_eq!(since(t_us), text);
        }
    }
}
