//! oha's JSON (`oha --output-format json`, 1.x): one endpoint, seconds.
//!
//! `statusCodeDistribution` counts responses, `errorDistribution` what got none.
//! Requests that the end of the run cut off ("aborted due to deadline") are not errors
//! of the target.
//!
//! With `--stats-success-breakdown` it also states `latencyPercentilesSuccessful`, of the
//! answers with a 2xx: what failed fast makes those of all answers look fast.

use serde_json::{Map, Value};

use super::SourceError;
use super::members::{count, latency, named};
use crate::perf::judgement::{Observed, Rounding, Run, Source};

const MS_PER_SECOND: f64 = 1_000.0;
const CUT_OFF: &str = "aborted due to deadline";

pub(super) fn read(document: &Value, endpoint: Option<&str>) -> Result<Run, SourceError> {
    let endpoint = named(endpoint, "oha")?;
    let empty = Map::new();
    let part = |key: &str| document.get(key).and_then(Value::as_object).unwrap_or(&empty);
    let answered = counts(part("statusCodeDistribution"))?;
    let answers = answered.iter().map(|(_, count)| count).sum::<u64>();
    let good = answered.iter().filter(|(status, _)| status.starts_with('2'));
    let good = good.map(|(_, count)| count).sum::<u64>();
    let is_broken_down = document.get("latencyPercentilesSuccessful").is_some_and(Value::is_object);
    let (percentiles, samples) = if is_broken_down {
        (part("latencyPercentilesSuccessful"), good)
    } else {
        (part("latencyPercentiles"), answers)
    };
    let mut error_kinds: Vec<(String, u64)> = answered
        .into_iter()
        .filter(|(status, _)| status.starts_with(['4', '5']))
        .map(|(status, count)| (format!("status {status}"), count))
        .collect();
    let unanswered = counts(part("errorDistribution"))?;
    let unanswered: Vec<_> = unanswered.into_iter().filter(|(kind, _)| kind != CUT_OFF).collect();
    let lost = unanswered.iter().map(|(_, count)| count).sum::<u64>();
    error_kinds.extend(unanswered);
    error_kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let observed = Observed {
        endpoint,
        median: latency(percentiles, "p50", MS_PER_SECOND),
        p95: latency(percentiles, "p95", MS_PER_SECOND),
        samples: Some(samples),
        requests: answers + lost,
        errors: error_kinds.iter().map(|(_, count)| count).sum(),
        error_kinds,
        rate: part("summary").get("requestsPerSec").and_then(Value::as_f64),
        p99: None,
        max: None,
        shape: Vec::new(),
    };
    let mut notes = vec![
        "oha counts a latency from when the request was sent, unless it ran with \
         --latency-correction, which its JSON does not tell"
            .to_owned(),
    ];
    if !is_broken_down && good < answers {
        notes.push(
            "the latencies are also those of failed requests: oha --stats-success-breakdown \
             states those of the others"
                .to_owned(),
        );
    }
    Ok(Run {
        source: Source {
            name: "oha".to_owned(),
            own: false,
            coordinated_omission: true,
            rounding: Rounding::None,
            notes,
        },
        endpoints: vec![observed],
        doubts: Vec::new(),
        is_late: false,
    })
}

fn counts(of: &Map<String, Value>) -> Result<Vec<(String, u64)>, SourceError> {
    of.keys().map(|kind| Ok((kind.clone(), count(of, kind)?.unwrap_or_default()))).collect()
}
