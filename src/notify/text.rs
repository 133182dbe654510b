//! What a notification says to people.
//!
//! Names, errors and paths come from steps, which may run what others wrote. In the text for people
//! they are on one line, cut, and defused: whatever a receiver takes for a mention, a link or
//! formatting is broken by a character without width, so that it is still read as it was written.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::excerpt::{CUT, Excerpt};
use crate::base::visible::visible;
use crate::workflow::notification::Content;

/// The longest name and the longest error, characters.
const NAME_MAX: usize = 120;
const ERROR_MAX: usize = 1_200;
/// Breaks what a receiver would interpret.
const BREAK: char = '\u{200b}';

/// What stays as it is in a path of a URL.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where links lead.
#[derive(Debug, Clone, Default)]
pub(crate) struct Links {
    /// The URL under which the daemon is reached, without a slash at the end.
    pub(crate) public_url: Option<String>,
}

impl Links {
    /// With the value of `--public-url`.
    pub(crate) fn new(public_url: Option<String>) -> Self {
        Self { public_url: public_url.map(|url| url.trim_end_matches('/').to_owned()) }
    }

    /// The page of what a notification is about.
    pub(crate) fn of(&self, content: &Content) -> Option<String> {
        let base = self.public_url.as_ref()?;
        let id = content.execution_id.as_ref()?;
        Some(format!("{base}/executions/{}", utf8_percent_encode(id, IN_PATH)))
    }
}

/// Text from outside, harmless for a receiver that interprets text: on one line, and with nothing
/// that mentions, links or formats.
pub(crate) fn defuse(text: &str, characters: usize) -> String {
    let mut safe = String::with_capacity(text.len());
    let line = visible(text);
    let mut before = ' ';
    let mut chars = line.chars().enumerate().peekable();
    while let Some((index, c)) = chars.next() {
        let next = chars.peek().map_or(' ', |(_, next)| *next);
        if index >= characters {
            safe.push('…');
            break;
        }
        // `<!channel>`, `@here`, `#room`, `*bold*`, `_`, `~`, `` ` ``, `[text](link)`, `|table|`,
        // `http://…`, `mailto:…`, `www.…`, `пример.рф`, `i❤.ws`, `:emoji:`, `\\server\\share`
        let may_be_of_host = |c: char| c.is_alphanumeric() || !c.is_ascii();
        let is_in_word = may_be_of_host(before) && may_be_of_host(next);
        let interpreted = matches!(
            c,
            '<' | '@'
                | '＠'
                | '﹫'
                | '#'
                | '＃'
                | '*'
                | '_'
                | '~'
                | '`'
                | '['
                | ']'
                | '|'
                | '>'
                | '。'
                | '\u{2024}'
                | '．'
                | '｡'
        ) || (c == ':' && !before.is_whitespace() && !next.is_whitespace())
            || (c == ':' && next.is_alphanumeric())
            || (c == '.' && is_in_word)
            || (matches!(c, '/' | '\\') && next == c);
        safe.push(c);
        if interpreted {
            safe.push(BREAK);
        }
        before = c;
    }
    safe
}

/// A name that machines match, such as a label: exact if it has only what names of workflows usually
/// have, otherwise defused.
pub(crate) fn matched(text: &str, characters: usize) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if text.len() <= characters && text.bytes().all(is_plain) {
        text.to_owned()
    } else {
        defuse(text, characters)
    }
}

/// A name that is in a sentence.
fn name(text: &str) -> String {
    defuse(text, NAME_MAX)
}

/// One line that says what happened. Nothing in it can be interpreted.
pub(crate) fn title(content: &Content) -> String {
    let test = if content.is_test { "[test] " } else { "" };
    let again = if content.is_reminder { " (reminder)" } else { "" };
    let what = match (&content.workflow_id, content.event.as_str()) {
        (Some(id), "failed") if content.status.as_deref() == Some("interrupted") => {
            format!("{} was interrupted", name(id))
        }
        (Some(id), "failed") => format!("{} failed", name(id)),
        (Some(id), "recovered") => match content.resolves.as_deref() {
            Some("failed") | None => format!("{} recovered", name(id)),
            Some(of) => format!("{} recovered: no longer {}", name(id), in_words(of)),
        },
        (Some(id), "cancelled") => format!("{} was cancelled", name(id)),
        (Some(id), "handler_failed") => format!("a handler of {} failed", name(id)),
        (Some(id), "missed") => format!("{} missed a scheduled time", name(id)),
        (Some(id), "late") => format!("{} did not start in time", name(id)),
        (Some(id), "slow") => format!("{} runs longer than expected", name(id)),
        (Some(id), "stale") => format!("{} has not succeeded for too long", name(id)),
        (Some(id), event) => format!("{}: {}", name(id), in_words(event)),
        (None, "resolved") => {
            format!(
                "service level met again: {}",
                in_words(content.resolves.as_deref().unwrap_or(""))
            )
        }
        (None, event) => format!("service level not met: {}", in_words(event)),
    };
    format!("{test}wfx: {what}{again}")
}

