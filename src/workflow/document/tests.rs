use proptest::prelude::*;

use super::super::problem::Problems;
use super::*;

fn tree(text: &str, format: Format) -> Node {
    let mut findings = Findings::default();
    let root = read(text, format, &mut findings);
    assert!(findings.is_empty(), "{}", Problems::new("doc", text, findings));
    root.unwrap()
}

fn yaml(text: &str) -> serde_json::Value {
    tree(text, Format::Yaml).to_json()
}

/// `line:column message` of each problem.
fn refused(text: &str, format: Format) -> Vec<String> {
    let mut findings = Findings::default();
    let root = read(text, format, &mut findings);
    assert!(!findings.is_empty(), "{text:?} was read as {root:?}");
    let problems = Problems::new("doc", text, findings);
    let span = |n: Option<usize>| n.unwrap_or(0);
    problems.iter().map(|p| format!("{}:{} {}", span(p.line), span(p.column), p.message)).collect()
}

fn entry<'n>(node: &'n Node, key: &str) -> &'n Entry {
    match &node.value {
        Value::Map(entries) => entries.iter().find(|entry| entry.key == key).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn slice(text: &str, span: Option<Span>) -> &str {
    let span = span.unwrap();
    &text[span.start..span.end]
}

#[test]
fn spans_cover_keys_and_scalars_as_written() {
    for (text, format) in [
        ("\u{feff}né: 'v1'\nmap:\n  k: 1.10 # note\n", Format::Yaml),
        ("\u{feff}{\"né\": \"v1\",\n\t\"map\": {\"k\": 1.10}}", Format::Json),
    ] {
        let root = tree(text, format);
        assert_eq!(slice(text, entry(&root, "né").span).trim_matches('"'), "né");
        assert_eq!(&slice(text, entry(&root, "né").value.span)[1..3], "v1");
        assert_eq!(slice(text, entry(&entry(&root, "map").value, "k").value.span), "1.10");
    }
}

#[test]
fn json_specialities_are_read_as_json_says() {
    let long = "k".repeat(5_000);
    let text = format!(
        "{{\t\"\\ud83d\\ude00\":\r\n\t\"a\\/b\",\"\":1e5,\"{long}\":[123456789012345678901234567890,-0.0]}}"
    );
    let value = tree(&text, Format::Json).to_json();
    assert_eq!(value["😀"], "a/b");
    assert_eq!(value[""].to_string(), "1e+5");
    assert_eq!(value[long].to_string(), "[123456789012345678901234567890,-0.0]");
}

#[test]
fn json_is_strict() {
    for (text, span) in [
        ("{\"a\": 1,}", "1:9"),
        ("{\"a\": 1} x", "1:10"),
        ("{\n  // no\n}", "2:3"),
        ("{'a': 1}", "1:2"),
        ("{\"a\": 01}", "1:8"),
        ("{\"a\": \"\u{1}\"}", "1:7"),
        ("{\"é\": \"\\ud800\"}", "1:7"),
        ("[1", "1:2"),
    ] {
        let problems = refused(text, Format::Json);
        assert!(
            problems[0].starts_with(&format!("{span} this is not JSON: ")),
            "{text} {problems:?}"
        );
    }
}

#[test]
fn all_repeated_keys_are_reported_with_their_spans() {
    for (text, format) in [
        ("a: 1\nb: {c: 1, c: 2}\na: 2\na: 3\n", Format::Yaml),
        ("{\"a\": 1,\n\"b\": {\"c\": 1, \"c\": 2},\n\"a\": 2,\n\"a\": 3}", Format::Json),
    ] {
        let lines: Vec<String> = refused(text, format)
            .iter()
            .map(|problem| problem.split(':').next().unwrap().to_owned())
            .collect();
        assert_eq!(lines, ["2", "3", "4"]);
    }
}

#[test]
fn anchors_aliases_and_merge_keys_are_expanded() {
    assert_eq!(
        yaml("base: &b {x: 1, y: 2}\nmore: &m {y: 3, z: 4}\nall: {<<: [*b, *m], x: 0}\ncopy: *b\n")
            .to_string(),
        serde_json::json!({
            "base": {"x": 1, "y": 2}, "more": {"y": 3, "z": 4},
            "all": {"x": 0, "y": 2, "z": 4}, "copy": {"x": 1, "y": 2},
        })
        .to_string()
    );
    assert_eq!(yaml("'<<': 1\n")["<<"], 1);
    assert_eq!(refused("a: {<<: 1}", Format::Yaml), ["1:9 `<<` merges maps, not the number `1`"]);
    assert!(refused("a: &a [*a]", Format::Yaml)[0].starts_with("1:8 this alias"));
    assert!(refused("a: *nowhere", Format::Yaml)[0].starts_with("1:4 this is not YAML"));
}

#[test]
fn a_problem_within_an_anchor_is_reported_once() {
    assert_eq!(refused("a: &a {k: 1, k: 2}\nb: *a\nc: *a\n", Format::Yaml).len(), 1);
}

#[test]
fn alias_bombs_and_deep_nesting_are_refused() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let alias = format!("*a{}", level - 1);
        bomb += &format!("a{level}: &a{level} [{}]\n", [alias.as_str(); 10].join(", "));
    }
    assert!(refused(&bomb, Format::Yaml)[0].contains("holds too much"));
    let large = format!("a: &a {}\nb: [{}]\n", "x".repeat(1_000_000), "*a, ".repeat(1_000));
    assert!(refused(&large, Format::Yaml)[0].contains("holds too much"));

    for format in [Format::Json, Format::Yaml] {
        let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        tree(&nested(DEPTH_MAX), format);
        assert!(refused(&nested(DEPTH_MAX + 1), format)[0].contains("nested more than 64 deep"));
        refused(&nested(100_000), format);
    }
    refused(&"- ".repeat(100_000), Format::Yaml);
    refused(&"? ".repeat(100_000), Format::Yaml);
    let chain: String = (1..100).map(|n| format!("a{n}: &a{n} [*a{}]\n", n - 1)).collect();
    assert!(refused(&format!("a0: &a0 []\n{chain}"), Format::Yaml)[0].contains("nested more than"));
}

