//! Judging as a whole, from runs and baselines to verdicts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use crate::judge::{
    Advice, CellJudgement, Comparison, Counted, Depth, Judgement, LimitOutcome, Method, Note, Reason, Stage,
    TooFew, Verdict, judge,
};
use crate::plan::{Against, BenchmarkId, CellId, Confirmation, Limit, Load, Settings, Side};
use crate::record::{
    BaseFailure, BaseRef, Baseline, Better, CellRun, Control, Counts, Environment, Fault, METRICS, Machine,
    Remedy, Round, Run, Stop, TestBed, metric,
};
use proptest::prelude::*;

const P50: &str = "latency_p50";
const WINDOW: Duration = Duration::from_millis(333);
const REQUESTS: u64 = 2_000;

/// Values of a metric: one list per launch, with one value per round.
type Nested = Vec<Vec<f64>>;

/// The defaults, with few resamples and rounds of that window.
pub(super) fn settings() -> Settings {
    Settings { sample_size: 30, measurement_time: 30 * WINDOW, nresamples: 1_000, ..Settings::default() }
}

/// The cell `group/FUNCTION/PARAMETER`.
fn cell_id(id: &str) -> CellId {
    let (function, parameter) = id.split_once('/').expect("a function and a parameter");
    CellId::new("group", BenchmarkId::new(function, parameter))
}

/// Launches that agree within a quarter of a percent, around `value`.
fn steady(value: f64, launches: usize, rounds: usize) -> Nested {
    let shift = |launch: usize| 1.0 + 0.001 * (launch % 5) as f64 - 0.002;
    (0..launches).map(|launch| vec![value * shift(launch); rounds]).collect()
}

/// p50, p99 and throughput of a service that takes `factor` times as long as usual.
fn values(factor: f64, launches: usize, rounds: usize) -> Vec<(&'static str, Nested)> {
    vec![
        (P50, steady(1e6 * factor, launches, rounds)),
        ("latency_p99", steady(5e6 * factor, launches, rounds)),
        ("throughput", steady(9e3 / factor, launches, rounds)),
    ]
}

/// The cell `group/ID` with these values; each metric has the same launches and rounds.
fn cell_with(id: &str, values: &[(&'static str, Nested)]) -> CellRun {
    let first = values.first().map(|(_, launches)| &launches[..]).unwrap_or_default();
    let rounds = first.iter().enumerate().flat_map(|(launch, rounds)| {
        (0..rounds.len()).map(move |round| {
            let values = values.iter().map(|(id, nested)| (*id, nested[launch][round])).collect();
            self::round(launch, values)
        })
    });
    CellRun {
        id: cell_id(id),
        about: None,
        load: Load::closed(10),
        throughput: None,
        definition: "sha256:1".into(),
        source: None,
        metrics: METRICS.iter().filter(|metric| values.iter().any(|(id, _)| *id == metric.id)).collect(),
        settings: settings(),
        rounds: rounds.collect(),
        base: Vec::new(),
        base_failure: None,
        invalid: None,
        notes: Vec::new(),
    }
}

fn round(launch: usize, values: BTreeMap<&'static str, f64>) -> Round {
    Round {
        launch,
        started: Duration::ZERO,
        window: WINDOW,
        counts: Counts { requests: REQUESTS, successes: REQUESTS, ..Counts::default() },
        values,
        ..Round::default()
    }
}

/// A cell of ten launches of three rounds whose service takes `factor` times as long as usual.
fn cell(factor: f64) -> CellRun {
    cell_with("find/10", &values(factor, 10, 3))
}

/// A cell that is judged by its p50 only.
fn p50_cell(rounds: Nested) -> CellRun {
    let mut cell = cell_with("find/10", &[(P50, rounds)]);
    cell.settings.judged = Some(vec![P50.into()]);
    cell
}

/// The same cell with this number of failures in each round.
fn failing(mut cell: CellRun, failures: u64) -> CellRun {
    for round in &mut cell.rounds {
        round.counts.successes = round.counts.requests - failures;
        round.counts.faults.insert(Fault::Status(500), failures);
    }
    cell
}

/// The same cell with rounds of another length.
fn with_window(mut cell: CellRun, window: Duration) -> CellRun {
    cell.settings.measurement_time = 30 * window;
    cell
}

/// The same cell, recorded under a rule that accepts any share of failures.
fn lenient(mut cell: CellRun) -> CellRun {
    cell.settings.min_success_ratio = 0.0;
    cell
}

fn duet(base: &[(&'static str, Nested)], head: &[(&'static str, Nested)]) -> CellRun {
    CellRun { base: cell_with("find/10", base).rounds, ..cell_with("find/10", head) }
}

fn test_bed(id: Option<&str>) -> TestBed {
    TestBed { id: id.map(str::to_owned), ..TestBed::default() }
}

fn machine() -> Machine {
    let (arch, os, cpu) = ("x86_64".into(), "linux".into(), "EPYC".into());
    let test_bed = test_bed(Some("boot:here"));
    Machine { arch, os, cpu, cpus: 4, memory_gib: 16, is_virtual: true, loopback: true, test_bed }
}

/// A control that is the same in each run and launch.
fn control() -> Control {
    let figures = ["multiply", "hash"].map(|name| (name.to_owned(), vec![5_000.0; 10]));
    Control { identity: "control 1".into(), figures: figures.into() }
}

/// A run that began this number of minutes after a fixed time.
pub(super) fn run_at(minutes: u64, cells: Vec<CellRun>) -> Run {
    Run {
        id: format!("{minutes:09}-abc1234"),
        bench: "bench".into(),
        started: SystemTime::UNIX_EPOCH + Duration::from_secs(60 * minutes),
        elapsed: Duration::from_secs(10),
        environment: Environment { machine: machine(), ..Environment::default() },
        cells,
        epoch: None,
        is_filtered: false,
        control: Some(control()),
        base_ref: None,
        confirmations: Vec::new(),
        stop: None,
        confirmation: None,
    }
}

const DAY: u64 = 24 * 60;
const TODAY: u64 = 100 * DAY;

fn run(cells: Vec<CellRun>) -> Run {
    run_at(TODAY, cells)
}

/// A baseline with a run for each cell, each on a day of its own.
fn baseline(cells: impl IntoIterator<Item = CellRun>) -> Baseline {
    let runs: Vec<Run> = (0..).zip(cells).map(|(day, cell)| run_at(day * DAY, vec![cell])).collect();
    Baseline::of_runs(&runs)
}

/// Five stored runs that differ by a fifth of a percent.
fn five_runs(factor: f64) -> Baseline {
    baseline((0..5).map(|run| cell(factor * (1.0 + 0.002 * f64::from(run)))))
}

/// Begins a second epoch with the runs from this index on.
fn new_epoch_from(mut baseline: Baseline, index: usize) -> Baseline {
    let first_run = baseline.runs[index].id.clone();
    let epochs = baseline.runs[index..].iter_mut().filter_map(|run| run.epoch.as_mut());
    epochs.for_each(|epoch| epoch.first_run.clone_from(&first_run));
    baseline
}

fn judge_runs(baseline: &Baseline, runs: &[Run]) -> Judgement {
    judge(baseline, runs, Depth::Report)
}

/// The judgement of one cell of head against a baseline.
fn against(base: Baseline, head: CellRun) -> CellJudgement {
    judge_runs(&base, &[run(vec![head])]).cells.remove(0)
}

/// The judgement of one cell without a baseline.
fn alone(head: CellRun) -> CellJudgement {
    judge_runs(&Baseline::default(), &[run(vec![head])]).cells.remove(0)
}

fn comparison<'a>(cell: &'a CellJudgement, id: &str) -> &'a Comparison {
    cell.comparisons.iter().find(|comparison| comparison.metric.id == id).unwrap()
}

fn verdict(cell: &CellJudgement, id: &str) -> Verdict {
    comparison(cell, id).verdict
}

fn judged_ids(cell: &CellJudgement) -> Vec<&str> {
    cell.comparisons.iter().filter(|found| found.judged).map(|found| found.metric.id).collect()
}

fn stored_runs(comparison: &Comparison) -> usize {
    match comparison.method {
        Some(Method::StoredRuns { base, .. }) => base,
        _ => 0,
    }
}

fn decided_by(id: &str) -> Option<Reason> {
    metric(id).map(Reason::Comparison)
}

#[track_caller]
fn assert_near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
}

// Verdicts.

#[test]
fn slower_is_regressed_faster_improved_and_the_same_unchanged() {
    let slower = against(five_runs(1.0), cell(1.5));
    assert_eq!((slower.verdict, slower.reason.clone()), (Verdict::Regressed, decided_by(P50)));
    let faster = against(five_runs(1.0), cell(0.6));
    assert_eq!((faster.verdict, verdict(&faster, "success_ratio")), (Verdict::Improved, Verdict::Unchanged));
    assert_eq!(verdict(&faster, P50), Verdict::Improved);
    let same = against(five_runs(1.0), cell(1.0));
    assert_eq!((same.verdict, same.reason), (Verdict::Unchanged, None));
}

