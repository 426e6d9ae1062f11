//! Samples out of order, with a known truth: how often the displayed interval holds it, with and without what widens it.

use crate::judge::launch::{RunValue, reduce};
use crate::judge::pairs::Pairs;
use crate::judge::policy::Terms;
use crate::judge::shown::Precision;
use crate::judge::stored::Samples;
use crate::judge::tests::simulated::Normal;
use crate::record::{Better, Centre};
use crate::stats::decision::p_above;
use crate::stats::interval::mean_interval;

const TERMS: Terms = Terms {
    noise_threshold: 0.01,
    equivalence: 0.05,
    failure_margin: 0.001,
    significance_level: 0.01,
    confidence_level: 0.95,
};
const PRECISION: Precision = Precision { confidence: 0.95, nresamples: 399, seed: 1 };
const SPREAD: f64 = 0.03;

/// How the log ratios of a duet, or the logs of a run's launches, follow each other. The truth is always zero.
#[derive(Debug, Clone, Copy)]
enum World {
    Independent,
    /// Correlation of neighbours.
    Memory(f64),
    /// From the truth to this much more, or less.
    Drift(f64),
    /// A share of slow launches, and by how much.
    Modes(f64, f64),
    /// This many neighbouring launches are hit by a pause of the machine.
    Pause(usize),
}

impl World {
    fn series(self, normal: &mut Normal, count: usize) -> Vec<f64> {
        let noise: Vec<f64> = (0..count).map(|_| normal.next(SPREAD)).collect();
        let at = |index: usize| index as f64 / (count - 1) as f64;
        match self {
            Self::Independent => noise,
            Self::Memory(correlation) => {
                let mut last = normal.next(SPREAD);
                let fresh = (1.0 - correlation * correlation).sqrt();
                noise
                    .iter()
                    .map(|noise| {
                        last = correlation * last + fresh * noise;
                        last
                    })
                    .collect()
            }
            Self::Drift(change) => {
                noise.iter().enumerate().map(|(index, noise)| noise + change * at(index)).collect()
            }
            Self::Modes(share, apart) => {
                let mut slow = || if normal.0.f64() < share { apart } else { 0.0 };
                noise.iter().map(|noise| 0.2 * noise + slow() - share * apart).collect()
            }
            Self::Pause(hit) => {
                let from = normal.0.usize(0..count - hit);
                let by = |index: usize| if (from..from + hit).contains(&index) { 0.3 } else { 0.0 };
                noise.iter().enumerate().map(|(index, noise)| noise + by(index)).collect()
            }
        }
    }
}

/// Shares, in per cent: intervals that hold the truth, and calls that would be red as the only test of their call.
#[derive(Debug, Clone, Copy, Default)]
struct Rates {
    covered: f64,
    red: f64,
    width: f64,
}

/// A duet of one pair a launch, without and with what widens.
fn duets(world: World, launches: usize, trials: usize, seed: u64) -> (Rates, Rates) {
    let mut normal = Normal(fastrand::Rng::with_seed(seed));
    let (mut before, mut after) = (Rates::default(), Rates::default());
    let each = 100.0 / trials as f64;
    for _ in 0..trials {
        let series = world.series(&mut normal, launches);
        let head: Vec<Vec<f64>> = series.iter().map(|log| vec![log.exp()]).collect();
        let pairs = Pairs::new(&vec![vec![1.0]; launches], &head, Centre::Mean, Better::Lower).unwrap();
        let (shown, _) = pairs.interval(PRECISION);
        let plain = mean_interval(&series, 0.95, PRECISION.nresamples, PRECISION.seed).unwrap();
        let red = TERMS.noise_threshold.ln_1p();
        after.covered += each * f64::from(u8::from(shown.low <= 0.0 && 0.0 <= shown.high));
        before.covered += each * f64::from(u8::from(plain.low <= 0.0 && 0.0 <= plain.high));
        after.red += each
            * f64::from(u8::from(
                shown.low > red && pairs.difference().test(&TERMS).worse < TERMS.significance_level,
            ));
        let p = {
            let error = (crate::stats::describe::sample_variance(&series).unwrap() / launches as f64).sqrt();
            p_above(plain.estimate, red, error, launches as f64 - 1.0)
        };
        before.red += each * f64::from(u8::from(plain.low > red && p < TERMS.significance_level));
        after.width += each / 100.0 * (shown.high - shown.low);
        before.width += each / 100.0 * (plain.high - plain.low);
    }
    (before, after)
}

