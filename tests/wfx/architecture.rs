//! The house: which module may use which, and habits of every file.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::root;

/// Rooms below src, lowest first, and the other rooms whose code each may name. What a room may
/// not name, it cannot depend on: the graph of rooms has no circle.
const ROOMS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("system", &["base"]),
    ("logging", &["base"]),
    ("workflow", &["base"]),
    ("repository", &["base", "system", "workflow"]),
    ("engine", &["base", "system", "workflow", "repository"]),
    ("slo", &["base", "system"]),
    ("perf", &["base", "system"]),
    ("operations", &["base", "system", "workflow", "repository", "engine"]),
    ("metrics", &["base", "workflow", "repository", "slo"]),
    ("settings", &["base", "system", "repository", "slo", "perf"]),
    ("terminal", &["base", "workflow", "repository", "engine", "operations", "slo", "perf"]),
    (
        "http",
        &[
            "base",
            "system",
            "logging",
            "workflow",
            "repository",
            "engine",
            "operations",
            "metrics",
            "slo",
        ],
    ),
    (
        "cli",
        &[
            "base",
            "system",
            "logging",
            "workflow",
            "repository",
            "engine",
            "operations",
            "metrics",
            "settings",
            "slo",
            "perf",
            "terminal",
            "http",
        ],
    ),
];

/// Files that neither read clocks nor touch anything outside of their arguments.
const PURE: &[&str] = &[
    "base/backoff.rs",
    "base/exit.rs",
    "base/fields.rs",
    "base/json.rs",
    "base/period.rs",
    "base/timestamp.rs",
    "base/units.rs",
    "base/visible.rs",
    "engine/durability.rs",
    "operations/diagnosis.rs",
    "perf/baseline.rs",
    "perf/circumstances.rs",
    "perf/filter.rs",
    "perf/judgement.rs",
    "perf/junit.rs",
    "perf/load/samples.rs",
    "perf/load/scenario.rs",
    "perf/load/schedule.rs",
    "perf/paired/",
    "perf/report.rs",
    "perf/sources/",
    "perf/spans.rs",
    "perf/stats.rs",
    "perf/steps.rs",
    "perf/tolerance.rs",
    "perf/incomparable.rs",
    "perf/verdict.rs",
    "repository/ownership/id.rs",
    "repository/ownership/verdict.rs",
    "repository/read/cursor.rs",
    "repository/read/lineage.rs",
    "repository/read/pages.rs",
    "repository/read/reference.rs",
    "slo/engine.rs",
    "slo/histogram.rs",
    "slo/indicator.rs",
    "slo/payload.rs",
    "slo/policy.rs",
    "slo/report.rs",
    "slo/scenario/read.rs",
    "slo/signature.rs",
    "slo/simulation.rs",
    "slo/timeline.rs",
    "slo/trace/access.rs",
    "slo/trace/csv.rs",
    "slo/trace/foreign.rs",
    "slo/trace/format.rs",
    "slo/trace/json_value.rs",
    "slo/trace/line.rs",
    "slo/trace/ndjson.rs",
    "slo/trace/recognise.rs",
    "slo/trace/servers.rs",
    "slo/trace/time.rs",
    "slo/trace/w3c.rs",
    "slo/wall.rs",
    "slo/window.rs",
    "workflow/",
];

/// `(files, what they must not name, why)`.
const RULES: &[(&[&str], &[&str], &str)] = &[
    (
        PURE,
        &[
            "tokio",
            "hyper",
            "rusqlite",
            "rustix",
            "base::clock",
            "std::fs",
            "std::env",
            "std::process::Command",
            "std::net",
            "fastrand",
            "Instant",
            "SystemTime",
            "crate::repository::sqlite",
            "crate::repository::journal",
        ],
        "pure files take time, randomness and the world as arguments",
    ),
    (
        &["cli/", "http/", "operations/", "engine/", "terminal/", "metrics/", "settings/"],
        &["repository::sqlite", "repository::journal"],
        "which database it is, only the repository knows",
    ),
    (
        &[
            "repository/journal/",
            "repository/ownership/",
            "repository/read/cursor.rs",
            "repository/read/durations.rs",
            "repository/read/inspection.rs",
            "repository/read/lineage.rs",
            "repository/read/listing.rs",
            "repository/read/pages.rs",
            "repository/read/reference.rs",
            "repository/alerts.rs",
            "repository/error.rs",
            "repository/options.rs",
            "repository/patience.rs",
        ],
        &["rusqlite", "sqlite", "postgres"],
        "only the handles of the repository know which databases there are",
    ),
];

