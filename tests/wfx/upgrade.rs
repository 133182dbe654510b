//! Databases of each earlier version of the schema, with executions that were really run:
//! nothing of them changes, and all of them can be used.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::support::{Place, Ran, Running, root, states, with_stdin};

/// What leads from each version to the next one.
fn schema() -> Vec<String> {
    let folder = fs::read_dir(root().join("src/repository/sqlite/schema")).unwrap();
    let mut files: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| fs::read_to_string(file).unwrap()).collect()
}

fn sqlite(place: &Place, database: &str, script: &str) -> String {
    let mut command = Command::new("sqlite3");
    let ran = with_stdin(
        command.arg("-bail").arg(database).current_dir(place.path("")),
        script.as_bytes(),
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{script}");
    ran.stdout
}

fn tables(place: &Place, database: &str) -> Vec<String> {
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    sqlite(place, database, names).lines().map(str::to_owned).collect()
}

/// A table of an older version, and its columns, separated by commas.
type Table = (String, String);

/// All rows of these tables, but for what only later versions have.
fn rows(place: &Place, tables: &[Table]) -> String {
    let script = tables.iter().map(|(table, columns)| {
        let only = if table == "workflow_settings" { "WHERE name <> 'identity'" } else { "" };
        format!("SELECT {columns} FROM {table} {only} ORDER BY 1, 2;\n")
    });
    sqlite(place, "wfx.db", &format!(".mode quote\n{}", script.collect::<String>()))
}

/// Makes the database one that the wfx of `version` could have left.
fn turn_back(place: &Place, version: usize, schema: &[String]) -> Vec<Table> {
    let version_of = format!("application_id = 0x77667831; PRAGMA user_version = {version}");
    let made = schema[..version].concat();
    let settings = "page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL";
    sqlite(place, "old.db", &format!("PRAGMA {settings}; {made} PRAGMA {version_of};"));
    let with_columns = |table: String| {
        let columns = format!("SELECT group_concat(name) FROM pragma_table_info('{table}')");
        let columns = sqlite(place, "old.db", &columns).trim().to_owned();
        (table, columns)
    };
    let tables: Vec<Table> = tables(place, "old.db").into_iter().map(with_columns).collect();
    let copy = tables.iter().map(|(table, columns)| {
        format!(
            "DELETE FROM main.{table};
             INSERT INTO main.{table} ({columns}) SELECT {columns} FROM new.{table};\n"
        )
    });
    // The triggers count while rows come; then the counts are copied as well.
    let mut copy: Vec<String> = copy.collect();
    copy.sort_by_key(|statement| statement.contains("_counts") || statement.contains("sqlite_"));
    sqlite(place, "old.db", &format!("ATTACH 'wfx.db' AS new; {}", copy.concat()));
    if version > 1 {
        sqlite(place, "old.db", "DELETE FROM workflow_settings WHERE name = 'identity'");
    }
    for ending in ["-wal", "-shm"] {
        let _ = fs::remove_file(place.path(&format!("wfx.db{ending}")));
    }
    fs::rename(place.path("old.db"), place.database()).unwrap();
    tables
}

/// Executions that ended in every way there is, and one whose process died.
fn history(place: &Place) {
    let waits = |attempts: u32| {
        format!(
            "id: nightly\nsteps:\n- {{name: first, run: 'echo one=1 > $WFX_OUTPUT'}}\n\
             - {{name: wait, run: 'echo begun; test $WFX_ATTEMPT = 2 || sleep 1000', \
             retry: {{max_attempts: {attempts}}}}}\n- {{name: last}}"
        )
    };
    let killed = |attempts| {
        let file = place.write("killed.yaml", waits(attempts));
        let mut running = Running::start(place.wfx(["exec", "-v"]).arg(file));
        running.wait_for("begun");
        running.signal("KILL");
        running.end();
    };
    place.exec_with(
        "params: {who: null}\nsteps:\n- {name: a, run: 'echo \"hello $WFX_PARAM_WHO\"; echo n=1.10 > $WFX_OUTPUT'}\n- {name: b, sleep: 1ms}",
        &["-p", "who=Zoë \u{1F980} 'x'"],
        0,
    );
    place.exec("steps: [{name: a, run: 'echo no >&2; exit 7', retry: {max_attempts: 2, backoff: 1ms}}, {name: b}]", 1);
    assert_eq!(place.run(["replay", "@1"]).code, Some(0));
    killed(1);
    assert_eq!(place.run(["recover"]).code, Some(1));
    killed(1);
    assert_eq!(place.run(["cancel", "@latest"]).code, Some(0));
    // A number that is given is never given again.
    place.exec("steps: [{name: gone}]", 0);
    killed(2);
    place.sql("DELETE FROM workflow_executions WHERE seq = 6");
    place.sql("INSERT INTO workflow_settings VALUES ('retention', '50')");
    // The id of its process, as earlier versions wrote it, and the file that it locked.
    let owner = place.sql("SELECT owner FROM workflow_executions WHERE owner IS NOT NULL");
    let earlier: Vec<&str> = owner.splitn(4, '-').take(3).collect();
    let earlier = earlier.join("-");
    place.sql(&format!(
        "UPDATE workflow_executions SET owner = '{earlier}' WHERE owner IS NOT NULL"
    ));
    let owners = place.path("wfx.db-owners");
    fs::rename(owners.join(&owner), owners.join(&earlier)).unwrap();
}

/// All that wfx tells of these executions, in the order of the list.
fn told(place: &Place) -> (Value, Vec<Value>) {
    let mut list = place.list();
    let untold = |execution: &mut Value| {
        // Version 7 stores who started it, and who asked for its end.
        for key in ["trigger", "cancel_requested_by"] {
            assert!(execution.as_object_mut().unwrap().remove(key).is_some(), "{key}");
        }
    };
    list["items"].as_array_mut().unwrap().iter_mut().for_each(untold);
    let items = list["items"].as_array().unwrap().iter();
    let shown = items.map(|item| {
        let mut shown = place.show(item["execution_id"].as_str().unwrap());
        untold(&mut shown["execution"]);
        for step in shown["steps"].as_array_mut().unwrap() {
            // Version 6 stores it; before, there was one reason only.
            step.as_object_mut().unwrap().remove("skip_reason");
        }
        shown
    });
    let shown = shown.collect();
    (list, shown)
}

#[test]
fn what_earlier_versions_ran_stays_as_it_is_and_can_be_used() {
    let schema = schema();
    assert!(schema.len() > 2);
    for version in 1..schema.len() {
        let place = Place::new();
        history(&place);
        let before = told(&place);
        let statuses = before.1.iter().map(|told| told["execution"]["status"].as_str().unwrap());
        assert_eq!(
            statuses.collect::<Vec<_>>(),
            ["running", "cancelled", "interrupted", "success", "failed", "success"]
        );
        let tables = turn_back(&place, version, &schema);
        let old = rows(&place, &tables);
        place.run(["list"]).refused(3, &["wfx exec"]);
        assert_eq!(place.sql("PRAGMA user_version"), version.to_string());

        // This writes, and finds nothing to delete.
        let ran = place.run(["purge", "1000"]);
        assert_eq!(ran.code, Some(0), "{version}: {ran:?}");
        assert_eq!(place.sql("PRAGMA user_version"), schema.len().to_string());
        assert_eq!(place.sql("PRAGMA integrity_check"), "ok");
        assert_eq!(rows(&place, &tables), old, "{version}");
        assert_eq!(told(&place), before, "{version}");

        let recovered = place.run(["recover", "--format", "json"]);
        assert_eq!(recovered.code, Some(0), "{recovered:?}");
        assert_eq!(states(&place.show("@7")), ["first success", "wait success", "last success"]);
        for seq in [1, 3] {
            let again = place.run(["replay", &format!("@{seq}"), "--format", "json"]).json();
            assert_eq!(again["steps"][0]["stdout"], before.1[5]["steps"][0]["stdout"]);
            assert_eq!(again["steps"][0]["outputs"], before.1[5]["steps"][0]["outputs"]);
        }
        // What an earlier version ran is reused, with its output.
        let part = place.run(["replay", "@1", "--from", "b", "--format", "json"]).json();
        assert_eq!(part["steps"][0]["reused_from"], before.1[5]["execution"]["execution_id"]);
        for field in ["stdout", "outputs", "started_at", "attempt"] {
            assert_eq!(part["steps"][0][field], before.1[5]["steps"][0][field], "{field}");
        }
        assert_eq!(part["steps"][1]["reused_from"], Value::Null);
        assert_eq!(place.exec("steps: [{name: a}]", 0)["execution"]["seq"], 11);
        assert_eq!(place.list()["total"], 10);
        let ran = Ran::of(&mut place.wfx(["doctor"]));
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }
}
