//! Descriptive statistics: means, variances, medians and trimmed means.

/// Keeps the count of trimmed values right for a product such as 0.29 * 100 = 28.999….
const ROUNDING: f64 = 1e-9;

/// Arithmetic mean; `None` without values.
pub fn mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    Some(values.iter().sum::<f64>() / values.len() as f64)
}

/// Unbiased variance (n - 1 in the denominator), in two passes; `None` with fewer than two values.
pub fn sample_variance(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    Some(sum_of_squares(values)? / (values.len() - 1) as f64)
}

/// Sum of the squared deviations from the mean; `None` without values.
pub fn sum_of_squares(values: &[f64]) -> Option<f64> {
    let center = mean(values)?;
    Some(values.iter().map(|value| (value - center).powi(2)).sum())
}

/// The middle value, or the mean of the two middle values; `None` without values.
pub fn median(values: &[f64]) -> Option<f64> {
    let sorted = sorted(values);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some(0.5 * (sorted[middle - 1] + upper))
}

/// A trimmed mean with its uncertainty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrimmedMean {
    /// Mean of the values that were kept.
    pub mean: f64,
    /// Standard error of `mean`.
    pub standard_error: f64,
    /// Degrees of freedom of Student's t for `mean`: number of values kept, less one.
    pub df: f64,
}

/// Mean without the fraction `trim` of the values at *each* end (rounded down), after Tukey & McLaughlin (1963).
///
/// The standard error is sqrt((n - 1) s²_w / (h (h - 1))), where h is the number of values kept and s²_w the sample variance
/// after each trimmed value is replaced by the nearest kept one (Yuen 1974). The older s_w / ((1 - 2 trim) sqrt(n)) is nearly
/// the same where trim · n is whole, and too large elsewhere.
/// `None` if fewer than two values are kept, or if `trim` does not lie in 0..0.5.
pub fn trimmed_mean(values: &[f64], trim: f64) -> Option<TrimmedMean> {
    if !(0.0..0.5).contains(&trim) {
        return None;
    }
    let mut sorted = sorted(values);
    let n = sorted.len();
    let cut = (trim * n as f64 + ROUNDING).floor() as usize;
    let kept = n.checked_sub(2 * cut).filter(|&kept| kept >= 2)?;
    let mean = mean(&sorted[cut..n - cut])?;
    let (lowest, highest) = (sorted[cut], sorted[n - cut - 1]);
    sorted[..cut].fill(lowest);
    sorted[n - cut..].fill(highest);
    let winsorized_variance = sample_variance(&sorted)?;
    let (n, h) = (n as f64, kept as f64);
    let standard_error = ((n - 1.0) * winsorized_variance / (h * (h - 1.0))).sqrt();
    Some(TrimmedMean { mean, standard_error, df: h - 1.0 })
}

/// A sorted copy, in the total order of floating-point numbers.
pub fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::interval::t_limits;

    /// Self-awareness data of Wilcox, Introduction to Robust Estimation and Hypothesis Testing.
    const WILCOX: [f64; 19] = [
        77.0, 87.0, 88.0, 114.0, 151.0, 210.0, 219.0, 246.0, 253.0, 262.0, 296.0, 299.0, 306.0, 376.0, 428.0,
        515.0, 666.0, 1310.0, 2611.0,
    ];

    #[test]
    fn means_and_variances_of_small_samples() {
        assert_eq!(mean(&[]), None);
        assert_eq!(mean(&[1.0, 2.0, 6.0]), Some(3.0));
        assert_eq!(sample_variance(&[4.0]), None);
        assert_eq!(sample_variance(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]), Some(32.0 / 7.0));
    }

    #[test]
    fn variance_survives_a_large_offset() {
        let found = sample_variance(&[1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0]);
        assert_eq!(found, Some(30.0));
    }

    #[test]
    fn medians_do_not_depend_on_order() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
    }

    /// Standard error by the older formula, from the Winsorized variance that Yuen's contains.
    fn older_standard_error(found: TrimmedMean, n: f64, trim: f64) -> f64 {
        let kept = found.df + 1.0;
        let winsorized_variance = found.standard_error.powi(2) * kept * found.df / (n - 1.0);
        winsorized_variance.sqrt() / ((1.0 - 2.0 * trim) * n.sqrt())
    }

    #[test]
    fn trimmed_mean_and_its_interval_match_wilcox() {
        let found = trimmed_mean(&WILCOX, 0.2).unwrap();
        assert_eq!(found.df, 12.0);
        assert!((found.mean - 282.692).abs() < 1e-3);
        // The book prints the interval by the older standard error: (160.4, 405.0).
        let (low, high) = t_limits(found.mean, older_standard_error(found, 19.0, 0.2), found.df, 0.95);
        assert!((low - 160.391).abs() < 1e-2 && (high - 404.993).abs() < 1e-2, "{low} {high}");
    }

    #[test]
    fn the_standard_error_of_a_trimmed_mean_is_yuens() {
        // 1 to 15 without three at each end: 4 4 4 4 5 … 12 12 12 12, whose squares around 8 sum to 156.
        let values: Vec<f64> = (1..=15).map(f64::from).collect();
        let found = trimmed_mean(&values, 0.2).unwrap();
        assert!((found.standard_error - (156.0 / (9.0 * 8.0_f64)).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn without_trimming_it_is_the_mean_with_its_usual_error() {
        let found = trimmed_mean(&WILCOX, 0.0).unwrap();
        assert_eq!(Some(found.mean), mean(&WILCOX));
        let usual = (sample_variance(&WILCOX).unwrap() / 19.0).sqrt();
        assert!((found.standard_error - usual).abs() < 1e-10);
        assert_eq!(found.df, 18.0);
    }

    #[test]
    fn no_trimmed_mean_of_too_few_values_or_with_an_impossible_trim() {
        assert_eq!(trimmed_mean(&[], 0.2), None);
        assert_eq!(trimmed_mean(&[1.0], 0.2), None);
        assert_eq!(trimmed_mean(&[1.0, 2.0, 3.0], 0.4), None);
        for trim in [-0.1, 0.5, f64::NAN] {
            assert_eq!(trimmed_mean(&WILCOX, trim), None);
        }
    }

    #[test]
    fn one_outlier_does_not_change_a_trimmed_mean() {
        let mut wild = WILCOX;
        wild[18] = 1e12;
        assert_eq!(trimmed_mean(&wild, 0.2), trimmed_mean(&WILCOX, 0.2));
    }

    #[test]
    fn the_interval_of_a_trimmed_mean_covers_at_its_confidence_level() {
        let mut rng = fastrand::Rng::with_seed(11);
        let trials = 4000;
        let covered = (0..trials)
            .filter(|_| {
                let values: Vec<f64> = (0..12)
                    .map(|_| {
                        let spread = if rng.f64() < 0.1 { 10.0 } else { 1.0 };
                        (0..12).map(|_| rng.f64() - 0.5).sum::<f64>() * spread
                    })
                    .collect();
                let found = trimmed_mean(&values, 0.2).unwrap();
                let (low, high) = t_limits(found.mean, found.standard_error, found.df, 0.95);
                low <= 0.0 && 0.0 <= high
            })
            .count();
        let coverage = covered as f64 / f64::from(trials);
        assert!((0.94..0.98).contains(&coverage), "{coverage}");
    }
}
