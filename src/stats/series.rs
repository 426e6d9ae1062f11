//! Does a series of rounds meet the assumptions of a test: independent values, no drift, one group? If not, by which
//! factor does the variance of its mean grow?

use crate::stats::decision::p_above;
use crate::stats::describe::{mean, sorted, sum_of_squares};
use crate::stats::distribution::normal_upper_tail;

/// Two-sided p value below which a drift or an autocorrelation counts as shown.
const SIGNIFICANT: f64 = 0.01;
/// Shorter series are not examined.
const MIN_VALUES: usize = 5;
/// Shorter series are not examined for two groups.
const MIN_VALUES_FOR_GROUPS: usize = 10;
/// A single value apart from the others is an outlier, not a group.
const MIN_IN_GROUP: usize = 2;
/// The gap between two groups, in standard deviations within them, exceeds `GAP + GAP_BY_COUNT / n` in less than one of two
/// hundred series of normal values, for n from 10 to 100 (by simulation; small samples have wide gaps).
const GAP: f64 = 1.0;
const GAP_BY_COUNT: f64 = 40.0;
/// Lower limit of an effective sample size: one value has no spread.
const MIN_EFFECTIVE: f64 = 2.0;
/// Successes and failures that Agresti & Coull (1998) add to a proportion before its variance is taken.
const ADDED: f64 = 2.0;

/// A statistic of a series with its p value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Statistic {
    /// The statistic.
    pub value: f64,
    /// Two-sided p value if the values are independent and have one distribution.
    pub p: f64,
}

/// A departure of a series from independent values of one distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pattern {
    /// The series has a trend.
    Drift {
        /// Change from the first to the last value, by the fitted line.
        change: f64,
        /// Fraction of the variance that the line explains.
        explained: f64,
    },
    /// Each value resembles the one before.
    Autocorrelation {
        /// Correlation of each value with the next.
        lag1: f64,
    },
    /// The values lie in two groups with a gap between them.
    TwoGroups {
        /// Distance between the means of the groups.
        distance: f64,
        /// Number of values in the smaller group.
        smaller: usize,
        /// Fraction of the variance that the distance explains.
        explained: f64,
    },
}

/// Correction of the variance and degrees of freedom of a mean for a [`Pattern`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Widening {
    /// Factor of its variance; at least 1.
    pub variance: f64,
    /// Factor of its degrees of freedom; at most 1.
    pub df: f64,
}

impl Widening {
    /// No widening.
    pub const NONE: Self = Self { variance: 1.0, df: 1.0 };
}

/// Correlation of each value with the next. The p value is by the normal approximation of Wald & Wolfowitz (1943): mean -1/n,
/// variance (n - 2)² / (n² (n - 1)). `None` with fewer than 4 values, a value that is not finite, or no spread.
pub fn lag1_autocorrelation(series: &[f64]) -> Option<Statistic> {
    const MIN_LENGTH: usize = 4;
    let deviations = deviations(series, MIN_LENGTH)?;
    let squares: f64 = deviations.iter().map(|value| value * value).sum();
    let products: f64 = deviations.windows(2).map(|pair| pair[0] * pair[1]).sum();
    let value = products / squares;
    let n = series.len() as f64;
    let z = (value + 1.0 / n) * n * (n - 1.0).sqrt() / (n - 2.0);
    Some(Statistic { value, p: (2.0 * normal_upper_tail(z.abs())).min(1.0) })
}

/// Least-squares slope per step. The p value of "no slope" is by Student's t on n - 2 degrees of freedom.
///
/// `None` with fewer than 3 values, a value that is not finite, or no spread.
pub fn trend(series: &[f64]) -> Option<Statistic> {
    const MIN_LENGTH: usize = 3;
    let deviations = deviations(series, MIN_LENGTH)?;
    let n = deviations.len() as f64;
    let from_middle = |step: usize| step as f64 - 0.5 * (n - 1.0);
    let step_squares = n * (n * n - 1.0) / 12.0;
    let steps = || deviations.iter().enumerate();
    let covariance: f64 = steps().map(|(step, value)| from_middle(step) * value).sum();
    let slope = covariance / step_squares;
    let residuals: f64 = steps().map(|(step, value)| (value - slope * from_middle(step)).powi(2)).sum();
    let df = n - 2.0;
    let error = (residuals / df / step_squares).sqrt();
    Some(Statistic { value: slope, p: (2.0 * p_above(slope.abs(), 0.0, error, df)).min(1.0) })
}

