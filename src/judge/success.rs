//! The success ratio, judged first: failures are no fast successes.
//!
//! By counts a launch, for the requests of a launch are not independent. Unlike the other metrics it has no interval of
//! equivalence: few requests could never show a ratio to be the same within 0.1 points. It is unchanged when not more than
//! the margin was seen to change, and says what fall it would have found.

use crate::judge::decide::{Test, Worsening};
use crate::judge::policy::Terms;
use crate::judge::verdict::Verdict;
use crate::judge::words::counted;
use crate::record::Series;
use crate::stats::proportion::{Launch, Rise};

/// Halvings of the range in which the findable fall is sought: to 0.02 points.
const HALVINGS: u32 = 12;

/// The counts of both sides.
#[derive(Debug)]
pub(super) struct Success {
    base: Vec<Launch>,
    head: Vec<Launch>,
    rise: Rise,
}

impl Success {
    /// Counts of both sides, a launch; nothing when a side has no request.
    pub fn new<'a>(
        base: impl Iterator<Item = &'a Series>,
        head: impl Iterator<Item = &'a Series>,
    ) -> Option<Self> {
        let base: Vec<Launch> = base.flat_map(launches).collect();
        let head: Vec<Launch> = head.flat_map(launches).collect();
        let rise = Rise::between(&base, &head)?;
        Some(Self { base, head, rise })
    }

    /// Success ratios of base and head.
    pub fn ratios(&self) -> (f64, f64) {
        (success_ratio(&self.base), success_ratio(&self.head))
    }

    /// The rise of the failure share.
    pub fn worsening(&self, terms: &Terms) -> Worsening {
        let interval = self.rise.interval(terms.confidence);
        Worsening { low: interval.low, estimate: interval.estimate, high: interval.high }
    }

    /// Tests of a rise and of a fall of the failure share beyond the margin.
    pub fn test(&self, terms: &Terms) -> Test {
        let fall =
            if self.rise.estimate() < -terms.fall { Rise::between(&self.head, &self.base) } else { None };
        Test {
            worse: self.rise.p_above(terms.fall),
            better: fall.map_or(1.0, |fall| fall.p_above(terms.fall)),
        }
    }

    /// The smallest fall of the ratio that as one of `tests` would have been found, had each launch shown it alike.
    pub fn findable(&self, terms: &Terms, tests: usize) -> f64 {
        let level = terms.level / tests.max(1) as f64;
        let base = 1.0 - success_ratio(&self.base);
        let is_found = |fall: f64| {
            let fallen = |launch: &Launch| {
                let failures = ((base + fall).min(1.0) * launch.requests as f64).round() as u64;
                Launch { failures, requests: launch.requests }
            };
            let head: Vec<Launch> = self.head.iter().map(fallen).collect();
            Rise::between(&self.base, &head)
                .is_some_and(|rise| rise.interval(1.0 - 2.0 * level).low > terms.fall)
        };
        let (mut not_found, mut found) = (terms.fall, 1.0);
        for _ in 0..HALVINGS {
            let middle = 0.5 * (not_found + found);
            if is_found(middle) { found = middle } else { not_found = middle }
        }
        found
    }

    /// What follows from the corrected p values and the interval.
    pub fn decide(&self, adjusted: Test, terms: &Terms) -> Verdict {
        let interval = self.worsening(terms);
        if adjusted.worse < terms.level && interval.low > terms.fall {
            Verdict::Regressed
        } else if adjusted.better < terms.level && interval.high < -terms.fall {
            Verdict::Improved
        } else if interval.estimate.abs() <= terms.fall {
            Verdict::Unchanged
        } else {
            Verdict::Inconclusive
        }
    }

    /// How the interval was made.
    pub fn method(&self) -> String {
        let allowance =
            if self.rise.rests_on_allowance() { ", with an allowance for how launches differ" } else { "" };
        format!(
            "counts over {} in head and {} in base{allowance}",
            counted(self.head.len(), "launch", "launches"),
            counted(self.base.len(), "launch", "launches")
        )
    }
}

fn launches(series: &Series) -> Vec<Launch> {
    series.counts_by_launch().into_iter().map(|(requests, failures)| Launch { failures, requests }).collect()
}

fn success_ratio(launches: &[Launch]) -> f64 {
    let requests: u64 = launches.iter().map(|launch| launch.requests).sum();
    let failures: u64 = launches.iter().map(|launch| launch.failures.min(launch.requests)).sum();
    if requests == 0 { 0.0 } else { 1.0 - failures as f64 / requests as f64 }
}
