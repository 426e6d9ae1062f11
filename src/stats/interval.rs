//! An interval with the way it was made, and the rule that says which way is taken.

use std::fmt;

use super::bootstrap;
use super::location::{mean, sample_variance, trimmed};
use super::student;

/// From so many values on the bootstrap-t is steadier than its reputation; with fewer, Student's t is.
pub const BOOTSTRAP_FROM: usize = 10;

/// A two-sided confidence interval. Never NaN; an end is infinite where the values say nothing about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// The estimate itself.
    pub estimate: f64,
    /// Upper end.
    pub high: f64,
    /// How the ends were found.
    pub method: Method,
}

/// How an [`Interval`] was made, and from how many values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Studentised bootstrap of the mean.
    BootstrapT {
        /// Values resampled.
        values: usize,
    },
    /// Student's t interval of the mean.
    StudentT {
        /// Values averaged.
        values: usize,
    },
    /// Student's t interval of a trimmed mean with its Winsorised variance.
    TrimmedT {
        /// Values before trimming.
        values: usize,
    },
    /// All values agree to the last bit: the interval is that one point.
    NoSpread {
        /// Values that agree.
        values: usize,
    },
    /// A single value shows no spread: the interval is the whole line.
    OneValue,
}

impl Interval {
    /// The same with both ends `factor` times as far from the estimate; narrower never, and where that is no number, the whole line.
    pub fn stretched(self, factor: f64) -> Self {
        let end = |end: f64, beyond: f64| {
            let stretched = self.estimate + factor.max(1.0) * (end - self.estimate);
            if factor.is_nan() || stretched.is_nan() { beyond } else { stretched }
        };
        Self { low: end(self.low, f64::NEG_INFINITY), high: end(self.high, f64::INFINITY), ..self }
    }
}

impl Method {
    /// In words, with the noun for what the values are: "bootstrap-t over 10 launches".
    pub fn describe(self, one: &str, many: &str) -> String {
        match self {
            Self::BootstrapT { values } => format!("bootstrap-t over {values} {many}"),
            Self::StudentT { values } => format!("t over {values} {many}"),
            Self::TrimmedT { values } => format!("trimmed t over {values} {many}"),
            Self::NoSpread { values } => format!("no spread over {values} {many}"),
            Self::OneValue => format!("one {one}, whose spread is unknown"),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.describe("value", "values"))
    }
}

/// Interval of the mean of `values`: bootstrap-t with `nresamples` from [`BOOTSTRAP_FROM`] values on, Student's t below.
///
/// `None` if there is no value, one that is not finite (or whose square is not), or a `confidence` not strictly between 0 and 1.
/// One value gives the whole line, values that all agree give a point; the [`Method`] says so.
/// Where the bootstrap has no finite answer (see [`bootstrap::interval`]) Student's t stands in, and is named.
pub fn interval(values: &[f64], confidence: f64, nresamples: usize, seed: u64) -> Option<Interval> {
    let plain = t_interval(values, confidence)?;
    let spread = matches!(plain.method, Method::StudentT { .. });
    if !spread || values.len() < BOOTSTRAP_FROM {
        return Some(plain);
    }
    Some(bootstrap::interval(values, confidence, nresamples, seed).unwrap_or(plain))
}

/// Student's t interval of the mean of `values`; the same answers as [`interval`] where there is nothing to compute.
pub fn t_interval(values: &[f64], confidence: f64) -> Option<Interval> {
    let estimate = checked_mean(values, confidence)?;
    let Some(variance) = sample_variance(values) else {
        return whole_line(estimate);
    };
    if all_agree(values) {
        return point(values);
    }
    let n = values.len() as f64;
    let ends = student::interval(estimate, (variance / n).sqrt(), n - 1.0, confidence);
    between(ends, estimate, Method::StudentT { values: values.len() })
}

/// Student's t interval of the mean without the share `trim` at each end ([`trimmed`]).
///
/// `None` as in [`interval`], and if fewer than two values are kept while there are two or more.
pub fn trimmed_interval(values: &[f64], trim: f64, confidence: f64) -> Option<Interval> {
    let estimate = checked_mean(values, confidence)?;
    if values.len() == 1 {
        return whole_line(estimate);
    }
    if all_agree(values) {
        return point(values);
    }
    let centre = trimmed(values, trim)?;
    let ends = student::interval(centre.mean, centre.standard_error, centre.df, confidence);
    between(ends, centre.mean, Method::TrimmedT { values: values.len() })
}

/// The mean, if everything about the question is sound.
pub(super) fn checked_mean(values: &[f64], confidence: f64) -> Option<f64> {
    let sound = confidence > 0.0 && confidence < 1.0 && values.iter().all(|value| value.is_finite());
    mean(values).filter(|estimate| sound && estimate.is_finite())
}

/// Compared with each other and not with their mean, whose rounding would feign a spread.
fn all_agree(values: &[f64]) -> bool {
    values.iter().all(|&value| value == values[0])
}

