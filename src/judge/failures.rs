//! The success ratio, judged first: failures are not fast successes.
//!
//! By counts: the requests of a launch are not independent, nor are the launches of a run. The sample of a side is the run where
//! it has several, else the launch, which leaves out how much runs differ. Unlike the other metrics it has no interval of
//! equivalence: few requests could never show a ratio to be the same within 0.1 points. It is unchanged if the estimate lies
//! within the margin, and says what drop it would have found.

use crate::judge::effect::{Context, PValues, Test};
use crate::judge::verdict::{Advice, Change, Comparison, Counted, Method, Reason, Stage, Verdict};
use crate::plan::Settings;
use crate::record::{Remedy, Series, success_ratio};
use crate::stats::decision::POWER;
use crate::stats::distribution::normal_upper_quantile;
use crate::stats::proportion::{ProportionDifference, Sample};

/// By how much the share of failures may rise: 0.1 points.
pub(super) const FAILURE_MARGIN: f64 = 0.001;
/// Halvings of the range in which the detectable drop is sought: to 0.02 points.
const HALVINGS: u32 = 12;

/// The counts of both sides: a [`Sample`] for each run, or for each launch of the only run.
#[derive(Debug)]
pub(super) struct Failures {
    base: Vec<Sample>,
    head: Vec<Sample>,
    rise: ProportionDifference,
    method: Method,
}

impl Failures {
    /// The counts of the runs of both sides; `None` if a side has no request.
    pub fn new<'a>(
        base: impl Iterator<Item = &'a Series>,
        head: impl Iterator<Item = &'a Series>,
        is_duet: bool,
    ) -> Option<Self> {
        let ((base, base_counted), (head, head_counted)) = (samples(base, is_duet), samples(head, is_duet));
        let rise = ProportionDifference::between(&base, &head)?;
        let has_allowance = rise.rests_on_allowance;
        let method = Method::Counts { head: head_counted, base: base_counted, has_allowance };
        Some(Self { base, head, rise, method })
    }

    /// Whether the success ratio was not seen to drop, so that a faster head may be called improved.
    pub fn may_improve(&self) -> bool {
        self.rise.estimate() <= FAILURE_MARGIN
    }

    /// Its test among those of the call.
    pub fn test(&self) -> Test {
        let drop = if self.rise.estimate() < -FAILURE_MARGIN {
            ProportionDifference::between(&self.head, &self.base)
        } else {
            None
        };
        let worse = self.rise.p_above(FAILURE_MARGIN);
        Test {
            metric: success_ratio(),
            p: PValues { worse, better: drop.map_or(1.0, |drop| drop.p_above(FAILURE_MARGIN)) },
            p_worse_at_all: worse,
            error: None,
            estimate: self.rise.estimate(),
            margin: FAILURE_MARGIN,
        }
    }

    /// The smallest drop of the ratio that is found with probability [`POWER`] as one of the tests, if launches drop alike.
    fn detectable(&self, settings: &Settings, context: &Context) -> f64 {
        let level = context.level_per_test(settings);
        let base = share(&self.base);
        let errors_below = normal_upper_quantile(1.0 - POWER);
        let with_share = |share: f64| {
            let fallen = |launch: &Sample| {
                let failures = (share.clamp(0.0, 1.0) * launch.requests as f64).round() as u64;
                Sample { failures, requests: launch.requests }
            };
            ProportionDifference::between(&self.base, &self.head.iter().map(fallen).collect::<Vec<_>>())
        };
        let is_found = |drop: f64| {
            let share = base + drop;
            // A drop of this size looks smaller than `seen` in one of five cases.
            let seen = with_share(share).map(|rise| share - errors_below * rise.standard_error());
            seen.and_then(with_share).is_some_and(|rise| rise.limits(1.0 - 2.0 * level).0 > FAILURE_MARGIN)
        };
        let (mut not_found, mut found) = (FAILURE_MARGIN, 1.0);
        for _ in 0..HALVINGS {
            let middle = 0.5 * (not_found + found);
            if is_found(middle) { found = middle } else { not_found = middle }
        }
        found
    }

    /// The comparison, given its corrected p values.
    pub fn compare(&self, p: PValues, stage: Stage, settings: &Settings, context: &Context) -> Comparison {
        let (low, high) = self.rise.limits(settings.confidence_level);
        let estimate = self.rise.estimate();
        let verdict = if p.worse < settings.significance_level && low > FAILURE_MARGIN {
            Verdict::Regressed
        } else if p.better < settings.significance_level && high < -FAILURE_MARGIN {
            Verdict::Improved
        } else if estimate.abs() <= FAILURE_MARGIN {
            Verdict::Unchanged
        } else {
            Verdict::Inconclusive
        };
        let is_open = verdict == Verdict::Inconclusive;
        Comparison {
            metric: success_ratio(),
            judged: true,
            base: Some(1.0 - share(&self.base)),
            head: Some(1.0 - share(&self.head)),
            change: Some(Change { low: -high, estimate: -estimate, high: -low }),
            p_adjusted: p.of(estimate),
            verdict,
            reason: is_open.then_some(Reason::NotShown),
            stage,
            method: Some(self.method),
            detectable: (!context.verdicts_only).then(|| self.detectable(settings, context)),
            margin: FAILURE_MARGIN,
            advice: is_open.then_some(Advice::MoreSuccesses {
                remedy: Remedy::MeasurementTime(None),
                record_again: false,
            }),
        }
    }
}

