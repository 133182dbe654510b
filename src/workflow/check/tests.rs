use super::*;
use crate::workflow::handler::HandlerKind;

pub(super) fn check(text: &str) -> Result<Definition, Problems> {
    read(&Source { name: "w.yaml", text, format: Format::Yaml, default_id: Some("w") })
}

/// `line:column message` of each problem.
pub(super) fn refused(text: &str) -> Vec<String> {
    let problems = check(text).expect_err(text);
    problems
        .iter()
        .map(|p| format!("{}:{} {}", p.line.unwrap_or(0), p.column.unwrap_or(0), p.message))
        .collect()
}

fn depends_on(definition: &Definition) -> Vec<Vec<&str>> {
    definition.steps.iter().map(|s| s.depends_on.iter().map(String::as_str).collect()).collect()
}

#[test]
fn a_left_out_depends_on_means_the_step_before() {
    let definition = check(
        "steps: [{name: a}, {name: b}, {name: c, depends_on: []}, {name: d, depends_on: [a, c]}]",
    )
    .unwrap();
    assert_eq!(depends_on(&definition), [vec![], vec!["a"], vec![], vec!["a", "c"]]);
    assert_eq!(definition.id, "w");
}

#[test]
fn all_problems_are_reported_with_their_spans() {
    let text = "\
id: executions
max_paralel: 3
timeout: soon
env: {WFX_OUTPUT: x, 'A=B': y}
steps:
  - name: a
    runn: echo
    depends_on: [b, nowhere]
  - name: b
    run: 5
    sleep: 1s
    depends_on: [a]
  - name: a
  - {name: 'sp ace', retry: {backoff: 1s}}
  - text
";
    assert_eq!(
        refused(text),
        [
            "1:5 the id `executions` is reserved",
            "2:1 the key `max_paralel` is not known",
            "3:10 `soon` is not a duration",
            "4:7 `WFX_OUTPUT` is set by wfx itself",
            "4:22 `A=B` cannot be the name of a variable",
            "7:5 the key `runn` is not known",
            "8:17 these steps wait for each other: `a` → `b` → `a`",
            "8:21 no step is called `nowhere`",
            "10:10 `run` takes a line for `sh -c` or a list of a program and its arguments, not the number `5`",
            "11:12 a step has one of `run` and `sleep`, not both",
            "13:11 two steps are called `a`",
            "14:12 `sp ace` cannot be the name of a step",
            "14:29 `retry` does not say how often",
            "15:5 a step is a map of keys and values, not text",
        ]
    );
}

#[test]
fn handlers_are_read_back_as_they_were() {
    let text = "\
steps: [{name: a}]
on_exit: [{name: z, run: x}, {name: y, sleep: 1s, timeout: 1m, depends_on: []}]
on_success: [{name: b, fail: true, retry: {max_attempts: 2}}]
";
    let definition = check(text).unwrap();
    let names: Vec<_> = definition.handlers.iter().map(|h| (h.on, h.step.name.as_str())).collect();
    use HandlerKind::{Exit, Success};
    assert_eq!(names, [(Success, "b"), (Exit, "z"), (Exit, "y")]);
    let timeouts: Vec<String> =
        definition.handlers.iter().map(|h| h.step.timeout.unwrap().to_string()).collect();
    assert_eq!(timeouts, ["5m", "5m", "1m"]);
    let again = check(&serde_json::to_string(&definition).unwrap()).unwrap();
    assert_eq!(again, definition);
    // Probable mistakes are found in them as well.
    let source = |text| Source { name: "w", text, format: Format::Yaml, default_id: Some("w") };
    let text = "steps: [{name: a}]\non_exit: [{name: b, run: [echo one, echo two]}]";
    assert!(read_with_lints(&source(text)).unwrap().1.is_some());
    let many: String = (0..21).map(|n| format!("{{name: h{n}}}, ")).collect();
    let problems = refused(&format!("steps: [{{name: a}}]\non_exit: [{many}]"));
    assert_eq!(problems, ["2:10 a workflow has at most 20 handlers in all"]);
}

#[test]
fn the_nearest_known_name_is_offered() {
    for (text, help) in [
        ("stepps: []", "did you mean `steps`?"),
        ("steps: [{name: a, dependsOn: []}]", "did you mean `depends_on`?"),
        ("steps: [{name: build, depends_on: [biuld]}]", "did you mean `build`?"),
        ("steps: [{name: a, zzzzzz: 1}]", "known are `name`, `depends_on`"),
    ] {
        let problems = check(text).unwrap_err();
        let offered = problems.iter().any(|p| p.help.as_deref().unwrap_or("").contains(help));
        assert!(offered, "{problems}");
    }
}

