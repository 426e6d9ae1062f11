//! Head against stored runs.
//!
//! A stored run was measured under other conditions: between one sitting and the next the machine and its neighbors change, and
//! head has such a run effect as well. The sample is therefore the sitting, or where several machines share one name, the machine. With
//! few of them their variance is moderated
//! (Smyth 2004): it is mixed with a prior that is worth [`PRIOR_DF`] degrees of freedom and is never smaller than what a quiet
//! machine shows.

use crate::judge::effect::Effect;
use crate::judge::launch::{Centering, RunSummary};
use crate::judge::verdict::{Advice, Method, TooFew};
use crate::record::{Better, KEPT_RUNS};
use crate::stats::describe::{mean, sum_of_squares};

/// Standard deviation between launches, and between runs, of a quiet machine.
pub(super) const USUAL_SPREAD: f64 = 0.02;
/// Degrees of freedom that the prior is worth.
pub(super) const PRIOR_DF: f64 = 4.0;
/// Fewer sittings do not show how much sittings differ, and fewer machines not how much machines do.
const MIN_SITTINGS: usize = 3;

/// The runs of one sitting, or of one machine.
pub(super) type Sitting = Vec<RunSummary>;

/// Head against the stored runs of the current epoch; `too_few` says what they are too few of. `None` if a side has no run.
pub(super) fn compare(
    base: &[Sitting],
    head: &[Sitting],
    better: Better,
    confidence: f64,
    too_few: fn(usize) -> TooFew,
) -> Option<Effect> {
    let higher = mean(&values(head))? - mean(&values(base))?;
    let (variance, df) = sitting_variance(&[base, head]);
    let disorder_variance = disorder_variance(base) + disorder_variance(head);
    let sittings = 1.0 / base.len() as f64 + 1.0 / head.len() as f64;
    let runs = || base.iter().chain(head).flatten();
    let is_one_launch = launch_variance(runs()).is_none();
    let method = Method::StoredRuns {
        head: head.iter().map(Vec::len).sum(),
        base: base.iter().map(Vec::len).sum(),
        df,
        is_one_launch,
        is_widened: disorder_variance > 0.0,
    };
    let is_sound = runs().all(|run| run.centering != Centering::Unsound);
    let advice = if !is_sound {
        Advice::RobustTail
    } else if is_one_launch {
        Advice::SeveralLaunches
    } else if base.len() < KEPT_RUNS {
        Advice::OtherDays
    } else {
        Advice::Duet
    };
    let estimate = match better {
        Better::Lower => higher,
        Better::Higher => -higher,
    };
    let standard_error = (variance * sittings + disorder_variance).sqrt();
    Some(Effect {
        advice: Some(advice),
        is_sound,
        too_few: (base.len() < MIN_SITTINGS).then(|| too_few(base.len())),
        ..Effect::new(estimate, standard_error, df, method, confidence)
    })
}

/// The variance of a sitting's value, moderated, and its degrees of freedom.
pub(super) fn sitting_variance(compared: &[&[Sitting]]) -> (f64, f64) {
    let (squares, between_df) = pooled_squares(compared.iter().map(|sittings| values(sittings)));
    let df = PRIOR_DF + between_df;
    ((PRIOR_DF * prior_variance(compared) + squares) / df, df)
}

/// The variance of a sitting's value before any two sittings are compared: a run effect that is at least as large as a launch
/// effect, and the noise within a run. Runs of one sitting may show more of that noise than launches do. With one launch per run
/// the launch effect is assumed, or, if that is larger, taken from the rounds.
fn prior_variance(compared: &[&[Sitting]]) -> f64 {
    let sittings = || compared.iter().copied().flatten();
    let runs = || sittings().flatten();
    let usual = USUAL_SPREAD.powi(2);
    // A run that was cut in its first launch; what others know of their launches does not help it.
    if runs().any(|run| run.round_variance == Some(f64::INFINITY)) {
        return f64::INFINITY;
    }
    let (effect, noise) = match launch_variance(runs()) {
        Some(between) => {
            let launches = runs().map(|run| run.launches.len()).min().unwrap_or(1);
            (usual.max(between), between / launches as f64)
        }
        None => {
            let allowance = runs().filter_map(|run| run.round_variance).fold(usual, f64::max);
            (allowance, allowance)
        }
    };
    let logs = |sitting: &Sitting| sitting.iter().map(|run| run.log).collect();
    let (squares, df) = pooled_squares(sittings().map(logs));
    effect + if df > 0.0 { noise.max(squares / df) } else { noise }
}

