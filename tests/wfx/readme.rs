//! README says what is so.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::daemon::Daemon;
use crate::support::{Place, Ran, root};

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

/// The fenced blocks of a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let open = format!("```{language}\n");
    let parts = text.split(&open).skip(1);
    parts.map(|part| part.split("```").next().unwrap().to_owned()).collect()
}

/// The words of each command in a block, without comments.
fn commands(block: &str) -> Vec<Vec<String>> {
    let lines = block.lines().map(|line| line.split(" #").next().unwrap());
    lines.map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
}

#[test]
fn the_first_command_runs_and_the_second_is_there() {
    let first = &commands(&blocks(&readme(), "sh")[0]);
    let (cargo, wfx) = first[0].split_at(4);
    assert_eq!(cargo, ["cargo", "run", "--release", "--"]);
    let ran = Ran::of(Place::new().wfx(wfx).current_dir(root()));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let mode = fs::metadata(root().join(&first[1][0])).unwrap().permissions().mode();
    assert_eq!(mode & 0o111, 0o111, "{:?} cannot be run", first[1]);
}

#[test]
fn the_tour_can_be_followed() {
    let (place, text) = (Place::new(), readme());
    place.write("nightly.yaml", &blocks(&text, "yaml")[0]);
    let target = place.path("target");
    fs::create_dir(&target).unwrap();
    // What the tour dumps with, as far as the tour can tell.
    let dump = place.write("pg_dump", "#!/bin/sh\necho \"-- PostgreSQL database dump complete\"\n");
    fs::set_permissions(&dump, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", place.path("").display(), std::env::var("PATH").unwrap());
    let tour = commands(&blocks(&text, "sh")[1]);
    assert_eq!(tour.len(), 6);
    for command in tour {
        let target = target.display().to_string();
        let words = command[1..].iter();
        let words = words.map(|word| word.replace("/srv/backup", &target).replace("@12", "@1"));
        let ran = Ran::of(place.wfx(words).env("PATH", &path));
        assert_eq!((command[0].as_str(), ran.code), ("wfx", Some(0)), "{command:?} {ran:?}");
    }
    assert_eq!(place.list()["total"], 2);
}

#[test]
fn the_daemon_can_be_asked() {
    let place = Place::new();
    let workflows = root().join("fixtures/workflows");
    let daemon = Daemon::start(&place, &["--workflows", workflows.to_str().unwrap()]);
    let text = readme();
    let section = text.split("## The daemon").nth(1).unwrap();
    let block = blocks(section, "sh").remove(0);
    let (serve, asked) = block.split_once('\n').unwrap();
    assert!(serve.starts_with("wfx serve --workflows fixtures/workflows "), "{serve}");
    let asked = asked.replace("localhost:8080", &daemon.address.to_string());
    assert_eq!(asked.lines().count(), 5);
    for line in asked.lines() {
        let ran = Ran::of(Command::new("sh").args(["-c", line]));
        assert_eq!(ran.code, Some(0), "{line}: {ran:?}");
    }
    daemon.stop();
    assert_eq!(place.list()["total"], 2);
}

#[test]
fn every_key_of_a_workflow_is_told() {
    let (text, schema) = (readme(), Place::new().run(["schema", "workflow"]).json());
    for properties in [&schema["properties"], &schema["$defs"]["step"]["properties"]] {
        let keys = properties.as_object().unwrap();
        assert!(keys.len() > 6, "{keys:?}");
        for key in keys.keys() {
            assert!(text.contains(&format!("`{key}`")), "README lacks the key `{key}`");
        }
    }
}

#[test]
fn settings_are_those_of_help() {
    let (text, help) = (readme(), Place::new().run(["exec", "--help"]).stdout);
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let table = text.split("| variable | flag | default |").nth(1).unwrap();
    let rows: Vec<Vec<String>> = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|row| row.replace('`', "").split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect();
    assert_eq!(rows.len(), help.matches("; default: ").count(), "{help}");
    for row in rows {
        let [_, variable, flag, default, _] = &row[..] else { panic!("{row:?}") };
        let default = if default == "see above" { "" } else { &format!("{default}]") };
        let flag = help.split(&format!(" {flag} <")).nth(1).unwrap_or_else(|| panic!("{row:?}"));
        let flag = flag.split(" --").next().unwrap();
        assert!(flag.contains(&format!("[{variable}; default: {default}")), "{row:?}: {flag}");
    }
}

#[test]
fn exit_codes_are_those_of_help() {
    let (text, help) = (readme(), Place::new().run(["--help"]).stdout);
    let table = text.split("| exit code | |").nth(1).unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let codes: Vec<_> = rows.map(|row| row.split('|').nth(1).unwrap().trim()).collect();
    assert_eq!(codes, ["0", "1", "2", "3", "4", "130, 143"]);
    for code in codes {
        assert!(help.contains(&format!("  {code}  ")), "{code}: {help}");
    }
}

/// What a heading is linked to by, as GitHub makes it.
fn anchor(line: &str) -> Option<String> {
    let heading = line.trim_start_matches('#');
    let is_heading = heading.len() < line.len() && heading.starts_with(' ');
    let kept = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-');
    let words: String = heading.trim().to_lowercase().chars().filter(|c| kept(*c)).collect();
    is_heading.then(|| words.replace(' ', "-"))
}

#[test]
fn links_lead_somewhere() {
    for page in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        let headings: Vec<String> = text.lines().filter_map(anchor).collect();
        for link in text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            let is_there = match link.strip_prefix('#') {
                Some(anchor) => headings.iter().any(|heading| heading == anchor),
                None => link.starts_with("https://") || root().join(link).exists(),
            };
            assert!(is_there, "{page} links to {link}, which is not there");
        }
    }
}

#[test]
fn alert_rules_can_be_rehearsed() {
    let (place, text) = (Place::new(), readme());
    let section = text.split("## Service levels").nth(1).unwrap();
    let block = blocks(section, "sh").remove(0);
    assert_eq!(block.lines().count(), 3);
    for line in block.lines() {
        let line = line.replacen("wfx", env!("CARGO_BIN_EXE_wfx"), 1);
        let ran = Ran::of(Command::new("sh").args(["-c", &line]).current_dir(root()));
        assert_eq!(ran.code, Some(0), "{line}: {ran:?}");
    }
    // The settings are those of help.
    let table = section.split("| service level | flag | default | |").nth(1).unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let help = place.run(["serve", "--help"]).stdout;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let rows: Vec<Vec<&str>> = rows.map(|row| row.split('`').collect()).collect();
    assert_eq!(rows.len(), 10);
    for row in rows {
        let (variable, flag) = (row[1], row[3]);
        let told = help.split(&format!("{flag} <")).nth(1).unwrap_or_else(|| panic!("{flag}"));
        let told = told.split(" --").next().unwrap();
        assert!(told.contains(&format!("[{variable}")), "{variable}: {told}");
        if let Some(default) = row.get(5).filter(|_| row[4].trim() == "|") {
            assert!(told.contains(&format!("; default: {default}]")), "{variable}: {told}");
        }
    }
}
