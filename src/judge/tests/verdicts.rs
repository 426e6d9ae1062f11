//! Each verdict, and what leads to it.

use std::time::Duration;

use crate::judge::fixture::{
    CPUS, Nested, baseline, cell, failing, here, let_in, new_epoch_from, rules, run, steady, usual,
    usual_values, worst,
};
use crate::judge::{CellJudgement, Policy, Verdict, judge};
use crate::plan::Limit;
use crate::record::{BaseFailure, Baseline, CellRun, Fault, Stop, TestBed};

fn five(slower: f64) -> Baseline {
    baseline((0..5).map(|run| usual(slower * (1.0 + 0.002 * f64::from(run)))).collect())
}

fn against(base: Baseline, head: CellRun) -> CellJudgement {
    judge(&base, &[run(vec![head])], &Policy::usual()).cells.remove(0)
}

fn of(cell: &CellJudgement, id: &str) -> Verdict {
    cell.comparisons.iter().find(|comparison| comparison.metric.id == id).unwrap().verdict
}

#[test]
fn slower_is_regressed_faster_improved_and_the_same_unchanged() {
    let slower = against(five(1.0), usual(1.5));
    assert_eq!(slower.verdict, Verdict::Regressed);
    assert!(slower.reason.as_ref().unwrap().starts_with("latency p50 is 49."), "{:?}", slower.reason);
    let faster = against(five(1.0), usual(0.6));
    assert_eq!((faster.verdict, of(&faster, "success_ratio")), (Verdict::Improved, Verdict::Unchanged));
    assert_eq!(of(&faster, "latency_p50"), Verdict::Improved);
    let same = against(five(1.0), usual(1.0));
    assert_eq!((same.verdict, same.reason), (Verdict::Unchanged, None));
}

#[test]
fn the_same_rounds_in_another_order_give_the_same_judgement() {
    let policy = Policy::usual();
    let two = |first: CellRun, second: CellRun| run(vec![first, second]);
    let other = || cell("find/20", &usual_values(1.3, 10, 3));
    let base = Baseline::of_runs(&[two(usual(1.0), other()), two(usual(1.01), other())]);
    let mut turned = base.clone();
    turned.runs.reverse();
    let mut shuffled = usual(1.4);
    shuffled.rounds.reverse();
    let judged = judge(&base, &[two(usual(1.4), other())], &policy);
    let again = judge(&turned, &[two(other(), shuffled)], &policy);
    assert_eq!(judged.tests, again.tests);
    for cell in &judged.cells {
        let twin = again.cells.iter().find(|twin| twin.id == cell.id).unwrap();
        assert_eq!(cell.verdict, twin.verdict);
        for (one, two) in cell.comparisons.iter().zip(&twin.comparisons) {
            assert!((one.p_adjusted - two.p_adjusted).abs() < 1e-9);
            assert!((one.change.unwrap().low - two.change.unwrap().low).abs() < 1e-9);
        }
    }
}

#[test]
fn a_fall_of_the_success_ratio_is_a_regression_however_fast_the_rest() {
    // 3 % fail: enough succeed to be measured.
    let cell = against(five(1.0), failing(usual(0.5), 60));
    assert_eq!((cell.verdict, of(&cell, "success_ratio")), (Verdict::Regressed, Verdict::Regressed));
    assert_eq!(of(&cell, "latency_p50"), Verdict::Inconclusive, "nothing is improved beside failures");
    assert_eq!(cell.reason.as_deref(), Some("The success ratio fell from 100 % to 97 %."));
    // Nearly all fail: not measured, but fallen.
    let refused = against(five(1.0), failing(usual(0.01), 1960));
    assert_eq!(refused.verdict, Verdict::Regressed);
    assert_eq!(refused.comparisons.len(), 1, "the few successes are not compared");
}

