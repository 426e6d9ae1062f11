//! What plimsoll itself costs: `cargo bench --bench overhead --features overhead`.
//!
//! The rooms are reached through `plimsoll::internals`, and what is timed is what a user's run does: judging, for one, with all
//! that is shown. At the end the most memory that any of it took is printed (of Linux's account).

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, SystemTime};

use criterion::{Criterion, criterion_group};
use plimsoll::internals::draw_change_chart;
use plimsoll::internals::judge::{Depth, Judgement, Method, judge};
use plimsoll::internals::plan::{CellId, Settings};
use plimsoll::internals::record::{
    Baseline, CellRun, Control, Counts, Environment, METRICS, Machine, Metric, Round, Run, Tally, TestBed,
    metric,
};
use plimsoll::internals::stats::interval::mean_interval;
use plimsoll::{BenchmarkId, Load};

/// Exchanges of a busy round.
const EXCHANGES: u64 = 10_000;
const WINDOW: Duration = Duration::from_millis(333);
const STORED_RUNS: usize = 5;
const NRESAMPLES: usize = 100_000;
/// What a service for language models is judged and shown by.
const FIVE: [&str; 5] =
    ["latency_p50", "latency_p99", "throughput", "input_token_throughput", "output_token_throughput"];
/// What every cell with enough exchanges has.
const USUAL: [&str; 10] = [
    "latency_p50",
    "latency_p90",
    "latency_p95",
    "latency_p99",
    "latency_mean",
    "latency_max",
    "throughput",
    "connect",
    "lag",
    "lag_mean",
];
/// Standard deviations of logs: between runs, between the launches of a run, between the rounds of a launch.
const SPREADS: [f64; 3] = [0.02, 0.02, 0.03];

/// How the rounds of a run are nested.
#[derive(Clone, Copy)]
struct Shape {
    launches: usize,
    rounds: usize,
}

const TEN_BY_THREE: Shape = Shape { launches: 10, rounds: 3 };
const THIRTY_BY_ONE: Shape = Shape { launches: 30, rounds: 1 };

/// What `measure` notes of the nth success that was sent and answered inside the window.
fn count(tally: &mut Tally, nth: u64) {
    let latency = Duration::from_nanos(80_000 + 37 * (nth * 7_919 % EXCHANGES));
    tally.counts.requests += 1;
    *tally.counts.statuses.entry(200).or_default() += 1;
    tally.lag.record(Duration::from_nanos(7_000 + nth * 31 % 900));
    tally.counts.successes += 1;
    tally.latency.record(latency);
    tally.input_tokens.add(3_000.0);
    tally.output_tokens.add(200.0);
    let share = latency.as_secs_f64() / black_box(latency).as_secs_f64();
    tally.successes_in_window += share;
    *tally.input_tokens_in_window.get_or_insert_default() += 3_000.0 * share;
    *tally.output_tokens_in_window.get_or_insert_default() += 200.0 * share;
}

fn record(criterion: &mut Criterion) {
    let mut tally = Tally::default();
    let mut nth = 0;
    criterion.bench_function("count one exchange", |bencher| {
        bencher.iter(|| {
            nth += 1;
            count(&mut tally, black_box(nth));
        });
    });
    let mut tally = Tally { window: WINDOW, ..Tally::default() };
    (0..EXCHANGES).for_each(|nth| count(&mut tally, nth));
    criterion.bench_function("close a round of 10,000 exchanges", |bencher| {
        bencher.iter(|| Round::close(black_box(&tally), 0, Duration::ZERO));
    });
}

fn statistics(criterion: &mut Criterion) {
    let mut rng = fastrand::Rng::with_seed(2);
    for launches in [10, 30] {
        let values: Vec<f64> = (0..launches).map(|_| normal(&mut rng)).collect();
        let name = format!("bootstrap-t of {launches} launches, 100,000 resamples");
        criterion.bench_function(&name, |bencher| {
            bencher.iter(|| mean_interval(black_box(&values), 0.95, NRESAMPLES, 1));
        });
    }
}

fn judging(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("judge 100 cells x 5 metrics x 30 rounds");
    group.sample_size(10);
    // A single stored run has shown intervals over launches as head has: the most that there is to do.
    for (shape, stored) in [(TEN_BY_THREE, STORED_RUNS), (THIRTY_BY_ONE, STORED_RUNS), (THIRTY_BY_ONE, 1)] {
        let call = Call::new(100, &FIVE, shape, stored);
        assert_whole(&call.judge());
        let name = format!("{} launches, stored runs: {stored}", shape.launches);
        group.bench_function(name, |bencher| bencher.iter(|| call.judge()));
    }
    group.finish();
}

/// What is timed compares all and shows all.
fn assert_whole(judgement: &Judgement) {
    for cell in &judgement.cells {
        assert!(
            cell.comparisons.len() > FIVE.len() && cell.comparisons.iter().all(|one| one.change.is_some())
        );
        assert!(
            cell.values.iter().filter(|shown| matches!(shown.head.method, Some(Method::Launches(_)))).count()
                >= 4
        );
    }
}