fn in_words(event: &str) -> String {
    defuse(&event.replace('_', " "), NAME_MAX)
}

/// What is known, as labels and values. Nothing in a value can be interpreted.
pub(crate) fn details(content: &Content) -> Vec<(&'static str, String)> {
    let mut details = Vec::new();
    if content.is_test {
        details.push(("Test", "sent by `wfx notify test`; nothing happened".replace('`', "'")));
    }
    if let Some(id) = &content.workflow_id {
        details.push(("Workflow", name(id)));
    }
    if let Some(id) = &content.execution_id {
        let number = content.number.map(|number| format!("{number} ")).unwrap_or_default();
        details.push(("Execution", format!("{number}({})", name(id))));
    }
    if let Some(status) = &content.status {
        details.push(("Status", name(status)));
    }
    if let Some(step) = &content.step {
        details.push(("Step", name(step)));
    }
    if let Some(error) = &content.error {
        details.push(("Error", defuse(error, ERROR_MAX)));
    }
    if let Some(count) = content.count {
        details.push(("In a row", count.to_string()));
    }
    if content.resolves.is_some() || content.is_reminder {
        details.push(("Since", content.since.to_string()));
    }
    details.push(("Time", content.at.to_string()));
    if let Some(trigger) = &content.trigger {
        let by = trigger.by.as_deref().map(|by| format!(" by {}", name(by))).unwrap_or_default();
        details.push(("Started", format!("{}{by}", trigger.kind)));
    }
    if let Some(alert) = content.alert.as_ref().and_then(serde_json::Value::as_object) {
        for (key, label) in [("threshold", "Threshold"), ("window_seconds", "Window, seconds")] {
            if let Some(value) = alert.get(key) {
                details.push((label, name(&value.to_string())));
            }
        }
        for (key, value) in alert {
            if key.starts_with("error_rate") || key.starts_with("latency") {
                details.push(("Value", name(&value.to_string())));
            }
        }
        if let Some(path) = alert.get("path").and_then(serde_json::Value::as_str) {
            details.push(("Path", name(path)));
        }
    }
    if let (Some(id), "failed", false) = (&content.execution_id, &*content.event, content.is_test) {
        details.push(("See", format!("wfx show {}", name(id))));
        details.push(("Run again", format!("wfx retry {}", name(id))));
    }
    details
}

/// What stands before the last lines of a step.
pub(crate) const OUTPUT_TITLE: &str = "Last lines of output";

/// The last lines of a step, or why they are left out; `None` where there are none. Nothing in them
/// can be interpreted.
pub(crate) fn output(output: &Excerpt) -> Option<Vec<String>> {
    if let Some(why) = &output.withheld {
        return Some(vec![format!("left out: {}", defuse(why, ERROR_MAX))]);
    }
    let cut = output.is_cut.then(|| CUT.to_owned());
    let lines = output.lines.iter().map(|line| defuse(line, usize::MAX));
    (!output.lines.is_empty()).then(|| cut.into_iter().chain(lines).collect())
}

