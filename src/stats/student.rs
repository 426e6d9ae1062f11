//! Student's t: the distribution that decides, for few launches and far tails.
//!
//! Degrees of freedom are real numbers, since pooled and moderated variances have fractions of them.

use super::normal;
use super::root;
use super::special::{beta_tails, ln_beta};

/// From here on the transformation to a normal value of Wallace (1959) is right to 1e-12 and
/// the continued fraction of the beta function begins to lose digits.
const NORMAL_FROM_DF: f64 = 1e6;

/// Quantiles beyond it (of tiny degrees of freedom only) are given as infinite.
const LN_FARTHEST: f64 = 345.0;

/// Probability of a value above `t` on `df` degrees of freedom, relatively accurate down to the smallest doubles.
///
/// `df` > 0, infinity included; for any other `df` there is no distribution, and the answer is 1, which decides nothing.
pub fn upper_tail(t: f64, df: f64) -> f64 {
    if t.is_nan() || df.is_nan() || df <= 0.0 {
        return 1.0;
    }
    if t < 0.0 {
        return 1.0 - upper_tail(-t, df);
    }
    if t.is_infinite() {
        return 0.0;
    }
    if df >= NORMAL_FROM_DF {
        return normal::upper_tail(wallace(t, df));
    }
    let ratio = t * t / df;
    let (x, y) = (1.0 / (1.0 + ratio), 1.0 / (1.0 + 1.0 / ratio));
    0.5 * beta_tails(0.5 * df, 0.5, x, y).0
}

/// The normal value that is exceeded as often as `t` is.
fn wallace(t: f64, df: f64) -> f64 {
    if df.is_infinite() {
        return t;
    }
    (8.0 * df + 1.0) / (8.0 * df + 3.0) * (df * (t * t / df).ln_1p()).sqrt()
}

/// Density at `t` for finite `df` > 0.
fn density(t: f64, df: f64) -> f64 {
    let ln = -ln_beta(0.5 * df, 0.5) - 0.5 * df.ln() - 0.5 * (df + 1.0) * (t * t / df).ln_1p();
    ln.exp()
}

/// The value that is exceeded with probability `p`, for `df` > 0.
///
/// Infinite (upwards) for `p` <= 0 and for `df` that has no distribution, so that an interval made of it is
/// boundless and never too narrow; minus infinity for `p` >= 1.
pub fn upper_quantile(p: f64, df: f64) -> f64 {
    if p.is_nan() || p <= 0.0 || df.is_nan() || df <= 0.0 {
        return f64::INFINITY;
    }
    if p >= 1.0 {
        return f64::NEG_INFINITY;
    }
    if p == 0.5 {
        return 0.0;
    }
    if p > 0.5 {
        return -upper_quantile(1.0 - p, df);
    }
    if df.is_infinite() {
        return normal::upper_quantile(p);
    }
    // In ln t the logarithm of the tail is concave and, far out, a straight line: Newton cannot miss.
    let ln_t = root::increasing(-LN_FARTHEST, LN_FARTHEST, 0.0, root::FULL, |ln_t| {
        let t = ln_t.exp();
        let tail = upper_tail(t, df);
        if tail == 0.0 {
            return (f64::INFINITY, 1.0);
        }
        ((p / tail).ln(), density(t, df) * t / tail)
    });
    if ln_t > LN_FARTHEST - 1.0 { f64::INFINITY } else { ln_t.exp() }
}

/// Two-sided interval at `confidence` for a quantity with this `estimate`, standard error and degrees of freedom.
///
/// A zero error gives a single point; an error or `df` that says nothing (negative, NaN) gives the whole line.
pub fn interval(estimate: f64, standard_error: f64, df: f64, confidence: f64) -> (f64, f64) {
    if standard_error == 0.0 {
        return (estimate, estimate);
    }
    let reach = upper_quantile(0.5 * (1.0 - confidence), df) * standard_error;
    if reach.is_nan() || reach < 0.0 {
        return (f64::NEG_INFINITY, f64::INFINITY);
    }
    (estimate - reach, estimate + reach)
}