#[test]
fn stored_runs_of_fewer_than_three_sittings_show_no_change() {
    let base = |minutes: &[u64]| {
        let runs: Vec<Run> = minutes.iter().map(|minutes| run_at(*minutes, vec![cell(1.0)])).collect();
        Baseline::of_runs(&runs)
    };
    let one_sitting = base(&[0, 20, 70, 80, 90]);
    for (base, sittings) in [(base(&[0]), 1), (base(&[0, DAY]), 2), (one_sitting, 1)] {
        for factor in [3.0, 0.3] {
            let cell = against(base.clone(), cell(factor));
            let p50 = comparison(&cell, P50);
            assert_eq!(cell.verdict, Verdict::Inconclusive);
            assert_eq!(p50.reason, Some(Reason::TooFew(TooFew::Sittings(sittings))));
            assert_eq!(p50.advice, Some(Advice::OtherDays));
            assert!(
                p50.change.is_some() && p50.detectable.is_none(),
                "the change is shown, and none was detectable"
            );
        }
        assert_eq!(against(base, cell(1.0)).verdict, Verdict::Unchanged, "equality can be shown");
    }
    assert_eq!(against(base(&[0, 61, 122]), cell(3.0)).verdict, Verdict::Regressed, "gaps of an hour");
}

#[test]
fn runs_of_another_boot_are_another_sitting() {
    let mut base = baseline([1.0, 1.0, 1.0].map(cell));
    for (run, boot) in base.runs.iter_mut().zip(["a", "b", "c"]) {
        run.started = SystemTime::UNIX_EPOCH;
        run.environment.machine.test_bed = TestBed { boot: Some(boot.into()), ..test_bed(Some("boot:here")) };
    }
    assert_eq!(against(base.clone(), cell(3.0)).verdict, Verdict::Regressed);
    base.runs.iter_mut().for_each(|run| run.environment.machine.test_bed.boot = None);
    assert_eq!(against(base, cell(3.0)).verdict, Verdict::Inconclusive);
}

#[test]
fn the_order_of_rounds_runs_and_cells_does_not_matter() {
    let two = |day: u64, first: CellRun, second: CellRun| run_at(day * DAY, vec![first, second]);
    let other = || cell_with("find/20", &values(1.3, 10, 3));
    let stored = [0, 1, 2].map(|day| two(day, cell(1.0 + 0.01 * day as f64), other()));
    let base = Baseline::of_runs(&stored);
    let mut turned = base.clone();
    turned.runs.reverse();
    let mut shuffled = cell(1.4);
    shuffled.rounds.reverse();
    let judged = judge_runs(&base, &[two(9, cell(1.4), other())]);
    let again = judge_runs(&turned, &[two(9, other(), shuffled)]);
    assert_eq!(judged.tests, again.tests);
    for cell in &judged.cells {
        let twin = again.cells.iter().find(|twin| twin.id == cell.id).unwrap();
        assert_eq!(cell.verdict, twin.verdict);
        for (one, two) in cell.comparisons.iter().zip(&twin.comparisons) {
            assert_near(one.p_adjusted, two.p_adjusted);
            assert_near(one.change.unwrap().low, two.change.unwrap().low);
        }
    }
}

#[test]
fn a_new_epoch_is_what_head_is_compared_with() {
    let base = || new_epoch_from(baseline([1.0, 1.0, 1.0, 1.5, 1.5, 1.5].map(cell)), 3);
    assert_eq!(against(base(), cell(1.5)).verdict, Verdict::Unchanged);
    assert_eq!(against(base(), cell(2.0)).verdict, Verdict::Regressed);
    assert_eq!(verdict(&against(base(), cell(1.0)), P50), Verdict::Improved);
}

#[test]
fn a_new_epoch_of_some_cells_leaves_the_others_where_they_were() {
    let other = |factor: f64| cell_with("find/99", &values(factor, 10, 3));
    let mut runs: Vec<Run> = (0..5).map(|day| run_at(day * DAY, vec![cell(1.0), other(1.0)])).collect();
    runs.push(run_at(5 * DAY, vec![other(1.5)]));
    let base = new_epoch_from(Baseline::of_runs(&runs), 5);
    let judgement = judge_runs(&base, &[run(vec![cell(1.5), other(1.5)])]);
    assert_eq!(judgement.cells[0].verdict, Verdict::Regressed);
    assert_eq!(verdict(&judgement.cells[1], P50), Verdict::Unchanged, "compared with its new epoch");
    assert_eq!(judge_runs(&base, &[run(vec![other(1.5)])]).removed, [cell_id("find/10")]);
}

#[test]
fn the_settings_of_a_group_take_precedence() {
    let slower = |threshold: f64| {
        let mut head = cell(1.5);
        head.settings.noise_threshold = Some(threshold);
        head.settings.equivalence_margin = Some(0.8);
        against(five_runs(1.0), head).verdict
    };
    assert_eq!((slower(0.05), slower(0.6)), (Verdict::Regressed, Verdict::Unchanged));
}

#[test]
fn nan_settings_never_show_a_regression() {
    let mut head = cell(2.0);
    head.settings = Settings {
        confidence_level: f64::NAN,
        significance_level: f64::NAN,
        noise_threshold: Some(f64::NAN),
        equivalence_margin: Some(-1.0),
        nresamples: 0,
        judged: Some(vec!["horsepower".into(), P50.into()]),
        ..settings()
    };
    let cell = against(five_runs(1.0), head);
    assert_ne!(cell.verdict, Verdict::Regressed);
    assert!(cell.notes.contains(&Note::UnknownMetric("horsepower".into())));
}

// Failures and fairness.

#[test]
fn a_drop_of_the_success_ratio_is_a_regression_however_fast_the_rest() {
    // 3% fail: enough succeed to be measured.
    let cell = against(five_runs(1.0), failing(self::cell(0.5), 60));
    assert_eq!((cell.verdict, cell.reason.clone()), (Verdict::Regressed, decided_by("success_ratio")));
    let p50 = comparison(&cell, P50);
    assert_eq!(
        (p50.verdict, &p50.reason, p50.advice),
        (Verdict::Inconclusive, &Some(Reason::SuccessRatioFell), None)
    );
    // Nearly all fail: not measured, but dropped.
    let refused = against(five_runs(1.0), failing(self::cell(0.01), 1960));
    assert_eq!((refused.verdict, refused.comparisons.len()), (Verdict::Regressed, 1));
    let one_run = against(baseline([self::cell(1.0)]), failing(self::cell(1.0), 60));
    assert_eq!(one_run.verdict, Verdict::Regressed, "failures need no other sittings");
}

/// A cell whose service takes `factor` times as long as usual and whose responses have `bytes` bytes.
fn sized(factor: f64, bytes: f64) -> Vec<(&'static str, Nested)> {
    let mut values = values(factor, 10, 3);
    values.push(("response_bytes", vec![vec![bytes; 3]; 10]));
    values
}

#[test]
fn a_cell_whose_responses_became_shorter_or_longer_did_not_improve() {
    let run = |run: i32, bytes: f64| cell_with("find/10", &sized(1.0 + 0.002 * f64::from(run), bytes));
    let stored = |bytes: f64| baseline((0..5).map(move |number| run(number, bytes)));
    let in_duet = |head: &[_]| alone(duet(&sized(1.0, 2_000.0), head));
    for bytes in [200.0, 0.0, 1_790.0, 2_210.0, 90_000.0] {
        let head = sized(0.5, bytes);
        for judged in [against(stored(2_000.0), cell_with("find/10", &head)), in_duet(&head)] {
            let p50 = comparison(&judged, P50);
            let found = (judged.verdict, p50.verdict, &p50.reason, p50.advice);
            let withheld = Some(Reason::ResponseSize);
            assert_eq!(found, (Verdict::Inconclusive, Verdict::Inconclusive, &withheld, None), "{bytes}");
            let is_told = judged.notes.iter().any(|note| {
                matches!(note, Note::ResponseSize { base, head }
                    if (base - 2_000.0).abs() < 1e-6 && (head - bytes).abs() < 1e-6)
            });
            assert!(is_told, "{:?}", judged.notes);
            assert!(!comparison(&judged, "response_bytes").judged);
        }
    }
    for bytes in [1_810.0, 2_190.0] {
        let head = sized(0.5, bytes);
        for judged in [against(stored(2_000.0), cell_with("find/10", &head)), in_duet(&head)] {
            assert_eq!((judged.verdict, judged.notes.len()), (Verdict::Improved, 0), "{bytes}");
        }
    }
    let slower = in_duet(&sized(2.0, 200.0));
    assert_eq!((slower.verdict, slower.notes.len()), (Verdict::Regressed, 1), "slower is slower");
    let same = in_duet(&sized(1.0, 200.0));
    assert_eq!((same.verdict, same.notes.len()), (Verdict::Unchanged, 1));
}

#[test]
fn runs_that_were_stored_without_the_size_of_responses_are_compared_as_before() {
    let judged = against(five_runs(1.0), cell_with("find/10", &sized(0.5, 200.0)));
    assert_eq!((judged.verdict, judged.notes.len()), (Verdict::Improved, 0));
    let mut some = five_runs(1.0);
    some.runs[4].cells[0] = cell_with("find/10", &sized(1.0, 2_000.0));
    let judged = against(some, cell_with("find/10", &sized(0.5, 200.0)));
    assert_eq!(judged.verdict, Verdict::Inconclusive, "those that have it are enough");
}

