//! What a test could have found: the sentence that makes a green result worth something.

use super::normal;
use super::special::ln_gamma;
use super::student;

/// The chance of finding it at which "the smallest change that could have been found" is meant.
pub const POWER: f64 = 0.8;

/// The smallest true change, in logs, that a one-sided t test against the margin `d` finds with probability `power`.
///
/// `standard_error` (of the log difference) has `df` degrees of freedom; `alpha` is the level left for this one test
/// after all correction; `margin` is the fraction d, of which ln(1 + d) is taken. The relative change is
/// `exp_m1` of the answer. Infinite where the test can find nothing (no degrees of freedom, `alpha` 0, an unknown error).
///
/// The power of the t test is a noncentral t probability, for which the approximation of Jennett & Welch (1939) is
/// solved: the estimated error is taken as normal with mean c and variance 1 - c² (in units of the true one), hence
/// δ = t c + z sqrt(1 + t² (1 - c²)). It is within 0.7 % of the exact δ from 2 degrees of freedom on, at levels from
/// 1e-6 to 0.05; the common shorter δ = t + t' is 13 % too small at 4 degrees and a level of 1e-4.
pub fn smallest_log_change(standard_error: f64, df: f64, alpha: f64, margin: f64, power: f64) -> f64 {
    let possible = power > 0.0 && power < 1.0;
    let sound = possible && standard_error >= 0.0 && df > 0.0 && alpha > 0.0 && alpha < 1.0 && margin > -1.0;
    if !sound {
        return f64::INFINITY;
    }
    if standard_error == 0.0 {
        return margin.ln_1p();
    }
    // A level above one half would "find" what lies below the margin.
    noncentrality(df, alpha, power).max(0.0) * standard_error + margin.ln_1p()
}

/// The true excess, in standard errors, that the test finds with probability `power`.
fn noncentrality(df: f64, alpha: f64, power: f64) -> f64 {
    let t = student::upper_quantile(alpha, df);
    let z = normal::upper_quantile(1.0 - power);
    let c = mean_of_estimated_error(df);
    // Written so that infinite degrees of freedom, where c is 1, need no case of their own.
    t * c + z * (1.0 + t * t * (1.0 - c) * (1.0 + c)).sqrt()
}

/// Mean of an estimated standard deviation over the true one, for normal values: sqrt(2/f) Γ((f+1)/2) / Γ(f/2).
fn mean_of_estimated_error(df: f64) -> f64 {
    /// From here on 1 - 1/(4f) is right to 1e-9, and the gammas begin to cancel.
    const SERIES_FROM: f64 = 1e4;
    if df >= SERIES_FROM {
        return 1.0 - 0.25 / df;
    }
    (ln_gamma(0.5 * (df + 1.0)) - ln_gamma(0.5 * df)).exp() * (2.0 / df).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (df, level, δ found with probability 0.8), by numerical integration of the noncentral t with 20 digits.
    const EXACT: [(f64, f64, f64); 20] = [
        (2.0, 0.05, 3.978_997),
        (2.0, 0.01, 8.959_04),
        (2.0, 1e-4, 89.705_04),
        (2.0, 1e-6, 897.056_4),
        (4.0, 0.05, 3.039_751),
        (4.0, 0.01, 4.875_371),
        (4.0, 1e-4, 16.040_48),
        (4.0, 1e-6, 50.903_28),
        (8.0, 0.05, 2.726_844),
        (8.0, 0.01, 3.837_778),
        (8.0, 1e-4, 7.809_133),
        (8.0, 1e-6, 14.357_56),
        (9.0, 0.05, 2.696_909),
        (9.0, 0.01, 3.748_186),
        (9.0, 1e-4, 7.281_731),
        (9.0, 1e-6, 12.666_39),
        (29.0, 0.05, 2.546_611),
        (29.0, 0.01, 3.324_837),
        (29.0, 1e-4, 5.179_557),
        (29.0, 1e-6, 6.928_56),
    ];

    #[test]
    fn the_approximation_is_close_to_the_exact_noncentral_t() {
        for (df, alpha, exact) in EXACT {
            let ratio = noncentrality(df, alpha, POWER) / exact;
            let tolerance = if df < 4.0 { 0.007 } else { 0.004 };
            assert!((ratio - 1.0).abs() < tolerance, "df {df}, level {alpha:e}: {ratio}");
        }
    }

    #[test]
    fn a_change_of_that_size_is_found_four_times_of_five() {
        let (launches, alpha, margin, sd) = (5, 0.001, 0.05_f64, 0.02);
        let df = f64::from(launches - 1);
        let true_error = sd / f64::from(launches).sqrt();
        let change = smallest_log_change(true_error, df, alpha, margin, POWER);
        let mut rng = fastrand::Rng::with_seed(12);
        let trials = 20_000;
        let found = (0..trials)
            .filter(|_| {
                let values: Vec<f64> = (0..launches)
                    .map(|_| change + sd * ((0..12).map(|_| rng.f64()).sum::<f64>() - 6.0))
                    .collect();
                let mean = values.iter().sum::<f64>() / values.len() as f64;
                let variance = super::super::location::sample_variance(&values).unwrap();
                let error = (variance / f64::from(launches)).sqrt();
                student::p_above(mean, margin.ln_1p(), error, df) <= alpha
            })
            .count();
        let power = found as f64 / f64::from(trials);
        assert!((0.78..0.82).contains(&power), "{power}");
    }

    #[test]
    fn many_degrees_give_the_textbook_sum_of_two_normal_quantiles() {
        for df in [9.9e3, 1.1e4, 1e12, f64::INFINITY] {
            let found = smallest_log_change(1.0, df, 0.05, 0.0, POWER);
            assert!((found - 1.644_854 - 0.841_621).abs() < 5e-4, "{df}: {found}");
        }
    }

    #[test]
    fn where_nothing_can_be_found_it_is_infinite_and_never_nan() {
        for (error, df, alpha) in [
            (0.01, 0.0, 0.01),
            (0.01, 4.0, 0.0),
            (f64::NAN, 4.0, 0.01),
            (0.01, f64::NAN, 0.01),
            (f64::INFINITY, 4.0, 0.01),
        ] {
            assert_eq!(smallest_log_change(error, df, alpha, 0.05, POWER), f64::INFINITY);
        }
        assert_eq!(smallest_log_change(0.0, 4.0, 0.01, 0.05, POWER), 0.05_f64.ln_1p());
    }
}
