//! Simulated rounds become runs and baselines as `record` knows them, so that nothing of `judge` is told that they are simulated.

use std::time::{Duration, SystemTime};

use crate::calibrate::bank::{Bank, CONCURRENCY, MEDIAN_NS, WINDOW};
use crate::calibrate::simulate::{Banks, CellDraws, Draw};
use crate::calibrate::world::World;
use crate::plan::{BenchmarkId, CellId, Confirmation, Load, Settings};
use crate::record::{Better, CellRun, Counts, Environment, Machine, Metric, Round, Run, TestBed};

/// The only group of a simulated call.
const GROUP: &str = "simulated";

/// Resamples of a displayed interval: enough for its ends; no test needs any.
const RESAMPLES: usize = 1_000;

/// The id of a cell.
pub(super) fn id(cell: usize) -> CellId {
    CellId::new(GROUP, BenchmarkId::new("cell", cell))
}

/// One run of a call.
pub(super) fn run(
    cells: &[CellDraws],
    world: &World,
    banks: &Banks,
    confirmation: Option<&Confirmation>,
) -> Run {
    Run {
        id: "20261124T170012Z-simulated".to_owned(),
        bench: GROUP.to_owned(),
        started: SystemTime::UNIX_EPOCH,
        elapsed: Duration::ZERO,
        environment: Environment { machine: machine(), ..Environment::default() },
        cells: cells.iter().map(|cell| cell_run(cell, world, banks)).collect(),
        epoch: None,
        base_ref: None,
        confirmations: Vec::new(),
        stop: None,
        confirmation: confirmation.cloned(),
    }
}

fn machine() -> Machine {
    Machine {
        arch: "simulated".to_owned(),
        os: "simulated".to_owned(),
        cpu: "simulated".to_owned(),
        cpus: 2,
        memory_gib: 4,
        is_virtual: true,
        loopback: true,
        test_bed: TestBed { id: Some("boot:here".into()), ..TestBed::default() },
    }
}

fn cell_run(draws: &CellDraws, world: &World, banks: &Banks) -> CellRun {
    let side = |draws: &[Draw], bank: &Bank| draws.iter().map(|draw| round(draw, world, bank)).collect();
    let (base, head) = (&banks[&draws.base_shape], &banks[&draws.head_shape]);
    CellRun {
        id: id(draws.cell),
        about: None,
        load: Load::closed(CONCURRENCY),
        throughput: None,
        definition: "simulated".to_owned(),
        metrics: head.metrics.clone(),
        settings: settings(),
        rounds: side(&draws.head, head),
        base: side(&draws.base, base),
        base_failure: None,
        invalid: None,
        notes: Vec::new(),
    }
}

fn settings() -> Settings {
    let sample_size = 30;
    let measurement_time = WINDOW * 30;
    Settings {
        sample_size,
        measurement_time,
        min_success_ratio: 0.5,
        nresamples: RESAMPLES,
        ..Settings::default()
    }
}

fn round(draw: &Draw, world: &World, bank: &Bank) -> Round {
    let banked = &bank.rounds[draw.banked];
    let requests = banked.latencies_ns.len() as u64;
    let successes = requests - draw.failures;
    let succeeding = successes as f64 / requests as f64;
    let value = |metric: &Metric, value: f64| match metric.better {
        Better::Higher => value / draw.stretch * succeeding,
        Better::Lower => latency_ns(value, draw, world),
    };
    let values = bank.metrics.iter().zip(&banked.values);
    Round {
        launch: draw.launch,
        started: Duration::ZERO,
        window: WINDOW,
        counts: Counts { requests, successes, ..Counts::default() },
        values: values.map(|(metric, banked)| (metric.id, value(metric, *banked))).collect(),
        ..Round::default()
    }
}

/// A latency of a round that was stretched, as it is told. A quantile of such latencies is such a latency of the quantile.
pub(super) fn latency_ns(banked_ns: f64, draw: &Draw, world: &World) -> f64 {
    let latency_ns = banked_ns * draw.stretch;
    if world.step == 0.0 {
        return latency_ns;
    }
    let step_ns = world.step * MEDIAN_NS;
    (latency_ns / step_ns).ceil() * step_ns
}