#[test]
fn a_size_of_responses_that_is_judged_is_a_metric_like_others() {
    let judged = |bytes: f64| {
        let mut head = duet(&sized(1.0, 2_000.0), &sized(1.0, bytes));
        head.settings.judged = Some(vec!["response_bytes".into()]);
        alone(head).verdict
    };
    assert_eq!((judged(4_000.0), judged(1_000.0)), (Verdict::Regressed, Verdict::Improved));
}

#[test]
fn a_success_ratio_that_rose_with_other_responses_is_no_improvement() {
    let failing = |mut rounds: Vec<Round>| {
        rounds.iter_mut().for_each(|round| round.counts.successes -= 60);
        rounds
    };
    let judged = |bytes: f64| {
        let mut head = duet(&sized(1.0, 2_000.0), &sized(1.0, bytes));
        head.base = failing(head.base);
        alone(head)
    };
    assert_eq!(judged(2_000.0).verdict, Verdict::Improved);
    assert_eq!(judged(200.0).verdict, Verdict::Inconclusive);
}

#[test]
fn one_failure_in_many_requests_is_no_drop() {
    let mut head = cell(1.0);
    head.rounds[7].counts.successes -= 1;
    assert_eq!(against(five_runs(1.0), head).verdict, Verdict::Unchanged);
}

#[test]
fn a_cell_with_too_few_successes_is_invalid() {
    let failing = || failing(cell(1.0), 400);
    let cell = against(baseline([lenient(failing()), lenient(failing())]), failing());
    let reason = Reason::TooManyFailures { side: Side::Head, ratio: 0.8, min: 0.95 };
    assert_eq!((cell.verdict, cell.reason), (Verdict::Invalid, Some(reason)));
    assert_eq!(alone(failing()).verdict, Verdict::Invalid);
}

#[test]
fn a_head_that_always_fails_regressed_unless_base_did_as_well() {
    let dead = || {
        let mut dead = failing(cell(1.0), REQUESTS);
        dead.rounds.iter_mut().for_each(|round| round.values.clear());
        dead
    };
    assert_eq!(against(baseline([cell(1.0)]), dead()).verdict, Verdict::Regressed);
    assert_eq!(against(baseline([lenient(dead())]), dead()).verdict, Verdict::Invalid);
    assert_eq!(against(baseline([lenient(dead())]), cell(1.0)).verdict, Verdict::Incomparable);
}

#[test]
fn stored_runs_with_too_many_failures_are_left_out() {
    let failing = || lenient(failing(cell(1.0), 400));
    let base = baseline([failing(), cell(1.0), cell(1.01), cell(0.99)]);
    let mixed = against(base, cell(1.5));
    assert_eq!((mixed.verdict, stored_runs(comparison(&mixed, P50))), (Verdict::Regressed, 3));
    let reason = Reason::StoredFailures(0.95);
    assert_eq!(mixed.notes[0], Note::StoredRunsLeftOut { count: 1, reason: reason.clone() });
    let none = against(baseline([failing()]), cell(1.0));
    assert_eq!((none.verdict, none.reason), (Verdict::Incomparable, Some(reason)));
}

#[test]
fn errors_of_this_machine_make_a_cell_invalid_even_if_it_seems_to_regress() {
    let with = |fault: Fault| {
        let mut head = failing(cell(3.0), 100);
        head.rounds[0].counts.faults.insert(fault, 100);
        let cell = against(five_runs(1.0), head);
        (cell.verdict, cell.reason)
    };
    assert_eq!(with(Fault::NoFreePort), (Verdict::Invalid, Some(Reason::NoFreePort(100))));
    assert_eq!(with(Fault::Client), (Verdict::Invalid, Some(Reason::ClientErrors(100))));
    assert_eq!(with(Fault::Reset).0, Verdict::Regressed);
}

#[test]
fn an_unfair_cell_does_not_enter_a_baseline() {
    let with = |fault: Fault| {
        let mut cell = cell(1.0);
        cell.rounds[0].counts.faults.insert(fault, 1);
        Baseline::of_runs(&[run(vec![cell])]).runs[0].cells.len()
    };
    assert_eq!([Fault::NoFreePort, Fault::Client, Fault::Reset].map(with), [0, 0, 1]);
    assert!(Baseline::of_runs(&[run(vec![failing(cell(1.0), 400)])]).runs[0].cells.is_empty());
}

#[test]
fn a_cell_that_was_not_measured_is_invalid() {
    let mut empty = cell(1.0);
    empty.rounds.clear();
    assert_eq!(against(five_runs(1.0), empty).reason, Some(Reason::NoRounds));
    let mut idle = cell(1.0);
    idle.rounds = vec![round(0, BTreeMap::new())];
    idle.rounds[0].counts = Counts::default();
    assert_eq!(against(five_runs(1.0), idle).reason, Some(Reason::NoRequests));
    let recorded = CellRun { invalid: Some("It is too slow.".into()), ..cell(2.0) };
    let cell = against(five_runs(1.0), recorded);
    assert_eq!(
        (cell.verdict, cell.reason),
        (Verdict::Invalid, Some(Reason::Recorded("It is too slow.".into())))
    );
}

#[test]
fn one_unfair_run_of_several_is_left_out() {
    let unfair = CellRun { invalid: Some("It died.".into()), ..cell(9.0) };
    let runs = [run(vec![cell(1.0)]), run(vec![unfair])];
    let cell = judge_runs(&five_runs(1.0), &runs).cells.remove(0);
    assert_eq!(cell.verdict, Verdict::Unchanged);
    assert_eq!(cell.notes, [Note::RunLeftOut(Reason::Recorded("It died.".into()))]);
}

#[test]
fn rates_of_a_client_that_lags_more_than_the_service_takes_decide_nothing() {
    let lagging = |factor: f64| {
        let mut values = values(1.0, 10, 3);
        values.push(("latency_mean", steady(2e6, 10, 3)));
        values.push(("lag_mean", steady(2e6 * factor, 10, 3)));
        against(five_runs(1.0), cell_with("find/10", &values))
    };
    let bound = lagging(3.0);
    assert_eq!(
        (bound.verdict, verdict(&bound, "throughput")),
        (Verdict::Inconclusive, Verdict::Inconclusive)
    );
    let Some(Reason::ClientBound(ratio)) = comparison(&bound, "throughput").reason else { panic!() };
    assert_near(ratio, 3.0);
    assert_eq!(verdict(&bound, P50), Verdict::Unchanged);
    assert_eq!(lagging(0.9).verdict, Verdict::Unchanged);
}

// What is compared with what.

#[test]
fn a_machine_that_changed_is_incomparable() {
    let mut base = five_runs(1.0);
    base.runs.iter_mut().for_each(|run| run.environment.machine.cpus = 64);
    let cell = against(base.clone(), self::cell(3.0));
    assert_eq!((cell.verdict, cell.comparisons.len()), (Verdict::Incomparable, 0));
    assert_eq!(cell.reason, Some(Reason::MachineChanged("4 CPUs instead of 64".into())));
    // Some of the stored runs are from here: the others are left out.
    base.runs[1..].iter_mut().for_each(|run| run.environment.machine.cpus = 4);
    let mixed = against(base, self::cell(3.0));
    assert_eq!((mixed.verdict, stored_runs(comparison(&mixed, P50))), (Verdict::Regressed, 4));
    assert!(matches!(mixed.notes[..], [Note::StoredRunsLeftOut { count: 1, .. }]));
}

#[test]
fn runs_of_another_test_bed_are_not_compared_with() {
    let mut base = five_runs(1.0);
    for id in [Some("boot:there"), Some("name:ci"), None] {
        base.runs.iter_mut().for_each(|run| run.environment.machine.test_bed = test_bed(id));
        let judgement = judge_runs(&base, &[run(vec![cell(3.0)])]);
        let cell = &judgement.cells[0];
        assert_eq!((cell.verdict, &cell.reason, cell.comparisons.len()), (Verdict::Incomparable, &None, 0));
        let other = judgement.other_test_bed.unwrap();
        assert_eq!((other.base, other.here), (test_bed(id), test_bed(Some("boot:here"))));
    }
    base.runs[1..].iter_mut().for_each(|run| run.environment.machine.test_bed = test_bed(Some("boot:here")));
    let mixed = against(base, cell(3.0));
    assert_eq!((mixed.verdict, stored_runs(comparison(&mixed, P50))), (Verdict::Regressed, 4));
    assert_eq!(mixed.notes, [Note::OtherTestBed(1)]);
}

#[test]
fn a_cell_that_base_cannot_answer_is_new_and_its_limits_count() {
    for (is_broken, expected) in [(false, Verdict::New), (true, Verdict::Incomparable)] {
        let base_failure = Some(BaseFailure { what: "status 404".into(), is_broken });
        let mut head = CellRun { base_failure, ..cell(1.0) };
        let judged = alone(head.clone());
        assert_eq!(
            (judged.verdict, judged.reason),
            (expected, Some(Reason::BaseFailed("status 404".into())))
        );
        head.settings.limits.push(Limit::p50(Duration::from_nanos(1)));
        let limited = alone(head);
        assert_eq!((limited.verdict, limited.reason), (Verdict::Regressed, Some(Reason::Limit(0))));
    }
}

