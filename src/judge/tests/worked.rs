//! Examples whose figures were worked out independently (logs by hand, t by 15-digit arithmetic).

use std::time::Duration;

use crate::judge::fixture::{Nested, baseline, cell, new_epoch_from, run};
use crate::judge::{CellJudgement, LimitOutcome, Policy, Verdict, judge};
use crate::plan::Limit;
use crate::record::CellRun;

const P50: &str = "latency_p50";

fn one_round_each(values: &[f64]) -> Nested {
    values.iter().map(|value| vec![*value]).collect()
}

/// Judged by its p50 alone, and by its successes: two tests.
fn by_p50(values: &[f64]) -> CellRun {
    let mut cell = cell("find/10", &[(P50, one_round_each(values))]);
    cell.settings.judged = Some(vec![P50.into()]);
    cell
}

fn judged(base: Vec<CellRun>, head: Vec<CellRun>) -> CellJudgement {
    let runs: Vec<_> = head.into_iter().map(|cell| run(vec![cell])).collect();
    judge(&baseline(base), &runs, &Policy::usual()).cells.remove(0)
}

#[track_caller]
fn assert_near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
}

#[test]
fn one_stored_run_of_five_launches_against_one() {
    let base = [100.0, 102.0, 98.0, 101.0, 99.0];
    let head = [120.0, 122.0, 119.0, 121.0, 118.0];
    let cell = judged(vec![by_p50(&base)], vec![by_p50(&head)]);
    let comparison = &cell.comparisons[1];
    // s² between launches 0.000211854 < 0.02²; v0 = 0.000442371; se² = 2 v0; t = 4.490292 on 4 degrees.
    assert_near(comparison.p_adjusted, 2.0 * 0.005_451_687_022_561);
    let change = comparison.change.unwrap();
    assert_near(change.low, 0.104_914_386_639_052);
    assert_near(change.estimate, 0.200_036_677_792_677);
    assert_near(change.high, 0.303_348_065_209_080);
    assert_eq!(comparison.method, "t over 1 head run and one stored run, 4 degrees of freedom");
    assert_eq!(comparison.verdict, Verdict::Inconclusive, "p is 0.0109 after correction, the level 0.01");
    assert!((comparison.base.unwrap() / 100.0 - 1.0).abs() < 1e-3);

    let mut lenient = by_p50(&head);
    lenient.settings.significance_level = 0.02;
    let cell = judged(vec![by_p50(&base)], vec![lenient]);
    assert_eq!((cell.verdict, cell.comparisons[1].verdict), (Verdict::Regressed, Verdict::Regressed));
}

#[test]
fn several_runs_of_both_sides() {
    let pair = |value: f64| by_p50(&[value, value]);
    let stored = baseline([80.0, 84.0, 100.0, 104.0, 96.0].map(pair).into());
    let head = [110.0, 112.0].map(|value| run(vec![pair(value)]));
    let judgement = judge(&new_epoch_from(stored, 2), &head, &Policy::usual());
    let comparison = &judgement.cells[0].comparisons[1];
    // Launches agree: v0 = 0.02². df = 4 + 2 + 1; v = 0.000709454; se² = v (1/3 + 1/2).
    // Nine tenths of the level are for the two usual tests, the rest for the anchor's.
    assert_near(comparison.p_adjusted, 2.0 * 0.027265103687822 / 0.9);
    let change = comparison.change.unwrap();
    assert_near(change.low, 0.048497011412085);
    assert_near(change.estimate, 0.110_547_562_244_300);
    assert_near(change.high, 0.176270294128701);
    assert_eq!(comparison.method, "t over 2 head and 3 stored runs, 7 degrees of freedom");
}

#[test]
fn one_launch_is_judged_with_an_allowance_and_says_so() {
    let one = |value: f64| {
        let mut cell = cell("find/10", &[(P50, vec![vec![value; 30]])]);
        cell.settings.judged = Some(vec![P50.into()]);
        cell
    };
    let cell = judged(vec![one(1e6)], vec![one(1.2e6)]);
    let comparison = &cell.comparisons[1];
    assert_near(comparison.p_adjusted, 2.0 * 0.014_440_925_749_645);
    assert_near(comparison.change.unwrap().low, 0.073_864_423_038_359);
    assert_near(comparison.change.unwrap().high, 0.340_951_398_618_560);
    assert!(comparison.method.ends_with(", with an allowance for one launch"), "{}", comparison.method);
    assert!(comparison.advice.as_ref().unwrap().contains("several launches"));
    assert!(cell.values.iter().all(|shown| shown.head.interval.is_none()), "no spread is known");
}

#[test]
fn a_rate_is_worse_when_it_falls_and_is_told_in_its_own_direction() {
    let rate = |values: &[f64]| {
        let mut cell = cell("find/10", &[("throughput", one_round_each(values))]);
        cell.settings.judged = Some(vec!["throughput".into()]);
        cell
    };
    let inverse = |values: [f64; 5]| values.map(|value| 1e6 / value);
    let base = rate(&inverse([100.0, 102.0, 98.0, 101.0, 99.0]));
    let head = rate(&inverse([120.0, 122.0, 119.0, 121.0, 118.0]));
    let cell = judged(vec![base], vec![head]);
    let comparison = &cell.comparisons[1];
    assert_near(comparison.p_adjusted, 2.0 * 0.005_451_687_022_561);
    let change = comparison.change.unwrap();
    assert_near(change.estimate, 1.0 / 1.200_036_677_792_677 - 1.0);
    assert_near(change.low, 1.0 / 1.303_348_065_209_08 - 1.0);
    let findable = comparison.findable.unwrap();
    assert!((0.05..1.0).contains(&findable), "a rate cannot fall by more than all of it: {findable}");
}

#[test]
fn a_limit_is_broken_by_launches_alone() {
    let limited = |limit_ms: u64| {
        let milliseconds = [60.0, 61.0, 59.0, 60.0, 60.0].map(|value| value * 1e6);
        let mut cell = by_p50(&milliseconds);
        cell.settings.limits = vec![Limit::p50(Duration::from_millis(limit_ms))];
        judge(&crate::record::Baseline::default(), &[run(vec![cell])], &Policy::usual()).cells.remove(0)
    };
    let broken = limited(50);
    assert_eq!(broken.verdict, Verdict::Regressed);
    let check = &broken.limits[0];
    assert_eq!(check.outcome, LimitOutcome::Broken);
    assert!((check.p_adjusted / 2.086_763_047_379_87e-6 - 1.0).abs() < 1e-8);
    let value = check.value.as_ref().unwrap();
    assert!((value.value / 59.996_666_296_234_54e6 - 1.0).abs() < 1e-12);
    assert!((value.interval.unwrap().0 / 59.125_020_192_831_37e6 - 1.0).abs() < 1e-9);
    assert_eq!(
        broken.reason.as_ref().unwrap(),
        "latency p50 is 60.00 ms, shown to be over its limit of 50.00 ms."
    );

    let undecided = limited(60);
    assert_eq!((undecided.verdict, undecided.limits[0].outcome), (Verdict::New, LimitOutcome::Undecided));
    assert!(undecided.limits[0].reason.contains("does not decide"));
    assert_eq!(limited(70).limits[0].outcome, LimitOutcome::Holds);
}
