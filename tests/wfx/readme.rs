//! README and the pages of `docs` are true.

mod commands;
mod links;
mod markdown;

use crate::support::Place;
use markdown::{Page, pages};

/// The cells of the one table of all pages that has this head.
fn table(head: &str) -> Vec<Vec<String>> {
    let (pages, head) = (pages(), format!("\n{head}\n"));
    let found: Vec<&str> = pages.iter().flat_map(|page| page.text.split(&head).skip(1)).collect();
    assert_eq!(found.len(), 1, "tables with {head:?}");
    let rows = found[0].lines().skip(1).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| {
        let row = row.strip_prefix('|').unwrap().strip_suffix('|').unwrap();
        row.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    rows.map(cells).collect()
}

/// A cell that is only code, without its marks.
fn code(cell: &str) -> Option<&str> {
    let code = cell.strip_prefix('`')?.strip_suffix('`')?;
    (!code.contains('`')).then_some(code)
}

/// What the help of a command says of a flag.
fn help(command: &str, flag: &str) -> String {
    let help = Place::new().run([command, "--help"]).stdout;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let flag = help.split(&format!(" {flag} <")).nth(1).unwrap_or_else(|| panic!("{flag}"));
    flag.split(" --").next().unwrap().to_owned()
}

#[test]
fn every_key_of_a_workflow_is_documented() {
    let page = Page::read("docs/workflows.md");
    let schema = Place::new().run(["schema", "workflow"]).json();
    for properties in [&schema["properties"], &schema["$defs"]["step"]["properties"]] {
        let keys = properties.as_object().unwrap();
        assert!(keys.len() > 6, "{keys:?}");
        for key in keys.keys() {
            assert!(page.text.contains(&format!("`{key}`")), "{} lacks `{key}`", page.name);
        }
    }
}

#[test]
fn settings_are_those_of_help() {
    let rows = table("| variable | flag | default |");
    let count = Place::new().run(["exec", "--help"]).stdout;
    let count =
        count.split_whitespace().collect::<Vec<_>>().join(" ").matches("; default: ").count();
    assert_eq!(rows.len(), count);
    for row in rows {
        let [variable, flag, default] = &row[..] else { panic!("{row:?}") };
        let (variable, flag) = (code(variable).unwrap(), code(flag).unwrap());
        // Text that says more than help has a link.
        let default = match default.contains("](") {
            true => "",
            false => &format!("{}]", default.replace('`', "")),
        };
        let help = help("exec", flag);
        assert!(help.contains(&format!("[{variable}; default: {default}")), "{row:?}: {help}");
    }
}

#[test]
fn exit_codes_are_those_of_help() {
    let help = Place::new().run(["--help"]).stdout;
    let rows = table("| exit code | |");
    let codes: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(codes, ["0", "1", "2", "3", "4", "130, 143"]);
    for code in codes {
        assert!(help.contains(&format!("  {code}  ")), "{code}: {help}");
    }
}

#[test]
fn service_levels_are_those_of_help() {
    let rows = table("| service level | flag | default | |");
    assert_eq!(rows.len(), 11);
    for row in rows {
        let (variable, flag) = (code(&row[0]).unwrap(), code(&row[1]).unwrap());
        let help = help("serve", flag);
        assert!(help.contains(&format!("[{variable}")), "{variable}: {help}");
        if let Some(default) = code(&row[2]) {
            assert!(help.contains(&format!("; default: {default}]")), "{variable}: {help}");
        }
    }
}
