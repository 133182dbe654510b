//! The environment of a step: the only way to pass values, so that no value is ever parsed as shell
//! text.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};

use indexmap::IndexMap;

use super::definition::environment_name;
use super::execution::Execution;
use super::record::ExecutionStatus;
use super::spec::ExecutionSpec;

/// The file that a step writes its outputs to.
pub(crate) const OUTPUT_FILE: &str = "WFX_OUTPUT";
/// The wfx that runs the step, by its owner id.
pub(crate) const OWNER: &str = "WFX_OWNER";
/// The scheduled time that an execution belongs to.
const SCHEDULED_AT: &str = "WFX_SCHEDULED_AT";
/// Names that wfx sets itself.
const OWN_NAMES: [&str; 7] = [
    "WFX_EXECUTION_ID",
    "WFX_WORKFLOW_ID",
    "WFX_STEP_NAME",
    "WFX_ATTEMPT",
    SCHEDULED_AT,
    OUTPUT_FILE,
    OWNER,
];
/// Beginnings of names that wfx sets itself.
const OWN_PREFIXES: [&str; 3] = ["WFX_PARAM_", "WFX_STEP_", "WFX_STATUS_"];
/// Names that wfx sets for handlers, about the execution.
const HANDLER_NAMES: [&str; 3] = ["WFX_STATUS", "WFX_ERROR", "WFX_FAILED_STEP"];
/// The most bytes of outputs that a handler gets, names and values: Linux starts no process with
/// more than 2 MiB of arguments and environment, and handlers get the outputs of every step.
const HANDLER_OUTPUTS_MAX: usize = 1024 * 1024;
/// Secrets of wfx itself, which no step receives.
const SECRET_NAMES: [&str; 1] = ["WFX_TOKEN"];
/// The store of wfx, which steps inherit unless a password is in it.
const STORE: &str = "WFX_STORE";
/// Beginnings of names of secrets.
const SECRET_PREFIXES: [&str; 2] = ["SLO_ALERT_WEBHOOK_", "WFX_NOTIFY_"];

/// Names that describe the process of wfx: its folder, its connection to systemd. A step that
/// inherited them would work in the wrong folder, or report to systemd in the name of wfx.
const PROCESS_NAMES: [&str; 15] = [
    FOLDER,
    "OLDPWD",
    RESTARTED,
    SUCCESSOR,
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_PIDFDID",
    "LISTEN_FDNAMES",
    "FDSTORE",
    "MAINPID",
    "SYSTEMD_EXEC_PID",
    "JOURNAL_STREAM",
];
/// The folder in which a process began.
pub(crate) const FOLDER: &str = "PWD";
/// Set when wfx has executed itself again in its process.
pub(crate) const RESTARTED: &str = "WFX_RESTARTED";
/// Set when a daemon has started wfx to hand over to it.
pub(crate) const SUCCESSOR: &str = "WFX_SUCCESSOR";

/// Variables of one process.
pub(crate) type Variables = IndexMap<OsString, OsString>;

/// Whether only wfx may set this variable.
#[must_use]
pub(crate) fn is_reserved(name: &str) -> bool {
    OWN_NAMES.contains(&name) || OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether wfx sets this variable for handlers.
#[must_use]
pub(crate) fn is_set_for_handlers(name: &str) -> bool {
    HANDLER_NAMES.contains(&name)
}

/// Whether this variable is a secret of wfx.
#[must_use]
pub(crate) fn is_secret(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| {
        SECRET_NAMES.contains(&name)
            || SECRET_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    })
}

/// The variables that steps inherit from wfx: all except its secrets, a store with a password,
/// variables about its own process, and names that it sets itself.
#[must_use]
pub fn inherited(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Variables {
    let is_given = |(name, value): &(OsString, OsString)| {
        let is_secret = || name == STORE && password(&value.to_string_lossy()).is_some();
        !(is_withheld(name) || is_secret())
    };
    variables.into_iter().filter(is_given).collect()
}

/// The password in a URL.
pub(crate) fn password(url: &str) -> Option<&str> {
    let authority = url.split_once("://")?.1.split('/').next()?;
    let (user, _) = authority.rsplit_once('@')?;
    Some(user.split_once(':')?.1)
}

fn is_withheld(name: &OsStr) -> bool {
    is_secret(name)
        || name.to_str().is_some_and(|name| {
            is_reserved(name) || is_set_for_handlers(name) || PROCESS_NAMES.contains(&name)
        })
}

/// Two outputs would have the same variable name in a step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "output `{first_key}` of step `{first_step}` and output `{second_key}` of step \
     `{second_step}` would both be {name}: rename one of them"
)]
pub(crate) struct Clash {
    name: String,
    first_step: String,
    first_key: String,
    second_step: String,
    second_key: String,
}

