//! What is found overdue, against a real database.

use std::sync::Arc;

use super::*;
use crate::repository::{
    Durability, Notified, OutputBudgets, Retention, ScheduleChange, Writer, WriterOptions,
};
use crate::workflow::check::{self, Format, Source};
use crate::workflow::compiled::CompiledWorkflow;
use crate::workflow::record::ExecutionStatus;

const PATIENCE: Duration = Duration::from_secs(10);
const PUNCTUAL: &str = "expect: {start_within: 5s}";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros((1_750_000_000 + seconds) * 1_000_000)
}

/// A workflow `w` with a schedule `s`.
fn entry(expect: &str) -> Entry {
    let text = format!("schedule: {{every: 10s, name: s}}\n{expect}\nsteps: [{{name: a}}]\n");
    of_text(&text)
}

fn of_text(text: &str) -> Entry {
    let source = Source { name: "test", text, format: Format::Yaml, default_id: Some("w") };
    Entry::new(Arc::new(CompiledWorkflow::of(check::read(&source).unwrap()).unwrap()))
}

fn open(kind: OverdueKind, scheduled_at: i64) -> OverdueRecord {
    let subject = Subject {
        schedule: Some("s".to_owned()),
        scheduled_at: Some(at(scheduled_at)),
        execution_id: None,
    };
    record("w", kind, subject, at(scheduled_at))
}

fn start(scheduled_at: i64, started_at: i64) -> ExpectedStart {
    ExpectedStart {
        schedule: "s".to_owned(),
        scheduled_at: at(scheduled_at),
        due: at(scheduled_at),
        started_at: Some(at(started_at)),
        execution_id: Some(format!("e{scheduled_at}")),
    }
}

/// A database, and what is watched of it.
struct Place {
    _folder: tempfile::TempDir,
    writer: Writer,
    reader: Reader,
    entries: BTreeMap<String, Entry>,
    watch: Watch,
}

impl Place {
    fn new(entry: Entry, raised: Vec<OverdueRecord>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wfx.db");
        let options = WriterOptions {
            durability: Durability::Normal,
            trusted_owner: None,
            retention: Retention::Given(None),
            queue_capacity: 16,
            busy_timeout: PATIENCE,
            output: OutputBudgets::default(),
            commits: None,
        };
        let writer = Writer::open(&path, options).unwrap();
        let reader = Reader::open(&path).unwrap();
        let entries = BTreeMap::from([("w".to_owned(), entry)]);
        let place = Self { _folder: folder, writer, reader, entries, watch: Watch::default() };
        place.write((raised, Vec::new()), at(0));
        place
    }

    fn write(&self, (raised, cleared): Change, now: Timestamp) {
        let change = ScheduleChange::Overdue { now, raised, cleared, notify: Notified::new() };
        self.writer.change_schedules(&change, PATIENCE).unwrap();
    }

    fn pause(&self, from: i64, until: Option<i64>) {
        let pause = PauseRecord {
            workflow_id: Some("w".to_owned()),
            paused_at: at(from),
            paused_until: until.map(at),
            reason: None,
            paused_by: None,
            paused_address: None,
        };
        self.writer.change_schedules(&ScheduleChange::Pause(pause), PATIENCE).unwrap();
    }

    fn started(&mut self, start: ExpectedStart) {
        self.watch.started.entry("w".to_owned()).or_default().push(start);
    }

    /// What a look finds that is not too soon.
    fn look(&mut self, now: i64) -> Option<Found> {
        self.watch.looked_at = None;
        let version = self.reader.version().unwrap();
        self.watch.look(&self.entries, &self.reader, version, at(now)).unwrap()
    }

    /// The same, and stores it: what is raised and what is cleared.
    fn looked(&mut self, now: i64) -> (Vec<OverdueKind>, Vec<OverdueKind>) {
        let Some(found) = self.look(now) else { return Default::default() };
        let (raised, cleared) = found.change.clone().unwrap_or_default();
        self.write((raised.clone(), cleared.clone()), at(now));
        self.watch.stored(&found);
        let mut cleared: Vec<OverdueKind> = cleared.into_iter().map(|(_, kind)| kind).collect();
        cleared.sort();
        (raised.into_iter().map(|it| it.kind).collect(), cleared)
    }
}

#[test]
fn what_is_late_is_over_with_a_later_start_in_time() {
    let late = vec![OverdueKind::Late];
    let mut place = Place::new(entry(PUNCTUAL), vec![open(OverdueKind::Late, 20)]);
    place.started(start(10, 11));
    assert_eq!(place.looked(30), (vec![], vec![]), "an earlier time says nothing");
    place.started(start(30, 36));
    assert_eq!(place.looked(36), (late.clone(), vec![]), "the later one was late as well");
    place.started(start(40, 45));
    assert_eq!(place.looked(45), (vec![], late.clone()));
    assert_eq!(place.looked(46), (vec![], vec![]));
    // One in time and one that is late: it is late.
    place.started(start(50, 50));
    place.started(start(40, 46));
    assert_eq!(place.looked(50), (late, vec![]));
}