/// One-sided p value of "no group falls", given several groups of values in the order of time: the seasonal Kendall test of Hirsch,
/// Slack & Smith (1982), for one group that of Mann (1945), by the normal approximation. `None` without two values in any group, or with
/// a value that is not finite.
pub fn p_falling(groups: &[Vec<f64>]) -> Option<f64> {
    if !groups.iter().flatten().all(|value| value.is_finite()) {
        return None;
    }
    let (mut falls, mut variance) = (0.0, 0.0);
    for group in groups {
        for (at, early) in group.iter().enumerate() {
            let late = &group[at + 1..];
            let count = |holds: &dyn Fn(f64) -> bool| late.iter().filter(|late| holds(**late)).count() as f64;
            falls += count(&|late| late < *early) - count(&|late| late > *early);
        }
        let n = group.len() as f64;
        variance += n * (n - 1.0) * (2.0 * n + 5.0) / 18.0;
    }
    (variance > 0.0).then(|| normal_upper_tail((falls - 1.0) / variance.sqrt()))
}

/// The values less their mean, if there are at least `min_length`, all finite and not all equal.
fn deviations(series: &[f64], min_length: usize) -> Option<Vec<f64>> {
    let has_spread = series.iter().any(|&value| value != series[0]);
    if series.len() < min_length || !has_spread {
        return None;
    }
    let center = mean(series)?;
    let deviations: Vec<f64> = series.iter().map(|value| value - center).collect();
    let squares: f64 = deviations.iter().map(|value| value * value).sum();
    (squares > 0.0 && squares.is_finite()).then_some(deviations)
}

/// The pattern that a series in the order of time shows, if it shows one. Groups closer than `min_gap` do not count.
///
/// It looks for a drift first, because a drift makes neighbors similar and makes groups too.
pub fn find_pattern(series: &[f64], min_gap: f64) -> Option<Pattern> {
    if series.len() < MIN_VALUES {
        return None;
    }
    drift(series).or_else(|| autocorrelation(series)).or_else(|| two_groups(series, min_gap))
}

fn drift(series: &[f64]) -> Option<Pattern> {
    let slope = trend(series).filter(|slope| slope.p < SIGNIFICANT)?;
    let n = series.len() as f64;
    let explained = slope.value.powi(2) * n * (n * n - 1.0) / 12.0 / sum_of_squares(series)?;
    Some(Pattern::Drift { change: slope.value * (n - 1.0), explained: explained.min(1.0) })
}

fn autocorrelation(series: &[f64]) -> Option<Pattern> {
    let lag = lag1_autocorrelation(series).filter(|lag| lag.p < SIGNIFICANT && lag.value > 0.0)?;
    Some(Pattern::Autocorrelation { lag1: lag.value })
}

/// Splits the sorted values at the widest gap, and compares it with the spread within the two groups.
fn two_groups(series: &[f64], min_gap: f64) -> Option<Pattern> {
    let n = series.len();
    if n < MIN_VALUES_FOR_GROUPS {
        return None;
    }
    let sorted = sorted(series);
    let (split, gap) = (MIN_IN_GROUP..=n - MIN_IN_GROUP)
        .map(|split| (split, sorted[split] - sorted[split - 1]))
        .max_by(|one, other| one.1.total_cmp(&other.1))?;
    let (low, high) = sorted.split_at(split);
    let within = ((sum_of_squares(low)? + sum_of_squares(high)?) / (n - 2) as f64).sqrt();
    if gap < min_gap || gap <= (GAP + GAP_BY_COUNT / n as f64) * within {
        return None;
    }
    let distance = mean(high)? - mean(low)?;
    let (below, above) = (low.len() as f64, high.len() as f64);
    let between = distance.powi(2) * below * above / (below + above);
    let explained = (between / sum_of_squares(series)?).min(1.0);
    Some(Pattern::TwoGroups { distance, smaller: low.len().min(high.len()), explained })
}

