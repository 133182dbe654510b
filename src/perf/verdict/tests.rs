use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::perf::judgement::Rounding;
use crate::perf::tolerance::{Tolerance, Tolerances};

fn ms(ms: f64) -> Latency {
    Latency::from_ms(ms).unwrap()
}

fn observed(endpoint: &str, median: f64, p95: f64) -> Observed {
    Observed {
        endpoint: endpoint.to_owned(),
        median: Reading::Value(ms(median)),
        p95: Reading::Value(ms(p95)),
        samples: Some(1_000),
        requests: 1_000,
        ..Observed::default()
    }
}

fn run(endpoints: Vec<Observed>) -> Run {
    Run { endpoints, ..Run::default() }
}

fn own(endpoints: Vec<Observed>, doubts: &[&str]) -> Run {
    Run {
        source: Source { own: true, ..Source::default() },
        endpoints,
        doubts: doubts.iter().map(|&doubt| doubt.to_owned()).collect(),
        is_late: false,
    }
}

fn policy() -> Policy {
    Policy {
        tolerance_median: Tolerance::Absolute(ms(50.0)),
        tolerance_p95: Tolerance::Absolute(ms(80.0)),
        own_tolerances: BTreeMap::new(),
        filter: Filter::default(),
        asked: Vec::new(),
        strict: false,
        error_rate_max: 0.0,
        samples_min: 100,
    }
}

fn baseline(entries: &[(&str, f64, Option<f64>)]) -> Baseline {
    let mut baseline = Baseline::default();
    baseline.update(entries.iter().map(|&(endpoint, median, p95)| {
        let entry = Entry::new(ms(median), p95.map(ms), Circumstances::default());
        (endpoint.to_owned(), entry)
    }));
    baseline
}

fn outcomes(judgement: &Judgement) -> Vec<Outcome> {
    judgement.endpoints.iter().map(|judged| judged.outcome).collect()
}

#[test]
fn more_than_the_tolerance_is_a_regression_and_the_tolerance_is_none() {
    let baseline = baseline(&[("GET /a", 40.1, Some(85.2)), ("GET /b", 40.1, None)]);
    for (median, p95, outcome) in [
        (90.1, 165.2, Outcome::Pass),
        (90.100_001, 85.0, Outcome::Regression),
        (40.1, 165.200_001, Outcome::Regression),
        (1.0, 1.0, Outcome::Pass),
    ] {
        let run = run(vec![observed("GET /a", median, p95), observed("GET /b", 1.0, 9_999.0)]);
        let judgement = judge(run, &baseline, &policy()).unwrap();
        // A baseline without p95 is not judged by it.
        assert_eq!(outcomes(&judgement), [outcome, Outcome::Pass], "{median} {p95}");
        let failed = outcome == Outcome::Regression;
        assert_eq!(judgement.verdict == Verdict::Fail, failed);
        assert_eq!(judgement.endpoints[0].reasons.len(), usize::from(failed));
    }
}

#[test]
fn a_new_endpoint_is_not_judged_unless_strictly() {
    let baseline = baseline(&[("GET /a", 1.0, None)]);
    let both = || run(vec![observed("GET /a", 1.0, 2.0), observed("GET /new", 9e6, 9e6)]);
    let judgement = judge(both(), &baseline, &policy()).unwrap();
    assert_eq!(outcomes(&judgement), [Outcome::Pass, Outcome::New]);
    assert_eq!(judgement.verdict, Verdict::Pass);
    assert!(judgement.warnings.is_empty());
    let strict = Policy { strict: true, ..policy() };
    assert_eq!(judge(both(), &baseline, &strict).unwrap().verdict, Verdict::Fail);
    let judgement = judge(both(), &Baseline::default(), &policy()).unwrap();
    assert!(judgement.warnings[0].contains("nothing was judged"));
}

