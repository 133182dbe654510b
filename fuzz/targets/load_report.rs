//! What load tools write: Locust's CSV, and the JSON of oha and k6. What is read is judged, and
//! nothing that was not measured passes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wfx::parts::perf::Baseline;
use wfx::parts::perf::Filter;
use wfx::parts::perf::read_source;
use wfx::parts::perf::Latency;
use wfx::parts::perf::Tolerance;
use wfx::parts::perf::judge;
use wfx::parts::perf::Policy;

const BASELINE: &str =
    r#"{"version": 2, "endpoints": {"GET /orders": {"median_ms": 40.0, "p95_ms": 85.0}}}"#;

fn policy(strict: bool) -> Policy {
    let ms = |ms| Latency::from_ms(ms).expect("a latency");
    Policy {
        tolerance_median: Tolerance::Absolute(ms(50.0)),
        tolerance_p95: Tolerance::Share(0.8),
        own_tolerances: std::collections::BTreeMap::new(),
        filter: Filter::new(""),
        asked: Vec::new(),
        strict,
        error_rate_max: 0.0,
        samples_min: 100,
    }
}

fuzz_target!(|bytes: &[u8]| {
    for endpoint in [None, Some("GET /orders")] {
        match read_source(bytes, endpoint) {
            Ok(run) => {
                let (baseline, empty) = (Baseline::parse(BASELINE), Baseline::default());
                let baseline = baseline.expect("a baseline");
                let has_it = run.endpoints.iter().any(|observed| observed.endpoint == "GET /orders");
                let is_empty = run.endpoints.is_empty();
                let judged = judge(run.clone(), &baseline, &policy(false));
                assert!(has_it || judged.is_err());
                let judged = judge(run, &empty, &policy(true));
                assert!(!is_empty || judged.is_err());
            }
            Err(error) => assert!(!error.to_string().is_empty() && !error.hint().is_empty()),
        }
    }
});
