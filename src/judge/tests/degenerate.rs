//! Odd input has a stated answer, and no number of a judgement is ever NaN.

use std::time::Duration;

use crate::judge::fixture::{
    Nested, REQUESTS, WINDOW, baseline, cell, failing, let_in, round, rules, run, usual, worst,
};
use crate::judge::{CellJudgement, LimitOutcome, Policy, Verdict, judge};
use crate::plan::Limit;
use crate::record::{CellRun, metric};

fn against(base: CellRun, head: CellRun) -> CellJudgement {
    let cell = judge(&baseline(vec![base]), &[run(vec![head])], &Policy::usual()).cells.remove(0);
    for comparison in &cell.comparisons {
        let change = comparison.change.map(|change| [change.low, change.estimate, change.high]);
        let numbers = change.into_iter().flatten().chain([comparison.p_adjusted]);
        let values = comparison.base.into_iter().chain(comparison.head).chain(comparison.findable);
        assert!(numbers.chain(values).all(|number| !number.is_nan()), "{comparison:?}");
    }
    for shown in &cell.values {
        let ends = shown.head.interval.map(|(low, high)| [low, high]).into_iter().flatten();
        assert!(ends.chain([shown.head.value]).all(|number| !number.is_nan()), "{shown:?}");
    }
    cell
}

fn p50(rounds: Nested) -> CellRun {
    let mut cell = cell("find/10", &[("latency_p50", rounds)]);
    cell.settings.judged = Some(vec!["latency_p50".into()]);
    cell
}

fn verdict(base: Nested, head: Nested) -> Verdict {
    against(p50(base), p50(head)).comparisons[1].verdict
}

#[test]
fn values_that_agree_everywhere_are_judged_by_what_a_quiet_machine_shows() {
    let same = |value: f64| vec![vec![value; 3]; 10];
    let equal = against(p50(same(1e6)), p50(same(1e6)));
    let change = equal.comparisons[1].change.unwrap();
    assert!(
        change.estimate == 0.0 && change.low < -0.05,
        "no certainty from a single stored run: {change:?}"
    );
    assert_eq!(equal.comparisons[1].verdict, Verdict::Unchanged);
    assert_eq!(verdict(same(1e6), same(2e6)), Verdict::Regressed);
}

#[test]
fn one_round_is_enough_for_a_verdict_with_an_allowance() {
    assert_eq!(verdict(vec![vec![1e6]], vec![vec![1e6]]), Verdict::Inconclusive);
    assert_eq!(verdict(vec![vec![1e6]], vec![vec![3e6]]), Verdict::Regressed);
}

#[test]
fn rounds_of_one_launch_that_differ_wildly_widen_the_allowance() {
    let wild = |shift: f64| {
        vec![(0..10).map(|round| 1e6 * (shift + 0.5 * f64::from(round % 2))).collect::<Vec<_>>()]
    };
    assert_eq!(verdict(wild(1.0), wild(1.3)), Verdict::Inconclusive);
    assert_eq!(verdict(vec![vec![1e6; 10]], vec![vec![1.3e6; 10]]), Verdict::Regressed);
}

#[test]
fn launches_of_different_numbers_are_compared() {
    assert_eq!(verdict(vec![vec![1e6]; 10], vec![vec![2e6]; 3]), Verdict::Regressed);
    assert_eq!(verdict(vec![vec![1e6, 1e6]; 10], vec![vec![2e6]; 1]), Verdict::Regressed);
}

#[test]
fn zeros_are_equal_to_zeros_and_have_no_ratio_to_anything_else() {
    assert_eq!(verdict(vec![vec![0.0]; 10], vec![vec![0.0]; 10]), Verdict::Unchanged);
    for (base, head) in [(0.0, 5.0), (5.0, 0.0)] {
        let cell = against(p50(vec![vec![base]; 10]), p50(vec![vec![head]; 10]));
        let comparison = &cell.comparisons[1];
        assert_eq!((comparison.verdict, comparison.change), (Verdict::Inconclusive, None));
        assert!(
            (comparison.base.unwrap() - base).abs() < 1e-9 && (comparison.head.unwrap() - head).abs() < 1e-9
        );
        assert!(comparison.method.contains("zero"), "{}", comparison.method);
        assert!((cell.values[0].head.value - head).abs() < 1e-9);
    }
}

#[test]
fn all_failed_in_head_is_a_regression_and_on_both_sides_invalid() {
    let dead = || {
        let mut dead = failing(usual(1.0), REQUESTS);
        dead.rounds.iter_mut().for_each(|round| round.values.clear());
        dead
    };
    assert_eq!(against(usual(1.0), dead()).verdict, Verdict::Regressed);
    assert_eq!(against(let_in(dead()), dead()).verdict, Verdict::Invalid);
    let recovered = against(let_in(dead()), usual(1.0));
    assert_eq!(recovered.verdict, Verdict::Incomparable, "there is nothing to be held against");
}

#[test]
fn a_metric_that_one_side_lacks_is_inconclusive_and_says_which_time_would_do() {
    let mut few = usual(1.0);
    for round in &mut few.rounds {
        (round.counts.requests, round.counts.successes) = (10, 10);
        round.values.remove("latency_p50");
    }
    let cell = against(usual(1.0), few.clone());
    let comparison = &cell.comparisons[1];
    assert_eq!((comparison.metric.id, comparison.verdict), ("latency_p50", Verdict::Inconclusive));
    assert_eq!(
        comparison.method,
        "Too few exchanges in head: 10 successes in its poorest round, 20 are needed."
    );
    // 30 rounds of 333 ms give ten successes each: twice 9.99 s.
    assert_eq!(comparison.advice.as_deref(), Some("a measurement_time of 20s"));
    let turned = against(few.clone(), usual(1.0));
    assert!(turned.comparisons[1].advice.as_ref().unwrap().contains("baseline recorded anew"));
    assert_eq!(
        against(few.clone(), few).comparisons[1].verdict,
        Verdict::Inconclusive,
        "never unchanged for want of data"
    );
}