#[test]
fn what_cannot_be_compared_is_no_pass() {
    let baseline = baseline(&[("GET /a", 1.0, Some(2.0)), ("GET /b", 1.0, None)]);
    let incomparable =
        |endpoints, policy: &Policy| judge(run(endpoints), &baseline, policy).unwrap_err();
    assert_eq!(incomparable(vec![], &policy()), Incomparable::Nothing);
    let a = || observed("GET /a", 1.0, 1.0);
    assert_eq!(
        incomparable(vec![a()], &policy()),
        Incomparable::Unobserved(vec!["GET /b".to_owned()])
    );
    let filter = |text: &str| Policy { filter: Filter::new(text), ..policy() };
    assert!(matches!(incomparable(vec![a()], &filter("/A")), Incomparable::Filter { .. }));
    assert!(matches!(incomparable(vec![a()], &filter("/b")), Incomparable::Filter { .. }));
    let judgement = judge(run(vec![a()]), &baseline, &filter("/a,/zzz")).unwrap();
    assert_eq!(judgement.verdict, Verdict::Pass);
    assert!(judgement.warnings[0].contains("`/zzz`"), "{:?}", judgement.warnings);
    let bad = Observed { median: Reading::Bad("N/A".to_owned()), ..a() };
    assert!(incomparable(vec![bad.clone()], &filter("/a")).to_string().contains("`N/A`"));
    let none = Observed { median: Reading::Absent, ..a() };
    assert!(matches!(
        incomparable(vec![none], &filter("/a")),
        Incomparable::Missing { metric: Metric::Median, .. }
    ));
    let none = Observed { p95: Reading::Absent, ..a() };
    let missing = incomparable(vec![none.clone()], &filter("/a"));
    assert!(missing.hint().contains("PERCENTILES_TO_REPORT"), "{missing}");
    // Of endpoints that are not tracked, or have no p95 in the baseline, it does no harm.
    let others = vec![a(), Observed { endpoint: "GET /x".to_owned(), ..bad }];
    assert_eq!(judge(run(others), &baseline, &filter("/a")).unwrap().untracked, 1);
    let b = Observed { endpoint: "GET /b".to_owned(), ..none };
    assert!(judge(run(vec![a(), b]), &baseline, &policy()).is_ok());
}

#[test]
fn an_own_measurement_answers_for_what_it_was_asked() {
    let baseline = baseline(&[("GET /a", 1.0, Some(2.0)), ("GET /b", 1.0, None)]);
    let policy = || Policy { asked: vec!["GET /a".to_owned()], ..policy() };
    let judgement = judge(own(vec![observed("GET /a", 1.0, 1.0)], &[]), &baseline, &policy());
    assert_eq!(judgement.unwrap().verdict, Verdict::Pass);
    let few = Observed { samples: Some(99), ..observed("GET /a", 1.0, 1.0) };
    let judgement = judge(own(vec![few.clone()], &[]), &baseline, &policy()).unwrap();
    assert_eq!(judgement.verdict, Verdict::Inconclusive);
    // Figures of others are taken as they state them.
    let judgement =
        judge(run(vec![few]), &baseline, &Policy { filter: Filter::new("/a"), ..policy() });
    assert_eq!(judgement.unwrap().verdict, Verdict::Pass);
    let failed = Observed {
        endpoint: "GET /a".to_owned(),
        samples: Some(0),
        requests: 500,
        errors: 500,
        error_kinds: vec![("status 500".to_owned(), 500)],
        ..Observed::default()
    };
    let judgement = judge(own(vec![failed], &[]), &baseline, &policy()).unwrap();
    assert_eq!(outcomes(&judgement), [Outcome::Errors]);
    assert!(judgement.endpoints[0].reasons[0].contains("500 times status 500"));
}

#[test]
fn errors_count_above_the_largest_share() {
    let baseline = baseline(&[("GET /a", 1.0, None)]);
    for (errors, error_rate_max, outcome) in [
        (0, 0.0, Outcome::Pass),
        (1, 0.0, Outcome::Errors),
        (10, 0.01, Outcome::Pass),
        (11, 0.01, Outcome::Errors),
        (290, 0.29, Outcome::Pass),
    ] {
        let one = Observed { errors, ..observed("GET /a", 1.0, 1.0) };
        let policy = Policy { error_rate_max, ..policy() };
        let judgement = judge(run(vec![one]), &baseline, &policy).unwrap();
        assert_eq!(outcomes(&judgement), [outcome], "{errors}");
    }
}

