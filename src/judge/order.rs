//! Whether a run's samples are what the tests take them for: without a drift, and independent of the one before.
//!
//! The series is that of the launches in order of time, and where they are too few to tell that of their rounds, each less its
//! launch's mean (what a launch has in common is no disorder). What is found is noted; no interval is widened by it.

use crate::judge::launch::reduce;
use crate::judge::words::counted;
use crate::record::{Judged, METRICS, Series};
use crate::stats::diagnose::{lag1_autocorrelation, trend};
use crate::stats::location::mean;

/// Two-sided p value below which order is worth a note.
const NOTEWORTHY: f64 = 0.01;
/// Fewer launches show neither.
const LEAST_LAUNCHES: usize = 6;

/// What is worth saying of the order of a run's samples, by the first metric that is always judged.
pub(super) fn order_note(series: &Series) -> Option<String> {
    let metric = METRICS
        .iter()
        .find(|metric| metric.judged == Judged::Always && series.values.contains_key(metric.id))?;
    let rounds = series.values.get(metric.id)?;
    let run = reduce(rounds, metric.centre)?;
    let (values, samples) = if run.launches.len() >= LEAST_LAUNCHES {
        let count = run.launches.len();
        (run.launches, counted(count, "launch", "launches"))
    } else {
        let values: Vec<f64> = rounds.iter().flat_map(|rounds| around_mean(rounds)).collect();
        let count = values.len();
        (values, counted(count, "round", "rounds"))
    };
    let title = metric.title;
    if let Some(slope) = trend(&values).filter(|slope| slope.p < NOTEWORTHY) {
        let change = 100.0 * (slope.value * (values.len() as f64 - 1.0)).exp_m1();
        return Some(format!(
            "{title} drifted over its {samples} by {change:+.1} %: the interval does not know of it."
        ));
    }
    let lag = lag1_autocorrelation(&values).filter(|lag| lag.p < NOTEWORTHY && lag.value > 0.0)?;
    Some(format!(
        "{title} of each of its {samples} resembles the one before (correlation {:.2}): the interval may be too narrow.",
        lag.value
    ))
}

/// Logs of the rounds of a launch, less their mean.
fn around_mean(rounds: &[f64]) -> Vec<f64> {
    let logs: Vec<f64> = rounds.iter().map(|value| value.ln()).collect();
    let centre = mean(&logs).unwrap_or(0.0);
    logs.iter().map(|log| log - centre).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(rounds: Vec<Vec<f64>>) -> Option<String> {
        order_note(&Series { values: [("latency_p50".to_owned(), rounds)].into(), ..Series::default() })
    }

    #[test]
    fn launches_in_waves_resemble_the_one_before_and_noise_does_not() {
        let mut rng = fastrand::Rng::with_seed(4);
        let wave = |at: u32| (0.1 * (f64::from(at) / 30.0 * 6.0 * std::f64::consts::PI).sin()).exp();
        let waves = note((0..30).map(|at| vec![wave(at); 2]).collect());
        assert!(waves.as_ref().is_some_and(|note| note.contains("resembles the one before")), "{waves:?}");
        let trials = 300;
        let alarms = (0..trials)
            .filter(|_| note((0..10).map(|_| vec![1.0 + 0.05 * rng.f64(); 3]).collect()).is_some());
        let alarms = alarms.count();
        assert!(alarms <= 12, "{alarms} of {trials}");
    }

    #[test]
    fn rounds_of_one_launch_that_grow_are_a_drift_and_launches_that_differ_are_none() {
        let growing = note(vec![(0..12).map(|round| 1.0 + 0.01 * f64::from(round)).collect()]);
        assert!(growing.is_some_and(|note| note.contains("drifted over its 12 rounds by +11.0 %")));
        let apart = |launch: f64| vec![launch, launch * 1.01, launch * 0.99, launch];
        assert_eq!(note(vec![apart(1.0), apart(1.5), apart(2.0)]), None);
        assert_eq!(note(vec![vec![0.0; 9]]), None);
    }
}
