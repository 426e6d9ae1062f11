//! What is promised beside a verdict: that the prior only widens, that power is what it is said to be, and that advice decides.

use crate::judge::advice::advice;
use crate::judge::difference::Difference;
use crate::judge::launch::{Centring, RunValue};
use crate::judge::pairs::Pairs;
use crate::judge::policy::Terms;
use crate::judge::stored::Samples;
use crate::judge::tests::simulated::Normal;
use crate::record::{Better, Centre};

const STORED: Terms = Terms {
    noise_threshold: 0.05,
    equivalence: 0.10,
    failure_margin: 0.001,
    significance_level: 0.01,
    confidence_level: 0.95,
};
const DUET: Terms = Terms { noise_threshold: 0.01, equivalence: 0.05, ..STORED };
const USUAL: f64 = 0.02;

/// A run of ten launches that differ by two per cent.
fn run(log: f64) -> RunValue {
    RunValue {
        log,
        launches: vec![log; 10],
        launch_variance: Some(USUAL * USUAL),
        launch_df: 9.0,
        round_variance: None,
        disorder: None,
        centring: Centring::Means,
    }
}

fn samples(base: &[f64], head: f64) -> Samples {
    let base: Vec<RunValue> = base.iter().map(|log| run(*log)).collect();
    Samples { anchor: base.first().cloned(), base, earlier: Vec::new(), head: vec![run(head)] }
}

fn measured(normal: &mut Normal, runs: usize, spread: f64, change: f64) -> Difference {
    let base: Vec<f64> = (0..runs).map(|_| normal.next(spread)).collect();
    let samples = samples(&base, change + normal.next(spread));
    samples.difference(Better::Lower, None).unwrap().difference
}

/// Whether it is red, or equal, as one of so many tests.
fn is_decided(found: &Difference, terms: &Terms, tests: usize) -> bool {
    let shown = found.interval(terms.confidence_level);
    let red = shown.low > terms.noise_threshold.ln_1p()
        && found.test(terms).worse * (tests as f64) < terms.significance_level;
    red || (shown.low > -terms.equivalence.ln_1p() && shown.high < terms.equivalence.ln_1p())
}

#[test]
fn what_cells_have_learned_raises_the_floor_and_never_lowers_it() {
    let found = |learned: Option<f64>| {
        samples(&[0.0, 0.001, -0.001], 0.1).difference(Better::Lower, learned).unwrap()
    };
    let floor = found(None);
    // v0 = 0.02² + 0.02² / 10, worth four of six degrees; the runs themselves add 2e-6.
    assert!((floor.run_variance - (4.0 * 4.4e-4 + 2e-6) / 6.0).abs() < 1e-12);
    assert_eq!(found(Some(1e-6)), floor);
    let raised = found(Some(4e-3));
    assert!((raised.run_variance - (4.0 * 4e-3 + 2e-6) / 6.0).abs() < 1e-12);
    let findable = |found: f64| found > floor.difference.findable(&STORED, 0.01);
    assert!(findable(raised.difference.findable(&STORED, 0.01)), "what could be found knows of it, too");
}

#[test]
fn a_single_test_finds_what_plain_t_over_runs_does() {
    // By a plain t over runs, one-sided 0.025 for a single test: 20 % with 3 stored runs, 32 % with 5, 46 % with 10.
    let mut normal = Normal(fastrand::Rng::with_seed(12));
    for (runs, least) in [(3, 0.20), (5, 0.32), (10, 0.44)] {
        let trials = 1_500;
        let found = (0..trials)
            .filter(|_| {
                let found = measured(&mut normal, runs, USUAL, 1.1_f64.ln());
                found.interval(0.95).low > STORED.noise_threshold.ln_1p()
            })
            .count();
        let power = found as f64 / f64::from(trials);
        assert!((least..0.6).contains(&power), "{power} with {runs}");
    }
}

/// The number in front of these words.
fn number_before(text: &str, words: &str) -> usize {
    let before = text.split(words).next().unwrap();
    before.rsplit(|char: char| !char.is_ascii_digit()).find(|part| !part.is_empty()).unwrap().parse().unwrap()
}

#[test]
fn with_as_many_stored_runs_as_are_advised_four_of_five_calls_decide() {
    let spread = (4.4e-4_f64).sqrt();
    let tests = 4;
    let change = 0.165;
    // Three runs whose own variance is what the prior says.
    let now = samples(&[-spread, 0.0, spread], change);
    let difference = now.difference(Better::Lower, None).unwrap();
    assert!(!is_decided(&difference.difference, &STORED, 40));
    let text = advice(&difference, &STORED, tests);
    let runs = number_before(&text, " in all");
    assert!((4..=10).contains(&runs), "{text}");
    let mut normal = Normal(fastrand::Rng::with_seed(13));
    let trials = 1_500;
    let mut decided = |runs: usize| {
        let calls =
            (0..trials).filter(|_| is_decided(&measured(&mut normal, runs, spread, change), &STORED, tests));
        calls.count() as f64 / f64::from(trials)
    };
    let (with, before) = (decided(runs), decided(3));
    assert!((0.75..0.93).contains(&with) && before < with, "{with} with {runs}, {before} before");
}

#[test]
fn with_as_many_launches_as_are_advised_four_of_five_duets_decide() {
    let (spread, tests) = (0.08, 4);
    let mut normal = Normal(fastrand::Rng::with_seed(14));
    let duet = |logs: &[f64]| {
        let head: Vec<Vec<f64>> = logs.iter().map(|log| vec![log.exp()]).collect();
        Pairs::new(&vec![vec![1.0]; logs.len()], &head, Centre::Mean, Better::Lower).unwrap()
    };
    for change in [0.0, 0.06] {
        // Ten launches that show the change and the spread exactly.
        let shape = [-1.5, 0.6, -0.3, 1.2, -0.9, 0.3, 1.5, -0.6, 0.9, -1.2];
        let scale = spread / crate::stats::describe::sample_variance(&shape).unwrap().sqrt();
        let now = duet(&shape.map(|at| change + scale * at));
        assert!(!is_decided(&now.difference(), &DUET, tests));
        let text = now.advice(&DUET, tests);
        let launches = number_before(&text, " launches of one pair");
        let trials = 600;
        let decided = (0..trials)
            .filter(|_| {
                let logs: Vec<f64> = (0..launches).map(|_| change + normal.next(spread)).collect();
                is_decided(&duet(&logs).difference(), &DUET, tests)
            })
            .count();
        let share = decided as f64 / f64::from(trials);
        assert!((0.74..0.90).contains(&share), "{share} with {launches} at {change}");
    }
}

#[test]
fn where_a_drift_is_in_the_way_more_launches_are_not_advised() {
    let head: Vec<Vec<f64>> = (0..30).map(|at| vec![(0.01 * f64::from(at)).exp()]).collect();
    let pairs = Pairs::new(&vec![vec![1.0]; 30], &head, Centre::Mean, Better::Lower).unwrap();
    assert!(pairs.advice(&DUET, 4).contains("more launches cannot help"));
}
