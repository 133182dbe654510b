//! What is to be measured: endpoints, rates, what is sent and what is expected.

use std::collections::BTreeSet;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{Method, StatusCode};
use serde_json::Value;

pub(crate) use crate::base::fields::FieldsError as ScenarioError;

use crate::base::fields::Fields;
use crate::perf::tolerance::{Tolerance, Tolerances};

/// JSON Schema (draft 2020-12) of a scenario.
pub(crate) const SCHEMA: &str = include_str!("scenario.schema.json");

/// Requests in a second, of one endpoint.
pub(crate) const RATE_DEFAULT: f64 = 50.0;
/// How long is measured.
pub(crate) const DURATION_DEFAULT: Duration = Duration::from_secs(30);
/// How long is waited before.
pub(crate) const WARMUP_DEFAULT: Duration = Duration::from_secs(2);
/// The most requests in a second.
pub(crate) const RATE_MAX: f64 = 1_000_000.0;
/// More than none: one in eleven days.
const RATES: (f64, f64) = (1e-6, RATE_MAX);
/// The most endpoints.
pub(crate) const ENDPOINTS_MAX: usize = 1_000;

const KEYS: [&str; 6] = ["target", "rate", "duration", "warmup", "headers", "endpoints"];
const ENDPOINT_KEYS: [&str; 8] = [
    "endpoint",
    "name",
    "weight",
    "headers",
    "body",
    "expect",
    "tolerance_median",
    "tolerance_p95",
];

/// What is to be measured, as far as a scenario says it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Scenario {
    /// `http://host:port`, and a path that is put before all others.
    pub target: Option<String>,
    /// Requests in a second of an endpoint of weight 1.
    pub rate: Option<f64>,
    /// How long is measured.
    pub duration: Option<Duration>,
    /// How long is waited before.
    pub warmup: Option<Duration>,
    /// What is measured.
    pub endpoints: Vec<Endpoint>,
}

/// One endpoint, and a request of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Endpoint {
    /// Its name in the baseline.
    pub name: String,
    /// Its method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// How often it is requested, against the others.
    pub weight: f64,
    /// The headers to send: those of the endpoint, and the common ones that it does not set.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What is sent.
    pub body: Vec<u8>,
    /// The statuses that are no error; empty: every 2xx.
    pub expect: Vec<StatusCode>,
    /// How much slower it may be, if not as all others.
    pub tolerances: Tolerances,
}

impl Endpoint {
    /// An endpoint for `METHOD path`, without a body and with any 2xx expected.
    ///
    /// # Errors
    /// Why the text is none.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let refuse = || format!("`{text}` is no endpoint: write a method and a path, as `GET /x`");
        let words: Vec<_> = text.split_whitespace().collect();
        let [method, path] = words[..] else { return Err(refuse()) };
        let is_method = method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
        let method = Method::from_bytes(method.as_bytes()).ok().filter(|_| is_method);
        let is_path = path.starts_with('/') && path.parse::<http::Uri>().is_ok();
        let method = method.filter(|_| is_path).ok_or_else(refuse)?;
        Ok(Self {
            name: words.join(" "),
            method,
            path: path.to_owned(),
            weight: 1.0,
            headers: Vec::new(),
            body: Vec::new(),
            expect: Vec::new(),
            tolerances: Tolerances::default(),
        })
    }

    /// Takes these headers for those of the same names.
    pub(crate) fn beat(&mut self, headers: &[(HeaderName, HeaderValue)]) {
        self.headers.retain(|(name, _)| headers.iter().all(|(other, _)| other != name));
        self.headers.extend_from_slice(headers);
    }

    /// Whether an answer of this status is as it should be.
    #[must_use]
    pub(crate) fn expects(&self, status: StatusCode) -> bool {
        if self.expect.is_empty() { status.is_success() } else { self.expect.contains(&status) }
    }
}

/// A header as `Name: value`.
///
/// # Errors
/// Why the text is none.
pub(crate) fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or_else(|| "write `Name: value`".to_owned())?;
    header_of(name.trim(), value.trim())
}

fn header_of(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let parsed = name.parse().ok().zip(value.parse().ok());
    let (name, value) = parsed.ok_or_else(|| "it is no header of HTTP".to_owned())?;
    // A length that differs from the body would produce other requests.
    if name == CONTENT_LENGTH || name == TRANSFER_ENCODING {
        return Err(format!("wfx sends `{name}` itself, as the body needs it"));
    }
    Ok((name, value))
}

impl Scenario {
    /// Reads the tree of a document.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn read(document: &Value) -> Result<Self, ScenarioError> {
        let mut reader = Reader(Fields::of("the scenario"));
        let scenario = reader.scenario(document);
        reader.0.finish(scenario)
    }
}

struct Reader(Fields);

