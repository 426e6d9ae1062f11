//! Whatever comes in, a verdict never contradicts the interval beside it, no number is NaN, and what is undecided says what would decide.

use crate::judge::fixture::{Nested, baseline, cell, failing, rules, run};
use crate::judge::judge;
use crate::judge::policy::{Policy, Terms};
use crate::judge::verdict::{AnchorCheck, CellJudgement, Change, Comparison, Verdict};
use crate::record::{Better, CellRun, Metric};

const IDS: [&str; 3] = ["latency_p50", "latency_p99", "throughput"];

/// A cell of that shape whose values are of any size, spread, order and coarseness.
fn any(rng: &mut fastrand::Rng, launches: usize, rounds: usize, level: f64) -> CellRun {
    let spread = [0.0, 1e-4, 0.01, 0.1, 1.0, 20.0][rng.usize(0..6)];
    let step = [0.0, 0.0, 0.02, -0.01][rng.usize(0..4)];
    let coarse = rng.u8(0..4) == 0;
    let values = IDS.map(|id| {
        let nested: Nested = (0..launches)
            .map(|launch| {
                let luck = spread * (rng.f64() - 0.5) + step * launch as f64;
                let value = |rng: &mut fastrand::Rng| {
                    let value = level * (luck + 0.3 * spread * (rng.f64() - 0.5)).exp();
                    if coarse { value.round() } else { value }
                };
                (0..rounds).map(|_| if rng.u16(0..400) == 0 { 0.0 } else { value(rng) }).collect()
            })
            .collect();
        (id, nested)
    });
    let failures = [0, 0, 0, 1, 40, 1_990][rng.usize(0..6)];
    failing(cell("find/10", &values), failures)
}

/// The change on the scale where worse is more.
fn worsening(metric: &Metric, change: &Change) -> (f64, f64) {
    match metric.better {
        Better::Lower => (change.low.ln_1p(), change.high.ln_1p()),
        Better::Higher => (-change.high.ln_1p(), -change.low.ln_1p()),
    }
}

fn agrees(found: &Comparison, is_duet: bool) -> bool {
    let Some(change) = found.change else {
        return matches!(found.verdict, Verdict::Inconclusive | Verdict::Incomparable | Verdict::Unchanged);
    };
    let terms = Terms::new(&rules(), is_duet);
    let (red, equal) = (terms.noise_threshold.ln_1p(), terms.equivalence.ln_1p());
    if found.is_difference() {
        return match found.verdict {
            Verdict::Regressed => change.high < -terms.failure_margin,
            Verdict::Improved => change.low > terms.failure_margin,
            Verdict::Unchanged => change.estimate.abs() <= terms.failure_margin,
            _ => true,
        };
    }
    const ROUNDING: f64 = 1e-9;
    let (low, high) = worsening(found.metric, &change);
    match found.verdict {
        Verdict::Regressed => low > red - ROUNDING && found.p_adjusted < 0.01,
        Verdict::Improved => high < -red + ROUNDING && found.p_adjusted < 0.01,
        Verdict::Unchanged => low > -equal - ROUNDING && high < equal + ROUNDING,
        _ => true,
    }
}

fn check(judged: &CellJudgement, is_duet: bool) {
    for found in &judged.comparisons {
        let change = found.change.map(|change| [change.low, change.estimate, change.high]);
        let values = found.base.into_iter().chain(found.head).chain(found.findable);
        let numbers: Vec<f64> =
            change.into_iter().flatten().chain([found.p_adjusted]).chain(values).collect();
        assert!(numbers.iter().all(|number| !number.is_nan()), "{found:?}");
        if let Some(change) = found.change {
            assert!(change.low <= change.estimate && change.estimate <= change.high, "{found:?}");
        }
        assert!(agrees(found, is_duet), "{found:?}");
        let is_open = found.judged && found.verdict == Verdict::Inconclusive;
        let withheld = found.change.is_some_and(|change| worsening(found.metric, &change).1 < 0.0);
        assert!(!is_open || withheld || found.advice.is_some(), "nothing is said to decide {found:?}");
    }
    let red = Terms::new(&rules(), is_duet).noise_threshold.ln_1p();
    let is_exceeded = |check: &AnchorCheck| {
        let low = worsening(check.metric, &check.change).0;
        assert!(!low.is_nan() && (!check.exceeded || low > red - 1e-9), "{check:?}");
        check.exceeded
    };
    let anchored = judged.anchors.iter().filter(|check| is_exceeded(check)).count() > 0;
    let of =
        |verdict: Verdict| judged.comparisons.iter().any(|found| found.judged && found.verdict == verdict);
    match judged.verdict {
        Verdict::Regressed => assert!(of(Verdict::Regressed) || anchored, "{judged:?}"),
        Verdict::Unchanged => assert!(
            judged.comparisons.iter().all(|found| !found.judged || found.verdict == Verdict::Unchanged),
            "{judged:?}"
        ),
        _ => assert!(!of(Verdict::Regressed) && !anchored, "{judged:?}"),
    }
    assert!(judged.verdict == Verdict::Unchanged || judged.reason.is_some(), "{judged:?}");
}

#[test]
fn no_input_makes_a_verdict_contradict_its_interval() {
    let mut rng = fastrand::Rng::with_seed(77);
    let policy = Policy::usual();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..250 {
        let (launches, rounds) = ([1, 2, 3, 5, 10, 12][rng.usize(0..6)], [1, 2, 3, 12][rng.usize(0..4)]);
        let change = [1.0, 1.0, 1.02, 1.2, 0.7, 3.0, 1e6][rng.usize(0..7)];
        let mut head = any(&mut rng, launches, rounds, 1e6 * change);
        head.settings.nresamples = 199;
        let is_duet = rng.bool();
        let stored = if is_duet {
            head.base = any(&mut rng, launches, rounds, 1e6).rounds;
            crate::record::Baseline::default()
        } else {
            let runs = [1, 1, 2, 5][rng.usize(0..4)];
            let stored = (0..runs).map(|_| {
                let mut cell = any(&mut rng, launches, rounds, 1e6);
                cell.settings.least_success_ratio = 0.0;
                cell
            });
            baseline(stored.collect())
        };
        let judged = judge(&stored, &[run(vec![head])], &policy).cells.remove(0);
        check(&judged, is_duet);
        seen.insert(judged.verdict);
    }
    assert!(seen.len() >= 5, "too few kinds were tried: {seen:?}");
}
