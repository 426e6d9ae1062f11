//! One simulated call, from the rounds to the verdicts, and what is counted of it. No other file of `calibrate` uses `judge`.
//!
//! The rounds of a scenario are simulated once, request by request, and put into a [`Pool`]. A call draws from it in the order in
//! which `measure` takes rounds. The machine multiplies all latencies of a round, and therefore its percentiles.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::{Duration, SystemTime};

use crate::calibrate::world::{Case, Change, Requests, Rng, Scenario, ServiceTimes, Setup};
use crate::judge::{Comparison, Depth, Judgement, Stage, Verdict, judge};
use crate::parallel;
use crate::plan::{BenchmarkId, CellId, Confirmation, Load, Settings};
use crate::record::{
    BaseRef, Baseline, Better, CellRun, Control, Counts, Environment, Judged, METRICS, Machine, Metric,
    Round, Run, Tally, TestBed,
};
use crate::stats::proportion::lower_limit;

const CONCURRENCY: usize = 10;
const WINDOW: Duration = Duration::from_millis(333);
const MEDIAN_NS: f64 = 1e6;

/// Sd of the logarithms of log-normal service times.
const SERVICE_TIME_SD: f64 = 0.35;
const SLOW_PATH_SHARE: f64 = 0.03;
const SLOW_PATH: f64 = 5.0;
const PARETO_EXPONENT: f64 = 1.5;
const PAUSED_ROUNDS: f64 = 0.1;
/// In medians. A pause of this length takes a tenth of a round.
const LONGEST_PAUSE: f64 = 5.0;
/// Sd of the logarithm of a launch's share of failures.
const FAILURES_SD: f64 = 0.5;

const GROUP: &str = "simulated";
/// Resamples of a displayed interval. No test depends on them.
const RESAMPLES: usize = 1_000;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Simulated rounds with the same kind of requests.
#[derive(Debug)]
pub(super) struct Pool {
    requests: u64,
    /// The judged metrics, of the tails the highest that the rounds have.
    metrics: Vec<&'static Metric>,
    /// The values of these metrics in each round.
    rounds: Vec<Vec<f64>>,
}

pub(super) type Pools = BTreeMap<Requests, Pool>;

/// The pools that the scenarios need, with `rounds` rounds each.
pub(super) fn pools(scenarios: &[Scenario], rounds: usize, seed: u64) -> Pools {
    let both_sides = |scenario: &Scenario| {
        [Change::None, Change::SlowerTail(15)].map(|change| change.requests(0, scenario.requests))
    };
    let requests: BTreeSet<Requests> = scenarios.iter().flat_map(both_sides).collect();
    let requests: Vec<Requests> = requests.into_iter().collect();
    let simulated =
        parallel::map(requests, parallel::cores(), |requests| (requests, Pool::new(requests, rounds, seed)));
    simulated.into_iter().collect()
}

impl Pool {
    fn new(requests: Requests, rounds: usize, seed: u64) -> Self {
        let has_enough = |metric: &&Metric| requests.count as u64 >= metric.least_successes;
        let of_kind =
            |kind: Judged| METRICS.iter().filter(move |metric| metric.judged == kind).filter(has_enough);
        let metrics: Vec<&Metric> =
            of_kind(Judged::Always).chain(of_kind(Judged::HighestTail).next_back()).collect();
        let (mut rng, mut tally) = (Rng::new(seed), Tally::default());
        let mut values = || {
            count_requests(requests, &mut rng, &mut tally);
            metrics.iter().filter_map(|metric| metric.value(&tally)).collect()
        };
        let rounds = (0..rounds).map(|_| values()).collect();
        Self { requests: requests.count as u64, metrics, rounds }
    }

    /// A round of the pool with latencies multiplied by `factor`, in which `failures` requests fail.
    fn round(&self, drawn: usize, factor: f64, failures: u64, scenario: &Scenario) -> Round {
        let requests = self.requests;
        let successes = requests - failures.min(requests);
        let success_ratio = successes as f64 / requests as f64;
        let step_ns = scenario.latency_step * MEDIAN_NS;
        let value = |metric: &Metric, pooled: f64| match metric.better {
            Better::Higher => pooled / factor * success_ratio,
            Better::Lower if step_ns == 0.0 => pooled * factor,
            Better::Lower => (pooled * factor / step_ns).ceil() * step_ns,
        };
        let values = self.metrics.iter().zip(&self.rounds[drawn]);
        Round {
            window: WINDOW,
            counts: Counts { requests, successes, ..Counts::default() },
            values: values.map(|(metric, pooled)| (metric.id, value(metric, *pooled))).collect(),
            ..Round::default()
        }
    }
}

