//! Rounds that are simulated once, request by request, and drawn from by every call: what the machine does to a round later multiplies
//! all of its requests, and so its percentiles.

use std::time::Duration;

use crate::calibrate::luck::Luck;
use crate::calibrate::world::{Shape, Tail};
use crate::record::{Judged, METRICS, Metric, Tally};

/// Requests in flight of each simulated cell.
pub(super) const CONCURRENCY: usize = 10;
/// How long each round's window is open.
pub(super) const WINDOW: Duration = Duration::from_millis(333);
/// The median of the usual path.
pub(super) const MEDIAN_NS: f64 = 1e6;

/// Spread of the usual path, as an sd of logs: a quarter of its requests take a quarter longer than the median.
const SPREAD: f64 = 0.35;
const LONG_PATH_SHARE: f64 = 0.03;
const LONG_PATH: f64 = 5.0;
const PARETO_EXPONENT: f64 = 1.5;
const PAUSED_ROUNDS: f64 = 0.1;
/// A pause hits the requests in flight; it lasts up to so many medians, a tenth of a round.
const LONGEST_PAUSE: f64 = 5.0;

/// One simulated round.
#[derive(Debug, Clone)]
pub(super) struct BankedRound {
    /// The values of its metrics, in the order of [`Bank::metrics`].
    pub values: Vec<f64>,
    /// Its latencies in nanoseconds.
    pub latencies_ns: Vec<f32>,
}

/// Rounds of one shape.
#[derive(Debug)]
pub(super) struct Bank {
    /// What each round has: the tails for which it has requests enough.
    pub metrics: Vec<&'static Metric>,
    /// The rounds.
    pub rounds: Vec<BankedRound>,
}

impl Bank {
    /// So many rounds of that shape.
    pub fn new(shape: Shape, rounds: usize, seed: u64) -> Self {
        let metrics = judged(shape.requests as u64);
        let mut luck = Luck::new(seed);
        let mut tally = Tally::default();
        let rounds = (0..rounds).map(|_| round(shape, &metrics, &mut luck, &mut tally)).collect();
        Self { metrics, rounds }
    }
}

/// What is judged of rounds with so many successes.
fn judged(successes: u64) -> Vec<&'static Metric> {
    let has = |metric: &&Metric| successes >= metric.least_successes;
    let of = |kind: Judged| METRICS.iter().filter(move |metric| metric.judged == kind).filter(has);
    of(Judged::Always).chain(of(Judged::HighestTail).next_back()).collect()
}

/// Counts a round as `measure` would, and takes its values as `record` does.
fn round(shape: Shape, metrics: &[&Metric], luck: &mut Luck, tally: &mut Tally) -> BankedRound {
    let latencies = latencies(shape, luck);
    tally.clear();
    tally.window = WINDOW;
    tally.counts.requests = latencies.len() as u64;
    tally.counts.successes = tally.counts.requests;
    for latency in &latencies {
        tally.latency.record(Duration::from_nanos(*latency as u64));
    }
    // A closed loop: each of its workers has the next request on its way when the last has come back.
    let mean = latencies.iter().sum::<f64>() / latencies.len() as f64;
    tally.successes_in_window = CONCURRENCY as f64 * WINDOW.as_nanos() as f64 / mean;
    BankedRound {
        values: metrics.iter().filter_map(|metric| (metric.value)(tally)).collect(),
        latencies_ns: latencies.iter().map(|latency| *latency as f32).collect(),
    }
}

fn latencies(shape: Shape, luck: &mut Luck) -> Vec<f64> {
    let mut latencies: Vec<f64> =
        (0..shape.requests).map(|_| MEDIAN_NS * service_time(shape, luck)).collect();
    if shape.bursts && luck.happens(PAUSED_ROUNDS) {
        let pause = LONGEST_PAUSE * luck.even() * MEDIAN_NS;
        let first = luck.below(shape.requests);
        latencies.iter_mut().skip(first).take(CONCURRENCY).for_each(|latency| *latency += pause);
    }
    latencies
}

fn service_time(shape: Shape, luck: &mut Luck) -> f64 {
    let slower = 1.0 + f64::from(shape.slower_tail_percent) / 100.0;
    match shape.tail {
        Tail::Usual if luck.happens(LONG_PATH_SHARE) => slower * LONG_PATH * luck.normal(SPREAD).exp(),
        Tail::Usual => luck.normal(SPREAD).exp(),
        Tail::Heavy => {
            let time = (1.0 - luck.even()).powf(-1.0 / PARETO_EXPONENT);
            let is_tail = time > LONG_PATH;
            if is_tail { slower * time } else { time }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::world::QUIET;
    use crate::stats::describe::mean;

    fn log_mean(bank: &Bank, id: &str) -> f64 {
        let at = bank.metrics.iter().position(|metric| metric.id == id).unwrap();
        let logs: Vec<f64> = bank.rounds.iter().map(|round| round.values[at].ln()).collect();
        mean(&logs).unwrap()
    }

    #[test]
    fn a_slower_long_path_moves_the_tail_by_as_much_and_the_median_not_at_all() {
        let slower = Shape { slower_tail_percent: 15, ..QUIET.shape };
        let (usual, slower) = (Bank::new(QUIET.shape, 1_000, 1), Bank::new(slower, 1_000, 1));
        let change = |id| (log_mean(&slower, id) - log_mean(&usual, id)).exp_m1();
        assert!((change("latency_p99") - 0.15).abs() < 0.02, "{}", change("latency_p99"));
        assert!(change("latency_p50").abs() < 0.005, "{}", change("latency_p50"));
    }

    #[test]
    fn a_round_has_the_tails_that_it_has_requests_for() {
        let ids = |requests| -> Vec<&str> {
            let bank = Bank::new(Shape { requests, ..QUIET.shape }, 1, 1);
            bank.metrics.iter().map(|metric| metric.id).collect()
        };
        assert_eq!(ids(60), ["latency_p50", "throughput", "latency_p90"]);
        assert_eq!(ids(500), ["latency_p50", "throughput", "latency_p99"]);
    }
}
