//! The request or the mail that each kind of channel takes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::channel::{Channel, ChannelKind, Email};
use super::excerpt::{CUT, Excerpt};
use super::text::{self, Links};
use crate::base::signature::Secret;
use crate::base::timestamp::Timestamp;
use crate::workflow::notification::Content;

/// The longest texts that Slack takes in a header and in a section, characters.
const SLACK_HEADER_MAX: usize = 150;
const SLACK_SECTION_MAX: usize = 3_000;
/// The longest summary and key that PagerDuty takes.
const PAGERDUTY_SUMMARY_MAX: usize = 1_024;
const PAGERDUTY_KEY_MAX: usize = 255;
/// How long Alertmanager shows what nothing resolves: it would forget it after its `resolve_timeout`
/// of five minutes if no end was given.
const SHOWN_UNRESOLVED: Duration = Duration::from_secs(30 * 86_400);
/// How long it shows what happened once.
const SHOWN_ONCE: Duration = Duration::from_secs(15 * 60);

/// What is sent in one attempt.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outgoing {
    /// A request.
    Post(Post),
    /// A mail.
    Mail(Mail),
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Post {
    /// What follows the URL of the channel.
    pub(crate) path: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

/// A mail before it is encoded.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mail {
    pub(crate) message_id: String,
    /// What groups the mails of one incident.
    pub(crate) thread: String,
    pub(crate) subject: String,
    pub(crate) body: String,
    pub(crate) date: Timestamp,
}

/// One notification on its way to a channel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message<'a> {
    pub(crate) id: &'a str,
    pub(crate) content: &'a Content,
    /// The last lines of the step that it names.
    pub(crate) output: &'a Excerpt,
    pub(crate) links: &'a Links,
    /// This machine.
    pub(crate) host: &'a str,
    /// The database, for receivers of what several of them send.
    pub(crate) instance: &'a str,
    /// The time of the attempt, which a signature holds.
    pub(crate) now: Timestamp,
}

/// What a channel is sent.
pub(crate) fn outgoing(channel: &Channel, message: &Message<'_>) -> Outgoing {
    match &channel.kind {
        ChannelKind::Webhook { secret, .. } => Outgoing::Post(webhook(message, secret.as_ref())),
        ChannelKind::Slack { .. } => post("", &slack(message)),
        ChannelKind::PagerDuty { routing_key, severity, .. } => {
            post("", &pagerduty(message, &routing_key.0, severity))
        }
        ChannelKind::Alertmanager { labels, .. } => {
            post("/api/v2/alerts", &alertmanager(message, labels))
        }
        ChannelKind::Email(email) => Outgoing::Mail(mail(message, email)),
        // It has no content.
        ChannelKind::Heartbeat { .. } => post("", &Value::Null),
    }
}

fn post(path: &'static str, body: &Value) -> Outgoing {
    Outgoing::Post(Post { path, headers: Vec::new(), body: body.to_string() })
}

/// Standard Webhooks. Machines read it: the values are exact.
fn webhook(message: &Message<'_>, secret: Option<&Secret>) -> Post {
    let Message { id, content, output, links, now, .. } = *message;
    let mut data = match &content.alert {
        Some(Value::Object(alert)) => alert.clone(),
        _ => Map::from_iter([
            ("workflow_id".to_owned(), json!(content.workflow_id)),
            ("execution_id".to_owned(), json!(content.execution_id)),
            ("status".to_owned(), json!(content.status)),
            ("step".to_owned(), json!(content.step)),
            ("error".to_owned(), json!(content.error)),
            ("url".to_owned(), json!(links.of(content))),
            ("trigger".to_owned(), json!(content.trigger)),
        ]),
    };
    data.insert("incident".to_owned(), json!(content.incident));
    data.insert("since".to_owned(), json!(content.since));
    if let Some(resolves) = &content.resolves {
        data.insert("resolves".to_owned(), json!(resolves));
    }
    if let Some(count) = content.count {
        data.insert("in_a_row".to_owned(), json!(count));
    }
    if content.is_reminder {
        data.insert("reminder".to_owned(), json!(true));
    }
    if content.is_test {
        data.insert("test".to_owned(), json!(true));
    }
    if !output.lines.is_empty() {
        data.insert("output".to_owned(), json!(output.lines));
        data.insert("output_cut".to_owned(), json!(output.is_cut));
    }
    if let Some(why) = &output.withheld {
        data.insert("output_withheld".to_owned(), json!(why));
    }
    let body = json!({"type": content.event, "timestamp": content.at, "data": data}).to_string();
    let seconds = now.as_micros().div_euclid(1_000_000);
    let mut headers =
        vec![("webhook-id", id.to_owned()), ("webhook-timestamp", seconds.to_string())];
    if let Some(secret) = secret {
        headers.push(("webhook-signature", secret.sign(id, seconds, body.as_bytes())));
    }
    Post { path: "", headers, body }
}

