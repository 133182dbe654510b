//! `wfx completions`: a completion script for a shell.
//!
//! clap writes the scripts; what is in a database or a daemon, the shells that most people use ask
//! `wfx complete` for.

use std::fmt::Write;

use clap_complete::Shell;

use super::{CliError, Context, description};
use crate::base::exit::Exit;

/// What was typed after `wfx completions`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Commands, and what `wfx complete` is asked for where they take a name.
const NAMES: [(&[&str], &str); 2] = [
    (&["show", "logs", "diff", "replay", "retry", "cancel", "recover"], "executions"),
    (&["start"], "startable"),
];

/// Prints the script.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn run(args: &Args, context: &Context) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut description(), "wfx", &mut script);
    let script = String::from_utf8_lossy(&script);
    let script = match args.shell {
        Shell::Bash => bash(&script),
        Shell::Zsh => zsh(&script),
        Shell::Fish => fish(&script),
        _ => script.into_owned(),
    };
    context.ui.bytes(script.as_bytes())?;
    Ok(Exit::Success)
}

/// Adds to what the generated function found; of the words before the cursor, the first that is no
/// option is the command.
fn bash(script: &str) -> String {
    let mut cases = String::new();
    for (commands, what) in NAMES {
        // Writing to a text cannot fail.
        let _ = writeln!(cases, "                {}) what={what} ;;", commands.join("|"));
    }
    let function = format!(
        r#"
_wfx_names() {{
    _wfx "$@"
    local current="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" what="" word
    case "$before" in
        --workflow) what=workflows ;;
        -*) ;;
        *)
            for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
                [[ $word == -* ]] || break
            done
            case "$word" in
{cases}            esac
            ;;
    esac
    if [[ -n $what && $current != -* ]]; then
        COMPREPLY+=($(compgen -W "$(wfx complete "$what" 2>/dev/null)" -- "$current"))
    fi
}}

"#
    );
    let at = script.rfind("\nif [[ \"${BASH_VERSINFO").map_or(script.len(), |at| at + 1);
    let (functions, registration) = script.split_at(at);
    let registration = registration.replace("complete -F _wfx ", "complete -F _wfx_names ");
    format!("{functions}{}{registration}", function.trim_start_matches('\n'))
}

/// Names the function that completes names, in place of the one for files.
fn zsh(script: &str) -> String {
    let mut what = "executions";
    let mut written = String::new();
    for line in script.lines() {
        // `(show)` begins what is known of a command.
        let command = line.trim().strip_prefix('(').and_then(|line| line.strip_suffix(')'));
        if let Some(command) = command {
            let of = NAMES.iter().find(|(commands, _)| commands.contains(&command));
            what = of.map_or("", |(_, what)| *what);
        }
        let is_name = [":id -- ", ":from -- ", ":to -- ", ":workflow -- "];
        let is_name = is_name.iter().any(|name| line.contains(name)) && !what.is_empty();
        let function = if line.starts_with("'--workflow=") { "workflows" } else { what };
        let is_workflow = line.starts_with("'--workflow=");
        let line = match is_name || is_workflow {
            true => line.replace(":_default'", &format!(":_wfx_{function}'")),
            false => line.to_owned(),
        };
        written += &line;
        written.push('\n');
    }
    let mut functions = String::new();
    for what in ["executions", "workflows", "startable"] {
        let _ = writeln!(
            functions,
            "(( $+functions[_wfx_{what}] )) ||\n_wfx_{what}() {{\n    local -a found\n    \
             found=(${{(f)\"$(wfx complete {what} 2>/dev/null)\"}})\n    \
             compadd -a found\n}}\n"
        );
    }
    match written.rfind("if [ \"$funcstack[1]\"") {
        Some(at) => format!("{}{functions}{}", &written[..at], &written[at..]),
        None => written + &functions,
    }
}

/// Adds conditions of fish.
fn fish(script: &str) -> String {
    let mut written = script.to_owned();
    for (commands, what) in NAMES {
        for command in commands {
            let _ = writeln!(
                written,
                "complete -c wfx -n \"__fish_wfx_using_subcommand {command}\" -f -k -a \
                 '(wfx complete {what} 2>/dev/null)'"
            );
        }
    }
    let _ = writeln!(
        written,
        "complete -c wfx -n \"__fish_wfx_using_subcommand list\" -l workflow -x -a \
         '(wfx complete workflows 2>/dev/null)'"
    );
    written
}
