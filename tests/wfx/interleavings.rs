//! The queue and the slots of the writer under thousands of orders in which threads may run:
//! the sources of the repository, with locks that a scheduler hands out. Nobody is woken by a
//! timeout there, so a wake-up that is lost stands still, which shuttle tells.

use std::sync::{Arc, Mutex as Unscheduled};
use std::time::Duration;

use shuttle::Runner;
use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::thread;
use wfx::parts::base::Timestamp;
use wfx::parts::repository::StoreError;
use wfx::parts::workflow::{Change, ExecutionState, ExecutionStatus};

#[expect(dead_code, reason = "what the sources offer beside what is tried here")]
#[path = "../../src/repository/journal/output.rs"]
mod output;
#[expect(dead_code, unreachable_pub, reason = "what the sources offer beside what is tried here")]
#[path = "../../src/repository/journal/pending_write.rs"]
mod pending_write;
#[expect(dead_code, reason = "what the sources offer beside what is tried here")]
#[path = "../../src/repository/journal/queue.rs"]
mod queue;

use pending_write::PendingWrite;
use queue::Queue;

/// The locks of the sources.
mod sync {
    pub(super) use shuttle::sync::{Condvar, Mutex, MutexGuard};
}

const CHANGES: u32 = 3;

/// What commits held, in their order: which execution, and the number of its change.
type Commits = Arc<Unscheduled<Vec<(String, u32)>>>;

/// In random orders, and in those of few but badly placed switches.
fn in_many_orders(scenario: fn()) {
    let config = shuttle::Config::new;
    Runner::new(RandomScheduler::new_from_seed(7, 5_000), config()).run(scenario);
    Runner::new(PctScheduler::new_from_seed(7, 3, 5_000), config()).run(scenario);
}

fn change(number: u32) -> Change {
    let head = ExecutionState {
        status: ExecutionStatus::Running,
        started_at: None,
        completed_at: None,
        updated_at: Timestamp::from_micros(0),
        steps_completed: number,
        steps_failed: 0,
        steps_skipped: 0,
        error: None,
        outcome: None,
        owner: None,
    };
    Change {
        head,
        created: None,
        steps: [].into(),
        handlers: [].into(),
        attempts: Vec::new(),
        events: None,
    }
}

/// Does with slots what the repository's worker does; commits fail now and then.
fn write(queue: &Queue<u32>, commits: &Commits) -> Vec<u32> {
    let (mut tasks, mut tellers) = (Vec::new(), Vec::new());
    loop {
        let next = queue.next(Duration::from_secs(1));
        tasks.extend(next.task);
        let is_over = next.closed && next.pending.is_empty() && next.task.is_none();
        let batch: Vec<_> = next
            .pending
            .into_iter()
            .filter_map(|pending| {
                pending.take().map(|(change, version)| (pending, change, version))
            })
            .collect();
        if !next.closed && thread_rng().gen_bool(0.3) {
            let pending: Vec<_> = batch
                .into_iter()
                .map(|(pending, change, _)| {
                    pending.put_back(change);
                    pending
                })
                .collect();
            queue.put_back(pending.into_iter());
        } else {
            for (pending, change, version) in batch {
                let entry = (pending.execution_id().to_owned(), change.head.steps_completed);
                commits.lock().unwrap().push(entry);
                pending.committed();
                // Later and by another thread; here in any order, which is more than happens.
                tellers.push(thread::spawn(move || pending.acknowledge(version, 1)));
            }
        }
        if is_over {
            tellers.into_iter().for_each(|teller| teller.join().unwrap());
            return tasks;
        }
    }
}

/// A queue and the thread that stores what comes through it.
fn writer(capacity: usize) -> (Arc<Queue<u32>>, Commits, thread::JoinHandle<Vec<u32>>) {
    let (queue, commits) = (Arc::new(Queue::new(capacity)), Commits::default());
    let theirs = (Arc::clone(&queue), Arc::clone(&commits));
    let thread = thread::spawn(move || write(&theirs.0, &theirs.1));
    (queue, commits, thread)
}

/// Does with a slot what an engine does: records, and offers again what found no room.
fn run(queue: &Queue<u32>, pending: &Arc<PendingWrite>) {
    for number in 1..=CHANGES {
        pending.record(change(number));
        queue.push(pending);
    }
    while pending.is_dirty() {
        queue.push(pending);
        thread::yield_now();
    }
}

#[test]
fn whatever_is_recorded_is_stored_in_order_and_once() {
    in_many_orders(|| {
        let (queue, commits, writer) = writer(1);
        let engines = ["a", "b"].map(|id| {
            let (queue, pending) = (Arc::clone(&queue), PendingWrite::new(id.to_owned()));
            thread::spawn(move || run(&queue, &pending))
        });
        for engine in engines {
            engine.join().unwrap();
        }
        queue.close();
        writer.join().unwrap();
        let commits = commits.lock().unwrap();
        for id in ["a", "b"] {
            let stored: Vec<u32> =
                commits.iter().filter(|entry| entry.0 == id).map(|entry| entry.1).collect();
            assert!(stored.is_sorted_by(|earlier, later| earlier < later), "{stored:?}");
            assert_eq!(stored.last(), Some(&CHANGES));
        }
    });
}

#[test]
fn what_is_left_in_the_queue_is_stored_when_it_closes() {
    in_many_orders(|| {
        let (queue, commits, writer) = writer(8);
        let pending = PendingWrite::new("a".to_owned());
        pending.record(change(1));
        let is_in = queue.push(&pending) && queue.push_task(7).is_ok();
        queue.close();
        assert!(is_in && !queue.push(&pending) && queue.push_task(8).is_err());
        assert_eq!(writer.join().unwrap(), [7]);
        assert!(!pending.is_dirty());
        assert_eq!(*commits.lock().unwrap(), [("a".to_owned(), 1)]);
    });
}

#[test]
fn what_is_withdrawn_is_either_stored_or_said_not_to_be() {
    in_many_orders(|| {
        let (queue, commits, writer) = writer(8);
        let pending = PendingWrite::new("a".to_owned());
        pending.record(change(1));
        queue.push(&pending);
        pending.withdraw();
        queue.close();
        writer.join().unwrap();
        let told = pending.stored().borrow().clone();
        let is_stored = !commits.lock().unwrap().is_empty();
        assert_eq!(told.version > 0, is_stored);
        assert_ne!(is_stored, told.withdrawn, "{told:?}");
    });
}