#[test]
fn a_cell_that_never_succeeded_enough_is_invalid() {
    let failing = || failing(usual(1.0), 400);
    let cell = against(baseline(vec![let_in(failing()), let_in(failing())]), failing());
    assert_eq!(cell.verdict, Verdict::Invalid);
    assert!(
        cell.reason.unwrap().starts_with("Only 80 % of its exchanges succeeded, at least 95 % are needed")
    );
    let new = judge(&crate::record::Baseline::default(), &[run(vec![failing()])], &Policy::usual());
    assert_eq!(worst(&new), Some(Verdict::Invalid));
}

#[test]
fn stored_runs_that_failed_too_often_are_left_out_and_said_to_be() {
    let failing = || let_in(failing(usual(1.0), 400));
    let mixed = against(baseline(vec![failing(), usual(1.0), usual(1.01), usual(0.99)]), usual(1.5));
    assert_eq!(mixed.verdict, Verdict::Regressed);
    assert!(mixed.comparisons[1].method.contains("3 stored runs"), "{}", mixed.comparisons[1].method);
    assert!(mixed.notes[0].contains("Less than 95 % of its exchanges succeeded"), "{:?}", mixed.notes);
    let none = against(baseline(vec![failing()]), usual(1.0));
    assert_eq!((none.verdict, none.comparisons.len()), (Verdict::Incomparable, 0));
}

#[test]
fn what_was_not_measured_fairly_gets_into_no_baseline() {
    let with = |fault: Fault| {
        let mut cell = usual(1.0);
        cell.rounds[0].counts.faults.insert(fault, 1);
        Baseline::of_runs(&[run(vec![cell])]).runs[0].cells.len()
    };
    assert_eq!([with(Fault::NoFreePort), with(Fault::Client), with(Fault::Reset)], [0, 0, 1]);
    assert!(Baseline::of_runs(&[run(vec![failing(usual(1.0), 400)])]).runs[0].cells.is_empty());
}

#[test]
fn a_reason_agrees_with_its_interval() {
    // One stored run: the interval lies beyond the threshold, the corrected p value does not suffice.
    let doubtful = against(baseline(vec![usual(1.0)]), usual(1.2));
    let tail = doubtful.reason.unwrap();
    assert_eq!(doubtful.verdict, Verdict::Inconclusive);
    let (_, p) = tail.split_once("which is not beyond doubt: p = ").unwrap();
    let p: f64 = p.strip_suffix(" corrected over all tests of the call.").unwrap().parse().unwrap();
    assert!(p > 0.01, "{tail}");
    // 0.2 % fail in too few requests to be a fall, and everything is much faster.
    let mut fast = usual(0.3);
    fast.rounds[0].counts.successes -= 120;
    let withheld = against(five(1.0), fast);
    assert_eq!(withheld.verdict, Verdict::Inconclusive);
    assert!(withheld.reason.unwrap().ends_with("to 99.80 %, which may be chance."));
    let p50 = &withheld.comparisons[1];
    assert_eq!((p50.verdict, p50.advice.as_ref()), (Verdict::Inconclusive, None));
}

#[test]
fn one_failure_in_many_is_no_fall() {
    let mut head = usual(1.0);
    head.rounds[7].counts.successes -= 1;
    assert_eq!(against(five(1.0), head).verdict, Verdict::Unchanged);
}

#[test]
fn errors_of_this_machine_make_a_cell_invalid_even_when_it_seems_to_regress() {
    let with = |fault: Fault| {
        let mut head = failing(usual(3.0), 100);
        head.rounds[0].counts.faults.insert(fault, 100);
        against(five(1.0), head)
    };
    let ports = with(Fault::NoFreePort);
    assert_eq!(ports.verdict, Verdict::Invalid);
    assert!(ports.reason.unwrap().contains("net.ipv4.ip_local_port_range"));
    assert_eq!(with(Fault::Client).verdict, Verdict::Invalid);
    assert_eq!(with(Fault::Reset).verdict, Verdict::Regressed);
}