#[test]
fn a_redefined_cell_is_incomparable() {
    let cell = against(five_runs(1.0), CellRun { definition: "sha256:2".into(), ..cell(1.0) });
    assert_eq!((cell.verdict, cell.reason), (Verdict::Incomparable, Some(Reason::Redefined)));
}

#[test]
fn tails_of_rounds_of_another_length_are_not_compared_and_the_rest_is() {
    let cell = against(five_runs(1.0), with_window(cell(1.0), Duration::from_millis(200)));
    assert_eq!((cell.verdict, cell.reason.clone()), (Verdict::Incomparable, decided_by("latency_p99")));
    assert_eq!(comparison(&cell, "latency_p99").reason, Some(Reason::OtherWindow));
    assert_eq!(verdict(&cell, P50), Verdict::Unchanged);
    let has_base = |id: &str| cell.values.iter().find(|shown| shown.metric.id == id).unwrap().base.is_some();
    assert!(!has_base("latency_p99") && has_base(P50), "what is not compared is not shown as base");
}

#[test]
fn new_and_removed_cells_are_reported() {
    let other = || cell_with("find/99", &values(1.0, 10, 3));
    let judgement = judge_runs(&five_runs(1.0), &[run(vec![other()])]);
    assert_eq!(judgement.cells[0].reason, Some(Reason::NotInBaseline));
    assert_eq!((judgement.cells[0].verdict, judgement.removed), (Verdict::New, vec![cell_id("find/10")]));
    let none = judge_runs(&Baseline::default(), &[run(vec![cell(1.0)])]);
    assert_eq!((none.count(Verdict::New), none.compared_nothing(), none.tests), (1, true, 0));
    let filtered = Run { is_filtered: true, ..run(vec![other()]) };
    assert!(judge_runs(&five_runs(1.0), &[filtered]).removed.is_empty());
    let partial = Run { stop: Some(Stop::Signal(2)), ..run(vec![other()]) };
    assert!(judge_runs(&five_runs(1.0), &[partial]).removed.is_empty());
    let mut renamed = other();
    renamed.id.group = "search".into();
    let judgement = judge_runs(&five_runs(1.0), &[run(vec![renamed])]);
    assert_eq!(judgement.removed, [cell_id("find/10")], "a group that is gone takes its cells with it");
    let mut elsewhere = five_runs(1.0);
    elsewhere.runs.iter_mut().for_each(|run| run.environment.machine.test_bed = test_bed(Some("boot:there")));
    assert!(judge_runs(&elsewhere, &[run(vec![other()])]).removed.is_empty(), "of another test bed");
}

#[test]
fn no_runs_and_no_cells_give_an_empty_judgement() {
    assert_eq!(judge_runs(&Baseline::default(), &[]), Judgement::default());
    let judgement = judge_runs(&five_runs(1.0), &[run(Vec::new())]);
    assert_eq!((judgement.cells.len(), judgement.removed.len()), (0, 0), "its group was not measured");
}

#[test]
fn notes_say_what_a_baseline_rests_on() {
    let notes = |base: Baseline, head: &Run| judge_runs(&base, std::slice::from_ref(head)).notes;
    let mut base = five_runs(1.0);
    for (run, minute) in base.runs.iter_mut().zip([0, 3, 6, 9, 12]) {
        run.started = SystemTime::UNIX_EPOCH + Duration::from_secs(60 * minute);
        run.environment.setup.insert("kernel".into(), "6.8".into());
    }
    let mut head = run(vec![cell(1.0)]);
    head.environment.setup.insert("kernel".into(), "6.9".into());
    let changed = Note::SetupChanged { fact: "kernel", from: vec!["6.8".into()], to: vec!["6.9".into()] };
    let within = Duration::from_secs(12 * 60);
    assert_eq!(notes(base, &head), [Note::OneSitting { runs: 5, within }, changed]);
    let mut foreign = five_runs(1.0);
    foreign.runs[..4].iter_mut().for_each(|run| run.environment.machine.cpus = 64);
    assert_eq!(notes(foreign, &head), [Note::OneStoredRun], "runs of elsewhere do not count");
    assert_eq!(notes(baseline([cell(1.0)]), &head), [Note::OneStoredRun]);
    assert_eq!(notes(five_runs(1.0), &head), []);
}

// Which metrics are judged.