#[test]
fn a_start_that_waits_for_its_concurrency_group_has_not_begun() {
    let entry = entry(PUNCTUAL);
    let waits = |started_at: Option<i64>| UnfinishedExecution {
        workflow_id: "w".to_owned(),
        execution_id: "e10".to_owned(),
        status: ExecutionStatus::Pending,
        started_at: started_at.map(at),
        expected: Some(("s".to_owned(), at(10))),
        catch_up: false,
        is_ad_hoc: false,
        owner: None,
    };
    let judged = |unfinished: &[UnfinishedExecution], now: i64| {
        let doing = doing(&entry, unfinished, vec![start(10, 10)]);
        assert_eq!(doing.starts.len(), 1, "it is one start");
        let verdict = judge(entry.expectations(), &doing, at(now));
        (verdict.overdue.len(), verdict.punctual, verdict.next)
    };
    assert_eq!(judged(&[waits(None)], 14), (0, None, Some(at(15))));
    assert_eq!(judged(&[waits(None)], 16), (1, None, None));
    assert_eq!(judged(&[waits(Some(16))], 17), (1, None, None));
    assert_eq!(judged(&[waits(Some(12))], 17), (0, Some(at(10)), None));
    // It ended before the look.
    assert_eq!(judged(&[], 17), (0, Some(at(10)), None));
}

#[test]
fn nothing_is_raised_while_it_is_paused_and_what_was_is_over() {
    let kinds = [OverdueKind::Late, OverdueKind::Slow, OverdueKind::Stale];
    let all = "expect: {start_within: 5s, finish_within: 5s, success_within: 1h}";
    let raised = kinds.iter().chain([&OverdueKind::Missed]).map(|kind| open(*kind, 10));
    let mut place = Place::new(entry(all), raised.collect());
    place.pause(20, Some(60));
    place.started(start(20, 30));
    let found = place.look(30).unwrap();
    assert_eq!(found.next, Some(at(60)), "then it is looked again");
    let (raised, mut cleared) = place.looked(30);
    cleared.sort();
    let mut kinds = kinds.to_vec();
    kinds.sort();
    assert_eq!((raised, cleared), (vec![], kinds));
    let open = place.reader.overdue().unwrap();
    let left: Vec<OverdueKind> = open.iter().map(|it| it.kind).collect();
    assert_eq!(left, [OverdueKind::Missed], "a start ends that one");
    assert_eq!(place.looked(31), (vec![], vec![]));
}

#[test]
fn what_could_not_be_stored_is_found_again() {
    let mut place = Place::new(entry(PUNCTUAL), Vec::new());
    place.started(start(10, 16));
    place.watch.removed("gone".to_owned());
    place
        .write((vec![record("gone", OverdueKind::Slow, Subject::default(), at(1))], vec![]), at(1));
    let change = |place: &mut Place, now: i64| {
        let (raised, cleared) = place.look(now).and_then(|it| it.change).unwrap();
        let raised: Vec<OverdueKind> = raised.iter().map(|it| it.kind).collect();
        (raised, cleared)
    };
    let news = (vec![OverdueKind::Late], vec![("gone".to_owned(), OverdueKind::Slow)]);
    // Twice: nothing was written of the first look.
    assert_eq!(change(&mut place, 16), news);
    assert_eq!(change(&mut place, 17), news);
    let found = place.look(18).unwrap();
    assert_eq!(found.open, [("w".to_owned(), "late")]);
    assert_eq!(place.looked(19).0, [OverdueKind::Late]);
    assert_eq!(place.look(20).unwrap().change, None, "what was written is looked at once more");
    assert!(place.watch.gone.is_empty() && place.watch.started.is_empty());
}

#[test]
fn what_nobody_expects_any_more_is_over() {
    let raised = || vec![open(OverdueKind::Missed, 10), open(OverdueKind::Stale, 10)];
    let both = vec![OverdueKind::Missed, OverdueKind::Stale];
    let mut none = Place::new(of_text("blackout: []\nsteps: [{name: a}]\n"), raised());
    let found = none.looked(30).1.into_iter().collect::<BTreeSet<_>>();
    assert_eq!(found, both.into_iter().collect());
    // It has a schedule yet.
    let mut scheduled = Place::new(entry(""), raised());
    assert_eq!(scheduled.looked(30).1, [OverdueKind::Stale]);
}

#[test]
fn a_clock_that_was_set_is_a_reason_to_look() {
    let mut place = Place::new(entry(PUNCTUAL), Vec::new());
    assert!(place.look(30).is_some());
    _ = place.looked(30);
    assert!(place.look(31).is_none(), "nothing has changed");
    place.watch.changed();
    assert!(place.look(10).is_some());
    assert_eq!(place.watch.next(), None);
}