/// Text in blocks of `plain_text`, which Slack does not interpret; `text` is what it shows in notices,
/// and what others that take its format show.
fn slack(message: &Message<'_>) -> Value {
    let Message { content, output, links, .. } = *message;
    let title = text::title(content);
    let details: String =
        text::details(content).iter().map(|(label, value)| format!("{label}: {value}\n")).collect();
    let plain = |text: &str, max: usize| json!({"type": "plain_text", "text": cut(&entities(text), max), "emoji": false});
    let mut blocks = vec![
        json!({"type": "header", "text": plain(&title, SLACK_HEADER_MAX)}),
        json!({"type": "section", "text": plain(details.trim_end(), SLACK_SECTION_MAX)}),
    ];
    if let Some(lines) = text::output(output) {
        let title = text::OUTPUT_TITLE;
        let fitting = fitting(&lines, SLACK_SECTION_MAX - title.len() - 2);
        let text =
            json!({"type": "plain_text", "text": format!("{title}:\n{fitting}"), "emoji": false});
        blocks.push(json!({"type": "section", "text": text}));
    }
    if let Some(link) = links.of(content) {
        let text = json!({"type": "mrkdwn", "text": format!("<{link}|Open in wfx>")});
        blocks.push(json!({"type": "section", "text": text}));
    }
    json!({
        "text": entities(&title),
        "mrkdwn": false,
        "parse": "none",
        "link_names": false,
        "unfurl_links": false,
        "unfurl_media": false,
        "blocks": blocks,
    })
}

/// The three characters that Slack gives a meaning to.
fn entities(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The last of these lines, with entities, that have at most so many characters together.
fn fitting(lines: &[String], characters: usize) -> String {
    let mut shown: Vec<String> = Vec::new();
    let mut room = characters;
    for line in lines.iter().rev() {
        let line = entities(line);
        let length = line.chars().count() + 1;
        if length > room {
            match shown.is_empty() {
                true => shown.push(cut(&line, characters)),
                // Room for it is left below.
                false => shown.push(CUT.to_owned()),
            }
            break;
        }
        // A line that stands for those that do not fit.
        room = (room - length).saturating_sub(usize::from(shown.is_empty()) * 2);
        shown.push(line);
    }
    shown.reverse();
    shown.join("\n")
}

/// The beginning of a text, not in the middle of an entity.
fn cut(text: &str, characters: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(characters.saturating_sub(1)) else {
        return text.to_owned();
    };
    let mut end = if text[end..].chars().count() > 1 { end } else { return text.to_owned() };
    if let Some(start) = text[..end].rfind('&')
        && !text[start..end].contains(';')
    {
        end = start;
    }
    format!("{}…", &text[..end])
}

fn pagerduty(message: &Message<'_>, routing_key: &str, severity: &str) -> Value {
    let Message { content, output, links, host, .. } = *message;
    let key = match content.is_test {
        true => "wfx/test".to_owned(),
        false => format!("wfx/{}/{}", content.since, content.incident),
    };
    let is_end = content.resolves.is_some();
    let mut event = json!({
        "routing_key": routing_key,
        "event_action": if is_end { "resolve" } else { "trigger" },
        "dedup_key": end_of(&key, PAGERDUTY_KEY_MAX),
        "client": "wfx",
        "payload": {
            "summary": cut(&text::title(content), PAGERDUTY_SUMMARY_MAX),
            "source": host,
            "severity": severity,
            "timestamp": content.at,
            "component": text::matched(content.workflow_id.as_deref().unwrap_or("wfx"), 200),
            "class": content.resolves.as_ref().unwrap_or(&content.event),
            "custom_details": text::details(content)
                .into_iter()
                .map(|(label, value)| (label.to_owned(), Value::from(value)))
                .collect::<Map<_, _>>(),
        },
    });
    if let Some(lines) = text::output(output) {
        event["payload"]["custom_details"][text::OUTPUT_TITLE] = json!(lines.join("\n"));
    }
    if let Some(link) = links.of(content) {
        event["client_url"] = json!(link);
        event["links"] = json!([{"href": link, "text": "Open in wfx"}]);
    }
    event
}

/// The beginning of a key, which holds the time: of two long ones at most one is cut alike.
fn end_of(key: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(key.len())).rev().find(|end| key.is_char_boundary(*end));
    &key[..end.unwrap_or(0)]
}

