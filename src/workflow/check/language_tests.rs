//! Typed parameters, keys of steps, exit codes, defaults of a folder.

use super::*;

fn check(text: &str) -> Result<Definition, Problems> {
    read(&Source { name: "w.yaml", text, format: Format::Yaml, default_id: Some("w") })
}

/// `line:column message = help` of each problem.
fn refused(text: &str) -> Vec<String> {
    shown(&check(text).expect_err(text))
}

fn shown(problems: &Problems) -> Vec<String> {
    let help = |help: &Option<String>| help.as_ref().map(|it| format!(" = {it}"));
    let line = |at: Option<usize>| at.unwrap_or(0);
    problems
        .iter()
        .map(|p| {
            let help = help(&p.help).unwrap_or_default();
            format!("{}:{} {}{help}", line(p.line), line(p.column), p.message)
        })
        .collect()
}

/// Every problem contains its parts, and there is no other one.
fn refuses(text: &str, expected: &[&[&str]]) {
    let found = refused(text);
    assert_eq!(found.len(), expected.len(), "{text}\n{found:#?}");
    for (problem, parts) in found.iter().zip(expected) {
        assert!(problem.starts_with(parts[0]), "not at {} {problem}", parts[0]);
        for part in &parts[1..] {
            assert!(problem.contains(part), "no {part:?} in {problem}");
        }
    }
}

const STEPS: &str = "steps: [{name: a, run: x}]\n";

#[test]
fn what_is_declared_is_checked_at_once() {
    refuses(
        &format!(
            "{STEPS}params:\n  a: {{type: integer}}\n  b: {{type: int, min: 5, max: 1}}\n  \
             c: {{type: int, default: 3.5}}\n  d: {{enum: [dev, prod], default: prd}}\n  \
             e: {{type: bool, default: yes}}\n  f: {{min: 1}}\n  \
             g: {{type: int, pattern: x}}\n  h: {{pattern: '(?=a)'}}\n  \
             i: {{pattern: '[0-9]+', default: a1}}\n  j: {{type: string, default: 5}}\n  \
             k: {{enum: []}}\n  l: {{enum: [1, 1, null]}}\n  \
             m: {{type: int, enum: [1, two], max: 0}}\n  n: {{defualt: 1}}\n  \
             o: {{type: number, min: '1'}}\n  p: {{type: int, max: 1.5}}\n  q: [1]\n"
        ),
        &[
            &["3:", "`integer` is no type", "did you mean `int`?"],
            &["4:", "`max` is smaller than `min`, 5"],
            &["5:", "`3.5` of `default`", "a whole number of 64 bits"],
            &["6:", "`prd`", "one of `dev`, `prod`", "did you mean `prod`?"],
            &["7:", "`yes`", "`true` or `false`", "write `true`"],
            &["8:", "`min` is for numbers", "add `type: int`"],
            &["9:", "`pattern` is for text"],
            &["10:", "no regular expression", "look-around"],
            &["11:", "`a1`", "text that matches `[0-9]+`"],
            &["12:", "`5`", "takes text", "put it in quotes"],
            &["13:", "`enum` has 0 values"],
            &["14:", "`1` stands twice"],
            &["14:", "missing"],
            &["15:", "`1` of `enum`", "at most 0"],
            &["15:", "`two`", "a whole number"],
            &["16:", "`defualt`", "did you mean `default`?"],
            &["17:", "`min` takes a number"],
            &["18:", "not a whole number of 64 bits: 1.5"],
            &["19:", "`q` takes text, a number"],
        ],
    );
}

