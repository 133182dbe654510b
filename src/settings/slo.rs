//! The settings of service levels.

use std::str::FromStr;

use super::{Origin, Settings, SettingsError, catalogue};
use crate::base::period::Period;
use crate::base::signature::Secret;
use crate::slo::{Policy, Share};

const ERROR_RATE: &str = "SLO_ERROR_RATE_THRESHOLD";
const ERROR_RATE_5XX: &str = "SLO_ERROR_RATE_5XX_THRESHOLD";

impl Settings {
    /// The thresholds and windows of the service.
    ///
    /// # Errors
    /// Exit 2 for the first invalid value.
    pub(crate) fn slo_policy(&self) -> Result<Policy, SettingsError> {
        let period = |name| Ok(self.parsed::<Period>(name)?.duration());
        let error_rate: Option<Share> = self.threshold(ERROR_RATE)?;
        let error_rate_5xx = match self.value_or_default(ERROR_RATE_5XX)?.0.as_str() {
            "" => error_rate.clone(),
            _ => self.threshold(ERROR_RATE_5XX)?,
        };
        Ok(Policy {
            error_rate,
            error_rate_5xx,
            error_rate_4xx: self.threshold("SLO_ERROR_RATE_4XX_THRESHOLD")?,
            error_window: period("SLO_ERROR_RATE_WINDOW")?,
            latency_p95: self
                .threshold::<Period>("SLO_LATENCY_P95_THRESHOLD")?
                .map(Period::duration),
            latency_window: period("SLO_LATENCY_WINDOW")?,
            min_samples: self.parsed("SLO_MIN_SAMPLES")?,
            cooldown: period("SLO_ALERT_COOLDOWN_SECONDS")?,
        })
    }

    /// A threshold; `None` for `off`.
    fn threshold<T: FromStr>(&self, name: &'static str) -> Result<Option<T>, SettingsError> {
        match self.value_or_default(name)?.0.as_str() {
            catalogue::OFF => Ok(None),
            _ => self.parsed(name).map(Some),
        }
    }

    /// Whether the minimum number of requests for judging an indicator is set explicitly.
    ///
    /// # Errors
    /// Exit 2 when the value is invalid.
    pub(crate) fn is_slo_min_samples_set(&self) -> Result<bool, SettingsError> {
        let (_, origin) = self.value_or_default("SLO_MIN_SAMPLES")?;
        Ok(origin != Origin::Default)
    }

    /// Where alerts are sent, and the redacted form of that; `None`: nowhere.
    ///
    /// # Errors
    /// Exit 2 when the value is invalid.
    pub(crate) fn webhook_url(&self) -> Result<Option<(String, String)>, SettingsError> {
        let name = "SLO_ALERT_WEBHOOK_URL";
        let (url, _) = self.value_or_default(name)?;
        let shown = catalogue::find(name).redact(&url);
        Ok((!url.is_empty()).then_some((url, shown)))
    }

    /// The secret that signs alerts; `None`: alerts are not signed.
    ///
    /// # Errors
    /// Exit 2 when the value is invalid.
    pub(crate) fn webhook_secret(&self) -> Result<Option<Secret>, SettingsError> {
        let name = "SLO_ALERT_WEBHOOK_SECRET";
        match self.value_or_default(name)?.0.as_str() {
            "" => Ok(None),
            _ => self.parsed(name).map(Some),
        }
    }
}
