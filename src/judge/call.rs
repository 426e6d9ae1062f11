//! The whole call: all cells are drafted, their tests corrected together, and then each is decided.

use std::collections::BTreeMap;

use crate::judge::about;
use crate::judge::cell::Draft;
use crate::judge::condition::name_causes;
use crate::judge::confirm::confirm;
use crate::judge::decide::{Test, adjusted, as_one_of};
use crate::judge::pause;
use crate::judge::policy::Policy;
use crate::judge::questions::{Learned, Prior};
use crate::judge::sides::{removed, sides};
use crate::judge::stored::PRIOR_DF;
use crate::judge::subject::{Call, Tested};
use crate::judge::verdict::{CellJudgement, Judgement};
use crate::parallel;
use crate::record::{Baseline, Run};
use crate::stats::moderate::prior_variance;

/// The share of the level that is spent on anchors where there are any.
const ANCHOR_SHARE: f64 = 0.1;
/// Fewer cells do not show how much runs differ in general.
const LEAST_CELLS_TO_LEARN: usize = 3;

/// Judges all groups of a call together. Baselines are matched by their group's name, cells by their id; several runs are
/// several head runs.
///
/// Cells keep the order of their definition. Without a baseline each cell is [`New`](crate::judge::Verdict::New).
pub fn judge(baseline: &Baseline, runs: &[Run], policy: &Policy) -> Judgement {
    let cells = runs.iter().flat_map(|run| run.cells.iter().map(move |cell| (run, cell)));
    let sides = sides(baseline, cells);
    let mut notes = about::notes(&sides, runs);
    if !policy.verdicts_only {
        notes.extend(pause::notes(runs.iter()));
    }
    let drafts: Vec<Draft> = sides.into_iter().filter_map(Draft::new).collect();
    let order: Vec<String> = drafts.iter().map(Draft::full_id).collect();
    let other_test_bed = drafts.iter().find_map(Draft::other_test_bed);
    let learned = learn(&drafts);
    let confirmation = runs.iter().find_map(|run| run.confirmation.as_ref());
    let (screened, at_once): (Vec<Draft>, Vec<Draft>) =
        drafts.into_iter().partition(|draft| confirmation.is_some() && draft.has_launches());
    let families = usize::from(!screened.is_empty()) + usize::from(!at_once.is_empty());
    let call = Call { policy, learned: &learned, tests: 0, confirmation, families: families.max(1) };
    let (mut cells, tests) = judge_at_once(at_once, &call);
    let mut suspects = Vec::new();
    if let Some(confirmation) = confirmation.filter(|_| !screened.is_empty()) {
        let (confirmed, found) = confirm(screened, runs, confirmation, &call);
        cells.extend(confirmed);
        suspects = found;
    }
    cells.sort_by_key(|cell| order.iter().position(|id| *id == cell.full_id()));
    name_causes(&mut cells, runs);
    let whole = !policy.filtered && runs.iter().all(|run| run.stop.is_none());
    Judgement {
        cells,
        gone: if whole {
            removed(baseline, runs).iter().map(ToString::to_string).collect()
        } else {
            Vec::new()
        },
        tests: tests + suspects.iter().filter(|suspect| suspect.slower).count(),
        other_test_bed,
        notes,
        suspects,
    }
}

/// Cells that are decided in one stage, their tests corrected together; and how many tests they are.
fn judge_at_once(drafts: Vec<Draft>, call: &Call) -> (Vec<CellJudgement>, usize) {
    let tests: Vec<Vec<Tested>> = drafts.iter().map(|draft| draft.tests(call.learned)).collect();
    let corrected: Vec<Test> =
        corrected(&tests.concat()).into_iter().map(|test| as_one_of(test, call.families)).collect();
    let is_split = tests.iter().flatten().any(|tested| tested.subject.is_anchor());
    let usual = tests.iter().flatten().filter(|tested| !tested.subject.is_anchor()).count() * call.families;
    let call = &Call { tests: if is_split { of_a_share(usual) } else { usual }, ..*call };
    let mut rest = &corrected[..];
    let with_own = drafts.into_iter().zip(&tests).map(|(draft, own)| {
        let (these, others) = rest.split_at(own.len());
        rest = others;
        (draft, these)
    });
    // Bootstraps take nearly all of the time; without them threads would only cost some.
    let threads = if call.policy.verdicts_only { 1 } else { parallel::cores() };
    let cells = parallel::map(with_own.collect(), threads, |(draft, these)| draft.decide(these, call));
    (cells, corrected.len())
}

/// Holm's correction over the usual tests, and over those against anchors, each for its share of the level.
///
/// One family of all would cost the usual tests more: there are nearly as many anchors as judged metrics, but a creep can wait
/// until it is large enough for a smaller level, since it goes on.
fn corrected(tests: &[Tested]) -> Vec<Test> {
    let of_kind = |anchor: bool| -> Vec<Test> {
        let kind = tests.iter().filter(|tested| tested.subject.is_anchor() == anchor);
        adjusted(&kind.map(|tested| tested.test).collect::<Vec<_>>())
    };
    let (usual, anchors) = (of_kind(false), of_kind(true));
    // Nothing asks whether head is better than an anchor, so that direction is not shared.
    let share = |test: Test, share: f64| Test { worse: (test.worse / share).min(1.0), ..test };
    let usual_share = if anchors.is_empty() { 1.0 } else { 1.0 - ANCHOR_SHARE };
    let (mut usual, mut anchors) = (usual.into_iter(), anchors.into_iter());
    let next = |tested: &Tested| {
        let is_anchor = tested.subject.is_anchor();
        let (kind, part) = if is_anchor { (&mut anchors, ANCHOR_SHARE) } else { (&mut usual, usual_share) };
        share(kind.next().unwrap_or(Test::NONE), part)
    };
    tests.iter().map(next).collect()
}

/// As how many tests so many are for which only the usual share of the level is left.
fn of_a_share(tests: usize) -> usize {
    (tests as f64 / (1.0 - ANCHOR_SHARE)).ceil() as usize
}

/// Where several cells have several runs, they show together how much runs differ (Smyth 2004).
fn learn(drafts: &[Draft]) -> Learned {
    let mut by_metric: BTreeMap<&'static str, [Vec<(f64, f64)>; 2]> = BTreeMap::new();
    for (id, around) in drafts.iter().flat_map(Draft::between_runs) {
        let variances = by_metric.entry(id).or_default();
        for (variances, (squares, df)) in variances.iter_mut().zip(around) {
            if df > 0.0 {
                variances.push((squares / df, df));
            }
        }
    }
    let shown = |variances: &Vec<(f64, f64)>| {
        let enough = variances.len() >= LEAST_CELLS_TO_LEARN;
        if enough { prior_variance(variances, PRIOR_DF).unwrap_or(0.0) } else { 0.0 }
    };
    let prior =
        |[mean, line]: &[Vec<(f64, f64)>; 2]| Prior { around_mean: shown(mean), around_line: shown(line) };
    by_metric.iter().map(|(id, variances)| (*id, prior(variances))).collect()
}