#[test]
fn what_measuring_called_invalid_stays_so() {
    let head = CellRun { invalid: Some("The endpoint is slower than the whole time.".into()), ..usual(2.0) };
    let cell = against(five(1.0), head);
    assert_eq!(
        (cell.verdict, cell.reason.as_deref()),
        (Verdict::Invalid, Some("The endpoint is slower than the whole time."))
    );
}

#[test]
fn rates_of_a_client_that_lags_more_than_the_service_takes_decide_nothing() {
    let lagging = |factor: f64| {
        let mut values = usual_values(1.0, 10, 3);
        values.push(("latency_mean", steady(2e6, 10, 3)));
        values.push(("lag_mean", steady(2e6 * factor, 10, 3)));
        against(five(1.0), cell("find/10", &values))
    };
    let bound = lagging(3.0);
    assert_eq!((bound.verdict, of(&bound, "throughput")), (Verdict::Inconclusive, Verdict::Inconclusive));
    assert_eq!(of(&bound, "latency_p50"), Verdict::Unchanged);
    assert!(
        bound
            .reason
            .unwrap()
            .contains("The client was the bottleneck: between two requests a worker waits 3.0 times")
    );
    assert_eq!(lagging(0.9).verdict, Verdict::Unchanged);
}

#[test]
fn a_machine_that_changed_is_incomparable_and_says_how() {
    let mut base = five(1.0);
    base.runs.iter_mut().for_each(|run| run.environment.machine.cpus = 64);
    let cell = against(base.clone(), usual(3.0));
    assert_eq!((cell.verdict, cell.comparisons.len()), (Verdict::Incomparable, 0));
    let reason = cell.reason.unwrap();
    assert!(reason.contains("4 CPUs instead of 64") && reason.contains("duet"), "{reason}");
    // Some of the stored runs are from here: the others are left out.
    base.runs[1..].iter_mut().for_each(|run| run.environment.machine.cpus = CPUS);
    let mixed = against(base, usual(3.0));
    assert_eq!(mixed.verdict, Verdict::Regressed);
    assert!(mixed.comparisons[1].method.contains("4 stored runs"));
    assert!(mixed.notes[0].starts_with("1 stored run is left out"), "{:?}", mixed.notes);
}

#[test]
fn runs_of_another_test_bed_are_not_compared_with_which_is_said_once_for_the_call() {
    let mut base = five(1.0);
    let elsewhere = |id: Option<&str>| TestBed { id: id.map(str::to_owned), ..TestBed::default() };
    for id in [Some("boot:there"), Some("name:ci"), None] {
        base.runs.iter_mut().for_each(|run| run.environment.machine.test_bed = elsewhere(id));
        let judgement = judge(&base, &[run(vec![usual(3.0)])], &Policy::usual());
        let cell = &judgement.cells[0];
        assert_eq!((cell.verdict, &cell.reason, cell.comparisons.len()), (Verdict::Incomparable, &None, 0));
        let other = judgement.other_test_bed.unwrap();
        assert_eq!((other.base, other.here), (elsewhere(id), here()));
    }
    // Runs of this test bed are compared with, the others left out.
    base.runs[1..].iter_mut().for_each(|run| run.environment.machine.test_bed = here());
    let mixed = against(base, usual(3.0));
    assert_eq!(mixed.verdict, Verdict::Regressed);
    assert!(mixed.comparisons[1].method.contains("4 stored runs"));
    assert!(mixed.notes.is_empty(), "{:?}", mixed.notes);
}

#[test]
fn a_cell_that_base_cannot_answer_is_new_and_its_limits_count() {
    for (is_broken, verdict) in [(false, Verdict::New), (true, Verdict::Incomparable)] {
        let base_failure = Some(BaseFailure { what: "what came".into(), is_broken });
        let mut head = CellRun { base_failure, ..usual(1.0) };
        let judged = |head: CellRun| {
            judge(&crate::record::Baseline::default(), &[run(vec![head])], &Policy::usual()).cells.remove(0)
        };
        let cell = judged(head.clone());
        assert_eq!(cell.verdict, verdict);
        assert!(cell.reason.as_ref().unwrap().contains("what came"), "{:?}", cell.reason);
        head.settings.limits.push(Limit::p50(Duration::from_nanos(1)));
        assert_eq!(judged(head).verdict, Verdict::Regressed);
    }
}

