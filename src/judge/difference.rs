//! A change on a log scale with its error: what every comparison comes down to, whatever it was made from.

use crate::judge::decide::{Test, Worsening};
use crate::judge::policy::Terms;
use crate::stats::decision::p_above;
use crate::stats::decision::{POWER, detectable_log_change};
use crate::stats::interval::t_limits;

/// An interval lies within both ends in four of five cases when it misses each of them in one of ten.
const EACH_END: f64 = 1.0 - 0.5 * (1.0 - POWER);

/// Head against base, on a log scale; positive is worse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Difference {
    /// The estimate.
    pub estimate: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Degrees of freedom of that error.
    pub df: f64,
}

impl Difference {
    /// The plain t interval.
    pub fn interval(&self, confidence: f64) -> Worsening {
        let (low, high) = t_limits(self.estimate, self.standard_error, self.df, confidence);
        Worsening { low, estimate: self.estimate, high }
    }

    /// The tests of both directions beyond the margin.
    pub fn test(&self, terms: &Terms) -> Test {
        let p =
            |estimate: f64| p_above(estimate, terms.noise_threshold.ln_1p(), self.standard_error, self.df);
        Test { worse: p(self.estimate), better: p(-self.estimate) }
    }

    /// p value of "not slower at all".
    pub fn p_slower(&self) -> f64 {
        p_above(self.estimate, 0.0, self.standard_error, self.df)
    }

    /// The smallest worsening that would have been found in four of five cases at that one-sided level, as a logarithm.
    pub fn findable(&self, terms: &Terms, level: f64) -> f64 {
        detectable_log_change(self.standard_error, self.df, level, terms.noise_threshold, POWER)
    }

    /// The smallest one that would have been seen to be slower at all.
    pub fn seen(&self, level: f64) -> f64 {
        detectable_log_change(self.standard_error, self.df, level, 0.0, POWER)
    }

    /// Whether in four of five cases the interval would lie within the equivalence margin, or the test beyond the red one, were the
    /// estimate the truth.
    pub fn decides(&self, terms: &Terms, tests: usize) -> bool {
        let distance = self.estimate.abs();
        let room = terms.equivalence.ln_1p() - distance;
        let one_end = 0.5 * (1.0 - terms.confidence_level);
        let is_equal = detectable_log_change(self.standard_error, self.df, one_end, 0.0, EACH_END) <= room;
        is_equal || self.findable(terms, terms.level_of_one(tests)) <= distance
    }
}
