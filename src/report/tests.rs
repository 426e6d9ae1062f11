//! Hand-made runs and judgements for the tests of this module.

use std::time::{Duration, SystemTime};

use crate::judge::{
    Advice, Candidate, CellJudgement, Change, Comparison, Estimate, Judgement, Method, Reason, Shown, Stage,
    Verdict,
};
use crate::plan::{BenchmarkId, Cell, CellId, Confirmation, Endpoint, Group, Load, Location, Side};
use crate::record::{
    Baseline, CellRun, Counts, Environment, Epoch, Fault, Histogram, Judged, LatencyHistogram, Machine,
    Metric, Round, Run, TestBed, metric,
};
use crate::report::model::{Report, ReportOptions};
use crate::stats::interval::Method as IntervalMethod;

/// Names with everything that some format gives a meaning to, up to 1,000 characters.
pub(crate) fn hostile() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    const PARTS: [&str; 24] = [
        "\"",
        "'",
        "<",
        ">",
        "&",
        "\n",
        "\r",
        "%",
        "|",
        "`",
        "``",
        "\\",
        "-->",
        "]]>",
        "::error::",
        "%0A",
        "*",
        "_",
        "#1",
        "@all",
        "{}",
        "\u{202E}",
        "\u{0}",
        "🚀",
    ];
    let part = prop_oneof![
        prop::sample::select(&PARTS[..]).prop_map(str::to_owned),
        any::<char>().prop_map(String::from),
        "[a-z/ ]{1,50}"
    ];
    prop::collection::vec(part, 1..40).prop_map(|parts| parts.concat().chars().take(1000).collect())
}

/// The contrast of two colors, `#0072B2` and so on, as WCAG 2 defines it.
pub(crate) fn contrast(one: &str, other: &str) -> f64 {
    let linear = |part: u32| match f64::from(part) / 255.0 {
        part if part <= 0.04045 => part / 12.92,
        part => ((part + 0.055) / 1.055).powf(2.4),
    };
    let luminance = |color: &str| {
        let color = u32::from_str_radix(color.trim_start_matches('#'), 16).unwrap();
        let part = |shift: u32| linear(color >> shift & 0xFF);
        0.2126 * part(16) + 0.7152 * part(8) + 0.0722 * part(0)
    };
    let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
    one.max(other) / one.min(other)
}

const GROUP: &str = "tokenizer";
const LAUNCHES: usize = 10;
const REQUESTS_PER_ROUND: u64 = 1234;
/// How much worse head is if it regressed.
const WORSE: f64 = 0.231;

/// A cell to be made.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) group: String,
    pub(crate) function: String,
    pub(crate) concurrency: usize,
    pub(crate) verdict: Verdict,
    pub(crate) has_base: bool,
    pub(crate) failed: bool,
}

impl Sample {
    pub(crate) fn new(nth: usize, verdict: Verdict) -> Self {
        Self {
            group: GROUP.into(),
            function: "3k_tokens".into(),
            concurrency: 5 * (nth + 1),
            verdict,
            has_base: !matches!(verdict, Verdict::New | Verdict::Incomparable),
            failed: verdict == Verdict::Invalid,
        }
    }

    fn id(&self) -> BenchmarkId {
        BenchmarkId::new(&self.function, self.concurrency)
    }

    /// Value of base, and how much larger head is.
    fn truth(&self, metric: &Metric) -> (f64, f64) {
        let concurrency = self.concurrency as f64;
        let worse = match self.verdict {
            Verdict::Regressed => WORSE,
            Verdict::Improved => -WORSE,
            _ => 0.012,
        };
        let latency = 4.1e6 * concurrency * (1.0 + concurrency / 40.0);
        let rate = 1e9 * concurrency / latency;
        match metric.id {
            "success_ratio" => (1.0, 0.0),
            "latency_p50" => (latency, worse),
            "latency_p90" => (1.3 * latency, worse),
            "latency_p99" => (1.9 * latency, worse),
            "throughput" => (rate, 1.0 / (1.0 + worse) - 1.0),
            "output_token_throughput" => (3000.0 * rate, 1.0 / (1.0 + worse) - 1.0),
            _ => (12_400.0, 0.0),
        }
    }

    fn metrics(&self) -> Vec<&'static Metric> {
        let ids = [
            "success_ratio",
            "latency_p50",
            "latency_p90",
            "latency_p99",
            "throughput",
            "lag",
            "output_token_throughput",
        ];
        let ids = ids.iter().filter(|id| !self.failed || **id == "success_ratio");
        ids.map(|id| metric(id).unwrap()).collect()
    }
}

