//! The rounds of a run become one value per launch, and the launches one value of the run, on a log scale.
//!
//! The launch is the sample that counts: what a process gets at its start stays with it for life. The tail of a round is
//! hit by bursts of other work, so that it needs a robust center.

use crate::judge::verdict::{Estimate, Method};
use crate::record::{Centre, Metric};
use crate::stats::describe::{mean, median, sample_variance, trimmed_mean};
use crate::stats::distribution::t_upper_quantile;
use crate::stats::interval::{self, Interval, t_interval, trimmed_interval};
use crate::stats::series::{Pattern, Widening, find_pattern};

/// Fewer rounds have no median that could leave a burst out.
const MIN_ROUNDS_FOR_MEDIAN: usize = 3;
/// Fewer launches cannot be trimmed soundly.
const MIN_LAUNCHES_TO_TRIM: usize = 10;
/// The share of launches that is trimmed at each end.
const TRIM: f64 = 0.2;
/// Fewer rounds of a single launch, such as of a run that ended early, do not show how much they differ. Trimmed, they would be too few.
const MIN_ROUNDS_OF_ONE_LAUNCH: usize = 5;
/// Groups that are less than half a percent apart are steps of a clock or of a histogram, and no modes.
const MIN_GAP: f64 = 0.005;
/// Seed of the bootstraps.
const SEED: u64 = 1;

/// One run's value of a metric.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RunSummary {
    /// The mean of its launches' logs, or their trimmed mean.
    pub log: f64,
    /// Its launches' logs.
    pub launches: Vec<f64>,
    /// The variance between its launches that the error of their center corresponds to; `None` with a single launch.
    pub launch_variance: Option<f64>,
    /// Degrees of freedom of that variance.
    pub launch_df: f64,
    /// With a single launch, the variance of its center by its rounds, widened for their order; infinite with too few of them.
    pub round_variance: Option<f64>,
    /// What is wrong with the order of its launches, or of the rounds of its only one.
    pub disorder: Option<Pattern>,
    pub centering: Centering,
}

/// How rounds and launches were centered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Centering {
    /// Means throughout.
    Means,
    /// Medians of rounds, mean of launches.
    Medians,
    /// Means of rounds, trimmed mean of launches.
    Trimmed,
    /// Means, because there are too few rounds and launches for what the metric needs: shown only.
    Unsound,
}

impl RunSummary {
    /// By how much its center is less certain than its launches' spread says.
    pub fn widening(&self) -> Widening {
        self.disorder
            .filter(|_| self.launch_variance.is_some())
            .map_or(Widening::NONE, |disorder| disorder.widening(self.launches.len()))
    }

    /// The variance of its center by its launches, widened for their order; `None` with a single launch.
    pub fn variance(&self) -> Option<f64> {
        Some(self.launch_variance? / self.launches.len() as f64 * self.widening().variance)
    }

    /// Degrees of freedom of [`variance`](Self::variance).
    pub fn df(&self) -> f64 {
        (self.launch_df * self.widening().df).max(1.0)
    }

    /// What the order of its launches adds to the variance of its center.
    pub fn disorder_variance(&self) -> f64 {
        let plain = self.launch_variance.unwrap_or(0.0) / self.launches.len() as f64;
        plain * (self.widening().variance - 1.0)
    }

    /// The interval of its center over its launches (a bootstrap-t from ten on, Student's t below), widened for their order.
    pub fn interval(&self, confidence: f64, nresamples: usize) -> Option<Interval> {
        let found = match self.centering {
            Centering::Trimmed => trimmed_interval(&self.launches, TRIM, confidence),
            _ => interval::mean_interval(&self.launches, confidence, nresamples, SEED),
        }?;
        if self.widening() == Widening::NONE {
            return Some(found);
        }
        let reach = |df| t_upper_quantile(0.5 * (1.0 - confidence), df);
        Some(found.stretched(self.widening().variance.sqrt() * reach(self.df()) / reach(self.launch_df)))
    }
}

/// Reduces the rounds of a run, nested by launch; `None` without a round, or if a value has no logarithm.
pub(super) fn summarize(rounds: &[Vec<f64>], centre: Centre) -> Option<RunSummary> {
    let logs: Vec<Vec<f64>> = rounds
        .iter()
        .filter(|launch| !launch.is_empty())
        .map(|launch| launch.iter().map(|value| value.ln()).collect())
        .collect();
    if logs.is_empty() || logs.iter().flatten().any(|log| !log.is_finite()) {
        return None;
    }
    let centering = centering(&logs, centre);
    let by_launch = if centering == Centering::Medians { median } else { mean };
    let launches: Vec<f64> = logs.iter().filter_map(|rounds| by_launch(rounds)).collect();
    let (log, launch_variance, launch_df) = center_of(&launches, centering)?;
    let only = if let [rounds] = &logs[..] { Some(rounds) } else { None };
    let disorder = find_pattern(only.unwrap_or(&launches), MIN_GAP);
    let round_variance = only.and_then(|rounds| {
        let wider = disorder.map_or(1.0, |disorder| disorder.widening(rounds.len()).variance);
        Some(wider * center_variance(rounds, centre)?)
    });
    Some(RunSummary { log, launches, launch_variance, launch_df, round_variance, disorder, centering })
}

/// Two rounds have no median; few launches cannot be trimmed.
fn centering(logs: &[Vec<f64>], centre: Centre) -> Centering {
    let fewest_rounds = logs.iter().map(Vec::len).min().unwrap_or(0);
    match centre {
        Centre::Mean => Centering::Means,
        Centre::Robust if fewest_rounds >= MIN_ROUNDS_FOR_MEDIAN => Centering::Medians,
        Centre::Robust if logs.len() >= MIN_LAUNCHES_TO_TRIM => Centering::Trimmed,
        Centre::Robust => Centering::Unsound,
    }
}