/// `(the only files that may, what others must not name, why)`.
const KEPT_TO: &[(&[&str], &[&str], &str)] = &[
    (&["repository/sqlite/"], &["rusqlite"], "only the backends of the repository speak SQL"),
    (
        &["terminal/", "http/access_log.rs", "logging/mod.rs"],
        &["io::stdout", "io::stderr", "print!", "println!", "comfy_table", "indicatif", "anstream"],
        "only src/terminal writes to a terminal; the logs of the daemon write themselves",
    ),
    (&["cli/serve", "http/"], &["crate::http"], "only the command serve has an API"),
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

/// The module that a file below src is: `workflow/check/mod.rs` is `crate::workflow::check`.
fn module(name: &str) -> Vec<&str> {
    let path = name.strip_suffix(".rs").unwrap();
    let path = path.strip_suffix("/mod").unwrap_or(path);
    let segments = path.split('/').filter(|segment| !["main", "lib"].contains(segment));
    std::iter::once("crate").chain(segments).collect()
}

/// The text with each `super::super::x` in `module` written as `crate::…::x`.
fn absolute(module: &[&str], text: &str) -> String {
    let mut written = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("super::") {
        written.push_str(&rest[..at]);
        rest = &rest[at..];
        let mut depth = 0;
        while let Some(after) = rest.strip_prefix("super::") {
            (rest, depth) = (after, depth + 1);
        }
        for segment in &module[..module.len().saturating_sub(depth)] {
            written.push_str(segment);
            written.push_str("::");
        }
    }
    written + rest
}

/// Each path of a use tree: `a::{b, c::{d, e}}` is `a::b`, `a::c::d` and `a::c::e`.
fn flattened(tree: &str) -> Vec<String> {
    let Some((prefix, group)) = tree.split_once('{') else {
        return vec![tree.trim().to_owned()];
    };
    let mut items = vec![String::new()];
    let mut depth = 0;
    for character in group[..group.rfind('}').unwrap()].chars() {
        match character {
            ',' if depth == 0 => items.push(String::new()),
            other => {
                depth += i32::from(other == '{') - i32::from(other == '}');
                items.last_mut().unwrap().push(other);
            }
        }
    }
    let items = items.iter().filter(|item| !item.trim().is_empty());
    items.flat_map(|item| flattened(&format!("{}{}", prefix.trim(), item.trim()))).collect()
}

/// What a file names: each path that it uses, and each other line of code, with the
/// number of the line.
fn named(name: &str, code: &str) -> Vec<(usize, String)> {
    let module = module(name);
    let mut named = Vec::new();
    let mut lines = code.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let line = line.trim_start();
        if line.starts_with("//") {
            continue;
        }
        let mut statement = absolute(&module, line);
        let is_use = line.starts_with("use ") || line.starts_with("pub") && line.contains(" use ");
        if !is_use {
            named.push((at + 1, statement));
            continue;
        }
        while !statement.contains(';') {
            let Some((_, more)) = lines.next() else { break };
            statement.push_str(more.trim());
        }
        let tree = statement.split_once("use ").unwrap().1;
        let paths = flattened(tree.split(';').next().unwrap());
        named.extend(paths.into_iter().map(|path| (at + 1, path)));
    }
    named
}

/// The room that `path` leads to from the file `name`, if that is one that the file's own room may
/// not name.
fn forbidden_room<'p>(name: &str, path: &'p str) -> Option<&'p str> {
    let (own, _) = name.split_once('/')?;
    let (_, allowed) = ROOMS.iter().find(|(room, _)| *room == own)?;
    path.split("crate::").skip(1).find_map(|rest| {
        let room = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
        let is_other = ROOMS.iter().any(|(other, _)| *other == room) && room != own;
        (is_other && !allowed.contains(&room)).then_some(room)
    })
}

