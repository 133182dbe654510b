//! Reads `_defaults.yaml`.

use super::super::defaults::FolderDefaults;
use super::super::document;
use super::super::problem::{Findings, Pointer, Problems};
use super::field::{self, Fields};
use super::{Source, handlers, keys, notify, retention, scheduling};

/// The keys of the file.
const KEYS: [&str; 8] =
    ["env", "shell", "retention", "output_limit", "notify", "timezone", "blackout", "expect"];

/// Reads and checks the defaults of a folder. A file of comments alone gives none.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn folder_defaults(source: &Source<'_>) -> Result<FolderDefaults, Problems> {
    let file = source.name.to_owned();
    let says_nothing = |line: &str| {
        let line = line.trim_start_matches('\u{feff}').trim();
        line.is_empty() || line.starts_with('#') || line == "---"
    };
    if source.text.lines().all(says_nothing) {
        return Ok(FolderDefaults { file, ..FolderDefaults::default() });
    }
    let mut findings = Findings::default();
    let defaults = document::read(source.text, source.format, &mut findings).and_then(|root| {
        let what = "the defaults of a folder";
        let fields = Fields::of(&root, Pointer::ROOT, what, &mut findings)?;
        fields.refuse_unknown(&KEYS, &mut findings);
        let env = field::env(&fields, &mut findings);
        handlers::refuse_variables_of(&fields, &mut findings);
        let shell = keys::shell(&fields, &mut findings);
        let retention = retention::read(&fields, &mut findings);
        let output_limit = keys::output_limit(&fields, &mut findings);
        let notify = notify::read(&fields, &mut findings);
        let timezone = fields.get("timezone");
        let timezone = timezone.and_then(|field| scheduling::time_zone(&field, &mut findings));
        let mut blackouts = scheduling::blackouts(&fields, &mut findings);
        if let Some(zone) = &timezone {
            blackouts.iter_mut().for_each(|blackout| _ = blackout.set_zone(zone));
        }
        let expect = scheduling::expect(&fields, &mut findings).unwrap_or_default();
        Some(FolderDefaults {
            file,
            env,
            shell,
            retention,
            output_limit,
            notify,
            timezone,
            blackouts,
            expect,
        })
    });
    match defaults {
        Some(defaults) if findings.is_empty() => Ok(defaults),
        _ => Err(Problems::new(source.name, source.text, findings)),
    }
}
