use super::*;
use crate::slo::Policy;
use crate::slo::monitor::Monitor;

fn now() -> Snapshot {
    Snapshot {
        groups_waiting: Vec::new(),
        notifications_pending: [].into(),
        running: 3,
        unstored: 2,
        queue_depth: 1,
        queue_refusals: 7,
        steps_running: 3,
        steps_waiting: 2,
        steps_postponed: 1,
        output_printed: 70,
        output_dropped: 7,
        output_stored: Some(50),
        is_store_up: true,
        refused_changes: 0,
        server: None,
        workflows_loaded: 4,
        workflows_broken: 1,
        service_levels: Monitor::start(policy(), None, None, &[]).standings(),
    }
}

fn policy() -> Policy {
    let share = |text: &str| text.parse().unwrap();
    let seconds = Duration::from_secs;
    Policy {
        error_rate: Some(share("0.05")),
        error_rate_5xx: Some(share("0.05")),
        error_rate_4xx: Some(share("0.10")),
        error_window: seconds(300),
        latency_p95: Some(Duration::from_millis(750)),
        latency_window: seconds(300),
        min_samples: 1,
        cooldown: seconds(300),
    }
}

fn metrics() -> Arc<Metrics> {
    Arc::new(Metrics::new(&[0.1, 1.0]).unwrap())
}

fn ended(step: &str, status: StepStatus) -> Report<'_> {
    Report::StepEnded {
        step,
        status,
        error: None,
        attempt: None,
        duration: Some(Duration::from_millis(500)),
        steps_completed: 1,
        at: crate::base::timestamp::Timestamp::from_micros(0),
    }
}

#[test]
fn handlers_are_counted_apart_from_steps() {
    let metrics = metrics();
    metrics.observer("nightly").report(&Report::HandlerEnded {
        handler: "ring-the-bell",
        on: crate::workflow::handler::HandlerKind::Failure,
        status: StepStatus::Failed,
        error: None,
        attempt: None,
        duration: Some(Duration::from_millis(500)),
        steps_completed: 1,
        at: crate::base::timestamp::Timestamp::from_micros(0),
    });
    let text = metrics.encode(&now()).unwrap();
    assert!(text.contains(r#"wfx_handlers_total{kind="on_failure",status="failed"} 1"#), "{text}");
    assert!(!text.contains("ring-the-bell") && !text.contains("workflow_step_errors_total{"));
}

#[test]
fn steps_are_counted_by_workflow_and_name() {
    let metrics = metrics();
    let observer = metrics.observer("nightly");
    observer.report(&ended("load", StepStatus::Success));
    observer.report(&ended("load", StepStatus::Failed));
    let text = metrics.encode(&now()).unwrap();
    for line in [
        r#"workflow_step_duration_seconds_bucket{step_name="load",workflow_id="nightly",le="0.1"} 0"#,
        r#"workflow_step_duration_seconds_bucket{step_name="load",workflow_id="nightly",le="1"} 2"#,
        r#"workflow_step_errors_total{step_name="load",workflow_id="nightly"} 1"#,
        "wfx_store_queue_refusals_total 7",
        "wfx_steps_running 3",
        "wfx_steps_waiting 2",
        "wfx_steps_postponed_total 1",
        "wfx_output_printed_bytes_total 70",
        "wfx_output_dropped_bytes_total 7",
        "wfx_output_stored_bytes 50",
        r#"wfx_workflow_files{state="broken"} 1"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    // A second collection does not count mirrored totals twice.
    assert!(metrics.encode(&now()).unwrap().contains("wfx_store_queue_refusals_total 7\n"));
}

#[test]
fn past_the_cap_names_are_others() {
    let metrics = metrics();
    for number in 0..STEPS_MAX + 5 {
        metrics.observer(&format!("w{number}")).report(&ended("s", StepStatus::Failed));
    }
    // A known series stays.
    metrics.observer("w0").report(&ended("s", StepStatus::Failed));
    let text = metrics.encode(&now()).unwrap();
    let errors = |workflow: &str, step: &str| {
        format!("workflow_step_errors_total{{step_name=\"{step}\",workflow_id=\"{workflow}\"}}")
    };
    assert!(text.contains(&format!("{} 5\n", errors(OTHER, OTHER))));
    assert!(text.contains(&format!("{} 2\n", errors("w0", "s"))));
    assert_eq!(text.matches("workflow_step_errors_total{").count(), STEPS_MAX + 1);
}

#[test]
fn methods_of_clients_make_no_labels() {
    let metrics = metrics();
    metrics.request("/healthz", "GET", 200, Duration::from_millis(1));
    metrics.request("other", "BREW", 405, Duration::from_millis(1));
    let text = metrics.encode(&now()).unwrap();
    assert!(
        text.contains(r#"wfx_http_requests_total{method="GET",route="/healthz",status="200"} 1"#)
    );
    assert!(text.contains(r#"method="_other",route="other",status="405"} 1"#));
}
