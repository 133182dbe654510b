//! The environment of a run: machine and commit.

use std::fs;
use std::process::{Command, Stdio};

/// Variables in which CI systems name the commit.
const COMMIT_VARIABLES: [&str; 3] = ["GITHUB_SHA", "CI_COMMIT_SHA", "GIT_COMMIT"];
const SHA_LEN: std::ops::RangeInclusive<usize> = 40..=64;

/// The machine by what makes it fast or slow: `AMD EPYC 7763, 2 CPUs, linux x86_64`.
/// Not by its name, which is another one in each run of CI.
#[must_use]
pub(crate) fn describe() -> String {
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let cpus = crate::base::units::count(cpus as u64, "CPU");
    let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    match fs::read_to_string("/proc/cpuinfo").ok().as_deref().and_then(model) {
        Some(model) => format!("{model}, {cpus}, {system}"),
        None => format!("{cpus}, {system}"),
    }
}

fn model(cpuinfo: &str) -> Option<&str> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim()).filter(|model| !model.is_empty())
}

/// The measured commit: from variables of CI, else from git in this folder.
#[must_use]
pub(crate) fn commit<'e>(variable: impl Fn(&str) -> Option<&'e str>) -> Option<String> {
    COMMIT_VARIABLES.into_iter().find_map(variable).map(str::to_owned).or_else(|| {
        let output = Command::new("git")
            .args(["rev-parse", "HEAD"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let sha = text.trim();
        let is_sha = SHA_LEN.contains(&sha.len()) && sha.bytes().all(|b| b.is_ascii_hexdigit());
        is_sha.then(|| sha.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_that_of_the_first_processor() {
        let text = "processor\t: 0\nmodel name\t: AMD EPYC 7763\n\nmodel name\t: other\n";
        assert_eq!(model(text), Some("AMD EPYC 7763"));
        assert_eq!(model("processor : 0\n"), None);
    }
}
