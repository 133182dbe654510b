use std::path::Path;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::*;
use crate::engine::context::Unstored;
use crate::engine::work::scratch::Scratch;
use crate::repository::ownership::OwnerKind;
use crate::repository::{Durability, Retention};
use crate::repository::{Writer, WriterOptions};
use crate::workflow::environment;

fn supervisor(folder: &Path) -> Supervisor {
    let options = WriterOptions {
        durability: Durability::Normal,
        trusted_owner: None,
        retention: Retention::Given(None),
        queue_capacity: 8,
        busy_timeout: Duration::from_secs(1),
        output: crate::repository::OutputBudgets::default(),
        commits: None,
    };
    let database = folder.join("wfx.db");
    let writer = Arc::new(Writer::open(&database, options).unwrap());
    let context = EngineContext {
        owner: writer.claim_owner(OwnerKind::Serve, 1).unwrap(),
        writer,
        output: Arc::new(crate::engine::output::OutputSink::new(1 << 20)),
        inherited: environment::inherited([]),
        scratch: Scratch::create(folder, 1).unwrap(),
        parallelism: Parallelism::new(1),
        clock: Clock::system(),
        store_timeout: Duration::from_secs(1),
        unstored: Unstored::Refuse,
        abandon: CancellationToken::new(),
        leave_queues: CancellationToken::new(),
        notify: None,
        has_events: Arc::default(),
        waiting: Arc::default(),
    };
    Supervisor::new(context, 1, Bounds { executions: 2, memory_bytes: 1_000_000 })
}

#[tokio::test]
async fn an_ended_execution_cannot_be_cancelled_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let supervisor = supervisor(folder.path());
    let notice = |id: &str| CancelNotice { execution_id: id.to_owned(), replaced_by: None };
    supervisor.cancel_own(&notice("has-ended"));
    assert_eq!(supervisor.running().requested.len(), 0);
    // The request may concern an execution that is being taken over.
    supervisor.running().taking += 1;
    supervisor.cancel_own(&notice("may-be-taken"));
    supervisor.running().taking -= 1;
    assert_eq!(supervisor.running().requested.len(), 1);
    // It was not.
    supervisor.take_over(Which::kind(OwnerKind::Serve), 1).await.unwrap();
    assert_eq!(supervisor.running().requested.len(), 0);
}

#[tokio::test]
async fn what_is_taken_over_counts_from_the_moment_it_may_come() {
    let folder = tempfile::tempdir().unwrap();
    let supervisor = supervisor(folder.path());
    let room = || supervisor.running().room(0, supervisor.bounds(), 1);
    assert_eq!(room(), Ok(2));
    supervisor.running().reserved = 1;
    assert_eq!((room(), supervisor.in_flight()), (Ok(1), 1));
    supervisor.running().reserved = 0;
    supervisor.running().taken = HashMap::from([("a".to_owned(), 600_000)]);
    supervisor.running().memory_bytes = 600_000;
    assert_eq!(supervisor.running().room(0, supervisor.bounds(), 400_000), Ok(1));
    let full = supervisor.running().room(0, supervisor.bounds(), 400_001);
    assert_eq!(full, Err(Full::Memory(600_000)));
    supervisor.running().taken.insert("b".to_owned(), 0);
    assert_eq!(room(), Err(Full::Executions(2)));
    // Executions that left are not counted any more.
    assert_eq!(supervisor.running().leave_taken("a"), None);
    assert_eq!((room(), supervisor.running().memory_bytes), (Ok(1), 0));
}