fn estimate(value: f64, spread: f64) -> Estimate {
    let interval = (value * (1.0 - spread), value * (1.0 + spread));
    let method = Method::Launches(IntervalMethod::BootstrapT { values: LAUNCHES });
    Estimate { value, interval: Some(interval), method: Some(method) }
}

fn comparison(sample: &Sample, metric: &'static Metric) -> Comparison {
    let (base, larger) = sample.truth(metric);
    let spread = if sample.verdict == Verdict::Inconclusive { 0.17 } else { 0.041 };
    let by_counts = metric.judged == Judged::ByCounts;
    let change = match by_counts {
        true => Change { low: -0.0001, estimate: 0.0, high: 0.0002 },
        false => Change { low: larger - spread, estimate: larger, high: larger + spread },
    };
    Comparison {
        metric,
        judged: by_counts || ["latency_p50", "latency_p99", "throughput"].contains(&metric.id),
        base: Some(base),
        head: Some(base * (1.0 + larger)),
        change: Some(change),
        stage: Stage::Whole,
        p_adjusted: if sample.verdict == Verdict::Regressed { 0.0012 } else { 1.0 },
        verdict: if by_counts { Verdict::Unchanged } else { sample.verdict },
        reason: (sample.verdict == Verdict::Inconclusive && !by_counts).then_some(Reason::NotShown),
        method: Some(Method::StoredRuns {
            head: 1,
            base: 5,
            df: 8.0,
            is_one_launch: false,
            is_widened: false,
        }),
        margin: if by_counts { 0.001 } else { 0.05 },
        detectable: Some(if by_counts { 0.004 } else { 0.17 }),
        advice: (sample.verdict == Verdict::Inconclusive && metric.id == "latency_p99")
            .then_some(Advice::OtherDays),
    }
}

fn judged(sample: &Sample) -> CellJudgement {
    let p50 = metric("latency_p50").unwrap();
    let reason = match sample.verdict {
        Verdict::Unchanged => None,
        Verdict::Regressed | Verdict::Improved | Verdict::SeemsFaster | Verdict::Inconclusive => {
            Some(Reason::Comparison(p50))
        }
        Verdict::New => Some(Reason::NoBaseline),
        Verdict::Invalid => Some(Reason::TooManyFailures { side: Side::Head, ratio: 0.0, min: 0.95 }),
        Verdict::Incomparable => Some(Reason::MachineChanged("CPU Intel Xeon instead of AMD EPYC".into())),
    };
    let shown = |metric: &'static Metric| {
        let (base, larger) = sample.truth(metric);
        let spread = if metric.judged == Judged::ByCounts { 0.0 } else { 0.02 };
        let value = if sample.failed { 0.0 } else { base * (1.0 + larger) };
        Shown { metric, head: estimate(value, spread), base: sample.has_base.then(|| estimate(base, spread)) }
    };
    let compared = sample.has_base && !sample.failed;
    let metrics = sample.metrics();
    CellJudgement {
        id: CellId::new(&sample.group, sample.id()),
        verdict: sample.verdict,
        reason,
        comparisons: metrics.iter().filter(|_| compared).map(|metric| comparison(sample, metric)).collect(),
        limits: Vec::new(),
        values: metrics.iter().map(|metric| shown(metric)).collect(),
        fresh: Vec::new(),
        notes: Vec::new(),
    }
}

/// Latencies of a round whose p50, p90 and p99 are as told, and which doubles towards the end.
fn histogram(percentiles: [f64; 3]) -> Histogram {
    let [p50, p90, p99] = percentiles;
    let known = [(0.0, 0.6 * p50), (0.5, p50), (0.9, p90), (0.99, p99), (1.0, 2.0 * p99)];
    let mut histogram = LatencyHistogram::new();
    for nth in 0..REQUESTS_PER_ROUND {
        let share = (nth as f64 + 0.5) / REQUESTS_PER_ROUND as f64;
        let after = known.iter().position(|(of, _)| *of > share).unwrap();
        let ((from, low), (to, high)) = (known[after - 1], known[after]);
        let ns = low + (high - low) * (share - from) / (to - from);
        histogram.record(Duration::from_nanos(ns as u64));
    }
    histogram.to_sparse()
}