#[test]
fn bounds_hold_on_both_sides() {
    let steps = |count: usize| {
        let list: String = (0..count).map(|n| format!("  - name: s{n}\n")).collect();
        check(&format!("steps:\n{list}")).map(|definition| definition.steps.len())
    };
    assert_eq!(steps(1000), Ok(1000));
    assert!(steps(1001).is_err());
    let parallel = |n: &str| check(&format!("max_parallel: {n}\nsteps: [{{name: a}}]"));
    assert_eq!(parallel("256").unwrap().max_parallel, Some(256));
    for bad in ["0", "257", "-1", "1.5", "two", "", "true", "[1]"] {
        assert!(parallel(bad).is_err(), "{bad}");
    }
    let run = |length: usize| {
        check(&format!("steps: [{{name: a, run: \"{}\"}}]", "x".repeat(length))).is_ok()
    };
    assert!(run(1) && run(131_071));
    assert!(!run(0) && !run(131_072));
    let named =
        |length: usize| check(&format!("steps: [{{name: {}}}]", "n".repeat(length))).is_ok();
    assert!(named(128) && !named(129));
}

#[test]
fn wrong_types_are_refused_wherever_they_stand() {
    for text in [
        "",
        "[]",
        "5",
        "steps:",
        "steps: []",
        "steps: {a: b}",
        "steps: [[]]",
        "steps: [{}]",
        "steps: [{name: 5}]",
        "steps: [{name: a, run: []}]",
        "steps: [{name: a, run: ['']}]",
        "steps: [{name: a, run: [[ls]]}]",
        "steps: [{name: a, run: {x: y}}]",
        "steps: [{name: a, run: \"a\\0b\"}]",
        "steps: [{name: a, run: }]",
        "steps: [{name: a, sleep: -1}]",
        "steps: [{name: a, fail: maybe}]",
        "steps: [{name: a, fail: 1}]",
        "steps: [{name: a, env: [x]}]",
        "steps: [{name: a, env: {X: [y]}}]",
        "steps: [{name: a, env: {X: }}]",
        "steps: [{name: a, cwd: ''}]",
        "steps: [{name: a, timeout: 0}]",
        "steps: [{name: a, retry: 3}]",
        "steps: [{name: a, retry: {max_attempts: 0}}]",
        "steps: [{name: a, retry: {max_attempts: 2, backoff: 5s, max_backoff: 1s}}]",
        "steps: [{name: a, retry: {max_attempts: 2, jitter: true}}]",
        "steps: [{name: a, depends_on: }]",
        "steps: [{name: a, depends_on: a}]",
        "steps: [{name: a, depends_on: [a]}]",
        "steps: [{name: a}, {name: b, depends_on: [a, a]}]",
        "steps: [{name: a-b}, {name: a_b}]",
        "steps: [{name: a, http: {url: x}}]",
        "params: {a-b: 1, a_b: 2}\nsteps: [{name: a}]",
        "params: {a: [1]}\nsteps: [{name: a}]",
        "params: [a]\nsteps: [{name: a}]",
        "id: 5\nsteps: [{name: a}]",
        "id: ../x\nsteps: [{name: a}]",
    ] {
        assert!(check(text).is_err(), "{text:?} was taken");
    }
}

#[test]
fn values_keep_the_text_they_were_written_with() {
    let definition = check(
        "params: {a: 1.10, b: null, c: true}\nenv: {N: 0x1f, T: True}\nx-note: {k: [1]}\n\
         steps: [{name: a, run: [sleep, 0.50], agent_id: 7, x-y: z}]",
    )
    .unwrap();
    assert_eq!(definition.params["a"].default.to_string(), "1.10");
    assert_eq!(definition.params["b"].default, Scalar::Null);
    assert_eq!(definition.env["N"], "0x1f");
    assert_eq!(definition.env["T"], "True");
    let step = &definition.steps[0];
    assert_eq!(
        step.work,
        super::super::definition::Work::Argv(vec!["sleep".into(), "0.50".into()])
    );
    assert_eq!(definition.extra["x-note"], serde_json::json!({"k": [1]}));
    assert_eq!(step.extra["x-y"], "z");
    assert_eq!(step.agent_id.as_ref().unwrap().to_string(), "7");
}

