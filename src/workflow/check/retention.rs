//! Reads the `retention` of a workflow.

use super::super::document::Value;
use super::super::problem::Findings;
use super::super::retention_policy::{KEEP_MAX, RetentionPolicy};
use super::field::Fields;

/// The keys of the map.
const KEYS: [&str; 3] = ["keep", "success", "failed"];

/// The `retention` of a workflow, or of the defaults of a folder.
pub(super) fn read(fields: &Fields<'_>, findings: &mut Findings) -> Option<RetentionPolicy> {
    let field = fields.get("retention")?;
    let map = Fields::of(field.node, field.at, "`retention`", findings)?;
    map.refuse_unknown(&KEYS, findings);
    let keep = map.get("keep").and_then(|keep| match &keep.node.value {
        Value::Number(number) if number.as_u64() == Some(0) => {
            let help = "the execution that finished last always stays: `keep: 1` keeps the fewest; \
                        leave `keep` out for no limit";
            keep.add(findings, "`keep` takes a whole number from 1", help.to_owned());
            None
        }
        _ => keep.integer(1..=KEEP_MAX, findings),
    });
    let mut age = |key| map.get(key).and_then(|field| field.timeout(findings));
    let (success, failed) = (age("success"), age("failed"));
    if KEYS.iter().all(|key| map.get(key).is_none()) {
        let help = "give it `keep`, `success` or `failed`, such as `{keep: 50, failed: 180d}`, or \
                    leave it out";
        field.add(findings, "`retention` sets no limit", help.to_owned());
    }
    Some(RetentionPolicy { keep, success, failed })
}