/// Fills `tally` with the requests of one round.
fn count_requests(requests: Requests, rng: &mut Rng, tally: &mut Tally) {
    let mut latencies: Vec<f64> =
        (0..requests.count).map(|_| MEDIAN_NS * service_time(requests, rng)).collect();
    if requests.bursts && rng.chance(PAUSED_ROUNDS) {
        let pause = LONGEST_PAUSE * rng.plain.f64() * MEDIAN_NS;
        let first = rng.plain.usize(..requests.count);
        latencies.iter_mut().skip(first).take(CONCURRENCY).for_each(|latency| *latency += pause);
    }
    tally.clear();
    tally.window = WINDOW;
    tally.counts.requests = requests.count as u64;
    tally.counts.successes = tally.counts.requests;
    for latency in &latencies {
        tally.latency.record(Duration::from_nanos(*latency as u64));
    }
    // In a closed loop each worker sends its next request when a response is back.
    let mean = latencies.iter().sum::<f64>() / latencies.len() as f64;
    tally.successes_in_window = CONCURRENCY as f64 * WINDOW.as_nanos() as f64 / mean;
}

/// In medians.
fn service_time(requests: Requests, rng: &mut Rng) -> f64 {
    let slower = 1.0 + f64::from(requests.slower_tail_percent) / 100.0;
    match requests.service_times {
        ServiceTimes::LogNormal if rng.chance(SLOW_PATH_SHARE) => {
            slower * SLOW_PATH * rng.normal(SERVICE_TIME_SD).exp()
        }
        ServiceTimes::LogNormal => rng.normal(SERVICE_TIME_SD).exp(),
        ServiceTimes::Pareto => {
            let time = (1.0 - rng.plain.f64()).powf(-1.0 / PARETO_EXPONENT);
            if time > SLOW_PATH { slower * time } else { time }
        }
    }
}

/// The machine at one moment of a run.
struct MachineState {
    load: f64,
    /// The logarithm of the machine's slow-down from the start of the run to its end.
    drift: f64,
    passed_rounds: usize,
    rounds: usize,
}

impl MachineState {
    /// The logarithm of what the machine does to the next round: an autoregression of order one with constant variance, and drift.
    fn advance(&mut self, scenario: &Scenario, rng: &mut Rng) -> f64 {
        let innovation = rng.normal(scenario.machine_load * (1.0 - scenario.autocorrelation.powi(2)).sqrt());
        self.load = scenario.autocorrelation * self.load + innovation;
        let drift = self.drift * self.passed_rounds as f64 / self.rounds as f64;
        self.passed_rounds += 1;
        self.load + drift
    }
}

#[derive(Clone, Copy)]
struct Launch {
    effect: f64,
    failure_share: f64,
}

impl Launch {
    fn new(scenario: &Scenario, rng: &mut Rng) -> Self {
        let mode = if scenario.two_modes > 0.0 && rng.chance(0.5) { scenario.two_modes } else { 0.0 };
        let failure_share =
            if scenario.failures > 0.0 { scenario.failures * rng.normal(FAILURES_SD).exp() } else { 0.0 };
        Self { effect: rng.normal(scenario.launch_effect) + mode, failure_share }
    }
}

