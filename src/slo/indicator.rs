//! The indicators of a service: its error rates and its latency.

/// An indicator, in the order of judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Indicator {
    /// The share of 4xx and 5xx.
    ErrorRate,
    /// The share of 5xx.
    ErrorRate5xx,
    /// The share of 4xx.
    ErrorRate4xx,
    /// The 95th percentile of the latency.
    LatencyP95,
}

impl Indicator {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::ErrorRate, Self::ErrorRate5xx, Self::ErrorRate4xx, Self::LatencyP95];

    /// The type of its alerts.
    #[must_use]
    pub fn alert_type(self) -> &'static str {
        match self {
            Self::ErrorRate => "slo_error_rate_breach",
            Self::ErrorRate5xx => "slo_5xx_error_rate_breach",
            Self::ErrorRate4xx => "slo_4xx_error_rate_breach",
            Self::LatencyP95 => "slo_latency_p95_breach",
        }
    }

    /// The field of its value.
    #[must_use]
    pub fn field(self) -> &'static str {
        match self {
            Self::ErrorRate => "error_rate",
            Self::ErrorRate5xx => "error_rate_5xx",
            Self::ErrorRate4xx => "error_rate_4xx",
            Self::LatencyP95 => "latency_p95",
        }
    }

    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

/// A set of signals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Indicators(u8);

impl Indicators {
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// Those in either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the signal is in it.
    #[must_use]
    pub fn contains(self, indicator: Indicator) -> bool {
        self.0 & (1 << indicator.index()) != 0
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those in it, in their order.
    pub fn iter(self) -> impl Iterator<Item = Indicator> {
        Indicator::ALL.into_iter().filter(move |indicator| self.contains(*indicator))
    }

    pub(crate) fn insert(&mut self, indicator: Indicator) {
        self.0 |= 1 << indicator.index();
    }
}
