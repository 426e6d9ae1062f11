//! Tail probabilities and quantiles of the normal, Student's t and beta distributions.
//!
//! Decisions at a corrected level need small tails to full relative accuracy, for millions of degrees of freedom or
//! requests. `statrs` 0.19 does not have them: its normal tail is wrong by 5e-11 beyond 2, its t tail by 1e-6 at 1e9 degrees
//! of freedom, and its inverse incomplete beta is wrong by a factor of 5e7 for p = 1e-12 and a = b = 0.5.
//!
//! Degrees of freedom are real numbers, because pooled variances have fractions of them.

/// The power series of the normal integral is short below this value, the continued fraction above it.
const NORMAL_FRACTION_FROM: f64 = 2.5;

/// At [`NORMAL_FRACTION_FROM`] this many terms leave an error below 1e-20.
const NORMAL_FRACTION_TERMS: u32 = 60;

/// The normal tail beyond this value is smaller than the smallest double.
const MAX_NORMAL: f64 = 40.0;

/// From this number of degrees of freedom on, Wallace's transformation to a normal value (1959) is accurate to 1e-12, and the
/// continued fraction of the beta function begins to lose digits.
const NORMAL_FROM_DF: f64 = 1e6;

/// Larger quantiles of Student's t, which only tiny degrees of freedom have, are returned as infinite.
const MAX_LN_T: f64 = 345.0;

/// Smaller beta quantiles, which only a tiny first parameter has, are returned as 0.
const MIN_LN_BETA: f64 = -700.0;

/// From this value on, seven terms of Stirling's series leave an error below 1e-16 (the next term is 3617/122400 x^-15).
const STIRLING_FROM: f64 = 10.0;

/// Stirling's series for ln Γ: B(2k) / (2k (2k - 1)), k from 1 (Abramowitz & Stegun 6.1.41).
const STIRLING: [f64; 7] =
    [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0, 1.0 / 156.0];

/// The continued fraction of the beta function needs about the square root of its larger parameter.
const MAX_BETA_TERMS: u32 = 100_000;

/// The continued fraction has converged if a step changes it by less than this fraction.
const CONVERGED: f64 = 1e-15;

/// Smallest partial denominator of the continued fraction (modified Lentz's method).
const TINY: f64 = 1e-300;

/// Relative precision of a quantile.
const QUANTILE_PRECISION: f64 = 1e-15;

/// Newton's method needs about ten steps, bisection of an interval of doubles at most about two hundred.
const MAX_STEPS: usize = 200;

/// Density of the standard normal distribution.
fn normal_density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt()
}