#[test]
fn a_regression_beats_doubts_and_doubts_beat_a_pass() {
    let baseline = baseline(&[("GET /a", 1.0, None)]);
    let verdict = |median, doubts: &[&str]| {
        judge(own(vec![observed("GET /a", median, 1.0)], doubts), &baseline, &policy())
            .unwrap()
            .verdict
    };
    assert_eq!(verdict(99.0, &["late"]), Verdict::Fail);
    assert_eq!(verdict(1.0, &["late"]), Verdict::Inconclusive);
    assert_eq!(verdict(1.0, &[]), Verdict::Pass);
}

#[test]
fn what_was_sent_late_is_no_regression_and_no_pass() {
    let baseline = baseline(&[("GET /a", 1.0, None)]);
    let verdict = |median, errors, is_late| {
        let one = Observed { errors, ..observed("GET /a", median, 1.0) };
        let run = Run { is_late, ..own(vec![one], &["requests were sent late"]) };
        judge(run, &baseline, &policy()).unwrap().verdict
    };
    // Late sends count as latency: what looks slower may be none.
    assert_eq!(verdict(99.0, 0, true), Verdict::Inconclusive);
    assert_eq!(verdict(1.0, 0, true), Verdict::Inconclusive);
    assert_eq!(verdict(99.0, 0, false), Verdict::Fail);
    assert_eq!(verdict(1.0, 1, true), Verdict::Fail);
}

#[test]
fn a_share_of_the_baseline_is_a_tolerance() {
    let baseline = baseline(&[("GET /a", 10.0, Some(20.0)), ("GET /b", 1_000.0, None)]);
    let judged = |a, p95, b, policy: &Policy| {
        let both = vec![observed("GET /a", a, p95), observed("GET /b", b, 1.0)];
        let judgement = judge(run(both), &baseline, policy).unwrap();
        judgement.endpoints.into_iter().map(|judged| judged.outcome).collect::<Vec<_>>()
    };
    use Outcome::{Pass, Regression};
    let ten = Tolerance::Share(0.1);
    let share = Policy { tolerance_median: ten, tolerance_p95: ten, ..policy() };
    assert_eq!(judged(11.0, 22.0, 1_100.0, &share), [Pass, Pass]);
    assert_eq!(judged(11.1, 22.0, 1_101.0, &share), [Regression, Regression]);
    assert_eq!(judged(11.0, 22.1, 1_000.0, &share), [Regression, Pass]);
    // An endpoint may have its own.
    let own = Tolerances { median: Some(Tolerance::Share(0.5)), p95: None };
    let own = Policy { own_tolerances: BTreeMap::from([("GET /a".to_owned(), own)]), ..share };
    assert_eq!(judged(15.0, 22.0, 1_101.0, &own), [Pass, Regression]);
    assert_eq!(judged(12.0, 22.0, 1_000.0, &policy()), [Pass, Pass]);
}

#[test]
fn a_tolerance_that_is_larger_than_what_it_guards_is_named() {
    let baseline = baseline(&[("GET /a", 10.0, Some(20.0)), ("GET /b", 49.0, None)]);
    let warnings = |policy: &Policy| {
        let both = vec![observed("GET /a", 12.0, 24.0), observed("GET /b", 49.0, 1.0)];
        crate::perf::circumstances::wide_tolerances(
            &judge(run(both), &baseline, policy).unwrap(),
            policy,
        )
    };
    let texts = warnings(&policy());
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[0].starts_with("GET /a: the median of 10") && texts[0].contains("(and 1 more)"));
    assert!(texts[0].contains("--tolerance-median 10%"), "{texts:?}");
    assert!(texts[1].contains("--tolerance-p95 10%") && !texts[1].contains("more"), "{texts:?}");
    let share = Tolerance::Share(2.0);
    let relative = Policy { tolerance_median: share, tolerance_p95: share, ..policy() };
    assert_eq!(warnings(&relative), [""; 0]);
}

