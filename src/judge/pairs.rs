//! Head against base in a duet: the rounds of a pair saw the same machine at the same time, so their ratio knows nothing of it.
//!
//! The sample is the launch: the log ratios of its pairs become one value. A launch's luck is in that value; where there is but one
//! launch it is assumed ([`ALLOWANCE`]), and more pairs cannot help it.

use crate::judge::decide::Worsening;
use crate::judge::difference::Difference;
use crate::judge::launch::{Centring, RESOLUTION, RunValue, TRIM, reduce};
use crate::judge::order::widened;
use crate::judge::policy::Terms;
use crate::judge::shown::Precision;
use crate::judge::stored::{PRIOR_DF, USUAL_SPREAD};
use crate::record::words::plural;
use crate::record::{Better, Centre};
use crate::stats::describe::sample_variance;
use crate::stats::interval::{Interval, mean_interval, trimmed_interval};
use crate::stats::series::{Pattern, Widening};

/// Variance of a ratio of two single launches.
const ALLOWANCE: f64 = 2.0 * USUAL_SPREAD * USUAL_SPREAD;

/// The pairs of one metric, each head over base, nested by launch.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pairs {
    ratios: RunValue,
    better: Better,
    /// Variance of the log ratio of a single pair.
    pair_variance: f64,
    pairs: usize,
}

impl Pairs {
    /// Pairs rounds in the order of time; nothing when there is none, or a value that has no logarithm.
    pub fn new(base: &[Vec<f64>], head: &[Vec<f64>], centre: Centre, better: Better) -> Option<Self> {
        let of_launch = |(base, head): (&Vec<f64>, &Vec<f64>)| -> Vec<f64> {
            base.iter().zip(head).map(|(base, head)| head / base).collect()
        };
        let nested: Vec<Vec<f64>> = base.iter().zip(head).map(of_launch).collect();
        let logs: Vec<f64> = nested.iter().flatten().map(|ratio| ratio.ln()).collect();
        let ratios = reduce(&nested, centre)?;
        Some(Self { ratios, better, pair_variance: sample_variance(&logs).unwrap_or(0.0), pairs: logs.len() })
    }

    /// Whether there are too few rounds and launches for what the metric needs.
    pub fn is_unsound(&self) -> bool {
        self.ratios.centring == Centring::Unsound
    }

    /// Whether both sides were started several times.
    pub fn has_launches(&self) -> bool {
        self.launches() > 1
    }

    fn launches(&self) -> usize {
        self.ratios.launches.len()
    }

    fn sign(&self) -> f64 {
        match self.better {
            Better::Lower => 1.0,
            Better::Higher => -1.0,
        }
    }

    /// Head against base.
    pub fn difference(&self) -> Difference {
        let estimate = self.sign() * self.ratios.log;
        match self.ratios.centre_variance() {
            Some(variance) => Difference {
                estimate,
                standard_error: variance.sqrt().max(RESOLUTION),
                df: self.ratios.centre_df(),
            },
            None => {
                let by_rounds = self.ratios.round_variance.unwrap_or(0.0);
                Difference { estimate, standard_error: (ALLOWANCE + by_rounds).sqrt(), df: PRIOR_DF }
            }
        }
    }

    /// The interval that is displayed: a bootstrap-t from ten launches on, Student's t below.
    pub fn interval(&self, precision: Precision) -> (Worsening, String) {
        let Precision { confidence, nresamples, seed } = precision;
        let found: Option<Interval> = match (self.ratios.launch_variance, self.ratios.centring) {
            (None, _) => None,
            (_, Centring::Trimmed) => trimmed_interval(&self.ratios.launches, TRIM, confidence),
            _ => mean_interval(&self.ratios.launches, confidence, nresamples, seed),
        };
        let pairs = plural(self.pairs as u64, "pair");
        let widened =
            self.ratios.disorder.as_ref().filter(|_| self.is_wider()).map(widened).unwrap_or_default();
        let Some(found) = found.map(|found| self.ratios.widen(found, confidence)) else {
            let method = format!("t over {pairs} of one launch, with an allowance for its luck{widened}");
            return (self.difference().interval(confidence), method);
        };
        let at_least = self.difference();
        if at_least.standard_error <= RESOLUTION {
            let method = format!(
                "t over {} of {pairs}, by the resolution of what is measured",
                plural(self.launches() as u64, "launch")
            );
            return (at_least.interval(confidence), method);
        }
        let (low, high) = if self.sign() > 0.0 { (found.low, found.high) } else { (-found.high, -found.low) };
        let shown = Worsening { low, estimate: self.sign() * found.estimate, high };
        (shown, format!("{} of {pairs}{widened}", found.method.describe("launch", "launches")))
    }

    /// What is wrong with the order of its launches, and how many there are (or rounds of the only one).
    pub fn disorder(&self) -> Option<(Pattern, usize)> {
        let count = if self.launches() == 1 { self.pairs } else { self.launches() };
        Some((self.ratios.disorder?, count))
    }

    /// Whether that makes its interval wider. Two groups of one size do not, nor does what is within the resolution of a histogram.
    pub fn is_wider(&self) -> bool {
        self.disorder().is_some_and(|(disorder, count)| disorder.widening(count) != Widening::NONE)
            && self.difference().standard_error > RESOLUTION
    }

