//! What readers find.

use std::sync::Arc;

use super::{
    Store, at, attempt, change, created, creation, ended, head, pending, store, store_change, until,
};
use crate::repository::read::reference::{Candidate, Found};
use crate::repository::{
    LineageNode, ListFilter, StepPages, StoreErrorKind, SummaryExecution, cursor,
};
use crate::workflow::record::{
    Attempt, Change, Created, ExecutionState, ExecutionStatus, Reuse, StepRecord, StepState,
    StepStatus,
};
use crate::workflow::retention::{Chosen, PrunePlan, Stored};

/// The ids that a filter lists, all on one page, and the total.
fn listed<S: Store>(place: &S, filter: &ListFilter) -> (Vec<String>, u64) {
    let listing = place.reader().list(filter, 1000, 0).unwrap();
    let ids = listing.items.into_iter().map(|execution| execution.execution_id).collect();
    (ids, listing.total)
}

pub(crate) fn each_filter_lists_what_it_names_newest_first<S: Store>() {
    let place = S::new();
    let writer = place.open();
    for (index, (workflow_id, status)) in ["a", "b"]
        .into_iter()
        .flat_map(|workflow| ExecutionStatus::ALL.map(|status| (workflow, status)))
        .enumerate()
    {
        let second = i64::try_from(index).unwrap();
        let created =
            Created { workflow_id: workflow_id.to_owned(), created_at: at(second), ..created(1) };
        let head = head(status, second);
        store_change(
            &writer,
            &format!("{workflow_id}-{status}"),
            Change { created: Some(Arc::new(created)), ..change(head) },
        );
    }
    let all: Vec<(usize, &str, ExecutionStatus)> = ["a", "b"]
        .into_iter()
        .flat_map(|workflow| ExecutionStatus::ALL.map(|status| (workflow, status)))
        .enumerate()
        .map(|(index, (workflow, status))| (index, workflow, status))
        .collect();
    let statuses = ExecutionStatus::ALL.map(Some).into_iter().chain([None]);
    for (workflow, status) in
        statuses.flat_map(|status| [None, Some("a"), Some("b"), Some("c")].map(|w| (w, status)))
    {
        for since in [None, Some(0), Some(4), Some(9), Some(100)] {
            let filter = ListFilter {
                workflow_id: workflow.map(str::to_owned),
                status,
                since: since.map(|since| at(since).into()),
                ..ListFilter::default()
            };
            let expected: Vec<String> = all
                .iter()
                .rev()
                .filter(|(second, w, s)| {
                    workflow.is_none_or(|workflow| workflow == *w)
                        && status.is_none_or(|status| status == *s)
                        && since.is_none_or(|since| i64::try_from(*second).unwrap() >= since)
                })
                .map(|(_, workflow, status)| format!("{workflow}-{status}"))
                .collect();
            let total = expected.len() as u64;
            assert_eq!(listed(&place, &filter), (expected, total), "{filter:?}");
        }
    }
    writer.close().unwrap();
}

pub(crate) fn a_page_ends_with_its_limit_or_its_bytes<S: Store>() {
    let place = S::new();
    let writer = place.open();
    for index in 0..7 {
        store(&writer, &format!("e{index}"), ExecutionStatus::Success, index);
    }
    let reader = place.reader();
    let page = |limit, offset, bytes| {
        let listing = reader.list_within(&ListFilter::default(), limit, offset, bytes).unwrap();
        assert_eq!(listing.total, 7);
        let ids = listing.items.into_iter().map(|item| item.execution_id).collect::<Vec<_>>();
        (ids.join(" "), listing.is_cut)
    };
    assert_eq!(page(3, 0, usize::MAX), ("e6 e5 e4".to_owned(), false));
    assert_eq!(page(3, 5, usize::MAX), ("e1 e0".to_owned(), false));
    assert_eq!(page(3, 7, usize::MAX), (String::new(), false));
    assert_eq!(page(3, 0, 1), ("e6".to_owned(), true));
    assert_eq!(page(1, 0, 1), ("e6".to_owned(), false));
    writer.close().unwrap();
}