/// The labels of what begins and of what ends are the same, whichever process of the database sends
/// it: Alertmanager knows an alert by them. Those of two databases differ.
fn alertmanager(message: &Message<'_>, more: &BTreeMap<String, String>) -> Value {
    let Message { content, output, links, host, instance, .. } = *message;
    let event = content.resolves.as_ref().unwrap_or(&content.event);
    let mut labels = BTreeMap::from([("instance".to_owned(), instance.to_owned())]);
    labels.extend(more.clone());
    labels.insert("alertname".to_owned(), format!("Wfx{}", camel(event)));
    labels.insert("event".to_owned(), event.clone());
    if let Some(id) = &content.workflow_id {
        labels.insert("workflow".to_owned(), text::matched(id, 200));
    }
    if content.is_test {
        labels.insert("test".to_owned(), "true".to_owned());
    }
    let details: String =
        text::details(content).iter().map(|(label, value)| format!("{label}: {value}\n")).collect();
    let mut annotations = json!({
        "summary": text::title(content),
        "description": details,
        "host": text::matched(host, 200),
    });
    if let Some(lines) = text::output(output) {
        annotations["output"] = json!(lines.join("\n"));
    }
    let is_incident = !matches!(event.as_str(), "cancelled") && !content.is_test;
    let ends_at = match &content.resolves {
        Some(_) => content.at.max(content.since.plus(Duration::from_millis(1))),
        None if is_incident => content.at.plus(SHOWN_UNRESOLVED),
        None => content.at.plus(SHOWN_ONCE),
    };
    let mut alert = json!({
        "labels": labels,
        "annotations": annotations,
        "startsAt": content.since,
        "endsAt": ends_at,
    });
    if let Some(link) = links.of(content) {
        alert["generatorURL"] = json!(link);
    }
    json!([alert])
}

fn camel(event: &str) -> String {
    let words = event.split('_').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + rest
    });
    words.collect()
}

/// Everything that steps decide is on one line each, so that it makes neither a header nor a
/// paragraph of its own.
fn mail(message: &Message<'_>, email: &Email) -> Mail {
    let Message { id, content, output, links, .. } = *message;
    let domain = email.from.rsplit('@').next().unwrap_or_default();
    let domain: String =
        domain.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-')).collect();
    let domain = if domain.is_empty() { "wfx.invalid".to_owned() } else { domain };
    let since = content.since.as_micros();
    let incident: String = content
        .incident
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' })
        .take(100)
        .collect();
    Mail {
        message_id: format!("<{id}@{domain}>"),
        thread: format!("<wfx.{incident}.{since}@{domain}>"),
        subject: text::title(content),
        body: format!("{}\n\n{}", text::title(content), text::lines(content, output, links)),
        date: content.at,
    }
}

#[cfg(test)]
mod tests {
    use super::super::channel::{Encryption, Hidden, Target};
    use super::super::text::tests::{HOSTILE, hostile, is_interpreted};
    use super::*;
    use crate::base::visible::visible;

    fn target(url: &str) -> Target {
        Target { uri: url.parse().unwrap(), authorization: None, shown: url.to_owned() }
    }

    fn links() -> Links {
        Links::new(Some("https://wfx.example".to_owned()))
    }

    fn email() -> Email {
        Email {
            host: "localhost".to_owned(),
            port: 25,
            encryption: Encryption::None,
            login: None,
            from: "wfx <wfx@example.com>".to_owned(),
            to: vec!["ops@example.com".to_owned()],
        }
    }

