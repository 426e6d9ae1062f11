//! Is it slower? A baseline and the runs of a call become a [`Judgement`].
//!
//! Pure: no clock, no file, no sentence, no randomness but fixed seeds. Rounds become one [`RunSummary`](launch::RunSummary) per
//! run, those of both sides an [`Effect`](effect::Effect), its [`Test`] is corrected together with all tests of the call, and a
//! [`Comparison`] says what follows.

mod cell;
mod duet;
mod effect;
mod failures;
mod launch;
mod limit;
mod sides;
mod stored;
#[cfg(test)]
mod tests;
mod verdict;

use std::collections::BTreeSet;

use crate::judge::cell::Cell;
use crate::judge::effect::{Context, PValues, SCREENING_LEVEL, Test, adjusted};
use crate::judge::sides::{baseline_notes, removed, sides};
use crate::parallel;
use crate::plan::CellId;
use crate::record::{Baseline, Metric, Run};
use crate::stats::decision::{bonferroni, holm};
pub use verdict::{
    Advice, Candidate, CellJudgement, Change, Comparison, Counted, Estimate, Judgement, LimitCheck,
    LimitOutcome, Method, Note, OtherTestBed, Reason, Shown, Stage, Verdict,
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
    let sides = sides(baseline, runs.iter().flat_map(|run| run.cells.iter().map(move |cell| (run, cell))));
    let notes = baseline_notes(&sides, runs);
    let other_test_bed = sides.iter().find_map(|sides| sides.other_test_bed.clone());
    let verdicts_only = depth == Depth::Verdicts;
    // Bootstraps take nearly all of the time. Without 100,000 resamples threads would only cost some.
    let threads = if verdicts_only { 1 } else { parallel::cores() };
    let cells = parallel::map(sides, threads, Cell::new);
    let order: Vec<CellId> = cells.iter().map(|cell| cell.id().clone()).collect();
    let confirmation = runs.iter().find_map(|run| run.confirmation.as_ref());
    let (screened, at_once): (Vec<Cell>, Vec<Cell>) =
        cells.into_iter().partition(|cell| confirmation.is_some() && cell.has_launches());
    let tests: Vec<Vec<Test>> = at_once.iter().map(Cell::tests).collect();
    let count: usize = tests.iter().map(Vec::len).sum();
    // The tests that are decided at once share the level with the candidates of a screening.
    let families = if count > 0 && !screened.is_empty() { 2 } else { 1 };
    let context = Context { tests: count * families, confirmation: None, verdicts_only };
    let mut corrected = adjusted(&tests.concat()).into_iter().map(|p| p.bonferroni(families));
    let own = |own: &Vec<Test>| corrected.by_ref().take(own.len()).collect::<Vec<PValues>>();
    let with_p_values = at_once.iter().zip(tests.iter().map(own)).collect();
    let mut judged =
        parallel::map(with_p_values, threads, |(cell, own)| cell.judge(&own, Stage::Whole, &context));
    let mut candidates = Vec::new();
    if let Some(confirmation) = confirmation.filter(|_| !screened.is_empty()) {
        let context = Context { tests: 0, confirmation: Some(confirmation), ..context };
        let (confirmed, found) = confirm(&screened, runs, confirmation.analyses(), families, &context);
        judged.extend(confirmed);
        candidates = found;
    }
    judged.sort_by_key(|cell| order.iter().position(|id| *id == cell.id));
    Judgement {
        cells: judged,
        removed: removed(baseline, runs),
        tests: count + candidates.iter().filter(|candidate| candidate.slower).count(),
        other_test_bed,
        notes,
        candidates,
    }
}

/// The second stage of a duet: fresh pairs alone decide the candidates of the screening.
///
/// The screening tests each comparison at an uncorrected level; its candidates are measured again on fresh launches. Each interim
/// analysis judges all fresh pairs so far, at an equal share of the level, corrected (Holm) over all candidates: dropping one
/// makes it no easier for the others. Fresh data owe nothing to how candidates were chosen, so that the share of unchanged builds
/// that are called regressed stays below the level. A candidate whose fresh estimate lies within the margin is dropped.
fn confirm<'a>(
    screened: &[Cell],
    runs: &'a [Run],
    analyses: usize,
    families: usize,
    context: &Context,
) -> (Vec<CellJudgement>, Vec<Candidate>) {
    let none = Baseline::default();
    let (mut judged, found): (Vec<_>, Vec<_>) = screened.iter().map(|cell| screen(cell, context)).unzip();
    let mut candidates: Vec<Candidate> = found.concat();
    for analysis in 1..=analyses {
        let last = runs.iter().filter_map(|run| run.confirmations.get(analysis - 1)).flatten();
        let measured: BTreeSet<&CellId> =
            last.filter(|cell| !cell.rounds.is_empty()).map(|cell| &cell.id).collect();
        if measured.is_empty() {
            break;
        }
        let so_far =
            |run: &'a Run| run.confirmations.iter().take(analysis).flatten().map(move |cell| (run, cell));
        let mut cells: Vec<Cell> = sides(&none, runs.iter().flat_map(so_far))
            .into_iter()
            .filter(|sides| measured.contains(&sides.cell.id))
            .map(Cell::new)
            .collect();
        for cell in &mut cells {
            let own = |candidate: &&Candidate| candidate.cell == *cell.id();
            let metrics: Vec<&Metric> =
                candidates.iter().filter(own).map(|candidate| candidate.metric).collect();
            metrics.into_iter().for_each(|metric| cell.judge_also(metric));
        }
        for slower in [true, false] {
            let direction = candidates.iter_mut().filter(|candidate| candidate.slower == slower);
            analyze(direction.collect(), &cells, &mut judged, analysis, analyses, families, context);
        }
    }
    for (cell, judged) in screened.iter().zip(&mut judged) {
        (judged.verdict, judged.reason) = cell.verdict(&judged.comparisons, &judged.limits);
    }
    (judged, candidates)
}

