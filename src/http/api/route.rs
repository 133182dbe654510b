//! What can be asked for: the paths of the API, their methods, their labels.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::http::exchange::handler::Endpoint;
use crate::http::exchange::problem::Problem;

/// `executions` is no workflow's id: it stands for the executions of all.
const RESERVED: &str = "executions";

/// One thing that can be asked for. Ids are as meant, not as escaped in the path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// `POST /api/v1/workflows/{workflow_id}/execute`
    Execute {
        /// Which workflow.
        workflow_id: String,
    },
    /// `GET /api/v1/workflows/executions/{execution_id}`
    Execution {
        /// Which execution.
        execution_id: String,
    },
    /// `GET /api/v1/workflows/executions/{execution_id}/attempts`
    Attempts {
        /// Of which execution.
        execution_id: String,
    },
    /// `GET /api/v1/workflows/executions/{execution_id}/output`, and the same without `workflows`
    Output {
        /// Of which execution.
        execution_id: String,
    },
    /// `GET /api/v1/workflows/executions/{execution_id}/lineage`
    Lineage {
        /// Of which execution.
        execution_id: String,
    },
    /// `GET /api/v1/workflows/{workflow_id}/executions`
    WorkflowExecutions {
        /// Of which workflow.
        workflow_id: String,
    },
    /// `GET /api/v1/workflows/executions`
    Executions,
    /// `POST /api/v1/workflows/executions/{execution_id}/replay`
    Replay {
        /// Which execution.
        execution_id: String,
    },
    /// `POST /api/v1/workflows/executions/{execution_id}/cancel`
    Cancel {
        /// Which execution.
        execution_id: String,
    },
    /// `POST /api/v1/workflows/executions/{execution_id}/pin`
    Pin {
        /// Which execution.
        execution_id: String,
    },
    /// `POST /api/v1/workflows/executions/{execution_id}/unpin`
    Unpin {
        /// Which execution.
        execution_id: String,
    },
    /// `GET /api/v1/workflows`
    Workflows,
    /// `GET /api/v1/workflows/{workflow_id}`
    Workflow {
        /// Which workflow.
        workflow_id: String,
    },
    /// `GET /api/v1/schedules`
    Schedules,
    /// `GET /api/v1/schedules/decisions`, or of one workflow
    /// `GET /api/v1/workflows/{workflow_id}/decisions`
    Decisions {
        /// Of which workflow; of all.
        workflow_id: Option<String>,
    },
    /// `POST /api/v1/schedules/pause`, or of one workflow
    /// `POST /api/v1/workflows/{workflow_id}/pause`
    Pause {
        /// Which workflow; all.
        workflow_id: Option<String>,
    },
    /// `POST /api/v1/schedules/resume`, or of one workflow
    /// `POST /api/v1/workflows/{workflow_id}/resume`
    Resume {
        /// Which workflow; all.
        workflow_id: Option<String>,
    },
    /// `POST /api/v1/workflows/{workflow_id}/run-scheduled`
    RunScheduled {
        /// Which workflow.
        workflow_id: String,
    },
    /// `GET /api/v1/status`
    Status,
    /// `GET /api/v1/queue`
    Queue,
    /// `GET /api/v1/notifications`
    Notifications,
    /// `POST /api/v1/notifications/test`
    TestNotifications,
    /// `GET /api/v1/slo`
    Slo,
    /// `GET /api/v1/ping`
    Ping,
    /// `GET /healthz`
    Healthz,
    /// `GET /readyz`
    Readyz,
    /// `GET /metrics`
    Metrics,
}

