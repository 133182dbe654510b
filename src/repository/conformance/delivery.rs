//! Whoever waits for a commit is notified, by a task of the runtime or by the writer.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use super::{Store, change, creation, head};
use crate::repository::{PendingWrite, Writer};
use crate::workflow::record::ExecutionStatus;

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Stores new executions and waits until each is acknowledged.
async fn store(writer: &Arc<Writer>, ids: Range<usize>) {
    let stores = ids.map(|id| {
        let writer = Arc::clone(writer);
        tokio::spawn(async move {
            let pending = PendingWrite::new(format!("e{id}"));
            let mut stored = pending.stored();
            for second in 1..4 {
                let status =
                    if second == 3 { ExecutionStatus::Success } else { ExecutionStatus::Running };
                let head = head(status, second);
                let change = if second == 1 { creation(1, head) } else { change(head) };
                let version = pending.record(change);
                assert!(writer.enqueue(&pending));
                let acknowledged =
                    stored.wait_for(|stored| stored.version >= version).await.unwrap();
                assert!(acknowledged.seq.is_some() && acknowledged.refused.is_none());
            }
            assert!(!pending.is_dirty());
        })
    });
    for store in stores.collect::<Vec<_>>() {
        tokio::time::timeout(Duration::from_secs(60), store).await.unwrap().unwrap();
    }
}

pub(crate) fn commits_are_acknowledged_by_a_task_or_by_the_writer<S: Store>() {
    let place = S::new();
    let writer = Arc::new(place.open());
    runtime().block_on(async {
        store(&writer, 0..50).await;
        let serving = tokio::spawn(writer.deliver());
        store(&writer, 50..500).await;
        assert!(!serving.is_finished());
        serving.abort();
        store(&writer, 500..550).await;
    });
    writer.close().unwrap();
    let succeeded = crate::repository::ListFilter {
        status: Some(ExecutionStatus::Success),
        ..Default::default()
    };
    assert_eq!(place.reader().list(&succeeded, 1, 0).unwrap().total, 550);
}

pub(crate) fn every_commit_is_acknowledged_while_tasks_come_and_go<S: Store>() {
    let place = S::new();
    let writer = Arc::new(place.open());
    runtime().block_on(async {
        let ours = Arc::clone(&writer);
        let storing = tokio::spawn(async move { store(&ours, 0..2_000).await });
        while !storing.is_finished() {
            let serving = tokio::spawn(writer.deliver());
            tokio::time::sleep(Duration::from_millis(2)).await;
            serving.abort();
            let _ = serving.await;
        }
        storing.await.unwrap();
    });
}

pub(crate) fn the_writer_acknowledges_after_a_runtime_has_ended<S: Store>() {
    let place = S::new();
    let writer = Arc::new(place.open());
    let first = runtime();
    first.spawn(writer.deliver());
    first.block_on(store(&writer, 0..10));
    drop(first);
    runtime().block_on(store(&writer, 10..20));
}