/// Simulates the rounds of some cells in one run. In each launch the cells are in random order, in a duet also the two sides of each
/// pair. `sitting` is the logarithm of what the state of the machine does.
fn measure(case: &Case, cells: &[usize], pools: &Pools, sitting: f64, rng: &mut Rng) -> Vec<CellRun> {
    let Case { scenario, setup, change } = case;
    let is_duet = setup.is_duet();
    let rounds = setup.launches * setup.rounds * (1 + usize::from(is_duet));
    let mut machine = MachineState {
        load: rng.normal(scenario.machine_load),
        drift: rng.normal(scenario.drift),
        passed_rounds: 0,
        rounds: rounds * cells.len(),
    };
    let half = scenario.run_effect * 0.5_f64.sqrt();
    let common = rng.normal(half);
    let run_effects: Vec<f64> = cells
        .iter()
        .map(|_| common + rng.normal(half) + sitting * (1.0 + rng.normal(scenario.answers_differ)))
        .collect();
    let settings = settings();
    let empty = |cell: &usize| empty_cell(*cell, &pools[&scenario.requests], &settings);
    let mut measured: Vec<CellRun> = cells.iter().map(empty).collect();
    let mut order: Vec<usize> = (0..cells.len()).collect();
    for launch in 0..setup.launches {
        let launches: Vec<[Launch; 2]> =
            cells.iter().map(|_| [Launch::new(scenario, rng), Launch::new(scenario, rng)]).collect();
        for _ in 0..setup.rounds {
            rng.plain.shuffle(&mut order);
            for &at in &order {
                let base_first = is_duet && rng.chance(0.5);
                let mut round = |change: Change, Launch { effect, failure_share }: Launch| {
                    let pool = &pools[&change.requests(cells[at], scenario.requests)];
                    let log_factor = change.log_factor(cells[at])
                        + effect
                        + run_effects[at]
                        + machine.advance(scenario, rng)
                        + rng.normal(scenario.round_noise);
                    let failures = rng.poisson(failure_share * pool.requests as f64);
                    let drawn = rng.plain.usize(..pool.rounds.len());
                    Round { launch, ..pool.round(drawn, log_factor.exp(), failures, scenario) }
                };
                let [base, head] = launches[at];
                if base_first {
                    measured[at].base.push(round(Change::None, base));
                }
                measured[at].rounds.push(round(*change, head));
                if is_duet && !base_first {
                    measured[at].base.push(round(Change::None, base));
                }
            }
        }
    }
    measured
}

fn cell_id(cell: usize) -> CellId {
    CellId::new(GROUP, BenchmarkId::new("cell", cell))
}

fn empty_cell(cell: usize, pool: &Pool, settings: &Settings) -> CellRun {
    CellRun {
        id: cell_id(cell),
        about: None,
        load: Load::closed(CONCURRENCY),
        throughput: None,
        definition: "simulated".to_owned(),
        source: None,
        metrics: pool.metrics.clone(),
        settings: settings.clone(),
        rounds: Vec::new(),
        base: Vec::new(),
        base_failure: None,
        invalid: None,
        notes: Vec::new(),
    }
}

fn settings() -> Settings {
    Settings {
        sample_size: 30,
        measurement_time: WINDOW * 30,
        min_success_ratio: 0.5,
        nresamples: RESAMPLES,
        ..Settings::default()
    }
}

/// A run that started on this day. Each run of a call is a separate sitting.
fn run(cells: Vec<CellRun>, day: u32, confirmation: Option<Confirmation>) -> Run {
    Run {
        id: format!("simulated-on-day-{day}"),
        bench: GROUP.to_owned(),
        started: SystemTime::UNIX_EPOCH + DAY * day,
        elapsed: Duration::ZERO,
        environment: Environment { machine: machine(), ..Environment::default() },
        cells,
        epoch: None,
        control: None,
        is_filtered: false,
        base_ref: None,
        confirmations: Vec::new(),
        stop: None,
        confirmation,
    }
}

fn machine() -> Machine {
    Machine {
        arch: "simulated".to_owned(),
        os: "simulated".to_owned(),
        cpu: "simulated".to_owned(),
        cpus: 2,
        memory_gib: 4,
        test_bed: TestBed { id: Some("boot:here".into()), ..TestBed::default() },
        ..Machine::default()
    }
}

/// A judged call.
#[derive(Debug)]
pub(super) struct Call {
    pub judgement: Judgement,
    /// Rounds of all measurements of head.
    rounds: usize,
    /// Rounds of the first measurement of head.
    first_rounds: usize,
}

/// Simulates and judges one call.
pub(super) fn call(case: &Case, pools: &Pools, rng: &mut Rng) -> Call {
    if case.setup.is_duet() {
        return duet(case, pools, rng);
    }
    let Setup { stored_runs, head_runs, .. } = case.setup;
    let cells: Vec<usize> = (0..case.scenario.cells).collect();
    let mut simulate = |days: Range<u32>, change: Change| -> Vec<Run> {
        let simulated = days.map(|day| {
            let sitting = rng.normal(case.scenario.sitting_effect);
            let cells = measure(&Case { change, ..*case }, &cells, pools, sitting, rng);
            Run { control: Some(control(&case.scenario, sitting, rng)), ..run(cells, day, None) }
        });
        simulated.collect()
    };
    let stored = simulate(0..stored_runs, Change::None);
    let mut head = simulate(stored_runs..stored_runs + head_runs, case.change);
    let baseline = Baseline::of_runs(&stored);
    let rounds = case.setup.launches * case.setup.rounds * cells.len() * head.len();
    if case.setup.confirms {
        let mut run = head.remove(0);
        let epoch = stored.first().map(|first| first.id.clone());
        let cells = cells.iter().map(|cell| cell_id(*cell).to_string()).collect();
        run.base_ref = Some(BaseRef { epoch, cells, ..BaseRef::default() });
        return confirm(case, &baseline, run, rounds, pools, rng);
    }
    let judgement = judge(&baseline, &head, Depth::Verdicts);
    Call { judgement, rounds, first_rounds: rounds }
}