fn baseline(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder for a baseline");
    let runs = Call::new(13, &USUAL, TEN_BY_THREE, STORED_RUNS).baseline.runs;
    let mut stored = Baseline::read(folder.path(), "main", "overhead").expect("an empty folder can be read");
    stored.add(&runs, None).expect("a baseline can be written");
    criterion.bench_function("read a baseline of 5 runs x 13 cells x 10 metrics x 30 rounds", |bencher| {
        bencher.iter(|| {
            Baseline::read(black_box(folder.path()), "main", "overhead").expect("it was just written")
        });
    });
}

fn charts(criterion: &mut Criterion) {
    let judgement = Call::new(13, &USUAL, TEN_BY_THREE, STORED_RUNS).judge();
    for (with_png, files) in [(false, "SVG"), (true, "SVG and PNG")] {
        criterion.bench_function(&format!("draw the chart of 13 cells as {files}"), |bencher| {
            bencher.iter(|| draw_change_chart(&judgement, with_png).expect("13 cells were compared"));
        });
    }
}

/// A run of head and the baseline that it is held against.
struct Call {
    baseline: Baseline,
    head: [Run; 1],
}

impl Call {
    fn new(cells: usize, metrics: &[&str], shape: Shape, stored: usize) -> Self {
        let mut rng = fastrand::Rng::with_seed(1);
        let metrics: Vec<&'static Metric> = METRICS.iter().filter(|one| metrics.contains(&one.id)).collect();
        let mut run = |day: usize| run(day, cells, &metrics, shape, &mut rng);
        let runs: Vec<Run> = (0..stored).map(&mut run).collect();
        let baseline = Baseline::of_runs(&runs);
        Self { baseline, head: [run(stored)] }
    }

    fn judge(&self) -> Judgement {
        judge(black_box(&self.baseline), black_box(&self.head), Depth::Report)
    }
}

fn run(day: usize, cells: usize, metrics: &[&'static Metric], shape: Shape, rng: &mut fastrand::Rng) -> Run {
    let (arch, os, cpu) = ("x86_64".into(), "linux".into(), "EPYC".into());
    let test_bed = TestBed { id: Some("boot:here".into()), ..TestBed::default() };
    let machine =
        Machine { arch, os, cpu, cpus: 2, memory_gib: 8, is_virtual: true, loopback: true, test_bed };
    let figures = [("hash".to_owned(), vec![6_000.0; 10])].into();
    Run {
        id: format!("202611{:02}T170012Z-abc1234", day + 1),
        bench: "overhead".into(),
        started: SystemTime::UNIX_EPOCH,
        elapsed: Duration::from_secs(600),
        environment: Environment { machine, ..Environment::default() },
        cells: (0..cells).map(|nth| cell(nth, metrics, shape, rng)).collect(),
        epoch: None,
        is_filtered: false,
        control: Some(Control { identity: "control".into(), figures }),
        base_ref: None,
        confirmations: Vec::new(),
        stop: None,
        confirmation: None,
    }
}

fn cell(nth: usize, metrics: &[&'static Metric], shape: Shape, rng: &mut fastrand::Rng) -> CellRun {
    CellRun {
        id: CellId::new("tokenizer", BenchmarkId::new("encode", nth)),
        about: None,
        load: Load::closed(10),
        throughput: None,
        definition: "sha256:1".into(),
        source: None,
        metrics: metrics.to_vec(),
        settings: Settings { measurement_time: 30 * WINDOW, nresamples: NRESAMPLES, ..Settings::default() },
        rounds: rounds(metrics, shape, rng),
        base: Vec::new(),
        base_failure: None,
        invalid: None,
        notes: Vec::new(),
    }
}

/// Rounds whose values have a luck of the run, of the launch and of their own.
fn rounds(metrics: &[&'static Metric], shape: Shape, rng: &mut fastrand::Rng) -> Vec<Round> {
    let [of_runs, of_launches, of_rounds] = SPREADS;
    let run: Vec<f64> = metrics.iter().map(|_| 14.0 + of_runs * normal(rng)).collect();
    let mut rounds = Vec::new();
    for launch in 0..shape.launches {
        let lucks: Vec<f64> = run.iter().map(|log| log + of_launches * normal(rng)).collect();
        for _ in 0..shape.rounds {
            let values: BTreeMap<&'static str, f64> = metrics
                .iter()
                .zip(&lucks)
                .map(|(metric, log)| (metric.id, (log + of_rounds * normal(rng)).exp()))
                .collect();
            rounds.push(Round {
                launch,
                started: Duration::ZERO,
                window: WINDOW,
                counts: Counts { requests: EXCHANGES, successes: EXCHANGES, ..Counts::default() },
                values,
                ..Round::default()
            });
        }
    }
    rounds
}

/// Nearly a standard normal value.
fn normal(rng: &mut fastrand::Rng) -> f64 {
    (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0
}

/// The most memory that this process had, as Linux tells it: `VmHWM:  12345 kB`.
fn peak_memory() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().to_owned())
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(2)).sample_size(20);
    targets = record, statistics, judging, baseline, charts
}

#[allow(clippy::print_stdout, reason = "criterion prints too")]
fn main() {
    for id in FIVE.iter().chain(&USUAL) {
        assert!(metric(id).is_some(), "there is no metric `{id}`");
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
    if let Some(peak) = peak_memory() {
        println!("Peak memory: {peak}");
    }
}