/// A round of head or base. Launches differ a little.
fn round(sample: &Sample, launch: usize, of_head: bool) -> Round {
    let launch_effect = 1.0 + 0.004 * ((launch * 3) % 10) as f64;
    let value = |metric: &'static Metric| {
        let (base, larger) = sample.truth(metric);
        launch_effect * if of_head { base * (1.0 + larger) } else { base }
    };
    let percentiles = ["latency_p50", "latency_p90", "latency_p99"].map(|id| value(metric(id).unwrap()));
    let mut counts =
        Counts { requests: REQUESTS_PER_ROUND, successes: REQUESTS_PER_ROUND, ..Counts::default() };
    if sample.failed {
        counts.successes = 0;
        counts.statuses.insert(429, REQUESTS_PER_ROUND - 4);
        counts.faults.insert(Fault::Status(429), REQUESTS_PER_ROUND - 4);
        counts.faults.insert(Fault::Timeout, 4);
    } else {
        counts.statuses.insert(200, REQUESTS_PER_ROUND);
    }
    Round {
        launch,
        started: Duration::from_secs(launch as u64),
        window: Duration::from_millis(333),
        counts,
        values: (sample.metrics().iter())
            .filter(|metric| metric.id.starts_with("latency_p"))
            .map(|metric| (metric.id, value(metric)))
            .collect(),
        latency: if sample.failed { Histogram::default() } else { histogram(percentiles) },
        failure_latency: Histogram::default(),
    }
}

fn run(samples: &[Sample], of_head: bool) -> Run {
    let cell = |sample: &Sample| {
        let group = Group::new(sample.group.clone(), Location::caller());
        let cell = Cell {
            id: CellId::new(sample.group.clone(), sample.id()),
            targets: Endpoint::get("http://127.0.0.1/").into(),
            load: Load::closed(sample.concurrency),
            throughput: None,
            location: Location::caller(),
            metrics: None,
        };
        let rounds = (0..LAUNCHES).map(|launch| round(sample, launch, of_head)).collect();
        CellRun { rounds, metrics: sample.metrics(), ..CellRun::planned(&group, &cell, &[]) }
    };
    let setup = [("kernel", "6.8"), ("rustc", "1.95.0"), ("profile", "release")];
    Run {
        id: "20261124T170012Z-abc1234".into(),
        bench: GROUP.into(),
        started: SystemTime::UNIX_EPOCH,
        elapsed: Duration::from_secs(83),
        environment: Environment {
            machine: Machine {
                arch: "x86_64".into(),
                os: "linux".into(),
                cpu: "AMD EPYC 7763".into(),
                cpus: 4,
                memory_gib: 16,
                is_virtual: true,
                loopback: true,
                test_bed: TestBed { id: Some("boot:here".into()), ..TestBed::default() },
            },
            setup: setup.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            commit: Some("abc1234".into()),
            tree: None,
            call: None,
            dirty: true,
            load: 0.21,
            condition: None,
        },
        cells: samples.iter().map(cell).collect(),
        epoch: None,
        is_filtered: false,
        control: None,
        base_ref: None,
        confirmations: Vec::new(),
        stop: None,
        confirmation: None,
    }
}

/// A run like the first one, some days later and a little slower.
fn stored(first: &Run, days: usize) -> Run {
    let mut run = first.clone();
    run.started += Duration::from_secs(86_400 * (20_000 + days as u64));
    run.id = format!("{}-{days}", first.id);
    run.environment.commit = Some(format!("abc123{days}"));
    for round in run.cells.iter_mut().flat_map(|cell| &mut cell.rounds) {
        round.values.values_mut().for_each(|value| *value *= 1.0 + 0.01 * (days % 3) as f64);
    }
    run
}

fn judgement(samples: &[Sample]) -> Judgement {
    let cells: Vec<_> = samples.iter().map(judged).collect();
    let tests = cells.iter().flat_map(|cell| &cell.comparisons).filter(|found| found.judged).count();
    Judgement { cells, tests, ..Judgement::default() }
}

pub(crate) fn samples(verdicts: &[Verdict]) -> Vec<Sample> {
    verdicts.iter().enumerate().map(|(nth, verdict)| Sample::new(nth, *verdict)).collect()
}

/// What a report is made of.
pub(crate) struct Sampled {
    pub(crate) bench: String,
    pub(crate) title: String,
    pub(crate) runs: Vec<Run>,
    pub(crate) baseline: Baseline,
    pub(crate) judgement: Judgement,
    pub(crate) options: ReportOptions,
}

impl Sampled {
    /// A cell for each verdict.
    pub(crate) fn new(verdicts: &[Verdict]) -> Self {
        Self::of(&samples(verdicts))
    }

