//! Is it slower? A baseline and the runs of a call become a [`Judgement`].
//!
//! Pure: no clock, no file, no sentence, no randomness but fixed seeds. Rounds become one [`RunSummary`](launch::RunSummary) per
//! run, those of both sides an [`Effect`](effect::Effect), its [`Test`] is corrected together with all tests of the call, and a
//! [`Comparison`] says what follows.

mod cell;
mod control;
mod duet;
mod effect;
mod failures;
mod launch;
mod limit;
mod sides;
mod stages;
mod stored;
#[cfg(test)]
mod tests;
mod verdict;

use crate::judge::cell::Cell;
use crate::judge::control::Today;
use crate::judge::effect::{Context, PValues, Test, adjusted};
use crate::judge::sides::{baseline_notes, here, removed, sides};
use crate::parallel;
use crate::plan::CellId;
use crate::record::{Baseline, Run};
pub use verdict::{
    Advice, Candidate, CellJudgement, Change, Comparison, ControlCheck, Counted, Estimate, Figure, Judgement,
    LimitCheck, LimitOutcome, Method, Note, OtherTestBed, Reason, Shown, Stage, TooFew, Verdict,
};

/// How much to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// All that a report shows.
    Report,
    /// Only what verdicts depend on: no values, no detectable changes.
    Verdicts,
}

/// Judges all groups of a call together. Cells are matched by their id; several runs are several runs of head.
///
/// Cells keep the order of their definition. Without a baseline each cell is [`New`](Verdict::New).
pub fn judge(baseline: &Baseline, runs: &[Run], depth: Depth) -> Judgement {
    let today = Today::of(runs);
    let sides =
        sides(baseline, &today, runs.iter().flat_map(|run| run.cells.iter().map(move |cell| (run, cell))));
    let notes = baseline_notes(&sides, runs);
    let other_test_bed = sides.iter().find_map(|sides| sides.other_test_bed.clone());
    let verdicts_only = depth == Depth::Verdicts;
    // Bootstraps take nearly all of the time. Without 100,000 resamples threads would only cost some.
    let threads = if verdicts_only { 1 } else { parallel::cores() };
    let cells = parallel::map(sides, threads, Cell::new);
    let order: Vec<CellId> = cells.iter().map(|cell| cell.id().clone()).collect();
    let confirmation = runs.iter().find_map(|run| run.confirmation.as_ref());
    let (ranked, cells): (Vec<Cell>, Vec<Cell>) = cells.into_iter().partition(|cell| cell.sides.is_ranked);
    // Of a duet that ended in its first launch nobody knows whether there would have been more.
    let is_stopped = runs.iter().any(|run| run.stop.is_some());
    let is_cut = |cell: &Cell| is_stopped && cell.sides.is_duet() && cell.is_short();
    let (screened, at_once): (Vec<Cell>, Vec<Cell>) =
        cells.into_iter().partition(|cell| confirmation.is_some() && (cell.has_launches() || is_cut(cell)));
    let tests: Vec<Vec<Test>> = at_once.iter().map(Cell::tests).collect();
    let count: usize = tests.iter().map(Vec::len).sum();
    // The tests that are decided at once share the level with the candidates of a screening.
    let families = if count > 0 && !(screened.is_empty() && ranked.is_empty()) { 2 } else { 1 };
    let context = Context { tests: count * families, confirmation: None, is_ranked: false, verdicts_only };
    let mut corrected = adjusted(&tests.concat()).into_iter().map(|p| p.bonferroni(families));
    let own = |own: &Vec<Test>| corrected.by_ref().take(own.len()).collect::<Vec<PValues>>();
    let with_p_values = at_once.iter().zip(tests.iter().map(own)).collect();
    let mut judged =
        parallel::map(with_p_values, threads, |(cell, own)| cell.judge(&own, Stage::Whole, &context));
    let context = Context { tests: 0, confirmation, ..context };
    let (in_stages, candidates) = stages::judge(&screened, &ranked, runs, families, &context);
    judged.extend(in_stages);
    judged.sort_by_key(|cell| order.iter().position(|id| *id == cell.id));
    Judgement {
        cells: judged,
        removed: removed(baseline, runs),
        tests: count + candidates.iter().filter(|candidate| candidate.slower).count(),
        other_test_bed,
        control: today.check(&here(baseline, runs)),
        notes,
        candidates,
    }
}
