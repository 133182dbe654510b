//! The last lines of the step that failed, in notifications.

use std::os::unix::fs::symlink;

use super::*;

/// Prints what each receiver would interpret, and what would drive a terminal.
const HOSTILE: &str = r#"id: etl
notify: [{to: [hook, chat, pager, alerts]}]
steps:
  - name: load
    run: |
      printf 'first\n\033[31mred\033[0m \033]0;title\007end\n'
      printf '@everyone <!channel> *bold* [x](http://evil.example) \342\200\256rtl\n' >&2
      printf '10%%\r20%%\r100%%\n\377\376binary\0\n'
      printf 'Bcc: victim@example.com\r\n\r\nLink: https://evil.example\n'
      exit 1
"#;

/// A webhook as `hook`, and what takes the formats of others, each with its receiver.
fn place_with_all(more: &str) -> (Place, [Receiver; 4]) {
    let receivers = [(); 4].map(|()| Receiver::start(&[]));
    let [hook, chat, pager, alerts] = [0, 1, 2, 3].map(|index: usize| receivers[index].url("/"));
    let place = Place::new();
    channel(
        &place,
        &format!(
            "[notify.hook]\ntype = \"webhook\"\nurl = \"{hook}\"\n{more}
             [notify.chat]\ntype = \"slack\"\nurl = \"{chat}\"\n{more}
             [notify.pager]\ntype = \"pagerduty\"\nrouting_key = \"r0uting-key\"\nurl = \"{pager}\"\n{more}
             [notify.alerts]\ntype = \"alertmanager\"\nurl = \"{alerts}\"\n{more}"
        ),
    );
    (place, receivers)
}

/// What each kind of channel shows of the output.
fn shown(receivers: &[Receiver; 4]) -> [Value; 4] {
    let [hook, chat, pager, alerts] =
        [0, 1, 2, 3].map(|index: usize| receivers[index].next().json());
    let blocks = chat["blocks"].as_array().unwrap();
    let texts = blocks.iter().filter_map(|block| block["text"]["text"].as_str());
    let chat = texts.filter(|text| text.starts_with("Last lines")).collect();
    [
        hook["data"]["output"].clone(),
        Value::String(chat),
        pager["payload"]["custom_details"]["Last lines of output"].clone(),
        alerts[0]["annotations"]["output"].clone(),
    ]
}

/// The webhook's data of the next notification.
fn data(receiver: &Receiver) -> Value {
    receiver.next().json()["data"].clone()
}

#[test]
fn the_last_lines_of_a_failing_step_go_to_each_channel_defused() {
    let (place, receivers) = place_with_all("");
    place.exec(HOSTILE, 1);
    let [hook, others @ ..] = shown(&receivers);
    let hook: Vec<&str> = hook.as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    // Each stream is in order; one may overtake the other.
    for line in [
        "first",
        "red end",
        "@everyone <!channel> *bold* [x](http://evil.example) \\u{202e}rtl",
        "100%",
        "\u{fffd}\u{fffd}binary",
        "Bcc: victim@example.com",
        "Link: https://evil.example",
    ] {
        assert!(hook.contains(&line), "{line:?} {hook:?}");
    }
    for text in others {
        let text = text.as_str().unwrap();
        for trap in ["@everyone", "<!channel>", "*bold*", "http://", "https://", "](", "\u{202e}"] {
            assert!(!text.contains(trap), "{trap} {text}");
        }
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
        for part in ["first\n", "red end\n", "everyone", "100%\n"] {
            assert!(text.contains(part), "{part:?} {text}");
        }
    }
}

