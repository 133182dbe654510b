//! Bad documents: exit 2, every problem, its place, a remedy, nothing stored.

use crate::support::{Place, Ran, root, with_stdin};

#[test]
fn every_problem_is_shown_with_place_and_remedy() {
    let place = Place::new();
    place.write("bad.yaml", "id: executions\nsteps:\n  - name: build\n    runn: make\n    depends_on: [tset]\n  - name: test\n    timeout: soon\n");
    let ran = place.run(["exec", "bad.yaml"]);
    ran.refused(
        2,
        &[
            "bad.yaml:1:5: the id `executions` is reserved",
            "bad.yaml:4:5: the key `runn` is not known",
            "4 |     runn: make",
            "|     ^^^^",
            "did you mean `run`?",
            "bad.yaml:5:18: no step is called `tset`",
            "did you mean `test`?",
            "bad.yaml:7:14: `soon` is not a duration",
        ],
    );
    assert_eq!(ran.stdout, "");
    assert!(!place.database().exists());
}

#[test]
fn no_bad_document_is_stored_or_run() {
    let place = Place::new();
    for (name, text) in [
        ("empty.yaml", ""),
        ("list.yaml", "[]"),
        ("scalar.json", "5"),
        ("null.json", "null"),
        ("cut.json", "{\"steps\": [{\"name\": \"a\""),
        ("comma.json", "{\"steps\": [{\"name\": \"a\"},]}"),
        ("twice.json", "{\"steps\": [{\"name\": \"a\"}], \"steps\": []}"),
        ("twice.yaml", "steps: [{name: a}]\nsteps: [{name: b}]"),
        ("tab.yaml", "steps:\n\t- name: a"),
        ("two.yaml", "steps: [{name: a}]\n---\nsteps: [{name: b}]"),
        ("tag.yaml", "steps: !!python/object:os.system [{name: a}]"),
        ("cycle.yaml", "steps: [{name: a, depends_on: [b]}, {name: b, depends_on: [a]}]"),
        ("dup.yaml", "steps: [{name: a}, {name: a}]"),
        ("none.yaml", "steps: []"),
        ("nul.json", "{\"steps\": [{\"name\": \"a\", \"run\": \"touch x\\u0000\"}]}"),
        ("type.json", "{\"steps\": [{\"name\": \"a\", \"run\": 5}]}"),
        ("both.yaml", "steps: [{name: a, run: touch x, sleep: 1s}]"),
        ("http.yaml", "steps: [{name: a, http: {url: 'http://x'}}]"),
        ("env.yaml", "steps: [{name: a, env: {WFX_ATTEMPT: 1}}]"),
    ] {
        place.write(name, text);
        let ran = place.run(["exec", name]);
        ran.refused(2, &[name]);
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    place.write("deep.json", deep);
    place.run(["exec", "deep.json"]).refused(2, &["deep.json:"]);
    place.write("latin.yaml", b"steps: [{name: a}] # \xe9");
    place.run(["exec", "latin.yaml"]).refused(2, &["UTF-8"]);
    place.write("large.yaml", "#".repeat(17 << 20));
    place.run(["exec", "large.yaml"]).refused(2, &["large.yaml"]);
    place.run(["exec", "missing.yaml"]).refused(2, &["missing.yaml", "No such file"]);
    place.run(["exec", "."]).refused(2, &["directory"]);
    with_stdin(&mut place.wfx(["exec", "-"]), b"steps: [{name: a}]").refused(2, &["`id`"]);
    assert!(!place.database().exists());
    assert!(!place.path("x").exists());
}

#[test]
fn validate_checks_many_and_stores_nothing() {
    let place = Place::new();
    place.write("good.yaml", "steps: [{name: a}, {name: b}]");
    place.write("bad.yaml", "steps: [{name: a, runn: x}]");
    let ran = place.run(["validate", "good.yaml"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(format!("{}{}", ran.stdout, ran.stderr).contains("good"), "{ran:?}");
    let ran = place.run(["validate", "bad.yaml", "good.yaml", "missing.yaml"]);
    ran.refused(2, &["bad.yaml:1:19", "missing.yaml"]);
    let ran = place.run(["validate", "--format", "json", "bad.yaml", "good.yaml"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.json().to_string().contains("\"line\":1"), "{}", ran.stdout);
    assert!(!place.database().exists());
}

#[test]
fn the_fixtures_fit_the_published_schema_and_bad_documents_do_not() {
    let place = Place::new();
    let ran = place.run(["schema", "workflow"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let schema: serde_json::Value = ran.json();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let mut checked = 0;
    for entry in std::fs::read_dir(root().join("fixtures/workflows")).unwrap() {
        let path = entry.unwrap().path();
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        if !["json", "yaml"].contains(&extension) {
            continue;
        }
        let ran = Ran::of(place.wfx(["validate"]).arg(&path));
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let value = as_json(&place, &path);
        let errors: Vec<String> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", path.display());
        checked += 1;
    }
    assert!(checked >= 7, "{checked}");
    // What the schema says is what the check says.
    for (text, good) in [
        (r#"{"steps":[{"name":"a"}]}"#, true),
        (
            r#"{"id":"x","params":{"p":null},"x-y":1,"steps":[{"name":"a","sleep":1.5,"x-z":[]}]}"#,
            true,
        ),
        (
            r#"{"steps":[{"name":"a","run":["ls",5],"env":{"A":true},"retry":{"max_attempts":2}}]}"#,
            true,
        ),
        (
            r#"{"params":{"p":1},"steps":[{"name":"a","when":{"param":"p","in":[1,"x"]},"continue_on_skip":true}]}"#,
            true,
        ),
        (
            r#"{"steps":[{"name":"a"},{"name":"b","when":{"all":[{"step":"a","output":"k","is_not":true},{"not":{"any":[{"step":"a","status":"failed"},{"step":"a","status":["skipped","success"]}]}}]}}]}"#,
            true,
        ),
        (r#"{"steps":[{"name":"a","skip_exit_codes":[99]}]}"#, true),
        (r#"{"steps":[{"name":"a","skip_exit_codes":["100-109",7]}]}"#, true),
        (r#"{"steps":[{"name":"a","skip_exit_codes":[0]}]}"#, false),
        (r#"{"steps":[{"name":"a","skip_exit_codes":["0 - 9"]}]}"#, false),
        (r#"{"params":{"p":1},"steps":[{"name":"a","when":{"param":"p"}}]}"#, false),
        (
            r#"{"params":{"p":1},"steps":[{"name":"a","when":{"param":"p","is":1,"in":[2]}}]}"#,
            false,
        ),
        (r#"{"params":{"p":1},"steps":[{"name":"a","when":{"param":"p","is":null}}]}"#, false),
        (r#"{"steps":[{"name":"a"},{"name":"b","when":{"step":"a","status":"running"}}]}"#, false),
        (
            r#"{"steps":[{"name":"a"},{"name":"b","when":{"step":"a","status":"failed","is":1}}]}"#,
            false,
        ),
        (r#"{"steps":[{"name":"a","when":{"any":[]}}]}"#, false),
        (
            r#"{"steps":[{"name":"a"}],"on_failure":[{"name":"b","run":"x","timeout":"1m","retry":{"max_attempts":2}}],"on_exit":[{"name":"c","depends_on":[]}]}"#,
            true,
        ),
        (r#"{"steps":[{"name":"a"}],"on_exit":[]}"#, false),
        (r#"{"steps":[{"name":"a"}],"on_exit":[{"name":"b","depends_on":["a"]}]}"#, false),
        (r#"{"steps":[{"name":"a"}],"on_exit":[{"name":"b","continue_on_error":true}]}"#, false),
        (r#"{"steps":[]}"#, false),
        (r#"{"steps":[{"name":"a","run":"x","sleep":1}]}"#, false),
        (r#"{"steps":[{"name":"a","runn":"x"}]}"#, false),
        (r#"{"steps":[{"name":"a b"}]}"#, false),
        (r#"{"id":"executions","steps":[{"name":"a"}]}"#, false),
        (r#"{"steps":[{"name":"a","env":{"WFX_STEP_X":"1"}}]}"#, false),
        (r#"{"steps":[{"name":"a","retry":{}}]}"#, false),
        (r#"{"max_parallel":257,"steps":[{"name":"a"}]}"#, false),
        (r#"{"steps":[{"name":"a","timeout":0}]}"#, false),
        (r#"{"steps":[{"name":"a","run":[]}]}"#, false),
        (
            r#"{"shell":["bash","-c"],"params":{"n":{"type":"int","min":1,"default":3},"e":{"enum":["a",2]},"o":{}},"steps":[{"name":"a","title":"T","description":"D","run":"x","shell":["sh","-c"],"stop_signal":"SIGINT","stop_timeout":"1m","env_file":["a"],"stdout":"o","success_exit_codes":[0,"20-24"],"retry":{"max_attempts":2,"on_exit_codes":[75],"on_timeout":false}}]}"#,
            true,
        ),
        (r#"{"params":{"v":{"enum":[1.1,1.10]}},"steps":[{"name":"a"}]}"#, true),
        (r#"{"steps":[{"name":"a","run":"x","success_exit_codes":["007"," 0 - 0255 "]}]}"#, true),
        (r#"{"steps":[{"name":"a","env":{"WFX_OWNER":"1"}}]}"#, false),
        (r#"{"env":{"WFX_STEP_NAME":"1"},"steps":[{"name":"a"}]}"#, false),
        (r#"{"params":{"n":{"type":"integer"}},"steps":[{"name":"a"}]}"#, false),
        (
            r#"{"params":{"i":{"type":"int","enum":[1,2],"default":null},"n":{"type":"number","min":1.5,"default":2},"b":{"type":"bool","default":true},"s":{"type":"string","pattern":"a","default":"a"},"f":{"min":1,"enum":[1,2]}},"steps":[{"name":"a"}]}"#,
            true,
        ),
        (r#"{"params":{"n":{"type":"int","default":"3"}},"steps":[{"name":"a"}]}"#, false),
        (r#"{"params":{"n":{"type":"int","max":1.5}},"steps":[{"name":"a"}]}"#, false),
        (r#"{"params":{"n":{"type":"int","pattern":"x"}},"steps":[{"name":"a"}]}"#, false),
        (r#"{"params":{"n":{"type":"string","min":1}},"steps":[{"name":"a"}]}"#, false),
        (r#"{"params":{"n":{"type":"string","enum":["a",1]}},"steps":[{"name":"a"}]}"#, false),
        (r#"{"params":{"n":{"type":"bool","default":1}},"steps":[{"name":"a"}]}"#, false),
        (r#"{"params":{"n":{"enum":[]}},"steps":[{"name":"a"}]}"#, false),
        (r#"{"params":{"n":{"defualt":1}},"steps":[{"name":"a"}]}"#, false),
        (r#"{"shell":"bash","steps":[{"name":"a"}]}"#, false),
        (r#"{"steps":[{"name":"a","run":"x","shell":[]}]}"#, false),
        (r#"{"steps":[{"name":"a","sleep":1,"stdout":"o"}]}"#, false),
        (r#"{"steps":[{"name":"a","run":"x","stdout":"o-o"}]}"#, false),
        (r#"{"steps":[{"name":"a","run":"x","stop_signal":"KILL"}]}"#, false),
        (r#"{"steps":[{"name":"a","run":"x","env_file":[]}]}"#, false),
        (r#"{"steps":[{"name":"a","run":"x","success_exit_codes":[]}]}"#, false),
        (r#"{"steps":[{"name":"a","run":"x","success_exit_codes":[256]}]}"#, false),
        (r#"{"steps":[{"name":"a","run":"x","success_exit_codes":["1-256"]}]}"#, false),
        (
            r#"{"steps":[{"name":"a","run":"x","retry":{"max_attempts":2,"on_exit_codes":75}}]}"#,
            false,
        ),
        (r#"{"steps":[{"name":"a","title":""}]}"#, false),
    ] {
        let file = place.write("w.json", text);
        let ran = Ran::of(place.wfx(["validate"]).arg(file));
        assert_eq!(ran.code, Some(if good { 0 } else { 2 }), "{text} {ran:?}");
        let value = serde_json::from_str(text).unwrap();
        assert_eq!(validator.is_valid(&value), good, "{text}");
    }
}

/// A document as JSON: what the snapshot of an execution holds of it would have
/// defaults written out, so YAML is read by its own rules.
fn as_json(place: &Place, path: &std::path::Path) -> serde_json::Value {
    let text = std::fs::read_to_string(path).unwrap();
    if path.extension().is_some_and(|e| e == "json") {
        return serde_json::from_str(&text).unwrap();
    }
    let ran = Ran::of(
        std::process::Command::new("python3")
            .args([
                "-c",
                "import sys, json, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)",
            ])
            .arg(path)
            .current_dir(place.path("home")),
    );
    assert_eq!(ran.code, Some(0), "{ran:?}");
    ran.json()
}
