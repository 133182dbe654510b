//! Baseline files: what is read is written as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wfx::parts::perf::Baseline;

fuzz_target!(|text: &str| {
    match Baseline::parse(text) {
        Ok(baseline) => {
            let written = baseline.render().expect("a baseline is JSON");
            let again = Baseline::parse(&written).expect("what is written is read");
            assert_eq!(again.render().expect("a baseline is JSON"), written);
        }
        Err(error) => assert!(!error.hint().is_empty()),
    }
});
