//! Cells, runs and baselines for tests, from the values of their rounds.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::judge::verdict::{Judgement, Verdict};
use crate::plan::Settings;
use crate::record::{
    Baseline, CellRun, Counts, EncodedHistogram, Environment, Epoch, Fault, METRICS, Machine, Round, Rules,
    Run, TestBed, metric,
};

/// Values of a metric: a launch each, and in it a round each.
pub(super) type Nested = Vec<Vec<f64>>;

pub(super) const WINDOW: Duration = Duration::from_millis(333);
pub(super) const REQUESTS: u64 = 2_000;

/// The defaults, with few resamples.
pub(super) fn rules() -> Rules {
    let settings = Settings::default();
    Rules {
        least_success_ratio: settings.least_success_ratio,
        judged: None,
        limits: Vec::new(),
        noise_threshold: None,
        equivalence: None,
        confidence_level: settings.confidence_level,
        significance_level: settings.significance_level,
        nresamples: 1_000,
    }
}

/// Launches that agree within a quarter of a per cent, of `rounds` rounds each, around `value`.
pub(super) fn steady(value: f64, launches: usize, rounds: usize) -> Nested {
    let shift = |launch: usize| 1.0 + 0.001 * (launch % 5) as f64 - 0.002;
    (0..launches).map(|launch| vec![value * shift(launch); rounds]).collect()
}

/// A cell `group/find/10` with those values; each metric has the same launches and rounds.
pub(super) fn cell(id: &str, values: &[(&'static str, Nested)]) -> CellRun {
    let shape: Vec<usize> =
        values.first().map(|(_, launches)| launches.iter().map(Vec::len).collect()).unwrap_or_default();
    let mut rounds = Vec::new();
    for (launch, count) in shape.iter().enumerate() {
        for round in 0..*count {
            let of_round = values.iter().map(|(id, nested)| (*id, nested[launch][round])).collect();
            rounds.push(self::round(launch, REQUESTS, 0, of_round));
        }
    }
    CellRun {
        group: "group".into(),
        about: None,
        id: id.into(),
        function: "find".into(),
        load: "closed(10)".into(),
        concurrency: 10,
        throughput: None,
        definition: "sha256:1".into(),
        window: WINDOW,
        metrics: METRICS.iter().filter(|metric| values.iter().any(|(id, _)| *id == metric.id)).collect(),
        rules: rules(),
        rounds,
        base: Vec::new(),
        base_failure: None,
        invalid: None,
        notes: Vec::new(),
    }
}

/// A cell with p50, p99 and throughput, each steady; `slower` is how many times longer everything takes.
pub(super) fn usual(slower: f64) -> CellRun {
    cell("find/10", &usual_values(slower, 10, 3))
}

pub(super) fn usual_values(slower: f64, launches: usize, rounds: usize) -> Vec<(&'static str, Nested)> {
    vec![
        ("latency_p50", steady(1e6 * slower, launches, rounds)),
        ("latency_p99", steady(5e6 * slower, launches, rounds)),
        ("throughput", steady(9e3 / slower, launches, rounds)),
    ]
}

pub(super) fn round(
    launch: usize,
    requests: u64,
    failures: u64,
    values: BTreeMap<&'static str, f64>,
) -> Round {
    Round {
        launch,
        started: Duration::ZERO,
        window: WINDOW,
        counts: counts(requests, failures),
        values,
        latency: EncodedHistogram::default(),
        failure_latency: EncodedHistogram::default(),
    }
}

fn counts(requests: u64, failures: u64) -> Counts {
    Counts { requests, successes: requests - failures, ..Counts::default() }
}

/// Lets so many exchanges of each round fail with a status 500.
pub(super) fn failing(mut cell: CellRun, failures: u64) -> CellRun {
    for round in &mut cell.rounds {
        round.counts = counts(round.counts.requests, failures);
        round.counts.faults.insert(Fault::Status(500), failures);
    }
    cell
}

/// Lets a cell into a baseline whatever share of its exchanges failed, as a rule of long ago may have.
pub(super) fn let_in(mut cell: CellRun) -> CellRun {
    cell.rules.least_success_ratio = 0.0;
    cell
}

pub(super) const CPUS: u32 = 4;

fn machine() -> Machine {
    let (arch, os, cpu) = ("x86_64".into(), "linux".into(), "EPYC".into());
    Machine { arch, os, cpu, cpus: CPUS, memory_gib: 16, is_virtual: true, loopback: true, test_bed: here() }
}

pub(super) fn here() -> TestBed {
    TestBed { id: Some("boot:here".into()), ..TestBed::default() }
}

pub(super) fn run(cells: Vec<CellRun>) -> Run {
    Run {
        id: "20261124T170012Z-abc1234".into(),
        bench: "bench".into(),
        started: SystemTime::UNIX_EPOCH,
        elapsed: Duration::from_secs(10),
        environment: Environment { machine: machine(), ..Environment::default() },
        cells,
        base_ref: None,
        stop: None,
        look: 0,
        confirmation: None,
    }
}

/// A baseline of `group` with a run for each cell.
pub(super) fn baseline(cells: Vec<CellRun>) -> Baseline {
    let runs: Vec<Run> = cells.into_iter().map(|cell| run(vec![cell])).collect();
    Baseline::of_runs("group", &runs).expect("the group was measured")
}

/// Begins a second epoch with the runs from this index on.
pub(super) fn new_epoch_from(mut baseline: Baseline, index: usize) -> Baseline {
    baseline.runs[index..].iter_mut().for_each(|run| run.epoch = 2);
    baseline.epochs.push(Epoch { number: 2, anchor: "x".into(), reason: "accepted".into() });
    baseline
}

#[test]
fn the_fixture_speaks_of_metrics_that_exist() {
    assert!(usual_values(1.0, 1, 1).iter().all(|(id, _)| metric(id).is_some()));
}

/// The worst verdict of all cells; nothing without a cell.
pub(super) fn worst(judgement: &Judgement) -> Option<Verdict> {
    judgement.cells.iter().map(|cell| cell.verdict).max()
}
