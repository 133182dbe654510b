use super::*;

fn usable(change: impl FnOnce(&mut Usable)) -> Facts {
    let mut database = Usable::default();
    file(&mut database).mode = 0o600;
    change(&mut database);
    Facts {
        path: "wfx.db".to_owned(),
        database: Database::Usable(Box::new(database)),
        ..Facts::default()
    }
}

fn file(database: &mut Usable) -> &mut FileFacts {
    match &mut database.storage {
        Storage::File(file) => file,
        Storage::Server(_) => unreachable!("it is a file by default"),
    }
}

fn worst(facts: &Facts) -> (State, Vec<&'static str>) {
    let findings = diagnose(facts);
    for finding in &findings {
        assert_eq!(finding.remedy.is_none(), finding.state == State::Ok, "{finding:?}");
    }
    let worst = |state| -> Vec<&'static str> {
        findings.iter().filter(|f| f.state == state).map(|f| f.check).collect()
    };
    match (worst(State::Problem), worst(State::Note)) {
        (problems, _) if !problems.is_empty() => (State::Problem, problems),
        (_, notes) if !notes.is_empty() => (State::Note, notes),
        _ => (State::Ok, Vec::new()),
    }
}

#[test]
fn a_healthy_database_is_all_right() {
    assert_eq!(worst(&usable(|_| {})), (State::Ok, vec![]));
    assert_eq!(worst(&Facts::default()), (State::Note, vec!["database"]));
}

#[test]
fn each_fault_is_a_problem_with_a_remedy() {
    let owner = |state, is_serve| Owner { id: None, state, doubt: None, is_serve, executions: 2 };
    let dead = move |is_serve| owner(OwnerState::Dead, is_serve);
    type Change = Box<dyn FnOnce(&mut Usable)>;
    let cases: Vec<(&str, Change)> = vec![
        (
            "integrity",
            Box::new(|d| file(d).damages = vec!["page 3".to_owned(), "page 4".to_owned()]),
        ),
        ("files", Box::new(|d| file(d).misplaced = Some("the log was cut".to_owned()))),
        ("permissions", Box::new(|d| file(d).unwritable = Some("no".to_owned()))),
        ("owner", Box::new(move |d| d.owners = vec![dead(false)])),
        ("owner", Box::new(move |d| d.owners = vec![dead(true)])),
        ("owner", Box::new(move |d| d.owners = vec![owner(OwnerState::Unknown, false)])),
    ];
    for (check, change) in cases {
        assert_eq!(worst(&usable(change)), (State::Problem, vec![check]));
    }
    let notes: Vec<(&str, Change)> = vec![
        ("permissions", Box::new(|d| file(d).mode = 0o644)),
        ("log", Box::new(|d| file(d).log_bytes = 1 << 30)),
        ("owner", Box::new(|d| d.dead_locks = 1)),
        ("size", Box::new(|d| (d.size_bytes, file(d).free_bytes) = (1 << 30, 1 << 30))),
    ];
    for (check, change) in notes {
        assert_eq!(worst(&usable(change)), (State::Note, vec![check]));
    }
}

#[test]
fn what_the_retention_of_all_leaves_alone_is_listed() {
    let text = |change: fn(&mut Usable)| {
        let findings = diagnose(&usable(change));
        findings.into_iter().find(|it| it.check == "retention").map(|it| it.detail)
    };
    assert_eq!(text(|_| {}), None);
    assert_eq!(text(|d| d.pinned = 2).as_deref(), Some("2 executions pinned"));
    let both = text(|d| (d.pinned, d.own_retention) = (1, vec!["a".into(), "b".into()]));
    assert_eq!(both.as_deref(), Some("own rules for 2 workflows (a, b); 1 execution pinned"));
}

#[test]
fn the_surroundings_are_judged_too() {
    let full = Disk { free_bytes: 10, network: None };
    let far = Disk { free_bytes: u64::MAX, network: Some("NFS") };
    for (check, disk) in [("disk", full), ("file system", far)] {
        let facts = Facts { disk: Some(disk), ..usable(|_| {}) };
        assert_eq!(worst(&facts), (State::Problem, vec![check]));
    }
    let facts = Facts { bad_settings: vec![("X".to_owned(), "no".to_owned())], ..usable(|_| {}) };
    assert_eq!(worst(&facts), (State::Problem, vec!["settings"]));
    let facts = Facts { temporary: ("/t".to_owned(), Some("no".to_owned())), ..usable(|_| {}) };
    assert_eq!(worst(&facts), (State::Problem, vec!["temporary"]));
    let process = |is_abandoned| Process {
        pid: 7,
        name: "sleep".to_owned(),
        execution_id: "e".to_owned(),
        step: "a".to_owned(),
        is_abandoned,
    };
    for (is_abandoned, state) in [(true, State::Problem), (false, State::Note)] {
        let facts = Facts { processes: vec![process(is_abandoned)], ..usable(|_| {}) };
        assert_eq!(worst(&facts), (state, vec!["process"]));
    }
}
