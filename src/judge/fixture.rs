//! Cells, runs and baselines for tests, from the values of their rounds.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::judge::verdict::{Judgement, Verdict};
use crate::plan::{BenchmarkId, CellId, Load, Settings};
use crate::record::{
    Baseline, CellRun, Counts, Environment, Epoch, Fault, METRICS, Machine, Round, Run, TestBed, metric,
};

/// Values of a metric: a launch each, and in it a round each.
pub(super) type Nested = Vec<Vec<f64>>;

pub(super) const WINDOW: Duration = Duration::from_millis(333);
pub(super) const REQUESTS: u64 = 2_000;

/// The defaults, with few resamples and rounds of that window.
pub(super) fn rules() -> Settings {
    Settings { sample_size: 30, measurement_time: 30 * WINDOW, nresamples: 1_000, ..Settings::default() }
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
        id: cell_id(id),
        about: None,
        load: Load::closed(10),
        throughput: None,
        definition: "sha256:1".into(),
        metrics: METRICS.iter().filter(|metric| values.iter().any(|(id, _)| *id == metric.id)).collect(),
        settings: rules(),
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
        ..Round::default()
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
    cell.settings.least_success_ratio = 0.0;
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
        epoch: None,
        base_ref: None,
        confirmations: Vec::new(),
        stop: None,
        confirmation: None,
    }
}

/// `group/find/10` from `find/10`.
pub(super) fn cell_id(id: &str) -> CellId {
    let (function, parameter) = id.split_once('/').unwrap_or((id, ""));
    CellId::new("group", BenchmarkId::new(function, parameter))
}

/// A baseline with a run for each cell.
pub(super) fn baseline(cells: Vec<CellRun>) -> Baseline {
    let runs = cells.into_iter().enumerate().map(|(index, cell)| {
        let run = run(vec![cell]);
        Run { id: format!("{index:02}-{}", run.id), ..run }
    });
    Baseline::of_runs(&runs.collect::<Vec<_>>())
}

/// Begins a second epoch with the runs from this index on.
pub(super) fn new_epoch_from(mut baseline: Baseline, index: usize) -> Baseline {
    let epoch = Epoch { first_run: baseline.runs[index].id.clone(), reason: Some("accepted".into()) };
    baseline.runs[index..].iter_mut().for_each(|run| run.epoch = Some(epoch.clone()));
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