#[test]
fn the_highest_tail_that_both_sides_have_is_judged_and_the_lower_ones_are_shown() {
    let with_p90 = |factor: f64| {
        let mut values = values(factor, 10, 3);
        values.push(("latency_p90", steady(3e6 * factor, 10, 3)));
        values
    };
    let cell = |values: &[(&'static str, Nested)]| cell_with("find/10", values);
    let both = against(baseline([cell(&with_p90(1.0))]), cell(&with_p90(1.0)));
    assert_eq!(judged_ids(&both), ["success_ratio", P50, "latency_p99", "throughput"]);
    assert_eq!(both.comparisons.len(), 5);
    let without_p99 = |factor: f64| {
        let mut values = with_p90(factor);
        values.retain(|(id, _)| *id != "latency_p99");
        cell(&values)
    };
    let base = || baseline([(); 5].map(|()| cell(&with_p90(1.0))));
    let lacking = against(base(), without_p99(1.0));
    assert_eq!(judged_ids(&lacking), ["success_ratio", P50, "latency_p90", "latency_p99", "throughput"]);
    assert_eq!(
        (verdict(&lacking, "latency_p99"), lacking.verdict),
        (Verdict::Inconclusive, Verdict::Inconclusive)
    );
    let regressed = against(base(), without_p99(1.5));
    assert_eq!(
        (verdict(&regressed, "latency_p90"), regressed.verdict),
        (Verdict::Regressed, Verdict::Regressed)
    );
}

#[test]
fn tails_of_few_launches_with_few_rounds_are_shown_only() {
    let quick = || cell_with("find/10", &values(1.0, 5, 2));
    let cell = against(baseline([quick(), quick()]), quick());
    let tail = comparison(&cell, "latency_p99");
    assert!(!tail.judged && tail.change.is_some());
    assert_eq!(tail.advice, Some(Advice::RobustTail));
    assert_eq!(cell.notes, [Note::ShownOnly(tail.metric)]);
}

#[test]
fn a_percentile_of_too_few_successes_is_inconclusive_and_a_rate_is_judged_however_low() {
    let with_successes = |successes: u64| {
        let mut head = cell(1.5);
        for round in &mut head.rounds {
            (round.counts.requests, round.counts.successes) = (successes, successes);
        }
        head
    };
    let mut head = with_successes(410);
    (head.rounds[3].counts.requests, head.rounds[3].counts.successes) = (400, 400);
    let few = against(five_runs(1.0), head);
    let tail = comparison(&few, "latency_p99");
    assert_eq!((tail.verdict, tail.change), (Verdict::Inconclusive, None));
    let reason = Reason::TooFewSuccesses { side: Side::Head, successes: 400, needed: 500 };
    assert_eq!(tail.reason, Some(reason));
    assert_eq!(verdict(&few, P50), Verdict::Regressed);
    let fewer = against(five_runs(1.0), with_successes(9));
    assert_eq!(
        (verdict(&fewer, P50), verdict(&fewer, "throughput")),
        (Verdict::Inconclusive, Verdict::Regressed)
    );
}

#[test]
fn a_metric_that_one_side_lacks_is_inconclusive_with_the_time_that_would_do() {
    let few = || {
        let mut few = cell(1.0);
        for round in &mut few.rounds {
            (round.counts.requests, round.counts.successes) = (10, 10);
            round.values.remove(P50);
        }
        few
    };
    let p50 = |base: CellRun, head: CellRun| comparison(&against(baseline([base]), head), P50).clone();
    let head = p50(cell(1.0), few());
    let reason = Reason::TooFewSuccesses { side: Side::Head, successes: 10, needed: 20 };
    assert_eq!((head.verdict, head.reason), (Verdict::Inconclusive, Some(reason)));
    // 30 rounds of 333 ms give ten successes each: twice 9.99 s.
    let remedy = Remedy::MeasurementTime(Some(Duration::from_millis(19_980)));
    assert_eq!(head.advice, Some(Advice::MoreSuccesses { remedy, record_again: false }));
    let base = p50(few(), cell(1.0));
    assert_eq!(base.advice, Some(Advice::MoreSuccesses { remedy, record_again: true }));
    assert_eq!(p50(few(), few()).verdict, Verdict::Inconclusive, "never unchanged for want of data");
}

#[test]
fn a_burst_with_too_few_successes_needs_more_requests_and_not_more_time() {
    let burst = |requests: u64, successes: u64| {
        let mut cell = lenient(cell(1.0));
        cell.load = Load::burst(200);
        cell.settings.limits = vec![Limit::p99(Duration::from_millis(1))];
        for round in &mut cell.rounds {
            (round.counts.requests, round.counts.successes) = (requests, successes);
            round.values.remove(P50);
            round.values.remove("latency_p99");
        }
        against(baseline([cell.clone()]), cell)
    };
    let advice = |remedy| Some(Advice::MoreSuccesses { remedy, record_again: false });
    let served = burst(10, 10);
    assert_eq!(comparison(&served, P50).advice, advice(Remedy::Burst(Some(20))));
    assert_eq!(served.limits[0].remedy, Some(Remedy::Burst(Some(1_000))));
    let refused = burst(200, 10);
    assert_eq!(comparison(&refused, P50).advice, advice(Remedy::RefuseFewer));
    assert_eq!(refused.limits[0].remedy, Some(Remedy::RefuseFewer));
}

#[test]
fn a_metric_is_promised_from_twice_the_successes_that_it_needs() {
    let needed = |id: &str| metric(id).unwrap().promised_from();
    assert_eq!([needed(P50), needed("latency_p99"), needed("throughput")], [20, 1_000, 40]);
    assert_eq!(needed("latency_max"), 1);
}

// Degenerate values.

fn p50_verdict(base: Nested, head: Nested) -> Verdict {
    let base = baseline([(); 3].map(|()| p50_cell(base.clone())));
    verdict(&against(base, p50_cell(head)), P50)
}

#[test]
fn values_that_agree_everywhere_are_judged_by_what_a_quiet_machine_shows() {
    let same = |value: f64| vec![vec![value; 3]; 10];
    let equal = against(baseline([p50_cell(same(1e6))]), p50_cell(same(1e6)));
    let p50 = comparison(&equal, P50);
    let change = p50.change.unwrap();
    assert!(change.estimate == 0.0 && change.low < -0.05, "one stored run makes nothing certain: {change:?}");
    assert_eq!(p50.verdict, Verdict::Unchanged);
    assert_eq!(p50_verdict(same(1e6), same(2e6)), Verdict::Regressed);
}

#[test]
fn a_few_rounds_of_one_launch_are_not_enough_for_a_verdict() {
    let all = |value: f64, rounds: usize| vec![vec![value; rounds]];
    assert_eq!(p50_verdict(all(1e6, 5), all(1e6, 5)), Verdict::Unchanged);
    assert_eq!(p50_verdict(all(1e6, 5), all(3e6, 5)), Verdict::Regressed);
    for few in 1..5 {
        assert_eq!(p50_verdict(all(1e6, 5), all(3e6, few)), Verdict::Inconclusive, "{few}");
    }
}

#[test]
fn rounds_of_one_launch_that_differ_wildly_widen_the_allowance() {
    let wild = |shift: f64| {
        vec![(0..10).map(|round| 1e6 * (shift + 0.5 * f64::from(round % 2))).collect::<Vec<_>>()]
    };
    assert_eq!(p50_verdict(wild(1.0), wild(1.3)), Verdict::Inconclusive);
    assert_eq!(p50_verdict(vec![vec![1e6; 10]], vec![vec![1.3e6; 10]]), Verdict::Regressed);
}

#[test]
fn runs_with_different_numbers_of_launches_are_compared() {
    assert_eq!(p50_verdict(vec![vec![1e6]; 10], vec![vec![2e6]; 3]), Verdict::Regressed);
    assert_eq!(p50_verdict(vec![vec![1e6, 1e6]; 10], vec![vec![2e6; 5]; 1]), Verdict::Regressed);
}

#[test]
fn zeros_equal_zeros_and_have_no_ratio_to_anything_else() {
    assert_eq!(p50_verdict(vec![vec![0.0]; 10], vec![vec![0.0]; 10]), Verdict::Unchanged);
    for (base, head) in [(0.0, 5.0), (5.0, 0.0)] {
        let cell = against(baseline([p50_cell(vec![vec![base]; 10])]), p50_cell(vec![vec![head]; 10]));
        let p50 = comparison(&cell, P50);
        assert_eq!((p50.verdict, p50.change), (Verdict::Inconclusive, None));
        assert_eq!(p50.reason, Some(Reason::SomeZero));
        assert_near(p50.base.unwrap(), base);
        assert_near(p50.head.unwrap(), head);
        assert_near(cell.values[0].head.value, head);
    }
}

// Examples whose figures were worked out independently (logarithms by hand, t with 15 digits).

fn one_round_each(values: &[f64]) -> Nested {
    values.iter().map(|value| vec![*value]).collect()
}

#[test]
fn one_stored_run_of_five_launches_against_one() {
    let base = [100.0, 102.0, 98.0, 101.0, 99.0];
    let head = [120.0, 122.0, 119.0, 121.0, 118.0];
    let cell = against(baseline([p50_cell(one_round_each(&base))]), p50_cell(one_round_each(&head)));
    let p50 = comparison(&cell, P50);
    // s² between launches 0.000211854 < 0.02²; v0 = 0.000442371; se² = 2 v0; t = 4.490292 on 4 degrees; two tests.
    assert_near(p50.p_adjusted, 2.0 * 0.005_451_687_022_561);
    let change = p50.change.unwrap();
    assert_near(change.low, 0.104_914_386_639_052);
    assert_near(change.estimate, 0.200_036_677_792_677);
    assert_near(change.high, 0.303_348_065_209_080);
    let (head, base) = (1, 1);
    let method = Method::StoredRuns { head, base, df: 4.0, is_one_launch: false, is_widened: false };
    assert_eq!(p50.method, Some(method));
    assert_eq!(p50.reason, Some(Reason::NotSignificant), "p is 0.0109 after correction, the level 0.01");
    assert!((p50.base.unwrap() / 100.0 - 1.0).abs() < 1e-3);
}

#[test]
fn several_runs_of_both_sides() {
    let pair = |value: f64| p50_cell(one_round_each(&[value, value]));
    let stored = baseline([100.0, 104.0, 96.0].map(pair));
    let head = [run_at(TODAY, vec![pair(110.0)]), run_at(TODAY + DAY, vec![pair(112.0)])];
    let judgement = judge_runs(&stored, &head);
    let p50 = comparison(&judgement.cells[0], P50);
    // Launches agree: v0 = 0.02². df = 4 + 2 + 1; v = 0.000709454; se² = v (1/3 + 1/2).
    assert_near(p50.p_adjusted, 0.054_530_207_375_6);
    let change = p50.change.unwrap();
    assert_near(change.low, 0.048_497_011_412_083);
    assert_near(change.estimate, 0.110_547_562_244_300);
    assert_near(change.high, 0.176_270_294_128_704);
    let (head, base) = (2, 3);
    let method = Method::StoredRuns { head, base, df: 7.0, is_one_launch: false, is_widened: false };
    assert_eq!(p50.method, Some(method));
}

#[test]
fn one_launch_is_judged_with_an_allowance() {
    let one = |value: f64| p50_cell(vec![vec![value; 30]]);
    let cell = against(baseline([one(1e6)]), one(1.2e6));
    let p50 = comparison(&cell, P50);
    assert_near(p50.p_adjusted, 2.0 * 0.014_440_925_749_645);
    assert_near(p50.change.unwrap().low, 0.073_864_423_038_359);
    assert_near(p50.change.unwrap().high, 0.340_951_398_618_560);
    assert!(matches!(p50.method, Some(Method::StoredRuns { is_one_launch: true, .. })));
    assert_eq!(p50.advice, Some(Advice::SeveralLaunches));
    assert!(cell.values.iter().all(|shown| shown.head.interval.is_none()), "no spread is known");
}

#[test]
fn a_rate_is_worse_if_it_falls_and_is_shown_in_its_own_direction() {
    let rate = |values: [f64; 5]| {
        let inverse = values.map(|value| vec![1e6 / value]).to_vec();
        let mut cell = cell_with("find/10", &[("throughput", inverse)]);
        cell.settings.judged = Some(vec!["throughput".into()]);
        cell
    };
    let base = rate([100.0, 102.0, 98.0, 101.0, 99.0]);
    let cell = against(baseline([base]), rate([120.0, 122.0, 119.0, 121.0, 118.0]));
    let throughput = comparison(&cell, "throughput");
    assert_near(throughput.p_adjusted, 2.0 * 0.005_451_687_022_561);
    let change = throughput.change.unwrap();
    assert_near(change.estimate, 1.0 / 1.200_036_677_792_677 - 1.0);
    assert_near(change.low, 1.0 / 1.303_348_065_209_08 - 1.0);
    let days = baseline([(); 3].map(|()| rate([100.0, 102.0, 98.0, 101.0, 99.0])));
    let cell = against(days, rate([120.0, 122.0, 119.0, 121.0, 118.0]));
    let detectable = comparison(&cell, "throughput").detectable.unwrap();
    assert!((0.05..1.0).contains(&detectable), "a rate cannot fall by more than all of it: {detectable}");
}

// Limits.

#[test]
fn a_limit_is_decided_by_launches_alone() {
    let limited = |limit_ms: u64| {
        let mut cell = p50_cell(one_round_each(&[60.0, 61.0, 59.0, 60.0, 60.0].map(|value| value * 1e6)));
        cell.settings.limits = vec![Limit::p50(Duration::from_millis(limit_ms))];
        alone(cell)
    };
    let broken = limited(50);
    assert_eq!((broken.verdict, broken.reason), (Verdict::Regressed, Some(Reason::Limit(0))));
    let check = &broken.limits[0];
    assert_eq!(check.outcome, LimitOutcome::Broken);
    assert!((check.p / 2.086_763_047_379_87e-6 - 1.0).abs() < 1e-8);
    let value = check.value.unwrap();
    assert!((value.value / 59.996_666_296_234_54e6 - 1.0).abs() < 1e-12);
    assert!((value.interval.unwrap().0 / 59.125_020_192_831_37e6 - 1.0).abs() < 1e-9);
    let undecided = limited(60);
    assert_eq!((undecided.verdict, undecided.limits[0].outcome), (Verdict::New, LimitOutcome::Undecided));
    assert_eq!(limited(70).limits[0].outcome, LimitOutcome::Holds);
}

#[test]
fn a_broken_limit_is_a_regression_of_a_cell_that_did_not_change() {
    let mut head = cell(1.0);
    head.settings.limits = vec![Limit::p99(Duration::from_millis(4))];
    let cell = against(five_runs(1.0), head);
    assert_eq!((cell.verdict, verdict(&cell, "latency_p99")), (Verdict::Regressed, Verdict::Unchanged));
}

#[test]
fn several_runs_of_head_are_compared_with_a_limit_by_one_value_each() {
    let limited = |values: &[f64]| {
        let head = |value: &f64| {
            let mut head = cell(*value);
            head.settings.limits = vec![Limit::p50(Duration::from_millis(1))];
            run(vec![head])
        };
        let heads: Vec<Run> = values.iter().map(head).collect();
        judge_runs(&Baseline::default(), &heads).cells.remove(0).limits.remove(0)
    };
    assert!(limited(&[1.2]).is_broken() && limited(&[1.2, 1.21, 1.19]).is_broken());
    let apart = limited(&[1.0, 1.4, 1.2]);
    assert!(!apart.is_broken(), "launches of one run do not show how much runs differ");
    assert_eq!(apart.value.unwrap().method, Some(Method::Head { runs: 3, launches: 10, df: 6.0 }));
}

#[test]
fn launches_that_agree_break_a_limit_only_beyond_the_resolution_of_histograms() {
    let limited = |value: f64| {
        let mut head = p50_cell(vec![vec![value]; 10]);
        head.settings.limits = vec![Limit::p50(Duration::from_millis(1))];
        alone(head).limits[0].outcome
    };
    assert_eq!((limited(1.001e6), limited(1.02e6)), (LimitOutcome::Undecided, LimitOutcome::Broken));
}

// Duets.

#[test]
fn a_duet_needs_no_baseline_and_finds_three_percent() {
    let base = values(1.0, 10, 3);
    let slower = alone(duet(&base, &values(1.03, 10, 3)));
    assert_eq!(slower.verdict, Verdict::Regressed);
    assert_eq!([P50, "throughput"].map(|id| verdict(&slower, id)), [Verdict::Regressed; 2]);
    let same = alone(duet(&base, &values(1.005, 10, 3)));
    assert_eq!(same.verdict, Verdict::Unchanged);
    assert!(same.values.iter().all(|shown| shown.base.is_some()));
    let counts = comparison(&same, "success_ratio").method;
    let Some(Method::Counts { head: Counted::Launches(10), .. }) = counts else { panic!("{counts:?}") };
    let stored = baseline([cell_with("find/99", &base)]);
    let removed = judge_runs(&stored, &[run(vec![duet(&base, &base)])]).removed;
    assert!(removed.is_empty(), "a duet uses no baseline: {removed:?}");
}

#[test]
fn a_disturbance_of_both_sides_of_a_pair_is_no_change() {
    let mut rng = fastrand::Rng::with_seed(1);
    let load: Vec<f64> = (0..30).map(|_| 1.0 + rng.f64()).collect();
    let values = |factor: f64| -> Vec<(&'static str, Nested)> {
        vec![(P50, load.iter().map(|load| vec![1e6 * load * factor]).collect())]
    };
    assert_eq!(verdict(&alone(duet(&values(1.0), &values(1.0))), P50), Verdict::Unchanged);
    assert_eq!(verdict(&alone(duet(&values(1.0), &values(1.02))), P50), Verdict::Regressed);
}

#[test]
fn a_tail_that_base_has_and_head_cannot_reach_does_not_disappear() {
    let mut cell = duet(&values(1.0, 10, 3), &values(1.0, 10, 3));
    for round in &mut cell.rounds {
        round.values.remove("latency_p99");
    }
    assert_eq!(verdict(&alone(cell), "latency_p99"), Verdict::Inconclusive);
}

#[test]
fn a_base_that_fails_is_incomparable_and_a_head_that_fails_regressed() {
    let judged = |base_successes: u64, head_successes: u64| {
        let mut cell = duet(&values(1.0, 10, 3), &values(1.0, 10, 3));
        for (rounds, successes) in [(&mut cell.base, base_successes), (&mut cell.rounds, head_successes)] {
            for round in rounds {
                round.counts.successes = successes;
                if successes == 0 {
                    round.values.clear();
                }
            }
        }
        alone(cell)
    };
    for successes in [REQUESTS / 10, 0] {
        let base_fails = judged(successes, REQUESTS);
        assert_eq!(base_fails.verdict, Verdict::Incomparable);
        assert!(matches!(base_fails.reason, Some(Reason::TooManyFailures { side: Side::Base, .. })));
        assert_eq!(judged(REQUESTS, successes).verdict, Verdict::Regressed);
        assert_eq!(judged(successes, successes).verdict, Verdict::Invalid);
    }
}

#[test]
fn an_error_of_this_machine_on_either_side_makes_a_duet_invalid() {
    for fault in [Fault::Client, Fault::NoFreePort] {
        for is_base in [true, false] {
            let mut cell = duet(&values(1.0, 10, 3), &values(1.5, 10, 3));
            let side = if is_base { &mut cell.base } else { &mut cell.rounds };
            side[0].counts.faults.insert(fault, 1);
            assert!(!cell.is_fair(), "it may not enter a baseline either");
            assert_eq!(alone(cell).verdict, Verdict::Invalid, "{fault:?}, base: {is_base}");
        }
    }
}

#[test]
fn degenerate_duets_have_defined_verdicts() {
    let judged = |base: Nested, head: Nested| {
        let cell = alone(duet(&[(P50, base)], &[(P50, head)]));
        verdict(&cell, P50)
    };
    let agree = |value: f64, launches: usize| vec![vec![value]; launches];
    let wild = (0..10).map(|at| vec![if at % 2 == 0 { 1.0 } else { 1e12 }]).collect::<Nested>();
    let cases = [
        (agree(1e6, 10), agree(1e6, 10), Verdict::Unchanged, "no spread, no change"),
        (agree(1e6, 10), agree(1.2e6, 10), Verdict::Regressed, "no spread, a change"),
        (vec![vec![1e6; 30]], vec![vec![1.02e6; 30]], Verdict::Inconclusive, "one launch"),
        (vec![vec![1e6; 30]], vec![vec![1.5e6; 30]], Verdict::Regressed, "one launch, half more"),
        (agree(1e6, 3), vec![vec![1e6], vec![2e6], vec![3e6]], Verdict::Inconclusive, "few launches"),
        (agree(1e6, 3), agree(1e6, 3), Verdict::Unchanged, "three launches that agree"),
        (agree(1e6, 3), agree(1.012e6, 3), Verdict::Unchanged, "known no better than a histogram is"),
        (agree(1e6, 1), agree(1e6, 1), Verdict::Inconclusive, "a single pair"),
        (agree(1e6, 10), wild, Verdict::Inconclusive, "a huge variance"),
        (agree(0.0, 10), agree(0.0, 10), Verdict::Unchanged, "all zero"),
        (agree(0.0, 10), agree(1e6, 10), Verdict::Inconclusive, "zero has no ratio"),
    ];
    for (base, head, expected, case) in cases {
        assert_eq!(judged(base, head), expected, "{case}");
    }
}

/// A duet of 30 launches that agree, judged by p50, whose head takes `factor` times as long.
fn p50_duet(factor: f64) -> CellRun {
    duet(&[(P50, steady(1e6, 30, 1))], &[(P50, steady(1e6 * factor, 30, 1))])
}

fn screening(cell: CellRun) -> Run {
    Run { confirmation: Some(Confirmation::default()), ..run(vec![cell]) }
}

/// The same run, in which the cell was measured again.
fn confirmed(first: &Run, cell: CellRun) -> Judgement {
    let mut run = first.clone();
    run.confirmations.push(vec![cell]);
    judge_runs(&Baseline::default(), &[run])
}

#[test]
fn a_candidate_is_confirmed_even_if_fresh_pairs_have_a_higher_tail() {
    let p90 = |factor: f64| ("latency_p90", steady(2e6 * factor, 30, 1));
    let p99 = |factor: f64| ("latency_p99", steady(3e6 * factor, 30, 1));
    let first = screening(duet(&[p90(1.0)], &[p90(1.2)]));
    let confirmed = confirmed(&first, duet(&[p90(1.0), p99(1.0)], &[p90(1.2), p99(1.2)]));
    assert_eq!(verdict(&confirmed.cells[0], "latency_p90"), Verdict::Regressed);
}

#[test]
fn fresh_pairs_alone_decide_and_both_stages_are_kept() {
    let first = screening(p50_duet(1.2));
    let screened = judge_runs(&Baseline::default(), std::slice::from_ref(&first));
    let p50 = comparison(&screened.cells[0], P50);
    assert_eq!((p50.verdict, p50.advice), (Verdict::Inconclusive, Some(Advice::MeasureAgain)));
    assert_eq!(p50.reason, Some(Reason::ScreeningOnly));
    let candidate = &screened.candidates[0];
    assert!(candidate.open && candidate.slower && candidate.analysis == 0);
    assert!(screened.cells[0].fresh.is_empty());

    let confirmed = self::confirmed(&first, p50_duet(1.1));
    let cell = &confirmed.cells[0];
    let p50 = comparison(cell, P50);
    assert_eq!(p50.verdict, Verdict::Regressed);
    assert_near(p50.change.unwrap().estimate, 0.1);
    let Stage::Confirmed { analysis: 1, analyses: 3, pairs: 30, screening: Some(before), .. } = p50.stage
    else {
        panic!("{:?}", p50.stage)
    };
    assert_near(before.estimate, 0.2);
    assert!(confirmed.candidates.iter().all(|candidate| !candidate.open));
    let head_over_base = |shown: &[crate::judge::Shown]| {
        let p50 = shown.iter().find(|shown| shown.metric.id == P50).unwrap();
        p50.head.value / p50.base.unwrap().value
    };
    assert_near(head_over_base(&cell.fresh), 1.1);
    assert_near(head_over_base(&cell.values), 1.2);

    let dropped = self::confirmed(&first, p50_duet(1.0));
    assert_eq!(verdict(&dropped.cells[0], P50), Verdict::Unchanged);
    assert!(dropped.candidates.iter().all(|candidate| !candidate.open && candidate.analysis == 1));
}

#[test]
fn a_faster_head_only_seems_faster_until_it_is_measured_again() {
    let first = screening(p50_duet(0.8));
    let screened = judge_runs(&Baseline::default(), std::slice::from_ref(&first));
    assert_eq!(verdict(&screened.cells[0], P50), Verdict::SeemsFaster);
    assert!(!screened.candidates[0].slower);
    assert_eq!(screened.open_candidates(false), BTreeSet::new());
    let confirmed = self::confirmed(&first, p50_duet(0.8));
    assert_eq!(verdict(&confirmed.cells[0], P50), Verdict::Improved);
}

#[test]
fn what_is_faster_because_responses_became_shorter_is_no_candidate() {
    let first = screening(duet(&sized(1.0, 2_000.0), &sized(0.8, 200.0)));
    let screened = judge_runs(&Baseline::default(), std::slice::from_ref(&first));
    assert!(screened.candidates.is_empty());
    let p50 = comparison(&screened.cells[0], P50);
    let found = (screened.cells[0].verdict, p50.verdict, &p50.reason);
    assert_eq!(found, (Verdict::Inconclusive, Verdict::Inconclusive, &Some(Reason::ResponseSize)));
}

#[test]
fn a_run_that_ended_early_regresses_only_where_it_is_complete() {
    let cell = |pairs| duet(&[(P50, steady(1e6, 1, pairs))], &[(P50, steady(1.9e6, 1, pairs))]);
    for pairs in [1, 2, 10] {
        let stopped = Run { stop: Some(Stop::TimeUp), ..screening(cell(pairs)) };
        let judgement = judge_runs(&Baseline::default(), &[stopped]);
        assert_eq!(judgement.cells[0].verdict, Verdict::Inconclusive, "{pairs}");
    }
    // Only the confirmation of another cell was cut.
    let complete = Run { stop: Some(Stop::TimeUp), ..screening(cell(30)) };
    assert_eq!(judge_runs(&Baseline::default(), &[complete]).cells[0].verdict, Verdict::Regressed);
    let stored = |cell: CellRun| against(baseline([(); 3].map(|()| p50_cell(steady(1e6, 5, 6)))), cell);
    assert_eq!(stored(p50_cell(steady(1.9e6, 1, 6))).verdict, Verdict::Regressed);
    assert_eq!(stored(p50_cell(steady(1.9e6, 1, 1))).verdict, Verdict::Inconclusive);
    for pairs in [1, 4] {
        let alone = Run { stop: Some(Stop::TimeUp), ..run(vec![cell(pairs)]) };
        let found = judge_runs(&Baseline::default(), &[alone]);
        assert_eq!(found.cells[0].verdict, Verdict::Inconclusive, "{pairs}");
    }
}

#[test]
fn a_duet_of_one_launch_is_judged_in_one_stage() {
    let cell = duet(&[(P50, steady(1e6, 1, 30))], &[(P50, steady(1.5e6, 1, 30))]);
    let judgement = judge_runs(&Baseline::default(), &[screening(cell)]);
    assert_eq!((judgement.cells[0].verdict, judgement.candidates.len()), (Verdict::Regressed, 0));
}

// Stored runs that screen.

/// Five stored runs of these cells, each of a day of its own, which differ by a fifth of a percent.
fn five_runs_of(ids: &[String]) -> Baseline {
    let cell = |day: u64, id: &String| cell_with(id, &values(1.0 + 0.002 * day as f64, 10, 3));
    let run = |day: u64| run_at(day * DAY, ids.iter().map(|id| cell(day, id)).collect());
    Baseline::of_runs(&(0..5).map(run).collect::<Vec<_>>())
}

/// A run of head whose cells take these factors, and whose candidates the tree that began the baseline decides about.
fn ranked(baseline: &Baseline, cells: &[(&String, f64)]) -> Run {
    let epoch = baseline.runs[0].epoch.as_ref().map(|epoch| epoch.first_run.clone());
    let named = cells.iter().map(|(id, _)| cell_id(id).to_string()).collect();
    let base_ref = Some(BaseRef { epoch, cells: named, ..BaseRef::default() });
    let cells = cells.iter().map(|(id, factor)| cell_with(id, &values(*factor, 10, 3))).collect();
    Run { confirmation: Some(Confirmation::default()), base_ref, ..run(cells) }
}

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|nth| format!("find/{nth}")).collect()
}

