//! A change on a log scale with its error: what every comparison comes down to, whatever it was made from.

use crate::judge::decide::{Test, Worsening};
use crate::judge::policy::Terms;
use crate::stats::power::{POWER, smallest_log_change};
use crate::stats::student;

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
        let (low, high) = student::interval(self.estimate, self.standard_error, self.df, confidence);
        Worsening { low, estimate: self.estimate, high }
    }

    /// The tests of both directions beyond the margin.
    pub fn test(&self, terms: &Terms) -> Test {
        let p = |estimate: f64| student::p_above(estimate, terms.red.ln_1p(), self.standard_error, self.df);
        Test { worse: p(self.estimate), better: p(-self.estimate) }
    }

    /// The smallest worsening that would have been found in four of five cases at that one-sided level, as a logarithm.
    pub fn findable(&self, terms: &Terms, level: f64) -> f64 {
        smallest_log_change(self.standard_error, self.df, level, terms.red, POWER)
    }

    /// Whether the interval would lie within the equivalence margin, or the test beyond the red one.
    pub fn decides(&self, terms: &Terms, tests: usize) -> bool {
        let plain = self.interval(terms.confidence);
        let (red, equal) = (terms.red.ln_1p(), terms.equal.ln_1p());
        let (low, high) =
            if self.estimate < 0.0 { (-plain.high, -plain.low) } else { (plain.low, plain.high) };
        let test = self.test(terms);
        high < equal || (low > red && test.worse.min(test.better) * (tests as f64) < terms.level)
    }
}