impl Route {
    fn of_api(segments: &[&str]) -> Option<Self> {
        Some(match segments {
            ["ping"] => Self::Ping,
            ["slo"] => Self::Slo,
            ["status"] => Self::Status,
            ["queue"] => Self::Queue,
            ["schedules"] => Self::Schedules,
            ["schedules", "decisions"] => Self::Decisions { workflow_id: None },
            ["schedules", "pause"] => Self::Pause { workflow_id: None },
            ["schedules", "resume"] => Self::Resume { workflow_id: None },
            ["notifications"] => Self::Notifications,
            ["notifications", "test"] => Self::TestNotifications,
            ["workflows"] => Self::Workflows,
            ["workflows", RESERVED] => Self::Executions,
            ["workflows", RESERVED, id] => Self::Execution { execution_id: (*id).to_owned() },
            ["workflows", RESERVED, id, "attempts"] => {
                Self::Attempts { execution_id: (*id).to_owned() }
            }
            ["workflows", RESERVED, id, "output"] | [RESERVED, id, "output"] => {
                Self::Output { execution_id: (*id).to_owned() }
            }
            ["workflows", RESERVED, id, "lineage"] => {
                Self::Lineage { execution_id: (*id).to_owned() }
            }
            ["workflows", RESERVED, id, "replay"] => {
                Self::Replay { execution_id: (*id).to_owned() }
            }
            ["workflows", RESERVED, id, "cancel"] => {
                Self::Cancel { execution_id: (*id).to_owned() }
            }
            ["workflows", RESERVED, id, "pin"] => Self::Pin { execution_id: (*id).to_owned() },
            ["workflows", RESERVED, id, "unpin"] => Self::Unpin { execution_id: (*id).to_owned() },
            ["workflows", id] => Self::Workflow { workflow_id: (*id).to_owned() },
            ["workflows", id, "execute"] => Self::Execute { workflow_id: (*id).to_owned() },
            ["workflows", id, "decisions"] => {
                Self::Decisions { workflow_id: Some((*id).to_owned()) }
            }
            ["workflows", id, "pause"] => Self::Pause { workflow_id: Some((*id).to_owned()) },
            ["workflows", id, "resume"] => Self::Resume { workflow_id: Some((*id).to_owned()) },
            ["workflows", id, "run-scheduled"] => {
                Self::RunScheduled { workflow_id: (*id).to_owned() }
            }
            ["workflows", id, "executions"] => {
                Self::WorkflowExecutions { workflow_id: (*id).to_owned() }
            }
            _ => return None,
        })
    }
}

impl Endpoint for Route {
    fn parse(path: &str) -> Result<Option<Self>, Problem> {
        // Asked for all the time, and by others than people.
        match path {
            "/api/v1/ping" => return Ok(Some(Self::Ping)),
            "/healthz" => return Ok(Some(Self::Healthz)),
            "/readyz" => return Ok(Some(Self::Readyz)),
            "/metrics" => return Ok(Some(Self::Metrics)),
            _ => {}
        }
        let segments = segments(path)?;
        let segments: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
        if segments.iter().any(|segment| segment.is_empty()) {
            return Ok(None);
        }
        Ok(match segments.as_slice() {
            ["healthz"] => Some(Self::Healthz),
            ["readyz"] => Some(Self::Readyz),
            ["metrics"] => Some(Self::Metrics),
            ["api", "v1", rest @ ..] => Self::of_api(rest),
            _ => None,
        })
    }

    fn is_post(&self) -> bool {
        matches!(
            self,
            Self::Execute { .. }
                | Self::Replay { .. }
                | Self::Cancel { .. }
                | Self::Pin { .. }
                | Self::Unpin { .. }
                | Self::Pause { .. }
                | Self::Resume { .. }
                | Self::RunScheduled { .. }
                | Self::TestNotifications
        )
    }

    fn is_probe(&self) -> bool {
        matches!(self, Self::Healthz | Self::Readyz)
    }

    fn is_tagged(&self) -> bool {
        // Of output the headers say how it goes on, also where its text is the same.
        let is_untagged =
            matches!(self, Self::Healthz | Self::Readyz | Self::Metrics | Self::Output { .. });
        !self.is_post() && !is_untagged
    }

    fn label(&self) -> &'static str {
        match self {
            Self::Execute { .. } => "/api/v1/workflows/{workflow_id}/execute",
            Self::Execution { .. } => "/api/v1/workflows/executions/{execution_id}",
            Self::Attempts { .. } => "/api/v1/workflows/executions/{execution_id}/attempts",
            Self::Output { .. } => "/api/v1/workflows/executions/{execution_id}/output",
            Self::Lineage { .. } => "/api/v1/workflows/executions/{execution_id}/lineage",
            Self::WorkflowExecutions { .. } => "/api/v1/workflows/{workflow_id}/executions",
            Self::Executions => "/api/v1/workflows/executions",
            Self::Replay { .. } => "/api/v1/workflows/executions/{execution_id}/replay",
            Self::Cancel { .. } => "/api/v1/workflows/executions/{execution_id}/cancel",
            Self::Pin { .. } => "/api/v1/workflows/executions/{execution_id}/pin",
            Self::Unpin { .. } => "/api/v1/workflows/executions/{execution_id}/unpin",
            Self::Workflows => "/api/v1/workflows",
            Self::Workflow { .. } => "/api/v1/workflows/{workflow_id}",
            Self::Schedules => "/api/v1/schedules",
            Self::Decisions { workflow_id: None } => "/api/v1/schedules/decisions",
            Self::Decisions { .. } => "/api/v1/workflows/{workflow_id}/decisions",
            Self::Pause { workflow_id: None } => "/api/v1/schedules/pause",
            Self::Pause { .. } => "/api/v1/workflows/{workflow_id}/pause",
            Self::Resume { workflow_id: None } => "/api/v1/schedules/resume",
            Self::Resume { .. } => "/api/v1/workflows/{workflow_id}/resume",
            Self::RunScheduled { .. } => "/api/v1/workflows/{workflow_id}/run-scheduled",
            Self::Slo => "/api/v1/slo",
            Self::Status => "/api/v1/status",
            Self::Queue => "/api/v1/queue",
            Self::Notifications => "/api/v1/notifications",
            Self::TestNotifications => "/api/v1/notifications/test",
            Self::Ping => "/api/v1/ping",
            Self::Healthz => "/healthz",
            Self::Readyz => "/readyz",
            Self::Metrics => "/metrics",
        }
    }
}

