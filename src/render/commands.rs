//! What each step runs, as one would type it into a shell.

use std::collections::HashMap;

use serde_json::Value;

use crate::workflow::handler::HandlerKind;

/// The lines of a command that are shown unless all is asked for.
const LINES_SHOWN: usize = 10;

/// The commands of the steps and handlers of one execution, by their names.
#[derive(Debug, Default)]
pub(crate) struct Commands<'s>(HashMap<&'s str, &'s Value>);

impl<'s> Commands<'s> {
    /// Of a stored snapshot.
    pub(crate) fn of_snapshot(snapshot: &'s Value) -> Self {
        let definition = &snapshot["definition"];
        let lists = ["steps"].into_iter().chain(HandlerKind::ALL.map(HandlerKind::as_str));
        let steps = lists.filter_map(|list| definition[list].as_array()).flatten();
        Self(steps.filter_map(|step| Some((step["name"].as_str()?, step))).collect())
    }

    /// The lines of what the step runs, and how many of them are left out; none for a step without
    /// work.
    pub(crate) fn lines(&self, step: &str, is_whole: bool) -> (Vec<String>, usize) {
        let step = self.0.get(step).copied().unwrap_or(&Value::Null);
        let text = match (&step["run"], step["sleep"].as_str()) {
            (Value::String(script), _) => script.trim_end().to_owned(),
            (Value::Array(argv), _) => typed(argv),
            (_, Some(period)) => return (vec![format!("(sleeps {period})")], 0),
            _ => return (Vec::new(), 0),
        };
        let count = text.lines().count();
        let shown = if is_whole { count } else { count.min(LINES_SHOWN) };
        // As a shell shows what is typed: `>` goes on with what `$` began.
        let line = |(at, line)| format!("{} {line}", if at == 0 { '$' } else { '>' });
        (text.lines().take(shown).enumerate().map(line).collect(), count - shown)
    }
}

/// A program and its arguments with the quotes that they need.
fn typed(argv: &[Value]) -> String {
    let words = argv.iter().filter_map(Value::as_str);
    shlex::Quoter::new().allow_nul(true).join(words).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_command_is_shown_as_it_is_typed() {
        let long = (1..=12).map(|line| format!("echo {line}\n")).collect::<String>();
        let snapshot = json!({"definition": {
            "steps": [
                {"name": "script", "run": "for x in a b; do\n  echo $x\ndone\n"},
                {"name": "program", "run": ["echo", "a b", "it's", "", "plain-1.0"]},
                {"name": "pause", "sleep": "10ms"},
                {"name": "join"},
                {"name": "long", "run": long},
            ],
            "on_failure": [{"name": "mail", "run": "true"}],
        }});
        let commands = Commands::of_snapshot(&snapshot);
        let lines = |step| commands.lines(step, false).0;
        assert_eq!(lines("script"), ["$ for x in a b; do", ">   echo $x", "> done"]);
        assert_eq!(lines("program"), [r#"$ echo 'a b' "it's" '' plain-1.0"#]);
        assert_eq!(lines("pause"), ["(sleeps 10ms)"]);
        assert_eq!(lines("join"), [""; 0]);
        assert_eq!(lines("unknown"), [""; 0]);
        assert_eq!(lines("mail"), ["$ true"]);
        let (shown, left) = commands.lines("long", false);
        assert_eq!((shown.len(), left), (10, 2));
        assert_eq!(commands.lines("long", true).0.len(), 12);
        // A snapshot of the predecessor need not have any of this.
        assert_eq!(Commands::of_snapshot(&Value::Null).lines("a", true).0, [""; 0]);
    }
}