/// Whether a whole file is test code.
fn is_test(name: &str) -> bool {
    name.contains("tests") || name.starts_with("repository/conformance")
}

/// What is wrong with a file, `name` being its path below src.
fn breaches(name: &str, text: &str) -> Vec<String> {
    let mut breaches = Vec::new();
    // Unit tests stand at the end and may use what they need.
    let code = match text.find("#[cfg(test)]\nmod tests {") {
        Some(end) => &text[..end],
        None => text,
    };
    for (at, path) in named(name, if is_test(name) { "" } else { code }) {
        let is_among = |files: &[&str]| files.iter().any(|prefix| name.starts_with(prefix));
        let rules = RULES.iter().filter(|(files, _, _)| is_among(files));
        let rules = rules.chain(KEPT_TO.iter().filter(|(files, _, _)| !is_among(files)));
        if let Some(room) = forbidden_room(name, &path) {
            breaches.push(format!("{name}:{at}: {room}: see the rooms that it may name"));
        }
        for (_, names, why) in rules {
            for forbidden in names.iter().filter(|forbidden| path.contains(**forbidden)) {
                breaches.push(format!("{name}:{at}: {forbidden}: {why}"));
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
    // Each folder is a room, and each rule has files that it holds for.
    for entry in fs::read_dir(&src).unwrap().map(Result::unwrap) {
        let room = entry.file_name().into_string().unwrap();
        let is_room = ROOMS.iter().any(|(name, _)| *name == room);
        assert!(is_room || !entry.path().is_dir(), "src/{room} is no room");
    }
    for (at, (room, allowed)) in ROOMS.iter().enumerate() {
        assert!(src.join(room).is_dir(), "no folder {room}");
        for other in *allowed {
            assert!(
                ROOMS[..at].iter().any(|(lower, _)| lower == other),
                "{other} is not below {room}"
            );
        }
    }
    for (prefixes, _, _) in RULES.iter().chain(KEPT_TO) {
        for prefix in *prefixes {
            let is_there = files
                .iter()
                .any(|file| file.strip_prefix(&src).unwrap().to_str().unwrap().starts_with(prefix));
            assert!(is_there, "no file {prefix}");
        }
    }
}

/// Folders whose files still use each other in circles.
const CIRCULAR: &[&str] = &["http/"];

#[test]
fn no_files_use_each_other_in_a_circle() {
    let src = root().join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let names: Vec<&str> =
        files.iter().map(|file| file.strip_prefix(&src).unwrap().to_str().unwrap()).collect();
    let modules: HashMap<String, &str> =
        names.iter().map(|name| (module(name).join("::"), *name)).collect();
    // The file that a path leads to: that of its longest prefix.
    let target = |path: &str| {
        let path: String =
            path.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | ':')).collect();
        let segments: Vec<&str> = path.split("::").collect();
        (2..=segments.len())
            .rev()
            .find_map(|length| modules.get(&segments[..length].join("::")).copied())
    };
    let mut uses: HashMap<&str, HashSet<&str>> = HashMap::new();
    for name in names.iter().filter(|name| !is_test(name)) {
        let text = fs::read_to_string(src.join(name)).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for (_, path) in named(name, code) {
            let paths = path.match_indices("crate::").map(|(at, _)| &path[at..]);
            uses.entry(name).or_default().extend(paths.filter_map(target).filter(|to| to != name));
        }
    }
    let reaches = |from: &str, to: &str| {
        let (mut seen, mut waiting) = (HashSet::new(), vec![from]);
        while let Some(at) = waiting.pop() {
            for next in uses.get(at).into_iter().flatten() {
                if seen.insert(*next) {
                    waiting.push(next);
                }
            }
        }
        seen.contains(to)
    };
    assert!(reaches("engine/driver.rs", "workflow/record.rs"), "paths are followed");
    let circular: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| !CIRCULAR.iter().any(|folder| name.starts_with(folder)))
        .filter(|name| reaches(name, name))
        .collect();
    assert!(circular.is_empty(), "in circles: {}", circular.join(" "));
}

