//! Cells that are decided in two stages: a screening chooses candidates, and fresh pairs alone decide them.
//!
//! A duet screens each comparison at an uncorrected level; stored runs rank their cells. Candidates are measured again on fresh
//! launches, against base of the duet or the tree that began the epoch of the stored runs. Each interim analysis judges all fresh pairs so
//! far, at an equal share of the level, corrected (Holm) over all candidates: dropping one makes it no easier for the others. Fresh data
//! owe nothing to how candidates were chosen, so that the share of unchanged builds that are called regressed stays below the level.
//! A candidate whose fresh estimate lies within the margin is dropped.
//!
//! The ranking of stored runs decides nothing, so it needs no correction. Each comparison has a p value of "not slower at all", once as
//! measured and once less the median change of all cells: the first ranking finds what slowed down all of them, the second what a change
//! of the machine hides. A cell is a candidate if a comparison is beyond the cut of either ranking. The cuts come from calibration: on a
//! quiet machine, where runs differ by 2%, at most one call of three has a candidate though nothing changed.

use std::collections::BTreeSet;

use crate::judge::cell::Cell;
use crate::judge::control::Today;
use crate::judge::effect::{Context, PValues, SCREENING_LEVEL, Test, cut};
use crate::judge::sides::sides;
use crate::judge::verdict::{Advice, Candidate, CellJudgement, Reason, Stage, Verdict};
use crate::plan::{Against, CellId};
use crate::record::{BaseRef, Baseline, Judged, Metric, Run};
use crate::stats::decision::{bonferroni, holm, p_above};
use crate::stats::describe::median;

/// Cells that are measured again at most. More look slower only where the machine changed, or where the first four tell it, too.
const MOST_CELLS: usize = 4;
/// The cut less the median change, as a multiple of the other.
const RELATIVE: f64 = 1.5;

/// A comparison that looks slower.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Slower {
    /// The place of its cell.
    cell: usize,
    metric: &'static Metric,
}

/// Judges cells that a duet screened and cells that stored runs ranked, with the fresh pairs of the runs, and returns their candidates.
pub(super) fn judge(
    screened: &[Cell],
    ranked: &[Cell],
    runs: &[Run],
    families: usize,
    context: &Context,
) -> (Vec<CellJudgement>, Vec<Candidate>) {
    let of_duets = screened.iter().map(|cell| screen(cell, context));
    let (mut judged, found): (Vec<_>, Vec<_>) = of_duets.chain(rank(ranked, runs, context)).unzip();
    let mut candidates: Vec<Candidate> = found.concat();
    let cells: Vec<&Cell> = screened.iter().chain(ranked).collect();
    let none = Baseline::default();
    let analyses = context.confirmation.map_or(0, |confirmation| confirmation.analyses());
    for analysis in 1..=analyses {
        let Some(fresh) = fresh_cells(&cells, &candidates, &none, runs, analysis) else { break };
        for slower in [true, false] {
            let direction = candidates.iter_mut().filter(|candidate| candidate.slower == slower);
            analyze(direction.collect(), &fresh, &mut judged, analysis, analyses, families, context);
        }
    }
    for (cell, judged) in cells.iter().zip(&mut judged) {
        (judged.verdict, judged.reason) = cell.verdict(&judged.comparisons);
    }
    (judged, candidates)
}

/// Judges a cell of a duet by its screening, and finds its candidates.
///
/// A comparison looks slower if it is slower at all, unless a first analysis would drop it.
fn screen(cell: &Cell, context: &Context) -> (CellJudgement, Vec<Candidate>) {
    let is_slower = |test: &Test| test.p_worse_at_all < SCREENING_LEVEL && test.estimate >= test.margin;
    judge_screened(cell, is_slower, context)
}

/// Judges cells by the ranking of stored runs, and finds their candidates.
fn rank(cells: &[Cell], runs: &[Run], context: &Context) -> Vec<(CellJudgement, Vec<Candidate>)> {
    // Where head has the files that began the epoch, only the machine can be slower.
    let is_same = |base: &BaseRef| base.same_trees;
    let is_same = runs.iter().any(|run| run.base_ref.as_ref().is_some_and(is_same));
    let slower = if is_same { Vec::new() } else { slower_cells(cells) };
    let tests = cells.iter().flat_map(Cell::tests).filter(|test| test.error.is_some()).count();
    let context = Context { tests, is_ranked: true, ..*context };
    let judge = |(at, cell): (usize, &Cell)| {
        let is_slower =
            |test: &Test| slower.iter().any(|found| found.cell == at && found.metric == test.metric);
        judge_screened(cell, is_slower, &context)
    };
    cells.iter().enumerate().map(judge).collect()
}

/// The comparisons of at most four cells that look slower than the stored runs.
fn slower_cells(cells: &[Cell]) -> Vec<Slower> {
    let tests: Vec<(usize, Test)> = cells
        .iter()
        .enumerate()
        .flat_map(|(at, cell)| cell.tests().into_iter().map(move |test| (at, test)))
        .collect();
    let speeds = || tests.iter().filter(|(_, test)| test.error.is_some());
    let count = speeds().count();
    let relative = |test: &Test| {
        let (error, df) = test.error?;
        let alike = speeds().filter(|(_, other)| kind(other.metric) == kind(test.metric));
        let changes: Vec<f64> = alike.map(|(_, other)| other.estimate).collect();
        Some(p_above(test.estimate, median(&changes)?, error, df))
    };
    // As a multiple of the cut.
    let mut ranked: Vec<(f64, Slower)> = tests
        .iter()
        .map(|(cell, test)| {
            let measured = test.p_worse_at_all / cut(count);
            let relative = relative(test).map_or(f64::INFINITY, |p| p / (cut(count) * RELATIVE));
            (measured.min(relative), Slower { cell: *cell, metric: test.metric })
        })
        .filter(|(rank, _)| *rank < 1.0)
        .collect();
    ranked.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let mut chosen: Vec<usize> = Vec::new();
    for (_, slower) in &ranked {
        if chosen.len() < MOST_CELLS && !chosen.contains(&slower.cell) {
            chosen.push(slower.cell);
        }
    }
    ranked.into_iter().map(|(_, slower)| slower).filter(|slower| chosen.contains(&slower.cell)).collect()
}

