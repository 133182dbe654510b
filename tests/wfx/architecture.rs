//! The house: which module may use which, and habits of every file.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::root;

/// Files that neither read clocks nor touch anything outside of their arguments.
const PURE: &[&str] = &[
    "workflow/check/",
    "workflow/document/",
    "workflow/definition.rs",
    "workflow/environment.rs",
    "workflow/execution.rs",
    "workflow/execution/",
    "workflow/graph.rs",
    "workflow/period.rs",
    "workflow/problem.rs",
    "workflow/record.rs",
    "workflow/report.rs",
    "workflow/retention.rs",
    "workflow/retry.rs",
    "workflow/schema.rs",
    "timestamp.rs",
    "exit.rs",
];

/// `(files, what they must not name, why)`.
const RULES: &[(&[&str], &[&str], &str)] = &[
    (
        PURE,
        &[
            "tokio",
            "hyper",
            "rusqlite",
            "crate::clock",
            "std::fs",
            "std::env",
            "std::process::Command",
            "std::net",
            "fastrand",
            "Instant",
            "SystemTime",
            "crate::repository",
            "crate::cli",
            "crate::terminal",
            "crate::settings",
        ],
        "pure files take time, randomness and the world as arguments",
    ),
    (
        &["repository/"],
        &[
            "workflow::engine",
            "workflow::supervisor",
            "workflow::runner",
            "crate::cli",
            "crate::terminal",
            "crate::http",
            "crate::settings",
        ],
        "the repository knows the pure types of workflows only",
    ),
    (
        &["workflow/"],
        &["crate::cli", "crate::terminal", "crate::http", "crate::settings"],
        "workflows know nothing of who asks for them",
    ),
    (
        &[
            "cli/",
            "settings/",
            "terminal/",
            "workflow/",
            "main.rs",
            "lib.rs",
            "clock.rs",
            "timestamp.rs",
            "exit.rs",
        ],
        &["rusqlite"],
        "only the repository speaks SQL",
    ),
    (
        &["cli/", "settings/", "repository/", "workflow/", "clock.rs", "timestamp.rs", "exit.rs"],
        &[
            "io::stdout",
            "io::stderr",
            "println!",
            "eprintln!",
            "comfy_table",
            "indicatif",
            "anstream",
        ],
        "only src/terminal writes to a terminal",
    ),
];

/// The longest file.
const LINES_MAX: usize = 600;

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// What is wrong with a file, `name` being its path below src.
fn breaches(name: &str, text: &str) -> Vec<String> {
    let mut breaches = Vec::new();
    let is_test = name.contains("tests");
    // Unit tests stand at the end and may use what they need.
    let code = match text.find("#[cfg(test)]\nmod tests {") {
        Some(end) => &text[..end],
        None => text,
    };
    for (at, line) in code.lines().enumerate() {
        let line = line.trim_start();
        if line.starts_with("//") || is_test {
            continue;
        }
        for (files, names, why) in RULES {
            if !files.iter().any(|prefix| name.starts_with(prefix)) {
                continue;
            }
            for forbidden in names.iter().filter(|forbidden| line.contains(**forbidden)) {
                breaches.push(format!("{name}:{}: {forbidden}: {why}", at + 1));
            }
        }
    }
    let lines = text.lines().count();
    if lines > LINES_MAX {
        breaches.push(format!("{name}: {lines} lines of at most {LINES_MAX}"));
    }
    for mark in ["TODO", "FIXME", "unimplemented!", "todo!"] {
        if text.contains(mark) {
            breaches.push(format!("{name}: {mark}"));
        }
    }
    breaches
}

#[test]
fn the_import_rules_hold() {
    let src = root().join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    assert!(files.len() > 40, "{}", files.len());
    let mut all = Vec::new();
    for file in &files {
        let name = file.strip_prefix(&src).unwrap().to_str().unwrap();
        all.extend(breaches(name, &fs::read_to_string(file).unwrap()));
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
    // Each rule has files that it holds for.
    for (prefixes, _, _) in RULES {
        for prefix in *prefixes {
            let is_there = files
                .iter()
                .any(|file| file.strip_prefix(&src).unwrap().to_str().unwrap().starts_with(prefix));
            assert!(is_there, "no file {prefix}");
        }
    }
}

#[test]
fn a_breach_is_found() {
    for (name, line) in [
        ("workflow/graph.rs", "use tokio::time;"),
        ("workflow/execution.rs", "    let now = Instant::now();"),
        ("workflow/engine.rs", "use crate::terminal::Ui;"),
        ("repository/writer.rs", "use crate::workflow::engine;"),
        ("cli/list.rs", "use rusqlite::Connection;"),
        ("cli/list.rs", "    println!(\"x\");"),
    ] {
        assert_eq!(breaches(name, line).len(), 1, "{name} {line}");
        assert!(breaches(name, &format!("// {line}")).is_empty());
    }
    assert_eq!(breaches("cli/list.rs", &"\n".repeat(LINES_MAX + 1)).len(), 1);
    assert!(breaches("repository/rows.rs", "use rusqlite::Row;").is_empty());
}
