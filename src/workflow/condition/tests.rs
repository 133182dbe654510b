use super::*;
use crate::workflow::check::{self, Format, Source};
use crate::workflow::definition::Definition;

/// The condition of the last step of a workflow.
fn condition(when: &str) -> Condition {
    let text = format!(
        "params: {{env: dev, n: 1.10, on: true, empty: ''}}\nsteps:\n- {{name: a}}\n- {{name: b, when: {when}}}"
    );
    let definition = read(&text);
    let again = read(&serde_json::to_string(&definition).unwrap());
    assert_eq!(again, definition, "{when}");
    definition.steps[1].flow.when.clone().unwrap()
}

fn read(text: &str) -> Definition {
    let source = Source { name: "w", text, format: Format::Yaml, default_id: Some("w") };
    check::read(&source).unwrap_or_else(|problems| panic!("{problems}"))
}

fn params() -> Parameters {
    let number: serde_json::Number = serde_json::from_str("1.10").unwrap();
    Parameters::from([
        ("env".to_owned(), Scalar::String("dev".to_owned())),
        ("n".to_owned(), Scalar::Number(number)),
        ("on".to_owned(), Scalar::Bool(true)),
        ("empty".to_owned(), Scalar::String(String::new())),
    ])
}

fn refusal(when: &str, state: &StepState) -> Option<String> {
    let params = params();
    let mut condition = condition(when);
    condition.resolve(&|name| (name == "a").then_some(0));
    condition.refusal(&Facts { params: &params, steps: std::slice::from_ref(state) })
}

fn holds(when: &str, state: &StepState) -> bool {
    refusal(when, state).is_none()
}

fn a(status: StepStatus, outputs: &[(&str, &str)]) -> StepState {
    let outputs = outputs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
    StepState { status, outputs, ..StepState::default() }
}

#[test]
fn every_form_is_true_and_false() {
    let state = a(StepStatus::Failed, &[("rows", "7"), ("text", "two\nlines"), ("none", "")]);
    for (when, expected) in [
        ("{param: env, is: dev}", true),
        ("{param: env, is: Dev}", false),
        ("{param: env, is_not: prod}", true),
        ("{param: env, is_not: dev}", false),
        ("{param: env, in: [prod, dev]}", true),
        ("{param: env, in: [prod]}", false),
        ("{param: env, matches: '^d.v$'}", true),
        ("{param: env, matches: '^e'}", false),
        ("{param: env, matches: e}", true),
        // As the text that `WFX_PARAM_…` holds.
        ("{param: n, is: 1.10}", true),
        ("{param: n, is: '1.10'}", true),
        ("{param: n, is: 1.1}", false),
        ("{param: on, is: true}", true),
        ("{param: on, is: 'true'}", true),
        ("{param: on, is: 'True'}", false),
        ("{param: on, is: 1}", false),
        ("{param: empty, is: ''}", true),
        ("{param: empty, is_not: ''}", false),
        ("{step: a, output: rows, is: 7}", true),
        ("{step: a, output: rows, is: 7.0}", false),
        ("{step: a, output: rows, in: [5, 6, 7]}", true),
        ("{step: a, output: text, is: \"two\\nlines\"}", true),
        ("{step: a, output: text, matches: '^lines$'}", false),
        ("{step: a, output: text, matches: '(?m)^lines$'}", true),
        ("{step: a, output: none, is: ''}", true),
        // Of an output that is missing only `is_not` is true.
        ("{step: a, output: gone, is: ''}", false),
        ("{step: a, output: gone, in: ['']}", false),
        ("{step: a, output: gone, matches: ''}", false),
        ("{step: a, output: gone, is_not: ''}", true),
        ("{step: a, output: gone, is_not: 7}", true),
        ("{step: a, status: failed}", true),
        ("{step: a, status: [success, failed]}", true),
        ("{step: a, status: success}", false),
        ("{step: a, status: [skipped, cancelled, interrupted]}", false),
        ("{all: [{param: env, is: dev}, {step: a, status: failed}]}", true),
        ("{all: [{param: env, is: dev}, {step: a, status: success}]}", false),
        ("{any: [{param: env, is: prod}, {step: a, status: failed}]}", true),
        ("{any: [{param: env, is: prod}, {step: a, status: success}]}", false),
        ("{not: {param: env, is: prod}}", true),
        ("{not: {param: env, is: dev}}", false),
        ("{not: {step: a, output: gone, is: x}}", true),
        ("{not: {all: [{not: {param: on, is: true}}]}}", true),
    ] {
        assert_eq!(holds(when, &state), expected, "{when}");
    }
}

