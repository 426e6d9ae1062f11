//! Whether samples are what the tests take them for: without a drift, independent of the one before, and of one kind.
//!
//! The series is that of the launches in order of time, or with a single launch that of its rounds. What is wrong with it is said,
//! and widens the interval of what rests on it (`stats/series.rs`): in a duet the series of ratios, in which most of
//! it cancels; against stored runs that of each run. Where it is allowed for anyway, nothing is wider, and the note says so.

use crate::judge::evidence::Evidence;
use crate::judge::launch::reduce;
use crate::judge::stored::USUAL_SPREAD;
use crate::record::words::{change as signed, percent, plural};
use crate::record::{Judged, METRICS, Metric, Series};
use crate::stats::series::{Pattern, Widening};

/// What is worth saying of the order of a run's samples, by the first metric that is always judged.
pub(super) fn order_note(series: &Series) -> Option<String> {
    let metric = METRICS
        .iter()
        .find(|metric| metric.judged == Judged::Always && series.values.contains_key(metric.id))?;
    let rounds = series.values.get(metric.id)?;
    let run = reduce(rounds, metric.centre)?;
    let samples = match run.launches.len() {
        1 => rounds.iter().map(Vec::len).max()?,
        launches => launches,
    };
    let disorder = run.disorder?;
    // The spread of a run's only launch is assumed, and taken from its rounds only where they show more.
    let counts = run.launch_variance.is_some()
        || run.round_variance.is_some_and(|variance| variance > USUAL_SPREAD.powi(2));
    let is_wider = counts && disorder.widening(samples) != Widening::NONE;
    Some(sentence(metric.title, &disorder, samples, run.launches.len() > 1, is_wider))
}

/// The same of the ratios of a duet.
pub(super) fn ratio_note(metric: &Metric, evidence: &Evidence) -> Option<String> {
    let Evidence::Duet(pairs) = evidence else { return None };
    let (disorder, samples) = pairs.disorder()?;
    let title = format!("{}, head over base,", metric.title);
    Some(sentence(&title, &disorder, samples, pairs.has_launches(), pairs.is_wider()))
}

fn sentence(title: &str, disorder: &Pattern, samples: usize, are_launches: bool, is_wider: bool) -> String {
    let samples = plural(samples as u64, if are_launches { "launch" } else { "round" });
    let found = match *disorder {
        Pattern::Drift { change, .. } => {
            format!("{title} drifted over its {samples} by {}", signed(change.exp_m1()))
        }
        Pattern::Autocorrelation { lag1 } => {
            format!("{title} of each of its {samples} resembles the one before (correlation {lag1:.2})")
        }
        Pattern::TwoGroups { distance: apart, smaller: fewer, .. } => format!(
            "{title} of its {samples} lies in two groups that are {} apart, {fewer} in the smaller one",
            percent(apart.exp_m1())
        ),
    };
    let follows = if is_wider { "is wider for it" } else { "allows for as much anyway" };
    format!("{found}: its interval {follows}.")
}

/// How a method tells that its interval was widened.
pub(super) fn widened(disorder: &Pattern) -> &'static str {
    match disorder {
        Pattern::Drift { .. } => ", widened for a drift",
        Pattern::Autocorrelation { .. } => ", widened since each resembles the one before",
        Pattern::TwoGroups { .. } => ", widened for its two groups",
    }
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
    fn a_drift_within_the_allowance_for_one_launch_makes_nothing_wider_and_the_note_does_not_say_so() {
        let rounds = |by: f64| vec![(0..12).map(|round| (by * f64::from(round) / 11.0).exp()).collect()];
        // Of 12 rounds on a line of length d the variance of their centre, widened for the drift, is d² · 13/121: 0.02² at d = 0.061.
        for (by, is_wider) in [(0.03, false), (0.06, false), (0.062, true), (0.2, true)] {
            let note = note(rounds(by)).unwrap();
            assert_eq!(note.ends_with(": its interval is wider for it."), is_wider, "{by}: {note}");
            assert_eq!(
                note.ends_with(": its interval allows for as much anyway."),
                !is_wider,
                "{by}: {note}"
            );
        }
    }

    #[test]
    fn rounds_of_one_launch_that_grow_are_a_drift_and_launches_that_differ_are_none() {
        let growing = note(vec![(0..12).map(|round| 1.0 + 0.01 * f64::from(round)).collect()]);
        assert!(growing.is_some_and(|note| {
            note.contains("drifted over its 12 rounds by +11.0 %: its interval is wider")
        }));
        let apart = |launch: f64| vec![launch, launch * 1.01, launch * 0.99, launch];
        assert_eq!(note(vec![apart(1.0), apart(1.5), apart(2.0)]), None);
        assert_eq!(note(vec![vec![0.0; 9]]), None);
    }
}