pub(crate) fn a_list_goes_on_where_it_ended_while_executions_come_and_go<S: Store>() {
    let place = S::new();
    let writer = place.open();
    let count: usize = 30;
    for index in 0..count {
        let created = Created { workflow_id: format!("w{}", index % 2), ..created(1) };
        let head = head(ExecutionStatus::Failed, 1);
        let change = Change { created: Some(Arc::new(created)), ..change(head) };
        store_change(&writer, &format!("e{index:02}"), change);
    }
    let reader = place.reader();
    let filters = [
        ListFilter::default(),
        ListFilter { workflow_id: Some("w1".to_owned()), ..ListFilter::default() },
        ListFilter { status: Some(ExecutionStatus::Failed), ..ListFilter::default() },
    ];
    let mut deleted = Vec::new();
    for (round, filter) in filters.iter().enumerate() {
        let before = listed(&place, filter).0;
        let (mut seen, mut filter, mut page) = (Vec::new(), filter.clone(), 0);
        loop {
            let listing = reader.list(&filter, 4, 0).unwrap();
            assert_eq!(listing.end.is_none(), listing.items.is_empty());
            let Some(end) = listing.end else { break };
            // As clients keep it.
            let token = cursor::token(&filter, end);
            filter.after = Some(cursor::parse(&filter, &token).unwrap());
            seen.extend(listing.items.into_iter().map(|item| item.execution_id));
            // One comes; the last that was seen goes, and one that was not seen yet.
            store(&writer, &format!("new-{round}-{page}"), ExecutionStatus::Failed, 2);
            let later = before.iter().find(|id| !seen.contains(id) && !deleted.contains(*id));
            let going: Vec<String> = seen.last().into_iter().chain(later).cloned().collect();
            let history = reader.history().unwrap().executions.into_iter();
            let chosen = history
                .filter(|one| going.iter().any(|id| **id == *one.execution_id))
                .map(|Stored { seq, execution_id, .. }| Chosen { seq, execution_id });
            let plan = PrunePlan { chosen: chosen.collect(), ..PrunePlan::default() };
            writer.purge(&plan, &mut |_| {}).unwrap();
            deleted.extend(going);
            page += 1;
        }
        assert!(page > 1);
        let stayed = |id: &&String| !deleted.contains(*id);
        let expected: Vec<&String> = before.iter().filter(stayed).collect();
        assert_eq!(seen.iter().filter(stayed).collect::<Vec<_>>(), expected);
        assert!(seen.iter().all(|id| before.contains(id)), "{seen:?}");
        // The total is that of the whole list, wherever the page begins.
        assert_eq!(reader.list(&filter, 1, 0).unwrap().total, listed(&place, &filters[round]).1);
    }
    writer.close().unwrap();
}

pub(crate) fn references_find_one_execution<S: Store>() {
    let place = S::new();
    let writer = place.open();
    for id in ["abc-1", "abc-2", "abd"] {
        store(&writer, id, ExecutionStatus::Success, 1);
    }
    let reader = place.reader();
    let found = |reference: &str| {
        reader
            .resolve(reference, &[])
            .map(|found| found.map(|Found { execution_id, .. }| execution_id))
    };
    let some = |id: &str| Ok(Some(id.to_owned()));
    assert_eq!(found("@latest"), some("abd"));
    assert_eq!(found("abc-1"), some("abc-1"));
    assert_eq!(found("ABD"), some("abd"));
    assert_eq!(found("abd"), some("abd"));
    for none in ["", "x", "@0", "@x", "@-1", "@", "%", "ab%"] {
        assert_eq!(found(none), Ok(None), "{none}");
    }
    let ambiguous = found("abc").unwrap_err();
    assert_eq!(ambiguous.kind(), StoreErrorKind::Ambiguous);
    assert!(ambiguous.to_string().contains("abc-1") && ambiguous.to_string().contains("abc-2"));
    // Of a workflow the latest is meant; a name that begins ids as well is ambiguous.
    for (id, workflow) in [("e1", "nightly"), ("e2", "nightly"), ("e3", "abc-1"), ("e4", "ab")] {
        let created = Created { workflow_id: workflow.to_owned(), ..created(1) };
        let head = head(ExecutionStatus::Success, 1);
        store_change(&writer, id, Change { created: Some(Arc::new(created)), ..change(head) });
    }
    assert_eq!(found("nightly"), some("e2"));
    assert_eq!(found("abc-1"), some("abc-1"));
    assert_eq!(found("night"), Ok(None));
    let ambiguous = found("ab").unwrap_err();
    assert_eq!(ambiguous.kind(), StoreErrorKind::Ambiguous);
    for id in ["e4", "abc-1", "abc-2", "abd"] {
        assert!(ambiguous.to_string().contains(id), "{ambiguous}");
    }
    // What is not stored yet counts as well, by the time it was accepted.
    let unstored = |id: &str, workflow: &str, created_at: &str| Candidate {
        found: Found { seq: None, execution_id: id.to_owned() },
        workflow_id: workflow.to_owned(),
        created_at: created_at.to_owned(),
    };
    let early = [unstored("m1", "nightly", "1970-01-01T00:00:00.000000Z")];
    let late = [unstored("m2", "nightly", "2999-01-01T00:00:00.000000Z")];
    let among = |reference: &str, unstored: &[Candidate]| {
        reader.resolve(reference, unstored).unwrap().map(|found| found.execution_id)
    };
    for (reference, by_early, by_late) in
        [("nightly", "e2", "m2"), ("@latest", "e4", "m2"), ("abd", "abd", "abd")]
    {
        assert_eq!(among(reference, &early).as_deref(), Some(by_early), "{reference}");
        assert_eq!(among(reference, &late).as_deref(), Some(by_late), "{reference}");
    }
    assert_eq!(among("m", &late).as_deref(), Some("m2"));
    // The number that is shown leads back to it.
    for id in ["abc-1", "abc-2", "abd"] {
        let number = reader.execution(id).unwrap().unwrap().number();
        assert_eq!(found(&number), some(id));
    }
    writer.close().unwrap();
}

