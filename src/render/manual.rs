//! wfx-workflow(5): the keys of a workflow document, from its schema.                      (pure)

use clap_mangen::roff::{Inline, Roff, bold, italic, roman};
use serde_json::Value;

/// What stands before the keys.
const ABOUT: [&str; 3] = [
    "A workflow is a JSON or YAML document, by the extension of its file: steps, what they depend on, and when \
     they start. wfx validate FILE checks one, wfx exec FILE runs one, and wfx serve runs those of a \
     folder.",
    "A key that begins with x- is ignored, whatever it has. Other keys that are not listed here are \
     errors. A duration is a text such as 500ms, 2s or 1m30s, or a number of seconds.",
    "The file _defaults.yaml in a folder of workflows has values for those of the folder that do not set \
     the keys themselves.",
];
/// A document that `wfx exec` runs; a test does.
const EXAMPLE: &str = "\
id: nightly
params: {target: staging}
schedule: {cron: \"30 2 * * *\", timezone: Europe/Berlin}
timeout: 1h
steps:
  - name: dump
    run: echo \"dump of $WFX_PARAM_TARGET\"
    retry: {max_attempts: 3, backoff: 10s}
  - name: check
    run: [test, -n, dump]
  - name: upload
    run: echo uploaded
    depends_on: [check]
on_failure:
  - name: clean
    run: echo \"$WFX_FAILED_STEP failed\"
";

/// A place in the document whose keys are described.
struct Place<'s> {
    /// Keys from the outermost one on.
    path: String,
    /// What may stand there.
    objects: Vec<&'s Value>,
}

/// The page, in the language of man(7), of this schema; `version` is that of wfx.
#[must_use]
pub(crate) fn workflow(schema: &Value, version: &str) -> String {
    let mut page = Roff::new();
    page.control("TH", ["wfx-workflow", "5", "", version, "File formats"]);
    page.control("SH", ["NAME"]);
    page.text([roman("wfx-workflow - the format of the workflows that wfx runs")]);
    page.control("SH", ["DESCRIPTION"]);
    for paragraph in ABOUT {
        page.control("PP", []);
        page.text([roman(paragraph)]);
    }
    let mut places = vec![Place { path: String::new(), objects: vec![schema] }];
    let mut described = 0;
    while let Some(Place { path, objects }) = places.get(described) {
        described += 1;
        let (path, objects) = (path.clone(), objects.clone());
        let title = match path.as_str() {
            "" => "KEYS OF A WORKFLOW".to_owned(),
            path => format!("KEYS OF {path}"),
        };
        page.control("SH", [title.as_str()]);
        let mut seen: Vec<&str> = Vec::new();
        for (object, key, value) in objects.iter().flat_map(|object| keys(object)) {
            if seen.contains(&key) {
                continue;
            }
            seen.push(key);
            page.control("TP", []);
            page.text([bold(key)]);
            let mut text = description(schema, value);
            // Where one of several may stand, each has its own.
            if objects.len() == 1 && is_required(object, key) {
                text += " Required.";
            }
            let mut line: Vec<Inline> = vec![roman(text.trim().to_owned())];
            let mut inner = Vec::new();
            collect_objects(schema, value, 0, &mut inner);
            if let Some(first) = inner.first() {
                let is_known = |place: &&Place<'_>| {
                    place.objects.iter().any(|known| std::ptr::eq(*known, *first))
                };
                let known = places.iter().find(is_known).map(|place| place.path.clone());
                let path = known.clone().unwrap_or_else(|| match path.as_str() {
                    "" => key.to_owned(),
                    path => format!("{path}.{key}"),
                });
                line.extend([roman(" Its keys: "), italic(path.clone()), roman(".")]);
                if known.is_none() {
                    places.push(Place { path, objects: inner });
                }
            }
            page.text(line);
        }
    }
    page.control("SH", ["EXAMPLE"]);
    page.control("nf", []);
    for line in EXAMPLE.lines() {
        page.text([roman(line)]);
    }
    page.control("fi", []);
    page.control("SH", ["SEE ALSO"]);
    page.text([
        bold("wfx"),
        roman("(1), "),
        bold("wfx-validate"),
        roman("(1), "),
        bold("wfx-exec"),
        roman("(1)"),
    ]);
    page.to_roff()
}

