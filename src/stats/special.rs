//! The gamma and beta functions, from which Student's t and the binomial tails are made.

use super::root;

/// From here on seven terms of Stirling's series leave less than 1e-16 (the next is 3617/122400 x^-15).
const STIRLING_FROM: f64 = 10.0;

/// Stirling's series for ln Γ: B(2k) / (2k (2k - 1)), k from 1 (Abramowitz & Stegun 6.1.41).
const STIRLING: [f64; 7] =
    [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0, 1.0 / 156.0];

/// The continued fraction needs about the square root of its larger parameter.
const MAX_TERMS: u32 = 100_000;

/// Relative change of the continued fraction below which it has converged.
const CONVERGED: f64 = 1e-15;

/// A beta quantile below exp(this), which only a tiny first parameter has, is given as 0.
const LN_SMALLEST: f64 = -700.0;

/// Keeps a partial denominator of the continued fraction off zero (Lentz's method, modified).
const TINY: f64 = 1e-300;

/// ln Γ(x) for `x` > 0, to about 1e-15 relative or absolute, whichever is larger; infinite for all other `x`.
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

/// What Stirling's formula leaves of ln Γ(x), for `x` from [`STIRLING_FROM`] on.
fn stirling(x: f64) -> f64 {
    let square = x * x;
    STIRLING.iter().rev().fold(0.0, |sum, term| sum / square + term) / x
}

/// ln B(a, b) = ln Γ(a) + ln Γ(b) - ln Γ(a + b), for `a`, `b` > 0.
///
/// For a large parameter the difference of the two large terms is taken on paper, not in floating point.
pub fn ln_beta(a: f64, b: f64) -> f64 {
    let (small, large) = (a.min(b), a.max(b));
    if large < STIRLING_FROM {
        return ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b);
    }
    let sum = large + small;
    ln_gamma(small) - (large - 0.5) * (small / large).ln_1p() - small * sum.ln() + small + stirling(large)
        - stirling(sum)
}

/// The regularised incomplete beta function and its complement, (I_x(a, b), 1 - I_x(a, b)), `a`, `b` > 0, given `x` and its complement `y` = 1 - x, so that neither tail is lost to rounding.
///
/// Continued fraction 26.5.8 of Abramowitz & Stegun, by Lentz's method, on the side where it converges fast.
pub fn beta_tails(a: f64, b: f64, x: f64, y: f64) -> (f64, f64) {
    if x <= 0.0 {
        return (0.0, 1.0);
    }
    if y <= 0.0 {
        return (1.0, 0.0);
    }
    let ln_front = a * ln_of(x, y) + b * ln_of(y, x) - ln_beta(a, b);
    if x < (a + 1.0) / (a + b + 2.0) {
        let lower = (ln_front.exp() * beta_fraction(a, b, x) / a).min(1.0);
        (lower, 1.0 - lower)
    } else {
        let upper = (ln_front.exp() * beta_fraction(b, a, y) / b).min(1.0);
        (1.0 - upper, upper)
    }
}

/// ln `x`, taken from the complement where `x` is close to 1.
fn ln_of(x: f64, complement: f64) -> f64 {
    if complement < 0.5 { (-complement).ln_1p() } else { x.ln() }
}

fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    let off_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / off_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for term in 1..=MAX_TERMS {
        let m = f64::from(term);
        let two_m = 2.0 * m;
        let even = m * (b - m) * x / ((a + two_m - 1.0) * (a + two_m));
        d = 1.0 / off_zero(1.0 + even * d);
        c = off_zero(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + two_m) * (a + two_m + 1.0));
        d = 1.0 / off_zero(1.0 + odd * d);
        c = off_zero(1.0 + odd / c);
        let change = d * c;
        fraction *= change;
        if (change - 1.0).abs() < CONVERGED {
            break;
        }
    }
    fraction
}

/// The `x` with I_x(a, b) = `p`, for `a`, `b` > 0: the quantile of a beta distribution. 0 for `p` <= 0, 1 for `p` >= 1.
///
/// Right also for a tiny `p`; for one close to 1 ask for `1 - beta_quantile(1 - p, b, a)` with an exact `1 - p`.
pub fn beta_quantile(p: f64, a: f64, b: f64) -> f64 {
    if p.is_nan() || p <= 0.0 {
        return 0.0;
    }
    if p >= 1.0 {
        return 1.0;
    }
    let norm = ln_beta(a, b);
    // In ln x the logarithm of the lower tail is, far down, a straight line of slope a.
    let ln_x = root::increasing(LN_SMALLEST, 0.0, (a / (a + b)).ln(), root::FULL, |ln_x| {
        let (x, y) = (ln_x.exp(), -ln_x.exp_m1());
        let lower = beta_tails(a, b, x, y).0;
        if lower == 0.0 {
            return (f64::NEG_INFINITY, f64::INFINITY);
        }
        let ln_density = a * ln_x + (b - 1.0) * y.ln() - norm;
        ((lower / p).ln(), ln_density.exp() / lower)
    });
    if ln_x < LN_SMALLEST + 1.0 { 0.0 } else { ln_x.exp() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64, relative: f64) {
        assert!((found - expected).abs() <= relative * expected.abs(), "{found:e} instead of {expected:e}");
    }

    #[test]
    fn ln_gamma_is_the_factorial_and_the_root_of_pi() {
        let mut ln_factorial = 0.0;
        for n in 1..60_u32 {
            ln_factorial += f64::from(n).ln();
            assert!((ln_gamma(f64::from(n) + 1.0) - ln_factorial).abs() < 1e-13 * ln_factorial.max(1.0));
        }
        close(ln_gamma(0.5), std::f64::consts::PI.ln() / 2.0, 1e-14);
        close(ln_gamma(1e-10), 1e10_f64.ln(), 1e-9);
    }

    #[test]
    fn outside_its_domain_ln_gamma_is_infinite_and_not_nan() {
        for x in [0.0, -1.5, f64::NAN] {
            assert_eq!(ln_gamma(x), f64::INFINITY);
        }
    }

    fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
        beta_tails(a, b, x, 1.0 - x).0
    }

    #[test]
    fn incomplete_beta_has_its_closed_forms() {
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
    fn incomplete_beta_sums_the_binomial() {
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
    fn beta_quantile_undoes_the_incomplete_beta() {
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
}
