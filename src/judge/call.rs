//! The whole call: all cells are drafted, their tests corrected together, and then each is decided.

use std::collections::BTreeMap;

use crate::judge::about;
use crate::judge::cell::{Draft, Learned};
use crate::judge::decide::adjusted;
use crate::judge::parallel;
use crate::judge::policy::Policy;
use crate::judge::sides::{gone, sides};
use crate::judge::stored::PRIOR_DF;
use crate::judge::verdict::Judgement;
use crate::record::{Baseline, Run};
use crate::stats::moderate::prior_variance;

/// Fewer cells do not show how much runs differ in general.
const LEAST_CELLS_TO_LEARN: usize = 3;

/// Judges all groups of a call together. Baselines are matched by their group's name, cells by their id; several runs are
/// several head runs.
///
/// Cells keep the order of their definition. Without a baseline each cell is [`New`](crate::judge::Verdict::New).
pub fn judge(baselines: &[Baseline], runs: &[Run], policy: &Policy) -> Judgement {
    let sides = sides(baselines, runs, policy);
    let notes = about::notes(&sides, runs);
    let drafts: Vec<Draft> = sides.into_iter().filter_map(|sides| Draft::new(sides, policy)).collect();
    let learned = learn(&drafts);
    let tests: Vec<_> = drafts.iter().map(|draft| draft.tests(&learned)).collect();
    let corrected = adjusted(&tests.concat());
    let mut rest = &corrected[..];
    let with_own = drafts.into_iter().zip(&tests).map(|(draft, own)| {
        let (these, others) = rest.split_at(own.len());
        rest = others;
        (draft, these)
    });
    // Bootstraps take nearly all of the time; without them threads would only cost some.
    let threads = if policy.verdicts_only { 1 } else { parallel::cores() };
    let cells = parallel::map(with_own.collect(), threads, |(draft, these)| {
        draft.decide(&learned, these, corrected.len(), policy)
    });
    let whole = !policy.filtered && runs.iter().all(|run| run.stop.is_none());
    Judgement {
        cells,
        gone: if whole { gone(baselines, runs) } else { Vec::new() },
        tests: corrected.len(),
        notes,
    }
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