#[test]
fn each_status_is_its_own() {
    for status in StepStatus::ALL.into_iter().filter(|status| status.is_terminal()) {
        for tested in StepStatus::ALL.into_iter().filter(|status| status.is_terminal()) {
            let when = format!("{{step: a, status: {tested}}}");
            assert_eq!(holds(&when, &a(status, &[])), status == tested, "{status} {tested}");
        }
    }
}

#[test]
fn the_error_names_the_clause_that_decided() {
    let state = a(StepStatus::Success, &[("rows", "0 \u{1b}[31m")]);
    for (when, error) in [
        ("{param: env, is: prod}", "{param: env, is: prod}: the parameter is `dev`"),
        (
            "{all: [{param: on, is: true}, {any: [{step: a, status: [failed, skipped]}]}]}",
            "{step: a, status: [failed, skipped]}: the step is success",
        ),
        ("{not: {param: env, is: dev}}", "{not: {param: env, is: dev}}: the parameter is `dev`"),
        (
            "{not: {any: [{param: n, is: 2}, {param: on, is: true}]}}",
            "{param: on, is: true}: the parameter is `true`",
        ),
        (
            "{any: [{param: n, is: 2}, {param: on, is: 'no way'}]}",
            "{any: [{param: n, is: 2}, {param: on, is: \"no way\"}]}: none of them is true",
        ),
        (
            "{step: a, output: rows, matches: '^[1-9]'}",
            "{step: a, output: rows, matches: \"^[1-9]\"}: the output is `0 \\u{1b}[31m`",
        ),
        ("{step: a, output: x, is: 1}", "{step: a, output: x, is: 1}: the step has no such output"),
    ] {
        let expected = format!("its `when` is false: {error}");
        assert_eq!(refusal(when, &state).unwrap(), expected, "{when}");
    }
    let long = format!("{{param: env, is: '{}'}}", "x".repeat(5_000));
    assert!(refusal(&long, &state).unwrap().len() < 400);
}

/// Each takes exponential or quadratic time where an engine backtracks; here, the time is linear
/// in the text, and a test that did not end would fail.
#[test]
fn patterns_that_blow_up_elsewhere_are_linear() {
    let long = "a".repeat(60_000);
    let state = a(StepStatus::Success, &[("x", &format!("{long}!"))]);
    for pattern in [
        "^(a+)+$",
        "^(a|aa)+$",
        "^(a|a)*$",
        "^(a*)*b",
        "(x+x+)+y",
        "^(.*a){12}b$",
        "([a-z]+)*[0-9]",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
    ] {
        let when = format!("{{step: a, output: x, matches: '{pattern}'}}");
        assert!(!holds(&when, &state), "{pattern}");
    }
}

#[test]
fn patterns_are_bounded() {
    for pattern in [
        "a{1000}{1000}".to_owned(),
        "(((a{100}){100}){100}){100}".to_owned(),
        format!("{}a{}", "(".repeat(100), ")".repeat(100)),
        "x".repeat(Pattern::BYTES_MAX + 1),
        r"\w{1,50}".to_owned(),
        "(?=look)".to_owned(),
        r"(a)\1".to_owned(),
        "(".to_owned(),
    ] {
        let error = Pattern::new(&pattern).unwrap_err();
        assert!(!error.is_empty() && !error.contains('\n'), "{pattern}: {error}");
    }
    // What people write fits.
    for pattern in [
        r"^v\d+\.\d+\.\d+(-[\w.]+)?$",
        r"^\p{Lu}\w+$",
        r"(?i)^(error|warning):\s",
        "^[0-9a-f]{40}$",
    ] {
        assert!(Pattern::new(pattern).is_ok(), "{pattern}: {:?}", Pattern::new(pattern));
    }
}
