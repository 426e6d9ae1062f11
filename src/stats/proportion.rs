//! Did the proportion of failures rise? A test and an interval over launches.
//!
//! Requests of one launch are correlated, so they count for fewer than they are: for `requests / dispersion`. The dispersion is the
//! variance of the launches' proportions over the variance that independent requests would have. The proportion of each side
//! gets an exact binomial limit (Clopper & Pearson 1934) for that effective count, after Korn & Graubard (1998). The MOVER rule
//! (Zou & Donner 2008) joins the limits of both sides into a limit of the difference. Few failures are thus judged exactly, many
//! by Student's t on launches, and a count of zero is not a special case.

use crate::stats::distribution::{beta_quantile, find_root, normal_upper_quantile, t_upper_quantile};

/// Correlation between requests of one launch that is assumed if the data cannot show it. The proportion of a launch then has a
/// standard deviation of sqrt(p (1 - p) / 1000), which is 1.5 percentage points at p = 1/3.
const ALLOWED_CORRELATION: f64 = 0.001;

/// Degrees of freedom of the allowance. It fills up fewer measured ones to this number.
const ALLOWANCE_DF: f64 = 4.0;

/// Smallest ln p that is searched for.
const MIN_LN_P: f64 = -34.0;

/// Start of the search, near the levels that decide.
const FIRST_LN_P: f64 = -7.0;

/// Step in ln p for the slope of the limit.
const SLOPE_STEP: f64 = 1e-4;

/// Relative precision of ln p: nine digits of the p value.
const P_PRECISION: f64 = 1e-10;

/// Failures and requests of one sample: a launch, or a whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Number of requests that failed.
    pub failures: u64,
    /// Number of all requests. A sample without requests is ignored.
    pub requests: u64,
}

/// The difference of the failure proportions of two sides, head less base.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProportionDifference {
    base: Side,
    head: Side,
    /// Degrees of freedom of both dispersions together.
    df: f64,
    /// Whether an assumed correlation stands in for launches, or for failures to compare them by.
    pub rests_on_allowance: bool,
}

/// The proportion of one side, and the number of independent requests that would estimate it as precisely.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Side {
    proportion: f64,
    effective_requests: f64,
}

/// Totals over the launches of one side.
struct Observed {
    proportion: f64,
    requests: f64,
    launches: f64,
    /// Pearson's dispersion: 1 if the requests are independent.
    dispersion: f64,
    /// Degrees of freedom of `dispersion`.
    df: f64,
}

impl ProportionDifference {
    /// Compares the launches of two sides; `None` if one of them has no request.
    ///
    /// The dispersion of a side is measured if it has two launches and two failures. Otherwise it uses the correlation of the other
    /// side. Degrees of freedom are Welch's. If they are below 4, for example with one launch per side, an assumed correlation of
    /// 0.001 makes up for the missing ones, and [`Self::rests_on_allowance`] is true. With one launch per side
    /// and a true correlation of 0.01, 8% of tests at the level 0.01 are false alarms.
    pub fn between(base: &[Sample], head: &[Sample]) -> Option<Self> {
        let (base, head) = (Observed::new(base)?, Observed::new(head)?);
        let measured = |side: &Observed, other: &Observed| {
            side.dispersion_at(side.correlation().or(other.correlation()).unwrap_or(0.0).max(0.0))
        };
        let (base_dispersion, head_dispersion) = (measured(&base, &head), measured(&head, &base));
        let measured_df = welch_df((&base, base_dispersion), (&head, head_dispersion));
        let missing_df = (ALLOWANCE_DF - measured_df).max(0.0);
        let missing = missing_df / ALLOWANCE_DF;
        // Launches that differ by more than the allowance refute it, and it adds no degrees of freedom.
        let credibility =
            |side: &Observed, measured: f64| (side.dispersion_at(ALLOWED_CORRELATION) / measured).min(1.0);
        let credibility = credibility(&base, base_dispersion).min(credibility(&head, head_dispersion));
        let with_allowance = |side: &Observed, measured: f64| {
            let allowed = side.dispersion_at(ALLOWED_CORRELATION).max(measured);
            let dispersion = (1.0 - missing) * measured + missing * allowed;
            Side { proportion: side.proportion, effective_requests: side.requests / dispersion }
        };
        Some(Self {
            base: with_allowance(&base, base_dispersion),
            head: with_allowance(&head, head_dispersion),
            df: measured_df + missing_df * credibility,
            rests_on_allowance: missing > 0.0,
        })
    }

