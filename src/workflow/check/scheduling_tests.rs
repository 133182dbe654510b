use super::super::defaults::FolderDefaults;
use super::*;
use crate::base::zone;
use crate::schedule::rules::Overlap;

fn source(text: &str) -> Source<'_> {
    Source { name: "w.yaml", text, format: Format::Yaml, default_id: Some("w") }
}

const STEPS: &str = "\nsteps: [{name: a, run: x}]\n";

fn problems(schedule: &str) -> Vec<(String, String)> {
    let text = format!("{schedule}{STEPS}");
    let Err(problems) = read(&source(&text)) else { return Vec::new() };
    let place = |it: &super::super::problem::Problem| {
        format!("{}:{}", it.line.unwrap_or(0), it.column.unwrap_or(0))
    };
    let text = |it: &super::super::problem::Problem| {
        format!("{}; {}", it.message, it.help.clone().unwrap_or_default())
    };
    problems.iter().map(|it| (place(it), text(it))).collect()
}

#[test]
fn every_key_of_a_schedule_survives_being_stored() {
    let text = format!(
        "params: {{full: {{type: bool, default: false}}}}
overlap: queue_latest
expect: {{start_within: 5m, finish_within: 45m, success_within: 26h}}
schedule:
- {{cron: '0 2 13 * FRI', days: all, timezone: europe/berlin, name: nightly, start_deadline: 2m,
   params: {{full: true}}, catch_up: all, catch_up_window: 24h, jitter: 5m, from: 2026-01-01,
   until: '2027-01-01T00:00:00+01:00'}}
- {{every: 90s, offset: 5s}}
- {{at: 2026-12-24T18:00:00+01:00}}
- '@daily'
- {{cron: '0 0 1 * MON', days: any, catch_up: last}}
blackout:
- {{cron: '0 22 * * FRI', for: 58h, then: defer}}
- {{from: 2026-12-24T00:00:00Z, to: 2026-12-27T00:00:00Z}}{STEPS}"
    );
    let definition = read(&source(&text)).unwrap();
    let rules = &definition.scheduling.as_ref().unwrap().rules;
    assert_eq!(rules.schedules[0].zone_name(), "Europe/Berlin");
    assert_eq!(rules.overlap, Overlap::QueueLatest);
    let names: Vec<&str> = rules.schedules.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "nightly",
            "every 1m30s offset 5s",
            "at 2026-12-24T17:00:00.000000Z",
            "@daily",
            "0 0 1 * MON"
        ]
    );
    let defaults = FolderDefaults { timezone: zone::named("Asia/Tokyo"), ..Default::default() };
    let definition = definition.with_defaults(&defaults);
    let set = &definition.from_folder.as_ref().unwrap().set;
    let zones = [
        "/schedule/1/timezone",
        "/schedule/3/timezone",
        "/schedule/4/timezone",
        "/blackout/0/timezone",
    ];
    assert_eq!(*set, zones);
    let compiled = Arc::new(CompiledWorkflow::of(definition).unwrap());
    let stored =
        Snapshot { compiled, params: Parameters::new(), workdir: "/srv".into(), source: None };
    let value = serde_json::from_str(&stored.to_json()).unwrap();
    assert_eq!(snapshot(&value).unwrap(), stored);
    let text = serde_json::to_string(stored.definition()).unwrap();
    let again = read(&Source { format: Format::Json, ..source(&text) }).unwrap();
    assert_eq!(again, Definition { from_folder: None, ..stored.definition().clone() });
}

#[test]
fn a_stored_definition_is_replayed_whatever_became_of_its_zone() {
    let text = format!("schedule: '@daily'{STEPS}");
    let compiled = Arc::new(CompiledWorkflow::of(read(&source(&text)).unwrap()).unwrap());
    let stored =
        Snapshot { compiled, params: Parameters::new(), workdir: "/srv".into(), source: None };
    let mut value: serde_json::Value = serde_json::from_str(&stored.to_json()).unwrap();
    value["definition"]["schedule"][0]["timezone"] = "Europe/Atlantis".into();
    assert_eq!(snapshot(&value).unwrap().definition().scheduling, None);
}

#[test]
fn defaults_give_zone_blackout_and_expectations_to_those_without() {
    let defaults = "timezone: Europe/Berlin\nexpect: {success_within: 26h}\n\
                    blackout: [{cron: '0 22 * * FRI', for: 58h}]\n";
    let defaults = folder_defaults(&Source { name: "_defaults.yaml", ..source(defaults) }).unwrap();
    let applied = |text: &str| {
        let text = format!("{text}{STEPS}");
        let definition = read(&source(&text)).unwrap().with_defaults(&defaults);
        definition.from_folder.map(|it| it.set).unwrap_or_default()
    };
    assert_eq!(applied("schedule: '@daily'"), ["/expect", "/schedule/0/timezone", "/blackout"]);
    assert_eq!(applied("name: x"), ["/expect"]);
    let own = "schedule: {cron: '@daily', timezone: UTC}\nexpect: {finish_within: 1h}\n\
               blackout: {from: 2026-12-24T00:00:00Z, to: 2026-12-27T00:00:00Z}";
    assert_eq!(applied(own), [] as [&str; 0]);
    let wrong = folder_defaults(&source("timezone: Berlin\n")).unwrap_err().to_string();
    assert!(wrong.contains("did you mean `Europe/Berlin`?"), "{wrong}");
}

