//! The baseline: the recorded latencies of each endpoint.
//!
//! The file has the predecessor's format, version 2: `{"version": 2, "endpoints": {"GET /x":
//! {"median_ms": 40.0, "p95_ms": 85.0}}}`. wfx adds fields to an endpoint and preserves fields that
//! it does not know.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::stats::Latency;

/// The version that is read and written.
const VERSION: u64 = 2;
/// How a file that cannot be used is replaced.
const ANEW: &str =
    "correct it, or remove it and run once with UPDATE_BASELINE=true (--update-baseline)";

/// The endpoints of a baseline file, sorted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Baseline {
    endpoints: BTreeMap<String, Entry>,
    /// The other members of the file.
    extra: Map<String, Value>,
}

/// What an endpoint took.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Entry {
    /// The median.
    pub median: Latency,
    /// The 95th percentile; none: it is not judged.
    pub p95: Option<Latency>,
    /// How that was measured, as far as it is known.
    pub circumstances: Circumstances,
    /// Fields that wfx does not know.
    extra: Map<String, Value>,
}

/// How something was measured, as far as it is known.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Circumstances {
    /// How many requests the figures are of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<u64>,
    /// Requests of this endpoint in a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// The most connections that were open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<u64>,
    /// The tool that measured, such as `wfx` or `locust`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The machine on which wfx ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// When, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// The commit that was checked out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

/// Why a baseline cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BaselineError {
    message: String,
    hint: String,
    /// Its version is one that an update replaces.
    outdated: bool,
}

impl BaselineError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: ANEW.to_owned(), outdated: false }
    }

    /// What can be done.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.hint
    }

    /// Whether the file is of an older version, which an update replaces.
    #[must_use]
    pub fn is_outdated(&self) -> bool {
        self.outdated
    }
}

impl Baseline {
    /// Reads a file's text.
    ///
    /// # Errors
    /// What is wrong with it and where: not JSON, another version, a value that is no latency, a
    /// repeated key.
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        let text = text.trim_start_matches('\u{feff}');
        if text.trim().is_empty() {
            return Err(BaselineError::new("it is empty"));
        }
        let members: Members<Box<RawValue>> = serde_json::from_str(text)
            .map_err(|error| BaselineError::new(format!("it is no baseline: {error}")))?;
        let mut endpoints = None;
        let mut version = None;
        let mut extra = Map::new();
        for (key, raw) in members.unique("the file")? {
            match key.as_str() {
                "endpoints" => endpoints = Some(raw),
                "version" => version = Some(value(&raw)?),
                _ => _ = extra.insert(key, value(&raw)?),
            }
        }
        check_version(version.as_ref()).map_err(|error| BaselineError {
            outdated: error.outdated
                && (is_map(endpoints.as_deref()) || extra.values().all(is_figures)),
            ..error
        })?;
        let endpoints = endpoints.ok_or_else(|| BaselineError::new("it has no `endpoints`"))?;
        let members: Members<Box<RawValue>> = serde_json::from_str(endpoints.get())
            .map_err(|_| BaselineError::new("`endpoints` is no map from endpoints to figures"))?;
        let endpoints = members
            .unique("`endpoints`")?
            .map(|(key, raw)| Entry::parse(&key, &raw).map(|entry| (key, entry)))
            .collect::<Result<_, _>>()?;
        Ok(Self { endpoints, extra })
    }

    /// The endpoint's figures.
    #[must_use]
    pub fn get(&self, endpoint: &str) -> Option<&Entry> {
        self.endpoints.get(endpoint)
    }

    /// The same with only those endpoints for whose key `keep` is true.
    #[must_use]
    pub fn only(mut self, is_kept: impl Fn(&str) -> bool) -> Self {
        self.endpoints.retain(|key, _| is_kept(key));
        self
    }

    /// All endpoints, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.endpoints.iter().map(|(key, entry)| (key.as_str(), entry))
    }

    /// Replaces the figures of measured endpoints, leaves the others, and returns the changes.
    pub fn update(&mut self, new: impl IntoIterator<Item = (String, Entry)>) -> Changes {
        let mut changes = Changes { kept: self.endpoints.len(), ..Changes::default() };
        for (key, mut entry) in new {
            let old = self.endpoints.remove(&key);
            if let Some(old) = &old {
                changes.kept -= 1;
                entry.extra.clone_from(&old.extra);
            }
            changes.endpoints.push(Change {
                endpoint: key.clone(),
                median: (old.as_ref().map(|old| old.median), entry.median),
                p95: (old.as_ref().and_then(|old| old.p95), entry.p95),
            });
            self.endpoints.insert(key, entry);
        }
        changes.endpoints.sort_by(|a, b| a.endpoint.cmp(&b.endpoint));
        changes
    }

    /// The text of the file, endpoints sorted.
    ///
    /// # Errors
    /// When a value cannot be written as JSON.
    pub fn render(&self) -> serde_json::Result<String> {
        let mut endpoints = Map::new();
        for (key, entry) in &self.endpoints {
            endpoints.insert(key.clone(), entry.to_json()?);
        }
        let mut file = Map::new();
        file.insert("version".to_owned(), VERSION.into());
        file.insert("endpoints".to_owned(), endpoints.into());
        file.extend(self.extra.clone());
        Ok(crate::base::json::to_string_pretty(&file)? + "\n")
    }
}