/// The control's figures in a run.
fn control(scenario: &Scenario, sitting: f64, rng: &mut Rng) -> Control {
    const LAUNCHES: usize = 20;
    const PER_SECOND: f64 = 5_000.0;
    let noise = scenario.control_noise * (LAUNCHES as f64).sqrt();
    let mut figure = || (0..LAUNCHES).map(|_| PER_SECOND * (rng.normal(noise) - sitting).exp()).collect();
    let figures = ["multiply", "hash"].map(|name| (name.to_owned(), figure()));
    Control { identity: "simulated".to_owned(), figures: figures.into() }
}

/// The screening, and the interim analyses of its candidates with one pair per launch, as a session measures them.
fn duet(case: &Case, pools: &Pools, rng: &mut Rng) -> Call {
    let all: Vec<usize> = (0..case.scenario.cells).collect();
    let run = run(measure(case, &all, pools, 0.0, rng), 0, None);
    let rounds = case.setup.launches * case.setup.rounds * all.len();
    confirm(case, &Baseline::default(), run, rounds, pools, rng)
}

/// Decides a screened run, of `first_rounds` rounds of head, by fresh pairs.
fn confirm(
    case: &Case,
    baseline: &Baseline,
    mut run: Run,
    first_rounds: usize,
    pools: &Pools,
    rng: &mut Rng,
) -> Call {
    let confirmation = Confirmation::default();
    run.confirmation = Some(confirmation.clone());
    let judged = |run: &Run| judge(baseline, std::slice::from_ref(run), Depth::Verdicts);
    let all: Vec<usize> = (0..case.scenario.cells).collect();
    let mut rounds = first_rounds;
    let mut judgement = judged(&run);
    for analysis in 1..=confirmation.analyses() {
        let open = judgement.open_candidates(false);
        let is_open = |cell: &usize| open.contains(&cell_id(*cell));
        let cells: Vec<usize> = all.iter().copied().filter(is_open).collect();
        if cells.is_empty() {
            break;
        }
        let pairs = confirmation.pairs_of(analysis);
        rounds += pairs * cells.len();
        let again =
            Case { setup: Setup { stored_runs: 0, launches: pairs, rounds: 1, ..case.setup }, ..*case };
        run.confirmations.push(measure(&again, &cells, pools, 0.0, rng));
        judgement = judged(&run);
    }
    Call { judgement, rounds, first_rounds }
}

/// A number of events in a number of trials.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Proportion {
    pub hits: u64,
    pub trials: u64,
}

impl Proportion {
    pub fn count(&mut self, hit: bool) {
        self.add(Self { hits: u64::from(hit), trials: 1 });
    }

    pub fn add(&mut self, other: Self) {
        self.hits += other.hits;
        self.trials += other.trials;
    }

    pub fn share(self) -> Option<f64> {
        (self.trials > 0).then(|| self.hits as f64 / self.trials as f64)
    }

    pub fn lower_limit(self, tail: f64) -> f64 {
        lower_limit(self.hits as f64, self.trials as f64, tail)
    }

    pub fn upper_limit(self, tail: f64) -> f64 {
        1.0 - Self { hits: self.trials - self.hits, ..self }.lower_limit(tail)
    }
}

/// Counts over calls with the same truth.
#[derive(Debug, Clone, Default)]
pub(super) struct CallCounts {
    /// Calls in which an unchanged cell regressed.
    pub false_alarms: Proportion,
    /// Calls in which the changed cell regressed, or if all are changed any cell. Only calls in which something was compared.
    pub found: Proportion,
    /// Calls in which something was compared.
    pub judged: Proportion,
    /// Calls in which a cell looked slower in the screening, of those in which something was compared.
    pub candidates: Proportion,
    /// Intervals of the first measurement that held the true change, by metric. Only in unchanged calls.
    pub coverage: BTreeMap<&'static str, Proportion>,
    /// Intervals of confirmations that held the true change.
    pub confirmation_coverage: Proportion,
    pub rounds: usize,
    pub first_rounds: usize,
}