/// Judges a cell by the screening, and finds its candidates.
///
/// A comparison looks slower if it is slower at all, unless a first analysis would drop it. It looks faster only beyond the margin,
/// because missing an improvement costs nothing.
fn screen(cell: &Cell, context: &Context) -> (CellJudgement, Vec<Candidate>) {
    let tests = cell.tests();
    let nothing = vec![PValues::NONE; tests.len()];
    let mut judged = cell.judge(&nothing, Stage::Screened, context);
    let mut candidates = Vec::new();
    for Test { metric, limit, p, p_worse_at_all, estimate, margin } in tests {
        let slower = p_worse_at_all < SCREENING_LEVEL && estimate >= margin;
        let is_candidate = slower || p.better < SCREENING_LEVEL;
        if is_candidate {
            candidates.push(Candidate {
                cell: cell.id().clone(),
                metric,
                limit,
                slower,
                open: true,
                analysis: 0,
            });
        }
        let own = judged.comparisons.iter_mut().find(|own| limit.is_none() && own.metric == metric);
        let Some(comparison) = own else { continue };
        comparison.p_adjusted = p.of(estimate);
        if slower {
            (comparison.verdict, comparison.advice) = (Verdict::Inconclusive, Some(Advice::MeasureAgain));
            comparison.reason = Some(Reason::ScreeningOnly);
        } else if is_candidate {
            (comparison.verdict, comparison.advice) = (Verdict::SeemsFaster, None);
        }
    }
    (judged, candidates)
}

/// Judges the open candidates of one direction by all fresh pairs so far, and puts the results into their cells.
fn analyze(
    mut candidates: Vec<&mut Candidate>,
    cells: &[Cell],
    judged: &mut [CellJudgement],
    analysis: usize,
    analyses: usize,
    families: usize,
    context: &Context,
) {
    let find = |candidate: &Candidate| {
        let cell = cells.iter().find(|cell| candidate.open && *cell.id() == candidate.cell)?;
        let is_own = |test: &Test| test.metric == candidate.metric && test.limit == candidate.limit;
        Some((cell, cell.tests().into_iter().find(is_own)?))
    };
    let found: Vec<Option<(&Cell, Test)>> = candidates.iter().map(|candidate| find(candidate)).collect();
    let raw = candidates.iter().zip(&found).map(|(candidate, found)| match found {
        Some((_, test)) if candidate.slower => test.p.worse,
        Some((_, test)) => test.p.better,
        None => 1.0,
    });
    let corrected = holm(&raw.collect::<Vec<f64>>());
    for ((candidate, found), p) in candidates.iter_mut().zip(&found).zip(corrected) {
        let Some((cell, test)) = found else { continue };
        let Some(judged) = judged.iter_mut().find(|judged| judged.id == candidate.cell) else { continue };
        let p = bonferroni(p, families * analyses);
        let p = match candidate.slower {
            true => PValues { worse: p, better: 1.0 },
            false => PValues { worse: 1.0, better: p },
        };
        let is_confirmed = if let Some(place) = candidate.limit {
            judged.limits[place] = LimitCheck { is_fresh: true, ..cell.check_limit(place, p) };
            judged.limits[place].is_broken()
        } else {
            let own = judged.comparisons.iter_mut().find(|own| own.metric == candidate.metric);
            let Some(comparison) = own else { continue };
            let screening = match comparison.stage {
                Stage::Confirmed { screening, .. } => screening,
                _ => comparison.change,
            };
            let stage = Stage::Confirmed { analysis, analyses, pairs: cell.rounds(), screening };
            let Some(fresh) = cell.decide_metric(candidate.metric, p, stage, context) else { continue };
            *comparison = fresh;
            if !context.verdicts_only {
                judged.fresh.retain(|shown| shown.metric != candidate.metric);
                judged.fresh.extend(cell.shown(candidate.metric));
            }
            matches!(comparison.verdict, Verdict::Regressed | Verdict::Improved)
        };
        let worsening = if candidate.slower { test.estimate } else { -test.estimate };
        candidate.analysis = analysis;
        candidate.open = !is_confirmed && worsening >= test.margin && analysis < analyses;
    }
}
