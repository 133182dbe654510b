//! A folder of workflows that changes.

use super::*;

const GOOD: &str = "steps: [{name: a}]";

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros(second * 1_000_000)
}

fn at_epoch(second: u64) -> std::time::SystemTime {
    std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(second)
}

fn told(events: &[Event]) -> Vec<String> {
    let name = |event: &Event| event.file.file_name().unwrap().to_string_lossy().into_owned();
    events
        .iter()
        .map(|event| match &event.what {
            What::Loaded(id) => format!("{} loaded {id}", name(event)),
            What::Removed(id) => format!("{} removed {id}", name(event)),
            What::DefaultsLoaded => format!("{} defaults", name(event)),
            What::DefaultsRemoved => format!("{} gone", name(event)),
            What::Broken(_) => format!("{} broken", name(event)),
            What::Contested(_, other) => {
                let other = other.file_name().unwrap().to_string_lossy();
                format!("{} contested by {other}", name(event))
            }
        })
        .collect()
}

#[test]
fn files_come_change_break_mend_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("a.yaml", GOOD);
    write("b.json", "{\"id\": \"bee\", \"steps\": [{\"name\": \"a\"}]}");
    write(".hidden.yaml", GOOD);
    write("notes.txt", GOOD);
    let (catalogue, events) = Catalogue::load(folder.path(), at(1)).unwrap();
    assert_eq!(told(&events), ["a.yaml loaded a", "b.json loaded bee"]);
    assert!(catalogue.get("a").is_some() && catalogue.get("bee").is_some());
    assert_eq!(told(&catalogue.rescan(at(2))), [] as [&str; 0]);

    write("a.yaml", "steps: [{name: a}, {name: b}]");
    write("b.json", "{\"id\": \"bee\", \"steps");
    assert_eq!(told(&catalogue.rescan(at(3))), ["a.yaml loaded a", "b.json broken"]);
    assert_eq!(catalogue.get("a").unwrap().definition().steps.len(), 2);
    assert_eq!(catalogue.get("bee").unwrap().definition().steps.len(), 1, "the last good version");
    assert_eq!(catalogue.counts(), (2, 1));
    assert_eq!(told(&catalogue.rescan(at(4))), [] as [&str; 0]);

    write("b.json", "{\"id\": \"bee\", \"steps\": [{\"name\": \"a\"}]} ");
    assert_eq!(told(&catalogue.rescan(at(5))), ["b.json loaded bee"]);
    fs::remove_file(folder.path().join("a.yaml")).unwrap();
    assert_eq!(told(&catalogue.rescan(at(6))), ["a.yaml removed a"]);
    assert!(catalogue.get("a").is_none());
    assert_eq!(catalogue.list()[0].loaded_at, Some(at(1)), "the same as before it broke");
}

#[test]
fn of_two_with_one_id_the_one_in_use_stays() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let steps = |catalogue: &Catalogue| catalogue.get("one").unwrap().definition().steps.len();
    write("b.yaml", "id: one\nsteps: [{name: a}]");
    let (catalogue, _) = Catalogue::load(folder.path(), at(1)).unwrap();
    // A copy that sorts before it, and an edit of the original in the same moment.
    write("a.yaml", "id: one\nsteps: [{name: a}]");
    write("b.yaml", "id: one\nsteps: [{name: a}, {name: b}]");
    let events = catalogue.rescan(at(2));
    assert_eq!(told(&events), ["a.yaml broken", "b.yaml contested by a.yaml", "b.yaml loaded one"]);
    assert_eq!((steps(&catalogue), catalogue.counts()), (2, (1, 1)));
    assert_eq!(told(&catalogue.rescan(at(3))), [] as [&str; 0]);
    // A file that breaks keeps its workflow, as alone.
    write("b.yaml", "id: one\nsteps");
    assert_eq!(told(&catalogue.rescan(at(4))), ["b.yaml broken"]);
    assert_eq!(steps(&catalogue), 2);
    // Once it is gone, or has another id, the copy is all there is.
    write("b.yaml", "id: other\nsteps: [{name: a}]");
    assert_eq!(told(&catalogue.rescan(at(5))), ["a.yaml loaded one", "b.yaml loaded other"]);
    assert_eq!(steps(&catalogue), 1);
}

