//! Bodies that start executions: JSON that is no deeper than allowed, then parameters or a
//! definition.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use wfx::parts::http::parse_json_body;
use wfx::parts::workflow::check::{self, Format, Source};

fuzz_target!(|bytes: &[u8]| {
    if let Err(problem) = parse_json_body::<IgnoredAny>(bytes) {
        assert_eq!(problem.status(), http::StatusCode::BAD_REQUEST);
        return;
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let source =
        Source { name: "body", text, format: Format::Json, default_id: Some("of-the-path") };
    match check::given_parameters(&source) {
        Ok(Some(given)) => {
            let definition = r#"{"params":{"who":"you"},"steps":[{"name":"a"}]}"#;
            let known = Source { text: definition, ..source };
            let definition = check::read(&known).expect("it is one");
            if let Ok(parameters) = check::parameters(&definition, &given, check::GivenBy::Request) {
                assert_eq!(parameters.len(), 1);
            }
        }
        Ok(None) => {
            if let Ok(definition) = check::read(&source) {
                assert!(!definition.steps.is_empty());
            }
        }
        Err(problems) => assert!(problems.len() > 0),
    }
});
