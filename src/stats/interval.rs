//! Confidence intervals of a mean: Student's t, Student's t of a trimmed mean, and the bootstrap-t.

use crate::stats::describe::{mean, sample_variance, trimmed_mean};
use crate::stats::distribution::t_upper_quantile;

/// Number of values from which [`mean_interval`] uses the bootstrap-t. With fewer values its outer quantiles vary too much.
const MIN_FOR_BOOTSTRAP: usize = 10;

/// A resample whose sum of squares is below this fraction of the original one has no spread: the rest is rounding.
const NO_SPREAD: f64 = 1e-13;

/// This number of sums fits into the fastest cache.
const MAX_GROUPS: usize = 1024;

/// A two-sided confidence interval. Never NaN; an end is infinite if the values say nothing about it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// The estimate itself.
    pub estimate: f64,
    /// Upper end.
    pub high: f64,
    /// Method that gave the ends.
    pub method: Method,
}

/// Method of an [`Interval`], and the number of values it rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Studentised bootstrap of the mean.
    BootstrapT {
        /// Number of values resampled.
        values: usize,
    },
    /// Student's t interval of the mean.
    StudentT {
        /// Number of values averaged.
        values: usize,
    },
    /// Student's t interval of a trimmed mean, with its Winsorized variance.
    TrimmedT {
        /// Number of values before trimming.
        values: usize,
    },
    /// All values are equal to the last bit: the interval is that one point.
    NoSpread {
        /// Number of equal values.
        values: usize,
    },
    /// A single value shows no spread: the interval is the whole line.
    OneValue,
}

impl Interval {
    /// Moves both ends to `factor` times their distance from the estimate. A factor below 1 does not narrow it. If the result
    /// is undefined, the ends are infinite.
    pub fn stretched(self, factor: f64) -> Self {
        let end = |end: f64, beyond: f64| {
            let stretched = self.estimate + factor.max(1.0) * (end - self.estimate);
            if factor.is_nan() || stretched.is_nan() { beyond } else { stretched }
        };
        Self { low: end(self.low, f64::NEG_INFINITY), high: end(self.high, f64::INFINITY), ..self }
    }

    /// `None` for values so large that their squares overflow.
    fn checked(low: f64, estimate: f64, high: f64, method: Method) -> Option<Self> {
        let is_valid = estimate.is_finite() && low <= estimate && estimate <= high;
        is_valid.then_some(Self { low, estimate, high, method })
    }
}

/// Interval of the mean: bootstrap-t with `nresamples` resamples for ten or more values, Student's t for fewer.
///
/// `None` if there are no values, if a value or its square is not finite, or if `confidence` is not between 0 and 1 (exclusive).
/// One value gives the whole line and equal values give a point; the [`Method`] says so. Student's t is also used where the
/// bootstrap has no finite result (see [`bootstrap_interval`]).
pub fn mean_interval(values: &[f64], confidence: f64, nresamples: usize, seed: u64) -> Option<Interval> {
    let plain = t_interval(values, confidence)?;
    let has_spread = matches!(plain.method, Method::StudentT { .. });
    if !has_spread || values.len() < MIN_FOR_BOOTSTRAP {
        return Some(plain);
    }
    Some(bootstrap_interval(values, confidence, nresamples, seed).unwrap_or(plain))
}

/// Student's t interval of the mean. `None`, one value and equal values as in [`mean_interval`].
pub fn t_interval(values: &[f64], confidence: f64) -> Option<Interval> {
    let estimate = checked_mean(values, confidence)?;
    if let Some(found) = without_spread(values) {
        return Some(found);
    }
    let n = values.len() as f64;
    let (low, high) = t_limits(estimate, (sample_variance(values)? / n).sqrt(), n - 1.0, confidence);
    Interval::checked(low, estimate, high, Method::StudentT { values: values.len() })
}

/// Student's t interval of the mean without the fraction `trim` of the values at each end ([`trimmed_mean`]).
///
/// `None` as in [`mean_interval`], and if fewer than two of several values are kept.
pub fn trimmed_interval(values: &[f64], trim: f64, confidence: f64) -> Option<Interval> {
    checked_mean(values, confidence)?;
    if let Some(found) = without_spread(values) {
        return Some(found);
    }
    let center = trimmed_mean(values, trim)?;
    let (low, high) = t_limits(center.mean, center.standard_error, center.df, confidence);
    Interval::checked(low, center.mean, high, Method::TrimmedT { values: values.len() })
}

