//! The standard normal distribution: the limit of Student's t, and a yardstick for it.

use super::root;

/// Below it the power series of the integral is short, above it the continued fraction.
const FRACTION_FROM: f64 = 2.5;

/// At [`FRACTION_FROM`] sixty terms leave less than 1e-20.
const FRACTION_TERMS: u32 = 60;

/// Beyond it the tail is smaller than the smallest double.
const FARTHEST: f64 = 40.0;

/// Density at `x`.
pub fn density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt()
}

/// Probability above `x`, with full relative accuracy far out.
///
/// Series and continued fraction 26.2.11 and 26.2.14 of Abramowitz & Stegun.
pub fn upper_tail(x: f64) -> f64 {
    if x < 0.0 {
        return 1.0 - upper_tail(-x);
    }
    if x < FRACTION_FROM {
        return 0.5 - density(x) * odd_series(x);
    }
    let fraction = (1..=FRACTION_TERMS).rev().fold(x, |below, k| x + f64::from(k) / below);
    density(x) / fraction
}

/// x + x^3 / 3 + x^5 / (3 * 5) + …
fn odd_series(x: f64) -> f64 {
    let (mut term, mut sum, mut odd) = (x, x, 1.0);
    while term > sum * f64::EPSILON / 4.0 {
        odd += 2.0;
        term *= x * x / odd;
        sum += term;
    }
    sum
}

/// The `x` that is exceeded with probability `p`; infinite where `p` is not strictly between 0 and 1.
pub fn upper_quantile(p: f64) -> f64 {
    if p.is_nan() || p <= 0.0 {
        return f64::INFINITY;
    }
    if p >= 1.0 {
        return f64::NEG_INFINITY;
    }
    if p == 0.5 {
        return 0.0;
    }
    if p > 0.5 {
        return -upper_quantile(1.0 - p);
    }
    root::increasing(0.0, FARTHEST, 1.0, root::FULL, |x| {
        let tail = upper_tail(x);
        ((p / tail).ln(), density(x) / tail)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_match_published_values() {
        // Abramowitz & Stegun, tables 26.1 and 26.2 (Q = 1 - P, and -lg Q far out).
        for (x, tail) in [
            (0.0, 0.5),
            (1.0, 0.158_655_253_931_457),
            (2.0, 0.022_750_131_948_179),
            (3.0, 0.001_349_898_031_630),
        ] {
            assert!((upper_tail(x) - tail).abs() < 1e-15, "{x}");
            assert!((upper_tail(-x) - (1.0 - tail)).abs() < 1e-15);
        }
        for (x, minus_lg) in [(5.0, 6.542_65), (10.0, 23.118_05), (20.0, 88.560_10)] {
            assert!((-upper_tail(x).log10() - minus_lg).abs() < 1e-5, "{x}");
        }
    }

    #[test]
    fn series_and_fraction_meet() {
        let step = 1e-9;
        let drop = upper_tail(FRACTION_FROM - step) - upper_tail(FRACTION_FROM);
        assert!((drop / (density(FRACTION_FROM) * step) - 1.0).abs() < 1e-4);
    }

    #[test]
    fn quantiles_match_published_values_and_undo_the_tail() {
        assert!((upper_quantile(0.025) - 1.959_963_984_540_054).abs() < 1e-13);
        assert!((upper_quantile(0.2) - 0.841_621_233_572_914).abs() < 1e-13);
        assert_eq!(upper_quantile(0.5), 0.0);
        assert_eq!(upper_quantile(0.975), -upper_quantile(1.0 - 0.975));
        for p in [1e-300, 1e-12, 1e-3, 0.3, 0.499_999] {
            assert!((upper_tail(upper_quantile(p)) / p - 1.0).abs() < 1e-11, "{p:e}");
        }
        assert_eq!(upper_quantile(0.0), f64::INFINITY);
        assert_eq!(upper_quantile(1.0), f64::NEG_INFINITY);
    }
}
