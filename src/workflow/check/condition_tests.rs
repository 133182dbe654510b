//! Conditions in documents: all problems at once, each with its place and a remedy.

use super::tests::{check, refused};

fn help(text: &str) -> Vec<String> {
    let problems = check(text).expect_err(text);
    problems.iter().map(|p| p.help.clone().unwrap_or_default()).collect()
}

#[test]
fn everything_wrong_with_conditions_is_reported_at_once() {
    let text = "\
params: {environment: dev}
steps:
  - name: build
  - name: a
    when: {param: enviroment, is: prod}
  - name: b
    when: {step: biuld, status: faild}
  - name: c
    when: {step: c, status: failed}
  - name: d
    when: {step: e, output: x, is: 1}
  - name: e
    depends_on: []
    when: {all: [{param: environment}, {step: build}, {param: environment, is: 1, in: [2]}]}
  - name: f
    when: yes
  - name: g
    when: [{param: environment, is: x}]
  - name: h
    when: {any: [], all: []}
  - name: i
    when: {any: []}
  - name: j
    when: {}
  - name: k
    when: {param: environment, matches: '('}
  - name: l
    when: {step: build, status: [], is: 1}
  - name: m
    when: {step: build, status: failed, output: x, is: 1}
  - name: n
    when: {not: {param: environment, is: null}, is: 1}
  - name: o
    run: x
    success_exit_codes: [0, 9]
    skip_exit_codes: [0, 256, 8-9, x]
  - name: p
    skip_exit_codes: 99
    continue_on_skip: maybe
  - name: q
    when: {step: build, status: [failed, failed]}
  - name: r
    when: {param: environment, equals: x, is: [1]}
";
    assert_eq!(
        refused(text),
        [
            "5:19 the workflow has no parameter `enviroment`",
            "7:18 no step is called `biuld`",
            "7:33 a step never ends as `faild`",
            "9:18 a step cannot test itself before it has run",
            "11:18 the step does not depend on `e`",
            "14:18 the condition compares with nothing",
            "14:47 the condition says nothing about the step",
            "14:47 the step does not depend on `build`",
            "14:55 a condition has one of `is`, `in`",
            "16:11 a condition is a map, not text",
            "18:11 a condition is a map, not a list",
            "20:11 a condition has one of `all`, `any`",
            "22:17 `any` is empty",
            "24:11 the condition tests nothing",
            "26:41 `(` is no regular expression that can be used: unclosed group",
            "28:18 the step does not depend on `build`",
            "28:33 `status` is empty",
            "28:41 `is` does not go with `status`",
            "30:18 the step does not depend on `build`",
            "30:33 a condition has one of `output` and `status`",
            "32:38 `is` has no value",
            "32:53 `is` does not go with `not`",
            "36:22 0 cannot be among `skip_exit_codes`",
            "36:22 0 is in `success_exit_codes` as well",
            "36:26 `256` is no exit code",
            "36:36 `x` is no exit code",
            "38:22 `skip_exit_codes` takes a list of exit codes, such as `[75, \"64-70\"]`, not the number `99`",
            "39:23 `continue_on_skip` takes `true` or `false`, not text",
            "41:18 the step does not depend on `build`",
            "41:42 `failed` stands twice in `status`",
            "43:32 the key `equals` is not known",
            "43:47 `is` takes text, a number, `true`, `false` or nothing, not a list",
        ]
    );
    let help = help(text);
    for remedy in [
        "did you mean `environment`?",
        "did you mean `build`?",
        "did you mean `failed`?",
        "add `e` to its `depends_on`",
        "write `all: […]` or `any: […]`",
        "test a step before it",
    ] {
        assert!(help.iter().any(|help| help == remedy), "{remedy}: {help:?}");
    }
}

#[test]
fn a_condition_may_name_what_the_step_depends_on_directly_or_not() {
    let when = "when: {any: [{step: a, status: success}, {step: b, output: x, is_not: 1}]}";
    check(&format!("steps: [{{name: a}}, {{name: b}}, {{name: c}}, {{name: d, {when}}}]")).unwrap();
    let apart = format!("steps: [{{name: a}}, {{name: b, depends_on: []}}, {{name: d, {when}}}]");
    assert_eq!(refused(&apart), ["1:77 the step does not depend on `a`"]);
}

#[test]
fn depth_and_size_are_bounded() {
    let nested = |depth: usize| {
        let when =
            format!("{}{{param: p, is: 1}}{}", "{not: ".repeat(depth - 1), "}".repeat(depth - 1));
        format!("params: {{p: 1}}\nsteps: [{{name: a, when: {when}}}]")
    };
    check(&nested(8)).unwrap();
    assert_eq!(refused(&nested(9)), ["2:73 conditions are nested more than 8 deep here"]);
    let wide = |clauses: usize| {
        let list = vec!["{param: p, is: 1}"; clauses].join(", ");
        format!("params: {{p: 1}}\nsteps: [{{name: a, when: {{any: [{list}]}}}}]")
    };
    check(&wide(255)).unwrap();
    for clauses in [256, 5_000] {
        let problems = refused(&wide(clauses));
        assert!(problems[0].ends_with("a condition has at most 256 clauses and values"));
        assert_eq!(problems.len(), 1, "{problems:?}");
    }
    let values = vec!["1"; 300].join(", ");
    let text =
        format!("params: {{p: 1}}\nsteps: [{{name: a, when: {{param: p, in: [{values}]}}}}]");
    assert_eq!(refused(&text).len(), 1);
}

#[test]
fn all_patterns_of_a_document_are_bounded_together() {
    let document = |steps: usize, pattern: &str| {
        let steps: String = (0..steps)
            .map(|n| format!("- {{name: s{n}, when: {{param: p, matches: '{pattern}'}}}}\n"))
            .collect();
        format!("params: {{p: 1}}\nsteps:\n{steps}")
    };
    check(&document(1_000, "^v[0-9]+$")).unwrap();
    check(&document(100, r"^\w+$")).unwrap();
    let problems = refused(&document(150, r"^\w+$"));
    assert_eq!(problems.len(), 22);
    assert!(problems[0].ends_with("the document has too many regular expressions"));
}