/// The samples of a side: in a duet its launches, however many runs there are.
fn samples<'a>(runs: impl Iterator<Item = &'a Series>, is_duet: bool) -> (Vec<Sample>, Counted) {
    let sample = |(requests, successes)| Sample { failures: requests - successes, requests };
    let runs: Vec<Vec<Sample>> = runs.map(|series| series.counts_by_launch().map(sample).collect()).collect();
    if is_duet {
        let launches = runs.concat();
        let count = launches.len();
        return (launches, Counted::Launches(count));
    }
    match &runs[..] {
        [run] => (run.clone(), Counted::Launches(run.len())),
        several => (several.iter().map(|launches| sum(launches)).collect(), Counted::Runs(several.len())),
    }
}

fn sum(launches: &[Sample]) -> Sample {
    launches.iter().fold(Sample { failures: 0, requests: 0 }, |sum, launch| Sample {
        failures: sum.failures + launch.failures.min(launch.requests),
        requests: sum.requests + launch.requests,
    })
}

/// The share of failures.
fn share(launches: &[Sample]) -> f64 {
    let Sample { failures, requests } = sum(launches);
    if requests == 0 { 1.0 } else { failures as f64 / requests as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::settings;

    const TESTS: usize = 40;
    const CONTEXT: Context =
        Context { tests: TESTS, confirmation: None, is_ranked: false, verdicts_only: true };

    /// A run with this number of failures in each of its launches, of 6,000 requests.
    fn run(failures: &[u64]) -> Series {
        Series {
            requests: vec![vec![6_000]; failures.len()],
            successes: failures.iter().map(|failures| vec![6_000 - failures]).collect(),
            ..Series::default()
        }
    }

    fn stored(base: &[Series], head: &[Series]) -> Failures {
        Failures::new(base.iter(), head.iter(), false).unwrap()
    }

    #[test]
    fn a_drop_of_the_detectable_size_is_found_in_four_of_five_cases() {
        let mut rng = fastrand::Rng::with_seed(8);
        let share = 0.01;
        let detectable = stored(&[run(&[60; 10])], &[run(&[60; 10])]).detectable(&settings(), &CONTEXT);
        assert!((0.002..0.02).contains(&detectable), "{detectable}");
        let mut random = |share: f64| {
            let launch = |rng: &mut fastrand::Rng| (0..6_000).filter(|_| rng.f64() < share).count() as u64;
            run(&(0..10).map(|_| launch(&mut rng)).collect::<Vec<_>>())
        };
        let trials = 400;
        let found = (0..trials).filter(|_| {
            let failures = stored(&[random(share)], &[random(share + detectable)]);
            let p = failures.test().p.bonferroni(TESTS);
            failures.compare(p, Stage::Whole, &settings(), &CONTEXT).verdict == Verdict::Regressed
        });
        let power = found.count() as f64 / f64::from(trials);
        assert!((0.72..0.88).contains(&power), "{power} at {detectable}");
    }

    #[test]
    fn with_several_runs_the_sample_is_the_run() {
        let runs = |failures: [u64; 3]| failures.map(|failures| run(&[failures; 10]));
        let (base, head) = (runs([10, 60, 120]), runs([60, 110, 160]));
        let several = stored(&base, &head);
        assert!(several.test().p.worse > 0.05, "{}", several.test().p.worse);
        let method = Method::Counts { head: Counted::Runs(3), base: Counted::Runs(3), has_allowance: true };
        assert_eq!(several.method, method);
        let one = stored(&base[1..2], &head[1..2]);
        assert!(one.test().p.worse < 0.01, "launches of one run do not show how much runs differ");
    }

    #[test]
    fn a_level_that_the_displayed_interval_does_not_reach_detects_nothing_more() {
        let detectable = |significance_level: f64| {
            let settings = Settings { significance_level, ..settings() };
            let context = Context { tests: 1, ..CONTEXT };
            stored(&[run(&[60; 10])], &[run(&[60; 10])]).detectable(&settings, &context)
        };
        assert_eq!(detectable(0.2), detectable(0.025));
        assert!(detectable(0.001) > detectable(0.025));
    }
}
