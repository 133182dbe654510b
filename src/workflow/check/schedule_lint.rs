//! Probable mistakes in the keys about scheduled starts.

use super::super::document::{Node, Value};
use super::super::problem::{Findings, Pointer};
use super::field::Field;
use super::scheduling::items;
use crate::base::visible::quote;
use crate::schedule::expression::{Combination, Expression};

/// Finds them in a document that is a workflow.
pub(super) fn find(root: &Node, findings: &mut Findings) {
    let schedule = value(root, "schedule");
    for (key, what) in [("overlap", "`overlap`"), ("blackout", "`blackout`")] {
        if let (Some(node), None) = (value(root, key), schedule) {
            let message = format!("{what} changes nothing without a `schedule`");
            let help = "add a `schedule`, or leave it out".to_owned();
            Field::item(node, Pointer::ROOT.key(key)).add(findings, message, help);
        }
    }
    if let Some(node) = value(root, "expect") {
        let field = Field::item(node, Pointer::ROOT.key("expect"));
        if let (Some(start), None) = (value(node, "start_within"), schedule) {
            let field = Field::item(start, field.at.key("start_within"));
            let message = "`start_within` expects nothing without a `schedule`";
            field.add(findings, message, "add a `schedule`, or leave it out".to_owned());
        }
    }
    let Some(schedule) = schedule else { return };
    let field = Field::item(schedule, Pointer::ROOT.key("schedule"));
    for item in items(&field) {
        let cron = match &item.node.value {
            Value::String(_) => Some(item),
            _ => value(item.node, "cron").map(|node| Field::item(node, item.at.key("cron"))),
        };
        if let Some(cron) = cron {
            readings(&cron, value(item.node, "days").is_some(), findings);
        }
        if let (Some(window), None) =
            (value(item.node, "catch_up_window"), value(item.node, "catch_up"))
        {
            let field = Field::item(window, item.at.key("catch_up_window"));
            let message = "`catch_up_window` changes nothing without `catch_up`";
            field.add(findings, message, "add `catch_up: last` or `catch_up: all`".to_owned());
        }
    }
}

fn readings(field: &Field<'_>, says_days: bool, findings: &mut Findings) {
    let Value::String(text) = &field.node.value else { return };
    let Ok(expression) = Expression::parse(text, Combination::Either) else { return };
    if expression.has_two_readings() && !says_days {
        let message = format!(
            "{} names days of the month and weekdays: it is due on either, as in cron",
            quote(text)
        );
        let help = "`days: all` requires both, and `days: any` says that either is meant";
        field.add(findings, message, help.to_owned());
    }
    for step in expression.uneven_steps() {
        let message = format!("`{}` begins anew each {}", step.text, step.unit);
        let help = match step.unit {
            "hour" => "`every: 7m` in place of `cron` has the same distance everywhere",
            "day" => "`every: 5h` in place of `cron` has the same distance everywhere",
            _ => "list the values, such as `1,8,15`, if that is not meant",
        };
        field.add(findings, message, help.to_owned());
    }
}

fn value<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    let Value::Map(entries) = &node.value else { return None };
    entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
}