#[test]
fn of_two_at_the_start_the_one_is_taken_that_is_called_so() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("deploy-old.yaml", "id: deploy\nsteps: [{name: a}]");
    write("deploy.yaml", "id: deploy\nsteps: [{name: a}, {name: b}]");
    write("x.yaml", "id: y\nsteps: [{name: a}, {name: b}]");
    write("z.yaml", "id: y\nsteps: [{name: a}]");
    // Edited last.
    let edited = |name: &str, second| {
        let file = File::options().write(true).open(folder.path().join(name)).unwrap();
        file.set_modified(at_epoch(second)).unwrap();
    };
    edited("x.yaml", 20);
    edited("z.yaml", 10);
    write("m.yaml", "id: n\nsteps: [{name: a}]");
    write("o.yaml", "id: n\nsteps: [{name: a}, {name: b}]");
    edited("m.yaml", 10);
    edited("o.yaml", 20);
    let (catalogue, events) = Catalogue::load(folder.path(), at(1)).unwrap();
    assert_eq!(
        told(&events),
        [
            "deploy-old.yaml broken",
            "deploy.yaml contested by deploy-old.yaml",
            "deploy.yaml loaded deploy",
            "m.yaml broken",
            "o.yaml contested by m.yaml",
            "o.yaml loaded n",
            "x.yaml loaded y",
            "z.yaml broken",
            "x.yaml contested by z.yaml",
        ]
    );
    for id in ["deploy", "n", "y"] {
        assert_eq!(catalogue.get(id).unwrap().definition().steps.len(), 2);
    }
}

#[test]
fn a_change_that_keeps_size_and_time_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.yaml");
    let modified = fs::FileTimes::new().set_modified(at_epoch(1));
    let write = |text: &str| {
        fs::write(&file, text).unwrap();
        File::options().write(true).open(&file).unwrap().set_times(modified).unwrap();
    };
    write(GOOD);
    let (catalogue, _) = Catalogue::load(folder.path(), at(1)).unwrap();
    let first = catalogue.get("a").unwrap();
    assert_eq!(told(&catalogue.rescan(at(2))), [] as [&str; 0]);
    assert!(Arc::ptr_eq(&first, &catalogue.get("a").unwrap()), "it was read once");
    let status_changed = || fs::metadata(&file).map(|it| (it.ctime(), it.ctime_nsec())).unwrap();
    let before = status_changed();
    // The clock of the file system may be coarse.
    while status_changed() == before {
        write("steps: [{name: b}]");
    }
    assert_eq!(told(&catalogue.rescan(at(3))), ["a.yaml loaded a"]);
}

#[test]
fn what_stands_in_the_way_of_a_file_may_go() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    // Only what the link leads to comes.
    std::os::unix::fs::symlink(path("later/a"), path("a.yaml")).unwrap();
    let (catalogue, events) = Catalogue::load(folder.path(), at(1)).unwrap();
    assert_eq!(told(&events), ["a.yaml broken"]);
    fs::create_dir(path("later")).unwrap();
    fs::write(path("later/a"), GOOD).unwrap();
    assert_eq!(told(&catalogue.rescan(at(2))), ["a.yaml loaded a"]);
    // The id is another's; then it is free, and nothing of this file changes.
    fs::write(path("b.yaml"), "id: a\nsteps: [{name: b}]").unwrap();
    let events = catalogue.rescan(at(3));
    assert_eq!(told(&events), ["b.yaml broken", "a.yaml contested by b.yaml"]);
    assert_eq!(told(&catalogue.rescan(at(4))), [] as [&str; 0]);
    fs::remove_file(path("a.yaml")).unwrap();
    assert_eq!(told(&catalogue.rescan(at(5))), ["b.yaml loaded a", "a.yaml removed a"]);
}

