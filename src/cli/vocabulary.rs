//! What other tools call the commands of wfx.

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Words of other tools, and what does that here.
const WORDS: [(&[&str], &str); 12] = [
    (
        &["run", "execute", "submit", "trigger", "apply"],
        "`wfx exec FILE` runs a workflow, `wfx start ID` one of a daemon's folder",
    ),
    (&["log", "output", "tail"], "`wfx logs ID` shows what its steps print, `-f` follows it"),
    (&["ps", "ls", "history", "runs", "top"], "`wfx list` lists executions"),
    (&["inspect", "describe", "get", "info"], "`wfx show ID` shows an execution"),
    (&["stop", "kill", "abort", "terminate"], "`wfx cancel ID` ends an execution"),
    (
        &["rerun", "resume", "restart", "continue"],
        "`wfx retry ID` runs what failed again, `wfx replay ID` everything, `wfx recover` goes on \
         after a crash",
    ),
    (&["waiting", "locks", "jobs"], "`wfx queue` shows who waits for a slot of a group"),
    (&["rm", "delete", "remove", "prune", "clean", "gc"], "`wfx purge` deletes executions"),
    (&["lint", "check", "verify", "dry"], "`wfx validate FILE` checks a workflow"),
    (&["server", "daemon", "up", "scheduler"], "`wfx serve` is the daemon"),
    (
        &["pause", "suspend", "unpause", "disable", "enable"],
        "`wfx schedule pause WORKFLOW` lets its schedules start nothing, `wfx schedule resume` ends that",
    ),
    (
        &["cron", "crontab", "timer", "next"],
        "`wfx schedule next` shows when workflows are due, `wfx schedule sim` rehearses them, \
         `wfx import crontab` makes workflows of a crontab",
    ),
];

/// Adds what the command is called here to an error about an unknown one.
pub(super) fn explain(mut error: clap::Error) -> clap::Error {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return error;
    }
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidSubcommand) else {
        return error;
    };
    let known = WORDS.iter().find(|(words, _)| words.contains(&typed.as_str()));
    if let Some((_, hint)) = known {
        // What only sounds like it is no help beside that.
        error.remove(ContextKind::SuggestedSubcommand);
        let hint = ContextValue::StyledStrs(vec![StyledStr::from(*hint)]);
        error.insert(ContextKind::Suggested, hint);
    }
    error
}

#[cfg(test)]
mod tests {
    use super::super::description;
    use super::*;

    #[test]
    fn no_word_is_a_command_of_wfx_and_each_stands_once() {
        let description = description();
        let mut all: Vec<&str> = WORDS.iter().flat_map(|(words, _)| *words).copied().collect();
        for word in &all {
            assert!(description.find_subcommand(word).is_none(), "{word}");
        }
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn each_hint_names_a_command_that_is_there() {
        let description = description();
        for (_, hint) in WORDS {
            let mut named = hint.split("`wfx ").skip(1).peekable();
            assert!(named.peek().is_some(), "{hint}");
            for rest in named {
                let name = rest.split([' ', '`']).next().unwrap();
                assert!(description.find_subcommand(name).is_some(), "{hint}");
            }
        }
    }
}
