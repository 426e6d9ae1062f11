//! What a series that is not independent costs: by how much its mean is less certain than its spread says.
//!
//! In comes a series in the order of time; out comes what is wrong with it, if anything can be shown to be, and the [`Widening`]
//! that follows. Each rule only ever widens.

use super::diagnose::{lag1_autocorrelation, trend};
use super::location::mean;

/// Two-sided p value below which a drift or a memory is taken for shown.
pub const SHOWN: f64 = 0.01;
/// Fewer values show no order.
pub const LEAST_FOR_ORDER: usize = 5;
/// Fewer values show no modes.
pub const LEAST_FOR_MODES: usize = 10;
/// A single value apart from the others is an outlier and no mode.
const LEAST_IN_MODE: usize = 2;
/// The gap between two groups, in spreads within them, is wider than `GAP + GAP_BY_COUNT / n` in less than one series of normal
/// values of two hundred, for n from 10 to 100 (by simulation; small samples have wide gaps).
const GAP: f64 = 1.0;
const GAP_BY_COUNT: f64 = 40.0;
/// No effective sample is smaller: one value has no spread.
const LEAST_EFFECTIVE: f64 = 2.0;
/// Successes and failures that Agresti & Coull (1998) add to a share before its variance is taken.
const ADDED: f64 = 2.0;

/// What is wrong with a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Disorder {
    /// It has a trend.
    Drift {
        /// From its first to its last value, by the fitted line.
        change: f64,
        /// The share of the variance that the line explains.
        explained: f64,
    },
    /// Each value resembles the one before.
    Memory {
        /// The correlation between neighbours.
        lag1: f64,
    },
    /// Its values lie in two groups, with a gap between them.
    Modes {
        /// The distance of the groups' means.
        apart: f64,
        /// Values in the smaller group.
        fewer: usize,
        /// The share of the variance that the distance explains.
        explained: f64,
    },
}

/// By how much a mean is less certain than its values' spread says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Widening {
    /// What its variance is multiplied with; at least 1.
    pub variance: f64,
    /// What its degrees of freedom are multiplied with; at most 1.
    pub df: f64,
}

impl Widening {
    /// Nothing is widened.
    pub const NONE: Self = Self { variance: 1.0, df: 1.0 };
}

/// What is wrong with a series in the order of time; gaps below `least_gap` make no modes. `None` when nothing can be shown.
///
/// A drift is looked for first, since it gives neighbours a likeness, and makes groups, too.
pub fn disorder(series: &[f64], least_gap: f64) -> Option<Disorder> {
    if series.len() < LEAST_FOR_ORDER {
        return None;
    }
    drift(series).or_else(|| memory(series)).or_else(|| modes(series, least_gap))
}

fn drift(series: &[f64]) -> Option<Disorder> {
    let slope = trend(series).filter(|slope| slope.p < SHOWN)?;
    let n = series.len() as f64;
    let total = squares(series)?;
    let explained = slope.value.powi(2) * n * (n * n - 1.0) / 12.0 / total;
    Some(Disorder::Drift { change: slope.value * (n - 1.0), explained: explained.min(1.0) })
}

fn memory(series: &[f64]) -> Option<Disorder> {
    let lag = lag1_autocorrelation(series).filter(|lag| lag.p < SHOWN && lag.value > 0.0)?;
    Some(Disorder::Memory { lag1: lag.value })
}

/// The split of the sorted values whose gap is the widest, in units of the spread within its two groups.
fn modes(series: &[f64], least_gap: f64) -> Option<Disorder> {
    let n = series.len();
    if n < LEAST_FOR_MODES {
        return None;
    }
    let sorted = super::location::sorted(series);
    let total = squares(series)?;
    let (split, gap) = (LEAST_IN_MODE..=n - LEAST_IN_MODE)
        .map(|split| (split, sorted[split] - sorted[split - 1]))
        .max_by(|one, other| one.1.total_cmp(&other.1))?;
    let (low, high) = sorted.split_at(split);
    let within = ((squares(low)? + squares(high)?) / (n - 2) as f64).sqrt();
    if gap < least_gap || gap <= (GAP + GAP_BY_COUNT / n as f64) * within {
        return None;
    }
    let apart = mean(high)? - mean(low)?;
    let (below, above) = (low.len() as f64, high.len() as f64);
    let explained = (apart.powi(2) * below * above / (below + above) / total).min(1.0);
    Some(Disorder::Modes { apart, fewer: low.len().min(high.len()), explained })
}

/// Sum of squares around the mean.
fn squares(values: &[f64]) -> Option<f64> {
    let centre = mean(values)?;
    Some(values.iter().map(|value| (value - centre).powi(2)).sum())
}

