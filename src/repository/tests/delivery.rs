//! Who waits hears what became of it, whoever tells.

use super::*;
use crate::repository::Health;

/// Stores new executions and waits until each is told to be stored.
async fn store(writer: &Arc<Writer>, ids: std::ops::Range<usize>) {
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
                let told = stored.wait_for(|stored| stored.version >= version).await.unwrap();
                assert!(told.seq.is_some() && told.refused.is_none());
            }
            assert!(!pending.is_dirty());
        })
    });
    for store in stores.collect::<Vec<_>>() {
        tokio::time::timeout(Duration::from_secs(60), store).await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_hears_of_commits_from_a_task_or_from_the_writer() {
    let place = Place::new();
    let writer = Arc::new(open(&place.path));
    store(&writer, 0..50).await;
    let telling = tokio::spawn(writer.deliver());
    store(&writer, 50..500).await;
    assert!(!telling.is_finished());
    telling.abort();
    store(&writer, 500..550).await;
    writer.close().unwrap();
    let stored = "SELECT count(*) FROM workflow_executions WHERE status = 'success'";
    let count: i64 = place.raw().query_row(stored, [], |row| row.get(0)).unwrap();
    assert_eq!(count, 550);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_commit_is_left_untold_by_a_task_that_comes_and_goes() {
    let place = Place::new();
    let writer = Arc::new(open(&place.path));
    let ours = Arc::clone(&writer);
    let storing = tokio::spawn(async move { store(&ours, 0..2_000).await });
    while !storing.is_finished() {
        let telling = tokio::spawn(writer.deliver());
        tokio::time::sleep(Duration::from_millis(2)).await;
        telling.abort();
        let _ = telling.await;
    }
    storing.await.unwrap();
}

#[test]
fn a_runtime_that_ends_leaves_the_telling_to_the_writer() {
    let place = Place::new();
    let writer = Arc::new(open(&place.path));
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let first = runtime();
    first.spawn(writer.deliver());
    first.block_on(store(&writer, 0..10));
    drop(first);
    runtime().block_on(store(&writer, 10..20));
}

#[test]
fn what_is_stored_is_told_before_a_failure_that_came_later() {
    let place = Place::new();
    let writer = open(&place.path);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.spawn(writer.deliver());
    // It waits for news, and is not polled again.
    runtime.block_on(async {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    });
    let pending = PendingWrite::new("e".to_owned());
    pending.record(creation(1, head(ExecutionStatus::Running, 1)));
    assert!(writer.enqueue(&pending));
    let is_stored = || {
        let count = "SELECT count(*) FROM workflow_executions";
        place.raw().query_row(count, [], |row| row.get::<_, i64>(0)).unwrap() == 1
    };
    until("stored", is_stored);
    assert!(pending.is_dirty(), "told by somebody else");
    let away = place.beside("-away");
    std::fs::rename(&place.path, &away).unwrap();
    let health = writer.health();
    until("failing", || matches!(*health.borrow(), Health::Failing { .. }));
    assert!(!pending.is_dirty());
    std::fs::rename(&away, &place.path).unwrap();
}