/// Pooled over all runs that have several launches; `None` if none has.
fn launch_variance<'a>(runs: impl Iterator<Item = &'a RunSummary>) -> Option<f64> {
    let known = runs.filter_map(|run| Some((run.launch_variance?, run.launch_df)));
    let (squares, df) =
        known.fold((0.0, 0.0), |(squares, sum), (variance, df)| (squares + df * variance, sum + df));
    (df > 0.0).then(|| squares / df)
}

/// The mean of each sitting's runs.
fn values(sittings: &[Sitting]) -> Vec<f64> {
    let value = |sitting: &Sitting| mean(&sitting.iter().map(|run| run.log).collect::<Vec<_>>());
    sittings.iter().filter_map(value).collect()
}

/// The sum of squares of groups of values around the mean of each group, and its degrees of freedom.
fn pooled_squares(groups: impl Iterator<Item = Vec<f64>>) -> (f64, f64) {
    groups.fold((0.0, 0.0), |(squares, df), group| match sum_of_squares(&group) {
        Some(own) => (squares + own, df + group.len() as f64 - 1.0),
        None => (squares, df),
    })
}

/// What the order of their launches adds to the variance of the mean of sittings.
pub(super) fn disorder_variance(sittings: &[Sitting]) -> f64 {
    let mean_of = |count: usize, added: f64| added / (count.max(1) as f64).powi(2);
    let of_sitting =
        |runs: &Sitting| mean_of(runs.len(), runs.iter().map(RunSummary::disorder_variance).sum());
    mean_of(sittings.len(), sittings.iter().map(of_sitting).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::effect::Context;
    use crate::judge::tests::settings;

    /// A run of ten launches that differ by this standard deviation.
    fn run(log: f64, launch_spread: f64) -> RunSummary {
        RunSummary {
            log,
            launches: vec![log; 10],
            launch_variance: Some(launch_spread * launch_spread),
            launch_df: 9.0,
            round_variance: None,
            disorder: None,
            centering: Centering::Means,
        }
    }

    fn sittings(logs: &[&[f64]]) -> Vec<Sitting> {
        logs.iter().map(|runs| runs.iter().map(|log| run(*log, USUAL_SPREAD)).collect()).collect()
    }

    fn effect(base: &[&[f64]], head: &[&[f64]]) -> Effect {
        compare(&sittings(base), &sittings(head), Better::Lower, 0.95, TooFew::Sittings).unwrap()
    }

    #[test]
    fn the_variance_between_sittings_is_moderated_by_the_prior() {
        let found = effect(&[&[0.0], &[0.001], &[-0.001]], &[&[0.1]]);
        // v0 = 0.02² + 0.02² / 10, worth four of six degrees; the sittings themselves add 2e-6.
        let variance = (4.0 * 4.4e-4 + 2e-6) / 6.0;
        assert!((found.standard_error - (variance * 4.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!((found.df, found.too_few), (6.0, None));
    }

    #[test]
    fn runs_of_one_sitting_are_one_sample_and_show_only_the_noise_within_it() {
        let one = effect(&[&[0.0, 0.0, 0.0, 0.0, 0.0]], &[&[0.1]]);
        assert_eq!((one.df, one.too_few), (4.0, Some(TooFew::Sittings(1))));
        assert!((one.standard_error - (4.4e-4 * 2.0_f64).sqrt()).abs() < 1e-12, "as one run has it");
        let spread = effect(&[&[-0.1, 0.1]], &[&[0.1]]);
        assert!((spread.standard_error - ((4e-4 + 0.02) * 2.0_f64).sqrt()).abs() < 1e-12);
        let unequal = effect(&[&[0.0, 0.0, 0.0, 0.0], &[0.4]], &[&[0.2]]);
        assert!(unequal.estimate.abs() < 1e-12, "a sitting counts once, however many runs it has");
    }

    #[test]
    fn with_three_sittings_a_change_can_be_shown() {
        assert_eq!(effect(&[&[0.0], &[0.0]], &[&[0.1]]).too_few, Some(TooFew::Sittings(2)));
        assert_eq!(effect(&[&[0.0], &[0.0], &[0.0]], &[&[0.1]]).too_few, None);
    }

    #[test]
    fn other_days_are_advised_until_a_baseline_is_full() {
        let context = Context { tests: 4, confirmation: None, is_ranked: false, verdicts_only: false };
        let days = |count: usize| effect(&vec![&[0.0][..]; count], &[&[0.1]]).advice(&settings(), &context);
        assert_eq!((days(1), days(9), days(10)), (Advice::OtherDays, Advice::OtherDays, Advice::Duet));
    }
}