#[test]
fn many_lines_and_long_ones_are_cut_at_the_front() {
    let receiver = Receiver::start(&[]);
    let place = place_with(&receiver, "");
    let fails = |id: &str, run: &str| {
        format!("id: {id}\nnotify: [{{to: ops}}]\nsteps: [{{name: a, run: '{run}; exit 1'}}]")
    };
    place.exec(&fails("many", "seq 1 100000"), 1);
    let many = data(&receiver);
    let expected: Vec<String> = (99_991..=100_000).map(|n| n.to_string()).collect();
    assert_eq!((&many["output"], &many["output_cut"]), (&json!(expected), &json!(true)));
    place.exec(&fails("few", "seq 1 3 >&2"), 1);
    let few = data(&receiver);
    assert_eq!((&few["output"], &few["output_cut"]), (&json!(["1", "2", "3"]), &json!(false)));
    let line = "head -c 1048576 /dev/zero | tr \"\\\\0\" x; printf end";
    place.exec(&fails("long", line), 1);
    let long = data(&receiver);
    let lines = long["output"].as_array().unwrap();
    let text = lines[0].as_str().unwrap();
    assert_eq!((lines.len(), text.chars().count()), (1, 1_001));
    assert!(text.starts_with("…xxx") && text.ends_with("xend"), "{text}");
    assert_eq!(long["output_cut"], true);
    // Of a step that printed nothing there is nothing to say.
    place.exec(&fails("silent", "true"), 1);
    let silent = data(&receiver);
    assert!(silent.get("output").is_none() && silent.get("output_cut").is_none(), "{silent}");
}

#[test]
fn a_channel_can_do_without_output() {
    let (place, receivers) = place_with_all("output_lines = 0\n");
    place.exec(HOSTILE, 1);
    assert_eq!(shown(&receivers), [Value::Null, json!(""), Value::Null, Value::Null]);
    let (place, receivers) = place_with_all("output_lines = 2\n");
    let lines = "id: etl
notify: [{to: [hook, chat, pager, alerts]}]
steps: [{name: a, run: 'echo a; echo b; echo c; exit 1'}]
";
    place.exec(lines, 1);
    let expected = "…\nb\nc";
    let [hook, chat, pager, alerts] = shown(&receivers);
    assert_eq!(hook, json!(["b", "c"]));
    assert_eq!(chat, format!("Last lines of output:\n{expected}"));
    assert_eq!((pager, alerts), (json!(expected), json!(expected)));
}

#[test]
fn secrets_are_masked_in_every_channel() {
    let (place, receivers) = place_with_all("output_lines = 50\n");
    place.write("secrets.env", "DB_PASSWORD='of file'\nREGION=eu-west-1\n");
    let document = r#"id: etl
params: {api_token: of-parameter}
notify: [{to: [hook, chat, pager, alerts]}]
env: {GITHUB_TOKEN: of-workflow, PLAIN: shown-value, SHORT_KEY: abc}
steps:
  - name: load
    env: {AWS_SECRET_ACCESS_KEY: of/the step}
    env_file: secrets.env
    run: |
      printf 'a=%s b=of-work' $GITHUB_TOKEN
      echo "c=$AWS_SECRET_ACCESS_KEY" >&2
      printf 'flow.\n'
      echo "d=$DB_PASSWORD e=$WFX_PARAM_API_TOKEN f=$PLAIN g=$SHORT_KEY h=$REGION"
      printf 'of-\033[1mworkflow\n'
      printf %s "user:$AWS_SECRET_ACCESS_KEY" | base64
      echo "of%2Fthe%20step"
      echo "postgres://wfx:pass-of-store@host/db"
      cat config.toml | grep -e routing_key -e url
      printf 'cut of-wor'
      exit 1
"#;
    place.exec(document, 1);
    let shown = shown(&receivers);
    for (index, shown) in shown.iter().enumerate() {
        let text = shown.to_string().replace('\u{200b}', "");
        for secret in [
            "of-work",
            "of/the step",
            "of file",
            "of-parameter",
            "b2YvdGhlIHN0",
            "of%2Fthe",
            "pass-of-store",
            "r0uting-key",
            "of-wor",
        ] {
            assert!(!text.contains(secret), "{index} {secret}: {text}");
        }
        for url in receivers.iter().map(|receiver| receiver.url("/")) {
            assert!(!text.contains(&url), "{index} {url}: {text}");
        }
        if index == 0 {
            for part in ["f=shown-value", "g=abc", "h=eu-west-1", "cut ***", "c=***", "d=***"] {
                assert!(text.contains(part), "{part}: {text}");
            }
        }
    }
}