    pub(crate) fn of(samples: &[Sample]) -> Self {
        Self {
            bench: GROUP.into(),
            title: GROUP.into(),
            runs: vec![run(samples, true)],
            // Of cells without base too.
            baseline: Baseline::of_runs(&[run(samples, false)]),
            judgement: judgement(samples),
            options: ReportOptions {
                plots: true,
                baseline: "main".into(),
                records: false,
                record_command: Some("cargo bench --bench tokenizer -- --save-baseline main".into()),
                duet_command: None,
                again_command: Some("cargo bench --bench tokenizer --".into()),
                fails: vec![Verdict::Regressed, Verdict::Invalid],
                accepts: false,
                failed: true,
                nothing_measured: None,
                overview: true,
            },
        }
    }

    /// Cells of several groups, functions and concurrencies, most of them unchanged, with 30 rounds each. The baseline has five runs,
    /// of which the last three began a new epoch.
    pub(crate) fn many(cells: usize) -> Self {
        const CONCURRENCIES: [usize; 6] = [1, 2, 5, 10, 20, 50];
        let sample = |nth: usize| Sample {
            group: format!("group {}", nth / 24),
            function: format!("function_{}", nth / CONCURRENCIES.len() % 4),
            concurrency: CONCURRENCIES[nth % CONCURRENCIES.len()],
            ..Sample::new(
                nth,
                match nth % 30 {
                    4 | 17 => Verdict::Regressed,
                    8 => Verdict::Improved,
                    11 | 12 => Verdict::Inconclusive,
                    21 => Verdict::Invalid,
                    _ => Verdict::Unchanged,
                },
            )
        };
        let mut sampled = Self::of(&(0..cells).map(sample).collect::<Vec<_>>());
        for cell in &mut sampled.runs[0].cells {
            cell.rounds = cell.rounds.iter().flat_map(|round| [0, 1, 2].map(|_| round.clone())).collect();
        }
        sampled.store(5);
        sampled
    }

    /// Gives the baseline this number of runs of successive days. The last three are a new epoch.
    pub(crate) fn store(&mut self, runs: usize) {
        let first = self.baseline.runs.remove(0);
        self.baseline.runs = (0..runs).map(|nth| stored(&first, nth)).collect();
        let Some(begins) = runs.checked_sub(3).and_then(|place| self.baseline.runs.get(place)) else {
            return;
        };
        let epoch = Epoch { reason: Some("TLS was turned on".into()), ..Epoch::of(begins) };
        for (nth, run) in self.baseline.runs.iter_mut().rev().take(3).enumerate() {
            run.epoch = Some(Epoch { reason: epoch.reason.clone().filter(|_| nth == 2), ..epoch.clone() });
        }
    }

    /// A duet of two cells. The first looked slower in p50 and was confirmed in one analysis, the second looked slower in p99 and was
    /// not measured again.
    pub(crate) fn duet() -> Self {
        let mut sampled = Self::new(&[Verdict::Regressed, Verdict::Inconclusive]);
        let Self { runs, judgement, .. } = &mut sampled;
        for comparison in judgement.cells.iter_mut().flat_map(|cell| &mut cell.comparisons) {
            comparison.stage = Stage::Screened;
        }
        let screening = Some(Change { low: 0.1, estimate: 0.3, high: 0.5 });
        let (p50, p99) = (metric("latency_p50").unwrap(), metric("latency_p99").unwrap());
        let first = &mut judgement.cells[0];
        let found = first.comparisons.iter_mut().find(|found| found.metric == p50).unwrap();
        found.stage = Stage::Confirmed { analysis: 1, analyses: 3, pairs: 10, screening, screened_by: None };
        let estimate = |value: f64| Estimate { value, interval: None, method: None };
        first.fresh = vec![Shown { metric: p50, head: estimate(40e6), base: Some(estimate(32.5e6)) }];
        let candidate = |place: usize, metric: &'static Metric| Candidate {
            cell: judgement.cells[place].id.clone(),
            metric,
            slower: true,
            open: place == 1,
            analysis: usize::from(place == 0),
        };
        judgement.candidates = vec![candidate(0, p50), candidate(1, p99)];
        let run = &mut runs[0];
        run.confirmation = Some(Confirmation::default());
        run.cells.iter_mut().for_each(|cell| cell.base = cell.rounds.clone());
        run.confirmations = vec![vec![run.cells[0].clone()]];
        sampled
    }

    /// Gives the first cell another name.
    pub(crate) fn rename(&mut self, name: &str) {
        let id = CellId::new(name, BenchmarkId::new(name, 5));
        self.bench = name.to_owned();
        self.judgement.cells[0].id = id.clone();
        self.runs.iter_mut().for_each(|run| run.cells[0].id = id.clone());
    }

    pub(crate) fn report(&self) -> Report<'_> {
        let Self { bench, title, runs, baseline, judgement, options } = self;
        Report { bench, title, runs, baseline, judgement, options }
    }
}