#[test]
fn given_values_keep_the_rules() {
    let definition = check(&format!(
        "{STEPS}params:\n  n: {{type: int, min: 1, max: 9, default: 3}}\n  ratio: {{type: number, max: 0.10}}\n  \
         env: {{enum: [dev, prod]}}\n  flag: {{type: bool, default: false}}\n  \
         tag: {{type: string, pattern: 'v[0-9.]+', default: v1}}\n  level: {{enum: [1, 2.50]}}\n  any: {{description: D}}\n  old: 3\n"
    ))
    .unwrap();
    let text = |value: &str| Scalar::String(value.to_owned());
    let base = [("ratio", "0.10"), ("env", "dev"), ("level", "2.50"), ("any", "")];
    let flags = |more: &[(&str, &str)]| {
        let kept = base.iter().filter(|(name, _)| more.iter().all(|(other, _)| other != name));
        let given: Vec<_> =
            kept.chain(more).map(|(name, value)| ((*name).to_owned(), text(value))).collect();
        parameters(&definition, &given, GivenBy::Flags)
    };
    let set = flags(&[("n", "9"), ("flag", "true"), ("old", "x")]).unwrap();
    assert_eq!(set["n"].to_string(), "9");
    assert!(matches!(set["n"], Scalar::Number(_)), "{set:?}");
    assert_eq!(set["flag"], Scalar::Bool(true));
    assert_eq!(set["ratio"].to_string(), "0.10");
    assert_eq!((set["level"].to_string(), &set["any"]), ("2.50".to_owned(), &text("")));
    for (name, value, parts) in [
        ("n", "10", &["from 1 to 9", "`10`"][..]),
        ("n", "x", &["a whole number"]),
        ("ratio", "0.1000001", &["at most 0.10"]),
        ("env", "prd", &["one of `dev`, `prod`", "did you mean `prod`?"]),
        ("flag", "yes", &["`true` or `false`", "write `true`"]),
        ("tag", "v1; id", &["matches `v[0-9.]+`"]),
        ("level", "2.5", &["did you mean `2.50`?"]),
    ] {
        let problems = flags(&[(name, value)]).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems}");
        let all = problems.to_string();
        assert!(all.contains(&format!("the parameter `{name}` takes")), "{all}");
        assert!(problems.iter().all(|problem| problem.pointer == format!("/params/{name}")));
        parts.iter().for_each(|part| assert!(all.contains(part), "no {part:?} in {all}"));
    }
    // All at once, required ones with what they take.
    let problems = parameters(&definition, &[("n".into(), text("0"))], GivenBy::Flags).unwrap_err();
    assert_eq!(problems.len(), 5, "{problems}");
    assert!(problems.to_string().contains("`-p env=VALUE`; it takes one of `dev`"), "{problems}");
    let problems = parameters(&definition, &[], GivenBy::Request).unwrap_err().to_string();
    assert!(problems.contains(r#"{"params":{"env":"dev"}}"#), "{problems}");
    assert!(problems.contains(r#"{"params":{"ratio":0.10}}"#), "{problems}");
    let problems = parameters(&definition, &[], GivenBy::Nobody).unwrap_err().to_string();
    assert!(problems.contains("give it a `default`"), "{problems}");
    // A request gives values of the type.
    let number = |text: &str| Scalar::Number(serde_json::from_str(text).unwrap());
    let request = |name: &str, value: Scalar| {
        let given: Vec<_> = [("ratio", number("0.1")), ("env", text("dev")), ("any", text(""))]
            .into_iter()
            .chain([("level", number("1"))])
            .filter(|(other, _)| *other != name)
            .chain([(name, value)])
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        parameters(&definition, &given, GivenBy::Request)
    };
    assert_eq!(request("n", number("9")).unwrap()["n"].to_string(), "9");
    for (name, value, remedy) in [
        ("n", text("3"), "without quotes"),
        ("n", number("3.0"), "from 1 to 9"),
        ("flag", number("1"), "write `true`"),
        ("flag", text("true"), "without quotes"),
        ("tag", number("1"), "put it in quotes"),
    ] {
        let problems = request(name, value).unwrap_err().to_string();
        assert!(problems.contains(remedy), "no {remedy:?} in {problems}");
    }
}

#[test]
fn keys_of_steps_are_checked_at_once() {
    refuses(
        "shell: bash\nsteps:\n\
         - {name: a, run: [x], shell: [bash, -c]}\n\
         - {name: b, sleep: 1, stdout: x, stop_signal: TERM, stop_timeout: 1, env_file: f, success_exit_codes: [0]}\n\
         - {name: c, run: x, shell: [], stop_signal: KILL, stdout: a-b, env_file: [], title: ' '}\n\
         - {name: d, run: x, stop_signal: SIGHUB, stop_timeout: soon, env_file: 5, description: ''}\n\
         - {name: e, run: x, stop_signal: 15, success_exit_codes: [], shell: ['']}\n\
         - {name: f, run: x, success_exit_codes: [256, -1, 1.5, 9-2, x, [1], '1-2-3']}\n\
         - {name: g, run: x, retry: {on_exit_codes: 75, on_timeout: 5, backoff: soon, max_backoff: soon}}\n",
        &[
            &["1:8", "not text", "write `shell: [bash, -c]`"],
            &["3:30", "`shell` needs `run` as a text"],
            &["4:31", "`stdout` needs a `run`"],
            &["4:47", "`stop_signal` needs"],
            &["4:67", "`stop_timeout` needs"],
            &["4:80", "`env_file` needs"],
            &["4:103", "`success_exit_codes` needs"],
            &["5:28", "`shell` names no program"],
            &["5:45", "no process can handle `KILL`", "stop_timeout"],
            &["5:59", "`a-b` cannot be the name of an output"],
            &["5:74", "`env_file` lists 0 files"],
            &["5:85", "`title` is empty"],
            &["6:34", "`SIGHUB` is no signal", "did you mean `HUP`?"],
            &["6:56", "`soon` is not a duration"],
            &["6:72", "`env_file` takes text"],
            &["6:88", "`description` is empty"],
            &["7:34", "not the number 15", "`kill -l`"],
            &["7:58", "`success_exit_codes` is empty"],
            &["7:69", "names no program"],
            &["8:42", "`256` is no exit code", "from 0 to 255"],
            &["8:47", "`-1`"],
            &["8:51", "`1.5`"],
            &["8:56", "`9-2` ends before it begins", "write `\"2-9\"`"],
            &["8:61", "`x` is no exit code"],
            &["8:64", "a list"],
            &["8:69", "`1-2-3`"],
            &["9:28", "does not say how often"],
            &["9:44", "`on_exit_codes` takes a list"],
            &["9:60", "`on_timeout` takes `true`"],
            &["9:72", "`soon`"],
            &["9:91", "`soon`"],
        ],
    );
}

#[test]
fn every_key_survives_being_stored() {
    let definition = check(
        "shell: [bash, -c]\nparams:\n  n: {type: int, min: 1, max: 9, default: 3, description: D}\n  \
         env: {enum: [dev, prod]}\n  x: {type: number, enum: [1.10, 2], default: 1.10}\n  \
         t: {type: string, pattern: 'a+', default: aa}\n  b: {type: bool}\n  m: {enum: [a, 1, true]}\n  \
         e: {}\n  s: 1.10\nsteps:\n\
         - {name: a, title: T, description: D, run: x, shell: [python3, -c], stop_signal: sigint,\n   \
            stop_timeout: 1m, env_file: a.env, stdout: out, success_exit_codes: [0, 24, '64-70'],\n   \
            retry: {max_attempts: 3, on_exit_codes: [75, '64-70'], on_timeout: false}}\n\
         - {name: b, run: y, env_file: [a, b], retry: {max_attempts: 1, on_timeout: false}}\n",
    )
    .unwrap();
    let step = &definition.steps[0];
    assert_eq!(step.process.stop_signal, Some("INT"));
    assert!(step.process.is_success(67) && !step.process.is_success(1));
    let mut params = Parameters::new();
    params.insert("n".to_owned(), Scalar::Number(3.into()));
    let defaults = super::super::defaults::FolderDefaults {
        retention: None,
        notify: None,
        file: "f/_defaults.yaml".to_owned(),
        env: [("A/~".to_owned(), "x".to_owned())].into_iter().collect(),
        shell: Some(vec!["sh".to_owned()]),
        ..Default::default()
    };
    let definition = definition.with_defaults(&defaults);
    assert_eq!(definition.from_folder.as_ref().unwrap().set, ["/env/A~1~0"]);
    let compiled = Arc::new(CompiledWorkflow::of(definition).unwrap());
    let stored = Snapshot { compiled, params, workdir: "/srv".into(), source: None };
    let value = serde_json::from_str(&stored.to_json()).unwrap();
    assert_eq!(snapshot(&value).unwrap(), stored);
    // The document itself reads back as well.
    let text = serde_json::to_string(stored.definition()).unwrap();
    let source = Source { name: "w", text: &text, format: Format::Json, default_id: None };
    let again = read(&source).unwrap();
    assert_eq!(again, Definition { from_folder: None, ..stored.definition().clone() });
}

#[test]
fn a_title_is_bounded() {
    let titled = |bytes: usize| {
        check(&format!("steps: [{{name: a, title: {}}}]", "t".repeat(bytes))).map(|_| ())
    };
    assert_eq!(titled(1_024), Ok(()));
    assert!(titled(1_025).unwrap_err().to_string().contains("put it into `description`"));
}

#[test]
fn signals_are_named_as_kill_names_them() {
    let signal = |name: &str| {
        let text = format!("steps: [{{name: a, run: x, stop_signal: {name}}}]");
        check(&text).map(|definition| definition.steps[0].process.stop_signal)
    };
    for (name, stored) in
        [("TERM", "TERM"), ("SIGINT", "INT"), ("usr1", "USR1"), ("SigHup", "HUP"), ("IOT", "ABRT")]
    {
        assert_eq!(signal(name), Ok(Some(stored)), "{name}");
    }
    for name in ["KILL", "SIGSTOP", "sigkill", "EXIT", "SIG", "''", "'9'", "TERM "] {
        assert_eq!(signal(name).is_err(), name != "TERM ", "{name}");
    }
}

#[test]
fn defaults_of_a_folder_are_checked() {
    let read = |text: &str| {
        let source = Source { name: "d", text, format: Format::Yaml, default_id: None };
        folder_defaults(&source).map_err(|problems| shown(&problems))
    };
    let good = read("env: {A: 1, B: $HOME}\nshell: [bash, -c]\nx-owner: ops\n").unwrap();
    assert_eq!((good.env["A"].as_str(), good.env["B"].as_str()), ("1", "$HOME"));
    for nothing in ["", "\n# env: {}\n", "---\n# x"] {
        assert!(read(nothing).unwrap().env.is_empty());
    }
    let problems = read("env: {WFX_STEP_X: 1}\nshel: [x]\nshell: x\nsteps: []\n").unwrap_err();
    let expected =
        ["1:7 `WFX_STEP_X`", "2:1 the key `shel`", "3:8 `shell` takes", "4:1 the key `steps`"];
    assert_eq!(problems.len(), 4, "{problems:#?}");
    for (problem, part) in problems.iter().zip(expected) {
        assert!(problem.contains(part), "{problem}");
    }
    assert!(
        problems[3].contains("known are `env` and `shell`")
            || problems[3].contains("`env`, `shell`")
    );
    for bad in ["[]", "5", "env: {WFX_ERROR: x}", "env: [", "env: {A: 1}\nenv: {B: 2}"] {
        assert!(read(bad).is_err(), "{bad}");
    }
}

#[test]
fn what_expands_nothing_is_found() {
    let lints = |text: &str| {
        let source = Source { name: "w", text, format: Format::Yaml, default_id: Some("w") };
        let (_, lints) = read_with_lints(&source).unwrap();
        lints.map(|lints| shown(&lints)).unwrap_or_default()
    };
    let found = lints(
        "env: {A: $HOME/x, B: 'costs $5'}\nshell: [bash]\nsteps:\n\
         - {name: a, run: x, cwd: ~/x, env_file: ['${DIR}/a', b], env: {C: '${params.x}'}}\n\
         - {name: b, run: x, shell: [/bin/sh, -e], success_exit_codes: [24, 1-2]}\n\
         - {name: c, run: x, shell: [bash, -euo, pipefail, -c], success_exit_codes: [0-2]}\n\
         - {name: d, run: x, shell: [python3, -c], success_exit_codes: [0]}\n",
    );
    let expected = [
        "1: a value of `env` is literal: `$HOME`",
        "2: without `-c`",
        "4: `cwd` is literal: `~`",
        "4: `env_file` is literal: `${DIR}`",
        "4: a value of `env` is literal: `${params.x}`",
        "5: without `-c`",
        "5: the exit code 0 is a failure",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    let long = "x".repeat(1_000);
    let found_long = lints(&format!(
        "shell: [sh{}]\nsteps: [{{name: a, run: x}}]",
        format!(", {long}").repeat(50)
    ));
    assert!(found_long[0].len() < 1_000 && found_long[0].ends_with("…, …, -c]`"), "{found_long:?}");
    for (lint, part) in found.iter().zip(expected) {
        let (line, part) = part.split_once(' ').unwrap();
        assert!(lint.starts_with(line) && lint.contains(part), "no {line} {part:?} in {lint}");
    }
}

#[test]
fn regular_expressions_of_parameters_are_bounded_together() {
    let params = |count: usize, pattern: &str| {
        let list: String =
            (0..count).map(|n| format!("  p{n}: {{pattern: '{pattern}'}}\n")).collect();
        check(&format!("{STEPS}params:\n{list}")).map(|_| ())
    };
    assert_eq!(params(500, "v[0-9]+"), Ok(()));
    let error = params(50, r"\w{1,100}").unwrap_err().to_string();
    assert!(error.contains("too many regular expressions"), "{error}");
    // Those that are too large are not all tried.
    let problems = params(30, r"\w{900}").unwrap_err();
    let tried = problems.iter().filter(|it| it.message.contains("too large when")).count();
    assert_eq!((problems.iter().count(), tried), (30, 17));
}