impl Reader {
    fn scenario(&mut self, document: &Value) -> Scenario {
        let Some(fields) = self.0.map("", document, &KEYS) else { return Scenario::default() };
        let shared = self.headers("/headers", fields.get("headers"));
        let listed = match fields.get("endpoints") {
            Some(Value::Array(items)) if (1..=ENDPOINTS_MAX).contains(&items.len()) => {
                items.as_slice()
            }
            _ => {
                let problem = format!("it needs a list of 1 to {ENDPOINTS_MAX} `endpoints`");
                self.0.add("", problem);
                &[]
            }
        };
        let endpoints: Vec<Endpoint> = (0..)
            .zip(listed)
            .filter_map(|(index, item)| {
                self.endpoint(&format!("/endpoints/{index}"), item, &shared)
            })
            .collect();
        let mut seen = BTreeSet::new();
        for endpoint in &endpoints {
            if !seen.insert(&endpoint.name) {
                let problem =
                    format!("two are called `{}`: give one of them a `name`", endpoint.name);
                self.0.add("/endpoints", problem);
            }
        }
        Scenario {
            target: self.0.text("/target", fields.get("target")),
            rate: self.0.number("/rate", fields.get("rate"), RATES),
            duration: self.0.period("/duration", fields.get("duration")),
            warmup: self.0.period("/warmup", fields.get("warmup")),
            endpoints,
        }
    }

    fn endpoint(
        &mut self,
        at: &str,
        item: &Value,
        shared: &[(HeaderName, HeaderValue)],
    ) -> Option<Endpoint> {
        if let Value::String(text) = item {
            let parsed = Endpoint::parse(text).map_err(|problem| self.0.add(at, problem)).ok()?;
            return Some(Endpoint { headers: shared.to_vec(), ..parsed });
        }
        let fields = self.0.map(at, item, &ENDPOINT_KEYS)?;
        let Some(Value::String(text)) = fields.get("endpoint") else {
            self.0.add(at, "it needs `endpoint`, such as `GET /x`");
            return None;
        };
        let parsed = Endpoint::parse(text);
        let mut endpoint =
            parsed.map_err(|problem| self.0.add(&format!("{at}/endpoint"), problem)).ok()?;
        if let Some(name) = self.0.text(&format!("{at}/name"), fields.get("name")) {
            endpoint.name = name;
        }
        let weight = self.0.number(&format!("{at}/weight"), fields.get("weight"), RATES);
        endpoint.weight = weight.unwrap_or(1.0);
        endpoint.headers = shared.to_vec();
        endpoint.beat(&self.headers(&format!("{at}/headers"), fields.get("headers")));
        endpoint.expect = self.statuses(&format!("{at}/expect"), fields.get("expect"));
        let mut tolerance = |name: &str| -> Option<Tolerance> {
            let text = self.0.text(&format!("{at}/{name}"), fields.get(name))?;
            text.parse().map_err(|why: String| self.0.add(&format!("{at}/{name}"), why)).ok()
        };
        endpoint.tolerances =
            Tolerances { median: tolerance("tolerance_median"), p95: tolerance("tolerance_p95") };
        match fields.get("body") {
            None => {}
            Some(Value::String(text)) => endpoint.body = text.clone().into_bytes(),
            Some(json) => {
                endpoint.body = json.to_string().into_bytes();
                let content_type = http::header::CONTENT_TYPE;
                if !endpoint.headers.iter().any(|(name, _)| *name == content_type) {
                    let json = HeaderValue::from_static("application/json");
                    endpoint.headers.push((content_type, json));
                }
            }
        }
        Some(endpoint)
    }

    fn headers(&mut self, at: &str, value: Option<&Value>) -> Vec<(HeaderName, HeaderValue)> {
        let fields = match value {
            None => return Vec::new(),
            Some(Value::Object(fields)) => fields,
            Some(_) => {
                self.0.add(at, "it has to be a map of names and values");
                return Vec::new();
            }
        };
        let mut headers = Vec::new();
        for (name, value) in fields {
            let text = value.as_str().ok_or_else(|| "its value has to be a text".to_owned());
            match text.and_then(|text| header_of(name, text)) {
                Ok(header) => headers.push(header),
                Err(why) => self.0.add(at, format!("`{name}` is no header: {why}")),
            }
        }
        headers
    }