/// Center of the launches, with the variance between them and its degrees of freedom.
fn center_of(launches: &[f64], centering: Centering) -> Option<(f64, Option<f64>, f64)> {
    let count = launches.len() as f64;
    if centering == Centering::Trimmed {
        let center = trimmed_mean(launches, TRIM)?;
        return Some((center.mean, Some(count * center.standard_error.powi(2)), center.df));
    }
    Some((mean(launches)?, sample_variance(launches), count - 1.0))
}

/// How uncertain a launch's center is by the noise between its rounds; infinite if it has too few to show that.
fn center_variance(rounds: &[f64], centre: Centre) -> Option<f64> {
    if rounds.len() < MIN_ROUNDS_OF_ONE_LAUNCH {
        return Some(f64::INFINITY);
    }
    if centre == Centre::Robust {
        return trimmed_mean(rounds, TRIM).map(|center| center.standard_error.powi(2));
    }
    sample_variance(rounds).map(|variance| variance / rounds.len() as f64)
}

/// A side's value of a metric for people: over the launches of a single run, over the values of several runs. Where a value is
/// zero there are no logarithms, and launches are plain means. No verdict depends on it.
pub(super) fn estimate(
    runs: &[&Vec<Vec<f64>>],
    metric: &Metric,
    confidence: f64,
    nresamples: usize,
) -> Option<Estimate> {
    let summaries: Option<Vec<RunSummary>> =
        runs.iter().map(|rounds| summarize(rounds, metric.centre)).collect();
    let unlog: fn(f64) -> f64 = if summaries.is_some() { f64::exp } else { |value| value };
    let (found, is_over_runs) = match summaries.as_deref() {
        Some([]) => return None,
        Some([run]) => (run.interval(confidence, nresamples)?, false),
        Some(several) => {
            let logs: Vec<f64> = several.iter().map(|run| run.log).collect();
            (t_interval(&logs, confidence)?, true)
        }
        None => {
            let launches = runs.iter().flat_map(|rounds| rounds.iter()).filter_map(|rounds| mean(rounds));
            (t_interval(&launches.collect::<Vec<_>>(), confidence)?, false)
        }
    };
    let has_spread = found.method != interval::Method::OneValue;
    Some(Estimate {
        value: unlog(found.estimate),
        interval: has_spread.then(|| (unlog(found.low), unlog(found.high))),
        method: Some(if is_over_runs { Method::Runs(found.method) } else { Method::Launches(found.method) }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) -> bool {
        (found - expected).abs() < 1e-12
    }

    #[test]
    fn launches_are_means_of_logs_and_the_run_the_mean_of_launches() {
        // ln: launch means 0.5 and 3.5; variance (1.5² + 1.5²) / 1 = 4.5.
        let e = |power: f64| power.exp();
        let run = summarize(&[vec![e(0.0), e(1.0)], vec![e(3.0), e(4.0)]], Centre::Mean).unwrap();
        assert!(close(run.log, 2.0) && close(run.launch_variance.unwrap(), 4.5) && run.launch_df == 1.0);
        assert_eq!(run.centering, Centering::Means);
        assert_eq!(run.round_variance, None);
    }

    #[test]
    fn a_burst_in_one_of_three_rounds_leaves_a_tail_where_it_was() {
        let run = summarize(&[vec![10.0, 10.0, 500.0], vec![10.0, 80.0, 10.0]], Centre::Robust).unwrap();
        assert_eq!(run.centering, Centering::Medians);
        assert!(close(run.log, 10.0_f64.ln()));
    }

    #[test]
    fn ten_launches_of_one_round_are_trimmed_and_nine_are_shown_only() {
        let mut rounds: Vec<Vec<f64>> = (0..10).map(|launch| vec![f64::from(launch).exp()]).collect();
        rounds[9][0] = 30_f64.exp();
        let run = summarize(&rounds, Centre::Robust).unwrap();
        // 2 to 7 are kept: mean 4.5; Winsorised 2,2,2,3,4,5,6,7,7,7: variance 42.5 / 9.
        assert!(close(run.log, 4.5), "{}", run.log);
        assert_eq!((run.centering, run.launch_df), (Centering::Trimmed, 5.0));
        assert!(close(run.launch_variance.unwrap(), 10.0 * 42.5 / (6.0 * 5.0)));
        assert_eq!(summarize(&rounds[..9], Centre::Robust).unwrap().centering, Centering::Unsound);
        assert_eq!(summarize(&rounds[..9], Centre::Mean).unwrap().centering, Centering::Means);
    }

    #[test]
    fn one_launch_knows_only_the_noise_of_its_rounds() {
        let e = 1_f64.exp();
        let run = summarize(&[vec![1.0, e, 1.0, e, 1.0, e]], Centre::Mean).unwrap();
        assert_eq!((run.launch_variance, run.launch_df), (None, 0.0));
        assert!(close(run.round_variance.unwrap(), 0.3 / 6.0), "{:?}", run.round_variance);
        assert_eq!(summarize(&[vec![1.0; 4]], Centre::Mean).unwrap().round_variance, Some(f64::INFINITY));
    }

    #[test]
    fn a_value_without_a_logarithm_gives_no_summary() {
        for rounds in [vec![], vec![vec![]], vec![vec![1.0, 0.0]], vec![vec![-1.0]], vec![vec![f64::NAN]]] {
            assert_eq!(summarize(&rounds, Centre::Mean), None);
        }
    }
}