impl CallCounts {
    pub fn count(&mut self, case: &Case, call: &Call) {
        let is_unchanged = case.change == Change::None;
        let mut false_alarm = false;
        let is_judged = !call.judgement.compared_nothing();
        self.judged.count(is_judged);
        if is_judged {
            self.candidates.count(call.judgement.candidates.iter().any(|candidate| candidate.slower));
        }
        if matches!(case.change, Change::AllSlower(_)) {
            if is_judged {
                self.found.count(call.judgement.count(Verdict::Regressed) > 0);
            }
            self.rounds += call.rounds;
            self.first_rounds += call.first_rounds;
            return;
        }
        for (cell, judged) in call.judgement.cells.iter().enumerate() {
            let regressed = judged.verdict == Verdict::Regressed;
            if cell == 0 && !is_unchanged {
                if is_judged {
                    self.found.count(regressed);
                }
            } else {
                false_alarm |= regressed;
            }
            for comparison in judged.comparisons.iter().filter(|comparison| !comparison.is_difference()) {
                self.count_intervals(case, cell, comparison);
            }
        }
        if is_judged {
            self.false_alarms.count(false_alarm);
        }
        self.rounds += call.rounds;
        self.first_rounds += call.first_rounds;
    }

    fn count_intervals(&mut self, case: &Case, cell: usize, comparison: &Comparison) {
        // The effect of a slower tail on the mean is not known, nor the effect of rounding on a change.
        let is_known = match case.change {
            Change::None => true,
            Change::Slower(_) => case.scenario.latency_step == 0.0,
            Change::SlowerTail(_) => case.scenario.latency_step == 0.0 && cell > 0,
            Change::AllSlower(_) => false,
        };
        let log_factor = case.change.log_factor(cell);
        let truth = match comparison.metric.better {
            Better::Lower => log_factor.exp_m1(),
            Better::Higher => (-log_factor).exp_m1(),
        };
        let (first, confirmation) = match comparison.stage {
            Stage::Confirmed { screening, .. } => (screening, comparison.change),
            Stage::Whole | Stage::Screened => (comparison.change, None),
        };
        if let Some(shown) = first.filter(|_| case.change == Change::None) {
            let counted = self.coverage.entry(comparison.metric.id).or_default();
            counted.count(shown.low <= truth && truth <= shown.high);
        }
        if let Some(shown) = confirmation.filter(|_| is_known) {
            self.confirmation_coverage.count(shown.low <= truth && truth <= shown.high);
        }
    }

    pub fn add(&mut self, other: &Self) {
        self.false_alarms.add(other.false_alarms);
        self.found.add(other.found);
        self.judged.add(other.judged);
        self.candidates.add(other.candidates);
        for (metric, counted) in &other.coverage {
            self.coverage.entry(metric).or_default().add(*counted);
        }
        self.confirmation_coverage.add(other.confirmation_coverage);
        self.rounds += other.rounds;
        self.first_rounds += other.first_rounds;
    }