impl Pattern {
    /// Correction for the mean of a series of `count` values.
    ///
    /// - A drift does not average out. The part of the variance that its line explains is not divided by n, so that the true value
    ///   may lie anywhere along the line (a uniform distribution over it has the variance change²/12).
    /// - With autocorrelation n values are worth n' = n (1 - r) / (1 + r) independent ones. The variance of their mean is
    ///   s² (n - 1) / (n (n' - 1)) on n' - 1 degrees of freedom (Bayley & Hammersley 1946).
    /// - The proportions of two groups are uncertain, the more so the fewer values the smaller group has. They are estimated with
    ///   two more values in each group (Agresti & Coull 1998), on the degrees of freedom that the variance of p (1 - p) implies.
    pub fn widening(&self, count: usize) -> Widening {
        let n = count as f64;
        let (variance, df) = match *self {
            Self::Drift { explained, .. } => (1.0 + (n - 1.0) * explained, 1.0),
            Self::Autocorrelation { lag1 } => {
                let effective = (n * (1.0 - lag1) / (1.0 + lag1)).max(MIN_EFFECTIVE);
                let variance = (n - 1.0) / (effective - 1.0);
                (variance, 1.0 / variance)
            }
            Self::TwoGroups { smaller, explained, .. } => {
                let observed = smaller as f64 / n;
                let adjusted = (smaller as f64 + ADDED) / (n + 2.0 * ADDED);
                let ratio = adjusted * (1.0 - adjusted) / (observed * (1.0 - observed));
                let df = 2.0 * n * observed * (1.0 - observed) / (1.0 - 2.0 * observed).powi(2);
                (1.0 + explained * (ratio - 1.0), df / (n - 1.0))
            }
        };
        Widening { variance: variance.max(1.0), df: df.min(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(rng: &mut fastrand::Rng) -> f64 {
        (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0
    }

    #[test]
    fn autocorrelation_matches_a_worked_example() {
        // Deviations -2 -1 0 1 2: (2 + 0 + 0 + 2) / 10.
        let found = lag1_autocorrelation(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert!((found.value - 0.4).abs() < 1e-12);
        let swing = lag1_autocorrelation(&[1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0]).unwrap();
        assert!((swing.value + 7.0 / 8.0).abs() < 1e-12 && swing.p < 0.02, "{swing:?}");
    }

    #[test]
    fn trend_matches_a_worked_example() {
        // R: summary(lm(c(1, 3, 2, 5, 4) ~ c(0:4))): slope 0.8, p 0.1041.
        let found = trend(&[1.0, 3.0, 2.0, 5.0, 4.0]).unwrap();
        assert!((found.value - 0.8).abs() < 1e-12);
        assert!((found.p - 0.104_1).abs() < 1e-4, "{}", found.p);
        assert_eq!(trend(&[1.0, 2.0, 3.0]).map(|found| found.p), Some(0.0));
    }

    #[test]
    fn the_kendall_test_matches_a_worked_example() {
        // Eight falling values: S = -28, variance 8 · 7 · 21 / 18, z = 27 / 8.083 = 3.340.
        let falling: Vec<f64> = (0..8).map(|value| -f64::from(value)).collect();
        let p = p_falling(std::slice::from_ref(&falling)).unwrap();
        assert!((p - 0.000_418).abs() < 2e-6, "{p}");
        let rising: Vec<f64> = falling.iter().rev().copied().collect();
        assert!(p_falling(std::slice::from_ref(&rising)).unwrap() > 0.999);
        // One that falls and one that rises: z = -1 / 11.43.
        let p = p_falling(&[falling, rising]).unwrap();
        assert!((p - 0.534_9).abs() < 1e-3, "{p}");
        assert!((p_falling(&[vec![2.0, 1.0]]).unwrap() - 0.5).abs() < 1e-12);
        assert_eq!(p_falling(&[vec![1.0], vec![]]), None);
        assert_eq!(p_falling(&[vec![1.0, f64::NAN]]), None);
    }

    #[test]
    fn independent_values_rarely_show_an_order_and_dependent_ones_often_do() {
        let mut rng = fastrand::Rng::with_seed(3);
        let trials = 4000;
        let (mut lag_alarms, mut trend_alarms, mut lag_found) = (0, 0, 0);
        for _ in 0..trials {
            let plain: Vec<f64> = (0..30).map(|_| noise(&mut rng)).collect();
            lag_alarms += u32::from(lag1_autocorrelation(&plain).unwrap().p < 0.05);
            trend_alarms += u32::from(trend(&plain).unwrap().p < 0.05);
            let mut last = 0.0;
            let ordered: Vec<f64> = (0..30)
                .map(|_| {
                    last = 0.6 * last + noise(&mut rng);
                    last
                })
                .collect();
            lag_found += u32::from(lag1_autocorrelation(&ordered).unwrap().p < 0.05);
        }
        let share = |count: u32| f64::from(count) / f64::from(trials);
        assert!((0.03..0.06).contains(&share(lag_alarms)), "{}", share(lag_alarms));
        assert!((0.04..0.06).contains(&share(trend_alarms)), "{}", share(trend_alarms));
        assert!(share(lag_found) > 0.75, "{}", share(lag_found));
    }

    #[test]
    fn short_constant_or_infinite_series_have_no_statistics() {
        for series in
            [&[][..], &[1.0], &[2.0; 10], &[1.0, f64::NAN, 2.0, 3.0], &[1.0, f64::INFINITY, 2.0, 3.0]]
        {
            assert_eq!(lag1_autocorrelation(series), None);
            assert_eq!(trend(series), None);
        }
    }

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    }

    #[test]
    fn the_mean_of_a_straight_line_is_as_uncertain_as_a_uniform_value_along_it() {
        let line: Vec<f64> = (0..11).map(f64::from).collect();
        let found = find_pattern(&line, 0.0).unwrap();
        assert_eq!(found, Pattern::Drift { change: 10.0, explained: 1.0 });
        let widening = found.widening(11);
        // s² is 11, so s² / n is 1; the variance of a uniform value is change² / 12, here of 11 steps of it: n (n + 1) / (n - 1)².
        close(widening.variance, 100.0 / 12.0 * 132.0 / 100.0);
        close(widening.df, 1.0);
    }

    #[test]
    fn autocorrelation_leaves_the_effective_sample_of_bayley_and_hammersley() {
        let widening = Pattern::Autocorrelation { lag1: 0.5 }.widening(30);
        // Ten independent values of thirty.
        close(widening.variance, 29.0 / 9.0);
        close(widening.df, 9.0 / 29.0);
        let nearly_equal = Pattern::Autocorrelation { lag1: 0.99 }.widening(30);
        close(nearly_equal.variance, 29.0);
        close(Pattern::Autocorrelation { lag1: 1.0 }.widening(2).variance, 1.0);
    }

    #[test]
    fn the_smaller_of_two_groups_counts_with_two_more_values() {
        let series = [1.0, 5.0, 1.1, 0.9, 1.0, 5.1, 1.1, 0.9, 1.0, 1.05];
        let Pattern::TwoGroups { distance, smaller, explained } = find_pattern(&series, 0.1).unwrap() else {
            panic!("{:?}", find_pattern(&series, 0.1))
        };
        assert!((distance - 4.04).abs() < 0.02 && smaller == 2 && explained > 0.99);
        let widening = Pattern::TwoGroups { distance, smaller, explained: 1.0 }.widening(10);
        // 4 of 14 instead of 2 of 10: 0.2041 / 0.16; df 2 · 10 · 0.16 / 0.36 of 9.
        close(widening.variance, (4.0 / 14.0 * 10.0 / 14.0) / 0.16);
        close(widening.df, 3.2 / 0.36 / 9.0);
        assert_eq!(find_pattern(&series, 4.5), None, "closer than the smallest gap that counts");
        let even = Pattern::TwoGroups { distance: 1.0, smaller: 15, explained: 1.0 }.widening(30);
        assert_eq!(even, Widening::NONE, "equal groups are not widened");
    }

    #[test]
    fn an_outlier_is_not_a_group() {
        let series = [1.0, 1.02, 0.98, 9.0, 1.01, 0.99, 1.0, 1.03, 0.97, 1.0];
        assert_eq!(find_pattern(&series, 0.0), None);
    }

    #[test]
    fn noise_of_any_length_rarely_shows_a_pattern() {
        let mut rng = fastrand::Rng::with_seed(2);
        for count in [5, 10, 30, 100] {
            let trials = 1_000;
            let mut series = || (0..count).map(|_| noise(&mut rng)).collect::<Vec<_>>();
            let alarms = (0..trials).filter(|_| find_pattern(&series(), 0.0).is_some()).count();
            assert!(alarms <= 35, "{alarms} of {trials} with {count} values");
        }
    }

    #[test]
    fn no_widening_narrows_or_is_nan() {
        let mut rng = fastrand::Rng::with_seed(5);
        let pool =
            [0.0, -0.0, 1e-308, 1.0, 1.0 + f64::EPSILON, 1e150, -1e150, f64::MAX, f64::NAN, f64::INFINITY];
        for _ in 0..3_000 {
            let values: Vec<f64> = (0..rng.usize(0..16)).map(|_| pool[rng.usize(0..pool.len())]).collect();
            if let Some(found) = find_pattern(&values, 0.0) {
                let Widening { variance, df } = found.widening(values.len());
                assert!(
                    variance >= 1.0 && variance.is_finite() && df > 0.0 && df <= 1.0,
                    "{values:?} {found:?}"
                );
            }
        }
    }
}