/// Those who send know other secrets than those who run.
#[test]
fn the_daemon_masks_its_tokens() {
    let receiver = Receiver::start(&[]);
    let place = place_with(&receiver, "");
    place.write("tokens", "root t0ken-of-root\nci t0ken-of-ci\n");
    let mut command = place.wfx(["serve", "--listen", "127.0.0.1:0", "--token-file", "tokens"]);
    let daemon = Daemon::of(command.env("MY_API_KEY", "key-of-daemon"));
    let document = "id: etl
notify: [{to: ops}]
steps: [{name: a, run: 'cat tokens; echo key-of-daemon; exit 1'}]
";
    place.exec(document, 1);
    assert_eq!(data(&receiver)["output"], json!(["root ***", "ci ***", "***"]));
    daemon.stop();
}

#[test]
fn errors_have_no_secrets_either() {
    let receiver = Receiver::start(&[]);
    let place = place_with(&receiver, "");
    let document = "id: etl
notify: [{to: ops}]
env: {API_KEY: /no-such/s3cret}
steps: [{name: a, run: [/no-such/s3cret]}]
";
    place.exec(document, 1);
    let error = data(&receiver)["error"].as_str().unwrap().to_owned();
    assert!(error.contains("***") && !error.contains("s3cret"), "{error}");
    // Also where wfx has cut it.
    let document = "id: cut
notify: [{to: ops}]
env: {API_KEY: s3cret-and-more}
steps: [{name: a, run: 'printf %074d%s 0 $API_KEY >$WFX_OUTPUT'}]
";
    place.exec(document, 1);
    let error = data(&receiver)["error"].as_str().unwrap().to_owned();
    assert!(error.contains("000***…") && !error.contains("s3cret"), "{error}");
}

/// Nobody knows what in an error is a secret where output is left out for that reason.
#[test]
fn errors_are_left_out_where_secrets_are_not_known() {
    let receiver = Receiver::start(&[]);
    let place = place_with(&receiver, "output_lines = 0\n");
    // The file is to be older than its step by more than its clock ticks.
    let document = |id: &str, more: &str| {
        format!(
            "id: {id}\nnotify: [{{to: ops}}]\nsteps: [{{name: before, run: sleep 0.1}}, {{name: a, \
             depends_on: [before], env_file: x.env, run: 'echo $TOKEN >$WFX_OUTPUT{more}'}}]"
        )
    };
    place.write("x.env", "TOKEN=first-token\n");
    place.exec(&document("changed", "; echo TOKEN=another-one >x.env"), 1);
    let told = data(&receiver);
    let error = told["error"].as_str().unwrap();
    assert!(error.starts_with("step `a` failed: left out: the env_file `x.env` was"), "{told}");
    assert!(!told.to_string().contains("first-token"), "{told}");
    // Too many to look for.
    let all: String =
        (0..5).map(|n| format!("TOKEN_{n}={}\n", n.to_string().repeat(60_000))).collect();
    place.write("x.env", all + "TOKEN=first-token\n");
    place.exec(&document("long", ""), 1);
    let error = data(&receiver)["error"].as_str().unwrap().to_owned();
    assert!(error.contains("left out: the values of its secrets are too long"), "{error}");
    // Deleted.
    place.write("x.env", "TOKEN=first-token\n");
    let daemon = serve(&place);
    daemon.stop();
    receiver.rest();
    assert_eq!(place.run(["purge", "--all"]).code, Some(0));
    place.sql("UPDATE workflow_notifications SET state = 'pending', ended_at = NULL, next_at = '2020-01-01T00:00:00.000000Z'");
    let daemon = serve(&place);
    let error = data(&receiver)["error"].as_str().unwrap().to_owned();
    assert!(error.contains("left out: its execution was deleted"), "{error}");
    daemon.stop();
}

/// The secrets that a step had cannot be known where its file of variables is another one now.
#[test]
fn output_is_left_out_where_its_secrets_are_not_known() {
    let receiver = Receiver::start(&[]);
    let place = place_with(&receiver, "");
    for (run, why) in [
        ("cat x.env; echo TOKEN=another-one >x.env", "changed since the step began"),
        ("cat x.env; rm x.env", "cannot be read"),
        ("cat x.env; rm x.env; mkfifo x.env", "no regular file"),
    ] {
        let _ = std::fs::remove_file(place.path("x.env"));
        place.write("x.env", "TOKEN=first-token\n");
        let id = why.replace(' ', "-");
        let document = format!(
            "id: {id}\nnotify: [{{to: ops}}]\nsteps: [{{name: a, env_file: x.env, run: '{run}; exit 1'}}]"
        );
        place.exec(&document, 1);
        let data = data(&receiver);
        let withheld = data["output_withheld"].as_str().unwrap();
        assert!(withheld.contains("`x.env`") && withheld.contains(why), "{data}");
        // It holds no secret.
        assert_eq!(data["error"], "step `a` failed: exit code 1");
        assert!(!data.to_string().contains("first-token"), "{data}");
    }
}