impl Entry {
    /// Figures and how they were measured.
    #[must_use]
    pub fn new(median: Latency, p95: Option<Latency>, circumstances: Circumstances) -> Self {
        Self { median, p95, circumstances, extra: Map::new() }
    }

    fn parse(endpoint: &str, raw: &RawValue) -> Result<Self, BaselineError> {
        let members: Members<Value> = serde_json::from_str(raw.get()).map_err(|_| {
            BaselineError::new(format!("`{endpoint}` is no map with `median_ms` and `p95_ms`"))
        })?;
        let (mut median, mut p95) = (None, None);
        let mut fields = Map::new();
        for (key, value) in members.unique(&format!("`{endpoint}`"))? {
            match key.as_str() {
                "median_ms" => median = Some(latency(endpoint, &key, &value)?),
                "p95_ms" => p95 = Some(latency(endpoint, &key, &value)?),
                _ => _ = fields.insert(key, value),
            }
        }
        let median =
            median.ok_or_else(|| BaselineError::new(format!("`{endpoint}` has no `median_ms`")))?;
        // Fields of these names with values of another type belong to another tool and are left
        // alone.
        let known = serde_json::from_value(Value::Object(fields.clone()));
        let circumstances: Circumstances = known.unwrap_or_default();
        if let Ok(Value::Object(written)) = serde_json::to_value(&circumstances) {
            fields.retain(|key, _| !written.contains_key(key));
        }
        Ok(Self { median, p95, circumstances, extra: fields })
    }

    fn to_json(&self) -> serde_json::Result<Value> {
        let mut fields = Map::new();
        fields.insert("median_ms".to_owned(), serde_json::to_value(self.median)?);
        if let Some(p95) = self.p95 {
            fields.insert("p95_ms".to_owned(), serde_json::to_value(p95)?);
        }
        if let Value::Object(circumstances) = serde_json::to_value(&self.circumstances)? {
            fields.extend(circumstances);
        }
        for (key, value) in &self.extra {
            fields.entry(key.clone()).or_insert_with(|| value.clone());
        }
        Ok(fields.into())
    }
}

/// What an update changes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Changes {
    /// The endpoints that got new figures, sorted.
    pub endpoints: Vec<Change>,
    /// How many others stay as they were.
    pub kept: usize,
}