#[test]
fn a_gate_that_judges_nothing_is_refused() {
    let checked = |known: &Baseline, policy: &Policy| {
        let judgement = judge(run(vec![observed("GET /a", 1.0, 1.0)]), known, policy).unwrap();
        check_judged(&judgement, known, policy)
    };
    let asked = Policy { asked: vec!["GET /a".to_owned()], ..policy() };
    let error = checked(&Baseline::default(), &asked).unwrap_err();
    assert!(error.to_string().contains("GET /a"), "{error}");
    assert!(error.hint().contains("--update-baseline"));
    let error = checked(&baseline(&[("GET /z", 1.0, None)]), &asked).unwrap_err();
    assert!(error.hint().contains("GET /z: were endpoints renamed?"), "{}", error.hint());
    assert_eq!(checked(&baseline(&[("GET /a", 1.0, None)]), &policy()), Ok(()));
    // With --strict what is new fails, which is a verdict.
    assert_eq!(checked(&Baseline::default(), &Policy { strict: true, ..policy() }), Ok(()));
}

#[test]
fn what_the_gate_sees_is_its_tolerance_and_what_rounding_hides() {
    let baseline = baseline(&[("GET /a", 40.0, Some(100.0)), ("GET /b", 400.0, Some(1_000.0))]);
    let both = || vec![observed("GET /a", 40.0, 99.0), observed("GET /b", 400.0, 990.0)];
    let judgement = judge(run(both()), &baseline, &policy()).unwrap();
    let (endpoint, comparison) = judgement.least_sensitive(Metric::Median).unwrap();
    assert_eq!((endpoint, comparison.detectable), ("GET /a", ms(50.0)));
    assert_eq!(comparison.detectable_percent(), Some(125.0));
    let mut rounded = run(both());
    rounded.source.rounding = Rounding::TwoDigits;
    let judgement = judge(rounded, &baseline, &policy()).unwrap();
    let detectable: Vec<_> =
        judgement.endpoints[1].comparisons.iter().map(|c| c.detectable).collect();
    assert_eq!(detectable, [ms(55.0), ms(130.0)]);
    for (of, error) in [(0.0, 0.5), (99.0, 0.5), (100.0, 5.0), (999.0, 5.0), (1_000.0, 50.0)] {
        assert_eq!(Rounding::TwoDigits.error(ms(of)), ms(error), "{of}");
    }
}

#[test]
fn entries_take_what_was_observed() {
    let run = own(vec![observed("GET /a", 3.0, 4.0)], &[]);
    let judgement = judge(run, &Baseline::default(), &policy()).unwrap();
    let circumstances =
        Circumstances { commit: Some("abc".to_owned()), ..Circumstances::default() };
    let entries = entries(&judgement, &circumstances);
    assert_eq!((entries[0].1.median, entries[0].1.p95), (ms(3.0), Some(ms(4.0))));
    assert_eq!(entries[0].1.circumstances.samples, Some(1_000));
    assert_eq!(entries[0].1.circumstances.commit.as_deref(), Some("abc"));
}

proptest! {
    #[test]
    fn slower_never_makes_a_verdict_better(
        base in 0.0..1_000.0_f64,
        median in 0.0..2_000.0_f64,
        more in 0.0..1_000.0_f64,
        errors in 0..3_u64,
        doubt in any::<bool>(),
    ) {
        let baseline = baseline(&[("GET /a", base, None)]);
        let verdict = |median| {
            let one = Observed { errors, ..observed("GET /a", median, 1.0) };
            let doubts: &[&str] = if doubt { &["late"] } else { &[] };
            judge(own(vec![one], doubts), &baseline, &policy()).unwrap().verdict
        };
        if verdict(median) == Verdict::Fail {
            prop_assert_eq!(verdict(median + more), Verdict::Fail);
        }
        prop_assert!(verdict(median) == Verdict::Fail || errors == 0);
        prop_assert!(verdict(median) != Verdict::Pass || !doubt);
    }
}