    /// Proportion of head less proportion of base: 0.001 is 0.1 percentage points.
    pub fn estimate(&self) -> f64 {
        self.head.proportion - self.base.proportion
    }

    /// Standard error of [`Self::estimate`], by the proportions and dispersions of both sides.
    pub fn standard_error(&self) -> f64 {
        let variance = |side: &Side| side.proportion * (1.0 - side.proportion) / side.effective_requests;
        (variance(&self.base) + variance(&self.head)).max(0.0).sqrt()
    }

    /// Ends of the two-sided interval at `confidence`; -1 and 1 unless that lies strictly between 0 and 1.
    pub fn limits(&self, confidence: f64) -> (f64, f64) {
        if !(confidence > 0.0 && confidence < 1.0) {
            return (-1.0, 1.0);
        }
        let tail = 0.5 * (1.0 - confidence);
        (self.lower_limit(tail), self.upper_limit(tail))
    }

    /// One-sided p value of "the proportion rose by at most `margin`": the level at which the lower limit reaches `margin`.
    ///
    /// Exactly 1 if the estimate does not lie above `margin`; never below 1e-15.
    pub fn p_above(&self, margin: f64) -> f64 {
        let above = |ln_p: f64| self.lower_limit(ln_p.exp()) - margin;
        let ln_half = 0.5_f64.ln();
        // The limits are conservative: even at a level of one half the lower limit lies below the estimate.
        if self.estimate() <= margin || above(ln_half) <= 0.0 {
            return 1.0;
        }
        let value_and_slope = |ln_p: f64| {
            let value = above(ln_p);
            (value, (value - above(ln_p - SLOPE_STEP)) / SLOPE_STEP)
        };
        find_root(MIN_LN_P, ln_half, FIRST_LN_P, P_PRECISION, value_and_slope).exp()
    }

    /// The true difference lies below it with probability `tail`.
    fn lower_limit(&self, tail: f64) -> f64 {
        let shrinkage = self.shrinkage(tail);
        let fall = self.head.proportion - self.head.lower_limit(tail, shrinkage);
        let rise = self.base.upper_limit(tail, shrinkage) - self.base.proportion;
        (self.estimate() - fall.hypot(rise)).max(-1.0)
    }

    /// The true difference lies above it with probability `tail`.
    fn upper_limit(&self, tail: f64) -> f64 {
        let shrinkage = self.shrinkage(tail);
        let rise = self.head.upper_limit(tail, shrinkage) - self.head.proportion;
        let fall = self.base.proportion - self.base.lower_limit(tail, shrinkage);
        (self.estimate() + fall.hypot(rise)).min(1.0)
    }

    /// Factor (z / t)² of the effective counts, because the dispersion is only estimated.
    fn shrinkage(&self, tail: f64) -> f64 {
        /// Near one half both quantiles approach zero, and their ratio becomes that of the densities at 0.
        const MAX_TAIL: f64 = 0.49;
        let tail = tail.min(MAX_TAIL);
        (normal_upper_quantile(tail) / t_upper_quantile(tail, self.df)).powi(2)
    }
}

