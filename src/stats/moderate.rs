//! A variance that many small samples share: the prior of moderated t tests.

/// Below it ψ is brought up by its recurrence; from it on six terms of its series leave less than 1e-12.
const SERIES_FROM: f64 = 10.0;

/// The prior variance s0² that `variances`, each with its degrees of freedom, show when the prior is worth `prior_df`.
///
/// The moment estimate of Smyth (2004), section 6.2, for a given d0: log s² - ψ(d/2) + log(d/2) has the mean
/// log s0² - ψ(d0/2) + log(d0/2) whatever d is. Logs weigh one wild variance lightly. A variance of zero has no log and is
/// left out, which errs towards a larger prior. `None` if nothing remains or `prior_df` is not positive.
pub fn prior_variance(variances: &[(f64, f64)], prior_df: f64) -> Option<f64> {
    if !(prior_df > 0.0 && prior_df.is_finite()) {
        return None;
    }
    let offset = |df: f64| digamma(0.5 * df) - (0.5 * df).ln();
    let logs: Vec<f64> = variances
        .iter()
        .filter(|(variance, df)| *variance > 0.0 && variance.is_finite() && *df > 0.0 && df.is_finite())
        .map(|(variance, df)| variance.ln() - offset(*df))
        .collect();
    if logs.is_empty() {
        return None;
    }
    let mean = logs.iter().sum::<f64>() / logs.len() as f64;
    Some((mean + offset(prior_df)).exp()).filter(|variance| variance.is_finite())
}

/// ψ(x) for x > 0: recurrence and asymptotic series, 6.3.5 and 6.3.18 of Abramowitz & Stegun.
fn digamma(x: f64) -> f64 {
    let (mut x, mut below) = (x, 0.0);
    while x < SERIES_FROM {
        below += 1.0 / x;
        x += 1.0;
    }
    let y = 1.0 / (x * x);
    let series = y * (1.0 / 12.0 - y * (1.0 / 120.0 - y * (1.0 / 252.0 - y * (1.0 / 240.0 - y / 132.0))));
    x.ln() - 0.5 / x - series - below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digamma_matches_its_closed_forms() {
        const EULER: f64 = 0.577_215_664_901_532_9;
        let half = -EULER - 2.0 * 2_f64.ln();
        for (x, expected) in [(1.0, -EULER), (2.0, 1.0 - EULER), (0.5, half), (1.5, half + 2.0)] {
            assert!((digamma(x) - expected).abs() < 1e-12, "{x}: {}", digamma(x));
        }
    }

    #[test]
    fn a_prior_worth_as_much_as_the_samples_is_their_geometric_mean() {
        let prior = prior_variance(&[(1.0, 4.0), (4.0, 4.0), (0.0, 4.0)], 4.0).unwrap();
        assert!((prior - 2.0).abs() < 1e-12);
        assert_eq!(prior_variance(&[(0.0, 4.0)], 4.0), None);
        assert_eq!(prior_variance(&[(1.0, 4.0)], 0.0), None);
    }

    #[test]
    fn the_prior_behind_simulated_variances_is_found() {
        // s0² = 9 on 4 degrees: variances are 9 / (chi² of 4 / 4), each seen by 2 further degrees.
        let mut rng = fastrand::Rng::with_seed(7);
        let mut chi_by_df = |df: u32| -> f64 {
            (0..df / 2).map(|_| -2.0 * (1.0 - rng.f64()).ln()).sum::<f64>() / f64::from(df)
        };
        let variances: Vec<(f64, f64)> =
            (0..20_000).map(|_| (9.0 / chi_by_df(4) * chi_by_df(2), 2.0)).collect();
        let prior = prior_variance(&variances, 4.0).unwrap();
        assert!((prior / 9.0 - 1.0).abs() < 0.04, "{prior}");
    }
}