impl Disorder {
    /// What follows for the mean of a series of `count` values.
    ///
    /// - A drift does not average out: the part of the variance that its line explains is not divided by n, so that the true value
    ///   may lie anywhere along the line (a uniform one of that length has the variance change²/12).
    /// - With memory n values are worth n' = n (1 - r) / (1 + r) independent ones, and the variance of their mean is
    ///   s² (n - 1) / (n (n' - 1)) on n' - 1 degrees of freedom (Bayley & Hammersley 1946).
    /// - Of two modes the shares are uncertain, the more so the fewer values the smaller has: they are taken from two more values in
    ///   each (Agresti & Coull 1998), with the degrees of freedom that the estimate of p (1 - p) has by its own variance.
    pub fn widening(&self, count: usize) -> Widening {
        let n = count as f64;
        let widening = match *self {
            Self::Drift { explained, .. } => Widening { variance: 1.0 + (n - 1.0) * explained, df: 1.0 },
            Self::Memory { lag1 } => {
                let effective = (n * (1.0 - lag1) / (1.0 + lag1)).max(LEAST_EFFECTIVE);
                let variance = (n - 1.0) / (effective - 1.0);
                Widening { variance, df: 1.0 / variance }
            }
            Self::Modes { fewer, explained, .. } => {
                let share = fewer as f64 / n;
                let wary = (fewer as f64 + ADDED) / (n + 2.0 * ADDED);
                let ratio = wary * (1.0 - wary) / (share * (1.0 - share));
                let df = 2.0 * n * share * (1.0 - share) / (1.0 - 2.0 * share).powi(2);
                Widening { variance: 1.0 + explained * (ratio - 1.0), df: df / (n - 1.0) }
            }
        };
        Widening { variance: widening.variance.max(1.0), df: widening.df.min(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(rng: &mut fastrand::Rng) -> f64 {
        let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
        radius * (std::f64::consts::TAU * rng.f64()).cos()
    }

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    }

    #[test]
    fn a_straight_line_is_as_uncertain_as_a_uniform_value_along_it() {
        let line: Vec<f64> = (0..11).map(f64::from).collect();
        let found = disorder(&line, 0.0).unwrap();
        assert_eq!(found, Disorder::Drift { change: 10.0, explained: 1.0 });
        let widening = found.widening(11);
        // s² is 11, so s² / n is 1; the variance of a uniform value is change² / 12, here of 11 steps of it: n (n + 1) / (n - 1)².
        close(widening.variance, 100.0 / 12.0 * 132.0 / 100.0);
        close(widening.df, 1.0);
    }

    #[test]
    fn memory_leaves_as_many_values_as_bayley_and_hammersley_say() {
        let widening = Disorder::Memory { lag1: 0.5 }.widening(30);
        // Ten independent values of thirty.
        close(widening.variance, 29.0 / 9.0);
        close(widening.df, 9.0 / 29.0);
        let all_alike = Disorder::Memory { lag1: 0.99 }.widening(30);
        close(all_alike.variance, 29.0);
        close(Disorder::Memory { lag1: 1.0 }.widening(2).variance, 1.0);
    }

    #[test]
    fn the_smaller_of_two_groups_is_counted_with_two_more() {
        let series = [1.0, 5.0, 1.1, 0.9, 1.0, 5.1, 1.1, 0.9, 1.0, 1.05];
        let Disorder::Modes { apart, fewer, explained } = disorder(&series, 0.1).unwrap() else {
            panic!("{:?}", disorder(&series, 0.1))
        };
        assert!((apart - 4.04).abs() < 0.02 && fewer == 2 && explained > 0.99);
        let widening = Disorder::Modes { apart, fewer, explained: 1.0 }.widening(10);
        // 4 of 14 instead of 2 of 10: 0.2041 / 0.16; df 2 · 10 · 0.16 / 0.36 of 9.
        close(widening.variance, (4.0 / 14.0 * 10.0 / 14.0) / 0.16);
        close(widening.df, 3.2 / 0.36 / 9.0);
        assert_eq!(disorder(&series, 4.5), None, "nearer to each other than what counts");
        let even = Disorder::Modes { apart: 1.0, fewer: 15, explained: 1.0 }.widening(30);
        assert_eq!(even, Widening::NONE, "a spread of its own that any interval shows");
    }

    #[test]
    fn one_value_apart_is_no_mode() {
        let series = [1.0, 1.02, 0.98, 9.0, 1.01, 0.99, 1.0, 1.03, 0.97, 1.0];
        assert_eq!(disorder(&series, 0.0), None);
    }

    #[test]
    fn noise_is_seldom_widened_whatever_its_length() {
        let mut rng = fastrand::Rng::with_seed(2);
        for count in [5, 10, 30, 100] {
            let trials = 1_000;
            let mut series = || (0..count).map(|_| normal(&mut rng)).collect::<Vec<_>>();
            let alarms = (0..trials).filter(|_| disorder(&series(), 0.0).is_some()).count();
            assert!(alarms <= 35, "{alarms} of {trials} with {count} values");
        }
    }

    #[test]
    fn no_series_narrows_or_is_nan() {
        let mut rng = fastrand::Rng::with_seed(5);
        let pool =
            [0.0, -0.0, 1e-308, 1.0, 1.0 + f64::EPSILON, 1e150, -1e150, f64::MAX, f64::NAN, f64::INFINITY];
        for _ in 0..3_000 {
            let values: Vec<f64> = (0..rng.usize(0..16)).map(|_| pool[rng.usize(0..pool.len())]).collect();
            if let Some(found) = disorder(&values, 0.0) {
                let Widening { variance, df } = found.widening(values.len());
                assert!(
                    variance >= 1.0 && variance.is_finite() && df > 0.0 && df <= 1.0,
                    "{values:?} {found:?}"
                );
            }
        }
    }

    #[test]
    #[ignore = "how the gap was chosen: cargo test --lib stats::disorder -- --ignored --nocapture"]
    fn the_widest_gap_of_normal_values() {
        let mut rng = fastrand::Rng::with_seed(3);
        for count in [10, 15, 30, 60, 100] {
            let trials = 20_000;
            let (mut order, mut groups) = (0, 0);
            for _ in 0..trials {
                let series: Vec<f64> = (0..count).map(|_| normal(&mut rng)).collect();
                order += u32::from(drift(&series).or_else(|| memory(&series)).is_some());
                groups += u32::from(modes(&series, 0.0).is_some());
            }
            let percent = |alarms: u32| 100.0 * f64::from(alarms) / f64::from(trials);
            println!("{count} values: order {:.2} %, modes {:.2} %", percent(order), percent(groups));
        }
    }
}
