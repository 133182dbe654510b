//! Notifications over a hand-over.

use super::*;
use crate::receiver::{HANGS, Receiver};

const FAILS: &str = "id: fails
notify: [{to: [ops]}]
steps: [{name: wait, run: 'until test -e go; do sleep 0.02; done; exit 1'}]
";

/// Asked of the database, since the API does not say who sends.
const CLAIMED_BY: &str = "SELECT coalesce(max(claimed_by), '') FROM workflow_notifications";
const SERVED_BY: &str = "SELECT DISTINCT owner FROM workflow_notification_couriers";

#[test]
fn what_the_old_process_still_runs_is_notified_by_the_successor() {
    let receiver = Receiver::start(&[HANGS]);
    let place = place();
    let url = receiver.url("/");
    place.write("config.toml", format!("[notify.ops]\ntype = \"webhook\"\nurl = \"{url}\"\n"));
    place.write("workflows/fails.yaml", FAILS);
    let mut service = Service::start(&place, &[]);
    let id = id_of(&service.post("/api/v1/workflows/fails/execute", "").expect(200));
    until("it runs", || service.execution(&id)["steps"][0]["status"] == "running");
    service.reload();
    service.wait_for_log("handed over to the successor");
    let successor = format!("serve-{}-", service.pid);
    // A channel of which the old process alone knows is one that no daemon has.
    until("the successor alone delivers", || {
        let owners = place.sql(SERVED_BY);
        owners.starts_with(&successor) && owners.lines().count() == 1
    });
    place.write("go", "");
    let first = receiver.next();
    assert!(place.sql(CLAIMED_BY).starts_with(&successor), "{}", place.sql(CLAIMED_BY));
    // It has nothing under way, and waits for nothing.
    assert!(service.first.wait().unwrap().success());
    service.signal("KILL");
    until("it is gone", || !is_alive(service.pid));
    let daemon = super::super::serve(&place, &[]);
    assert_eq!(receiver.next().header("webhook-id"), first.header("webhook-id"));
    daemon.stop();
}