/// Those of the cells that are candidates.
fn candidates(judgement: &Judgement) -> BTreeSet<String> {
    judgement.open_candidates(false).into_iter().map(ToString::to_string).collect()
}

#[test]
fn stored_runs_choose_candidates_and_fresh_pairs_decide() {
    let ids = ids(6);
    let baseline = five_runs_of(&ids);
    let factors: Vec<(&String, f64)> = ids.iter().zip([1.0, 1.15, 1.0, 1.0, 1.0, 1.0]).collect();
    let first = ranked(&baseline, &factors);
    let screened = judge_runs(&baseline, std::slice::from_ref(&first));
    assert_eq!(candidates(&screened), BTreeSet::from(["group/find/1".to_owned()]));
    let found = comparison(&screened.cells[1], P50);
    assert_eq!((found.verdict, found.reason.clone()), (Verdict::Inconclusive, Some(Reason::ScreeningOnly)));
    assert_eq!(screened.cells[0].verdict, Verdict::Unchanged, "by its interval");
    let with_pairs = |factor: f64| {
        let sides = [1.0, factor].map(|factor| cell_with("find/1", &values(factor, 30, 1)));
        let [base, head] = sides;
        let fresh = CellRun { base: base.rounds, ..head };
        judge_runs(&baseline, &[Run { confirmations: vec![vec![fresh]], ..first.clone() }]).cells.remove(1)
    };
    let confirmed = with_pairs(1.05);
    assert_eq!(confirmed.verdict, Verdict::Regressed);
    let p50 = comparison(&confirmed, P50);
    assert!(matches!(p50.screened_by(), Some(Method::StoredRuns { base: 5, .. })));
    assert!((p50.margin - 0.02).abs() < 1e-12, "steps may have added up: {}", p50.margin);
    assert_ne!(with_pairs(1.015).verdict, Verdict::Regressed, "within 2%");
    assert_ne!(with_pairs(1.0).verdict, Verdict::Regressed, "a slow hour");
}

