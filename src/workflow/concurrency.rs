//! The `concurrency` of a workflow: which of its executions share slots, and how many there are.

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use super::scalar::Parameters;

/// The largest `limit`.
pub(crate) const LIMIT_MAX: u32 = 100_000;
/// The default of `max_queued`.
pub(crate) const MAX_QUEUED: u32 = 1_000;
/// The largest `max_queued`.
pub(crate) const MAX_QUEUED_MAX: u32 = 1_000_000;
/// The most parameters that a group is divided by.
pub(crate) const BY_MAX: usize = 16;
/// How many of those that hold the slots of a group are named.
pub(crate) const HOLDERS_SHOWN: usize = 20;
/// Groups of definitions that came with a request are apart from those of the catalogue.
const AD_HOC: &str = "adhoc/";

/// The `concurrency` of a workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concurrency {
    /// The group; `None`: that of the workflow's id.
    pub group: Option<String>,
    /// Parameters: executions with other values are in another group.
    pub by: Vec<String>,
    /// How many executions of the group run at a time.
    pub limit: u32,
    /// What a start does that finds no free slot.
    pub on_conflict: OnConflict,
    /// How many may wait; beyond it a start is refused.
    pub max_queued: u32,
}

/// What a start does that finds no free slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnConflict {
    /// It waits for its turn.
    #[default]
    Queue,
    /// It is refused.
    Reject,
    /// It cancels those that run or wait, and begins once they are gone.
    Replace,
}

impl OnConflict {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Queue, Self::Reject, Self::Replace];

    /// The word in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Reject => "reject",
            Self::Replace => "replace",
        }
    }
}

impl Default for Concurrency {
    fn default() -> Self {
        Self {
            group: None,
            by: Vec::new(),
            limit: 1,
            on_conflict: OnConflict::Queue,
            max_queued: MAX_QUEUED,
        }
    }
}

impl Serialize for Concurrency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(group) = &self.group {
            map.serialize_entry("group", group)?;
        }
        if !self.by.is_empty() {
            map.serialize_entry("by", &self.by)?;
        }
        map.serialize_entry("limit", &self.limit)?;
        if self.on_conflict != OnConflict::Queue {
            map.serialize_entry("on_conflict", self.on_conflict.as_str())?;
        }
        if self.max_queued != MAX_QUEUED {
            map.serialize_entry("max_queued", &self.max_queued)?;
        }
        map.end()
    }
}

/// Whose limit of a group counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitFrom {
    /// The definition is that of the catalogue: it sets the limit of the group.
    Catalogue,
    /// That of the catalogue, if there is one, else the definition's, from now on.
    Definition,
    /// That which is stored, else the definition's.
    Stored,
}

/// The slot that a new execution asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotRequest {
    /// The group, with the values of its parameters.
    pub group: String,
    /// The limit of its definition.
    pub limit: u32,
    /// Whether that limit counts.
    pub limit_from: LimitFrom,
    /// What it does if none is free.
    pub on_conflict: OnConflict,
    /// How many may wait before it.
    pub max_queued: u32,
}

impl Concurrency {
    /// What an execution of `workflow_id` with these parameters asks for. `is_ad_hoc`: its definition
    /// came with a request.
    #[must_use]
    pub(crate) fn slot(
        &self,
        workflow_id: &str,
        params: &Parameters,
        is_ad_hoc: bool,
        limit_from: LimitFrom,
    ) -> SlotRequest {
        let base = self.base(workflow_id);
        let base = if is_ad_hoc { format!("{AD_HOC}{base}") } else { base.to_owned() };
        SlotRequest {
            group: instance(base, &self.by, params),
            limit: self.limit,
            limit_from,
            on_conflict: self.on_conflict,
            max_queued: self.max_queued,
        }
    }

    /// The group without the values of parameters: what the catalogue sets a limit for.
    #[must_use]
    pub(crate) fn base<'a>(&'a self, workflow_id: &'a str) -> &'a str {
        self.group.as_deref().unwrap_or(workflow_id)
    }
}

/// A group with the values of parameters, as it is stored and shown: `deploy[environment=prod]`.
/// Different values never give the same text.
fn instance(base: String, by: &[String], params: &Parameters) -> String {
    if by.is_empty() {
        return base;
    }
    let mut text = base;
    for (index, name) in by.iter().enumerate() {
        let value = params.get(name).map(ToString::to_string).unwrap_or_default();
        text.push(if index == 0 { '[' } else { ',' });
        push_escaped(&mut text, name);
        text.push('=');
        push_escaped(&mut text, &value);
    }
    text.push(']');
    text
}

fn push_escaped(text: &mut String, part: &str) {
    for c in part.chars() {
        if matches!(c, '\\' | ',' | ']') {
            text.push('\\');
        }
        text.push(c);
    }
}

/// The part of [`SlotRequest::group`] that a limit is stored for. No name of a group has a `[`,
/// except those that the predecessor took.
#[must_use]
pub(crate) fn base_of(group: &str) -> &str {
    group.split_once('[').map_or(group, |(base, _)| base)
}

/// What an execution waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingFor {
    /// The group, with the values of its parameters.
    pub group: String,
    /// The ids of those that hold its slots, the first ones of very many.
    pub holders: Vec<String>,
    /// Their numbers.
    pub holder_seqs: Vec<i64>,
}

impl WaitingFor {
    /// Whom it waits for, in words: `@7, @8`.
    #[must_use]
    pub fn holders_text(&self) -> String {
        if self.holder_seqs.is_empty() {
            return "those before it".to_owned();
        }
        let numbers: Vec<String> = self.holder_seqs.iter().map(|seq| format!("@{seq}")).collect();
        let more = if numbers.len() >= HOLDERS_SHOWN { ", …" } else { "" };
        format!("{}{more}", numbers.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::workflow::scalar::Scalar;

    fn named(a: &str, b: &str) -> String {
        let params = [("a", a), ("b", b)];
        let params =
            params.map(|(name, value)| (name.to_owned(), Scalar::String(value.to_owned())));
        instance("g".to_owned(), &["a".to_owned(), "b".to_owned()], &params.into())
    }

    #[test]
    fn a_group_is_shown_with_its_values() {
        assert_eq!(named("prod", "eu"), "g[a=prod,b=eu]");
        assert_eq!(base_of("g[a=prod,b=eu]"), "g");
        assert_eq!(base_of("adhoc/g"), "adhoc/g");
        assert_eq!(instance("g".to_owned(), &[], &Parameters::new()), "g");
    }

    proptest! {
        #[test]
        fn other_values_are_another_group(
            values in prop::array::uniform4("[a,b=\\\\\\[\\]]{0,6}"),
        ) {
            let [a, b, c, d] = &values;
            prop_assert_eq!(named(a, b) == named(c, d), a == c && b == d);
        }
    }
}