/// All of it as lines of plain text.
pub(crate) fn lines(content: &Content, last: &Excerpt, links: &Links) -> String {
    let mut text = String::new();
    for (label, value) in details(content) {
        text += &format!("{label}: {value}\n");
    }
    if let Some(link) = links.of(content) {
        text += &format!("Link: {link}\n");
    }
    if let Some(lines) = output(last) {
        text += &format!("\n{OUTPUT_TITLE}:\n");
        // Indented, so that none passes for a line of wfx.
        lines.iter().for_each(|line| text += &format!("    {line}\n"));
    }
    text
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::timestamp::Timestamp;

    /// The content of a failure in which everything that steps decide is `hostile`.
    pub(crate) fn hostile(hostile: &str) -> Content {
        Content {
            event: "failed".to_owned(),
            at: Timestamp::from_micros(1_700_000_000_000_000),
            incident: format!("{hostile}/failed/1"),
            since: Timestamp::from_micros(1_700_000_000_000_000),
            resolves: None,
            is_reminder: false,
            is_test: false,
            count: Some(3),
            workflow_id: Some(hostile.to_owned()),
            execution_id: Some("0199-e".to_owned()),
            number: Some(12),
            status: Some("failed".to_owned()),
            step: Some(hostile.to_owned()),
            error: Some(hostile.to_owned()),
            trigger: None,
            alert: Some(serde_json::json!({"path": hostile, "threshold": hostile})),
        }
    }

    /// Whether a receiver could take something in the text for a mention, a link or formatting.
    pub(crate) fn is_interpreted(text: &str) -> bool {
        let chars: Vec<char> = text.chars().collect();
        let next = |index: usize| chars.get(index + 1).copied();
        let special = |c: char| "<@#*_~`[]|>".contains(c);
        let of_host = |c: char| c != BREAK && (c.is_alphanumeric() || !c.is_ascii());
        let loose = chars.iter().enumerate().any(|(index, c)| {
            special(*c) && next(index) != Some(BREAK)
                || matches!(*c, '.' | '。' | '．' | '｡')
                    && index > 0
                    && of_host(chars[index - 1])
                    && next(index).is_some_and(of_host)
        });
        loose
            || text.contains("://")
            || text.contains("//")
            || text.contains("\\\\")
            || text.replace(&format!("mailto:{BREAK}"), "").contains("mailto:")
            || text.contains(char::is_control)
    }

    pub(crate) const HOSTILE: [&str; 12] = [
        "<!channel> <@U1> @here #general",
        "[click](http://evil.example) <http://evil.example|x>",
        "*bold* _it_ ~s~ `code` ```block``` > quote",
        "a\r\nBcc: victim@example.com\r\n\r\nbody",
        "\u{202e}reversed\u{200b}@\u{200b}here\u{1b}[31m",
        "https://evil.example www.evil.example mailto:a@evil.example evil.com",
        "\"},{\"text\":\"<!everyone>\"}",
        "{{ .ExternalURL }} $(id) `id` %n%0a",
        "../../../etc/passwd\0\u{7}",
        "пример.рф 例え。jp a．com ＠here //evil.example/x",
        "\\\\evil\\share :smile: [x]: //evil",
        "cafe\u{301}.com i❤.ws www.💩.la",
    ];

    #[test]
    fn names_that_machines_match_are_exact() {
        for text in ["nightly_etl", "etl.daily-2"] {
            assert_eq!(matched(text, 200), text);
        }
        for text in HOSTILE {
            assert!(!is_interpreted(&matched(text, 200)), "{}", matched(text, 200));
        }
        assert!(matched(&"a".repeat(300), 200).chars().count() < 300);
    }

    #[test]
    fn what_steps_decide_is_never_interpreted() {
        for text in HOSTILE {
            let content = hostile(text);
            assert!(!is_interpreted(&title(&content)), "{}", title(&content));
            for (label, value) in details(&content) {
                // Times and commands are our own.
                if !matches!(label, "Time" | "Since") {
                    assert!(!is_interpreted(&value), "{label}: {value}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn no_text_is_interpreted(text in "\\PC{0,40}|[<@#*_~`\\[\\]|>:/.。ж\\\\a-z!\\r\\n ]{0,40}") {
            prop_assert!(!is_interpreted(&defuse(&text, 1_000)), "{:?}", defuse(&text, 1_000));
            let read: String = defuse(&text, 1_000).chars().filter(|c| *c != BREAK).collect();
            let shown = visible(&text);
            prop_assert_eq!(read, shown);
        }
    }

    #[test]
    fn links_cannot_leave_their_page() {
        let links = Links::new(Some("https://wfx.example/".to_owned()));
        let content = Content { execution_id: Some("../x?y=<|>#@".to_owned()), ..hostile("w") };
        assert_eq!(
            links.of(&content).unwrap(),
            "https://wfx.example/executions/..%2Fx%3Fy%3D%3C%7C%3E%23%40"
        );
        assert_eq!(Links::default().of(&content), None);
    }
}
