//! Head against stored runs: the log of the ratio, its error, and what it rests on.
//!
//! A stored run is a guest from another time: between one run and the next the machine and its neighbours change, and
//! that luck is head's as well. So the sample is the run. With few of them their variance is moderated (Smyth 2004): it
//! is mixed with a prior that is worth [`PRIOR_DF`] degrees of freedom and is never smaller than what a quiet machine shows.

use crate::judge::difference::Difference;
use crate::judge::launch::{Centring, RunValue};
use crate::record::Better;
use crate::record::words::plural;
use crate::stats::describe::{mean, sample_variance};
use crate::stats::series::trend;

/// Standard deviation between launches, and between runs, of a quiet machine.
pub(super) const USUAL_SPREAD: f64 = 0.02;
/// Degrees of freedom that the prior is worth.
pub(super) const PRIOR_DF: f64 = 4.0;

/// Runs of an epoch from which on the others than the anchor have a line to differ from.
const LEAST_FOR_LINE: usize = 4;

/// The runs of both sides, each reduced to its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Samples {
    /// Stored runs of the current epoch: base's centre.
    pub base: Vec<RunValue>,
    /// The one of them that began the epoch.
    pub anchor: Option<RunValue>,
    /// Stored runs of each earlier epoch: they know how much runs differ.
    pub earlier: Vec<Vec<RunValue>>,
    /// Head's runs.
    pub head: Vec<RunValue>,
}

/// Head against stored runs, and what that rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct StoredDifference {
    /// The change.
    pub difference: Difference,
    /// Variance of a run's value.
    pub run_variance: f64,
    /// What the order of launches adds to the variance of the change.
    pub disorder_variance: f64,
    /// Variance between launches; nothing when each run has one launch.
    pub launch_variance: Option<f64>,
    /// Stored runs of the current epoch.
    pub base_runs: usize,
    /// Head's runs.
    pub head_runs: usize,
}

/// What the runs of the current epoch are taken to lie around.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Around {
    /// Their mean.
    Mean,
    /// The anchor around itself, and the others around the line through them in the order of time: what a creep adds to their
    /// spread is left out. Of too few others no line shows how much runs differ; then it is the mean of all.
    Line,
}

impl Samples {
    /// Whether there are too few rounds and launches for what the metric needs.
    pub fn is_unsound(&self) -> bool {
        self.base.iter().chain(&self.head).any(|run| run.centring == Centring::Unsound)
    }

    /// Sum of squares of runs around their epoch's (or head's) mean, or around the current epoch's line, and its degrees of freedom.
    pub fn between_runs(&self, around: Around) -> (f64, f64) {
        let current = match around {
            Around::Mean => squares_around_mean(&self.base),
            Around::Line if self.base.len() >= LEAST_FOR_LINE => squares_around_line(&self.after_anchor()),
            Around::Line => squares_around_mean(&self.base),
        };
        let groups = self.earlier.iter().chain([&self.head]);
        groups.map(|runs| squares_around_mean(runs)).fold(current, |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }

    /// Logs of the current epoch's runs but for the anchor's, in the order of time.
    fn after_anchor(&self) -> Vec<f64> {
        let anchor = self.base.iter().position(|run| Some(run) == self.anchor.as_ref());
        let others = self.base.iter().enumerate().filter(|(index, _)| Some(*index) != anchor);
        others.map(|(_, run)| run.log).collect()
    }

    /// Head against the anchor; nothing where the anchor is the only run of its epoch.
    pub fn against_anchor(&self, better: Better, learned: Option<f64>) -> Option<StoredDifference> {
        let anchor = self.anchor.clone().filter(|_| self.base.len() > 1)?;
        let alone = Self { base: vec![anchor], ..self.clone() };
        let (run_variance, df) = self.run_variance(Around::Line, learned);
        alone.with_variance(better, run_variance, df)
    }

    /// Head against base; nothing when a side has no run. `learned` is a prior variance that other cells have shown.
    pub fn difference(&self, better: Better, learned: Option<f64>) -> Option<StoredDifference> {
        let (run_variance, df) = self.run_variance(Around::Mean, learned);
        self.with_variance(better, run_variance, df)
    }

    fn with_variance(&self, better: Better, run_variance: f64, df: f64) -> Option<StoredDifference> {
        let centre = |runs: &[RunValue]| mean(&runs.iter().map(|run| run.log).collect::<Vec<_>>());
        let higher = centre(&self.head)? - centre(&self.base)?;
        let (base_runs, head_runs) = (self.base.len(), self.head.len());
        let disorder_variance = disorder_variance(&self.base) + disorder_variance(&self.head);
        Some(StoredDifference {
            difference: Difference {
                estimate: match better {
                    Better::Lower => higher,
                    Better::Higher => -higher,
                },
                standard_error: standard_error(run_variance, base_runs, head_runs, disorder_variance),
                df,
            },
            run_variance,
            disorder_variance,
            launch_variance: self.launch_variance(),
            base_runs,
            head_runs,
        })
    }

    /// Variance of a run's value, moderated, and its degrees of freedom.
    pub fn run_variance(&self, around: Around, learned: Option<f64>) -> (f64, f64) {
        let (squares, run_df) = self.between_runs(around);
        let prior = self.prior_variance().max(learned.unwrap_or(0.0));
        let df = PRIOR_DF + run_df;
        ((PRIOR_DF * prior + squares) / df, df)
    }

    /// What a run's variance is taken to be before any two runs are compared: a luck of its own that is at least a launch's,
    /// and what its launches leave. With one launch a run that spread is assumed, or, if greater, taken from the rounds.
    fn prior_variance(&self) -> f64 {
        let usual = USUAL_SPREAD.powi(2);
        match self.launch_variance() {
            Some(between) => usual.max(between) + between / self.fewest_launches() as f64,
            None => {
                let by_rounds = self.current().filter_map(|run| run.round_variance).fold(0.0, f64::max);
                2.0 * usual.max(by_rounds)
            }
        }
    }

    /// Pooled over all runs that have several launches.
    fn launch_variance(&self) -> Option<f64> {
        let known = || self.current().filter_map(|run| Some((run.launch_variance?, run.launch_df)));
        let df: f64 = known().map(|(_, df)| df).sum();
        (df > 0.0).then(|| known().map(|(variance, df)| df * variance).sum::<f64>() / df)
    }

    fn fewest_launches(&self) -> usize {
        self.current().map(|run| run.launches.len()).min().unwrap_or(0)
    }

    fn current(&self) -> impl Iterator<Item = &RunValue> {
        self.base.iter().chain(&self.head)
    }
}

impl StoredDifference {
    /// What it would be with other numbers of runs that differ as much.
    pub fn with_runs(&self, base_runs: usize, head_runs: usize) -> Self {
        let more = (base_runs + head_runs) as f64 - (self.base_runs + self.head_runs) as f64;
        let standard_error = standard_error(self.run_variance, base_runs, head_runs, self.disorder_variance);
        Self {
            difference: Difference { standard_error, df: self.difference.df + more, ..self.difference },
            base_runs,
            head_runs,
            ..*self
        }
    }