/// A path leads to another file once a link or a folder on it is another one.
#[test]
fn output_is_left_out_where_its_file_of_variables_was_swapped() {
    let receiver = Receiver::start(&[]);
    let place = place_with(&receiver, "");
    for (id, swap) in [
        ("link", "ln -sfn releases/7 current"),
        ("renamed", "ln -s releases/7 next; mv -T next current"),
        ("target", "ln -sfn 7 releases/latest"),
        ("folder", "mv releases/6 releases/5; mv releases/7 releases/6"),
    ] {
        let _ = std::fs::remove_dir_all(place.path("releases"));
        let _ = std::fs::remove_file(place.path("current"));
        for (release, token) in [("6", "first-token"), ("7", "other-token")] {
            std::fs::create_dir_all(place.path(&format!("releases/{release}"))).unwrap();
            place.write(&format!("releases/{release}/x.env"), format!("TOKEN={token}\n"));
        }
        symlink("6", place.path("releases/latest")).unwrap();
        let target = if id == "target" { "releases/latest" } else { "releases/6" };
        symlink(target, place.path("current")).unwrap();
        // The links are to be older than the step by more than their clock ticks.
        let document = |run: &str, name: &str| {
            format!(
                "id: {id}-{name}\nnotify: [{{to: ops}}]\nsteps: [{{name: before, run: sleep 0.1}}, \
                 {{name: a, depends_on: [before], env_file: current/x.env, run: '{run}; exit 1'}}]"
            )
        };
        let run = "cat current/x.env";
        place.exec(&document(run, "left"), 1);
        assert_eq!(data(&receiver)["output"], json!(["TOKEN=***"]), "{id}");
        place.exec(&document(&format!("{run}; {swap}"), "swapped"), 1);
        let data = data(&receiver);
        let withheld = data["output_withheld"].as_str().unwrap_or_else(|| panic!("{id}: {data}"));
        assert!(withheld.contains("changed since the step began"), "{id}: {data}");
        assert!(!data.to_string().contains("first-token"), "{id}: {data}");
    }
}

/// What wfx has of variables, it uses, also where it runs the steps itself; no step sees it.
#[test]
fn commands_that_run_steps_have_secrets_of_variables() {
    let receiver = Receiver::start(&[]);
    let place = place_with(&receiver, "");
    let secret = "whsec_a2V5LW9mLWhvb2s=";
    place.write("copied", secret);
    let document = "id: etl
notify: [{to: ops}]
steps:
  - name: a
    run: |
      { env; cat /proc/$PPID/environ; ls -l /proc/$PPID/fd /proc/self/fd; } | tr '\\0' '\\n' >seen
      cat copied; exit 1
";
    let file = place.write("w.yaml", document);
    let with_secret = |mut command: Command| {
        let ran = Ran::of(command.env("WFX_NOTIFY_OPS_SECRET", secret));
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let seen = place.read("seen");
        assert!(seen.contains("WFX_STEP_NAME=a"), "{seen}");
        assert!(!seen.contains("a2V5LW9mLWhvb2s") && !seen.contains("wfx-secrets"), "{seen}");
        let post = receiver.next();
        let header = |name: &str| post.header(name).unwrap();
        let signed =
            format!("{}.{}.{}", header("webhook-id"), header("webhook-timestamp"), post.body);
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"key-of-hook");
        let signature = STANDARD.encode(hmac::sign(&key, signed.as_bytes()));
        assert_eq!(header("webhook-signature"), format!("v1,{signature}"));
        assert_eq!(post.json()["data"]["output"], json!(["***"]));
    };
    let mut exec = place.wfx(["exec"]);
    exec.arg(file);
    with_secret(exec);
    let not_again = "UPDATE workflow_incidents SET closed_at = opened_at";
    for command in ["replay", "retry"] {
        place.sql(not_again);
        with_secret(place.wfx([command, "@latest"]));
    }
    // A number that somebody else has set is not followed.
    place.sql(not_again);
    let mut replay = place.wfx(["replay", "@latest"]);
    replay.env("WFX_RESTARTED", "0");
    with_secret(replay);
}

