//! Reads the `notify` of a workflow.

use super::super::document::{self, Format, Value};
use super::super::notification::{EventKind, Notify, NotifyRule};
use super::super::problem::{Findings, Pointer, Problems};
use super::field::{Field, Fields};
use super::nearest;
use crate::base::visible::{quote, quote_list};

/// The keys of a rule.
const KEYS: [&str; 4] = ["to", "on", "after_failures", "remind"];
/// The most rules of a workflow, and the most channels of a rule.
const RULES_MAX: usize = 32;
/// More failures in a row than anybody waits for.
const FAILURES_MAX: u64 = 1_000_000;
/// More often than once a minute is no reminder.
const REMIND_SECONDS_MIN: u64 = 60;

/// The `notify` of a workflow, or of the defaults of a folder.
pub(super) fn read(fields: &Fields<'_>, findings: &mut Findings) -> Option<Notify> {
    let field = fields.get("notify")?;
    match &field.node.value {
        Value::String(text) if text == "none" => Some(Notify::default()),
        Value::List(items) if !items.is_empty() && items.len() <= RULES_MAX => {
            let mut rules = Vec::with_capacity(items.len());
            for (index, node) in items.iter().enumerate() {
                let item = Field::item(node, field.at.index(index));
                rules.extend(rule(&item, findings));
            }
            Some(Notify { rules })
        }
        Value::List(items) if items.len() > RULES_MAX => {
            let message = format!("`notify` has {} rules of at most {RULES_MAX}", items.len());
            field.add(
                findings,
                message,
                "put channels with the same events into one `to`".to_owned(),
            );
            None
        }
        _ => {
            let help = "write `notify: [{to: ops}]`, or `notify: none` so that nobody is notified";
            field.add(findings, "`notify` takes a list of rules, or `none`", help.to_owned());
            None
        }
    }
}

/// The rules of `notify` from the configuration file.
///
/// # Errors
/// Everything that is wrong with them.
pub(crate) fn notify_of_json(json: &str) -> Result<Notify, Problems> {
    let text = format!("{{\"notify\":{json}}}");
    let mut findings = Findings::default();
    let notify = document::read(&text, Format::Json, &mut findings).and_then(|root| {
        let fields = Fields::of(&root, Pointer::ROOT, "the default", &mut findings)?;
        read(&fields, &mut findings)
    });
    match notify {
        Some(notify) if findings.is_empty() => Ok(notify),
        _ => Err(Problems::new("[notify] default", &text, findings)),
    }
}

fn rule(field: &Field<'_>, findings: &mut Findings) -> Option<NotifyRule> {
    let map = Fields::of(field.node, field.at, "a rule of `notify`", findings)?;
    map.refuse_unknown(&KEYS, findings);
    let to = names(&map.required("to", findings)?, findings);
    if to.is_empty() {
        return None;
    }
    let on = match map.get("on") {
        Some(on) => events(&on, findings),
        None => NotifyRule::DEFAULT_EVENTS.to_vec(),
    };
    let after_failures = map.get("after_failures");
    let after_failures = after_failures.and_then(|field| field.integer(1..=FAILURES_MAX, findings));
    let remind = map.get("remind").and_then(|field| {
        let remind = field.timeout(findings)?;
        if remind.duration().as_secs() < REMIND_SECONDS_MIN {
            let message = "`remind` is at least a minute";
            field.add(findings, message, "write a duration such as `24h`".to_owned());
            return None;
        }
        Some(remind)
    });
    Some(NotifyRule {
        to,
        on,
        after_failures: after_failures.and_then(|it| u32::try_from(it).ok()).unwrap_or(1),
        remind,
    })
}

/// The names of channels: one, or a list.
fn names(field: &Field<'_>, findings: &mut Findings) -> Vec<String> {
    let mut names = Vec::new();
    let mut take = |field: &Field<'_>, findings: &mut Findings| {
        let Some(name) = field.text(findings) else { return };
        if !is_channel_name(&name) {
            let message = format!("{} cannot be the name of a channel", quote(&name));
            field.add(findings, message, CHANNEL_NAME.to_owned());
        } else if !names.contains(&name) {
            names.push(name);
        }
    };
    match &field.node.value {
        Value::List(items) if !items.is_empty() => {
            if items.len() > RULES_MAX {
                let message = format!("`to` has {} channels of at most {RULES_MAX}", items.len());
                field.add(findings, message, "make a second rule of it".to_owned());
            }
            for (index, node) in items.iter().enumerate().take(RULES_MAX) {
                take(&Field::item(node, field.at.index(index)), findings);
            }
        }
        Value::List(_) => {
            let help = "name a channel of the configuration file, such as `ops`".to_owned();
            field.add(findings, "`to` names no channel", help);
        }
        _ => take(field, findings),
    }
    names
}

/// What the name of a channel is made of.
pub(crate) const CHANNEL_NAME: &str =
    "it has 1 to 64 letters, digits, `-` and `_`, and is not `default` or `none`";

/// Whether a channel can have this name.
#[must_use]
pub(crate) fn is_channel_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        && !matches!(name, "default" | "none")
}

fn events(field: &Field<'_>, findings: &mut Findings) -> Vec<EventKind> {
    let mut events = Vec::new();
    let known = EventKind::ALL.map(EventKind::as_str);
    let mut take = |field: &Field<'_>, findings: &mut Findings| {
        let Some(name) = field.text(findings) else { return };
        match EventKind::parse(&name) {
            Some(kind) if events.contains(&kind) => {}
            Some(kind) => events.push(kind),
            None => {
                let help = match nearest::nearest(&name, known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known are {}", quote_list(known)),
                };
                field.add(findings, format!("the event {} is not known", quote(&name)), help);
            }
        }
    };
    match &field.node.value {
        Value::List(items) if !items.is_empty() => {
            for (index, node) in items.iter().enumerate() {
                take(&Field::item(node, field.at.index(index)), findings);
            }
        }
        Value::List(_) => {
            let help = "leave `on` out for the default, or write `notify: none`".to_owned();
            field.add(findings, "`on` names no event", help);
        }
        _ => take(field, findings),
    }
    events
}