pub(crate) fn steps_are_read_piece_by_piece<S: Store>() {
    let place = S::new();
    let writer = place.open();
    let count = 40;
    let mut change = creation(count, head(ExecutionStatus::Success, 2));
    for position in 0..u32::try_from(count).unwrap() {
        change.steps.insert(position, ended(StepStatus::Failed));
        change.attempts.push(attempt(position, 1, &"x".repeat(9_000)));
    }
    store_change(&writer, "e", change);
    let reader = place.reader();
    let whole = reader.detail("e").unwrap().unwrap();
    assert_eq!(whole.steps.len(), count);
    let mut pages = StepPages::of(&whole.execution);
    let (mut steps, mut pieces) = (Vec::new(), 0);
    while let Some(piece) =
        pages.next(|id, position, bytes| reader.steps(id, position, bytes)).unwrap()
    {
        assert!(piece.len() < count);
        steps.extend(piece);
        pieces += 1;
    }
    assert!(pages.is_over() && pieces > 3, "{pieces}");
    assert_eq!(steps, whole.steps);
    let (first, is_cut) = reader.detail_within("e", 1).unwrap().unwrap();
    assert!(is_cut && first.steps == whole.steps[..1]);
    assert_eq!(reader.detail_within("e", usize::MAX).unwrap(), Some((whole, false)));
    assert_eq!(reader.detail("none").unwrap(), None);
    assert_eq!(reader.steps("none", 0, 1).unwrap(), (Vec::new(), false));
    writer.close().unwrap();
}

pub(crate) fn lineage_leads_from_the_first_execution_to_its_replays<S: Store>() {
    let place = S::new();
    let writer = place.open();
    // Of `gone` only its replay is stored.
    for (id, replay_of) in
        [("b", Some("gone")), ("c", Some("b")), ("d", Some("b")), ("e", Some("d")), ("f", None)]
    {
        let created = Created { replay_of: replay_of.map(str::to_owned), ..created(1) };
        let head = head(ExecutionStatus::Failed, 1);
        store_change(&writer, id, Change { created: Some(Arc::new(created)), ..change(head) });
    }
    fn shown(node: &LineageNode) -> String {
        let mark = if node.status.is_none() { "?" } else { "" };
        let below: Vec<String> = node.children.iter().map(shown).collect();
        format!("{}{mark}({})", node.execution_id, below.join(" "))
    }
    let reader = place.reader();
    let lineage = |id: &str| {
        let lineage = reader.lineage(id).unwrap();
        assert!(!lineage.truncated);
        shown(&lineage.root)
    };
    assert_eq!(lineage("b"), "gone?(b(c() d(e())))");
    assert_eq!(lineage("e"), "gone?(b(d(e())))");
    assert_eq!(lineage("gone"), "gone?(b(c() d(e())))");
    assert_eq!(lineage("f"), "f()");
    assert_eq!(lineage("none"), "none?()");
    writer.close().unwrap();
}