impl Side {
    /// Clopper & Pearson's lower limit for the effective requests times `shrinkage`.
    fn lower_limit(&self, tail: f64, shrinkage: f64) -> f64 {
        let requests = self.effective_requests * shrinkage;
        lower_limit(self.proportion * requests, requests, tail).min(self.proportion)
    }

    fn upper_limit(&self, tail: f64, shrinkage: f64) -> f64 {
        let successes = Self { proportion: 1.0 - self.proportion, ..*self };
        1.0 - successes.lower_limit(tail, shrinkage)
    }
}

impl Observed {
    /// `None` without a request.
    fn new(samples: &[Sample]) -> Option<Self> {
        let used: Vec<(f64, f64)> = samples
            .iter()
            .filter(|sample| sample.requests > 0)
            .map(|sample| (sample.failures.min(sample.requests) as f64, sample.requests as f64))
            .collect();
        if used.is_empty() {
            return None;
        }
        let failures: f64 = used.iter().map(|launch| launch.0).sum();
        let requests: f64 = used.iter().map(|launch| launch.1).sum();
        let (launches, proportion) = (used.len() as f64, failures / requests);
        let rarer = failures.min(requests - failures);
        // n failures have n - 1 degrees of freedom to be uneven: a single one looks the same in any launch.
        let df = (launches - 1.0).min(rarer - 1.0).max(0.0);
        let pearson: f64 = used
            .iter()
            .map(|(failures, requests)| {
                (failures - requests * proportion).powi(2) / (requests * proportion * (1.0 - proportion))
            })
            .sum();
        let dispersion = if df > 0.0 { pearson / (launches - 1.0) } else { 1.0 };
        Some(Self { proportion, requests, launches, dispersion, df })
    }

    /// Other requests in the launch of a request, on average.
    fn other_requests(&self) -> f64 {
        self.requests / self.launches - 1.0
    }

    /// Correlation between requests of one launch, by `dispersion` = 1 + `other_requests` · correlation; `None` if the data do not
    /// show it.
    fn correlation(&self) -> Option<f64> {
        let others = self.other_requests();
        (self.df > 0.0 && others > 0.0).then(|| (self.dispersion - 1.0) / others)
    }

    fn dispersion_at(&self, correlation: f64) -> f64 {
        1.0 + self.other_requests().max(0.0) * correlation
    }
}

/// The exact lower limit of a proportion by Clopper & Pearson (1934), missed with probability `tail`.
pub fn lower_limit(hits: f64, trials: f64, tail: f64) -> f64 {
    if hits <= 0.0 { 0.0 } else { beta_quantile(tail, hits, trials - hits + 1.0) }
}