/// The environment of one attempt of a step, without [`OUTPUT_FILE`] and [`OWNER`].
///
/// # Errors
/// [`Clash`] when two outputs of the steps it depends on have one name. A handler, which is to run
/// whatever the steps did, gets neither of the two, and of too many outputs only the shortest.
pub(crate) fn of_step(
    execution: &Execution,
    step: usize,
    attempt: u32,
    inherited: &Variables,
) -> Result<Variables, Clash> {
    let spec: &ExecutionSpec = execution.spec();
    let definition = spec.snapshot.definition();
    let mut variables = inherited.clone();
    let mut set = |name: String, value: &str| {
        variables.insert(name.into(), value.into());
    };
    for (name, value) in definition.env.iter().chain(&spec.step(step).env) {
        set(name.clone(), value);
    }
    for (name, value) in &spec.snapshot.params {
        set(format!("WFX_PARAM_{}", environment_name(name)), &value.to_string());
    }
    let mut givers: HashMap<String, (&str, &str)> = HashMap::new();
    let mut ambiguous: Vec<String> = Vec::new();
    let mut sizes: Vec<(usize, String)> = Vec::new();
    let is_handler = step >= execution.steps().len();
    let before = match is_handler {
        true => (0..execution.steps().len()).collect(),
        false => spec.graph().ancestors(step),
    };
    for ancestor in before {
        let giver = spec.step(ancestor).name.as_str();
        let state = &execution.steps()[ancestor];
        set(format!("WFX_STATUS_{}", environment_name(giver)), state.status.as_str());
        for (key, value) in &state.outputs {
            let name = format!("WFX_STEP_{}_{}", environment_name(giver), environment_name(key));
            if let Some((first_step, first_key)) = givers.insert(name.clone(), (giver, key)) {
                if is_handler {
                    ambiguous.push(name);
                    continue;
                }
                return Err(Clash {
                    name,
                    first_step: first_step.to_owned(),
                    first_key: first_key.to_owned(),
                    second_step: giver.to_owned(),
                    second_key: key.clone(),
                });
            }
            if is_handler {
                sizes.push((name.len() + value.len(), name.clone()));
            }
            set(name, value);
        }
    }
    set("WFX_EXECUTION_ID".to_owned(), &spec.execution_id);
    set("WFX_WORKFLOW_ID".to_owned(), &definition.id);
    if let Some(at) = spec.trigger.as_ref().and_then(|trigger| trigger.scheduled_at) {
        set(SCHEDULED_AT.to_owned(), &at.to_string());
    }
    set("WFX_STEP_NAME".to_owned(), &spec.step(step).name);
    set("WFX_ATTEMPT".to_owned(), &attempt.to_string());
    if is_handler {
        let head = execution.head();
        let status = head.outcome.map_or("", ExecutionStatus::as_str);
        let [of_status, of_error, of_step] = HANDLER_NAMES;
        set(of_status.to_owned(), status);
        set(of_error.to_owned(), &fitting(head.error.as_deref().unwrap_or_default()));
        set(of_step.to_owned(), execution.failed_step().unwrap_or_default());
    }
    for name in ambiguous.into_iter().chain(beyond(sizes, HANDLER_OUTPUTS_MAX)) {
        variables.shift_remove(OsStr::new(&name));
    }
    Ok(variables)
}

/// The names of the longest, without which the others have at most `bytes_max` together.
fn beyond(mut sizes: Vec<(usize, String)>, bytes_max: usize) -> impl Iterator<Item = String> {
    sizes.sort();
    let mut total = 0;
    sizes.into_iter().filter_map(move |(bytes, name)| {
        total += bytes;
        (total > bytes_max).then_some(name)
    })
}

/// A text that a process can be given as the value of a variable.
fn fitting(text: &str) -> String {
    const BYTES_MAX: usize = 32 * 1024;
    let mut cut = text.len().min(BYTES_MAX);
    while !text.is_char_boundary(cut) {
        cut -= 1;
    }
    text[..cut].replace('\0', "\u{fffd}")
}

/// The largest variables, for a message on an environment that the system
/// refuses: `NAME (bytes)`, largest first.
#[must_use]
pub(crate) fn largest(variables: &Variables) -> String {
    let mut sizes: Vec<(usize, &OsString)> =
        variables.iter().map(|(name, value)| (name.len() + value.len() + 1, name)).collect();
    sizes.sort_by(|a, b| b.cmp(a));
    let named: Vec<String> = sizes
        .iter()
        .take(3)
        .map(|(bytes, name)| format!("{} ({bytes} bytes)", name.to_string_lossy()))
        .collect();
    named.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_own_names_are_not_inherited() {
        let given =
            ["PATH", "WFX_TOKEN", "SLO_ALERT_WEBHOOK_URL", "WFX_PARAM_X", "WFX_OUTPUT", "WFX_DB"];
        let given = given.into_iter().chain(PROCESS_NAMES);
        let given = given.map(|name| (OsString::from(name), OsString::from("v")));
        let inherited_names: Vec<OsString> = inherited(given).into_keys().collect();
        assert_eq!(inherited_names, ["PATH", "WFX_DB"]);
    }

    #[test]
    fn a_store_is_inherited_unless_a_password_is_in_it() {
        let is_inherited = |url: &str| {
            let given = [(OsString::from("WFX_STORE"), OsString::from(url))];
            !inherited(given).is_empty()
        };
        for url in ["postgres://wfx@h/runs", "@/etc/wfx/store", "postgres://h:5432/runs"] {
            assert!(is_inherited(url), "{url}");
        }
        for url in ["postgres://wfx:secret@h/runs", "postgres://:s@h", "postgres://u:p@ss@h/d"] {
            assert!(!is_inherited(url), "{url}");
        }
    }

    #[test]
    fn the_largest_come_first() {
        let variables: Variables = [("A", 5), ("B", 50), ("C", 500), ("D", 1)]
            .map(|(name, size)| (name.into(), "x".repeat(size).into()))
            .into_iter()
            .collect();
        assert_eq!(largest(&variables), "C (502 bytes), B (52 bytes), A (7 bytes)");
    }
}
