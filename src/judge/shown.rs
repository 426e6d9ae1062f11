//! Values with their intervals, for tables and charts. No verdict depends on them.

use crate::judge::launch::{Centring, RunValue, TRIM, reduce};
use crate::judge::verdict::Estimate;
use crate::record::Metric;
use crate::stats::describe::mean;
use crate::stats::interval::{Interval, Method, mean_interval, t_interval, trimmed_interval};

/// How intervals of values are made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Precision {
    /// Their confidence.
    pub confidence: f64,
    /// Resamples of a bootstrap.
    pub nresamples: usize,
    /// Its seed.
    pub seed: u64,
}

/// The value of a metric over runs: over the launches of a single run, over the values of several.
///
/// Where a value is zero there are no logs, and launches are plain means.
pub(super) fn estimate(runs: &[&Vec<Vec<f64>>], metric: &Metric, precision: Precision) -> Option<Estimate> {
    let reduced: Option<Vec<RunValue>> = runs.iter().map(|rounds| reduce(rounds, metric.centre)).collect();
    let Some(reduced) = reduced else { return of_plain_values(runs, precision) };
    let (found, one, many) = match &reduced[..] {
        [] => return None,
        [run] => (over_launches(run, precision)?, "launch", "launches"),
        several => {
            let logs: Vec<f64> = several.iter().map(|run| run.log).collect();
            (t_interval(&logs, precision.confidence)?, "run", "runs")
        }
    };
    Some(told(found, f64::exp, found.method.describe(one, many)))
}

fn over_launches(run: &RunValue, precision: Precision) -> Option<Interval> {
    let Precision { confidence, nresamples, seed } = precision;
    let found = match run.centring {
        Centring::Trimmed => trimmed_interval(&run.launches, TRIM, confidence),
        _ => mean_interval(&run.launches, confidence, nresamples, seed),
    };
    Some(run.widen(found?, confidence))
}

fn of_plain_values(runs: &[&Vec<Vec<f64>>], precision: Precision) -> Option<Estimate> {
    let launches: Vec<f64> =
        runs.iter().flat_map(|rounds| rounds.iter()).filter_map(|rounds| mean(rounds)).collect();
    let found = t_interval(&launches, precision.confidence)?;
    Some(told(found, |value| value, found.method.describe("launch", "launches")))
}

fn told(found: Interval, unlog: fn(f64) -> f64, method: String) -> Estimate {
    let spread = found.method != Method::OneValue;
    Estimate {
        value: unlog(found.estimate),
        interval: spread.then(|| (unlog(found.low), unlog(found.high))),
        method,
    }
}
