//! What is generated from the command line is current.

use std::fs;

use serde_json::Value;

use crate::support::{Place, root};

#[test]
fn completions_are_current() {
    let place = Place::new();
    for (shell, file) in [
        ("bash", "wfx.bash"),
        ("zsh", "_wfx"),
        ("fish", "wfx.fish"),
        ("powershell", "_wfx.ps1"),
        ("elvish", "wfx.elv"),
    ] {
        let ran = place.run(["completions", shell]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let kept = fs::read_to_string(root().join("completions").join(file)).unwrap();
        assert!(
            ran.stdout == kept,
            "completions/{file} is old: run `wfx completions {shell} > completions/{file}`"
        );
    }
    place.run(["completions", "tcsh"]).refused(2, &["tcsh"]);
}

#[test]
fn bash_reads_its_completions() {
    let file = root().join("completions/wfx.bash");
    let script = format!(
        ". '{}'; COMP_WORDS=(wfx rep); COMP_CWORD=1; _wfx wfx rep wfx; echo ${{COMPREPLY[@]}}",
        file.display()
    );
    let ran = crate::support::Ran::of(std::process::Command::new("bash").args(["-c", &script]));
    assert_eq!(ran.stdout.trim(), "replay", "{ran:?}");
}

/// What a shell completes, with the script that wfx prints.
fn completed(place: &Place, words: &[&str], more: &[(&str, &str)]) -> Vec<String> {
    let binary = place.wfx([""; 0]);
    let folder = std::path::Path::new(binary.get_program()).parent().unwrap().to_owned();
    let script = format!(
        "PATH={folder}:$PATH; . '{file}'; COMP_WORDS=({words}); COMP_CWORD={last}; \
         _wfx_names wfx '{current}' '{before}'; printf '%s\\n' ${{COMPREPLY[@]}}",
        folder = folder.display(),
        file = root().join("completions/wfx.bash").display(),
        words = words.join(" "),
        last = words.len() - 1,
        current = words[words.len() - 1].trim_matches('\''),
        before = words[words.len() - 2],
    );
    let mut command = std::process::Command::new("bash");
    command.args(["-c", &script]).env_clear().current_dir(place.path(""));
    for (name, value) in binary.get_envs() {
        command.env(name, value.unwrap());
    }
    let ran = crate::support::Ran::of(command.envs(more.iter().copied()));
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    ran.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn names_are_completed_from_what_is_stored() {
    let place = Place::new();
    // Nothing is there, which is no error.
    assert_eq!(completed(&place, &["wfx", "show", "nigh"], &[]), [""]);
    place.exec("id: nightly\nsteps: [{name: a}]", 0);
    place.exec("id: hourly\nsteps: [{name: a}]", 0);
    let id = place.list()["items"][0]["execution_id"].as_str().unwrap().to_owned();
    assert_eq!(completed(&place, &["wfx", "show", "nigh"], &[]), ["nightly"]);
    assert_eq!(completed(&place, &["wfx", "show", &id[..20]], &[]).len(), 1);
    let all = completed(&place, &["wfx", "--format", "json", "retry", "''"], &[]);
    assert!(!all.contains(&"nightly".to_owned()), "the word after an option is a command: {all:?}");
    let all = completed(&place, &["wfx", "diff", "nightly", "hour"], &[]);
    assert_eq!(all, ["hourly"]);
    assert_eq!(completed(&place, &["wfx", "list", "--workflow", "ni"], &[]), ["nightly"]);
    assert_eq!(completed(&place, &["wfx", "list", "--status", "fa"], &[]), ["failed"]);
    // Only a daemon can start one; one that is not there says nothing.
    assert_eq!(completed(&place, &["wfx", "start", "ni"], &[]), [""]);
    for server in ["unix:none.sock", "http://127.0.0.1:1", "https://wfx.invalid", "no address"] {
        let more = [("WFX_SERVER", server)];
        assert_eq!(completed(&place, &["wfx", "start", "ni"], &more), [""], "{server}");
    }
    std::fs::create_dir(place.path("workflows")).unwrap();
    place.write("workflows/nice.yaml", "steps: [{name: a}]");
    let daemon = crate::daemon::Daemon::start(
        &place,
        &["--workflows", "workflows", "--listen", "unix:wfx.sock"],
    );
    let more = [("WFX_SERVER", "unix:wfx.sock")];
    assert_eq!(completed(&place, &["wfx", "start", "ni"], &more), ["nice"]);
    daemon.stop();
    // A database that is none is no error either.
    place.write("other.db", "no database");
    let more = [("WFX_DB", "other.db")];
    assert_eq!(completed(&place, &["wfx", "show", "ni"], &more), [""]);
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let place = Place::new();
    let page = place.run(["man"]).stdout;
    assert!(page.contains(".TH wfx 1"), "{page}");
    let pages = place.path("pages");
    let ran = place.run(["man".as_ref(), "--dir".as_ref(), pages.as_os_str()]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for command in [
        "exec",
        "replay",
        "list",
        "show",
        "perf-check",
        "purge",
        "validate",
        "schema",
        "config",
        "completions",
        "man",
    ] {
        let page = fs::read_to_string(pages.join(format!("wfx-{command}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS"), "{command}: {page}");
        let uses_a_database = !["validate", "schema", "completions", "man"].contains(&command);
        assert_eq!(page.contains("\\-\\-db"), uses_a_database, "{command}: {page}");
    }
    place.run(["man", "--dir", "/proc/none"]).refused(3, &["/proc/none"]);
}

#[test]
fn the_manual_page_of_workflows_names_every_key_and_its_example_runs() {
    let place = Place::new();
    let page = place.run(["man", "workflow"]).stdout;
    place.run(["man", "--dir", "pages"]);
    assert_eq!(page, fs::read_to_string(place.path("pages/wfx-workflow.5")).unwrap());
    let schema = place.run(["schema", "workflow"]).json();
    let mut objects = vec![&schema];
    let mut keys = 0;
    while let Some(value) = objects.pop() {
        match value {
            Value::Object(fields) => {
                if let Some(Value::Object(properties)) = fields.get("properties") {
                    for key in properties.keys() {
                        keys += 1;
                        assert!(page.contains(&format!("\\fB{key}\\fR")), "{key}: {page}");
                    }
                }
                objects.extend(fields.values());
            }
            Value::Array(values) => objects.extend(values),
            _ => {}
        }
    }
    assert!(keys > 60, "{keys}");
    assert!(page.contains("One of skip, queue_latest, allow, replace."), "{page}");
    // No key is described twice in the same place.
    let sections: Vec<&str> = page.lines().filter(|line| line.starts_with(".SH \"KEYS")).collect();
    let unique: std::collections::HashSet<&&str> = sections.iter().collect();
    assert_eq!(sections.len(), unique.len(), "{sections:?}");

    let (_, rest) = page.split_once(".nf\n").unwrap();
    let example = rest.split_once(".fi").unwrap().0.replace("\\-", "-").replace("\\(aq", "'");
    place.write("nightly.yaml", &example);
    assert_eq!(place.run(["validate", "nightly.yaml"]).code, Some(0), "{example}");
    assert_eq!(place.run(["exec", "nightly.yaml"]).code, Some(0), "{example}");
}

const CONFIG: [&str; 3] = ["config", "--format", "json"];

/// How many finished executions are kept, and where that is said.
fn retention_of(command: &mut std::process::Command) -> (String, String) {
    let ran = crate::support::Ran::of(command);
    let settings = ran.json()["settings"].as_array().unwrap().clone();
    let found = settings.iter().find(|set| set["name"] == "WORKFLOW_EXECUTION_RETENTION").unwrap();
    let text = |key: &str| found[key].as_str().unwrap().to_owned();
    (text("value"), text("origin"))
}

#[test]
fn a_retention_that_is_followed_is_shown() {
    let place = Place::new();
    place.exec("steps: [{name: a}]", 0);
    for kept in ["7", "0"] {
        place
            .sql(&format!("INSERT OR REPLACE INTO workflow_settings VALUES ('retention', {kept})"));
        let shown = retention_of(&mut place.wfx(CONFIG));
        assert_eq!(shown, (kept.to_owned(), "the database, by `wfx serve`".to_owned()));
    }
    let mut command = place.wfx(CONFIG);
    let shown = retention_of(command.env("WORKFLOW_EXECUTION_RETENTION", "3"));
    assert_eq!(shown.0, "3");
}

#[test]
fn every_setting_is_shown_with_its_origin() {
    let place = Place::new();
    place.write("config.toml", "wfx_durability = \"normal\"\n");
    let mut command = place.wfx(["config", "--format", "json"]);
    command.env("SLO_MIN_SAMPLES", "few").env("WFX_TOKEN", "hush-hush");
    let ran = crate::support::Ran::of(&mut command);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!ran.stdout.contains("hush"), "{}", ran.stdout);
    let settings = ran.json();
    let setting = |name: &str| {
        let list = settings["settings"].as_array().unwrap();
        list.iter().find(|setting| setting["name"] == name).unwrap().clone()
    };
    assert_eq!(setting("WFX_DURABILITY")["value"], "normal");
    assert!(setting("WFX_DURABILITY")["origin"].as_str().unwrap().ends_with("config.toml:1"));
    assert_eq!(setting("WFX_DB")["origin"], "WFX_DB");
    assert_eq!(setting("SLO_ERROR_RATE_WINDOW")["value"], "300");
    assert!(setting("SLO_MIN_SAMPLES")["problem"].is_string());
    assert_eq!(setting("WFX_TOKEN")["value"], "***");
    assert_eq!(retention_of(&mut place.wfx(CONFIG)), ("1000".into(), "default".into()));
    // A bad file stops the commands that need it, with its line.
    place.write("config.toml", "\nwfx_durabilty = \"normal\"\n");
    let mut command = place.wfx(["list"]);
    command.env_remove("WFX_DB");
    crate::support::Ran::of(&mut command)
        .refused(2, &["config.toml:2", "did you mean `wfx_durability`?"]);
    assert_eq!(place.run(["config"]).code, Some(0));
    for (name, value) in [("WFX_DURABILITY", "half"), ("WFX_STORE_TIMEOUT", "soon")] {
        place.write("config.toml", "");
        let file = place.write("w.yaml", "steps: [{name: a}]");
        let mut command = place.wfx(["exec"]);
        command.arg(file).env(name, value);
        crate::support::Ran::of(&mut command).refused(2, &[name, value, "it takes"]);
    }
    assert!(!place.database().exists());
}