#[test]
fn a_slow_cell_stands_out_from_a_slow_machine_and_slow_cells_from_a_steady_one() {
    let ids = ids(13);
    let baseline = five_runs_of(&ids);
    // The machine made all of them faster, which hides one that became slower.
    let factors: Vec<(&String, f64)> =
        ids.iter().enumerate().map(|(nth, id)| (id, if nth == 3 { 1.03 } else { 0.92 })).collect();
    let hidden = judge_runs(&baseline, &[ranked(&baseline, &factors)]);
    assert_eq!(candidates(&hidden), BTreeSet::from(["group/find/3".to_owned()]));
    let all: Vec<(&String, f64)> = ids.iter().map(|id| (id, 1.15)).collect();
    let all = judge_runs(&baseline, &[ranked(&baseline, &all)]);
    assert_eq!(candidates(&all).len(), 4, "four tell it as well as all");
    assert!(all.cells.iter().all(|cell| cell.verdict == Verdict::Inconclusive));
}

#[test]
fn more_failures_make_a_candidate() {
    let ids = ids(1);
    let baseline = five_runs_of(&ids);
    let mut head = ranked(&baseline, &[(&ids[0], 1.0)]);
    head.cells[0] = failing(head.cells[0].clone(), 60);
    let screened = judge_runs(&baseline, &[head]);
    let metrics: Vec<&str> = screened.candidates.iter().map(|candidate| candidate.metric.id).collect();
    assert_eq!(metrics, ["success_ratio"]);
}