/// One-sided p value of "the true value is at most `margin`", after an `estimate` with this error.
///
/// A zero error makes the answer a certainty (0 above the margin, else 1): put a floor under the error where values
/// can agree by chance. Anything that cannot be tested has p = 1.
pub fn p_above(estimate: f64, margin: f64, standard_error: f64, df: f64) -> f64 {
    let excess = estimate - margin;
    if excess.is_nan() || standard_error.is_nan() || standard_error < 0.0 {
        return 1.0;
    }
    if standard_error == 0.0 {
        let testable = df > 0.0 && excess > 0.0;
        return if testable { 0.0 } else { 1.0 };
    }
    upper_tail(excess / standard_error, df)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (df, tail, quantile), by 40-digit arithmetic.
    const QUANTILES: [(f64, f64, f64); 29] = [
        (0.5, 0.4, 0.397_975_426_784_790_7),
        (0.5, 0.025, 164.557_673_480_488_5),
        (0.5, 1e-4, 10_284_911.563_163_39),
        (0.5, 1e-12, 1.028_491_156_316_34e23),
        (1.0, 0.4, 0.324_919_696_232_906_3),
        (1.0, 0.025, 12.706_204_736_174_7),
        (1.0, 1e-4, 3_183.098_757_118_151),
        (1.0, 1e-12, 318_309_886_183.790_7),
        (2.5, 0.4, 0.281_459_512_748_547_7),
        (2.5, 0.025, 3.574_654_842_003_683),
        (2.5, 1e-4, 34.867_969_321_114_77),
        (2.5, 1e-12, 55_306.174_076_515_82),
        (4.0, 0.4, 0.270_722_294_707_597_4),
        (4.0, 0.025, 2.776_445_105_197_794),
        (4.0, 1e-4, 13.033_671_720_896_46),
        (4.0, 1e-12, 1_316.072_746_559_257),
        (9.0, 0.4, 0.260_955_336_473_911),
        (9.0, 0.025, 2.262_157_162_798_206),
        (9.0, 1e-4, 6.010_132_129_081_441),
        (9.0, 1e-12, 51.414_916_023_282_23),
        (30.5, 0.4, 0.255_568_163_839_175_4),
        (30.5, 0.025, 2.040_869_445_186_321),
        (30.5, 1e-4, 4.224_575_878_379_261),
        (30.5, 1e-12, 11.296_501_632_738_35),
        (1000.0, 0.4, 0.253_414_515_839_498_8),
        (1000.0, 0.025, 1.962_339_080_826_408),
        (1000.0, 1e-4, 3.732_851_604_575_368),
        (1000.0, 1e-12, 7.124_228_925_314_409),
        (200_000.0, 0.025, 1.959_975_845_966_769),
    ];

    #[test]
    fn quantiles_match_known_values_to_ten_digits() {
        for (df, p, expected) in QUANTILES {
            let found = upper_quantile(p, df);
            assert!((found / expected - 1.0).abs() < 1e-10, "df {df}, p {p:e}: {found:e}");
            assert!((upper_tail(expected, df) / p - 1.0).abs() < 1e-10, "df {df}, p {p:e}");
        }
    }

    #[test]
    fn quantiles_match_the_printed_table() {
        // Abramowitz & Stegun, table 26.10, A = 0.99 and 0.998 two-sided.
        for (df, p, printed) in [(4.0, 0.005, 4.604), (8.0, 0.005, 3.355), (29.0, 0.001, 3.396)] {
            assert!((upper_quantile(p, df) - printed).abs() < 5e-4, "df {df}");
        }
    }

    #[test]
    fn one_and_two_degrees_have_their_closed_forms() {
        for t in [-1e6, -3.0, -1e-8, 0.0, 0.7, 40.0] {
            let cauchy = 0.5 - f64::atan(t) / std::f64::consts::PI;
            assert!((upper_tail(t, 1.0) - cauchy).abs() < 1e-15);
            let two = 0.5 - 0.5 * t / (2.0 + t * t).sqrt();
            assert!((upper_tail(t, 2.0) - two).abs() < 1e-15);
        }
    }

    #[test]
    fn many_degrees_pass_over_into_the_normal_without_a_step() {
        for df in [0.9e6, 1.1e6, 1e9] {
            for p in [0.2, 1e-3, 1e-12] {
                // Cornish-Fisher expansion, Abramowitz & Stegun 26.7.5.
                let z = normal::upper_quantile(p);
                let expected = z
                    + (z.powi(3) + z) / (4.0 * df)
                    + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * df * df);
                let found = upper_quantile(p, df);
                assert!((found / expected - 1.0).abs() < 1e-9, "df {df}, p {p:e}: {found} {expected}");
            }
        }
        assert_eq!(upper_quantile(0.025, f64::INFINITY), normal::upper_quantile(0.025));
    }

    #[test]
    fn quantiles_are_odd_and_bounded_by_their_ends() {
        assert_eq!(upper_quantile(0.5, 3.0), 0.0);
        assert_eq!(upper_quantile(0.75, 3.0), -upper_quantile(0.25, 3.0));
        assert_eq!(upper_quantile(0.0, 3.0), f64::INFINITY);
        assert_eq!(upper_quantile(1.0, 3.0), f64::NEG_INFINITY);
        assert_eq!(upper_quantile(1e-12, 0.01), f64::INFINITY);
    }

    #[test]
    fn what_cannot_be_tested_has_p_one_and_a_boundless_interval() {
        for df in [0.0, -1.0, f64::NAN] {
            assert_eq!(p_above(5.0, 0.0, 1.0, df), 1.0);
            assert_eq!(p_above(5.0, 0.0, 0.0, df), 1.0);
            assert_eq!(interval(5.0, 1.0, df, 0.95), (f64::NEG_INFINITY, f64::INFINITY));
        }
        assert_eq!(p_above(f64::NAN, 0.0, 1.0, 4.0), 1.0);
        assert_eq!(p_above(5.0, 0.0, f64::NAN, 4.0), 1.0);
        assert_eq!(interval(5.0, f64::NAN, 4.0, 0.95), (f64::NEG_INFINITY, f64::INFINITY));
    }

    #[test]
    fn interval_and_p_value_agree() {
        let (low, high) = interval(1.0, 0.5, 4.0, 0.95);
        assert!((low - (1.0 - 0.5 * 2.776_445_105_197_794)).abs() < 1e-10);
        assert!((low + high - 2.0).abs() < 1e-12);
        assert!((p_above(1.0, low, 0.5, 4.0) - 0.025).abs() < 1e-12);
        assert_eq!(p_above(1.0, 0.5, 0.0, 4.0), 0.0);
        assert_eq!(p_above(1.0, 1.0, 0.0, 4.0), 1.0);
    }
}
