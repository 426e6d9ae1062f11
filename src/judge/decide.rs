//! The decision itself: an interval and corrected p values become a verdict. How they were made is not its business,
//! so that a stored baseline and a duet are decided by the same rule.

use crate::judge::policy::Terms;
use crate::judge::verdict::Verdict;
use crate::stats::decision::{bonferroni, holm};

/// A one-sided test in each direction, and its place among all tests of the call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Test {
    /// p value of "no worse than the margin".
    pub worse: f64,
    /// p value of "no better than the margin".
    pub better: f64,
}

impl Test {
    /// What could not be tested: it stays in the family and is never rejected.
    pub const NONE: Test = Test { worse: 1.0, better: 1.0 };
}

/// A plain interval on the scale of the margins; positive is worse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Worsening {
    /// Lower end.
    pub low: f64,
    /// The estimate.
    pub estimate: f64,
    /// Upper end.
    pub high: f64,
}

/// Holm's correction over all tests of the call, for each direction by itself.
pub(super) fn adjusted(tests: &[Test]) -> Vec<Test> {
    let worse = holm(&tests.iter().map(|test| test.worse).collect::<Vec<_>>());
    let better = holm(&tests.iter().map(|test| test.better).collect::<Vec<_>>());
    worse.into_iter().zip(better).map(|(worse, better)| Test { worse, better }).collect()
}

/// Bonferroni's correction, for what is shown but does not take part in the family.
pub(super) fn as_one_of(test: Test, tests: usize) -> Test {
    Test { worse: bonferroni(test.worse, tests), better: bonferroni(test.better, tests) }
}

/// The verdict on a change of a logarithm: red (or green) needs the corrected p value *and* the displayed interval.
pub(super) fn decide(change: &Worsening, adjusted: Test, terms: &Terms, may_improve: bool) -> Verdict {
    let (red, equal) = (terms.noise_threshold.ln_1p(), terms.equivalence.ln_1p());
    if adjusted.worse < terms.significance_level && change.low > red {
        return Verdict::Regressed;
    }
    if adjusted.better < terms.significance_level && change.high < -red {
        return if may_improve { Verdict::Improved } else { Verdict::Inconclusive };
    }
    if -equal < change.low && change.high < equal { Verdict::Unchanged } else { Verdict::Inconclusive }
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
    const SURE: Test = Test { worse: 1e-6, better: 1e-6 };

    fn verdict(low: f64, high: f64, test: Test) -> Verdict {
        let change = Worsening { low, estimate: 0.5 * (low + high), high };
        decide(&change, test, &TERMS, true)
    }

    #[test]
    fn red_needs_both_the_p_value_and_the_interval() {
        assert_eq!(verdict(0.06, 0.2, SURE), Verdict::Regressed);
        assert_eq!(verdict(0.06, 0.2, Test { worse: 0.01, better: 1.0 }), Verdict::Inconclusive);
        assert_eq!(verdict(0.04, 0.2, SURE), Verdict::Inconclusive);
        assert_eq!(verdict(1.05_f64.ln() + 1e-9, 0.2, SURE), Verdict::Regressed, "ln 1.05, not 0.05");
        assert_eq!(verdict(1.05_f64.ln() - 1e-9, 0.2, SURE), Verdict::Inconclusive);
    }

    #[test]
    fn better_is_the_mirror_of_worse_unless_it_may_not_be() {
        assert_eq!(verdict(-0.2, -0.06, SURE), Verdict::Improved);
        assert_eq!(verdict(-0.2, -0.06, Test { worse: 1.0, better: 0.02 }), Verdict::Inconclusive);
        let change = Worsening { low: -0.2, estimate: -0.1, high: -0.06 };
        assert_eq!(decide(&change, SURE, &TERMS, false), Verdict::Inconclusive);
    }

    #[test]
    fn unchanged_needs_the_whole_interval_within_the_equivalence_margin() {
        assert_eq!(verdict(-0.09, 0.09, Test::NONE), Verdict::Unchanged);
        assert_eq!(verdict(-0.09, 0.10, Test::NONE), Verdict::Inconclusive);
        assert_eq!(verdict(f64::NEG_INFINITY, f64::INFINITY, Test::NONE), Verdict::Inconclusive);
        assert_eq!(verdict(0.06, 0.09, Test::NONE), Verdict::Unchanged, "beyond d, but shown to be within e");
    }

    #[test]
    fn each_direction_is_corrected_over_all_tests() {
        let tests = [Test { worse: 0.001, better: 1.0 }, Test { worse: 0.9, better: 0.002 }, Test::NONE];
        let adjusted = adjusted(&tests);
        assert!((adjusted[0].worse - 0.003).abs() < 1e-15 && (adjusted[1].better - 0.006).abs() < 1e-15);
        assert_eq!(as_one_of(tests[0], 3).worse, 0.003);
        assert_eq!(as_one_of(tests[1], 3).worse, 1.0);
    }
}