#[test]
fn the_files_that_began_an_epoch_have_no_candidates() {
    let ids = ids(1);
    let baseline = five_runs_of(&ids);
    let mut head = ranked(&baseline, &[(&ids[0], 1.5)]);
    head.base_ref.as_mut().unwrap().same_trees = true;
    let judged = judge_runs(&baseline, &[head]);
    assert!(candidates(&judged).is_empty());
    assert_eq!(judged.cells[0].verdict, Verdict::Inconclusive);
}

#[test]
fn stored_runs_of_another_epoch_or_cell_decide_alone() {
    let ids = ids(1);
    let baseline = five_runs_of(&ids);
    let decide = |change: fn(&mut BaseRef)| {
        let mut head = ranked(&baseline, &[(&ids[0], 2.0)]);
        change(head.base_ref.as_mut().unwrap());
        let judged = judge_runs(&baseline, &[head]);
        (judged.cells[0].verdict, judged.candidates.len())
    };
    assert_eq!(decide(|base| base.epoch = Some("another".into())), (Verdict::Regressed, 0));
    assert_eq!(decide(|base| base.cells.clear()), (Verdict::Regressed, 0));
    assert_eq!(decide(|_| ()).0, Verdict::Inconclusive);
}

#[test]
fn what_is_decided_alone_has_half_of_the_level_next_to_candidates() {
    let ids = ids(1);
    let both = || {
        let mut baseline = five_runs_of(&ids);
        for (day, run) in (0_u32..).zip(&mut baseline.runs) {
            let mut other = cell_with("find/99", &values(1.0 + 0.002 * f64::from(day), 10, 3));
            other.id.group = "url".into();
            run.cells.push(other);
        }
        baseline
    };
    let p_of_url = |baseline: &Baseline, with_screened: bool| {
        let mut head = ranked(baseline, &[(&ids[0], 1.0)]);
        let mut other = cell_with("find/99", &values(1.1, 10, 3));
        other.id.group = "url".into();
        head.cells.push(other);
        if !with_screened {
            head.cells.remove(0);
        }
        comparison(judge_runs(baseline, &[head]).cells.last().unwrap(), P50).p_adjusted
    };
    let (baseline, p) = (both(), |with| p_of_url(&both(), with));
    assert!((p_of_url(&baseline, true) / p(false) - 2.0).abs() < 1e-9);
}

#[test]
fn machines_of_one_name_are_samples_of_which_three_are_needed() {
    let of_machines = |machines: [&str; 5], head: &str| {
        let mut baseline = five_runs(1.0);
        for (run, machine) in baseline.runs.iter_mut().zip(machines) {
            run.environment.machine.test_bed.machine = Some(machine.into());
        }
        let mut run = run(vec![cell(2.0)]);
        run.environment.machine.test_bed.machine = Some(head.into());
        judge_runs(&baseline, &[run]).cells.remove(0)
    };
    assert_eq!(of_machines(["a"; 5], "a").verdict, Verdict::Regressed, "five days of one machine");
    let reason = |cell: &CellJudgement| comparison(cell, P50).reason.clone();
    let two = of_machines(["a", "a", "a", "b", "b"], "a");
    assert_eq!(reason(&two), Some(Reason::TooFew(TooFew::Machines(2))));
    let other = of_machines(["a"; 5], "b");
    assert_eq!(reason(&other), Some(Reason::TooFew(TooFew::Machines(1))));
    assert_eq!(of_machines(["a", "b", "c", "c", "c"], "a").verdict, Verdict::Regressed);
}

// Properties.

/// A cell whose values are of any size, spread, order and coarseness.
fn any_cell(seed: u64, launches: usize, rounds: usize, level: f64) -> CellRun {
    let mut rng = fastrand::Rng::with_seed(seed);
    let spread = [0.0, 1e-4, 0.01, 0.1, 1.0, 20.0][rng.usize(0..6)];
    let step = [0.0, 0.0, 0.02, -0.01][rng.usize(0..4)];
    let is_coarse = rng.u8(0..4) == 0;
    let mut value = |launch: usize, effect: f64| {
        let log = effect + step * launch as f64 + 0.3 * spread * (rng.f64() - 0.5);
        let value = level * log.exp();
        if rng.u16(0..400) == 0 {
            0.0
        } else if is_coarse {
            value.round()
        } else {
            value
        }
    };
    let mut nested = |id: &'static str| -> (&'static str, Nested) {
        let effect = |launch: usize| spread * ((launch * 7 + id.len()) % 10) as f64 / 10.0;
        let launch = |launch: usize| (0..rounds).map(|_| value(launch, effect(launch))).collect();
        (id, (0..launches).map(launch).collect())
    };
    let values = [nested(P50), nested("latency_p99"), nested("throughput")];
    failing(cell_with("find/10", &values), [0, 0, 0, 1, 40, 1_990][(seed % 6) as usize])
}

/// The ends of a change on the log scale where more is worse.
fn worsening(found: &Comparison) -> Option<(f64, f64)> {
    let change = found.change?;
    Some(match found.metric.better {
        Better::Lower => (change.low.ln_1p(), change.high.ln_1p()),
        Better::Higher => (-change.high.ln_1p(), -change.low.ln_1p()),
    })
}

fn verdict_agrees(found: &Comparison, is_duet: bool) -> bool {
    const ROUNDING: f64 = 1e-9;
    let settings = settings();
    let against = if is_duet { Against::Base } else { Against::StoredRuns };
    let (margin, equal) = (settings.noise_threshold(against), settings.equivalence_margin(against));
    let (margin, equal) = (margin.ln_1p(), equal.ln_1p());
    let is_significant = found.p_adjusted < settings.significance_level;
    match (found.change, worsening(found), found.verdict) {
        (None, _, verdict) => {
            matches!(verdict, Verdict::Inconclusive | Verdict::Incomparable | Verdict::Unchanged)
        }
        (Some(change), _, verdict) if found.is_difference() => match verdict {
            Verdict::Regressed => change.high < -found.margin && is_significant,
            Verdict::Improved => change.low > found.margin && is_significant,
            Verdict::Unchanged => change.estimate.abs() <= found.margin,
            verdict => verdict == Verdict::Inconclusive,
        },
        (_, Some((low, _)), Verdict::Regressed) => low > margin - ROUNDING && is_significant,
        (_, Some((_, high)), Verdict::Improved) => high < -margin + ROUNDING && is_significant,
        (_, Some((low, high)), Verdict::Unchanged) => low > -equal - ROUNDING && high < equal + ROUNDING,
        (_, _, verdict) => verdict == Verdict::Inconclusive,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_verdict_never_contradicts_its_interval(
        launches in prop::sample::select(vec![1_usize, 2, 3, 5, 10, 12]),
        rounds in prop::sample::select(vec![1_usize, 2, 3, 12]),
        change in prop::sample::select(vec![1.0, 1.02, 1.2, 0.7, 3.0, 1e6]),
        stored in prop::sample::select(vec![0_u64, 0, 1, 2, 5]),
        seed in 0_u64..1 << 32,
    ) {
        let mut head = any_cell(seed, launches, rounds, 1e6 * change);
        head.settings.nresamples = 199;
        let base = |nth: u64| lenient(any_cell(seed ^ (nth + 1), launches, rounds, 1e6));
        let is_duet = stored == 0;
        let mut stored_runs = Baseline::default();
        if is_duet {
            head.base = base(0).rounds;
        } else {
            stored_runs = baseline((0..stored).map(base));
        }
        let cell = judge_runs(&stored_runs, &[run(vec![head])]).cells.remove(0);
        for found in &cell.comparisons {
            let ends = found.change.map(|change| [change.low, change.estimate, change.high]);
            let values = found.base.into_iter().chain(found.head).chain(found.detectable);
            let mut numbers = ends.into_iter().flatten().chain([found.p_adjusted]).chain(values);
            prop_assert!(numbers.all(|number| !number.is_nan()), "{found:?}");
            prop_assert!(ends.is_none_or(|[low, estimate, high]| low <= estimate && estimate <= high));
            prop_assert!(verdict_agrees(found, is_duet), "{found:?}");
            let is_open = found.judged && found.verdict == Verdict::Inconclusive;
            let is_withheld = matches!(found.reason, Some(Reason::SuccessRatioFell | Reason::ResponseSize));
            prop_assert!(!is_open || is_withheld || found.advice.is_some(), "{found:?}");
            prop_assert!(!is_open || found.reason.is_some(), "{found:?}");
            prop_assert!(stored == 0 || stored >= 3 || found.is_difference() || found.verdict != Verdict::Regressed);
        }
        let worst = cell.comparisons.iter().filter(|found| found.judged).map(|found| found.verdict).max();
        prop_assert_eq!(cell.verdict == Verdict::Regressed, worst == Some(Verdict::Regressed));
        prop_assert!(cell.verdict != Verdict::Unchanged || worst == Some(Verdict::Unchanged));
        prop_assert_eq!(cell.verdict == Verdict::Unchanged, cell.reason.is_none());
    }
}