/// Probability of a standard normal value above `x`, to full relative accuracy in the upper tail.
///
/// Series and continued fraction 26.2.11 and 26.2.14 of Abramowitz & Stegun (1964).
pub fn normal_upper_tail(x: f64) -> f64 {
    if x < 0.0 {
        return 1.0 - normal_upper_tail(-x);
    }
    if x < NORMAL_FRACTION_FROM {
        return 0.5 - normal_density(x) * odd_series(x);
    }
    let fraction = (1..=NORMAL_FRACTION_TERMS).rev().fold(x, |below, k| x + f64::from(k) / below);
    normal_density(x) / fraction
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

/// The standard normal value that is exceeded with probability `p`; infinite unless `p` lies strictly between 0 and 1.
pub fn normal_upper_quantile(p: f64) -> f64 {
    t_upper_quantile(p, f64::INFINITY)
}

/// Probability of a value above `t` under Student's t distribution, to full relative accuracy down to the smallest doubles.
///
/// `df` is positive and may be infinite. For any other `df` the result is 1, which rejects nothing.
/// By the incomplete beta function (Abramowitz & Stegun 26.7.1).
pub fn t_upper_tail(t: f64, df: f64) -> f64 {
    if t.is_nan() || df.is_nan() || df <= 0.0 {
        return 1.0;
    }
    if t < 0.0 {
        return 1.0 - t_upper_tail(-t, df);
    }
    if t.is_infinite() {
        return 0.0;
    }
    if df.is_infinite() {
        return normal_upper_tail(t);
    }
    if df >= NORMAL_FROM_DF {
        return normal_upper_tail((8.0 * df + 1.0) / (8.0 * df + 3.0) * (df * (t * t / df).ln_1p()).sqrt());
    }
    let ratio = t * t / df;
    let (x, y) = (1.0 / (1.0 + ratio), 1.0 / (1.0 + 1.0 / ratio));
    0.5 * beta_tails(0.5 * df, 0.5, x, y).0
}

/// Density of Student's t distribution with finite `df` > 0.
fn t_density(t: f64, df: f64) -> f64 {
    let ln = -ln_beta(0.5 * df, 0.5) - 0.5 * df.ln() - 0.5 * (df + 1.0) * (t * t / df).ln_1p();
    ln.exp()
}

/// The value that is exceeded with probability `p` under Student's t distribution, for `df` > 0.
///
/// Infinite for `p` <= 0 and for any other `df`, so that an interval made from it is never too narrow. Minus infinity for
/// `p` >= 1.
pub fn t_upper_quantile(p: f64, df: f64) -> f64 {
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
        return -t_upper_quantile(1.0 - p, df);
    }
    if df.is_infinite() {
        return find_root(0.0, MAX_NORMAL, 1.0, QUANTILE_PRECISION, |x| {
            let tail = normal_upper_tail(x);
            ((p / tail).ln(), normal_density(x) / tail)
        });
    }
    // In ln t the logarithm of the tail is concave and far out a straight line, so Newton's method converges.
    let ln_t = find_root(-MAX_LN_T, MAX_LN_T, 0.0, QUANTILE_PRECISION, |ln_t| {
        let t = ln_t.exp();
        let tail = t_upper_tail(t, df);
        if tail == 0.0 {
            return (f64::INFINITY, 1.0);
        }
        ((p / tail).ln(), t_density(t, df) * t / tail)
    });
    if ln_t > MAX_LN_T - 1.0 { f64::INFINITY } else { ln_t.exp() }
}

/// ln Γ(x) for `x` > 0, accurate to about 1e-15 (relative or absolute, whichever is larger); infinite for any other `x`.
pub fn ln_gamma(x: f64) -> f64 {
    if x.is_nan() || x <= 0.0 {
        return f64::INFINITY;
    }
    let (mut shifted, mut product) = (x, 1.0);
    while shifted < STIRLING_FROM {
        product *= shifted;
        shifted += 1.0;
    }
    let half_ln_tau = 0.5 * std::f64::consts::TAU.ln();
    (shifted - 0.5) * shifted.ln() - shifted + half_ln_tau + stirling(shifted) - product.ln()
}

/// ln Γ(x) less Stirling's formula, for `x` from [`STIRLING_FROM`] on.
fn stirling(x: f64) -> f64 {
    let square = x * x;
    STIRLING.iter().rev().fold(0.0, |sum, term| sum / square + term) / x
}

/// ln B(a, b) = ln Γ(a) + ln Γ(b) - ln Γ(a + b), for `a`, `b` > 0.
///
/// For a large parameter the two large terms are subtracted symbolically, because their difference would lose its digits.
fn ln_beta(a: f64, b: f64) -> f64 {
    let (small, large) = (a.min(b), a.max(b));
    if large < STIRLING_FROM {
        return ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b);
    }
    let sum = large + small;
    ln_gamma(small) - (large - 0.5) * (small / large).ln_1p() - small * sum.ln() + small + stirling(large)
        - stirling(sum)
}

/// The regularised incomplete beta function and its complement, (I_x(a, b), 1 - I_x(a, b)), for `a`, `b` > 0.
///
/// The caller passes `y` = 1 - `x` too, so that rounding destroys neither tail. Continued fraction 26.5.8 of Abramowitz &
/// Stegun (1964) by Lentz's method, on the side where it converges fast.
fn beta_tails(a: f64, b: f64, x: f64, y: f64) -> (f64, f64) {
    if x <= 0.0 {
        return (0.0, 1.0);
    }
    if y <= 0.0 {
        return (1.0, 0.0);
    }
    // The logarithm of a value close to 1 is taken from its complement.
    let ln = |value: f64, complement: f64| if complement < 0.5 { (-complement).ln_1p() } else { value.ln() };
    let front = (a * ln(x, y) + b * ln(y, x) - ln_beta(a, b)).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        let lower = (front * beta_fraction(a, b, x) / a).min(1.0);
        (lower, 1.0 - lower)
    } else {
        let upper = (front * beta_fraction(b, a, y) / b).min(1.0);
        (1.0 - upper, upper)
    }
}

fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    let off_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / off_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for term in 1..=MAX_BETA_TERMS {
        let m = f64::from(term);
        let two_m = 2.0 * m;
        let even = m * (b - m) * x / ((a + two_m - 1.0) * (a + two_m));
        let odd = -(a + m) * (a + b + m) * x / ((a + two_m) * (a + two_m + 1.0));
        for numerator in [even, odd] {
            d = 1.0 / off_zero(1.0 + numerator * d);
            c = off_zero(1.0 + numerator / c);
            fraction *= d * c;
        }
        if (d * c - 1.0).abs() < CONVERGED {
            break;
        }
    }
    fraction
}

/// The `x` with I_x(a, b) = `p`, for `a`, `b` > 0: a quantile of the beta distribution. 0 for `p` <= 0, 1 for `p` >= 1.
///
/// Accurate for tiny `p`. For `p` close to 1 use `1 - beta_quantile(1 - p, b, a)` with an exact `1 - p`.
pub fn beta_quantile(p: f64, a: f64, b: f64) -> f64 {
    if p.is_nan() || p <= 0.0 {
        return 0.0;
    }
    if p >= 1.0 {
        return 1.0;
    }
    let norm = ln_beta(a, b);
    // In ln x the logarithm of the lower tail is, for small x, a straight line of slope a.
    let ln_x = find_root(MIN_LN_BETA, 0.0, (a / (a + b)).ln(), QUANTILE_PRECISION, |ln_x| {
        let (x, y) = (ln_x.exp(), -ln_x.exp_m1());
        let lower = beta_tails(a, b, x, y).0;
        if lower == 0.0 {
            return (f64::NEG_INFINITY, f64::INFINITY);
        }
        let ln_density = a * ln_x + (b - 1.0) * y.ln() - norm;
        ((lower / p).ln(), ln_density.exp() / lower)
    });
    if ln_x < MIN_LN_BETA + 1.0 { 0.0 } else { ln_x.exp() }
}

