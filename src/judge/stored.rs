//! Head against stored runs: the log of the ratio, its error, and what it rests on.
//!
//! A stored run is a guest from another time: between one run and the next the machine and its neighbours change, and
//! that luck is head's as well. So the sample is the run. With few of them their variance is moderated (Smyth 2004): it
//! is mixed with a prior that is worth [`PRIOR_DF`] degrees of freedom and is never smaller than what a quiet machine shows.

use crate::judge::decide::{Test, Worsening};
use crate::judge::launch::RunValue;
use crate::judge::policy::Terms;
use crate::judge::words::counted;
use crate::record::Better;
use crate::stats::location::mean;
use crate::stats::power::{POWER, smallest_log_change};
use crate::stats::student;

/// Standard deviation between launches, and between runs, of a quiet machine.
pub(super) const USUAL_SPREAD: f64 = 0.02;
/// Degrees of freedom that the prior is worth.
pub(super) const PRIOR_DF: f64 = 4.0;

/// The runs of both sides, each reduced to its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Samples {
    /// Stored runs of the current epoch: base's centre.
    pub base: Vec<RunValue>,
    /// Stored runs of each earlier epoch: they know how much runs differ.
    pub earlier: Vec<Vec<RunValue>>,
    /// Head's runs.
    pub head: Vec<RunValue>,
}

/// Head against base, on a log scale; positive is worse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Difference {
    /// The estimate.
    pub estimate: f64,
    /// Variance of a run's value.
    pub run_variance: f64,
    /// Standard error of the estimate.
    pub standard_error: f64,
    /// Its degrees of freedom.
    pub df: f64,
    /// Variance between launches; nothing when each run has one launch.
    pub launch_variance: Option<f64>,
    /// Stored runs of the current epoch.
    pub base_runs: usize,
    /// Head's runs.
    pub head_runs: usize,
    /// The fewest launches of a run.
    pub launches: usize,
}

impl Samples {
    /// Sum of squares of runs around their epoch's (or head's) mean, and its degrees of freedom.
    pub fn between_runs(&self) -> (f64, f64) {
        let groups = self.earlier.iter().chain([&self.base, &self.head]);
        groups
            .map(|runs| squares_around_mean(runs))
            .fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    }

    /// Head against base; nothing when a side has no run. `learned` is a prior variance that other cells have shown.
    pub fn difference(&self, better: Better, learned: Option<f64>) -> Option<Difference> {
        let centre = |runs: &[RunValue]| mean(&runs.iter().map(|run| run.log).collect::<Vec<_>>());
        let higher = centre(&self.head)? - centre(&self.base)?;
        let (run_variance, df) = self.run_variance(learned);
        let (base_runs, head_runs) = (self.base.len(), self.head.len());
        Some(Difference {
            estimate: match better {
                Better::Lower => higher,
                Better::Higher => -higher,
            },
            run_variance,
            standard_error: standard_error(run_variance, base_runs, head_runs),
            df,
            launch_variance: self.launch_variance(),
            base_runs,
            head_runs,
            launches: self.fewest_launches(),
        })
    }

    /// Variance of a run's value, moderated, and its degrees of freedom.
    pub fn run_variance(&self, learned: Option<f64>) -> (f64, f64) {
        let (squares, run_df) = self.between_runs();
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

impl Difference {
    /// The plain interval.
    pub fn interval(&self, confidence: f64) -> Worsening {
        let (low, high) = student::interval(self.estimate, self.standard_error, self.df, confidence);
        Worsening { low, estimate: self.estimate, high }
    }

    /// The tests of both directions beyond the margin.
    pub fn test(&self, terms: &Terms) -> Test {
        let p = |estimate: f64| student::p_above(estimate, terms.red.ln_1p(), self.standard_error, self.df);
        Test { worse: p(self.estimate), better: p(-self.estimate) }
    }

    /// The smallest worsening that would have been found in four of five cases as one of `tests`, as a logarithm.
    pub fn findable(&self, terms: &Terms, tests: usize) -> f64 {
        let level = terms.level_of_one(tests);
        smallest_log_change(self.standard_error, self.df, level, terms.red, POWER)
    }

    /// What it would be with other numbers of runs that differ as much.
    pub fn with_runs(&self, base_runs: usize, head_runs: usize) -> Self {
        let more = (base_runs + head_runs) as f64 - (self.base_runs + self.head_runs) as f64;
        Self {
            standard_error: standard_error(self.run_variance, base_runs, head_runs),
            df: self.df + more,
            base_runs,
            head_runs,
            ..*self
        }
    }

    /// `t over 1 head and 5 stored runs, 8 degrees of freedom`.
    pub fn method(&self) -> String {
        let runs = match (self.head_runs, self.base_runs) {
            (head, 1) => format!("{} and one stored run", counted(head, "head run", "head runs")),
            (head, base) => format!("{head} head and {base} stored runs"),
        };
        let allowance =
            if self.launch_variance.is_none() { ", with an allowance for one launch" } else { "" };
        format!("t over {runs}, {} degrees of freedom{allowance}", self.df)
    }
}

fn standard_error(run_variance: f64, base_runs: usize, head_runs: usize) -> f64 {
    (run_variance * (1.0 / base_runs as f64 + 1.0 / head_runs as f64)).sqrt()
}

fn squares_around_mean(runs: &[RunValue]) -> (f64, f64) {
    let logs: Vec<f64> = runs.iter().map(|run| run.log).collect();
    let Some(centre) = mean(&logs) else { return (0.0, 0.0) };
    (logs.iter().map(|log| (log - centre).powi(2)).sum(), logs.len() as f64 - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

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
                    centring: crate::judge::launch::Centring::Means,
                };
                3
            ]
        };
        let samples = Samples { base: runs(1.0), earlier: Vec::new(), head: runs(1.0) };
        let difference = samples.difference(Better::Lower, None).unwrap();
        let findable = |level: f64, tests: usize| {
            let terms = Terms { red: 0.05, equal: 0.1, fall: 0.001, level, confidence: 0.95 };
            difference.findable(&terms, tests)
        };
        assert!((findable(0.2, 1) - findable(0.025, 1)).abs() < 1e-12);
        assert!(findable(0.025, 10) > findable(0.025, 1));
    }
}