/// Tails change alike, whichever a cell has.
fn kind(metric: &Metric) -> &str {
    if metric.judged == Judged::HighestTail { "tail" } else { metric.id }
}

/// A comparison looks faster only beyond the margin, because missing an improvement costs nothing.
fn judge_screened(
    cell: &Cell,
    is_slower: impl Fn(&Test) -> bool,
    context: &Context,
) -> (CellJudgement, Vec<Candidate>) {
    let tests = cell.tests();
    let nothing = vec![PValues::NONE; tests.len()];
    let mut judged = cell.judge(&nothing, Stage::Screened, context);
    let mut candidates = Vec::new();
    for test in tests {
        let Test { metric, p, estimate, .. } = test;
        let slower = is_slower(&test);
        let faster = !slower && p.better < SCREENING_LEVEL;
        if slower || (faster && !cell.withholds(metric)) {
            candidates.push(Candidate { cell: cell.id().clone(), metric, slower, open: true, analysis: 0 });
        }
        let own = judged.comparisons.iter_mut().find(|own| own.metric == metric);
        let Some(comparison) = own else { continue };
        comparison.p_adjusted = p.of(estimate);
        if slower {
            (comparison.verdict, comparison.advice) = (Verdict::Inconclusive, Some(Advice::MeasureAgain));
            comparison.reason = Some(Reason::ScreeningOnly);
        } else if faster {
            (comparison.verdict, comparison.advice) = (Verdict::SeemsFaster, None);
            cell.withhold(comparison);
        }
    }
    (judged, candidates)
}

/// The cells that an analysis measured, with all fresh pairs so far; `None` if it measured none.
fn fresh_cells<'a>(
    cells: &[&Cell],
    candidates: &[Candidate],
    none: &'a Baseline,
    runs: &'a [Run],
    analysis: usize,
) -> Option<Vec<Cell<'a>>> {
    let last = runs.iter().filter_map(|run| run.confirmations.get(analysis - 1)).flatten();
    let measured: BTreeSet<&CellId> =
        last.filter(|cell| !cell.rounds.is_empty()).map(|cell| &cell.id).collect();
    if measured.is_empty() {
        return None;
    }
    let so_far =
        |run: &'a Run| run.confirmations.iter().take(analysis).flatten().map(move |cell| (run, cell));
    let mut fresh = Vec::new();
    for mut sides in sides(none, &Today::of(&[]), runs.iter().flat_map(so_far)) {
        if !measured.contains(&sides.cell.id) {
            continue;
        }
        let screened = cells.iter().find(|cell| *cell.id() == sides.cell.id);
        if screened.is_some_and(|cell| !cell.sides.is_duet()) && sides.is_duet() {
            sides.against = Against::FirstTree;
        }
        let mut cell = Cell::new(sides);
        let own = |candidate: &&Candidate| candidate.cell == *cell.id();
        let metrics: Vec<&Metric> = candidates.iter().filter(own).map(|candidate| candidate.metric).collect();
        metrics.into_iter().for_each(|metric| cell.judge_also(metric));
        fresh.push(cell);
    }
    Some(fresh)
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
        Some((cell, cell.tests().into_iter().find(|test| test.metric == candidate.metric)?))
    };
    let found: Vec<Option<(&Cell, Test)>> = candidates.iter().map(|candidate| find(candidate)).collect();
    let raw = candidates.iter().zip(&found).map(|(candidate, found)| match found {
        Some((_, test)) if candidate.slower => test.p.worse,
        Some((_, test)) => test.p.better,
        None => 1.0,
    });
    let corrected = holm(&raw.collect::<Vec<f64>>());
    for ((candidate, found), p) in candidates.iter_mut().zip(&found).zip(corrected) {
        let Some((cell, test)) = found else {
            // Base could not answer it, and will not the next time.
            candidate.open &= cells.iter().all(|cell| *cell.id() != candidate.cell);
            continue;
        };
        let Some(judged) = judged.iter_mut().find(|judged| judged.id == candidate.cell) else { continue };
        let p = bonferroni(p, families * analyses);
        let p = match candidate.slower {
            true => PValues { worse: p, better: 1.0 },
            false => PValues { worse: 1.0, better: p },
        };
        let own = judged.comparisons.iter_mut().find(|own| own.metric == candidate.metric);
        let Some(comparison) = own else { continue };
        let screening = match comparison.stage {
            Stage::Confirmed { screening, .. } => screening,
            _ => comparison.change,
        };
        let screened_by = comparison.screened_by();
        let stage = Stage::Confirmed { analysis, analyses, pairs: cell.rounds(), screening, screened_by };
        let Some(fresh) = cell.decide_metric(candidate.metric, p, stage, context) else { continue };
        *comparison = fresh;
        if !context.verdicts_only {
            judged.fresh.retain(|shown| shown.metric != candidate.metric);
            judged.fresh.extend(cell.shown(candidate.metric));
        }
        let is_confirmed = matches!(comparison.verdict, Verdict::Regressed | Verdict::Improved);
        let worsening = if candidate.slower { test.estimate } else { -test.estimate };
        candidate.analysis = analysis;
        candidate.open = !is_confirmed && worsening >= test.margin && analysis < analyses;
    }
}