/// The `x` between `low` and `high` where an increasing function is zero; `f` returns its value and its slope.
///
/// Takes Newton's step where it stays inside the bracket, and bisects where it does not (a slope of 0 asks for that). Stops
/// when a step is smaller than `precision` times the root. If `f` has the same sign everywhere, it approaches the end nearest
/// to zero.
pub fn find_root(
    mut low: f64,
    mut high: f64,
    start: f64,
    precision: f64,
    f: impl Fn(f64) -> (f64, f64),
) -> f64 {
    let mut x = start.clamp(low, high);
    for _ in 0..MAX_STEPS {
        let (value, slope) = f(x);
        if value == 0.0 {
            return x;
        }
        if value < 0.0 {
            low = x;
        } else {
            high = x;
        }
        let newton = x - value / slope;
        let next = if newton > low && newton < high { newton } else { low + (high - low) / 2.0 };
        if (next - x).abs() <= precision * x.abs() {
            return next;
        }
        x = next;
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64, relative: f64) {
        assert!((found - expected).abs() <= relative * expected.abs(), "{found:e} instead of {expected:e}");
    }

    #[test]
    fn normal_tails_match_published_values() {
        // Abramowitz & Stegun, tables 26.1 and 26.2 (Q = 1 - P, and -lg Q far out).
        for (x, tail) in [
            (0.0, 0.5),
            (1.0, 0.158_655_253_931_457),
            (2.0, 0.022_750_131_948_179),
            (3.0, 0.001_349_898_031_630),
        ] {
            assert!((normal_upper_tail(x) - tail).abs() < 1e-15, "{x}");
            assert!((normal_upper_tail(-x) - (1.0 - tail)).abs() < 1e-15);
        }
        for (x, minus_lg) in [(5.0, 6.542_65), (10.0, 23.118_05), (20.0, 88.560_10)] {
            assert!((-normal_upper_tail(x).log10() - minus_lg).abs() < 1e-5, "{x}");
        }
    }

    #[test]
    fn normal_series_and_fraction_meet() {
        let step = 1e-9;
        let drop = normal_upper_tail(NORMAL_FRACTION_FROM - step) - normal_upper_tail(NORMAL_FRACTION_FROM);
        assert!((drop / (normal_density(NORMAL_FRACTION_FROM) * step) - 1.0).abs() < 1e-4);
    }

    #[test]
    fn normal_quantiles_match_published_values_and_invert_the_tail() {
        assert!((normal_upper_quantile(0.025) - 1.959_963_984_540_054).abs() < 1e-13);
        assert!((normal_upper_quantile(0.2) - 0.841_621_233_572_914).abs() < 1e-13);
        assert_eq!(normal_upper_quantile(0.5), 0.0);
        assert_eq!(normal_upper_quantile(0.975), -normal_upper_quantile(1.0 - 0.975));
        for p in [1e-300, 1e-12, 1e-3, 0.3, 0.499_999] {
            assert!((normal_upper_tail(normal_upper_quantile(p)) / p - 1.0).abs() < 1e-11, "{p:e}");
        }
        assert_eq!(normal_upper_quantile(0.0), f64::INFINITY);
        assert_eq!(normal_upper_quantile(1.0), f64::NEG_INFINITY);
    }

    /// (df, tail, quantile) of Student's t, by 40-digit arithmetic.
    const T_QUANTILES: [(f64, f64, f64); 29] = [
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
    fn t_quantiles_match_known_values_to_ten_digits() {
        for (df, p, expected) in T_QUANTILES {
            let found = t_upper_quantile(p, df);
            assert!((found / expected - 1.0).abs() < 1e-10, "df {df}, p {p:e}: {found:e}");
            assert!((t_upper_tail(expected, df) / p - 1.0).abs() < 1e-10, "df {df}, p {p:e}");
        }
    }

    #[test]
    fn t_quantiles_match_the_printed_table() {
        // Abramowitz & Stegun, table 26.10, A = 0.99 and 0.998 two-sided.
        for (df, p, printed) in [(4.0, 0.005, 4.604), (8.0, 0.005, 3.355), (29.0, 0.001, 3.396)] {
            assert!((t_upper_quantile(p, df) - printed).abs() < 5e-4, "df {df}");
        }
    }

    #[test]
    fn t_tails_with_one_or_two_degrees_of_freedom_match_their_closed_forms() {
        for t in [-1e6, -3.0, -1e-8, 0.0, 0.7, 40.0] {
            let cauchy = 0.5 - f64::atan(t) / std::f64::consts::PI;
            assert!((t_upper_tail(t, 1.0) - cauchy).abs() < 1e-15);
            let two = 0.5 - 0.5 * t / (2.0 + t * t).sqrt();
            assert!((t_upper_tail(t, 2.0) - two).abs() < 1e-15);
        }
    }

    #[test]
    fn t_quantiles_with_many_degrees_of_freedom_approach_the_normal_without_a_step() {
        for df in [0.9e6, 1.1e6, 1e9] {
            for p in [0.2, 1e-3, 1e-12] {
                // Cornish-Fisher expansion, Abramowitz & Stegun 26.7.5.
                let z = normal_upper_quantile(p);
                let expected = z
                    + (z.powi(3) + z) / (4.0 * df)
                    + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * df * df);
                let found = t_upper_quantile(p, df);
                assert!((found / expected - 1.0).abs() < 1e-9, "df {df}, p {p:e}: {found} {expected}");
            }
        }
        assert_eq!(t_upper_quantile(0.025, f64::INFINITY), normal_upper_quantile(0.025));
    }

    #[test]
    fn t_quantiles_are_symmetric_and_infinite_at_the_ends() {
        assert_eq!(t_upper_quantile(0.5, 3.0), 0.0);
        assert_eq!(t_upper_quantile(0.75, 3.0), -t_upper_quantile(0.25, 3.0));
        assert_eq!(t_upper_quantile(0.0, 3.0), f64::INFINITY);
        assert_eq!(t_upper_quantile(1.0, 3.0), f64::NEG_INFINITY);
        assert_eq!(t_upper_quantile(1e-12, 0.01), f64::INFINITY);
    }

    #[test]
    fn ln_gamma_matches_factorials_and_the_root_of_pi() {
        let mut ln_factorial = 0.0;
        for n in 1..60_u32 {
            ln_factorial += f64::from(n).ln();
            assert!((ln_gamma(f64::from(n) + 1.0) - ln_factorial).abs() < 1e-13 * ln_factorial.max(1.0));
        }
        close(ln_gamma(0.5), std::f64::consts::PI.ln() / 2.0, 1e-14);
        close(ln_gamma(1e-10), 1e10_f64.ln(), 1e-9);
    }

    #[test]
    fn ln_gamma_is_infinite_outside_its_domain() {
        for x in [0.0, -1.5, f64::NAN] {
            assert_eq!(ln_gamma(x), f64::INFINITY);
        }
    }

    fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
        beta_tails(a, b, x, 1.0 - x).0
    }

    #[test]
    fn incomplete_beta_matches_its_closed_forms() {
        for x in [1e-9, 0.1, 0.5, 0.77, 1.0 - 1e-9] {
            close(incomplete_beta(1.0, 1.0, x), x, 1e-13);
            close(incomplete_beta(3.0, 1.0, x), x.powi(3), 1e-13);
            close(incomplete_beta(1.0, 4.0, x), -(4.0 * (-x).ln_1p()).exp_m1(), 1e-12);
            let arcsine = 2.0 / std::f64::consts::PI * x.sqrt().asin();
            close(incomplete_beta(0.5, 0.5, x), arcsine, 1e-11);
        }
        assert_eq!(incomplete_beta(2.0, 3.0, -0.1), 0.0);
        assert_eq!(incomplete_beta(2.0, 3.0, 1.1), 1.0);
    }

    #[test]
    fn incomplete_beta_matches_binomial_sums() {
        // P(Bin(20, 0.3) >= k) = I_0.3(k, 21 - k), the left side added up term by term.
        let (n, p) = (20, 0.3_f64);
        let term = |k: i32| {
            let ways: f64 = (1..=k).map(|i| f64::from(n - k + i) / f64::from(i)).product();
            ways * p.powi(k) * (1.0 - p).powi(n - k)
        };
        for k in 1..=n {
            let tail: f64 = (k..=n).rev().map(term).sum();
            close(incomplete_beta(f64::from(k), f64::from(n + 1 - k), p), tail, 1e-12);
        }
    }

    #[test]
    fn beta_quantile_inverts_the_incomplete_beta() {
        for (a, b) in [(0.5, 0.5), (1.0, 30.0), (3.5, 2.0), (200.0, 19_800.0), (0.02, 5.0)] {
            for p in [1e-12, 1e-5, 0.025, 0.5, 0.975] {
                let x = beta_quantile(p, a, b);
                if x > 0.0 {
                    close(incomplete_beta(a, b, x), p, 1e-9);
                }
            }
        }
        close(beta_quantile(1e-12, 1.0, 3.0), -(-1e-12_f64).ln_1p() / 3.0, 1e-9);
        assert_eq!((beta_quantile(0.0, 2.0, 2.0), beta_quantile(1.0, 2.0, 2.0)), (0.0, 1.0));
    }

    #[test]
    fn root_finder_finds_the_square_root_of_two() {
        let root = find_root(0.0, 100.0, 90.0, QUANTILE_PRECISION, |x| (x * x - 2.0, 2.0 * x));
        assert!((root - 2_f64.sqrt()).abs() < 1e-15);
    }

    #[test]
    fn root_finder_survives_a_slope_of_zero_and_a_start_outside_the_bracket() {
        let root = find_root(-10.0, 10.0, 1e300, QUANTILE_PRECISION, |x| ((x - 1.0).powi(3), 0.0));
        assert!((root - 1.0).abs() < 1e-5);
    }

    #[test]
    fn root_finder_approaches_the_end_if_there_is_no_root() {
        assert!(find_root(0.0, 1.0, 0.5, QUANTILE_PRECISION, |_| (-1.0, 0.0)) > 1.0 - 1e-12);
    }
}
