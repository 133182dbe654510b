//! The concurrency groups of a folder, whose workflows agree on the limit of each.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::{Catalogue, Known, Seen};
use crate::repository::Catalogued;
use crate::workflow::definition::Definition;

impl Catalogue {
    /// The concurrency groups of the workflows, with those that were there `before` and are gone.
    #[must_use]
    pub(crate) fn groups(&self, before: &Catalogued) -> Catalogued {
        let mut groups = Catalogued::default();
        let Ok(known) = self.known.read() else { return before.clone() };
        for (id, file) in &known.by_id {
            let compiled = known.files.get(file).and_then(|entry| entry.compiled.as_ref());
            let Some(definition) = compiled.map(|compiled| compiled.definition()) else { continue };
            groups.workflows.insert(id.clone());
            if let Some(concurrency) = &definition.concurrency {
                let limit = (concurrency.limit, id.clone());
                groups.limits.entry(concurrency.base(id).to_owned()).or_insert(limit);
            }
        }
        let earlier = before.limits.keys().chain(&before.removed);
        groups.removed =
            earlier.filter(|base| !groups.limits.contains_key(*base)).cloned().collect();
        groups
    }
}

/// The limit of a concurrency group, and the file that sets it.
pub(super) type Limit = (u32, PathBuf);

/// The limits of concurrency groups: of files that differ, those that did not change count first,
/// then the first by name.
pub(super) fn limits(
    before: &Known,
    by_id: &HashMap<String, PathBuf>,
    seen: &HashMap<PathBuf, Seen>,
) -> HashMap<String, Limit> {
    let mut files: Vec<(bool, &PathBuf)> = by_id
        .values()
        .map(|file| {
            let earlier = before.files.get(file).and_then(|entry| entry.compiled.as_ref());
            let content = seen.get(file).and_then(|seen| seen.content.as_ref().ok());
            (earlier.is_none() || earlier != content, file)
        })
        .collect();
    files.sort();
    let mut limits = HashMap::new();
    for (_, file) in files {
        let Some(Ok(compiled)) = seen.get(file).map(|seen| &seen.content) else { continue };
        add_limit(&mut limits, file, compiled.definition());
    }
    limits
}

/// Notes the limit of a workflow's group, unless another file has set it.
pub(crate) fn add_limit(limits: &mut HashMap<String, Limit>, file: &Path, definition: &Definition) {
    if let Some(concurrency) = &definition.concurrency {
        let base = concurrency.base(&definition.id).to_owned();
        limits.entry(base).or_insert_with(|| (concurrency.limit, file.to_owned()));
    }
}

/// Why a workflow cannot be used beside the others of its folder: its limit is not that of its group.
pub(crate) fn differing_limit(
    limits: &HashMap<String, Limit>,
    definition: &Definition,
) -> Option<String> {
    let concurrency = definition.concurrency.as_ref()?;
    let base = concurrency.base(&definition.id);
    let (limit, file) = limits.get(base).filter(|(limit, _)| *limit != concurrency.limit)?;
    Some(format!(
        "the concurrency group `{base}` has a limit of {} here and of {limit} in {}: give both the \
         same `limit`, or one of them another `group`",
        concurrency.limit,
        file.display()
    ))
}
