//! `TRACK_ENDPOINTS`: which endpoints are judged.

use std::fmt;

/// Substrings, one of which has to occur in an endpoint; if empty, every endpoint is tracked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter(Vec<String>);

impl Filter {
    /// Reads substrings separated by commas; spaces around them do not count.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        Self(parts.map(str::to_owned).collect())
    }

    /// Whether the endpoint is judged.
    #[must_use]
    pub fn matches(&self, endpoint: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|part| endpoint.contains(part.as_str()))
    }

    /// The substrings that are in none of `endpoints`: mistyped, as a rule.
    pub fn unmatched<'a>(&'a self, endpoints: &[&str]) -> Vec<&'a str> {
        let parts = self.0.iter().map(String::as_str);
        parts.filter(|part| !endpoints.iter().any(|endpoint| endpoint.contains(part))).collect()
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_the_substrings_is_enough() {
        let filter = Filter::new(" ping, POST ,");
        assert!(filter.matches("GET /api/v1/ping") && filter.matches("POST /orders"));
        assert!(!filter.matches("GET /Ping"));
        assert!(Filter::new("").matches("anything"));
        assert_eq!(filter.unmatched(&["GET /ping"]), ["POST"]);
        assert_eq!(filter.to_string(), "ping,POST");
    }
}