#[test]
fn what_is_no_file_of_a_workflow_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("folder.yaml")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, path("pipe.yaml"), 0o600.into()).unwrap();
    fs::write(path("binary.json"), b"\xff\xfe").unwrap();
    fs::write(path("large.yaml"), "#".repeat(2 << 20)).unwrap();
    std::os::unix::fs::symlink("nowhere", path("link.yaml")).unwrap();
    let (catalogue, events) = Catalogue::load(folder.path(), at(1)).unwrap();
    assert_eq!(events.len(), 5, "{events:?}");
    assert!(events.iter().all(|event| matches!(event.what, What::Broken(_))), "{events:?}");
    assert_eq!(catalogue.counts(), (0, 5));
    fs::remove_dir_all(folder.path()).unwrap();
    assert!(matches!(&catalogue.rescan(at(2))[..], [Event { what: What::Broken(_), .. }]));
    assert_eq!(catalogue.list().len(), 5, "nothing is forgotten with the folder");
    assert_eq!(catalogue.rescan(at(3)), [], "it is told once");
    fs::create_dir(folder.path()).unwrap();
    assert_eq!(catalogue.rescan(at(4)).len(), 5);
    fs::remove_dir(folder.path()).unwrap();
    assert_eq!(catalogue.rescan(at(5)).len(), 1, "it is told again");
}

#[test]
fn defaults_of_the_folder_apply_and_their_last_good_version_stays() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("_defaults.yaml", "env: {A: 1, B: 1}");
    write("_defaults.yml", "env: {A: 1}");
    write("a.yaml", "env: {B: own}\nsteps: [{name: a}]");
    let (catalogue, events) = Catalogue::load(folder.path(), at(1)).unwrap();
    assert_eq!(
        told(&events),
        ["_defaults.yaml defaults", "_defaults.yml broken", "a.yaml loaded a"]
    );
    let env = |name: &str| catalogue.get("a").unwrap().definition().env.get(name).cloned();
    assert_eq!((env("A").as_deref(), env("B").as_deref()), (Some("1"), Some("own")));
    assert_eq!(told(&catalogue.rescan(at(2))), [] as [&str; 0]);
    fs::remove_file(folder.path().join("_defaults.yml")).unwrap();
    catalogue.rescan(at(2));

    write("_defaults.yaml", "env: {A: 2}\nsteps: []");
    assert_eq!(told(&catalogue.rescan(at(3))), ["_defaults.yaml broken"]);
    assert_eq!((env("A").as_deref(), catalogue.counts()), (Some("1"), (1, 1)));
    assert_eq!(told(&catalogue.rescan(at(4))), [] as [&str; 0]);
    // A file that is new meanwhile gets the last good version.
    write("b.yaml", GOOD);
    assert_eq!(told(&catalogue.rescan(at(5))), ["b.yaml loaded b"]);
    assert_eq!(catalogue.get("b").unwrap().definition().env["A"], "1");
    write("_defaults.yaml", "env: {A: 22}");
    let all = ["_defaults.yaml defaults", "a.yaml loaded a", "b.yaml loaded b"];
    assert_eq!(told(&catalogue.rescan(at(6))), all);
    assert_eq!(env("A").as_deref(), Some("22"));
    // Defaults that change nothing of a workflow leave it loaded.
    write("_defaults.yaml", "env: {A: 22, B: 33}");
    let changed = ["_defaults.yaml defaults", "b.yaml loaded b"];
    assert_eq!(told(&catalogue.rescan(at(7))), changed);
    fs::remove_file(folder.path().join("_defaults.yaml")).unwrap();
    let gone = ["_defaults.yaml gone", "a.yaml loaded a", "b.yaml loaded b"];
    assert_eq!(told(&catalogue.rescan(at(8))), gone);
    assert_eq!(env("A"), None);
}

#[test]
fn without_good_defaults_no_workflow_runs() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("_defaults.yaml", "shell: bash");
    write("a.yaml", GOOD);
    let (catalogue, events) = Catalogue::load(folder.path(), at(1)).unwrap();
    assert_eq!(told(&events), ["_defaults.yaml broken", "a.yaml broken"]);
    assert!(catalogue.get("a").is_none());
    assert!(catalogue.list()[0].problem.as_ref().unwrap().contains("_defaults.yaml:1:8"));
    write("_defaults.yaml", "shell: [bash, -c]");
    let mended = ["_defaults.yaml defaults", "a.yaml loaded a"];
    assert_eq!(told(&catalogue.rescan(at(2))), mended);
    assert!(catalogue.get("a").unwrap().definition().shell.is_some());
}
