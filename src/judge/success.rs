//! The success ratio, judged first: failures are no fast successes.
//!
//! By counts, for the requests of a launch are not independent, nor are the launches of a run: the sample of a side is the run where
//! it has several, else the launch, which leaves out how much runs differ. Unlike the other metrics it has no interval of
//! equivalence: few requests could never show a ratio to be the same within 0.1 points. It is unchanged when not more than
//! the margin was seen to change, and says what fall it would have found.

use crate::judge::decide::{Test, Worsening};
use crate::judge::policy::Terms;
use crate::judge::verdict::Verdict;
use crate::record::Series;
use crate::record::words::plural;
use crate::stats::decision::POWER;
use crate::stats::distribution::normal_upper_quantile;
use crate::stats::proportion::{ProportionDifference, Sample};

/// Halvings of the range in which the findable fall is sought: to 0.02 points.
const HALVINGS: u32 = 12;

/// The counts of both sides: a [`Sample`] for each run, or for each launch of the only run.
#[derive(Debug)]
pub(super) struct Success {
    base: Vec<Sample>,
    head: Vec<Sample>,
    base_runs: usize,
    head_runs: usize,
    rise: ProportionDifference,
    /// Both sides were measured together, so that how much runs differ is no question.
    is_duet: bool,
}

impl Success {
    /// Counts of head and stored runs; nothing when a side has no request.
    pub fn new<'a>(
        base: impl Iterator<Item = &'a Series>,
        head: impl Iterator<Item = &'a Series>,
    ) -> Option<Self> {
        Self::between(samples(base), samples(head), false)
    }

    /// Counts of both sides of a duet, by launch however many runs there are.
    pub fn in_duet<'a>(
        base: impl Iterator<Item = &'a Series>,
        head: impl Iterator<Item = &'a Series>,
    ) -> Option<Self> {
        Self::between((base.flat_map(launches).collect(), 1), (head.flat_map(launches).collect(), 1), true)
    }

    fn between(base: (Vec<Sample>, usize), head: (Vec<Sample>, usize), is_duet: bool) -> Option<Self> {
        let ((base, base_runs), (head, head_runs)) = (base, head);
        let rise = ProportionDifference::between(&base, &head)?;
        Some(Self { base, head, base_runs, head_runs, rise, is_duet })
    }

    /// Success ratios of base and head.
    pub fn ratios(&self) -> (f64, f64) {
        (success_ratio(&self.base), success_ratio(&self.head))
    }

    /// The rise of the failure share.
    pub fn worsening(&self, terms: &Terms) -> Worsening {
        let (low, high) = self.rise.limits(terms.confidence_level);
        Worsening { low, estimate: self.rise.estimate(), high }
    }

    /// Tests of a rise and of a fall of the failure share beyond the margin.
    pub fn test(&self, terms: &Terms) -> Test {
        let fall = if self.rise.estimate() < -terms.failure_margin {
            ProportionDifference::between(&self.head, &self.base)
        } else {
            None
        };
        Test {
            worse: self.rise.p_above(terms.failure_margin),
            better: fall.map_or(1.0, |fall| fall.p_above(terms.failure_margin)),
        }
    }

    /// The smallest fall of the ratio that as one of `tests` would have been found in four of five cases, did launches fall alike.
    pub fn findable(&self, terms: &Terms, tests: usize) -> f64 {
        let level = terms.level_of_one(tests);
        let base = 1.0 - success_ratio(&self.base);
        let unlucky = normal_upper_quantile(1.0 - POWER);
        let with_share = |share: f64| {
            let fallen = |launch: &Sample| {
                let failures = (share.clamp(0.0, 1.0) * launch.requests as f64).round() as u64;
                Sample { failures, requests: launch.requests }
            };
            ProportionDifference::between(&self.base, &self.head.iter().map(fallen).collect::<Vec<_>>())
        };
        let is_found = |fall: f64| {
            let share = base + fall;
            // In one of five cases less of a fall is seen than this.
            let seen = with_share(share).map(|rise| share - unlucky * rise.standard_error());
            seen.and_then(with_share)
                .is_some_and(|rise| rise.limits(1.0 - 2.0 * level).0 > terms.failure_margin)
        };
        let (mut not_found, mut found) = (terms.failure_margin, 1.0);
        for _ in 0..HALVINGS {
            let middle = 0.5 * (not_found + found);
            if is_found(middle) { found = middle } else { not_found = middle }
        }
        found
    }

    /// What follows from the corrected p values and the interval.
    pub fn decide(&self, adjusted: Test, terms: &Terms) -> Verdict {
        let interval = self.worsening(terms);
        if adjusted.worse < terms.significance_level && interval.low > terms.failure_margin {
            Verdict::Regressed
        } else if adjusted.better < terms.significance_level && interval.high < -terms.failure_margin {
            Verdict::Improved
        } else if interval.estimate.abs() <= terms.failure_margin {
            Verdict::Unchanged
        } else {
            Verdict::Inconclusive
        }
    }

    /// How the interval was made.
    pub fn method(&self) -> String {
        let allowance =
            if self.rise.rests_on_allowance() { ", with an allowance for how launches differ" } else { "" };
        let sample = |samples: &[Sample], runs: usize| match runs {
            1 if self.is_duet => plural(samples.len() as u64, "launch"),
            1 => format!("{} of one run", plural(samples.len() as u64, "launch")),
            runs => plural(runs as u64, "run"),
        };
        let blind = if !self.is_duet && (self.base_runs == 1 || self.head_runs == 1) {
            ": how much runs differ is left out"
        } else {
            ""
        };
        format!(
            "counts over {} in head and {} in base{allowance}{blind}",
            sample(&self.head, self.head_runs),
            sample(&self.base, self.base_runs)
        )
    }
}

