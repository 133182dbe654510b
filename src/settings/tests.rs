use super::*;

fn environment(variables: &[(&str, &str)]) -> Environment {
    Environment::new(variables.iter().map(|(n, v)| (OsString::from(n), OsString::from(v))))
}

fn settings(variables: &[(&str, &str)], flags: Flags) -> Settings {
    let mut all = vec![("HOME", "/nowhere")];
    all.extend(variables);
    Settings::new(environment(&all), flags)
}

fn with_file(text: &str, variables: &[(&str, &str)], flags: Flags) -> Settings {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, text).unwrap();
    let settings = settings(variables, Flags { config: Some(path), ..flags });
    let _ = settings.file();
    settings
}

fn retention_flag(value: &str) -> Flags {
    let values = HashMap::from([("WORKFLOW_EXECUTION_RETENTION", value.to_owned())]);
    Flags { values, ..Flags::default() }
}

fn origin_of(settings: &Settings, name: &str) -> Origin {
    settings.shown().into_iter().find(|shown| shown.name == name).unwrap().origin
}

#[test]
fn a_flag_beats_the_variable_beats_the_file_beats_the_default() {
    const NAME: &str = "WORKFLOW_EXECUTION_RETENTION";
    let file = "# kept\nworkflow_execution_retention = 7\n";
    let all = with_file(file, &[(NAME, "8")], retention_flag("9"));
    assert_eq!(all.retention(), Ok(Some(9)));
    assert_eq!(origin_of(&all, NAME), Origin::Flag("--retention"));
    let variable = with_file(file, &[(NAME, "8")], Flags::default());
    assert_eq!(variable.retention(), Ok(Some(8)));
    assert_eq!(origin_of(&variable, NAME), Origin::Variable(NAME));
    let in_file = with_file(file, &[(NAME, "")], Flags::default());
    assert_eq!(in_file.retention(), Ok(Some(7)));
    assert!(matches!(origin_of(&in_file, NAME), Origin::File { line: 2, .. }));
    let default = settings(&[], Flags::default());
    assert_eq!(default.retention(), Ok(Some(1000)));
    assert_eq!(origin_of(&default, NAME), Origin::Default);
}

#[test]
fn zero_and_less_turn_retention_off() {
    for off in ["0", "-1", "-9223372036854775808"] {
        assert_eq!(settings(&[], retention_flag(off)).retention(), Ok(None), "{off}");
    }
}

#[test]
fn a_bad_value_names_its_variable_its_position_and_what_it_takes() {
    let error =
        settings(&[("WFX_STORE_TIMEOUT", "soon")], Flags::default()).store_timeout().unwrap_err();
    assert_eq!(error.exit(), Exit::Usage);
    assert_eq!(error.to_string(), "`soon` cannot be WFX_STORE_TIMEOUT");
    assert!(error.hint().unwrap().contains("1m30s"));
    let error = settings(&[], retention_flag("x")).retention().unwrap_err();
    assert!(error.to_string().contains("--retention"), "{error}");
    let error =
        with_file("\nwfx_durability = \"some\"\n", &[], Flags::default()).durability().unwrap_err();
    assert!(error.to_string().contains("config.toml:2"), "{error}");
}

#[test]
fn spaces_around_a_value_are_none_of_it() {
    let variables = [
        ("WFX_DURABILITY", " normal "),
        ("WFX_TOKEN", "hush\n"),
        ("WFX_LISTEN", " [::1]:80"),
        ("WFX_LOG", "debug "),
    ];
    let all = settings(&variables, Flags::default());
    assert_eq!(all.durability(), Ok(Durability::Normal));
    assert_eq!(all.token(), Ok(Some("hush".to_owned())));
    assert_eq!(all.listen(), Ok(vec!["[::1]:80".to_owned()]));
    assert_eq!(all.log_level().as_deref(), Ok("debug"));
}

#[test]
fn only_what_is_used_is_checked() {
    let settings = settings(&[("SLO_MIN_SAMPLES", "few"), ("WFX_LISTEN", "x")], Flags::default());
    assert_eq!(settings.retention(), Ok(Some(1000)));
    let bad: Vec<_> =
        settings.shown().into_iter().filter(|s| s.problem.is_some()).map(|s| s.name).collect();
    assert_eq!(bad, ["WFX_LISTEN", "SLO_MIN_SAMPLES"]);
}

#[test]
fn every_default_is_a_value_that_is_taken() {
    for setting in &SETTINGS {
        if let Some(default) = setting.default {
            assert_eq!(setting.check(default), Ok(()), "{}", setting.name);
        }
    }
    for (name, bad) in [
        ("SLO_ERROR_RATE_THRESHOLD", "-1"),
        ("SLO_ERROR_RATE_THRESHOLD", "5%"),
        ("SLO_ERROR_RATE_WINDOW", "0"),
        ("SLO_ALERT_WEBHOOK_URL", "ftp://x"),
        ("SLO_ALERT_WEBHOOK_URL", "https://"),
        ("WORKFLOW_STEP_DURATION_BUCKETS", "1,1"),
        ("WORKFLOW_STEP_DURATION_BUCKETS", "1,,2"),
        ("UPDATE_BASELINE", "maybe"),
        ("REG_TOL_MEDIAN_MS", "-1"),
        ("REG_TOL_P95_MS", "80ms"),
        ("REG_TOL_P95_MS", "9999999999999"),
        ("TRACK_ENDPOINTS", " , "),
        ("WFX_LISTEN", "8080"),
        ("WFX_LISTEN", ":::80"),
    ] {
        assert!(catalogue::find(name).check(bad).is_err(), "{name}={bad}");
    }
    for good in ["127.0.0.1:0", "[::1]:8080", "localhost:80"] {
        assert!(catalogue::find("WFX_LISTEN").check(good).is_ok(), "{good}");
    }
}

