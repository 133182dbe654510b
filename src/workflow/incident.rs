//! Which notifications follow from an event: at most one open incident for each workflow and
//! event, one notification for each incident and channel, reminders, and the end of the incident.

use std::collections::BTreeMap;

use super::notification::{EventKind, Notify, NotifyRule, Occurrence};
use crate::base::timestamp::Timestamp;

/// An incident that is open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Incident {
    /// How often in a row what it is about has happened.
    pub count: u32,
    /// The channels that a notification was queued for, and when each is to be reminded.
    pub notified: BTreeMap<String, Option<Timestamp>>,
}

/// A notification that is to be queued.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Notice {
    /// The channel.
    pub channel: String,
    /// What it says.
    pub event: EventKind,
    /// The incident was notified there before.
    pub is_reminder: bool,
}

/// What follows from an event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Decision {
    /// The incident of the event's kind from now on; `None`: none is open.
    pub incident: Option<Incident>,
    /// What is to be queued.
    pub notices: Vec<Notice>,
}

/// Decides what follows from `occurrence`, where `incident` of its kind is open.
#[must_use]
pub(crate) fn decide(
    notify: &Notify,
    incident: Option<Incident>,
    occurrence: Occurrence,
    now: Timestamp,
) -> Decision {
    match occurrence {
        Occurrence::Once(kind) => {
            let notices = channels(notify, kind).into_keys();
            let notice = |channel| Notice { channel, event: kind, is_reminder: false };
            Decision { incident, notices: notices.map(notice).collect() }
        }
        Occurrence::Opened(kind) => opened(notify, incident.unwrap_or_default(), kind, now),
        Occurrence::Closed(_) => {
            let recovered = channels(notify, EventKind::Recovered);
            let notified = incident.unwrap_or_default().notified.into_keys();
            let notices = notified
                .filter(|channel| recovered.contains_key(channel))
                .map(|channel| Notice { channel, event: EventKind::Recovered, is_reminder: false });
            Decision { incident: None, notices: notices.collect() }
        }
    }
}

fn opened(notify: &Notify, mut incident: Incident, kind: EventKind, now: Timestamp) -> Decision {
    incident.count = incident.count.saturating_add(1);
    let mut notices = Vec::new();
    for (channel, rules) in channels(notify, kind) {
        // The others are about failures in a row.
        let needed = match kind {
            EventKind::Failed => rules.iter().map(|rule| rule.after_failures).min().unwrap_or(1),
            _ => 1,
        };
        let is_reminder = match incident.notified.get(&channel) {
            None if incident.count < needed => continue,
            None => false,
            Some(Some(due)) if *due <= now => true,
            Some(_) => continue,
        };
        let remind = rules.iter().filter_map(|rule| rule.remind).min();
        let remind = remind.map(|remind| now.plus(remind.duration()));
        incident.notified.insert(channel.clone(), remind);
        notices.push(Notice { channel, event: kind, is_reminder });
    }
    Decision { incident: Some(incident), notices }
}

/// The channels that are notified of this kind of event, with the rules that say so.
fn channels(notify: &Notify, kind: EventKind) -> BTreeMap<String, Vec<&NotifyRule>> {
    let mut channels: BTreeMap<String, Vec<&NotifyRule>> = BTreeMap::new();
    for rule in notify.rules.iter().filter(|rule| rule.on.contains(&kind)) {
        for channel in &rule.to {
            channels.entry(channel.clone()).or_default().push(rule);
        }
    }
    channels
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::base::period::Period;

    fn rule() -> impl Strategy<Value = NotifyRule> {
        (
            prop::collection::vec("[ab]", 1..3),
            prop::sample::subsequence(EventKind::ALL.to_vec(), 1..8),
            1_u32..4,
            prop::option::of(1_u64..5),
        )
            .prop_map(|(to, on, after_failures, remind)| NotifyRule {
                to,
                on,
                after_failures,
                remind: remind.map(|hours| Period::new(Duration::from_secs(hours * 3_600))),
            })
    }

    fn occurrence() -> impl Strategy<Value = Occurrence> {
        prop::sample::select(vec![
            Occurrence::Opened(EventKind::Failed),
            Occurrence::Opened(EventKind::Failed),
            Occurrence::Closed(EventKind::Failed),
            Occurrence::Once(EventKind::Cancelled),
        ])
    }

    proptest! {
        /// A naive reading of the rules, channel by channel, over any history.
        #[test]
        fn every_history_is_notified_as_the_rules_say(
            rules in prop::collection::vec(rule(), 0..4),
            history in prop::collection::vec((occurrence(), 1_i64..6), 0..20),
        ) {
            let notify = Notify { rules };
            let mut incident = None;
            let mut now = 0;
            let mut in_a_row = 0;
            let mut last: BTreeMap<&str, i64> = BTreeMap::new();
            for (occurrence, hours) in history {
                now += hours;
                let at = Timestamp::from_micros(now * 3_600_000_000);
                let decision = decide(&notify, incident, occurrence, at);
                let mut expected = Vec::new();
                for channel in ["a", "b"] {
                    let of = |kind: EventKind| {
                        let rules = notify.rules.iter();
                        rules.filter(move |rule| {
                            rule.on.contains(&kind) && rule.to.iter().any(|to| to == channel)
                        })
                    };
                    let mut expect = |event, is_reminder| {
                        expected.push(Notice { channel: channel.to_owned(), event, is_reminder });
                    };
                    match occurrence {
                        Occurrence::Opened(kind) => {
                            let is_due = of(kind).any(|rule| in_a_row + 1 >= rule.after_failures);
                            let remind = of(kind).filter_map(|rule| rule.remind).min();
                            let remind = remind.map(|it| it.duration().as_secs().cast_signed() / 3_600);
                            match last.get(channel) {
                                None if is_due => {
                                    expect(kind, false);
                                    last.insert(channel, now);
                                }
                                Some(then) if remind.is_some_and(|remind| now - then >= remind) => {
                                    expect(kind, true);
                                    last.insert(channel, now);
                                }
                                _ => {}
                            }
                        }
                        Occurrence::Closed(_) => {
                            if last.remove(channel).is_some()
                                && of(EventKind::Recovered).next().is_some()
                            {
                                expect(EventKind::Recovered, false);
                            }
                        }
                        Occurrence::Once(kind) => {
                            if of(kind).next().is_some() {
                                expect(kind, false);
                            }
                        }
                    }
                }
                match occurrence {
                    Occurrence::Opened(_) => in_a_row += 1,
                    Occurrence::Closed(_) => in_a_row = 0,
                    Occurrence::Once(_) => {}
                }
                prop_assert_eq!(&decision.notices, &expected);
                prop_assert_eq!(
                    decision.incident.as_ref().map_or(0, |incident| incident.count), in_a_row
                );
                incident = decision.incident;
            }
        }
    }
}