#[test]
fn a_redefined_cell_is_incomparable_and_wants_a_new_baseline() {
    let head = CellRun { definition: "sha256:2".into(), ..usual(1.0) };
    let cell = against(five(1.0), head);
    assert_eq!(cell.verdict, Verdict::Incomparable);
    assert_eq!(cell.reason.unwrap(), "The cell was redefined since: record a new baseline.");
}

#[test]
fn tails_of_rounds_of_another_length_are_not_compared_and_the_rest_is() {
    let mut head = usual(1.0);
    head.settings.measurement_time = Duration::from_secs(6);
    let cell = against(five(1.0), head);
    assert_eq!(cell.verdict, Verdict::Incomparable);
    assert_eq!(
        (of(&cell, "latency_p99"), of(&cell, "latency_p50")),
        (Verdict::Incomparable, Verdict::Unchanged)
    );
    assert_eq!(
        cell.reason.as_deref(),
        Some(
            "latency p99: Its rounds are of another length, which moves the tail. The rest was compared: \
             success ratio is unchanged, latency p50 is unchanged, throughput is unchanged."
        )
    );
    let has_base = |id: &str| cell.values.iter().find(|shown| shown.metric.id == id).unwrap().base.is_some();
    assert!(!has_base("latency_p99") && has_base("latency_p50"), "what is not compared is not shown as base");
}

#[test]
fn what_the_baseline_does_not_have_is_new_and_what_head_does_not_have_is_gone() {
    let judgement =
        judge(&five(1.0), &[run(vec![cell("find/99", &usual_values(1.0, 10, 3))])], &Policy::usual());
    assert_eq!((worst(&judgement), judgement.gone), (Some(Verdict::New), vec!["group/find/10".to_owned()]));
    let none = judge(&crate::record::Baseline::default(), &[run(vec![usual(1.0)])], &Policy::usual());
    assert_eq!((none.count(Verdict::New), none.compared_nothing(), none.tests), (1, true, 0));
    let other = || cell("find/99", &usual_values(1.0, 10, 3));
    let filtered = Policy { filtered: true, ..Policy::usual() };
    assert!(judge(&five(1.0), &[run(vec![other()])], &filtered).gone.is_empty());
    let mut partial = run(vec![other()]);
    partial.stop = Some(Stop::Signal(2));
    assert!(judge(&five(1.0), &[partial], &Policy::usual()).gone.is_empty());
}

#[test]
fn a_new_epoch_is_what_head_is_held_against() {
    let stored = || baseline((0..6).map(|run| usual(if run < 3 { 1.0 } else { 1.5 })).collect());
    assert_eq!(against(new_epoch_from(stored(), 3), usual(1.5)).verdict, Verdict::Unchanged);
    assert_eq!(against(new_epoch_from(stored(), 3), usual(2.0)).verdict, Verdict::Regressed);
    assert_eq!(of(&against(new_epoch_from(stored(), 3), usual(1.0)), "latency_p50"), Verdict::Improved);
}