pub(crate) fn durations_are_those_of_steps_that_succeeded<S: Store>() {
    let place = S::new();
    let writer = place.open();
    for (index, workflow_id) in ["a", "b"].into_iter().enumerate() {
        let second = i64::try_from(index).unwrap();
        let created =
            Created { workflow_id: workflow_id.to_owned(), created_at: at(second), ..created(4) };
        let mut change = Change {
            created: Some(Arc::new(created)),
            ..change(head(ExecutionStatus::Success, second))
        };
        let worked = |status, duration_ms, exit_code| StepState {
            duration_ms: Some(duration_ms),
            exit_code,
            ..ended(status)
        };
        change.steps.insert(0, worked(StepStatus::Success, 7 + index as u64, Some(0)));
        change.steps.insert(1, worked(StepStatus::Failed, 9, Some(1)));
        // Without work.
        change.steps.insert(2, worked(StepStatus::Success, 0, None));
        store_change(&writer, workflow_id, change);
    }
    let reader = place.reader();
    let durations = |workflow, since: Option<i64>, until: Option<i64>| {
        let found = reader.step_durations(workflow, since.map(at), until.map(at)).unwrap();
        let shown =
            found.into_iter().map(|((workflow, step), ms)| format!("{workflow} {step} {ms:?}"));
        shown.collect::<Vec<_>>()
    };
    assert_eq!(durations(None, None, None), ["a s0 [7]", "b s0 [8]"]);
    assert_eq!(durations(Some("a"), None, None), ["a s0 [7]"]);
    assert_eq!(durations(None, Some(1), None), ["b s0 [8]"]);
    assert_eq!(durations(None, None, Some(1)), ["a s0 [7]"]);
    writer.close().unwrap();
}

pub(crate) fn summaries_are_of_each_workflow<S: Store>() {
    let place = S::new();
    let writer = place.open();
    let stored = |id: &str, workflow_id: &str, status, second, replay_of: Option<&str>| {
        let replay_of = replay_of.map(str::to_owned);
        let created = Created { workflow_id: workflow_id.to_owned(), replay_of, ..created(1) };
        let created = Some(Arc::new(created));
        store_change(&writer, id, Change { created, ..change(head(status, second)) });
    };
    stored("b1", "b", ExecutionStatus::Success, 3, None);
    stored("a1", "a", ExecutionStatus::Failed, 2, None);
    stored("b2", "b", ExecutionStatus::Success, 5, None);
    stored("b3", "b", ExecutionStatus::Success, 9, Some("b1"));
    stored("b4", "b", ExecutionStatus::Running, 9, None);
    let reader = place.reader();
    let found = reader.summaries(None).unwrap();
    let ids: Vec<&str> = found.iter().map(|summary| summary.workflow_id.as_str()).collect();
    assert_eq!(ids, ["a", "b"]);
    let id = |execution: &Option<SummaryExecution>| {
        execution.as_ref().map(|execution| execution.execution_id.clone()).unwrap_or_default()
    };
    let [a, b] = &found[..] else { panic!("{found:?}") };
    assert_eq!(
        (a.total, a.unfinished, id(&a.last), id(&a.last_success)),
        (1, 0, "a1".into(), String::new())
    );
    assert!(a.durations_ms.is_empty());
    assert_eq!(
        (b.total, b.unfinished, id(&b.last), id(&b.last_success)),
        (4, 1, "b4".into(), "b3".into())
    );
    // How long a replay took, of which steps may be reused, says nothing of the usual.
    assert_eq!(b.durations_ms, [5_000, 3_000]);
    assert_eq!(reader.summaries(Some("b")).unwrap(), std::slice::from_ref(b));
    assert_eq!(reader.summaries(Some("c")).unwrap(), []);
    writer.close().unwrap();
}

