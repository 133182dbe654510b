//! Logs of requests: a first line that is the format of an access log, or empty, then the log,
//! plain or compressed. Whatever is read is counted once, comes in order of time, and can be
//! judged.
#![no_main]

use std::io::Cursor;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use wfx::parts::slo::report_json;
use wfx::parts::slo::Policy;
use wfx::parts::slo::Report;
use wfx::parts::slo::Simulation;
use wfx::parts::slo::trace::{self, LogFormat, Options, Source};

fn policy() -> Policy {
    let share = |text: &str| Some(text.parse().expect("a share"));
    Policy {
        error_rate: share("0.2"),
        error_rate_5xx: share("0.05"),
        error_rate_4xx: share("0.1"),
        error_window: Duration::from_secs(300),
        latency_p95: Some(Duration::from_millis(500)),
        latency_window: Duration::from_secs(60),
        min_samples: 2,
        cooldown: Duration::from_secs(10),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let (first, log) = match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (&[][..], bytes),
    };
    let log_format: Option<LogFormat> =
        std::str::from_utf8(first).ok().filter(|text| !text.is_empty()).and_then(|t| t.parse().ok());
    let options = Options { log_format, as_given: false, strict: false };
    let source = Source { name: "log".to_owned(), reader: Box::new(Cursor::new(log.to_vec())) };
    let Ok(mut trace) = trace::read(vec![source], &options, &mut |_| {}) else { return };

    let tally = trace.tally.clone();
    assert!(tally.events + tally.left_out + tally.unparsed <= tally.lines);
    assert!(tally.without_latency <= tally.events && tally.cut_off <= tally.without_latency);
    let mut simulation = Simulation::new(policy());
    let (mut latest, mut events, mut unknown) = (0, 0, 0);
    trace
        .replay(&mut |event, place| {
            assert!(latest <= event.t_us);
            (latest, events) = (event.t_us, events + 1);
            unknown += u64::from(event.latency_us.is_none());
            simulation.record(event, place);
        })
        .expect("what is in memory can be read");
    assert_eq!((events, unknown), (tally.events, tally.without_latency));
    let found = simulation.finish();
    let report = Report::new("log".to_owned(), found, |place| trace.path(place).ok().flatten());
    assert!(report_json(&report).is_object());
});