/// Ends of the two-sided t interval of a quantity with this estimate, standard error and degrees of freedom.
///
/// A standard error of zero gives a single point. An invalid one (negative, NaN) or an invalid `df` gives the whole line.
pub fn t_limits(estimate: f64, standard_error: f64, df: f64, confidence: f64) -> (f64, f64) {
    if standard_error == 0.0 {
        return (estimate, estimate);
    }
    let half_width = t_upper_quantile(0.5 * (1.0 - confidence), df) * standard_error;
    if half_width.is_nan() || half_width < 0.0 {
        return (f64::NEG_INFINITY, f64::INFINITY);
    }
    (estimate - half_width, estimate + half_width)
}

/// The mean, if all values and `confidence` are valid.
fn checked_mean(values: &[f64], confidence: f64) -> Option<f64> {
    let is_valid = confidence > 0.0 && confidence < 1.0 && values.iter().all(|value| value.is_finite());
    mean(values).filter(|estimate| is_valid && estimate.is_finite())
}

/// The interval of one value or of equal values. They are compared with each other, because their mean may be rounded.
fn without_spread(values: &[f64]) -> Option<Interval> {
    match *values {
        [value] => Interval::checked(f64::NEG_INFINITY, value, f64::INFINITY, Method::OneValue),
        [first, ..] if values.iter().all(|&value| value == first) => {
            Interval::checked(first, first, first, Method::NoSpread { values: values.len() })
        }
        _ => None,
    }
}

/// Bootstrap-t interval of the mean, which follows the skew of the values (Efron & Tibshirani 1993, section 12.5).
///
/// It studentises each resample, and therefore is not too narrow for few values, as the percentile bootstrap is. The same
/// arguments give the same interval. A resample of equal values has no standard error; its t is infinite, with the sign of its
/// mean's deviation. Leaving such resamples out would make the interval too narrow. `None` if an end is not finite for this
/// reason (many ties, or very few values), if `nresamples` is smaller than 2 / (1 - `confidence`), and as in [`mean_interval`].
pub fn bootstrap_interval(values: &[f64], confidence: f64, nresamples: usize, seed: u64) -> Option<Interval> {
    let estimate = checked_mean(values, confidence)?;
    let tail = 0.5 * (1.0 - confidence);
    let rank = ((nresamples as f64 + 1.0) * tail + 1e-9).floor() as usize;
    if rank == 0 || values.len() < 2 || u32::try_from(values.len()).is_err() {
        return None;
    }
    // Scaled to a largest deviation of 1, no square can overflow. t does not depend on the scale.
    let scale = values.iter().map(|value| (value - estimate).abs()).fold(0.0, f64::max);
    if !(scale > 0.0 && scale.is_finite()) {
        return None;
    }
    let deviations: Vec<f64> = values.iter().map(|value| (value - estimate) / scale).collect();
    let n = deviations.len() as f64;
    let squares: f64 = deviations.iter().map(|value| value * value).sum();
    let standard_error = (squares / (n * (n - 1.0))).sqrt() * scale;

    let mut t = bootstrap_t_squares(&deviations, squares, nresamples, seed);
    let highest = *t.select_nth_unstable_by(nresamples - rank, f64::total_cmp).1;
    // The lower values are all in front of it now.
    let lowest = *t[..=nresamples - rank].select_nth_unstable_by(rank - 1, f64::total_cmp).1;
    let t_of = |square: f64| ((n - 1.0) / n * square.abs()).sqrt().copysign(square);
    let (low, high) = (estimate - t_of(highest) * standard_error, estimate - t_of(lowest) * standard_error);
    let is_finite = low.is_finite() && high.is_finite();
    Interval::checked(low, estimate, high, Method::BootstrapT { values: values.len() }).filter(|_| is_finite)
}

/// t² of each resample, with the sign of t and without the common factor (n - 1) / n: the order is that of t, without its roots.
///
/// The loop allocates nothing: it adds up drawn values and their squares, and never stores a resample.
fn bootstrap_t_squares(deviations: &[f64], squares: f64, nresamples: usize, seed: u64) -> Vec<f64> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let per_value = 1.0 / deviations.len() as f64;
    let size = group_size(deviations.len());
    let (groups, rest) = (all_groups(deviations, size), all_groups(deviations, deviations.len() % size));
    let draws = deviations.len() / size;
    let mut resample = || {
        // Two independent sums, so that no addition waits for the one before it.
        let bits = halves(rng.u64(..));
        let mut one = draw(&rest, bits.0);
        let mut other = if draws % 2 == 1 { draw(&groups, bits.1) } else { Sums::default() };
        for _ in 0..draws / 2 {
            let bits = halves(rng.u64(..));
            one = one.plus(draw(&groups, bits.0));
            other = other.plus(draw(&groups, bits.1));
        }
        let drawn = one.plus(other);
        let spread = drawn.squares - drawn.sum * drawn.sum * per_value;
        if spread > NO_SPREAD * squares {
            drawn.sum * drawn.sum.abs() / spread
        } else if drawn.sum == 0.0 {
            0.0
        } else {
            f64::INFINITY.copysign(drawn.sum)
        }
    };
    (0..nresamples).map(|_| resample()).collect()
}

