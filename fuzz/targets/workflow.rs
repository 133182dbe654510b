//! Workflow documents, YAML and JSON: whatever is written, it is either a definition that is
//! stored and read back as itself, or problems that no terminal obeys.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use wfx::parts::workflow::check::{self, Format, Source};
use wfx::parts::workflow::Parameters;
use wfx::parts::workflow::{CompiledWorkflow, Snapshot};

fuzz_target!(|text: &str| {
    for format in [Format::Yaml, Format::Json, check::sniff(text)] {
        let source = Source { name: "-", text, format, default_id: Some("fuzzed") };
        match check::read(&source) {
            Ok(definition) => {
                let compiled = CompiledWorkflow::of(definition).expect("what was checked has no cycle");
                let snapshot = Snapshot {
                    compiled: Arc::new(compiled),
                    params: Parameters::new(),
                    workdir: "/".to_owned(),
                    source: None,
                };
                let stored = serde_json::to_value(&snapshot).expect("a snapshot is JSON");
                assert_eq!(check::snapshot(&stored).expect("what was stored is read"), snapshot);
            }
            Err(problems) => {
                let shown = problems.to_string();
                assert!(problems.len() > 0);
                assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
            }
        }
    }
});
