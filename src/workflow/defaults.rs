//! Defaults for all workflows of a folder: what `_defaults.yaml` gives to those that do not set it.

use indexmap::IndexMap;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::notification::Notify;
use super::retention_policy::RetentionPolicy;
use super::scheduling::{Expectations, Scheduling};
use crate::base::size::Size;
use crate::schedule::blackout::Blackout;

/// The name of the file in a folder of workflows. It is no workflow.
pub(crate) const FILE_NAME: &str = "_defaults.yaml";

/// The contents of a checked `_defaults.yaml`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FolderDefaults {
    /// The file, as it is named in messages.
    pub file: String,
    /// Variables for workflows whose `env` does not have them.
    pub env: IndexMap<String, String>,
    /// The `shell` of workflows without one.
    pub shell: Option<Vec<String>>,
    /// The `retention` of workflows without one.
    pub retention: Option<RetentionPolicy>,
    /// The `output_limit` of workflows without one.
    pub output_limit: Option<Size>,
    /// The `notify` of workflows without one.
    pub notify: Option<Notify>,
    /// The zone of schedules and blackouts without one.
    pub(crate) timezone: Option<TimeZone>,
    /// The `blackout` of workflows that have schedules and no blackout.
    pub(crate) blackouts: Vec<Blackout>,
    /// The `expect` of workflows without one.
    pub(crate) expect: Expectations,
}

/// Which values of a definition came from `_defaults.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AppliedDefaults {
    /// The file.
    pub file: String,
    /// JSON pointers into the definition.
    pub set: Vec<String>,
}

impl FolderDefaults {
    /// Sets what a workflow with these values does not set itself; `None` if it sets everything.
    #[must_use]
    pub fn apply(
        &self,
        env: &mut IndexMap<String, String>,
        shell: &mut Option<Vec<String>>,
        retention: &mut Option<RetentionPolicy>,
        output_limit: &mut Option<Size>,
        notify: &mut Option<Notify>,
        scheduling: &mut Option<Box<Scheduling>>,
    ) -> Option<AppliedDefaults> {
        let mut set = Vec::new();
        for (name, value) in &self.env {
            if !env.contains_key(name) {
                env.insert(name.clone(), value.clone());
                set.push(format!("/env/{}", name.replace('~', "~0").replace('/', "~1")));
            }
        }
        if shell.is_none() && self.shell.is_some() {
            shell.clone_from(&self.shell);
            set.push("/shell".to_owned());
        }
        if retention.is_none() && self.retention.is_some() {
            *retention = self.retention;
            set.push("/retention".to_owned());
        }
        if output_limit.is_none() && self.output_limit.is_some() {
            *output_limit = self.output_limit;
            set.push("/output_limit".to_owned());
        }
        if notify.is_none() && self.notify.is_some() {
            notify.clone_from(&self.notify);
            set.push("/notify".to_owned());
        }
        set.extend(self.apply_scheduling(scheduling));
        (!set.is_empty()).then(|| AppliedDefaults { file: self.file.clone(), set })
    }
}

impl FolderDefaults {
    /// The keys that it has a value for, `env/NAME` for each variable.
    pub(crate) fn keys(&self) -> Vec<String> {
        // All fields are named, so that none is forgotten here.
        let Self {
            file: _,
            env,
            shell,
            retention,
            output_limit,
            notify,
            timezone,
            blackouts,
            expect,
        } = self;
        let others = [
            ("shell", shell.is_some()),
            ("retention", retention.is_some()),
            ("output_limit", output_limit.is_some()),
            ("notify", notify.is_some()),
            ("timezone", timezone.is_some()),
            ("blackout", !blackouts.is_empty()),
            ("expect", !expect.is_empty()),
        ];
        let others =
            others.into_iter().filter(|(_, is_set)| *is_set).map(|(key, _)| key.to_owned());
        env.keys().map(|name| format!("env/{name}")).chain(others).collect()
    }

    fn apply_scheduling(&self, scheduling: &mut Option<Box<Scheduling>>) -> Vec<String> {
        let mut set = Vec::new();
        if !self.expect.is_empty() && scheduling.as_ref().is_none_or(|it| it.expect.is_empty()) {
            scheduling.get_or_insert_default().expect = self.expect;
            set.push("/expect".to_owned());
        }
        let Some(scheduling) = scheduling else { return set };
        if let Some(zone) = &self.timezone {
            set.extend(scheduling.set_zone(zone));
        }
        let rules = &mut scheduling.rules;
        if !rules.schedules.is_empty() && rules.blackouts.is_empty() && !self.blackouts.is_empty() {
            rules.blackouts.clone_from(&self.blackouts);
            set.push("/blackout".to_owned());
        }
        set
    }
}

impl AppliedDefaults {
    /// Whether the value of this key came from the file: `/shell`, `/retention`, or `/env/NAME`.
    #[must_use]
    pub fn has(&self, pointer: &str) -> bool {
        self.set.iter().any(|set| set == pointer)
    }
}