#[test]
fn mistakes_are_reported_where_they_are_with_a_remedy() {
    let mut wrong = Vec::new();
    for (text, place, words) in [
        ("schedule: '0 25 * * *'", "1:14", &["hour is from 0 to 23", "field 2"][..]),
        ("schedule: 0 25 * * *", "1:13", &["hour is from 0 to 23"]),
        ("schedule:\n- cron: \"0 0 * * FRY\"", "2:18", &["`FRY`", "SUN to SAT"]),
        ("schedule: {cron: '0 */10 * * * *'}", "1:32", &["five fields", "`every: 10s`"]),
        ("schedule: {cron: '0 0 30 2 *'}", "1:19", &["never occurs"]),
        ("schedule: {cron: '@reboot'}", "1:19", &["systemd"]),
        ("schedule: {}", "1:11", &["no time", "`every: 15m`"]),
        ("schedule: []", "1:11", &["0 items"]),
        ("schedule: {cron: '@daily', every: 5m}", "1:11", &["`cron`, `every`"]),
        ("schedule: {every: 500ms}", "1:19", &["at least 1s"]),
        ("schedule: {every: 5m, offset: 5m}", "1:31", &["below `every`"]),
        ("schedule: {every: 5m, days: all}", "1:29", &["belongs to `cron`"]),
        ("schedule: {at: 2026-12-24T18:00:00}", "1:16", &["no offset", "+01:00"]),
        ("schedule: {at: 2026-12-24T18:00:00Z, jitter: 5m}", "1:46", &["beside `at`"]),
        ("schedule: {cron: '@daily', timezone: Berlin}", "1:38", &["`Europe/Berlin`"]),
        ("schedule: {cron: '@daily', timezone: Europe/Berlim}", "1:38", &["`Europe/Berlin`"]),
        ("schedule: {cron: '@daily', timezone: '+02:00'}", "1:38", &["offset", "`Europe/Berlin`"]),
        ("schedule: {cron: '@daily', catch_up: lst}", "1:38", &["`last`"]),
        ("schedule: {cron: '@daily', catchup: all}", "1:28", &["`catch_up`"]),
        ("schedule: {cron: '@daily', params: {x: 1}}", "1:37", &["no parameter `x`"]),
        (
            "schedule: {cron: '@daily', from: 2026-02-01, until: 2026-01-01}",
            "1:11",
            &["never occurs"],
        ),
        ("schedule: ['@daily', '@daily']", "1:22", &["two schedules", "`name`"]),
        ("params: {x: null}\nschedule: '@daily'", "2:11", &["no value to the parameter `x`"]),
        ("overlap: queue\nschedule: '@daily'", "1:10", &["`queue_latest`"]),
        ("blackout: {cron: '@daily'}", "1:11", &["`cron` and `for`"]),
        ("blackout: {cron: '@daily', for: 24h}", "1:11", &["no end"]),
        (
            "blackout: {from: 2026-02-01T00:00:00Z, to: 2026-01-01T00:00:00Z}",
            "1:44",
            &["ends before it begins"],
        ),
        ("expect: {}", "1:9", &["expects nothing"]),
        ("expect: {start_within: 0s}", "1:24", &["longer than nothing"]),
    ] {
        let problems = problems(text);
        let is_as_expected = problems.len() == 1
            && problems[0].0 == place
            && words.iter().all(|word| problems[0].1.contains(word));
        if !is_as_expected {
            wrong.push(format!("{text}: {problems:?}"));
        }
    }
    assert_eq!(wrong, [] as [String; 0]);
}

#[test]
fn probable_mistakes_are_noted() {
    let lints = |text: &str| {
        let text = format!("{text}{STEPS}");
        let (_, lints) = read_with_lints(&source(&text)).unwrap();
        let lints: Vec<String> =
            lints.iter().flat_map(Problems::iter).map(|it| it.message.clone()).collect();
        lints.into_iter().filter(|it| !it.contains("this version")).collect::<Vec<_>>()
    };
    let one = |text: &str, words: &str| {
        let found = lints(text);
        assert!(found.len() == 1 && found[0].contains(words), "{text}: {found:?}");
    };
    one("schedule: '0 0 13 * FRI'", "either");
    one("schedule: {cron: '*/7 * * * *'}", "`*/7` begins anew each hour");
    one("schedule: {cron: '@daily', catch_up_window: 24h}", "without `catch_up`");
    one("overlap: allow", "without a `schedule`");
    one("expect: {start_within: 5m}", "without a `schedule`");
    assert_eq!(lints("schedule: {cron: '0 0 13 * FRI', days: any}"), [] as [&str; 0]);
    assert_eq!(lints("schedule: ['*/15 * * * *', {every: 7m}]"), [] as [&str; 0]);
}
