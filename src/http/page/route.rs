//! The addresses of the page.

use crate::http::api::route::segments;
use crate::http::exchange::problem::Problem;

/// One address of the page. Ids are as meant, not as escaped in the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PageRoute {
    /// `/`
    Home,
    /// `/executions`
    Executions,
    /// `/executions/{execution_id}`
    Execution(String),
    /// `POST /executions/{execution_id}/replay`
    Replay(String),
    /// `POST /executions/{execution_id}/cancel`
    Cancel(String),
    /// `/workflows`
    Workflows,
    /// `/workflows/{workflow_id}`
    Workflow(String),
    /// `POST /workflows/{workflow_id}/start`
    Start(String),
    /// `/schedules`
    Schedules,
    /// `POST /schedules/pause`
    Pause,
    /// `POST /schedules/resume`
    Resume,
    /// `POST /schedules/run`
    RunScheduled,
    /// `/notifications`
    Notifications,
    /// `POST /notifications/test`
    TestChannels,
    /// `/levels`
    Levels,
    /// `/login`, and `POST`
    Login,
    /// `POST /logout`
    Logout,
    /// `POST /zone`
    Zone,
    /// `/assets/{version}/{name}`
    Asset {
        /// The hash of all assets.
        version: String,
        /// Which one.
        name: String,
    },
}

impl PageRoute {
    /// Reads the path of a request, as sent; `None` where there is no page.
    ///
    /// # Errors
    /// 400 for a path that cannot be meant.
    pub(crate) fn parse(path: &str) -> Result<Option<Self>, Problem> {
        if path == "/" {
            return Ok(Some(Self::Home));
        }
        let segments = segments(path)?;
        let segments: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
        let owned = |id: &str| id.to_owned();
        Ok(match segments.as_slice() {
            segments if segments.iter().any(|segment| segment.is_empty()) => None,
            ["executions"] => Some(Self::Executions),
            ["executions", id] => Some(Self::Execution(owned(id))),
            ["executions", id, "replay"] => Some(Self::Replay(owned(id))),
            ["executions", id, "cancel"] => Some(Self::Cancel(owned(id))),
            ["workflows"] => Some(Self::Workflows),
            ["workflows", id] => Some(Self::Workflow(owned(id))),
            ["workflows", id, "start"] => Some(Self::Start(owned(id))),
            ["schedules"] => Some(Self::Schedules),
            ["schedules", "pause"] => Some(Self::Pause),
            ["schedules", "resume"] => Some(Self::Resume),
            ["schedules", "run"] => Some(Self::RunScheduled),
            ["notifications"] => Some(Self::Notifications),
            ["notifications", "test"] => Some(Self::TestChannels),
            ["levels"] => Some(Self::Levels),
            ["login"] => Some(Self::Login),
            ["logout"] => Some(Self::Logout),
            ["zone"] => Some(Self::Zone),
            ["assets", version, name] => {
                Some(Self::Asset { version: owned(version), name: owned(name) })
            }
            _ => None,
        })
    }

    /// How metrics name it.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Home => "/",
            Self::Executions => "/executions",
            Self::Execution(_) => "/executions/{execution_id}",
            Self::Replay(_) => "/executions/{execution_id}/replay",
            Self::Cancel(_) => "/executions/{execution_id}/cancel",
            Self::Workflows => "/workflows",
            Self::Workflow(_) => "/workflows/{workflow_id}",
            Self::Start(_) => "/workflows/{workflow_id}/start",
            Self::Schedules => "/schedules",
            Self::Pause => "/schedules/pause",
            Self::Resume => "/schedules/resume",
            Self::RunScheduled => "/schedules/run",
            Self::Notifications => "/notifications",
            Self::TestChannels => "/notifications/test",
            Self::Levels => "/levels",
            Self::Login => "/login",
            Self::Logout => "/logout",
            Self::Zone => "/zone",
            Self::Asset { .. } => "/assets/{version}/{name}",
        }
    }

    /// Whether it is only asked for with POST.
    pub(crate) fn is_post(&self) -> bool {
        matches!(
            self,
            Self::Replay(_)
                | Self::Cancel(_)
                | Self::Start(_)
                | Self::Pause
                | Self::Resume
                | Self::RunScheduled
                | Self::TestChannels
                | Self::Logout
                | Self::Zone
        )
    }

    /// Whether it needs neither token nor session.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Login | Self::Asset { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_only_the_login_and_assets_are_open() {
        for (path, label, is_open) in [
            ("/", "/", false),
            ("/executions", "/executions", false),
            ("/executions/%40latest", "/executions/{execution_id}", false),
            ("/executions/x/replay", "/executions/{execution_id}/replay", false),
            ("/executions/x/cancel", "/executions/{execution_id}/cancel", false),
            ("/workflows", "/workflows", false),
            ("/workflows/a%20b", "/workflows/{workflow_id}", false),
            ("/workflows/a/start", "/workflows/{workflow_id}/start", false),
            ("/schedules", "/schedules", false),
            ("/schedules/pause", "/schedules/pause", false),
            ("/schedules/resume", "/schedules/resume", false),
            ("/schedules/run", "/schedules/run", false),
            ("/notifications", "/notifications", false),
            ("/notifications/test", "/notifications/test", false),
            ("/levels", "/levels", false),
            ("/login", "/login", true),
            ("/l%6fgin", "/login", true),
            ("/logout", "/logout", false),
            ("/zone", "/zone", false),
            ("/assets/1/page.js", "/assets/{version}/{name}", true),
        ] {
            let route = PageRoute::parse(path).unwrap().unwrap();
            assert_eq!((route.label(), route.is_open()), (label, is_open), "{path}");
        }
        for path in ["//", "/executions/", "/login/x", "/assets/1", "/api/v1/ping", "/nowhere"] {
            assert_eq!(PageRoute::parse(path).unwrap(), None, "{path}");
        }
        assert_eq!(PageRoute::parse("/executions/..").unwrap_err().status(), 400);
    }
}
