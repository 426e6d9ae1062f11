//! The whole call: all cells are drafted, their tests corrected together, and then each is decided.

use std::collections::BTreeMap;

use crate::judge::about;
use crate::judge::cell::Draft;
use crate::judge::condition::name_causes;
use crate::judge::confirm::confirm;
use crate::judge::decide::{Test, adjusted, as_one_of};
use crate::judge::policy::Policy;
use crate::judge::questions::Learned;
use crate::judge::sides::{gone, sides};
use crate::judge::stored::PRIOR_DF;
use crate::judge::subject::Call;
use crate::judge::verdict::{CellJudgement, Judgement};
use crate::record::{Baseline, Run};
use crate::stats::moderate::prior_variance;
use crate::stats::parallel;

/// Fewer cells do not show how much runs differ in general.
const LEAST_CELLS_TO_LEARN: usize = 3;

/// Judges all groups of a call together. Baselines are matched by their group's name, cells by their id; several runs are
/// several head runs.
///
/// Cells keep the order of their definition. Without a baseline each cell is [`New`](crate::judge::Verdict::New).
pub fn judge(baselines: &[Baseline], runs: &[Run], policy: &Policy) -> Judgement {
    let sides = sides(baselines, runs.iter().filter(|run| run.look == 0), policy);
    let notes = about::notes(&sides, runs);
    let drafts: Vec<Draft> = sides.into_iter().filter_map(|sides| Draft::new(sides, policy)).collect();
    let order: Vec<String> = drafts.iter().map(Draft::full_id).collect();
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
        gone: if whole { gone(baselines, runs) } else { Vec::new() },
        tests: tests + suspects.iter().filter(|suspect| suspect.slower).count(),
        notes,
        suspects,
    }
}

/// Cells that are decided in one stage, their tests corrected together; and how many tests they are.
fn judge_at_once(drafts: Vec<Draft>, call: &Call) -> (Vec<CellJudgement>, usize) {
    let tests: Vec<Vec<Test>> = drafts
        .iter()
        .map(|draft| draft.tests(call.learned).iter().map(|tested| tested.test).collect())
        .collect();
    let corrected: Vec<Test> =
        adjusted(&tests.concat()).into_iter().map(|test| as_one_of(test, call.families)).collect();
    let call = &Call { tests: corrected.len() * call.families, ..*call };
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

/// Where several cells have several runs, they show together how much runs differ (Smyth 2004).
fn learn(drafts: &[Draft]) -> Learned {
    let mut by_metric: BTreeMap<&'static str, Vec<(f64, f64)>> = BTreeMap::new();
    for (id, (squares, df)) in drafts.iter().flat_map(Draft::between_runs) {
        if df > 0.0 {
            by_metric.entry(id).or_default().push((squares / df, df));
        }
    }
    by_metric
        .into_iter()
        .filter(|(_, variances)| variances.len() >= LEAST_CELLS_TO_LEARN)
        .filter_map(|(id, variances)| Some((id, prior_variance(&variances, PRIOR_DF)?)))
        .collect()
}
