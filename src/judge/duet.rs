//! Head against base in a duet: the rounds of a pair see the same machine at the same time, so that their ratio is free of it.
//!
//! The sample is the launch: the log ratios of its pairs become one value, which holds the launch effects of both sides. With a
//! single launch these are assumed, and more pairs cannot reduce them.

use crate::judge::effect::{Effect, RESOLUTION};
use crate::judge::launch::{Centering, summarize};
use crate::judge::stored::{PRIOR_DF, USUAL_SPREAD};
use crate::judge::verdict::{Advice, Method};
use crate::plan::{Against, Settings};
use crate::record::{Better, Metric};
use crate::stats::describe::sample_variance;
use crate::stats::series::{Pattern, Widening};

/// Variance of a ratio of two single launches.
const ALLOWANCE: f64 = 2.0 * USUAL_SPREAD * USUAL_SPREAD;

/// Pairs the rounds of both sides, nested by launch, in the order of time; `None` without a pair, or if a value has no
/// logarithm.
pub(super) fn compare(
    base: &[Vec<f64>],
    head: &[Vec<f64>],
    metric: &Metric,
    settings: &Settings,
    against: Against,
) -> Option<Effect> {
    let of_launch = |(base, head): (&Vec<f64>, &Vec<f64>)| -> Vec<f64> {
        base.iter().zip(head).map(|(base, head)| head / base).collect()
    };
    let ratios: Vec<Vec<f64>> = base.iter().zip(head).map(of_launch).collect();
    let logs: Vec<f64> = ratios.iter().flatten().map(|ratio| ratio.ln()).collect();
    let summary = summarize(&ratios, metric.centre)?;
    let (pairs, launches) = (logs.len(), summary.launches.len());
    let is_lower = metric.better == Better::Lower;
    let estimate = if is_lower { summary.log } else { -summary.log };
    let (standard_error, df) = match summary.variance() {
        Some(variance) => (variance.sqrt().max(RESOLUTION), summary.df()),
        None => ((ALLOWANCE + summary.round_variance.unwrap_or(0.0)).sqrt(), PRIOR_DF),
    };
    let samples = if launches == 1 { pairs } else { launches };
    let is_wider = |disorder: &Pattern| disorder.widening(samples) != Widening::NONE;
    let widened = summary.disorder.filter(is_wider).filter(|_| standard_error > RESOLUTION);
    let by_launches = summary
        .launch_variance
        .and_then(|_| summary.interval(settings.confidence_level, settings.nresamples));
    let method = match by_launches {
        Some(_) if standard_error <= RESOLUTION => Method::Resolution { launches, pairs },
        Some(found) => Method::Pairs { launches: Some(found.method), pairs, widened },
        None => Method::Pairs { launches: None, pairs, widened },
    };
    let is_sound = summary.centering != Centering::Unsound;
    let advice = if !is_sound {
        Some(Advice::RobustTail)
    } else if launches == 1 {
        Some(Advice::SeveralLaunches)
    } else if let Some(Pattern::Drift { .. }) = summary.disorder {
        Some(Advice::NoDrift)
    } else {
        None
    };
    let pair_variance = sample_variance(&logs).unwrap_or(0.0) * summary.widening().variance;
    let effect = Effect {
        pair_variance: Some(pair_variance),
        against,
        advice,
        is_sound,
        ..Effect::new(estimate, standard_error, df, method, settings.confidence_level)
    };
    Some(match by_launches.filter(|_| standard_error > RESOLUTION) {
        Some(found) if is_lower => Effect { low: found.low, high: found.high, ..effect },
        Some(found) => Effect { low: -found.high, high: -found.low, ..effect },
        None => effect,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::settings;
    use crate::record::metric;

    fn effect(ratios: &[&[f64]], id: &str) -> Effect {
        let base: Vec<Vec<f64>> = ratios.iter().map(|launch| vec![2.0; launch.len()]).collect();
        let head: Vec<Vec<f64>> =
            ratios.iter().map(|launch| launch.iter().map(|ratio| 2.0 * ratio).collect()).collect();
        compare(&base, &head, metric(id).unwrap(), &settings(), Against::Base).unwrap()
    }

    #[test]
    fn the_sample_is_the_launch_and_its_value_the_mean_log_ratio() {
        let e = f64::exp;
        // Launch means 0.1 and 0.3: estimate 0.2, variance 0.02, standard error 0.1.
        let ratios: [&[f64]; 2] = [&[e(0.0), e(0.2)], &[e(0.3), e(0.3)]];
        let is = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        let found = effect(&ratios, "latency_p50");
        is(found.estimate, 0.2);
        is(found.standard_error, 0.1);
        is(found.df, 1.0);
        is(effect(&ratios, "throughput").estimate, -0.2);
    }

    #[test]
    fn swapping_the_sides_turns_the_sign_and_keeps_the_error() {
        let (base, head) = (vec![vec![1.0, 1.1], vec![0.9, 1.0]], vec![vec![1.2, 1.1], vec![1.1, 1.3]]);
        let effect = |base: &[Vec<f64>], head: &[Vec<f64>]| {
            compare(base, head, metric("latency_p50").unwrap(), &settings(), Against::Base).unwrap()
        };
        let (one, other) = (effect(&base, &head), effect(&head, &base));
        assert!((one.estimate + other.estimate).abs() < 1e-12);
        assert!((one.standard_error - other.standard_error).abs() < 1e-12);
    }

    #[test]
    fn one_launch_has_an_allowance_that_more_pairs_do_not_reduce() {
        let few = effect(&[&[1.0; 5]], "latency_p50");
        let many = effect(&[&[1.0; 300]], "latency_p50");
        assert_eq!((few.estimate, few.standard_error), (many.estimate, many.standard_error));
        assert!((few.standard_error - 0.02 * 2.0_f64.sqrt()).abs() < 1e-12);
        assert_eq!(few.df, 4.0);
        assert_eq!(few.method, Method::Pairs { launches: None, pairs: 5, widened: None });
        assert_eq!(few.advice, Some(Advice::SeveralLaunches));
    }

    #[test]
    fn a_few_pairs_of_one_launch_show_nothing() {
        for few in [effect(&[&[1.9]], "latency_p50"), effect(&[&[1.9; 4]], "throughput")] {
            assert_eq!((few.low, few.high), (f64::NEG_INFINITY, f64::INFINITY));
            assert!(few.p_worse(0.01) >= 0.5 && few.p_worse(0.01).is_finite());
        }
    }

    #[test]
    fn the_method_names_a_disorder_only_if_it_makes_the_interval_wider() {
        let is_widened = |ratio: &dyn Fn(usize) -> f64| {
            let launches: Vec<Vec<f64>> = (0..20).map(|at| vec![ratio(at)]).collect();
            let launches: Vec<&[f64]> = launches.iter().map(Vec::as_slice).collect();
            match effect(&launches, "latency_p50").method {
                Method::Pairs { widened, .. } => widened.is_some(),
                _ => false,
            }
        };
        assert!(is_widened(&|at| 1.0 + 0.01 * at as f64));
        assert!(!is_widened(&|at| 1.0 + 1e-6 * at as f64), "within the resolution");
        // Ten of each kind, and none like the one before more often than by chance.
        let slow = [0, 1, 3, 6, 7, 10, 13, 14, 16, 19];
        assert!(!is_widened(&|at| if slow.contains(&at) { 1.1 } else { 1.0 }), "two groups of one size");
    }

    #[test]
    fn more_launches_are_not_advised_against_a_drift() {
        let drifting: Vec<Vec<f64>> = (0..30).map(|at| vec![(0.01 * f64::from(at)).exp()]).collect();
        let drifting: Vec<&[f64]> = drifting.iter().map(Vec::as_slice).collect();
        assert_eq!(effect(&drifting, "latency_p50").advice, Some(Advice::NoDrift));
    }

    #[test]
    fn a_zero_has_no_ratio() {
        let p50 = metric("latency_p50").unwrap();
        assert_eq!(compare(&[vec![0.0, 1.0]], &[vec![1.0, 1.0]], p50, &settings(), Against::Base), None);
        assert_eq!(compare(&[], &[], p50, &settings(), Against::Base), None);
    }
}