    fn statuses(&mut self, at: &str, value: Option<&Value>) -> Vec<StatusCode> {
        let listed = match value {
            None => return Vec::new(),
            Some(Value::Array(items)) if !items.is_empty() => items.as_slice(),
            Some(one) => std::slice::from_ref(one),
        };
        let mut statuses = Vec::new();
        for item in listed {
            let number = item.as_u64().and_then(|number| u16::try_from(number).ok());
            match number.and_then(|number| StatusCode::from_u16(number).ok()) {
                Some(status) => statuses.push(status),
                None => self.0.add(at, format!("{item} is no status such as 201")),
            }
        }
        statuses
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_scenario_is_read_whole() {
        let scenario = Scenario::read(&json!({
            "target": "http://127.0.0.1:8080", "rate": 20.5, "duration": "1m", "warmup": 0,
            "headers": {"Authorization": "Bearer x"},
            "endpoints": [
                "GET /a?b=c",
                {"endpoint": "POST /orders", "name": "POST /orders (bulk)", "weight": 0.25,
                 "headers": {"X-Y": "z"}, "body": {"n": [1, 2.5]}, "expect": [201, 202]},
                {"endpoint": "PUT /t", "body": "a=b", "expect": 404},
            ],
        }));
        let scenario = scenario.unwrap();
        assert_eq!((scenario.rate, scenario.warmup), (Some(20.5), Some(Duration::ZERO)));
        assert_eq!(scenario.duration, Some(Duration::from_secs(60)));
        let [get, post, put] = &scenario.endpoints[..] else { panic!("{scenario:?}") };
        assert_eq!((get.name.as_str(), get.weight, get.headers.len()), ("GET /a?b=c", 1.0, 1));
        assert_eq!((post.name.as_str(), post.weight), ("POST /orders (bulk)", 0.25));
        assert_eq!(post.body, br#"{"n":[1,2.5]}"#);
        let names: Vec<_> = post.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["authorization", "x-y", "content-type"]);
        assert!(post.expects(StatusCode::CREATED) && !post.expects(StatusCode::OK));
        assert_eq!((put.body.as_slice(), put.headers.len()), (&b"a=b"[..], 1));
        assert!(get.expects(StatusCode::NO_CONTENT) && !get.expects(StatusCode::FOUND));
        assert!(put.expects(StatusCode::NOT_FOUND));
    }

    #[test]
    fn an_endpoint_may_have_its_own_tolerances() {
        let read = |tolerance: &str| {
            Scenario::read(&json!({"endpoints": [
                {"endpoint": "GET /a", "tolerance_median": tolerance, "tolerance_p95": "5ms"},
                "GET /b",
            ]}))
        };
        let scenario = read("10%").unwrap();
        assert_eq!(scenario.endpoints[0].tolerances.median, Some(Tolerance::Share(0.1)));
        assert!(scenario.endpoints[0].tolerances.p95.is_some());
        assert_eq!(scenario.endpoints[1].tolerances, Tolerances::default());
        let error = read("10").unwrap_err().to_string();
        assert!(error.contains("such as 10%"), "{error}");
    }

    #[test]
    fn headers_of_an_endpoint_beat_those_of_all() {
        let mut scenario = Scenario::read(&json!({
            "headers": {"Accept": "text/plain", "X-A": "a"},
            "endpoints": [{"endpoint": "GET /", "headers": {"accept": "application/json"}}],
        }))
        .unwrap();
        let text = |endpoint: &Endpoint| -> Vec<String> {
            let headers = endpoint.headers.iter();
            headers.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
        };
        let endpoint = &mut scenario.endpoints[0];
        assert_eq!(text(endpoint), ["x-a: a", "accept: application/json"]);
        endpoint.beat(&[header("X-A: b").unwrap(), header("X-A: c").unwrap()]);
        assert_eq!(text(endpoint), ["accept: application/json", "x-a: b", "x-a: c"]);
    }

    #[test]
    fn all_problems_are_reported_with_their_pointers() {
        let error = Scenario::read(&json!({
            "rat": 5, "rate": 0, "duration": "soon", "target": "", "headers": {"a b": "c"},
            "endpoints": ["get /x", {"name": "y"}, {"endpoint": "GET x"}, "GET /z", "GET /z",
                {"endpoint": "GET /w", "weight": -1, "expect": 99, "headers": [1], "bdy": 1}],
        }));
        let text = error.unwrap_err().to_string();
        for part in [
            "the scenario: `rat` is no key here; did you mean one of: rate?",
            "/rate: 0",
            "/duration: `soon`",
            "/target: \"\"",
            "/headers: `a b`",
            "/endpoints/0: `get /x`",
            "/endpoints/1: it needs `endpoint`",
            "/endpoints/2/endpoint: `GET x`",
            "/endpoints: two are called `GET /z`",
            "/endpoints/5/weight: -1",
            "/endpoints/5/expect: 99",
            "/endpoints/5/headers",
            "/endpoints/5: `bdy` is no key here; did you mean one of: body?",
        ] {
            assert!(text.contains(part), "no {part} in {text}");
        }
        for none in [json!([]), json!({}), json!({"endpoints": []}), json!({"endpoints": {}})] {
            assert!(Scenario::read(&none).is_err(), "{none}");
        }
        assert!(header("X-A: b").is_ok() && header("X").is_err() && header("a b: c").is_err());
        for framing in ["Content-Length: 3", "transfer-encoding: chunked"] {
            assert!(header(framing).unwrap_err().contains("itself"), "{framing}");
        }
    }
}