#[test]
fn one_document_and_only_one() {
    assert_eq!(yaml("---\na: 1\n...\n")["a"], 1);
    assert!(refused("a: 1\n---\nb: 2\n", Format::Yaml)[0].starts_with("2:1 a second document"));
    for empty in ["", "\u{feff}", "  \n\n", "# only this\n", "---\n", "---\n# x\n..."] {
        assert!(refused(empty, Format::Yaml)[0].contains("the document is empty"), "{empty:?}");
    }
    assert!(refused(" \n", Format::Json)[0].contains("the document is empty"));
}

#[test]
fn keys_are_text() {
    assert_eq!(
        yaml("1: a\ntrue: b\nnull: c\n0x1f: d\n").to_string(),
        r#"{"1":"a","true":"b","null":"c","0x1f":"d"}"#
    );
    assert!(refused("[a]: 1", Format::Yaml)[0].contains("cannot be a key"));
    assert!(refused("{a: 1}: 1", Format::Yaml)[0].contains("cannot be a key"));
    assert!(refused(": 1", Format::Yaml)[0].contains("a key is missing"));
    assert!(
        refused("x-a: {\"$serde_json::private::Number\": \"1\"}", Format::Yaml)[0]
            .contains("cannot be kept")
    );
}

#[test]
fn tags_of_the_core_schema_only() {
    assert_eq!(
        yaml("a: !!str 5\nb: ! 6\nc: !!int '7'\nd: !!seq []\ne: !!map {}\n").to_string(),
        r#"{"a":"5","b":"6","c":7,"d":[],"e":{}}"#
    );
    for text in [
        "a: !secret x",
        "a: !!binary aGk=",
        "a: !!set {x}",
        "a: !!int x",
        "a: !!map []",
        "a: !include x.yaml",
    ] {
        refused(text, Format::Yaml);
    }
}

#[test]
fn a_tab_as_indentation_has_a_remedy() {
    let text = "a:\n\tb: 1\n";
    let mut findings = Findings::default();
    read(text, Format::Yaml, &mut findings);
    assert!(Problems::new("doc", text, findings).to_string().contains("spaces"));
}

#[test]
fn standard_input_is_json_when_it_starts_like_an_object() {
    for (text, format) in [
        ("{\"steps\": []}", Format::Json),
        ("\u{feff} {\n\t\"a\": 1,}", Format::Json),
        ("{}", Format::Json),
        ("{steps: []}", Format::Yaml),
        ("steps: []", Format::Yaml),
        ("", Format::Yaml),
    ] {
        assert_eq!(sniff(text), format, "{text:?}");
    }
}

#[test]
fn a_document_beyond_the_size_is_not_parsed() {
    assert!(refused(&"#".repeat(DOCUMENT_BYTES_MAX + 1), Format::Yaml)[0].contains("too large"));
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_filter("JSON has no infinity", |f| f.is_finite()).prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
            prop::collection::hash_map(any::<String>(), inner, 0..8)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_json_value_reads_back_as_itself(value in json_value()) {
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            prop_assert_eq!(tree(&text, Format::Json).to_json(), value.clone());
        }
        prop_assert_eq!(Node::from_json(&value).to_json(), value);
    }
}