#[test]
fn a_new_epoch_of_some_cells_leaves_the_others_where_they_were() {
    let other = |slower: f64| cell("find/99", &usual_values(slower, 10, 3));
    let mut runs: Vec<_> = (0..5).map(|_| run(vec![usual(1.0), other(1.0)])).collect();
    runs.push(run(vec![other(1.5)]));
    runs.iter_mut().enumerate().for_each(|(index, run)| run.id = format!("{index}"));
    let base = new_epoch_from(Baseline::of_runs(&runs), 5);
    let cells = judge(&base, &[run(vec![usual(1.5), other(1.5)])], &Policy::usual()).cells;
    assert_eq!(cells[0].verdict, Verdict::Regressed, "{:?}", cells[0].reason);
    assert_eq!(of(&cells[1], "latency_p50"), Verdict::Unchanged, "held against its new epoch");
    let gone = judge(&base, &[run(vec![other(1.5)])], &Policy::usual()).gone;
    assert_eq!(gone, ["group/find/10"]);
}

fn cell_of(values: &[(&'static str, Nested)]) -> CellRun {
    cell("find/10", values)
}

#[test]
fn a_percentile_of_too_few_successes_is_inconclusive_and_a_rate_is_judged_however_low() {
    let mut head = usual(1.5);
    head.rounds.iter_mut().for_each(|round| (round.counts.requests, round.counts.successes) = (410, 410));
    (head.rounds[3].counts.requests, head.rounds[3].counts.successes) = (400, 400);
    let cell = against(five(1.0), head.clone());
    let tail = cell.comparisons.iter().find(|comparison| comparison.metric.id == "latency_p99").unwrap();
    assert_eq!((tail.verdict, tail.change), (Verdict::Inconclusive, None));
    assert_eq!(tail.method, "Too few exchanges in head: 400 successes in its poorest round, 500 are needed.");
    assert_eq!(of(&cell, "latency_p50"), Verdict::Regressed);
    head.rounds.iter_mut().for_each(|round| (round.counts.requests, round.counts.successes) = (9, 9));
    let cell = against(five(1.0), head);
    assert_eq!(
        (of(&cell, "latency_p50"), of(&cell, "throughput")),
        (Verdict::Inconclusive, Verdict::Regressed)
    );
}

#[test]
fn the_highest_tail_that_both_sides_have_is_judged_and_the_lower_ones_are_shown() {
    let mut values = usual_values(1.0, 10, 3);
    values.push(("latency_p90", steady(3e6, 10, 3)));
    let both = against(baseline(vec![cell("find/10", &values)]), cell("find/10", &values));
    let judged: Vec<_> = both
        .comparisons
        .iter()
        .filter(|comparison| comparison.judged)
        .map(|comparison| comparison.metric.id)
        .collect();
    assert_eq!(judged, ["success_ratio", "latency_p50", "latency_p99", "throughput"]);
    assert_eq!(both.comparisons.len(), 5);
    let without_p99: Vec<_> = values.iter().filter(|(id, _)| *id != "latency_p99").cloned().collect();
    let cell = against(baseline(vec![cell("find/10", &values)]), cell("find/10", &without_p99));
    let judged: Vec<_> = cell
        .comparisons
        .iter()
        .filter(|comparison| comparison.judged)
        .map(|comparison| comparison.metric.id)
        .collect();
    assert_eq!(judged, ["success_ratio", "latency_p50", "latency_p90", "latency_p99", "throughput"]);
    assert_eq!((of(&cell, "latency_p99"), cell.verdict), (Verdict::Inconclusive, Verdict::Inconclusive));
    let slower = |slower: f64| {
        let mut values = usual_values(slower, 10, 3);
        values.retain(|(id, _)| *id != "latency_p99");
        values.push(("latency_p90", steady(3e6 * slower, 10, 3)));
        values
    };
    let regressed = against(baseline(vec![cell_of(&values); 5]), cell_of(&slower(1.5)));
    assert_eq!((of(&regressed, "latency_p90"), regressed.verdict), (Verdict::Regressed, Verdict::Regressed));
}

#[test]
fn few_launches_of_few_rounds_show_tails_for_information_only() {
    let quick = |slower: f64| cell("find/10", &usual_values(slower, 5, 2));
    let cell = against(baseline(vec![quick(1.0), quick(1.0)]), quick(1.0));
    let tail = cell.comparisons.iter().find(|comparison| comparison.metric.id == "latency_p99").unwrap();
    assert!(!tail.judged && tail.change.is_some());
    assert!(cell.notes.iter().any(|note| note.contains("for information only")), "{:?}", cell.notes);
}

#[test]
fn the_rules_of_a_group_take_precedence_over_the_policy() {
    let slower = |threshold: f64| {
        let mut head = usual(1.5);
        head.settings.noise_threshold = Some(threshold);
        head.settings.equivalence = Some(0.8);
        against(five(1.0), head).verdict
    };
    assert_eq!(slower(0.05), Verdict::Regressed);
    assert_eq!(slower(0.6), Verdict::Unchanged);
}

#[test]
fn a_broken_limit_is_red_for_a_cell_that_did_not_change() {
    let mut head = usual(1.0);
    head.settings.limits = vec![Limit::p99(Duration::from_millis(4))];
    let cell = against(five(1.0), head);
    assert_eq!((cell.verdict, of(&cell, "latency_p99")), (Verdict::Regressed, Verdict::Unchanged));
    assert_eq!(rules().limits, Vec::new());
}

#[test]
fn several_runs_of_head_are_held_against_a_limit_with_one_value_each() {
    let limited = |values: &[f64]| {
        let head = |value: &f64| {
            let mut head = usual(*value);
            head.settings.limits = vec![Limit::p50(Duration::from_millis(1))];
            run(vec![head])
        };
        let heads: Vec<_> = values.iter().map(head).collect();
        judge(&crate::record::Baseline::default(), &heads, &Policy::usual()).cells.remove(0).limits.remove(0)
    };
    assert!(limited(&[1.2]).is_broken() && limited(&[1.2, 1.21, 1.19]).is_broken());
    let apart = limited(&[1.0, 1.4, 1.2]);
    assert!(!apart.is_broken(), "launches that agree within a run know nothing of other runs");
    assert_eq!(apart.value.unwrap().method, "t over 3 runs, 6 degrees of freedom");
}

#[test]
fn a_drift_from_launch_to_launch_is_noted() {
    let drifting = |step: f64| {
        let rounds = |scale: f64| (0..10).map(|at| vec![scale * (1.0 + step * f64::from(at)); 3]).collect();
        let head = cell("find/10", &[("latency_p50", rounds(1e6)), ("throughput", rounds(9e3))]);
        against(five(1.0), head).notes
    };
    assert!(drifting(0.0).iter().all(|note| !note.contains("drifted")));
    let notes = drifting(0.01);
    assert!(notes.iter().any(|note| note.contains("latency p50 drifted over its 10 launches")), "{notes:?}");
}

#[test]
fn a_baseline_says_what_it_rests_on() {
    let mut base = five(1.0);
    for (run, minutes) in base.runs.iter_mut().zip([0, 3, 6, 9, 12]) {
        run.started += Duration::from_secs(60 * minutes);
        run.environment.setup.insert("kernel".into(), "6.8".into());
    }
    let mut head = run(vec![usual(1.0)]);
    head.environment.setup.insert("kernel".into(), "6.9".into());
    let notes = judge(&base, std::slice::from_ref(&head), &Policy::usual()).notes;
    assert!(notes[0].starts_with("The 5 stored runs of `group` were taken within 12 minutes"), "{notes:?}");
    assert_eq!(notes[1], "Since the baseline of `group` the kernel changed from 6.8 to 6.9.");
    let mut foreign = five(1.0);
    foreign.runs[..4].iter_mut().for_each(|run| run.environment.machine.cpus = 64);
    let comparable = judge(&foreign, std::slice::from_ref(&head), &Policy::usual()).notes;
    assert!(comparable[0].contains("is one stored run"), "runs of elsewhere are none: {comparable:?}");
    let one = judge(&baseline(vec![usual(1.0)]), &[head], &Policy::usual()).notes;
    assert!(one[0].contains("is one stored run"), "{one:?}");
}
