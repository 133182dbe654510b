//! The house: which module may use which, and habits of every file.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::root;

/// Rooms below src, lowest first, and the other rooms whose code each may name. What a room may
/// not name, it cannot depend on: the graph of rooms has no circle.
const ROOMS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("system", &["base"]),
    ("logging", &["base"]),
    ("schedule", &["base"]),
    ("workflow", &["base", "schedule"]),
    ("repository", &["base", "system", "schedule", "workflow"]),
    ("notify", &["base", "system", "workflow", "repository"]),
    ("engine", &["base", "system", "workflow", "repository"]),
    ("slo", &["base", "system"]),
    ("perf", &["base", "system"]),
    ("operations", &["base", "system", "schedule", "workflow", "repository", "engine"]),
    ("client", &["base", "system", "workflow", "repository", "notify", "operations"]),
    ("metrics", &["base", "schedule", "workflow", "repository", "notify", "slo"]),
    ("settings", &["base", "system", "workflow", "repository", "notify", "slo", "perf", "client"]),
    ("render", &["base", "schedule", "workflow", "repository", "slo", "perf", "operations"]),
    (
        "terminal",
        &[
            "base",
            "schedule",
            "workflow",
            "repository",
            "engine",
            "operations",
            "slo",
            "perf",
            "render",
        ],
    ),
    (
        "http",
        &[
            "base",
            "system",
            "logging",
            "schedule",
            "workflow",
            "repository",
            "engine",
            "notify",
            "operations",
            "metrics",
            "slo",
            "render",
        ],
    ),
    (
        "cli",
        &[
            "base",
            "system",
            "logging",
            "schedule",
            "workflow",
            "repository",
            "notify",
            "engine",
            "operations",
            "client",
            "metrics",
            "settings",
            "slo",
            "perf",
            "render",
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
    "base/signature.rs",
    "base/tokens.rs",
    "base/timestamp.rs",
    "base/units.rs",
    "base/visible.rs",
    "engine/durability.rs",
    "operations/diagnosis.rs",
    "operations/diagnosis/server.rs",
    "notify/channel.rs",
    "notify/excerpt.rs",
    "notify/mask.rs",
    "notify/mask/",
    "notify/own_words.rs",
    "notify/receivers.rs",
    "notify/text.rs",
    "perf/baseline.rs",
    "perf/circumstances.rs",
    "perf/filter.rs",
    "perf/judgement.rs",
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
    "render/",
    "repository/ownership/id.rs",
    "repository/ownership/verdict.rs",
    "repository/read/cursor.rs",
    "repository/read/lineage.rs",
    "repository/read/pages.rs",
    "repository/read/reference.rs",
    "schedule/",
    "slo/engine.rs",
    "slo/histogram.rs",
    "slo/indicator.rs",
    "slo/payload.rs",
    "slo/policy.rs",
    "slo/report.rs",
    "slo/scenario/read.rs",
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
        &["render/"],
        &[
            "std::io",
            "anstream::stdout",
            "anstream::stderr",
            "anstream::AutoStream",
            "operations::catalogue",
            "perf::load",
            "perf::store",
            "repository::Inspection",
            "repository::ListPages",
            "repository::PendingWrite",
            "repository::Reader",
            "repository::StepPages",
            "repository::Writer",
            "slo::monitor",
            "slo::trace",
            "slo::webhook",
        ],
        "render takes data and returns text; it reads, writes and measures nothing",
    ),
    (
        &["cli/", "http/", "operations/", "engine/", "terminal/", "metrics/", "settings/"],
        &["repository::sqlite", "repository::journal"],
        "which database it is, only the repository knows",
    ),
    (
        &["cli/", "http/"],
        &[
            "request_cancel(",
            "recover_one(",
            "check::snapshot(",
            "CompiledWorkflow::of(",
            "retention::plan(",
        ],
        "what both edges decide is an operation",
    ),
    (
        &["http/front/"],
        &["http::api", "http::observe", "http::page", "crate::engine", "crate::operations"],
        "the front hands requests to a Handler and knows nothing else of what is behind it",
    ),
    (
        &["http/exchange/"],
        &["http::front", "http::api", "http::observe", "http::page"],
        "what the front and the handlers exchange names neither of them",
    ),
    (&["http/api/"], &["http::front"], "resources know of a request what the front hands over"),
    (
        &["http/observe/"],
        &["http::front", "http::api"],
        "requests are recorded alike, whichever handler answers them",
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
    (
        &["repository/sqlite/", "repository/sql/", "repository/postgres/"],
        &["rusqlite", "tokio_postgres"],
        "only the backends of the repository speak SQL",
    ),
    (
        &["terminal/", "http/observe/access_log.rs", "logging/mod.rs"],
        &[
            "io::stdout",
            "io::stderr",
            "print!",
            "println!",
            "indicatif",
            "anstream::stdout",
            "anstream::stderr",
            "anstream::AutoStream",
        ],
        "only src/terminal writes to a terminal; the logs of the daemon write themselves",
    ),
    (
        &["render/", "terminal/", "notify/excerpt.rs", "notify/mask.rs"],
        &["anstream", "anstyle", "comfy_table", "ratatui"],
        "only src/render and src/terminal know styles and draw; src/notify removes what steps draw",
    ),
    (&["cli/serve", "http/", "parts.rs"], &["crate::http"], "only the command serve has an API"),
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

/// The text of a file without its unit tests, which stand at the end and may use what they need.
fn code_of(text: &str) -> &str {
    text.find("#[cfg(test)]\nmod tests {").map_or(text, |end| &text[..end])
}

/// The files of `files` that each of them names, by their indices. That a module names the files
/// below it is left out: they are parts of it, and may use what it shares among them.
fn imports(files: &[(&str, &str)]) -> Vec<Vec<usize>> {
    let modules: Vec<String> = files.iter().map(|(name, _)| module(name).join("::")).collect();
    let is_path = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
    let file_of = |path: &str| {
        let is_in = |module: &str| {
            let rest = path.strip_prefix(module);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        let found = modules.iter().enumerate().filter(|(_, module)| is_in(module));
        found.max_by_key(|(_, module)| module.len()).map(|(index, _)| index)
    };
    let imports_of = |(index, (name, text)): (usize, &(&str, &str))| {
        let mut found = Vec::new();
        for (_, named) in named(name, code_of(text)) {
            // Who may see an item is no import.
            let named = match named.split_once("pub(in ") {
                Some((_, rest)) => rest.split_once(')').map_or("", |(_, rest)| rest),
                None => &named,
            };
            for path in named.split(|c| !is_path(c)).filter(|path| path.contains("::")) {
                // As written, and as the name of a module below this one.
                let below = format!("{}::{path}", modules[index]);
                let below = file_of(&below).filter(|found| *found != index);
                let is_part =
                    |found: &usize| modules[*found].starts_with(&format!("{}::", modules[index]));
                let found_here = file_of(path).or(below).filter(|found| *found != index);
                found.extend(found_here.filter(|found| !is_part(found)));
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    };
    files.iter().enumerate().map(imports_of).collect()
}

/// A circle of imports among files, each with its text; empty where there is none.
fn circle(files: &[(&str, &str)]) -> Vec<String> {
    let imports = imports(files);
    // What names nothing that is left can be in no circle.
    let mut left: Vec<usize> = (0..files.len()).collect();
    loop {
        let names_others = |index: &usize| imports[*index].iter().any(|other| left.contains(other));
        let next: Vec<usize> = left.iter().copied().filter(names_others).collect();
        if next.len() == left.len() {
            break;
        }
        left = next;
    }
    // From any that is left, follow the imports until one comes again.
    let Some(first) = left.first() else { return Vec::new() };
    let mut path = vec![*first];
    loop {
        let next = imports[path[path.len() - 1]].iter().find(|other| left.contains(other)).unwrap();
        if let Some(start) = path.iter().position(|seen| seen == next) {
            return path[start..].iter().map(|index| files[*index].0.to_owned()).collect();
        }
        path.push(*next);
    }
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
    for (at, path) in named(name, if is_test(name) { "" } else { code_of(text) }) {
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

#[test]
fn files_do_not_import_each_other_in_circles() {
    let src = root().join("src");
    let mut found = Vec::new();
    sources(&src, &mut found);
    let read = |path: &PathBuf| {
        let name = path.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(path).unwrap())
    };
    let texts: Vec<_> = found.iter().map(read).collect();
    let files: Vec<_> = texts
        .iter()
        .filter(|(name, _)| !is_test(name))
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let imports: usize = imports(&files).iter().map(Vec::len).sum();
    assert!(imports >= files.len(), "{imports} imports are too few to be all");
    let circle = circle(&files);
    assert!(circle.is_empty(), "a circle of imports: {}", circle.join(" -> "));
}

#[test]
fn a_circle_is_found() {
    let two = [
        ("http/a.rs", "use crate::http::b::B;"),
        ("http/b.rs", "pub struct B;\nfn b() { super::a::a(); }"),
        ("http/c.rs", "use super::a;"),
    ];
    assert_eq!(circle(&two), ["http/a.rs", "http/b.rs"]);
    // A module and its parts are one thing.
    let parts = [
        ("http/mod.rs", "mod b;\npub use b::B;\npub struct A;"),
        ("http/b.rs", "use crate::http::A;"),
    ];
    assert!(circle(&parts).is_empty());
    let three = [
        ("http/a/mod.rs", "use crate::http::b::{self, B};"),
        ("http/b.rs", "use super::c::C;"),
        ("http/c.rs", "use crate::http::a::A;"),
    ];
    assert_eq!(circle(&three).len(), 3);
    let none = [
        ("http/mod.rs", "pub use a::A;\npub use d::D;"),
        ("http/a.rs", "// crate::http::b::B\nuse crate::http::c;"),
        ("http/b.rs", "use super::{a::A, c};"),
        ("http/d.rs", "pub(in crate::http) fn d() {}"),
        ("http/c.rs", "#[cfg(test)]\nmod tests {\n    use crate::http::b::B;\n}"),
    ];
    assert!(circle(&none).is_empty());
}

/// Folders whose files the map does not name, since it tells what each of them is.
const TOLD_AS_A_WHOLE: &[&str] = &[
    "cli/",
    "http/api/resources/",
    "metrics/",
    "perf/paired/",
    "perf/sources/",
    "render/",
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

/// A line that names `forbidden`, as code would.
fn naming(forbidden: &str) -> String {
    let is_room = ROOMS.iter().any(|(room, _)| forbidden.starts_with(&format!("{room}::")));
    if is_room { format!("use crate::{forbidden};") } else { format!("    {forbidden};") }
}

#[test]
fn each_rule_can_fail() {
    let is_breach = |name: &str, forbidden: &str, why: &str| {
        let found = breaches(name, &naming(forbidden));
        found.iter().any(|breach| breach.ends_with(&format!("{forbidden}: {why}")))
    };
    let file = |prefix: &str| match prefix.ends_with(".rs") {
        true => prefix.to_owned(),
        false => format!("{prefix}x.rs"),
    };
    for (prefixes, names, why) in RULES {
        for (prefix, name) in prefixes.iter().flat_map(|p| names.iter().map(move |n| (p, n))) {
            assert!(is_breach(&file(prefix), name, why), "{prefix} may name {name}");
        }
    }
    for (prefixes, names, why) in KEPT_TO {
        for name in *names {
            assert!(is_breach("base/x.rs", name, why), "base/ may name {name}");
            for prefix in *prefixes {
                assert!(!is_breach(&file(prefix), name, why), "{prefix} may not name {name}");
            }
        }
    }
    for (room, allowed) in ROOMS {
        for (other, _) in ROOMS.iter().filter(|(other, _)| other != room) {
            for line in [format!("use crate::{other}::x;"), format!("    super::{other}::x();")] {
                let is_allowed = allowed.contains(other);
                let found = breaches(&format!("{room}/mod.rs"), &line);
                let is_found = found.iter().any(|breach| breach.contains("see the rooms"));
                assert_eq!(is_found, !is_allowed, "{room}: {line}");
            }
        }
    }
}

/// What is wrong with a row of the glossary.
fn glossary_fault(row: &str, src: &Path) -> Option<String> {
    let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
    let [term, meaning, place] = cells[..] else { return Some(format!("{row}: not 3 cells")) };
    if term.is_empty() || meaning.is_empty() {
        return Some(format!("{row}: an empty cell"));
    }
    let is_there = src.join(place.trim_matches('`')).exists();
    (!is_there).then(|| format!("{term}: there is no {place}"))
}

#[test]
fn the_glossary_names_files_that_are_there() {
    let text = fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap();
    let glossary = text.split("## Glossary").nth(1).unwrap();
    let rows: Vec<&str> = glossary.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert!(rows.len() > 40, "{}", rows.len());
    assert!(rows.is_sorted(), "the glossary is not sorted");
    let src = root().join("src");
    let faults: Vec<String> = rows.iter().filter_map(|row| glossary_fault(row, &src)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    for row in ["| term | meaning | `engine/no.rs` |", "| term | | `engine/` |", "| term |"] {
        assert!(glossary_fault(row, &src).is_some(), "{row}");
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
        ("render/table.rs", "    println!(\"x\");"),
        ("render/table.rs", "use crate::terminal::Ui;"),
        ("render/table.rs", "use crate::base::clock;"),
        ("render/listing.rs", "use crate::engine::recovery;"),
        ("render/listing.rs", "use crate::repository::Reader;"),
        ("perf/report.rs", "use crate::render::layout;"),
        ("http/reply.rs", "use comfy_table::Table;"),
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
