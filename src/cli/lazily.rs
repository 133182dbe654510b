//! A subcommand whose flags clap prepares only when the subcommand is typed, so that other commands do
//! not pay for them.

use std::ops::Deref;

use clap::builder::Resettable;
use clap::{ArgMatches, Args, Command, Error, FromArgMatches, Id};

/// What was typed after a subcommand.
#[derive(Debug)]
pub(super) struct Lazily<A>(A);

impl<A> Deref for Lazily<A> {
    type Target = A;

    fn deref(&self) -> &A {
        &self.0
    }
}

impl<A: FromArgMatches> FromArgMatches for Lazily<A> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        A::from_arg_matches(matches).map(Self)
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, Error> {
        A::from_arg_matches_mut(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }

    fn update_from_arg_matches_mut(&mut self, matches: &mut ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches_mut(matches)
    }
}

impl<A: Args> Args for Lazily<A> {
    fn group_id() -> Option<Id> {
        A::group_id()
    }

    fn augment_args(command: Command) -> Command {
        command.defer(|command| described(command, A::augment_args))
    }

    fn augment_args_for_update(command: Command) -> Command {
        command.defer(|command| described(command, A::augment_args_for_update))
    }
}

/// Options of all commands, and the commands whose help leaves each out, since it says nothing to
/// them. They are still accepted there. A command inside another one is named without it: `list`
/// is also `schedule list`.
const UNUSED: [(&str, &[&str]); 7] = [
    ("store", &["start", "import", "validate", "slo-sim", "schema", "completions", "man"]),
    ("db", &["start", "import", "validate", "slo-sim", "schema", "completions", "man"]),
    (
        "as_owner",
        &["start", "import", "validate", "perf-check", "slo-sim", "schema", "completions", "man"],
    ),
    (
        "trust_owner",
        &[
            "start",
            "list",
            "show",
            "status",
            "diff",
            "next",
            "history",
            "sim",
            "import",
            "validate",
            "perf-check",
            "slo-sim",
            "schema",
            "config",
            "doctor",
            "completions",
            "man",
        ],
    ),
    ("config", &["import", "validate", "schema", "completions", "man"]),
    ("format", &["serve", "schema", "completions", "man"]),
    (
        "utc",
        &[
            "exec",
            "start",
            "serve",
            "recover",
            "cancel",
            "import",
            "validate",
            "perf-check",
            "schema",
            "config",
            "doctor",
            "completions",
            "man",
        ],
    ),
];

/// The command with its flags. What it is for was said already, and stays.
fn described(command: Command, augment: fn(Command) -> Command) -> Command {
    let about = command.get_about().cloned();
    let long_about = command.get_long_about().cloned();
    let mut command = without_unused(augment(command));
    let inner: Vec<String> =
        command.get_subcommands().map(|inner| inner.get_name().to_owned()).collect();
    for name in inner {
        command = command.mut_subcommand(name, |inner| inner.defer(without_unused));
    }
    command.about(Resettable::from(about)).long_about(Resettable::from(long_about))
}

/// The command with options hidden that it does not use.
fn without_unused(mut command: Command) -> Command {
    for (option, commands) in UNUSED {
        // The options of all commands are there when this one was typed.
        let is_there = command.get_arguments().any(|argument| argument.get_id() == option);
        if is_there && commands.contains(&command.get_name()) {
            command = command.mut_arg(option, |argument| argument.hide(true));
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::super::description;
    use super::UNUSED;

    #[test]
    fn each_help_has_the_options_that_its_command_uses() {
        let mut description = description();
        description.build();
        let mut names = Vec::new();
        for command in description.get_subcommands().filter(|it| it.get_name() != "help") {
            names.push(command.get_name().to_owned());
            let inner = command.get_subcommands().filter(|it| it.get_name() != "help");
            let inner: Vec<_> = inner.collect();
            names.extend(inner.iter().map(|inner| inner.get_name().to_owned()));
            for (option, unused) in UNUSED {
                let is_hidden = |command: &clap::Command| {
                    let argument = command.get_arguments().find(|it| it.get_id() == option);
                    let argument = argument.unwrap_or_else(|| panic!("{option} is of no command"));
                    argument.is_hide_set()
                };
                let of = unused.contains(&command.get_name());
                assert_eq!(is_hidden(command), of, "{option} {}", command.get_name());
                for inner in &inner {
                    let is_unused = of || unused.contains(&inner.get_name());
                    let path = format!("{} {}", command.get_name(), inner.get_name());
                    assert_eq!(is_hidden(inner), is_unused, "{option} {path}");
                }
            }
        }
        for (_, commands) in UNUSED {
            for name in commands {
                assert!(names.iter().any(|known| known == name), "{name}");
            }
        }
    }
}
