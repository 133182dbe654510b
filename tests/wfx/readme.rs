//! README says what is so.

mod commands;

use std::fs;

use crate::support::{Place, root};

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

/// The fenced blocks of a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let open = format!("```{language}\n");
    let parts = text.split(&open).skip(1);
    parts.map(|part| part.split("```").next().unwrap().to_owned()).collect()
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
fn service_levels_are_those_of_help() {
    let (place, text) = (Place::new(), readme());
    let table = text.split("| service level | flag | default | |").nth(1).unwrap();
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