#[test]
fn secrets_are_redacted() {
    let url = "https://user:pw@hooks.example.com/T0/secret?x=1";
    let settings = settings(
        &[
            ("WFX_TOKEN", "tok"),
            ("SLO_ALERT_WEBHOOK_SECRET", "sec"),
            ("SLO_ALERT_WEBHOOK_URL", url),
        ],
        Flags::default(),
    );
    let all = format!("{:?}", settings.shown());
    assert!(all.contains("https://hooks.example.com/***"), "{all}");
    for secret in ["tok", "\"sec\"", "T0", "pw@"] {
        assert!(!all.contains(secret) || secret == "tok" && !all.contains("\"tok\""), "{all}");
    }
}

#[test]
fn of_what_is_no_url_nothing_is_shown() {
    let url = catalogue::find("SLO_ALERT_WEBHOOK_URL");
    for text in [
        "hooks.example",
        "ftp://hooks.example/",
        "http://user:se/cret@hooks.example/x",
        "http://user:pw@/x",
        "http://hooks.example:99999/",
        "http://hooks.example:/key",
        "http://ho st/",
        "http://[::1/",
    ] {
        assert!(url.check(text).is_err(), "{text}");
        assert_eq!(url.redact(text), "***", "{text}");
    }
    for (text, shown) in [
        ("https://hooks.example", "https://hooks.example/***"),
        ("http://u:p@[::1]:8080?key", "http://[::1]:8080/***"),
        ("http://[::1]/", "http://[::1]/***"),
        ("HTTPS://u@hooks.example:443/a@b:c", "https://hooks.example:443/***"),
    ] {
        assert!(url.check(text).is_ok(), "{text}");
        assert_eq!(url.redact(text), shown);
    }
}

#[test]
fn the_database_is_where_the_first_of_these_says() {
    let path = |variables: &[(&str, &str)], flags| {
        Settings::new(environment(variables), flags).database().map(|p| p.to_string())
    };
    let all = [
        ("WFX_DB", "/v.db"),
        ("STATE_DIRECTORY", "/var/lib/a:/var/lib/b"),
        ("XDG_STATE_HOME", "/state"),
        ("HOME", "/home/x"),
    ];
    let flag = Flags { db: Some("/f.db".into()), ..Flags::default() };
    assert_eq!(path(&all, flag), Ok("/f.db".into()));
    assert_eq!(path(&all, Flags::default()), Ok("/v.db".into()));
    assert_eq!(path(&all[1..], Flags::default()), Ok("/var/lib/a/wfx.db".into()));
    assert_eq!(path(&all[2..], Flags::default()), Ok("/state/wfx/wfx.db".into()));
    assert_eq!(path(&all[3..], Flags::default()), Ok("/home/x/.local/state/wfx/wfx.db".into()));
    let relative = [("XDG_STATE_HOME", "state"), ("HOME", "/h")];
    assert_eq!(path(&relative, Flags::default()), Ok("/h/.local/state/wfx/wfx.db".into()));
    let error = path(&[], Flags::default()).unwrap_err();
    assert_eq!(error.exit(), Exit::Environment);
}

#[test]
fn a_file_with_mistakes_is_refused_with_its_line() {
    for (text, message) in [
        ("wfx_durabilty = \"full\"", "1: `wfx_durabilty` is not a setting"),
        ("\nx = ", ":2:"),
        ("a = 1\na = 2", ":2:"),
        ("wfx_db = {a = 1}", "cannot be"),
    ] {
        let error = with_file(text, &[], Flags::default()).retention().unwrap_err();
        assert!(error.to_string().contains(message), "{text}: {error}");
        assert_eq!(error.exit(), Exit::Usage);
    }
    let missing = Flags { config: Some("/nowhere/config.toml".into()), ..Flags::default() };
    assert!(settings(&[], missing).retention().is_err());
    let list = with_file("track_endpoints = [\"a\", \"b\"]", &[], Flags::default());
    let shown = list.shown();
    assert!(shown.iter().any(|s| s.value.as_deref() == Some("a,b")), "{shown:?}");
}

#[test]
fn the_gate_has_its_settings() {
    let all = settings(
        &[("REG_TOL_MEDIAN_MS", " 12.5 "), ("UPDATE_BASELINE", "YES"), ("TRACK_ENDPOINTS", "a,b")],
        Flags::default(),
    );
    assert_eq!(all.tolerance_median().unwrap().as_ms(), 12.5);
    assert_eq!(all.tolerance_p95().unwrap().as_ms(), 80.0);
    assert_eq!((all.update_baseline(), all.perf_junit()), (Ok(true), Ok(false)));
    assert_eq!(all.track_endpoints().as_deref(), Ok("a,b"));
}
