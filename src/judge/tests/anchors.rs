//! Many small steps: each is taken in, and together they are red.

use crate::judge::fixture::{baseline, cell, new_epoch_from, run, usual, usual_values};
use crate::judge::tests::simulated::{Normal, QUICK, WORLD, World};
use crate::judge::{CellJudgement, Policy, Verdict, judge};
use crate::record::{Baseline, CellRun, Run, StoredRun};

const STEP: f64 = 1.037;

fn against(base: &Baseline, head: CellRun) -> CellJudgement {
    judge(std::slice::from_ref(base), &[run(vec![head])], &Policy::usual()).cells.remove(0)
}

fn append(baseline: &mut Baseline, run: &Run) {
    baseline.append(StoredRun::new("group", run).expect("it was measured fairly"));
}

#[test]
fn steps_that_each_pass_are_red_together_and_the_sentence_says_so() {
    let mut base = baseline(vec![usual(1.0)]);
    base.runs[0].id = "20260301T120000Z-abc1234".into();
    base.epochs[0].anchor.clone_from(&base.runs[0].id);
    let mut slower = 1.0;
    for _ in 0..5 {
        slower *= STEP;
        assert_ne!(against(&base, usual(slower)).verdict, Verdict::Regressed, "{slower}");
        append(&mut base, &run(vec![usual(slower)]));
    }
    let judged = against(&base, usual(slower * 1.001));
    let is_shown = |verdict: Verdict| judged.comparisons.iter().any(|found| found.verdict == verdict);
    assert!(!is_shown(Verdict::Regressed), "no stored centre shows it");
    assert_eq!(judged.verdict, Verdict::Regressed);
    let reason = judged.reason.as_ref().unwrap();
    assert!(
        reason.contains(
            "+20.0 % against the anchor of its epoch, recorded on 2026-03-01: small steps have added up; accept it with \
             `plimsoll accept --reason`."
        ),
        "{reason}"
    );
    let p50 = &judged.anchors[0];
    assert!(p50.exceeded && p50.change.low > 0.05 && p50.p_adjusted < 0.01, "{p50:?}");
    assert_eq!(judged.anchors.len(), 3);
    let rate = judged.anchors.iter().find(|check| check.metric.id == "throughput").unwrap();
    assert!(rate.exceeded && rate.change.high < -0.047, "{rate:?}");
}

#[test]
fn within_five_per_cent_of_the_stored_runs_is_said_where_it_is_so() {
    // Up at once after the anchor, and steady since.
    let mut base = baseline(vec![usual(1.0)]);
    (0..9).for_each(|_| append(&mut base, &run(vec![usual(1.25)])));
    let judged = against(&base, usual(1.25));
    let reason = judged.reason.unwrap();
    assert!(reason.starts_with("latency p50 is within 5 % of the stored runs, yet +25.0 %"), "{reason}");
}

#[test]
fn a_new_epoch_has_an_anchor_of_its_own_and_one_run_has_none() {
    let alone = against(&baseline(vec![usual(1.0)]), usual(1.0));
    assert!(alone.anchors.is_empty());
    let stored = baseline((0..6).map(|run| usual(if run < 3 { 1.0 } else { 1.5 })).collect());
    let judged = against(&new_epoch_from(stored, 3), usual(1.5));
    assert_eq!((judged.verdict, judged.anchors.len()), (Verdict::Unchanged, 3));
    assert!(judged.anchors[0].change.estimate.abs() < 0.01, "{:?}", judged.anchors[0]);
}

#[test]
fn a_cell_that_came_later_is_held_against_the_first_run_that_has_it() {
    let late = |slower: f64| cell("find/99", &usual_values(slower, 10, 3));
    let mut base = baseline(vec![usual(1.0)]);
    append(&mut base, &run(vec![usual(1.0), late(2.0)]));
    for _ in 0..12 {
        append(&mut base, &run(vec![usual(1.0), late(2.8)]));
    }
    assert_eq!(base.runs.len(), 12, "ten, the anchor, and that of the later cell");
    let judged = judge(&[base], &[run(vec![usual(1.0), late(2.8)])], &Policy::usual());
    assert_eq!(judged.cells[0].verdict, Verdict::Unchanged);
    assert_eq!(judged.cells[1].verdict, Verdict::Regressed);
    assert!((judged.cells[1].anchors[0].change.estimate - 0.4).abs() < 0.01);
}

#[test]
fn head_that_is_better_than_the_anchor_is_no_question() {
    let base = baseline((0..5).map(|_| usual(1.0)).collect());
    let judged = against(&base, usual(0.6));
    assert_eq!(judged.verdict, Verdict::Improved);
    assert!(judged.anchors.iter().all(|check| !check.exceeded && check.p_adjusted == 1.0));
}

/// Appends a run after the other, each so much slower, until one is red: how much slower than the anchor that was, and by what.
fn creep(world: World, step: f64, most: usize, normal: &mut Normal) -> Option<(f64, bool)> {
    let mut base = Baseline::of_runs("group", &[world.run(normal, 1.0)]).expect("ten cells");
    let mut slower = 1.0;
    for _ in 0..most {
        slower *= step;
        let head = world.run(normal, slower);
        let judged = judge(std::slice::from_ref(&base), std::slice::from_ref(&head), &QUICK).cells.remove(0);
        if judged.verdict == Verdict::Regressed {
            return Some((
                slower,
                judged.comparisons.iter().any(|found| found.verdict == Verdict::Regressed),
            ));
        }
        append(&mut base, &head);
    }
    None
}

#[test]
fn one_of_ten_cells_that_creeps_is_found_by_its_anchor() {
    let mut normal = Normal(fastrand::Rng::with_seed(41));
    let world = World { run: 0.01, launch: 0.01, ..WORLD };
    let found: Vec<f64> =
        (0..12).filter_map(|_| creep(world, 1.03, 14, &mut normal)).map(|(slower, _)| slower).collect();
    assert!(found.len() >= 11, "{found:?}");
    assert!(found.iter().all(|slower| *slower > 1.05), "{found:?}");
}

#[test]
#[ignore = "figures: cargo test --release --lib judge::tests::anchors -- --ignored --nocapture"]
fn how_far_a_service_creeps() {
    for (run, launch) in [(0.005, 0.005), (0.01, 0.01), (0.01, 0.02), (0.02, 0.02)] {
        for step in [1.02, 1.03, 1.04] {
            let mut normal = Normal(fastrand::Rng::with_seed(42));
            let world = World { run, launch, ..WORLD };
            let trials = 200;
            let mut found: Vec<(f64, bool)> =
                (0..trials).filter_map(|_| creep(world, step, 25, &mut normal)).collect();
            found.sort_by(|one, other| one.0.total_cmp(&other.0));
            let at = |share: f64| {
                found
                    .get((share * f64::from(trials)) as usize)
                    .map_or(f64::NAN, |found| 100.0 * (found.0 - 1.0))
            };
            let usual = found.iter().filter(|found| found.1).count();
            println!(
                "run {run} launch {launch} step {step}: found {} of {trials} (by the centre {usual}), at +{:.0} % / +{:.0} % / +{:.0} % \
                 (quartiles)",
                found.len(),
                at(0.25),
                at(0.5),
                at(0.75)
            );
        }
    }
}