    fn channel(kind: ChannelKind) -> Channel {
        Channel { name: "ops".to_owned(), kind, output_lines: 10, secrets: Vec::new() }
    }

    fn message<'a>(content: &'a Content, links: &'a Links, now: Timestamp) -> Message<'a> {
        static NOTHING: Excerpt = Excerpt { lines: Vec::new(), is_cut: false, withheld: None };
        let (id, output, host, instance) = ("msg_1", &NOTHING, "host", "wfx-1");
        Message { id, content, output, links, host, instance, now }
    }

    fn json_of(kind: ChannelKind, content: &Content) -> Value {
        let now = Timestamp::from_micros(0);
        let links = links();
        match outgoing(&channel(kind), &message(content, &links, now)) {
            Outgoing::Post(post) => serde_json::from_str(&post.body).unwrap(),
            Outgoing::Mail(mail) => panic!("{mail:?}"),
        }
    }

    /// Every text in a value that no wfx wrote alone.
    fn texts(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::String(text) => found.push(text.clone()),
            Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
            Value::Object(map) => map.values().for_each(|item| texts(item, found)),
            _ => {}
        }
    }

    #[test]
    fn no_receiver_of_text_interprets_what_steps_decide() {
        for text in HOSTILE {
            let content = hostile(text);
            let slack = json_of(ChannelKind::Slack { target: target("http://x/") }, &content);
            for kind in ["text", "blocks"] {
                let mut found = Vec::new();
                texts(&slack[kind], &mut found);
                for shown in
                    found.iter().filter(|shown| !shown.starts_with("<https://wfx.example/"))
                {
                    assert!(!shown.contains(['<', '>']), "{shown}");
                    assert!(!shown.contains("@h") && !shown.contains("://"), "{shown}");
                }
            }
            let pagerduty = json_of(
                ChannelKind::PagerDuty {
                    target: target("http://x/"),
                    routing_key: Hidden("key".to_owned()),
                    severity: "error".to_owned(),
                },
                &content,
            );
            let labels = BTreeMap::new();
            let kind = ChannelKind::Alertmanager { target: target("http://x"), labels };
            let alertmanager = json_of(kind, &content);
            assert!(!is_interpreted(pagerduty["payload"]["summary"].as_str().unwrap()));
            assert!(!is_interpreted(alertmanager[0]["annotations"]["summary"].as_str().unwrap()));
            let (links, now) = (links(), Timestamp::from_micros(0));
            let mail = mail(&message(&content, &links, now), &email());
            assert!(!is_interpreted(&mail.subject), "{}", mail.subject);
            assert_eq!(mail.message_id, "<msg_1@example.com>");
            assert!(mail.thread.is_ascii() && !mail.thread.contains(char::is_whitespace));
            for line in mail.body.lines() {
                assert!(!line.starts_with("Bcc:"), "{line}");
            }
            // Machines get the exact text.
            let webhook = ChannelKind::Webhook { target: target("http://x/"), secret: None };
            assert_eq!(json_of(webhook, &Content { alert: None, ..content })["data"]["step"], text);
        }
    }

    #[test]
    fn no_receiver_of_text_interprets_what_a_step_printed() {
        let (content, links, now) = (hostile("w"), links(), Timestamp::from_micros(0));
        for text in HOSTILE {
            let lines = vec![visible(text); 3];
            for withheld in [None, Some(text.to_owned())] {
                let output = Excerpt { lines: lines.clone(), is_cut: true, withheld };
                let message = Message { output: &output, ..message(&content, &links, now) };
                let shown = text::output(&output).unwrap();
                assert!(shown.iter().all(|line| !is_interpreted(line)), "{shown:?}");
                let joined = shown.join("\n");
                let pagerduty = pagerduty(&message, "key", "error");
                let details = &pagerduty["payload"]["custom_details"];
                assert_eq!(details["Last lines of output"], joined);
                let alert = alertmanager(&message, &BTreeMap::new());
                assert_eq!(alert[0]["annotations"]["output"], joined);
                let mail = mail(&message, &email());
                let (_, block) = mail.body.split_once("\nLast lines of output:\n").unwrap();
                assert!(block.lines().all(|line| line.starts_with("    ")), "{block}");
                let slack = slack(&message);
                let text = slack["blocks"][2]["text"].as_object().unwrap();
                assert_eq!(text["type"], "plain_text");
                assert!(!text["text"].as_str().unwrap().contains(['<', '>']), "{text:?}");
            }
        }
    }

    #[test]
    fn of_too_much_output_slack_gets_the_end() {
        let (content, links, now) = (hostile("w"), links(), Timestamp::from_micros(0));
        for (line, count, is_whole) in
            [("a", 50, true), ("<<<>>>&&&&", 500, false), ("é<", 4_000, false)]
        {
            let mut lines = vec![line.to_owned(); count - 1];
            lines.push("the last one".to_owned());
            let output = Excerpt { lines, ..Excerpt::default() };
            let slack = slack(&Message { output: &output, ..message(&content, &links, now) });
            let text = slack["blocks"][2]["text"]["text"].as_str().unwrap();
            assert!(text.chars().count() <= SLACK_SECTION_MAX, "{}", text.chars().count());
            assert!(text.ends_with("\nthe last one"), "{text}");
            assert_eq!(text.contains("output:\n…\n"), !is_whole, "{text}");
        }
        let output = Excerpt { lines: vec!["<".repeat(5_000)], ..Excerpt::default() };
        let slack = slack(&Message { output: &output, ..message(&content, &links, now) });
        let text = slack["blocks"][2]["text"]["text"].as_str().unwrap();
        assert!(text.chars().count() <= SLACK_SECTION_MAX && text.contains("&lt;"), "{text}");
    }

    #[test]
    fn what_ends_names_what_began() {
        let began = hostile("backup");
        let ended = Content {
            event: "recovered".to_owned(),
            resolves: Some("failed".to_owned()),
            at: began.at.plus(Duration::from_secs(60)),
            ..began.clone()
        };
        let pagerduty = |content: &Content| {
            let kind = ChannelKind::PagerDuty {
                target: target("http://x/"),
                routing_key: Hidden("key".to_owned()),
                severity: "critical".to_owned(),
            };
            json_of(kind, content)
        };
        assert_eq!(pagerduty(&began)["event_action"], "trigger");
        assert_eq!(pagerduty(&ended)["event_action"], "resolve");
        assert_eq!(pagerduty(&began)["dedup_key"], pagerduty(&ended)["dedup_key"]);
        assert_eq!(pagerduty(&began)["payload"]["severity"], "critical");
        let alertmanager = |content: &Content| {
            let labels = BTreeMap::from([("team".to_owned(), "data".to_owned())]);
            json_of(ChannelKind::Alertmanager { target: target("http://x"), labels }, content)
        };
        let (began, ended) = (alertmanager(&began), alertmanager(&ended));
        assert_eq!(began[0]["labels"], ended[0]["labels"]);
        assert_eq!(began[0]["labels"]["alertname"], "WfxFailed");
        assert_eq!(began[0]["labels"]["team"], "data");
        assert_eq!(began[0]["startsAt"], ended[0]["startsAt"]);
        assert_eq!(ended[0]["endsAt"], "2023-11-14T22:14:20.000000Z");
    }

    #[test]
    fn a_webhook_is_signed_as_the_specification_says() {
        let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let now = Timestamp::from_micros(1_614_265_330_999_999);
        let content = Content { alert: None, ..hostile("w") };
        let links = links();
        let post = webhook(&message(&content, &links, now), Some(&secret));
        let header = |name: &str| {
            post.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
        };
        assert_eq!(header("webhook-id").unwrap(), "msg_1");
        assert_eq!(header("webhook-timestamp").unwrap(), "1614265330");
        let signature = secret.sign("msg_1", 1_614_265_330, post.body.as_bytes());
        assert_eq!(header("webhook-signature").unwrap(), signature);
        let body: Value = serde_json::from_str(&post.body).unwrap();
        assert_eq!(body["type"], "failed");
        assert_eq!(body["data"]["url"], "https://wfx.example/executions/0199-e");
    }

    #[test]
    fn long_texts_are_cut_within_no_entity() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("ab&amp;cd", 5), "ab…");
        assert_eq!(cut("ab&amp;cd", 8), "ab&amp;…");
    }
}
