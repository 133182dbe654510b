//! The flags of service levels, which `serve` and `slo-sim` share.

use std::collections::HashMap;

use super::given;

/// Under which heading help shows them.
pub(super) const SERVICE_LEVELS: &str = "Service levels";

/// What is promised of a service.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = SERVICE_LEVELS)]
pub(super) struct SloArgs {
    /// The share of 4xx and 5xx from which on an alert is sent, or `off`, as of every threshold
    /// [SLO_ERROR_RATE_THRESHOLD; default: 0.05]
    #[arg(long, value_name = "SHARE")]
    pub slo_error_rate_threshold: Option<String>,
    /// The same of 5xx [SLO_ERROR_RATE_5XX_THRESHOLD; default: that of both]
    #[arg(long, value_name = "SHARE")]
    pub slo_error_rate_5xx_threshold: Option<String>,
    /// The same of 4xx [SLO_ERROR_RATE_4XX_THRESHOLD; default: 0.10]
    #[arg(long, value_name = "SHARE")]
    pub slo_error_rate_4xx_threshold: Option<String>,
    /// How far back the rates look [SLO_ERROR_RATE_WINDOW; default: 300]
    #[arg(long, value_name = "DURATION")]
    pub slo_error_rate_window: Option<String>,
    /// The 95th percentile of the latency from which on an alert is sent, in seconds
    /// [SLO_LATENCY_P95_THRESHOLD; default: 0.750]
    #[arg(long, value_name = "DURATION")]
    pub slo_latency_p95_threshold: Option<String>,
    /// How far back the percentile looks [SLO_LATENCY_WINDOW; default: 300]
    #[arg(long, value_name = "DURATION")]
    pub slo_latency_window: Option<String>,
    /// With fewer requests in its window a signal is not judged [SLO_MIN_SAMPLES; default: 1]
    #[arg(long, value_name = "COUNT")]
    pub slo_min_samples: Option<String>,
    /// Between two alerts of one type [SLO_ALERT_COOLDOWN_SECONDS; default: 300]
    #[arg(long, value_name = "DURATION")]
    pub slo_alert_cooldown_seconds: Option<String>,
}

impl SloArgs {
    pub(super) fn values(&self) -> HashMap<&'static str, String> {
        given([
            ("SLO_ERROR_RATE_THRESHOLD", &self.slo_error_rate_threshold),
            ("SLO_ERROR_RATE_5XX_THRESHOLD", &self.slo_error_rate_5xx_threshold),
            ("SLO_ERROR_RATE_4XX_THRESHOLD", &self.slo_error_rate_4xx_threshold),
            ("SLO_ERROR_RATE_WINDOW", &self.slo_error_rate_window),
            ("SLO_LATENCY_P95_THRESHOLD", &self.slo_latency_p95_threshold),
            ("SLO_LATENCY_WINDOW", &self.slo_latency_window),
            ("SLO_MIN_SAMPLES", &self.slo_min_samples),
            ("SLO_ALERT_COOLDOWN_SECONDS", &self.slo_alert_cooldown_seconds),
        ])
        .collect()
    }
}
