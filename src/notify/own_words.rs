//! Errors that wfx words itself, of nothing that a step or a document decides but the name of a step:
//! they are no secret where the secrets of an execution are not known.                 (pure)

use std::sync::LazyLock;

use regex::Regex;

/// What wfx says of the end of a process or a time limit. There is room for no secret in it.
#[expect(clippy::expect_used, reason = "the pattern is fixed, and a test uses it")]
static PLAIN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?x)^(?:
            exit\ code\ \d{1,3}
            | ended\ by\ signal\ \d{1,3} (?: \ \(SIG[A-Z]{1,8} (?:\+\d{1,2})? \) )?
            | (?: the\ workflow\ )? timed\ out\ after\ (?: \d{1,9} (?: [a-z]{1,2} | days? | months? | years? ) ){1,8}
            | Simulated\ step\ failure
            | wfx\ ended\ while\ it\ ran
        )$",
    )
    .expect("a valid pattern")
});

/// What may be said of an error of this step without its secrets: all of it, or that it is left out,
/// and why.
#[must_use]
pub(crate) fn without_secrets(error: &str, step: Option<&str>, why: &str) -> String {
    let begins = ["failed", "was interrupted"].map(|what| match step {
        Some(step) => format!("step `{step}` {what}: "),
        None => String::new(),
    });
    let begin = begins.into_iter().find(|begin| error.starts_with(begin)).unwrap_or_default();
    if PLAIN.is_match(&error[begin.len()..]) {
        return error.to_owned();
    }
    format!("{begin}left out: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wfx_says_itself_stays() {
        for error in [
            "step `a` failed: exit code 1",
            "step `a` failed: ended by signal 9 (SIGKILL)",
            "step `a` failed: ended by signal 36 (SIGRTMIN+2)",
            "step `a` failed: timed out after 1m30s",
            "the workflow timed out after 1day2h",
            "exit code 127",
            "Simulated step failure",
            "step `a` was interrupted: wfx ended while it ran",
        ] {
            assert_eq!(without_secrets(error, Some("a"), "why"), error);
        }
    }

    #[test]
    fn what_others_decide_is_left_out() {
        for (error, shown) in [
            ("step `a` failed: cannot start `s3cret`", "step `a` failed: left out: why"),
            ("step `a` failed: exit code 1: `s3cret`", "step `a` failed: left out: why"),
            ("step `a` failed: exit code 1\ns3cret", "step `a` failed: left out: why"),
            ("step `a` failed: exit code 123456", "step `a` failed: left out: why"),
            ("step `s3cret` failed: exit code 1", "left out: why"),
            ("cannot read the env_file `s3cret`", "left out: why"),
            ("", "left out: why"),
        ] {
            assert_eq!(without_secrets(error, Some("a"), "why"), shown);
        }
    }
}