#[test]
fn successes_that_are_needed_hold_a_factor_of_two_in_reserve() {
    let needed = |id: &str| metric(id).unwrap().promised_from();
    assert_eq!([needed("latency_p50"), needed("latency_p99"), needed("throughput")], [20, 1_000, 40]);
    assert_eq!(needed("latency_max"), 1);
}

#[test]
fn nothing_measured_is_invalid() {
    let mut empty = usual(1.0);
    empty.rounds.clear();
    assert_eq!(against(usual(1.0), empty).reason.as_deref(), Some("No round of it was measured."));
    let mut idle = usual(1.0);
    idle.rounds = vec![round(0, 0, 0, [].into())];
    assert_eq!(against(usual(1.0), idle).verdict, Verdict::Invalid);
}

#[test]
fn one_unfair_run_of_several_is_left_out() {
    let unfair = CellRun { invalid: Some("It died.".into()), ..usual(9.0) };
    let runs = [run(vec![usual(1.0)]), run(vec![unfair])];
    let cell =
        judge(&baseline(vec![usual(1.0), usual(1.0), usual(1.0)]), &runs, &Policy::usual()).cells.remove(0);
    assert_eq!(cell.verdict, Verdict::Unchanged, "{cell:?}");
    assert!(cell.notes.iter().any(|note| note == "One run is left out: It died."));
}

#[test]
fn no_runs_and_no_cells_are_no_judgement() {
    let policy = Policy::usual();
    assert_eq!(worst(&judge(&crate::record::Baseline::default(), &[], &policy)), None);
    let judgement = judge(&baseline(vec![usual(1.0)]), &[run(Vec::new())], &policy);
    assert_eq!((judgement.cells.len(), judgement.gone.len()), (0, 0), "its group was not measured");
    let mut empty = baseline(vec![usual(1.0)]);
    empty.runs = Vec::new();
    assert_eq!(worst(&judge(&empty, &[run(vec![usual(1.0)])], &policy)), Some(Verdict::New));
}

#[test]
fn absurd_rules_never_make_red() {
    let mut head = usual(2.0);
    let absurd = crate::plan::Settings {
        confidence_level: f64::NAN,
        significance_level: f64::NAN,
        noise_threshold: Some(f64::NAN),
        equivalence: Some(-1.0),
        nresamples: 0,
        judged: Some(vec!["horsepower".into(), "latency_p50".into()]),
        ..rules()
    };
    head.settings = absurd;
    let cell = against(usual(1.0), head);
    assert_ne!(cell.verdict, Verdict::Regressed);
    assert!(cell.notes.iter().any(|note| note.contains("`horsepower`")));
}

#[test]
fn a_burst_with_too_few_successes_is_told_to_grow_and_not_to_take_longer() {
    let burst = |requests: u64, successes: u64| {
        let mut cell = usual(1.0);
        cell.load = crate::plan::Load::burst(200);
        cell.settings.least_success_ratio = 0.0;
        cell.settings.limits = vec![Limit::p99(Duration::from_millis(1))];
        for round in &mut cell.rounds {
            (round.counts.requests, round.counts.successes) = (requests, successes);
            round.values.remove("latency_p50");
            round.values.remove("latency_p99");
        }
        against(cell.clone(), cell)
    };
    let advice = |cell: &CellJudgement| cell.comparisons[1].advice.clone().unwrap();
    let served = burst(10, 10);
    assert_eq!(advice(&served), "a burst of 20 requests");
    assert!(served.limits[0].reason.contains("successes: a burst of 1,000 requests would do"), "{served:?}");
    let refused = burst(200, 10);
    assert_eq!(advice(&refused), "a larger burst or a rate limit that serves more of it");
    assert!(refused.limits[0].reason.contains("rate limit that serves more of it would do"), "{refused:?}");
}

#[test]
fn a_limit_on_a_metric_that_head_lacks_is_undecided_and_says_why() {
    let mut head = p50(vec![vec![1e6]; 10]);
    head.settings.limits = vec![Limit::p99(Duration::from_millis(1)), Limit::p50(Duration::ZERO)];
    head.rounds.iter_mut().for_each(|round| (round.counts.requests, round.counts.successes) = (100, 100));
    let cell = against(p50(vec![vec![1e6]; 10]), head);
    assert_eq!(cell.limits[0].outcome, LimitOutcome::Undecided);
    assert!(
        cell.limits[0].reason.contains("each round needs 1000 successes: a measurement_time of"),
        "{}",
        cell.limits[0].reason
    );
    assert_eq!(cell.limits[1].outcome, LimitOutcome::Broken, "nothing takes no time");
    assert_eq!((metric("latency_p99").unwrap().least_successes, WINDOW.as_millis()), (500, 333));
}

#[test]
fn launches_that_agree_break_a_limit_only_beyond_the_resolution_of_histograms() {
    let limited = |value: f64| {
        let mut head = p50(vec![vec![value]; 10]);
        head.settings.limits = vec![Limit::p50(Duration::from_millis(1))];
        against(p50(vec![vec![value]; 10]), head).limits[0].outcome
    };
    assert_eq!(limited(1.001e6), LimitOutcome::Undecided);
    assert_eq!(limited(1.02e6), LimitOutcome::Broken);
}