/// The segments of a path as they are meant.
///
/// # Errors
/// 400 for a path that cannot be meant.
pub(in crate::http) fn segments(path: &str) -> Result<Vec<Cow<'_, str>>, Problem> {
    let Some(relative) = path.strip_prefix('/') else {
        return Err(Problem::bad_request(format!("the path `{path}` does not begin with /")));
    };
    let mut segments = Vec::with_capacity(6);
    for written in relative.split('/') {
        segments.push(segment(written)?);
    }
    Ok(segments)
}

/// One segment of a path as it is meant.
fn segment(written: &str) -> Result<Cow<'_, str>, Problem> {
    let refused = |why: &str| {
        Problem::bad_request(format!("the part `{written}` of the path {why}"))
            .with_hint("escape each byte that is no letter or digit as % and two hex digits")
    };
    let decoded = decode(written).ok_or_else(|| refused("is not escaped as it should be"))?;
    if decoded == "." || decoded == ".." {
        return Err(refused("is no name"));
    }
    if decoded.contains('/') {
        return Err(refused("holds a `/` once decoded"));
    }
    if decoded.contains(char::is_control) {
        return Err(refused("holds a control character"));
    }
    Ok(decoded)
}

/// The text with its escapes undone; `None` for a `%` without two hex digits after it, and
/// for what is no UTF-8.
pub(in crate::http) fn decode(written: &str) -> Option<Cow<'_, str>> {
    let bytes = written.as_bytes();
    let mut escapes = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    let well_formed = escapes.all(|(at, _)| {
        bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if !well_formed {
        return None;
    }
    percent_decode_str(written).decode_utf8().ok()
}

#[cfg(test)]
mod tests {
    use hyper::Method;

    use super::*;

    fn parsed(path: &str) -> Option<Route> {
        Route::parse(path).unwrap()
    }

    #[test]
    fn each_path_has_its_route_and_label() {
        for (path, label) in [
            ("/api/v1/workflows/a/execute", "/api/v1/workflows/{workflow_id}/execute"),
            ("/api/v1/workflows/executions/x", "/api/v1/workflows/executions/{execution_id}"),
            ("/api/v1/workflows/a/executions", "/api/v1/workflows/{workflow_id}/executions"),
            ("/api/v1/workflows/executions", "/api/v1/workflows/executions"),
            (
                "/api/v1/workflows/executions/x/attempts",
                "/api/v1/workflows/executions/{execution_id}/attempts",
            ),
            (
                "/api/v1/workflows/executions/x/output",
                "/api/v1/workflows/executions/{execution_id}/output",
            ),
            ("/api/v1/executions/x/output", "/api/v1/workflows/executions/{execution_id}/output"),
            (
                "/api/v1/workflows/executions/x/lineage",
                "/api/v1/workflows/executions/{execution_id}/lineage",
            ),
            (
                "/api/v1/workflows/executions/x/replay",
                "/api/v1/workflows/executions/{execution_id}/replay",
            ),
            (
                "/api/v1/workflows/executions/x/cancel",
                "/api/v1/workflows/executions/{execution_id}/cancel",
            ),
            (
                "/api/v1/workflows/executions/x/pin",
                "/api/v1/workflows/executions/{execution_id}/pin",
            ),
            (
                "/api/v1/workflows/executions/x/unpin",
                "/api/v1/workflows/executions/{execution_id}/unpin",
            ),
            ("/api/v1/schedules", "/api/v1/schedules"),
            ("/api/v1/schedules/decisions", "/api/v1/schedules/decisions"),
            ("/api/v1/schedules/pause", "/api/v1/schedules/pause"),
            ("/api/v1/schedules/resume", "/api/v1/schedules/resume"),
            ("/api/v1/workflows/a/decisions", "/api/v1/workflows/{workflow_id}/decisions"),
            ("/api/v1/workflows/a/pause", "/api/v1/workflows/{workflow_id}/pause"),
            ("/api/v1/workflows/a/resume", "/api/v1/workflows/{workflow_id}/resume"),
            ("/api/v1/workflows/a/run-scheduled", "/api/v1/workflows/{workflow_id}/run-scheduled"),
            ("/api/v1/workflows", "/api/v1/workflows"),
            ("/api/v1/workflows/a", "/api/v1/workflows/{workflow_id}"),
            ("/api/v1/queue", "/api/v1/queue"),
            ("/api/v1/notifications", "/api/v1/notifications"),
            ("/api/v1/notifications/test", "/api/v1/notifications/test"),
            ("/api/v1/slo", "/api/v1/slo"),
            ("/api/v1/ping", "/api/v1/ping"),
            ("/healthz", "/healthz"),
            ("/readyz", "/readyz"),
            ("/metrics", "/metrics"),
        ] {
            let route = parsed(path).unwrap();
            assert_eq!(route.label(), label, "{path}");
            let is_output = matches!(route, Route::Output { .. });
            let is_tagged = path.starts_with("/api/") && !route.is_post() && !is_output;
            assert_eq!(route.is_tagged(), is_tagged, "{path}");
        }
    }

    #[test]
    fn escapes_are_undone_once() {
        assert_eq!(parsed("/api/v1/p%69ng"), Some(Route::Ping));
        assert_eq!(parsed("/%68ealthz"), Some(Route::Healthz));
        for (path, id) in [
            ("/api/v1/workflows/a%20b", "a b"),
            ("/api/v1/workflows/a%2520b", "a%20b"),
            ("/api/v1/workflows/%C3%A4", "ä"),
            ("/api/v1/workflows/a+b", "a+b"),
            ("/api/v1/workflows/..a", "..a"),
        ] {
            let route = Route::Workflow { workflow_id: id.to_owned() };
            assert_eq!(parsed(path), Some(route), "{path}");
        }
    }

    #[test]
    fn executions_is_reserved() {
        let execution = |id: &str| Some(Route::Execution { execution_id: id.to_owned() });
        assert_eq!(parsed("/api/v1/workflows/executions/execute"), execution("execute"));
        assert_eq!(parsed("/api/v1/workflows/executions/executions"), execution("executions"));
        assert_eq!(parsed("/api/v1/workflows/%65xecutions"), Some(Route::Executions));
    }

    #[test]
    fn what_is_not_there_is_none() {
        for path in [
            "/",
            "//",
            "//healthz",
            "/healthz/",
            "/Healthz",
            "/api/v1/ping/",
            "/api/v1//ping",
            "/api/v1/workflows/",
            "/api/v1/workflows//execute",
            "/api/v1/workflows/a/execute/b",
            "/api/v1/workflows/a/replay",
            "/api/v2/ping",
        ] {
            assert_eq!(parsed(path), None, "{path}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for path in [
            "",
            "*",
            "api/v1/ping",
            "/api/v1/workflows/%",
            "/api/v1/workflows/%2",
            "/api/v1/workflows/%zz",
            "/api/v1/workflows/%+1",
            "/api/v1/workflows/%ff",
            "/api/v1/workflows/a%2Fb",
            "/api/v1/workflows/a%00",
            "/api/v1/workflows/a%0d%0a",
            "/api/v1/workflows/%7f",
            "/api/v1/workflows/%C2%85",
            "/api/v1/workflows/..",
            "/api/v1/workflows/%2e%2E",
            "/api/v1/workflows/.",
            "/../etc/passwd",
            "/nowhere/%00",
        ] {
            assert_eq!(Route::parse(path).unwrap_err().status(), 400, "{path}");
        }
    }

    #[test]
    fn a_route_has_one_method_and_what_goes_with_it() {
        let (ping, cancel) = (Route::Ping, Route::Cancel { execution_id: "x".to_owned() });
        for (method, of_ping, of_cancel) in [
            (Method::GET, true, false),
            (Method::HEAD, true, false),
            (Method::POST, false, true),
            (Method::OPTIONS, true, true),
            (Method::PUT, false, false),
            (Method::TRACE, false, false),
        ] {
            assert_eq!((ping.takes(&method), cancel.takes(&method)), (of_ping, of_cancel));
        }
        assert_eq!((ping.allow(), cancel.allow()), ("GET, HEAD, OPTIONS", "POST, OPTIONS"));
    }
}