/// The keys of an object that say something of their own, with the object and what they may be.
fn keys(object: &Value) -> impl Iterator<Item = (&Value, &str, &Value)> {
    let all = object["properties"].as_object().into_iter().flatten();
    let says = |value: &Value| value.get("description").or_else(|| value.get("$ref")).is_some();
    all.filter(move |(_, value)| says(value)).map(move |(key, value)| (object, key.as_str(), value))
}

fn is_required(object: &Value, key: &str) -> bool {
    object["required"].as_array().is_some_and(|names| names.iter().any(|name| name == key))
}

/// What a `$ref` of the node names.
fn referred<'s>(schema: &'s Value, node: &Value) -> Option<&'s Value> {
    let name = node["$ref"].as_str()?.strip_prefix('#')?;
    schema.pointer(name)
}

/// What a value means, and what it may be.
fn description(schema: &Value, node: &Value) -> String {
    let mut sentences = Vec::new();
    let own = node["description"].as_str();
    sentences.extend(own.map(str::to_owned));
    add_forms(schema, node, own.is_none(), 0, &mut sentences);
    sentences.dedup();
    sentences.join(" ")
}

/// Adds what the node may be; `wants_meaning`: its own words do not say what it means.
fn add_forms(
    schema: &Value,
    node: &Value,
    wants_meaning: bool,
    depth: usize,
    sentences: &mut Vec<String>,
) {
    if depth > 3 {
        return;
    }
    if let Some(values) = node["enum"].as_array() {
        let values: Vec<String> = values.iter().map(text).collect();
        sentences.push(format!("One of {}.", values.join(", ")));
    }
    let (least, most) = (&node["minimum"], &node["maximum"]);
    // A bound that nobody reaches says nothing.
    if least.is_number() && most.as_i64().is_some_and(|most| most < i64::MAX) {
        sentences.push(format!("From {} to {}.", text(least), text(most)));
    }
    if node["type"] == "boolean" {
        sentences.push("true or false.".to_owned());
    }
    if let Some(target) = referred(schema, node) {
        let is_object = target["properties"].is_object();
        if wants_meaning && let Some(meaning) = target["description"].as_str() {
            sentences.push(meaning.to_owned());
        }
        if !is_object {
            add_forms(schema, target, wants_meaning, depth + 1, sentences);
        }
    }
    for option in node["oneOf"].as_array().into_iter().flatten() {
        if let Some(value) = option.get("const") {
            sentences.push(format!("Or {}.", text(value)));
        }
        let is_list = option["type"] == "array";
        let inner = if is_list { &option["items"] } else { option };
        if option["properties"].is_null() {
            add_forms(schema, inner, false, depth + 1, sentences);
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Collects the objects with keys of their own that a node may be or hold.
fn collect_objects<'s>(
    schema: &'s Value,
    node: &'s Value,
    depth: usize,
    objects: &mut Vec<&'s Value>,
) {
    if depth > 6 {
        return;
    }
    if keys(node).next().is_some() {
        if !objects.iter().any(|known| std::ptr::eq(*known, node)) {
            objects.push(node);
        }
        if node["$ref"].is_null() {
            return;
        }
    }
    let options = node["oneOf"].as_array().into_iter().flatten();
    let inner = [&node["items"], &node["additionalProperties"]].into_iter();
    let referred = referred(schema, node).into_iter();
    for next in options.chain(inner.filter(|next| next.is_object())).chain(referred) {
        collect_objects(schema, next, depth + 1, objects);
    }
}