    /// `t over 1 head and 5 stored runs, 8 degrees of freedom`.
    pub fn method(&self) -> String {
        let runs = match (self.head_runs, self.base_runs) {
            (head, 1) => format!("{} and one stored run", plural(head as u64, "head run")),
            (head, base) => format!("{head} head and {base} stored runs"),
        };
        let allowance =
            if self.launch_variance.is_none() { ", with an allowance for one launch" } else { "" };
        let widened =
            if self.disorder_variance > 0.0 { ", widened for the order of its launches" } else { "" };
        format!("t over {runs}, {} degrees of freedom{allowance}{widened}", self.difference.df)
    }
}

fn standard_error(run_variance: f64, base_runs: usize, head_runs: usize, disorder_variance: f64) -> f64 {
    (run_variance * (1.0 / base_runs as f64 + 1.0 / head_runs as f64) + disorder_variance).sqrt()
}

/// What the order of their launches adds to the variance of the mean of some runs.
pub(super) fn disorder_variance(runs: &[RunValue]) -> f64 {
    let added: f64 = runs.iter().map(RunValue::disorder_variance).sum();
    added / (runs.len().max(1) as f64).powi(2)
}

fn squares_around_mean(runs: &[RunValue]) -> (f64, f64) {
    let logs: Vec<f64> = runs.iter().map(|run| run.log).collect();
    let Some(centre) = mean(&logs) else { return (0.0, 0.0) };
    (logs.iter().map(|log| (log - centre).powi(2)).sum(), logs.len() as f64 - 1.0)
}

/// Sum of squares around the least-squares line over their order, and its degrees of freedom; none of fewer than three.
fn squares_around_line(logs: &[f64]) -> (f64, f64) {
    let count = logs.len() as f64;
    let variance = sample_variance(logs).filter(|_| logs.len() > 2);
    let Some(variance) = variance else { return (0.0, 0.0) };
    let slope = trend(logs).map_or(0.0, |slope| slope.value);
    let explained = slope.powi(2) * count * (count * count - 1.0) / 12.0;
    (((count - 1.0) * variance - explained).max(0.0), count - 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::policy::Terms;

    #[test]
    fn nothing_is_findable_that_the_displayed_interval_would_not_show() {
        let runs = |log: f64| {
            vec![
                RunValue {
                    log,
                    launches: vec![log; 10],
                    launch_variance: Some(1e-4),
                    launch_df: 9.0,
                    round_variance: None,
                    disorder: None,
                    centring: crate::judge::launch::Centring::Means,
                };
                3
            ]
        };
        let samples = Samples { base: runs(1.0), anchor: None, earlier: Vec::new(), head: runs(1.0) };
        let difference = samples.difference(Better::Lower, None).unwrap().difference;
        let findable = |level: f64, tests: usize| {
            let terms = Terms {
                noise_threshold: 0.05,
                equivalence: 0.1,
                failure_margin: 0.001,
                significance_level: level,
                confidence_level: 0.95,
            };
            difference.findable(&terms, terms.level_of_one(tests))
        };
        assert!((findable(0.2, 1) - findable(0.025, 1)).abs() < 1e-12);
        assert!(findable(0.025, 10) > findable(0.025, 1));
    }
}