pub(crate) fn reused_steps_have_the_output_of_where_they_ran<S: Store>() {
    let place = S::new();
    let writer = place.open();
    // Their places in the list differ.
    let mut original = creation(3, head(ExecutionStatus::Failed, 1));
    original.steps.insert(2, ended(StepStatus::Success));
    original.attempts = vec![attempt(2, 1, "text")];
    store_change(&writer, "original", original);
    let seq = place.reader().execution("original").unwrap().unwrap().seq;
    let reuse = |seq, position| {
        let reuse = Reuse { execution_id: "original".to_owned(), seq, position };
        StepState {
            reused: Some(Arc::new(reuse)),
            duration_ms: Some(5),
            exit_code: Some(0),
            ..ended(StepStatus::Success)
        }
    };
    let mut replay = creation(4, head(ExecutionStatus::Running, 2));
    replay.steps.extend([
        (0, reuse(seq, Some(2))),
        // As if the original had no number when it was replayed.
        (2, reuse(None, None)),
        (3, ended(StepStatus::Success)),
    ]);
    let pending = store_change(&writer, "replay", replay);
    assert!(pending.stored().borrow().refused.is_none());
    let reader = place.reader();
    let steps = || reader.detail("replay").unwrap().unwrap().steps;
    let shown = |step: &StepRecord| (step.stdout.clone(), step.output_note.clone());
    let with_text = steps();
    assert_eq!(with_text[0].reused_from.as_deref(), Some("original"));
    assert_eq!((with_text[0].reused_from_seq, with_text[0].reused_position), (seq, Some(2)));
    assert_eq!(shown(&with_text[0]), ("text".to_owned(), None));
    // It wrote nothing, and a step that ran is no reused one.
    assert_eq!(shown(&with_text[2]), (String::new(), None));
    assert_eq!(with_text[2].reused_from.as_deref(), Some("original"));
    assert_eq!(with_text[2].reused_from_seq, seq);
    assert_eq!(with_text[3].reuse(), None);
    let without = reader.steps_without_text("replay").unwrap();
    assert_eq!(shown(&without[0]), (String::new(), None));
    assert_eq!(without[0].stdout_bytes, 4);
    let attempts = reader.attempts("replay").unwrap();
    assert_eq!(attempts, [Attempt { position: 0, ..attempt(2, 1, "text") }]);
    assert!(reader.step_durations(None, None, None).unwrap().is_empty());

    let chosen = Chosen { seq: seq.unwrap(), execution_id: "original".into() };
    let plan = PrunePlan { chosen: vec![chosen], ..PrunePlan::default() };
    writer.purge(&plan, &mut |_| {}).unwrap();
    let note = format!("output was deleted with @{}", seq.unwrap());
    assert_eq!(shown(&steps()[0]), (String::new(), Some(note)));
    assert_eq!(shown(&steps()[2]), (String::new(), None));
    assert!(reader.attempts("replay").unwrap().is_empty());
    writer.close().unwrap();
}

pub(crate) fn a_reader_notices_what_others_store<S: Store>() {
    let place = S::new();
    let writer = place.open();
    let pending = store(&writer, "e", ExecutionStatus::Running, 0);
    let reader = place.reader();
    assert!(reader.is_in_place());
    let before = reader.version().unwrap();
    assert_eq!(reader.version().unwrap(), before);
    pending
        .record(change(ExecutionState { steps_completed: 1, ..head(ExecutionStatus::Running, 1) }));
    assert!(writer.enqueue(&pending));
    until("it is stored", || !pending.is_dirty());
    assert_ne!(reader.version().unwrap(), before);
    assert_eq!(reader.execution("e").unwrap().unwrap().steps_completed, 1);
    writer.close().unwrap();
}

pub(crate) fn readers_read_while_the_writer_writes<S: Store>() {
    let place = S::new();
    let writer = place.open();
    store(&writer, "first", ExecutionStatus::Success, 1);
    let pending = pending(3000);
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let reader = place.reader();
            let mut seen = 0;
            while seen < 3001 {
                let listing = reader.list(&ListFilter::default(), 10_000, 0).unwrap();
                assert_eq!(listing.total, listing.items.len() as u64);
                assert!(listing.total >= seen);
                seen = listing.total;
            }
        });
        for pending in &pending {
            assert!(writer.enqueue(pending));
        }
        reading.join().unwrap();
    });
    writer.close().unwrap();
}
