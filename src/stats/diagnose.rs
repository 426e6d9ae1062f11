//! Is a series of rounds what the tests take it for: independent, and without a drift?

use super::location::mean;
use super::normal;
use super::student;

/// A statistic of a series, and how surprising it would be in one without order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finding {
    /// The statistic.
    pub value: f64,
    /// Two-sided p value under "no order".
    pub p: f64,
}

/// Correlation of each value with the next, and its p value by the normal approximation of Wald & Wolfowitz
/// (mean -1/n, variance (n - 2)² / (n² (n - 1))). `None` with fewer than 4 values, one not finite, or no spread.
pub fn lag1_autocorrelation(series: &[f64]) -> Option<Finding> {
    const LEAST: usize = 4;
    let centred = centred(series, LEAST)?;
    let squares: f64 = centred.iter().map(|value| value * value).sum();
    let products: f64 = centred.windows(2).map(|pair| pair[0] * pair[1]).sum();
    let value = products / squares;
    let n = series.len() as f64;
    let z = (value + 1.0 / n) * n * (n - 1.0).sqrt() / (n - 2.0);
    Some(Finding { value, p: (2.0 * normal::upper_tail(z.abs())).min(1.0) })
}

/// Least-squares slope per step, and the p value of "no slope" by Student's t on n - 2 degrees of freedom.
///
/// `None` with fewer than 3 values, one not finite, or no spread.
pub fn trend(series: &[f64]) -> Option<Finding> {
    const LEAST: usize = 3;
    let centred = centred(series, LEAST)?;
    let n = centred.len() as f64;
    let middle = 0.5 * (n - 1.0);
    let step_squares = n * (n * n - 1.0) / 12.0;
    let covariance: f64 =
        centred.iter().enumerate().map(|(step, value)| (step as f64 - middle) * value).sum();
    let slope = covariance / step_squares;
    let residuals: f64 = centred
        .iter()
        .enumerate()
        .map(|(step, value)| (value - slope * (step as f64 - middle)).powi(2))
        .sum();
    let df = n - 2.0;
    let error = (residuals / df / step_squares).sqrt();
    Some(Finding { value: slope, p: (2.0 * student::p_above(slope.abs(), 0.0, error, df)).min(1.0) })
}

/// The values less their mean, if there are at least `least`, all finite and not all the same.
fn centred(series: &[f64], least: usize) -> Option<Vec<f64>> {
    let spread = series.iter().any(|&value| value != series[0]);
    if series.len() < least || !spread {
        return None;
    }
    let centre = mean(series)?;
    let centred: Vec<f64> = series.iter().map(|value| value - centre).collect();
    let squares: f64 = centred.iter().map(|value| value * value).sum();
    (squares > 0.0 && squares.is_finite()).then_some(centred)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(rng: &mut fastrand::Rng) -> f64 {
        (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0
    }

    #[test]
    fn autocorrelation_of_a_series_done_by_hand() {
        // Deviations -2 -1 0 1 2: (2 + 0 + 0 + 2) / 10.
        let found = lag1_autocorrelation(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert!((found.value - 0.4).abs() < 1e-12);
        let swing = lag1_autocorrelation(&[1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0]).unwrap();
        assert!((swing.value + 7.0 / 8.0).abs() < 1e-12 && swing.p < 0.02, "{swing:?}");
    }

    #[test]
    fn trend_of_a_series_done_by_hand() {
        // R: summary(lm(c(1, 3, 2, 5, 4) ~ c(0:4))): slope 0.8, p 0.1041.
        let found = trend(&[1.0, 3.0, 2.0, 5.0, 4.0]).unwrap();
        assert!((found.value - 0.8).abs() < 1e-12);
        assert!((found.p - 0.104_1).abs() < 1e-4, "{}", found.p);
        assert_eq!(trend(&[1.0, 2.0, 3.0]).map(|found| found.p), Some(0.0));
    }

    #[test]
    fn a_series_without_order_is_seldom_called_ordered_and_one_with_order_is() {
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
    fn series_that_say_nothing_have_no_finding() {
        for series in
            [&[][..], &[1.0], &[2.0; 10], &[1.0, f64::NAN, 2.0, 3.0], &[1.0, f64::INFINITY, 2.0, 3.0]]
        {
            assert_eq!(lag1_autocorrelation(series), None);
            assert_eq!(trend(series), None);
        }
    }
}