#[test]
fn the_id_comes_from_the_file_name_when_it_can() {
    let named = |default_id| {
        let text = "steps: [{name: a}]";
        read(&Source { name: "-", text, format: Format::Yaml, default_id }).map(|d| d.id)
    };
    assert_eq!(named(Some("night-run")), Ok("night-run".to_owned()));
    for stem in [None, Some("my flow"), Some("executions"), Some("")] {
        assert!(named(stem).is_err(), "{stem:?}");
    }
}

#[test]
fn parameters_are_declared_defaults_and_given_values() {
    let definition = check("params: {where: null, count: 3}\nsteps: [{name: a}]").unwrap();
    let given = |list: &[(&str, &str)]| {
        let text = |value: &str| Scalar::String(value.to_owned());
        let owned: Vec<_> = list.iter().map(|(n, v)| ((*n).to_owned(), text(v))).collect();
        parameters(&definition, &owned, GivenBy::Flags)
    };
    let set = given(&[("where", "a=b\n$(x)")]).unwrap();
    assert_eq!(set["where"], Scalar::String("a=b\n$(x)".into()));
    assert_eq!(set["count"].to_string(), "3");
    assert_eq!(given(&[]).unwrap_err().len(), 1);
    let problems = given(&[("were", "x"), ("count", "1"), ("count", "2")]).unwrap_err();
    assert_eq!(problems.len(), 3, "{problems}");
    assert!(problems.to_string().contains("did you mean `where`?"), "{problems}");
    let longest = "x".repeat(131_071 - "WFX_PARAM_WHERE=".len());
    assert!(given(&[("where", &longest)]).is_ok());
    assert!(given(&[("where", &format!("{longest}x"))]).is_err());
    assert!(given(&[("where", "a\0b")]).is_err());
}

#[test]
fn a_definition_survives_being_stored() {
    let definition = check(
        "id: whole\nname: N\ndescription: D\nparams: {a: 1.10, s: 'x'}\nenv: {A: b}\nmax_parallel: 4\n\
         timeout: 1m30s\nx-k: v\nsteps:\n\
         - {name: a, run: \"echo 'x'\", env: {B: c}, cwd: sub, timeout: 5, retry: {max_attempts: 3, backoff: 2m}}\n\
         - {name: b, run: [ls, -l], continue_on_error: true, agent_id: [1]}\n\
         - {name: c, sleep: 500ms, depends_on: [], fail: true, x-z: {}}\n\
         - {name: d}\n",
    )
    .unwrap();
    let params = parameters(&definition, &[], GivenBy::Flags).unwrap();
    let compiled = Arc::new(CompiledWorkflow::of(definition).unwrap());
    let stored = Snapshot { compiled, params, workdir: "/srv".into(), source: None };
    let sources = DefinitionSource::ALL.map(Some);
    for source in [None].into_iter().chain(sources) {
        let stored = Snapshot { source, ..stored.clone() };
        let text = serde_json::to_string(&stored).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(snapshot(&value).unwrap(), stored);
    }
    let mut earlier = serde_json::to_value(&stored).unwrap();
    earlier["ad_hoc"] = true.into();
    assert_eq!(snapshot(&earlier).unwrap().source, Some(DefinitionSource::Request));
}

#[test]
fn a_snapshot_may_have_names_of_the_predecessor() {
    let value = serde_json::json!({
        "definition": {"id": "nightly run", "steps": [{"name": "step 1", "depends_on": []}]},
        "params": {}, "workdir": "/",
    });
    assert_eq!(snapshot(&value).unwrap().definition().steps[0].name, "step 1");
    for broken in ["null", "{}", "[]", r#"{"definition": {}, "workdir": "/"}"#] {
        let value: serde_json::Value = serde_json::from_str(broken).unwrap();
        assert!(snapshot(&value).is_err(), "{broken}");
    }
}

#[test]
fn an_unknown_parameter_is_reported_once() {
    for (params, message) in
        [(r#"{"who": ["x"]}"#, "text, a number"), (r#"{"who": null}"#, "has no value")]
    {
        let text = format!(r#"{{"params": {params}}}"#);
        let source = Source { name: "body", text: &text, format: Format::Json, default_id: None };
        let problems = given_parameters(&source).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems}");
        assert!(problems.to_string().contains(message), "{problems}");
    }
}