/// A sample for each run of several, or for each launch of a single one; and how many runs there are.
fn samples<'a>(runs: impl Iterator<Item = &'a Series>) -> (Vec<Sample>, usize) {
    let runs: Vec<Vec<Sample>> = runs.map(launches).collect();
    let whole = |launches: &Vec<Sample>| {
        launches.iter().fold(Sample { failures: 0, requests: 0 }, |sum, launch| Sample {
            failures: sum.failures + launch.failures,
            requests: sum.requests + launch.requests,
        })
    };
    match &runs[..] {
        [run] => (run.clone(), 1),
        several => (several.iter().map(whole).collect(), several.len()),
    }
}

fn launches(series: &Series) -> Vec<Sample> {
    series.counts_by_launch().into_iter().map(|(requests, failures)| Sample { failures, requests }).collect()
}

fn success_ratio(launches: &[Sample]) -> f64 {
    let requests: u64 = launches.iter().map(|launch| launch.requests).sum();
    let failures: u64 = launches.iter().map(|launch| launch.failures.min(launch.requests)).sum();
    if requests == 0 { 0.0 } else { 1.0 - failures as f64 / requests as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: Terms = Terms {
        noise_threshold: 0.05,
        equivalence: 0.10,
        failure_margin: 0.001,
        significance_level: 0.01,
        confidence_level: 0.95,
    };
    const TESTS: usize = 40;

    /// A run of launches with so many failures each, of 6,000 requests.
    fn series(failures: &[u64]) -> Series {
        Series {
            requests: vec![vec![6_000]; failures.len()],
            failures: failures.iter().map(|failures| vec![*failures]).collect(),
            ..Series::default()
        }
    }

    fn between(base: &[Series], head: &[Series]) -> Success {
        Success::new(base.iter(), head.iter()).unwrap()
    }

    #[test]
    fn a_fall_of_the_findable_size_is_found_in_four_of_five_cases() {
        let mut rng = fastrand::Rng::with_seed(8);
        let share = 0.01;
        let findable = between(&[series(&[60; 10])], &[series(&[60; 10])]).findable(&TERMS, TESTS);
        assert!((0.002..0.02).contains(&findable), "{findable}");
        let mut run = |share: f64| {
            let launch = |rng: &mut fastrand::Rng| (0..6_000).filter(|_| rng.f64() < share).count() as u64;
            series(&(0..10).map(|_| launch(&mut rng)).collect::<Vec<_>>())
        };
        let trials = 400;
        let found = (0..trials).filter(|_| {
            let success = between(&[run(share)], &[run(share + findable)]);
            let p = success.test(&TERMS).worse * TESTS as f64;
            success.decide(Test { worse: p, better: 1.0 }, &TERMS) == Verdict::Regressed
        });
        let power = found.count() as f64 / f64::from(trials);
        assert!((0.72..0.88).contains(&power), "{power} at {findable}");
    }

    #[test]
    fn what_only_differs_from_run_to_run_is_no_fall_where_there_are_several() {
        let runs = |shares: [u64; 3]| shares.map(|failures| series(&[failures; 10]));
        let (base, head) = (runs([10, 60, 120]), runs([60, 110, 160]));
        let success = between(&base, &head);
        assert!(success.test(&TERMS).worse > 0.05, "{}", success.test(&TERMS).worse);
        assert_eq!(
            success.method(),
            "counts over 3 runs in head and 3 runs in base, with an allowance for how launches differ"
        );
        let blind = between(&base[1..2], &head[1..2]);
        assert!(
            blind.test(&TERMS).worse < 0.01,
            "launches that agree within a run know nothing of other runs"
        );
        assert!(blind.method().ends_with("10 launches of one run in base: how much runs differ is left out"));
    }

    #[test]
    fn a_level_that_the_displayed_interval_does_not_reach_finds_nothing_more() {
        let findable = |level: f64| {
            let terms = Terms { significance_level: level, ..TERMS };
            between(&[series(&[60; 10])], &[series(&[60; 10])]).findable(&terms, 1)
        };
        assert_eq!(findable(0.2), findable(0.025));
        assert!(findable(0.001) > findable(0.025));
    }
}