#[test]
fn output_of_a_step_that_timed_out_and_of_a_handler_is_there() {
    let receiver = Receiver::start(&[]);
    let place = place_with(&receiver, "");
    let document = "id: etl
notify: [{to: ops}]
steps: [{name: slow, run: 'echo begun; sleep 600', timeout: 3s}]
on_failure: [{name: tell, run: 'echo told >&2; exit 3'}]
";
    place.exec(document, 1);
    let mut both = [data(&receiver), data(&receiver)];
    both.sort_by_key(|data| data["step"].to_string());
    let [failed, handler] = both;
    assert_eq!((&failed["step"], &failed["output"]), (&json!("slow"), &json!(["begun"])));
    assert_eq!((&handler["step"], &handler["output"]), (&json!("tell"), &json!(["told"])));
    // When the time of the workflow is over, no step has failed: one ran.
    let document = "id: all
notify: [{to: ops}]
timeout: 3s
steps:
  - {name: slow, run: 'echo begun; sleep 600'}
  - {name: after, depends_on: [slow]}
";
    place.exec(document, 1);
    let failed = data(&receiver);
    assert_eq!((&failed["step"], &failed["output"]), (&json!("slow"), &json!(["begun"])));
    assert!(failed["error"].as_str().unwrap().contains("timed out"), "{failed}");
}

#[test]
fn of_a_retried_step_the_last_attempt_is_shown() {
    let receiver = Receiver::start(&[]);
    let place = place_with(&receiver, "");
    let document = "id: etl
notify: [{to: ops}]
steps:
  - {name: a, run: 'echo attempt $WFX_ATTEMPT; exit 1', retry: {max_attempts: 3, backoff: 1ms}}
";
    place.exec(document, 1);
    assert_eq!(data(&receiver)["output"], json!(["attempt 3"]));
}

#[test]
fn output_of_a_killed_process_is_there() {
    let receiver = Receiver::start(&[]);
    let place = place_with(&receiver, "");
    let document = "id: etl
notify: [{to: ops}]
steps: [{name: a, run: 'echo before the crash; exec sleep 600'}]
";
    let file = place.write("w.yaml", document);
    let running = Running::start(place.wfx(["exec"]).arg(file));
    let has_tables = "SELECT count(*) FROM sqlite_schema";
    until("its output is stored", || {
        place.database().exists()
            && place.sql(has_tables) != "0"
            && place.sql("SELECT count(*) FROM workflow_output") == "1"
    });
    running.signal("KILL");
    running.end();
    let ran = place.run(["recover"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let data = data(&receiver);
    assert_eq!((&data["status"], &data["step"]), (&json!("interrupted"), &json!("a")));
    assert_eq!(data["output"], json!(["before the crash"]));
}

#[test]
fn an_execution_that_was_deleted_has_no_output() {
    let receiver = Receiver::start(&["503 Unavailable\r\nRetry-After: 0"]);
    let place = place_with(&receiver, "");
    std::fs::create_dir(place.path("workflows")).unwrap();
    place.write("workflows/etl.yaml", FAILS);
    let mut daemon = serve(&place);
    run(&daemon, "etl", "");
    assert_eq!(data(&receiver)["output"], json!(["no rows"]));
    let line = daemon.wait_for_log("could not send a notification");
    let again = line.split("again_in_seconds").nth(1).unwrap();
    let number: String = again
        .chars()
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(|c| "0123456789.".contains(*c))
        .collect();
    assert!(number.parse::<f64>().unwrap() >= 0.5, "{line}");
    assert!(number.len() <= 5, "{line}");
    daemon.stop();
    let ran = place.run(["purge", "--all"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    place.sql("UPDATE workflow_notifications SET state = 'pending', ended_at = NULL, next_at = '2020-01-01T00:00:00.000000Z'");
    receiver.rest();
    let daemon = serve(&place);
    let data = data(&receiver);
    assert_eq!(data["error"], "step `load` failed: exit code 1");
    assert!(data.get("output").is_none() && data.get("output_withheld").is_none(), "{data}");
    daemon.stop();
}