/// Values so large that their squares overflow have no interval.
fn between(ends: (f64, f64), estimate: f64, method: Method) -> Option<Interval> {
    let sound = estimate.is_finite() && ends.0 <= estimate && estimate <= ends.1;
    sound.then_some(Interval { low: ends.0, estimate, high: ends.1, method })
}

fn point(values: &[f64]) -> Option<Interval> {
    between((values[0], values[0]), values[0], Method::NoSpread { values: values.len() })
}

fn whole_line(estimate: f64) -> Option<Interval> {
    between((f64::NEG_INFINITY, f64::INFINITY), estimate, Method::OneValue)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: [f64; 10] = [1.2, 0.9, 1.1, 1.4, 0.8, 1.0, 1.3, 0.95, 1.05, 1.6];

    #[test]
    fn the_count_of_values_decides_the_method() {
        let ten = interval(&TEN, 0.95, 2000, 1).unwrap();
        assert_eq!(ten.method, Method::BootstrapT { values: 10 });
        let nine = interval(&TEN[..9], 0.95, 2000, 1).unwrap();
        assert_eq!(nine.method, Method::StudentT { values: 9 });
        assert_eq!(ten.method.describe("launch", "launches"), "bootstrap-t over 10 launches");
        assert_eq!(nine.method.to_string(), "t over 9 values");
    }

    #[test]
    fn t_interval_matches_a_worked_example() {
        // Mean 3, s² = 2.5, n = 5: 3 ± 2.776445 sqrt(0.5).
        let found = t_interval(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.95).unwrap();
        assert!((found.high - 3.0 - 2.776_445_105_197_794 * 0.5_f64.sqrt()).abs() < 1e-10);
        assert!((found.low + found.high - 6.0).abs() < 1e-12);
    }

    #[test]
    fn nothing_and_nonsense_have_no_interval() {
        assert_eq!(interval(&[], 0.95, 1000, 1), None);
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(interval(&[1.0, bad, 2.0], 0.95, 1000, 1), None);
            assert_eq!(trimmed_interval(&[1.0, bad, 2.0], 0.2, 0.95), None);
        }
        for confidence in [0.0, 1.0, -3.0, f64::NAN] {
            assert_eq!(interval(&TEN, confidence, 1000, 1), None);
        }
    }

    #[test]
    fn one_value_gives_the_whole_line() {
        let found = interval(&[0.25], 0.95, 1000, 1).unwrap();
        assert_eq!((found.low, found.estimate, found.high), (f64::NEG_INFINITY, 0.25, f64::INFINITY));
        assert_eq!(found.method.describe("launch", "launches"), "one launch, whose spread is unknown");
        assert_eq!(trimmed_interval(&[0.25], 0.2, 0.95), Some(found));
    }

    #[test]
    fn values_that_agree_give_a_point_in_spite_of_rounding() {
        let found = interval(&[0.1; 30], 0.95, 1000, 1).unwrap();
        assert_eq!((found.low, found.estimate, found.high), (0.1, 0.1, 0.1));
        assert_eq!(found.method, Method::NoSpread { values: 30 });
    }

    #[test]
    fn too_few_resamples_fall_back_on_t_and_say_so() {
        for nresamples in [0, 1, 10] {
            let found = interval(&TEN, 0.95, nresamples, 1).unwrap();
            assert_eq!(Some(found), t_interval(&TEN, 0.95));
        }
    }

    #[test]
    fn a_trimmed_interval_ignores_the_outlier() {
        let mut wild = TEN;
        wild[9] = 100.0;
        let found = trimmed_interval(&wild, 0.2, 0.95).unwrap();
        assert_eq!(found.method, Method::TrimmedT { values: 10 });
        assert!(found.high < 1.5 && found.low > 0.8, "{found:?}");
    }

    #[test]
    fn a_stretched_interval_keeps_its_estimate_and_is_never_narrower() {
        let found = t_interval(&TEN, 0.95).unwrap();
        let twice = found.stretched(2.0);
        assert!((twice.high - found.estimate - 2.0 * (found.high - found.estimate)).abs() < 1e-12);
        assert_eq!((found.stretched(0.5), twice.estimate), (found, found.estimate));
        let boundless = found.stretched(f64::NAN);
        assert_eq!((boundless.low, boundless.high), (f64::NEG_INFINITY, f64::INFINITY));
    }

    #[test]
    fn no_input_yields_nan() {
        let mut rng = fastrand::Rng::with_seed(5);
        let pool = [0.0, -0.0, 1e-308, 1.0, 1.0 + f64::EPSILON, 1e150, -1e150, f64::MAX, f64::MIN];
        for _ in 0..3000 {
            let values: Vec<f64> = (0..rng.usize(0..14)).map(|_| pool[rng.usize(0..pool.len())]).collect();
            for found in [interval(&values, 0.95, 200, 1), trimmed_interval(&values, 0.2, 0.95)] {
                if let Some(Interval { low, estimate, high, .. }) = found {
                    assert!(low <= estimate && estimate <= high, "{values:?}: {found:?}");
                }
            }
        }
    }
}