/// Sum of some values, and sum of their squares.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sums {
    sum: f64,
    squares: f64,
}

impl Sums {
    fn plus(self, other: Self) -> Self {
        Self { sum: self.sum + other.sum, squares: self.squares + other.squares }
    }
}

/// Number of values drawn at once. Larger groups need fewer draws, as long as all possible groups fit into the cache.
fn group_size(count: usize) -> usize {
    let (mut size, mut groups) = (1, count);
    while size < count && groups * count <= MAX_GROUPS {
        (size, groups) = (size + 1, groups * count);
    }
    size
}

/// The sums of all ordered groups of `size` values. Drawing one group is drawing `size` values.
fn all_groups(values: &[f64], size: usize) -> Vec<Sums> {
    let mut groups = vec![Sums::default()];
    for _ in 0..size {
        let with_each = |group: Sums| {
            values.iter().map(move |&value| group.plus(Sums { sum: value, squares: value * value }))
        };
        groups = groups.into_iter().flat_map(with_each).collect();
    }
    groups
}

fn halves(bits: u64) -> (u32, u32) {
    (bits as u32, (bits >> u32::BITS) as u32)
}

fn draw(groups: &[Sums], bits: u32) -> Sums {
    // Multiply and shift maps 32 random bits to an index. Its bias, count / 2^32, is far below the noise.
    groups[((u64::from(bits) * groups.len() as u64) >> u32::BITS) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: [f64; 10] = [1.2, 0.9, 1.1, 1.4, 0.8, 1.0, 1.3, 0.95, 1.05, 1.6];

    #[test]
    fn the_number_of_values_decides_the_method() {
        let ten = mean_interval(&TEN, 0.95, 2000, 1).unwrap();
        assert_eq!(ten.method, Method::BootstrapT { values: 10 });
        let nine = mean_interval(&TEN[..9], 0.95, 2000, 1).unwrap();
        assert_eq!(nine.method, Method::StudentT { values: 9 });
        assert_eq!(ten.method, Method::BootstrapT { values: 10 });
        assert_eq!(nine.method, Method::StudentT { values: 9 });
    }

    #[test]
    fn t_interval_matches_a_worked_example() {
        // Mean 3, s² = 2.5, n = 5: 3 ± 2.776445 sqrt(0.5).
        let found = t_interval(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.95).unwrap();
        assert!((found.high - 3.0 - 2.776_445_105_197_794 * 0.5_f64.sqrt()).abs() < 1e-10);
        assert!((found.low + found.high - 6.0).abs() < 1e-12);
    }

    #[test]
    fn no_interval_without_values_or_with_invalid_arguments() {
        assert_eq!(mean_interval(&[], 0.95, 1000, 1), None);
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(mean_interval(&[1.0, bad, 2.0], 0.95, 1000, 1), None);
            assert_eq!(trimmed_interval(&[1.0, bad, 2.0], 0.2, 0.95), None);
        }
        for confidence in [0.0, 1.0, -3.0, f64::NAN] {
            assert_eq!(mean_interval(&TEN, confidence, 1000, 1), None);
        }
    }

    #[test]
    fn one_value_gives_the_whole_line() {
        let found = mean_interval(&[0.25], 0.95, 1000, 1).unwrap();
        assert_eq!((found.low, found.estimate, found.high), (f64::NEG_INFINITY, 0.25, f64::INFINITY));
        assert_eq!(found.method, Method::OneValue);
        assert_eq!(trimmed_interval(&[0.25], 0.2, 0.95), Some(found));
    }

    #[test]
    fn equal_values_give_a_point_in_spite_of_rounding() {
        let found = mean_interval(&[0.1; 30], 0.95, 1000, 1).unwrap();
        assert_eq!((found.low, found.estimate, found.high), (0.1, 0.1, 0.1));
        assert_eq!(found.method, Method::NoSpread { values: 30 });
    }

    #[test]
    fn too_few_resamples_fall_back_on_t() {
        for nresamples in [0, 1, 10] {
            let found = mean_interval(&TEN, 0.95, nresamples, 1).unwrap();
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
    fn no_interval_contains_nan() {
        let mut rng = fastrand::Rng::with_seed(5);
        let pool = [0.0, -0.0, 1e-308, 1.0, 1.0 + f64::EPSILON, 1e150, -1e150, f64::MAX, f64::MIN];
        for _ in 0..3000 {
            let values: Vec<f64> = (0..rng.usize(0..14)).map(|_| pool[rng.usize(0..pool.len())]).collect();
            for found in [mean_interval(&values, 0.95, 200, 1), trimmed_interval(&values, 0.2, 0.95)] {
                if let Some(Interval { low, estimate, high, .. }) = found {
                    assert!(low <= estimate && estimate <= high, "{values:?}: {found:?}");
                }
            }
        }
    }

    #[test]
    fn invalid_degrees_of_freedom_or_errors_give_the_whole_line() {
        for df in [0.0, -1.0, f64::NAN] {
            assert_eq!(t_limits(5.0, 1.0, df, 0.95), (f64::NEG_INFINITY, f64::INFINITY));
        }
        assert_eq!(t_limits(5.0, f64::NAN, 4.0, 0.95), (f64::NEG_INFINITY, f64::INFINITY));
    }

    /// Ends by all n^n resamples, which are equally likely.
    fn exact_deviations(values: &[f64], confidence: f64) -> (f64, f64) {
        let n = values.len();
        let count = n.pow(n as u32);
        let center = values.iter().sum::<f64>() / n as f64;
        let variance = |sample: &[f64]| {
            let mean = sample.iter().sum::<f64>() / n as f64;
            let squares: f64 = sample.iter().map(|value| (value - mean).powi(2)).sum();
            (mean, squares / (n - 1) as f64)
        };
        let mut t: Vec<f64> = (0..count)
            .map(|mut code| {
                let sample: Vec<f64> = (0..n)
                    .map(|_| {
                        let value = values[code % n];
                        code /= n;
                        value
                    })
                    .collect();
                let (mean, variance) = variance(&sample);
                (mean - center) / (variance / n as f64).sqrt()
            })
            .collect();
        t.sort_unstable_by(f64::total_cmp);
        let rank = (count as f64 * 0.5 * (1.0 - confidence)) as usize;
        let error = (variance(values).1 / n as f64).sqrt();
        (-t[count - 1 - rank] * error, -t[rank] * error)
    }

    #[test]
    fn the_bootstrap_matches_all_possible_resamples() {
        let values = [0.3, 1.9, 2.2, 4.1, 9.7, 3.3, 2.9];
        let (low, high) = exact_deviations(&values, 0.9);
        let found = bootstrap_interval(&values, 0.9, 400_000, 3).unwrap();
        assert!((found.low - found.estimate - low).abs() < 0.02 * low.abs(), "{found:?} {low}");
        assert!((found.high - found.estimate - high).abs() < 0.02 * high, "{found:?} {high}");
        assert!(high > 1.5 * low.abs(), "skewed values need a skewed interval");
    }

    #[test]
    fn the_bootstrap_depends_on_the_seed_and_not_on_the_scale() {
        let values: Vec<f64> = (1..=12).map(|i| f64::from(i * i)).collect();
        let found = bootstrap_interval(&values, 0.95, 5000, 9).unwrap();
        assert_eq!(bootstrap_interval(&values, 0.95, 5000, 9), Some(found));
        assert_ne!(bootstrap_interval(&values, 0.95, 5000, 10), Some(found));
        let huge: Vec<f64> = values.iter().map(|value| value * 1e200).collect();
        let scaled = bootstrap_interval(&huge, 0.95, 5000, 9).unwrap();
        assert!((scaled.high / found.high / 1e200 - 1.0).abs() < 1e-9);
    }

    #[test]
    fn bootstrap_resamples_without_spread_are_infinite_and_not_dropped() {
        // Nine of ten agree: a third of the resamples have no spread and lie below the mean.
        let mut values = [1.0; 10];
        values[9] = 2.0;
        assert_eq!(bootstrap_interval(&values, 0.95, 20_000, 1), None);
        let deviations: Vec<f64> = values.iter().map(|value| value - 1.1).collect();
        let t = bootstrap_t_squares(&deviations, 0.9, 20_000, 1);
        let share = t.iter().filter(|t| **t == f64::NEG_INFINITY).count() as f64 / 20_000.0;
        assert!((share - 0.9_f64.powi(10)).abs() < 0.01, "{share}");
    }

    #[test]
    fn bootstrap_groups_contain_each_order_once() {
        let (a, b) = (2.0, 5.0);
        let sums = |sum: f64, squares: f64| Sums { sum, squares };
        assert_eq!(all_groups(&[a, b], 0), [Sums::default()]);
        assert_eq!(
            all_groups(&[a, b], 2),
            [sums(4.0, 8.0), sums(7.0, 29.0), sums(7.0, 29.0), sums(10.0, 50.0)]
        );
        let sizes = [2, 3, 4, 10, 11, 30, 32, 33, 5000].map(group_size);
        assert_eq!(sizes, [2, 3, 4, 3, 2, 2, 2, 1, 1]);
    }

    /// Ends by resamples that are drawn value by value.
    fn plain_deviations(values: &[f64], confidence: f64, nresamples: usize) -> (f64, f64) {
        let mut rng = fastrand::Rng::with_seed(77);
        let error = |sample: &[f64]| (sample_variance(sample).unwrap() / sample.len() as f64).sqrt();
        let center = mean(values).unwrap();
        let mut t: Vec<f64> = (0..nresamples)
            .map(|_| {
                let sample: Vec<f64> = values.iter().map(|_| values[rng.usize(0..values.len())]).collect();
                (mean(&sample).unwrap() - center) / error(&sample)
            })
            .collect();
        t.sort_unstable_by(f64::total_cmp);
        let rank = (nresamples as f64 * 0.5 * (1.0 - confidence)) as usize;
        (-t[nresamples - 1 - rank] * error(values), -t[rank] * error(values))
    }

    #[test]
    fn the_bootstrap_draws_in_groups_as_it_would_value_by_value() {
        let mut rng = fastrand::Rng::with_seed(4);
        let nresamples = 200_000;
        // Groups of 3, 3, 2, 2 and 1, and after 2, 3, 5, 15 and 33 of them 2, 1, 1, 0 and 0 values.
        for count in [8, 10, 11, 30, 33] {
            let values: Vec<f64> = (0..count).map(|_| rng.f64().powi(2)).collect();
            let center = mean(&values).unwrap();
            let (low, high) = plain_deviations(&values, 0.9, nresamples);
            let found = bootstrap_interval(&values, 0.9, nresamples, 3).unwrap();
            let off = |found: f64, plain: f64| ((found - center) / plain - 1.0).abs();
            assert!(
                off(found.low, low) < 0.03 && off(found.high, high) < 0.03,
                "{count}: {found:?} {low} {high}"
            );
        }
    }

    #[test]
    fn the_bootstrap_of_many_normal_values_is_the_t_interval() {
        let mut rng = fastrand::Rng::with_seed(2);
        let values: Vec<f64> = (0..400).map(|_| (0..12).map(|_| rng.f64()).sum::<f64>()).collect();
        let (found, plain) =
            (bootstrap_interval(&values, 0.95, 50_000, 1).unwrap(), t_interval(&values, 0.95).unwrap());
        let width = plain.high - plain.low;
        assert!(
            (found.low - plain.low).abs() < 0.03 * width && (found.high - plain.high).abs() < 0.03 * width
        );
    }

    #[test]
    fn the_bootstrap_of_ten_skewed_values_covers_better_than_t() {
        let truth = 0.5_f64.exp();
        let mut rng = fastrand::Rng::with_seed(8);
        let trials = 1500;
        let (mut bootstrap, mut plain) = (0, 0);
        for seed in 0..trials {
            let values: Vec<f64> =
                (0..10).map(|_| ((0..12).map(|_| rng.f64()).sum::<f64>() - 6.0).exp()).collect();
            let covers = |found: Interval| u32::from(found.low <= truth && truth <= found.high);
            bootstrap += covers(bootstrap_interval(&values, 0.95, 1999, seed).unwrap());
            plain += covers(t_interval(&values, 0.95).unwrap());
        }
        let share = |covered: u32| f64::from(covered) / trials as f64;
        // Known from the literature for lognormal values, n = 10: t about 0.84, bootstrap-t about 0.9 and more.
        assert!((0.80..0.88).contains(&share(plain)), "t {}", share(plain));
        assert!((0.90..0.97).contains(&share(bootstrap)), "bootstrap-t {}", share(bootstrap));
    }
}
