//! The failure-share test against plain cases, and by simulation: false alarms at the margin, and power.

use super::{Rise, Sample};

const MARGIN: f64 = 0.001;

/// What is left of 0.01 after correcting for 130 tests.
const CORRECTED: f64 = 0.01 / 130.0;

fn launches(failures: &[u64], requests: u64) -> Vec<Sample> {
    failures.iter().map(|&failures| Sample { failures, requests }).collect()
}

fn p(base: &[Sample], head: &[Sample]) -> f64 {
    Rise::between(base, head).unwrap().p_above(MARGIN)
}

/// Shares of trials in which the test fires at 0.05, at 0.01 and at the corrected level.
fn rates(seed: u64, trials: u32, mut trial: impl FnMut(&mut World) -> f64) -> [f64; 3] {
    let mut world = World(fastrand::Rng::with_seed(seed));
    let p_values: Vec<f64> = (0..trials).map(|_| trial(&mut world)).collect();
    [0.05, 0.01, CORRECTED]
        .map(|level| p_values.iter().filter(|&&p| p <= level).count() as f64 / f64::from(trials))
}

#[test]
fn one_failure_in_twenty_thousand_is_no_rise() {
    let head = launches(&[0, 0, 1, 0, 0], 4000);
    assert_eq!(p(&launches(&[0; 5], 4000), &head), 1.0);
    assert_eq!(p(&launches(&[0], 20_000), &launches(&[1], 20_000)), 1.0);
    // Nor is one in a single burst of a hundred.
    assert!(p(&launches(&[0], 100), &launches(&[1], 100)) > 0.1);
}

#[test]
fn half_the_margin_is_no_rise_however_certain() {
    let (base, head) = (launches(&[0; 10], 1_000_000), launches(&[500; 10], 1_000_000));
    assert_eq!(p(&base, &head), 1.0);
    let interval = Rise::between(&base, &head).unwrap().interval(0.95);
    assert!(interval.low > 0.0 && interval.high < MARGIN, "{interval:?}");
}

#[test]
fn thirty_per_cent_failing_over_five_launches_is_shown_clearly() {
    let rise =
        Rise::between(&launches(&[0; 5], 4000), &launches(&[1200, 1180, 1230, 1195, 1210], 4000)).unwrap();
    assert!(rise.p_above(MARGIN) < 1e-6, "{:e}", rise.p_above(MARGIN));
    assert!(!rise.rests_on_allowance());
    let interval = rise.interval(0.95);
    assert!(interval.low > 0.28 && interval.high < 0.32, "{interval:?}");
}

#[test]
fn one_launch_a_side_is_judged_with_an_allowance_and_says_so() {
    let rise = Rise::between(&launches(&[0], 20_000), &launches(&[6000], 20_000)).unwrap();
    assert!(rise.rests_on_allowance());
    assert!(rise.p_above(MARGIN) < CORRECTED);
    // A hundred requests are few: shown alone, not among 130 tests. And more requests cannot stand in for launches.
    let few = p(&launches(&[0], 100), &launches(&[30], 100));
    assert!((CORRECTED..0.01).contains(&few), "{few:e}");
    assert!(p(&launches(&[0], 2_000_000), &launches(&[600_000], 2_000_000)) > 2e-5);
}

#[test]
fn one_bad_launch_of_five_shows_nothing() {
    assert!(p(&launches(&[0; 5], 4000), &launches(&[900, 0, 0, 0, 0], 4000)) > 0.2);
}

#[test]
fn a_fall_is_never_a_rise_and_the_sides_mirror() {
    let (good, bad) = (launches(&[3, 0, 5, 2, 1], 1000), launches(&[90, 120, 80, 100, 110], 1000));
    assert_eq!(p(&bad, &good), 1.0);
    let (up, down) = (Rise::between(&good, &bad).unwrap(), Rise::between(&bad, &good).unwrap());
    let (up, down) = (up.interval(0.95), down.interval(0.95));
    assert!((up.low + down.high).abs() < 1e-9 && (up.high + down.low).abs() < 1e-9);
}

#[test]
fn test_and_interval_agree() {
    let rise =
        Rise::between(&launches(&[3, 0, 5, 2, 1], 1000), &launches(&[9, 12, 8, 10, 11], 1000)).unwrap();
    let p = rise.p_above(MARGIN);
    assert!((rise.interval(1.0 - 2.0 * p).low - MARGIN).abs() < 1e-7);
}

#[test]
fn the_share_of_all_or_nothing_has_an_interval_too() {
    let (none, all) = (launches(&[0; 5], 400), launches(&[400; 5], 400));
    assert!(p(&none, &all) < CORRECTED);
    for (base, head) in [(&none, &none), (&all, &all), (&none, &all), (&all, &none)] {
        let interval = Rise::between(base, head).unwrap().interval(0.95);
        assert!(-1.0 <= interval.low && interval.low <= interval.estimate);
        assert!(interval.estimate <= interval.high && interval.high <= 1.0);
    }
}

#[test]
fn sides_without_requests_cannot_be_compared_and_empty_launches_are_passed_over() {
    let some = launches(&[1, 2, 3], 100);
    assert_eq!(Rise::between(&[], &some), None);
    assert_eq!(Rise::between(&some, &launches(&[0, 0], 0)), None);
    let mut with_empty = some.clone();
    with_empty.push(Sample { failures: 0, requests: 0 });
    assert_eq!(Rise::between(&with_empty, &some), Rise::between(&some, &some));
}

#[test]
fn no_counts_yield_nan() {
    let mut rng = fastrand::Rng::with_seed(1);
    let pool = [0, 1, 2, 17, 100, 4000, u64::MAX];
    for _ in 0..300 {
        let mut side = || -> Vec<Sample> {
            (0..rng.usize(1..5))
                .map(|_| Sample { failures: pool[rng.usize(0..7)], requests: pool[rng.usize(0..7)] })
                .collect()
        };
        let (base, head) = (side(), side());
        let Some(rise) = Rise::between(&base, &head) else {
            continue;
        };
        let interval = rise.interval(0.95);
        assert!((0.0..=1.0).contains(&rise.p_above(MARGIN)), "{base:?} {head:?}");
        assert!(
            interval.low <= interval.estimate && interval.estimate <= interval.high,
            "{base:?} {head:?} {interval:?}"
        );
    }
}

#[test]
fn at_the_margin_false_alarms_stay_below_the_level() {
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
        let case = format!("{count} launches, {base_rho} and {head_rho}, {share}: {at_5} {at_1} {corrected}");
        // Nominal and two standard errors of a simulated rate.
        assert!(at_5 <= 0.05 + 0.011 && at_1 <= 0.01 + 0.005 && corrected <= 0.002, "{case}");
    }
}

#[test]
fn an_allowance_is_as_good_as_its_assumption() {
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
fn intervals_cover_the_true_rise() {
    for rho in [0.0, 0.01] {
        let mut world = World(fastrand::Rng::with_seed(3));
        let trials = 1500;
        let covered = (0..trials)
            .filter(|_| {
                let base = world.launches(5, 4000, 0.02, rho);
                let head = world.launches(5, 4000, 0.05, rho);
                let interval = Rise::between(&base, &head).unwrap().interval(0.95);
                interval.low <= 0.03 && 0.03 <= interval.high
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
                let luck = if rho > 0.0 && share > 0.0 { self.beta(share, rho) } else { share };
                Sample { failures: self.binomial(requests, luck), requests }
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
            let z = (-2.0 * (1.0 - self.0.f64()).ln()).sqrt() * (std::f64::consts::TAU * self.0.f64()).cos();
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