/// Welch's degrees of freedom of the difference (1947), given the dispersion of each side. A side without degrees of freedom adds
/// none.
fn welch_df(base: (&Observed, f64), head: (&Observed, f64)) -> f64 {
    if base.0.df <= 0.0 || head.0.df <= 0.0 {
        return base.0.df.max(head.0.df);
    }
    let variance = |(side, dispersion): (&Observed, f64)| {
        side.proportion * (1.0 - side.proportion) * dispersion / side.requests
    };
    let (base_variance, head_variance) = (variance(base), variance(head));
    (base_variance + head_variance).powi(2)
        / (base_variance.powi(2) / base.0.df + head_variance.powi(2) / head.0.df)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARGIN: f64 = 0.001;

    /// The level 0.01 corrected for 130 tests.
    const CORRECTED: f64 = 0.01 / 130.0;

    fn launches(failures: &[u64], requests: u64) -> Vec<Sample> {
        failures.iter().map(|&failures| Sample { failures, requests }).collect()
    }

    fn p(base: &[Sample], head: &[Sample]) -> f64 {
        ProportionDifference::between(base, head).unwrap().p_above(MARGIN)
    }

    /// Shares of trials in which the test fires at 0.05, at 0.01 and at the corrected level.
    fn rates(seed: u64, trials: u32, mut trial: impl FnMut(&mut World) -> f64) -> [f64; 3] {
        let mut world = World(fastrand::Rng::with_seed(seed));
        let p_values: Vec<f64> = (0..trials).map(|_| trial(&mut world)).collect();
        [0.05, 0.01, CORRECTED]
            .map(|level| p_values.iter().filter(|&&p| p <= level).count() as f64 / f64::from(trials))
    }

    #[test]
    fn one_failure_in_twenty_thousand_is_not_a_rise() {
        let head = launches(&[0, 0, 1, 0, 0], 4000);
        assert_eq!(p(&launches(&[0; 5], 4000), &head), 1.0);
        assert_eq!(p(&launches(&[0], 20_000), &launches(&[1], 20_000)), 1.0);
        // One failure in a single burst of a hundred is not a rise either.
        assert!(p(&launches(&[0], 100), &launches(&[1], 100)) > 0.1);
    }

    #[test]
    fn half_the_margin_is_not_a_rise_even_if_it_is_certain() {
        let (base, head) = (launches(&[0; 10], 1_000_000), launches(&[500; 10], 1_000_000));
        assert_eq!(p(&base, &head), 1.0);
        let (low, high) = ProportionDifference::between(&base, &head).unwrap().limits(0.95);
        assert!(low > 0.0 && high < MARGIN, "{low} {high}");
    }

    #[test]
    fn thirty_percent_failures_over_five_launches_are_clearly_a_rise() {
        let difference = ProportionDifference::between(
            &launches(&[0; 5], 4000),
            &launches(&[1200, 1180, 1230, 1195, 1210], 4000),
        )
        .unwrap();
        assert!(difference.p_above(MARGIN) < 1e-6, "{:e}", difference.p_above(MARGIN));
        assert!(!difference.rests_on_allowance);
        let (low, high) = difference.limits(0.95);
        assert!(low > 0.28 && high < 0.32, "{low} {high}");
    }

    #[test]
    fn one_launch_per_side_is_judged_with_an_allowance() {
        let difference =
            ProportionDifference::between(&launches(&[0], 20_000), &launches(&[6000], 20_000)).unwrap();
        assert!(difference.rests_on_allowance);
        assert!(difference.p_above(MARGIN) < CORRECTED);
        // A hundred requests are enough for a single test, not for 130. And more requests cannot replace launches.
        let few = p(&launches(&[0], 100), &launches(&[30], 100));
        assert!((CORRECTED..0.01).contains(&few), "{few:e}");
        assert!(p(&launches(&[0], 2_000_000), &launches(&[600_000], 2_000_000)) > 2e-5);
    }

    #[test]
    fn one_bad_launch_of_five_is_not_a_rise() {
        assert!(p(&launches(&[0; 5], 4000), &launches(&[900, 0, 0, 0, 0], 4000)) > 0.2);
    }

    #[test]
    fn a_fall_is_never_a_rise_and_swapping_the_sides_mirrors_the_interval() {
        let (good, bad) = (launches(&[3, 0, 5, 2, 1], 1000), launches(&[90, 120, 80, 100, 110], 1000));
        assert_eq!(p(&bad, &good), 1.0);
        let (up, down) = (
            ProportionDifference::between(&good, &bad).unwrap(),
            ProportionDifference::between(&bad, &good).unwrap(),
        );
        let (up, down) = (up.limits(0.95), down.limits(0.95));
        assert!((up.0 + down.1).abs() < 1e-9 && (up.1 + down.0).abs() < 1e-9);
    }

    #[test]
    fn test_and_interval_agree() {
        let difference = ProportionDifference::between(
            &launches(&[3, 0, 5, 2, 1], 1000),
            &launches(&[9, 12, 8, 10, 11], 1000),
        )
        .unwrap();
        let p = difference.p_above(MARGIN);
        assert!((difference.limits(1.0 - 2.0 * p).0 - MARGIN).abs() < 1e-7);
    }

    #[test]
    fn proportions_of_zero_and_one_have_an_interval() {
        let (none, all) = (launches(&[0; 5], 400), launches(&[400; 5], 400));
        assert!(p(&none, &all) < CORRECTED);
        for (base, head) in [(&none, &none), (&all, &all), (&none, &all), (&all, &none)] {
            let difference = ProportionDifference::between(base, head).unwrap();
            let (low, high) = difference.limits(0.95);
            assert!(-1.0 <= low && low <= difference.estimate());
            assert!(difference.estimate() <= high && high <= 1.0);
        }
    }

    #[test]
    fn sides_without_requests_cannot_be_compared_and_empty_launches_are_ignored() {
        let some = launches(&[1, 2, 3], 100);
        assert_eq!(ProportionDifference::between(&[], &some), None);
        assert_eq!(ProportionDifference::between(&some, &launches(&[0, 0], 0)), None);
        let mut with_empty = some.clone();
        with_empty.push(Sample { failures: 0, requests: 0 });
        assert_eq!(
            ProportionDifference::between(&with_empty, &some),
            ProportionDifference::between(&some, &some)
        );
    }

    #[test]
    fn no_counts_give_nan() {
        let mut rng = fastrand::Rng::with_seed(1);
        let pool = [0, 1, 2, 17, 100, 4000, u64::MAX];
        for _ in 0..300 {
            let mut side = || -> Vec<Sample> {
                (0..rng.usize(1..5))
                    .map(|_| Sample { failures: pool[rng.usize(0..7)], requests: pool[rng.usize(0..7)] })
                    .collect()
            };
            let (base, head) = (side(), side());
            let Some(difference) = ProportionDifference::between(&base, &head) else {
                continue;
            };
            let (low, high) = difference.limits(0.95);
            assert!((0.0..=1.0).contains(&difference.p_above(MARGIN)), "{base:?} {head:?}");
            assert!(
                low <= difference.estimate() && difference.estimate() <= high,
                "{base:?} {head:?} {low} {high}"
            );
        }
    }

    #[test]
    fn false_alarms_at_the_margin_stay_below_the_level() {
        // (launches, correlation on base, on head, base's share)
        for (count, base_rho, head_rho, share) in [
            (5, 0.0, 0.0, 0.0),
            (5, 0.0, 0.0, 0.01),
            (10, 0.0, 0.0, 0.0005),
            (5, 0.01, 0.01, 0.01),
            (5, 0.05, 0.05, 0.01),
            (5, 0.01, 0.01, 0.1),
            (10, 0.01, 0.01, 0.05),
            (10, 0.05, 0.05, 0.05),
            (5, 0.0, 0.05, 0.05),
            (2, 0.05, 0.05, 0.05),
            (3, 0.05, 0.05, 0.05),
        ] {
            let [at_5, at_1, corrected] = rates(7, 1500, |world| {
                let base = world.launches(count, 4000, share, base_rho);
                p(&base, &world.launches(count, 4000, share + MARGIN, head_rho))
            });
            let case =
                format!("{count} launches, {base_rho} and {head_rho}, {share}: {at_5} {at_1} {corrected}");
            // Nominal and two standard errors of a simulated rate.
            assert!(at_5 <= 0.05 + 0.011 && at_1 <= 0.01 + 0.005 && corrected <= 0.002, "{case}");
        }
    }

    #[test]
    fn the_allowance_holds_only_for_the_correlation_that_it_assumes() {
        let alarms = |rho| {
            rates(7, 1500, |world| {
                let base = world.launches(1, 4000, 0.05, rho);
                p(&base, &world.launches(1, 4000, 0.05 + MARGIN, rho))
            })
        };
        assert!(alarms(0.001)[0] <= 0.05);
        assert!(alarms(0.01)[1] > 0.03, "the docs warn of it");
    }

    #[test]
    fn clear_rises_are_found() {
        // (launches, correlation, base's share, head's, least rate at 0.01, and corrected for 130 tests)
        for (count, rho, base, head, least, least_corrected) in [
            (5, 0.0, 0.0, 0.005, 0.95, 0.0),
            (5, 0.0, 0.0, 0.02, 0.99, 0.85),
            (5, 0.01, 0.0, 0.1, 0.95, 0.0),
            (10, 0.0, 0.0, 0.005, 0.99, 0.99),
            (10, 0.0, 0.01, 0.02, 0.99, 0.99),
            (10, 0.01, 0.01, 0.1, 0.99, 0.95),
            (10, 0.05, 0.0, 0.3, 0.99, 0.9),
        ] {
            let [_, at_1, corrected] = rates(9, 300, |world| {
                let before = world.launches(count, 4000, base, rho);
                p(&before, &world.launches(count, 4000, head, rho))
            });
            let case = format!("{count} launches, {rho}, {base} to {head}: {at_1} {corrected}");
            assert!(at_1 >= least && corrected >= least_corrected, "{case}");
        }
    }

    #[test]
    fn intervals_cover_the_true_difference() {
        for rho in [0.0, 0.01] {
            let mut world = World(fastrand::Rng::with_seed(3));
            let trials = 1500;
            let covered = (0..trials)
                .filter(|_| {
                    let base = world.launches(5, 4000, 0.02, rho);
                    let head = world.launches(5, 4000, 0.05, rho);
                    let (low, high) = ProportionDifference::between(&base, &head).unwrap().limits(0.95);
                    low <= 0.03 && 0.03 <= high
                })
                .count();
            let coverage = covered as f64 / f64::from(trials);
            assert!(coverage > 0.94, "{rho}: {coverage}");
        }
    }

    /// Draws launches whose failure shares follow a beta distribution with the correlation `rho` between requests.
    struct World(fastrand::Rng);

    impl World {
        fn launches(&mut self, count: usize, requests: u64, share: f64, rho: f64) -> Vec<Sample> {
            (0..count)
                .map(|_| {
                    let own = if rho > 0.0 && share > 0.0 { self.beta(share, rho) } else { share };
                    Sample { failures: self.binomial(requests, own), requests }
                })
                .collect()
        }

        /// Beta with mean `share` and variance `share (1 - share) rho`.
        fn beta(&mut self, share: f64, rho: f64) -> f64 {
            let total = (1.0 - rho) / rho;
            let (ours, others) = (self.gamma(share * total), self.gamma((1.0 - share) * total));
            if ours + others > 0.0 { ours / (ours + others) } else { 0.0 }
        }

        /// Marsaglia & Tsang (2000).
        fn gamma(&mut self, shape: f64) -> f64 {
            if shape < 1.0 {
                return self.gamma(shape + 1.0) * self.0.f64().powf(1.0 / shape);
            }
            let d = shape - 1.0 / 3.0;
            loop {
                let z =
                    (-2.0 * (1.0 - self.0.f64()).ln()).sqrt() * (std::f64::consts::TAU * self.0.f64()).cos();
                let v = (1.0 + z / (9.0 * d).sqrt()).powi(3);
                if v > 0.0 && (1.0 - self.0.f64()).ln() < 0.5 * z * z + d - d * v + d * v.ln() {
                    return d * v;
                }
            }
        }

        /// By the gaps between failures, which are geometric.
        fn binomial(&mut self, requests: u64, share: f64) -> u64 {
            if share > 0.5 {
                return requests - self.binomial(requests, 1.0 - share);
            }
            if share <= 0.0 {
                return 0;
            }
            let (mut seen, mut failures) = (0.0, 0);
            loop {
                seen += ((1.0 - self.0.f64()).ln() / (-share).ln_1p()).floor() + 1.0;
                if seen > requests as f64 {
                    return failures;
                }
                failures += 1;
            }
        }
    }
}