    /// All rounds divided by the rounds of the first measurements.
    pub fn cost(&self) -> f64 {
        self.rounds as f64 / self.first_rounds.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::world::{QUIET, QUIET_MACHINE, SCREENED};
    use crate::stats::describe::{mean, sample_variance};
    use crate::stats::series::lag1_autocorrelation;

    const ONE_CELL: Scenario = Scenario { cells: 1, ..QUIET };

    /// One cell whose rounds differ only by what the machine and the launches do.
    fn measured(
        scenario: &Scenario,
        change: Change,
        launches: usize,
        rounds: usize,
        is_duet: bool,
    ) -> CellRun {
        let setup =
            Setup { stored_runs: u32::from(!is_duet), head_runs: 1, launches, rounds, confirms: false };
        let case = Case { scenario: *scenario, setup, change };
        let pools = pools(&[*scenario], 1, 1);
        measure(&case, &[0], &pools, 0.0, &mut Rng::new(5)).remove(0)
    }

    fn log_medians(rounds: &[Round]) -> Vec<f64> {
        rounds.iter().map(|round| round.values["latency_p50"].ln()).collect()
    }

    #[test]
    fn the_load_of_the_machine_is_correlated_and_common_to_both_sides_of_a_pair() {
        let scenario = Scenario { machine_load: 0.05, autocorrelation: 0.5, ..ONE_CELL };
        let head = log_medians(&measured(&scenario, Change::None, 4_000, 1, false).rounds);
        assert!((lag1_autocorrelation(&head).unwrap().value - 0.5).abs() < 0.05);
        assert!((sample_variance(&head).unwrap().sqrt() - 0.05).abs() < 0.005);
        let cell = measured(&scenario, Change::None, 4_000, 1, true);
        let (base, head) = (log_medians(&cell.base), log_medians(&cell.rounds));
        let differences: Vec<f64> = head.iter().zip(base).map(|(head, base)| head - base).collect();
        // The variance between neighbors is 2 · 0.05² · (1 - 0.5). The random order within pairs removes the correlation.
        assert!((sample_variance(&differences).unwrap().sqrt() - 0.05).abs() < 0.005);
        assert!(lag1_autocorrelation(&differences).unwrap().value.abs() < 0.1);
    }

    #[test]
    fn a_launch_effect_holds_for_all_rounds_of_a_launch_and_a_change_for_head_alone() {
        let scenario = Scenario { launch_effect: 0.02, ..ONE_CELL };
        let cell = measured(&scenario, Change::Slower(10), 2_000, 2, true);
        let (base, head) = (log_medians(&cell.base), log_medians(&cell.rounds));
        for launch in base.chunks(2) {
            assert_eq!(launch[0], launch[1]);
        }
        assert!((mean(&head).unwrap() - mean(&base).unwrap() - 1.1_f64.ln()).abs() < 0.002);
        assert!((sample_variance(&base).unwrap().sqrt() - 0.02).abs() < 0.001);
    }

    #[test]
    fn a_slower_slow_path_moves_the_tail_by_as_much_and_the_median_not_at_all() {
        let mean_log = |requests, id: &str| {
            let pool = Pool::new(requests, 1_000, 1);
            let at = pool.metrics.iter().position(|metric| metric.id == id).unwrap();
            let logs: Vec<f64> = pool.rounds.iter().map(|values| values[at].ln()).collect();
            mean(&logs).unwrap()
        };
        let slower = Change::SlowerTail(15).requests(0, QUIET.requests);
        let change = |id| (mean_log(slower, id) - mean_log(QUIET.requests, id)).exp_m1();
        assert!((change("latency_p99") - 0.15).abs() < 0.02, "{}", change("latency_p99"));
        assert!(change("latency_p50").abs() < 0.005, "{}", change("latency_p50"));
    }

    #[test]
    fn a_round_has_the_highest_tail_that_it_has_requests_for() {
        let ids = |count| -> Vec<&str> {
            let pool = Pool::new(Requests { count, ..QUIET.requests }, 1, 1);
            pool.metrics.iter().map(|metric| metric.id).collect()
        };
        assert_eq!(ids(60), ["latency_p50", "throughput", "latency_p90"]);
        assert_eq!(ids(500), ["latency_p50", "throughput", "latency_p99"]);
    }

    #[test]
    fn confidence_limits_are_the_exact_ones_of_published_tables() {
        // Clopper & Pearson 1934: 0 of 10 and 3 of 10 at 95%.
        let limits = |hits, trials| {
            let counted = Proportion { hits, trials };
            (counted.lower_limit(0.025), counted.upper_limit(0.025))
        };
        let (low, high) = limits(0, 10);
        assert!(low == 0.0 && (high - 0.308_5).abs() < 1e-4, "{high}");
        let (low, high) = limits(3, 10);
        assert!((low - 0.066_7).abs() < 1e-4 && (high - 0.652_5).abs() < 1e-4, "{low} {high}");
        assert_eq!(limits(5, 5).1, 1.0);
    }

    #[test]
    fn stored_runs_that_screen_confirm_a_slower_cell() {
        let case = Case { scenario: QUIET_MACHINE, setup: SCREENED, change: Change::Slower(20) };
        let call = call(&case, &pools(&[QUIET_MACHINE], 40, 1), &mut Rng::new(1));
        let slower = &call.judgement.cells[0];
        assert_eq!(slower.verdict, Verdict::Regressed);
        let is_confirmed = |found: &Comparison| matches!(found.stage, Stage::Confirmed { .. });
        assert!(slower.comparisons.iter().any(is_confirmed) && call.rounds > call.first_rounds);
    }

    #[test]
    fn runs_of_a_call_start_on_different_days() {
        let started = |day| run(Vec::new(), day, None).started;
        assert_eq!(started(1).duration_since(started(0)).unwrap(), DAY);
    }
}