/// Head against stored runs of ten launches, each in the same kind of disorder.
fn stored(world: World, runs: usize, luck: f64, trials: usize, seed: u64) -> (Rates, Rates) {
    let mut normal = Normal(fastrand::Rng::with_seed(seed));
    let (mut before, mut after) = (Rates::default(), Rates::default());
    let each = 100.0 / trials as f64;
    let terms = Terms { noise_threshold: 0.05, ..TERMS };
    for _ in 0..trials {
        let mut run = || -> RunValue {
            let luck = normal.next(luck);
            let rounds: Vec<Vec<f64>> =
                world.series(&mut normal, 10).iter().map(|log| vec![(luck + log).exp()]).collect();
            reduce(&rounds, Centre::Mean).unwrap()
        };
        let base: Vec<RunValue> = (0..runs).map(|_| run()).collect();
        let with = Samples { base, anchor: None, earlier: Vec::new(), head: vec![run()] };
        let mut without = with.clone();
        without.base.iter_mut().chain(&mut without.head).for_each(|run| run.disorder = None);
        for (samples, rates) in [(&without, &mut before), (&with, &mut after)] {
            let found = samples.difference(Better::Lower, None).unwrap().difference;
            let shown = found.interval(0.95);
            rates.covered += each * f64::from(u8::from(shown.low <= 0.0 && 0.0 <= shown.high));
            let is_red = shown.low > terms.noise_threshold.ln_1p()
                && found.test(&terms).worse < terms.significance_level;
            rates.red += each * f64::from(u8::from(is_red));
            rates.width += each / 100.0 * (shown.high - shown.low);
        }
    }
    (before, after)
}

#[test]
fn independent_launches_keep_their_interval() {
    let (before, after) = duets(World::Independent, 30, 300, 1);
    assert!(before.covered > 92.0 && after.covered >= before.covered, "{before:?} {after:?}");
    assert!(after.width < 1.05 * before.width, "{before:?} {after:?}");
}

#[test]
fn launches_that_follow_each_other_are_covered_more_often_and_red_less_often() {
    let (before, after) = duets(World::Memory(0.7), 30, 200, 2);
    assert!(before.covered < 75.0 && after.covered > before.covered + 12.0, "{before:?} {after:?}");
    assert!(after.red < 0.5 * before.red, "{before:?} {after:?}");
}

#[test]
fn a_drift_does_not_average_out() {
    let (before, after) = duets(World::Drift(0.08), 30, 150, 3);
    assert!(before.covered < 1.0 && after.covered > 70.0, "{before:?} {after:?}");
    assert!(before.red > 90.0 && after.red < 10.0, "{before:?} {after:?}");
}

#[test]
fn a_rare_mode_is_wider_than_its_few_launches_show() {
    let (before, after) = duets(World::Modes(0.2, 0.2), 30, 150, 4);
    assert!(after.covered >= before.covered && after.width > 1.05 * before.width, "{before:?} {after:?}");
}

#[test]
fn a_pause_of_the_machine_is_not_left_out_and_makes_the_interval_wider() {
    let (before, after) = duets(World::Pause(3), 30, 100, 5);
    let (quiet, _) = duets(World::Independent, 30, 100, 5);
    assert!(before.width > 2.0 * quiet.width && after.width >= before.width, "{before:?} {quiet:?}");
    assert!(after.red < 2.0, "{after:?}");
}

#[test]
fn against_one_stored_run_launches_out_of_order_widen_too() {
    let (before, after) = stored(World::Memory(0.8), 1, 0.01, 150, 6);
    assert!(after.covered >= before.covered && after.width > 1.05 * before.width, "{before:?} {after:?}");
    let (before, after) = stored(World::Independent, 5, 0.02, 150, 7);
    assert!(after.width < 1.03 * before.width, "{before:?} {after:?}");
}

#[test]
#[ignore = "the figures of the docs: cargo test --release --lib judge::tests::disorder -- --ignored --nocapture"]
fn the_table_of_disorder() {
    let worlds = [
        World::Independent,
        World::Memory(0.3),
        World::Memory(0.5),
        World::Memory(0.7),
        World::Drift(0.02),
        World::Drift(0.04),
        World::Drift(0.08),
        World::Modes(0.1, 0.1),
        World::Modes(0.2, 0.1),
        World::Modes(0.5, 0.1),
        World::Pause(3),
    ];
    let show = |name: &str, (before, after): (Rates, Rates)| {
        println!(
            "{name}: coverage {:.1} -> {:.1}, red {:.1} -> {:.1}, width x {:.2}",
            before.covered,
            after.covered,
            before.red,
            after.red,
            after.width / before.width
        );
    };
    for world in worlds {
        for launches in [5, 10, 30] {
            show(&format!("duet of {launches} {world:?}"), duets(world, launches, 2_000, 1));
        }
        for runs in [1, 5] {
            show(&format!("stored {runs} {world:?}"), stored(world, runs, 0.01, 2_000, 1));
        }
    }
}