/// The change of one endpoint by an update: old and new figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The endpoint.
    pub endpoint: String,
    /// The median; none before: the endpoint is new.
    #[serde(rename = "median_ms")]
    pub median: (Option<Latency>, Latency),
    /// The 95th percentile.
    #[serde(rename = "p95_ms")]
    pub p95: (Option<Latency>, Option<Latency>),
}

fn check_version(version: Option<&Value>) -> Result<(), BaselineError> {
    let outdated = |message: String| BaselineError {
        message,
        hint: "run once with UPDATE_BASELINE=true (--update-baseline), which replaces it"
            .to_owned(),
        outdated: true,
    };
    let Some(version) = version else {
        return Err(outdated("it names no `version`, as files before version 2".to_owned()));
    };
    match version.as_f64() {
        Some(2.0) => Ok(()),
        Some(number) if number < 2.0 => {
            Err(outdated(format!("it is of version {version}; wfx reads version {VERSION}")))
        }
        Some(_) => Err(BaselineError {
            hint: "use the wfx that wrote it, or a newer one".to_owned(),
            ..BaselineError::new(format!(
                "it is of version {version}; this wfx reads version {VERSION}"
            ))
        }),
        None => Err(BaselineError::new(format!("`version` is {version} and no number"))),
    }
}

/// Whether there is nothing but numbers: what else may be in it, an update must not lose.
fn is_figures(value: &Value) -> bool {
    match value {
        Value::Number(_) => true,
        Value::Object(members) => members.values().all(is_figures),
        _ => false,
    }
}

fn is_map(raw: Option<&RawValue>) -> bool {
    raw.is_some_and(|raw| raw.get().starts_with('{'))
}

fn value(raw: &RawValue) -> Result<Value, BaselineError> {
    serde_json::from_str(raw.get()).map_err(|error| BaselineError::new(error.to_string()))
}

fn latency(endpoint: &str, field: &str, value: &Value) -> Result<Latency, BaselineError> {
    value.as_number().and_then(|number| Latency::from_ms(number.as_f64()?)).ok_or_else(|| {
        BaselineError::new(format!("`{field}` of `{endpoint}` is {value} and no latency"))
    })
}

/// The members of a JSON object in their order, repeated keys included.
struct Members<T>(Vec<(String, T)>);

impl<T> Members<T> {
    /// The members of `what`, after a check that no key is repeated.
    fn unique(self, what: &str) -> Result<impl Iterator<Item = (String, T)>, BaselineError> {
        let mut seen = BTreeSet::new();
        if let Some((key, _)) = self.0.iter().find(|(key, _)| !seen.insert(key)) {
            return Err(BaselineError::new(format!("`{key}` stands twice in {what}")));
        }
        Ok(self.0.into_iter())
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Members<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);