/// Folders whose files the map does not name, since it tells what each of them is.
const TOLD_AS_A_WHOLE: &[&str] = &[
    "cli/",
    "http/resources/",
    "metrics/",
    "perf/paired/",
    "perf/sources/",
    "repository/sqlite/predecessor/",
    "settings/",
    "slo/scenario/",
    "slo/trace/",
    "terminal/",
    "workflow/check/",
    "workflow/document/",
];

#[test]
fn the_map_has_what_is_there_and_nothing_else() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/');
    let words: Vec<&str> = text
        .split("```")
        .nth(1)
        .unwrap()
        .split(|c| !is_part(c))
        .filter(|w| !w.is_empty())
        .collect();
    let src = root().join("src");
    let mut files = vec![root().join("build.rs")];
    sources(&src, &mut files);
    sources(&root().join("tests/wfx"), &mut files);
    for word in words.iter().filter(|word| word.ends_with(".rs")) {
        assert!(files.iter().any(|file| file.ends_with(word)), "there is no {word}");
    }
    for file in files.iter().filter_map(|file| file.strip_prefix(&src).ok()) {
        let path = file.to_str().unwrap();
        let is_in = |folder: &&&str| path.starts_with(**folder);
        if let Some(folder) = TOLD_AS_A_WHOLE.iter().find(is_in) {
            // As `terminal/`, as `predecessor.rs`, or as a part of `serve/daemon.rs`.
            let name = Path::new(folder).file_name().unwrap().to_str().unwrap();
            let is_named = |word: &&str| word.split(['/', '.']).any(|part| part == name);
            assert!(words.iter().any(is_named), "the map lacks {folder}");
        } else if !file.ends_with("mod.rs") && !is_test(path) {
            assert!(words.iter().any(|word| file.ends_with(word)), "the map lacks {path}");
        }
    }
}

#[test]
fn a_breach_is_found() {
    for (name, line) in [
        ("workflow/graph.rs", "use tokio::time;"),
        ("workflow/execution.rs", "    let now = Instant::now();"),
        ("base/backoff.rs", "use crate::{\n    base::clock,\n    base::exit,\n};"),
        ("workflow/graph.rs", "use std::{collections::HashMap, env};"),
        ("workflow/check/step.rs", "use super::super::super::engine::Stop;"),
        ("engine/driver.rs", "use crate::terminal::Ui;"),
        ("engine/driver.rs", "pub(crate) use super::super::{cli, base};"),
        ("engine/work/mod.rs", "    super::super::settings::read()"),
        ("repository/mod.rs", "use crate::{\n    base::{Exit},\n    engine::{Means},\n};"),
        ("repository/journal/writer.rs", "use crate::engine::driver;"),
        ("slo/monitor.rs", "use crate::workflow::record;"),
        ("perf/load/mod.rs", "    crate::repository::Reader::open()"),
        ("http/mod.rs", "use crate::repository::sqlite::rows;"),
        ("cli/list.rs", "use rusqlite::Connection;"),
        ("repository/open.rs", "use rusqlite::Connection;"),
        ("repository/journal/writer.rs", "use crate::repository::sqlite::open;"),
        ("repository/patience.rs", "use super::sqlite::rows;"),
        ("http/mod.rs", "use crate::repository::journal::queue;"),
        ("cli/list.rs", "use crate::http::Api;"),
        ("cli/list.rs", "    println!(\"x\");"),
        ("main.rs", "    eprint!(\"x\");"),
        ("base/fields.rs", "    print!(\"x\");"),
    ] {
        assert_eq!(breaches(name, line).len(), 1, "{name} {line}");
        let comment = line.lines().map(|line| format!("// {line}\n")).collect::<String>();
        assert!(breaches(name, &comment).is_empty());
    }
    assert_eq!(breaches("cli/list.rs", &"\n".repeat(LINES_MAX + 1)).len(), 1);
    assert_eq!(breaches("cli/list.rs", "// TODO").len(), 1);
    for (name, line) in [
        ("repository/sqlite/rows.rs", "use rusqlite::Row;"),
        ("repository/sqlite/rows.rs", "use super::super::super::workflow::record;"),
        ("workflow/graph.rs", "use super::{\n    definition::Definition,\n    record::*,\n};"),
    ] {
        assert!(breaches(name, line).is_empty(), "{name} {line}");
    }
}