    /// What it would be with so many launches of one pair each, in the order that they have now.
    pub fn with_pairs(&self, pairs: usize) -> Difference {
        let count = pairs.max(2) as f64;
        Difference {
            standard_error: (self.pair_variance / count * self.ratios.widening().variance)
                .sqrt()
                .max(RESOLUTION),
            df: count - 1.0,
            ..self.difference()
        }
    }

    /// What would decide it, were the estimate and the spread to stay as they are.
    pub fn advice(&self, terms: &Terms, tests: usize) -> String {
        const MOST_PAIRS: usize = 1_000;
        if self.ratios.launch_variance.is_none() {
            return "several launches (let plimsoll start both services): more rounds of one launch cannot help"
                .to_owned();
        }
        if let Some(Pattern::Drift { .. }) = self.ratios.disorder {
            return "sides that do not drift apart while they are measured: more launches cannot help"
                .to_owned();
        }
        let candidates: Vec<usize> = (self.pairs + 1..=MOST_PAIRS).collect();
        let first = candidates.partition_point(|&pairs| !self.with_pairs(pairs).decides(terms, tests));
        match candidates.get(first) {
            Some(pairs) => format!("{pairs} launches of one pair (--sample-size {pairs} --launches {pairs})"),
            None => "a quieter machine: its pairs differ too much".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(ratios: &[&[f64]], better: Better) -> Pairs {
        let base: Vec<Vec<f64>> = ratios.iter().map(|launch| vec![2.0; launch.len()]).collect();
        let head: Vec<Vec<f64>> =
            ratios.iter().map(|launch| launch.iter().map(|ratio| 2.0 * ratio).collect()).collect();
        Pairs::new(&base, &head, Centre::Mean, better).unwrap()
    }

    #[test]
    fn the_sample_is_the_launch_and_its_value_the_mean_log_ratio() {
        let e = f64::exp;
        // Launch means 0.1 and 0.3: estimate 0.2, variance 0.02, standard error 0.1.
        let found = pairs(&[&[e(0.0), e(0.2)], &[e(0.3), e(0.3)]], Better::Lower).difference();
        let is = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        is(found.estimate, 0.2);
        is(found.standard_error, 0.1);
        is(found.df, 1.0);
        is(pairs(&[&[e(0.0), e(0.2)], &[e(0.3), e(0.3)]], Better::Higher).difference().estimate, -0.2);
    }

    #[test]
    fn swapping_the_sides_turns_the_sign_and_keeps_the_error() {
        let (base, head) = (vec![vec![1.0, 1.1], vec![0.9, 1.0]], vec![vec![1.2, 1.1], vec![1.1, 1.3]]);
        let one = Pairs::new(&base, &head, Centre::Mean, Better::Lower).unwrap().difference();
        let other = Pairs::new(&head, &base, Centre::Mean, Better::Lower).unwrap().difference();
        assert!((one.estimate + other.estimate).abs() < 1e-12);
        assert!((one.standard_error - other.standard_error).abs() < 1e-12);
    }

    #[test]
    fn one_launch_has_an_allowance_that_more_pairs_do_not_shrink() {
        let few = pairs(&[&[1.0, 1.0, 1.0]], Better::Lower);
        let many = pairs(&[&[1.0; 300]], Better::Lower);
        assert_eq!(few.difference(), many.difference());
        assert!((few.difference().standard_error - 0.02 * 2.0_f64.sqrt()).abs() < 1e-12);
        assert_eq!(few.difference().df, 4.0);
        assert!(
            few.interval(Precision { confidence: 0.95, nresamples: 1_000, seed: 1 }).1.contains("allowance")
        );
    }

    #[test]
    fn order_that_makes_nothing_wider_is_not_told_as_if_it_did() {
        let told = |ratio: &dyn Fn(usize) -> f64| {
            let launches: Vec<Vec<f64>> = (0..20).map(|at| vec![ratio(at)]).collect();
            let found = pairs(&launches.iter().map(Vec::as_slice).collect::<Vec<_>>(), Better::Lower);
            assert!(found.disorder().is_some());
            let (_, method) = found.interval(Precision { confidence: 0.95, nresamples: 1_000, seed: 1 });
            assert_eq!(method.contains("widened"), found.is_wider(), "{method}");
            found.is_wider()
        };
        assert!(told(&|at| 1.0 + 0.01 * at as f64));
        assert!(!told(&|at| 1.0 + 1e-6 * at as f64), "within the resolution");
        // Of each kind ten, and no one like the one before more often than by chance.
        let slow = [0, 1, 3, 6, 7, 10, 13, 14, 16, 19];
        assert!(!told(&|at| if slow.contains(&at) { 1.1 } else { 1.0 }), "two groups of one size");
    }

    #[test]
    fn a_zero_has_no_ratio() {
        assert!(Pairs::new(&[vec![0.0, 1.0]], &[vec![1.0, 1.0]], Centre::Mean, Better::Lower).is_none());
        assert!(Pairs::new(&[], &[], Centre::Mean, Better::Lower).is_none());
    }
}