        impl<'de, T: DeserializeOwned> Visitor<'de> for Reader<T> {
            type Value = Members<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Reader(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREDECESSOR: &str =
        r#"{"version": 2, "endpoints": {"GET /api/v1/ping": {"median_ms": 40.0, "p95_ms": 85}}}"#;

    fn ms(ms: f64) -> Latency {
        Latency::from_ms(ms).unwrap()
    }

    #[test]
    fn a_file_of_the_predecessor_is_read() {
        let baseline = Baseline::parse(PREDECESSOR).unwrap();
        let entry = baseline.get("GET /api/v1/ping").unwrap();
        assert_eq!((entry.median, entry.p95), (ms(40.0), Some(ms(85.0))));
        assert_eq!(baseline.get("GET /"), None);
    }

    #[test]
    fn an_update_is_sorted_and_preserves_unknown_fields() {
        let text = r#"{"note": "x", "version": 2, "endpoints": {
            "GET /b": {"median_ms": 1, "owner": "team b", "samples": 5, "rate": "much"},
            "GET /c": {"median_ms": 3, "p95_ms": 4.5, "x": {"y": null}}}}"#;
        let mut baseline = Baseline::parse(text).unwrap();
        let circumstances = Circumstances { samples: Some(100), ..Circumstances::default() };
        let changes = baseline.update([
            ("GET /b".to_owned(), Entry::new(ms(2.0), Some(ms(3.0)), circumstances)),
            ("GET /a".to_owned(), Entry::new(ms(7.0), None, Circumstances::default())),
        ]);
        assert_eq!(changes.kept, 1);
        let medians: Vec<_> =
            changes.endpoints.iter().map(|c| (c.endpoint.as_str(), c.median)).collect();
        assert_eq!(medians, [("GET /a", (None, ms(7.0))), ("GET /b", (Some(ms(1.0)), ms(2.0)))]);
        let rendered = baseline.render().unwrap();
        let expected = serde_json::json!({"version": 2, "endpoints": {
            "GET /a": {"median_ms": 7.0},
            "GET /b": {"median_ms": 2.0, "p95_ms": 3.0, "samples": 100, "owner": "team b",
                       "rate": "much"},
            "GET /c": {"median_ms": 3.0, "p95_ms": 4.5, "x": {"y": null}}}, "note": "x"});
        assert_eq!(rendered, serde_json::to_string_pretty(&expected).unwrap() + "\n");
        assert_eq!(Baseline::parse(&rendered).unwrap().render().unwrap(), rendered);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, message) in [
            ("", "empty"),
            ("[1]", "no baseline"),
            (r#"{"version": 2, "endpoints": {"GET /x": {"median_ms": NaN}}}"#, "no baseline"),
            (r#"{"version": 2}"#, "no `endpoints`"),
            (r#"{"version": 2, "endpoints": []}"#, "no map"),
            (r#"{"version": 2, "endpoints": {"GET /x": 3}}"#, "`GET /x` is no map"),
            (r#"{"version": 2, "endpoints": {"GET /x": {"p95_ms": 3}}}"#, "no `median_ms`"),
            (r#"{"version": 2, "endpoints": {"A": {"median_ms": null}}}"#, "of `A` is null"),
            (r#"{"version": 2, "endpoints": {"A": {"median_ms": 1, "p95_ms": null}}}"#, "p95_ms"),
            (r#"{"version": 2, "endpoints": {"A": {"median_ms": -1}}}"#, "-1 and no latency"),
            (r#"{"version": 2, "endpoints": {"A": {"median_ms": "1"}}}"#, "no latency"),
            (r#"{"version": 2, "endpoints": {"A": {"median_ms": 1e999}}}"#, "no latency"),
            (r#"{"version": 2, "endpoints": {"A": {"median_ms": 1}, "A": 2}}"#, "`A` stands twice"),
            (r#"{"version": "2", "endpoints": {}}"#, "no number"),
            (r#"{"version": 3, "endpoints": {}}"#, "version 3"),
        ] {
            let error = Baseline::parse(text).unwrap_err();
            assert!(error.to_string().contains(message), "{text}: {error}");
            assert!(!error.is_outdated(), "{text}");
        }
    }

    #[test]
    fn what_was_never_a_baseline_is_not_outdated() {
        for text in [
            r#"{"compilerOptions": {"strict": true}}"#,
            r#"{"version": 1, "disable_existing_loggers": false}"#,
            r#"{"name": "x", "endpoints": ["GET /x"]}"#,
        ] {
            let error = Baseline::parse(text).unwrap_err();
            assert!(!error.is_outdated() && error.to_string().contains("version"), "{error}");
        }
    }

    #[test]
    fn older_versions_are_refused_with_the_remedy() {
        for text in [
            r#"{"version": 1, "endpoints": {"GET /x": {"median_ms": 1}}}"#,
            r#"{"version": 1.0}"#,
            r#"{"GET /x": 40.0}"#,
        ] {
            let error = Baseline::parse(text).unwrap_err();
            assert!(error.is_outdated(), "{text}: {error}");
            assert!(error.hint().contains("UPDATE_BASELINE=true"), "{}", error.hint());
        }
    }
}
