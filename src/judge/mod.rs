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

use std::collections::{BTreeMap, BTreeSet};

use crate::judge::cell::{Cell, Context};
use crate::judge::effect::{PValues, SCREENING_LEVEL, Subject, Test, adjusted};
use crate::judge::sides::{baseline_notes, removed, sides};
use crate::parallel;
use crate::plan::{CellId, Confirmation};
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
    let notes = baseline_notes(&sides, baseline, runs);
    let other_test_bed = sides.iter().find_map(|sides| sides.other_test_bed.clone());
    let verdicts_only = depth == Depth::Verdicts;
    // Bootstraps take nearly all of the time. Without 100,000 resamples threads would only cost some.
    let threads = if verdicts_only { 1 } else { parallel::cores() };
    let cells = parallel::map(sides, threads, Cell::new);
    let order: Vec<CellId> = cells.iter().map(Cell::id).collect();
    let confirmation = runs.iter().find_map(|run| run.confirmation.as_ref());
    let (screened, at_once): (Vec<Cell>, Vec<Cell>) =
        cells.into_iter().partition(|cell| confirmation.is_some() && cell.has_launches());
    let tests: Vec<Vec<Test>> = at_once.iter().map(Cell::tests).collect();
    // The tests that are decided at once share the level with the candidates of a screening.
    let families = if tests.iter().flatten().count() > 0 && !screened.is_empty() { 2 } else { 1 };
    let context =
        Context { tests: tests.iter().flatten().count() * families, confirmation: None, verdicts_only };
    let mut judged = decide_at_once(&at_once, &tests, families, threads, &context);
    let mut candidates = Vec::new();
    if let Some(confirmation) = confirmation.filter(|_| !screened.is_empty()) {
        let context = Context { tests: 0, confirmation: Some(confirmation), ..context };
        let (confirmed, found) = confirm(&screened, runs, confirmation, families, &context);
        judged.extend(confirmed);
        candidates = found;
    }
    judged.sort_by_key(|cell| order.iter().position(|id| *id == cell.id));
    let is_whole = runs.iter().all(|run| !run.is_filtered && run.stop.is_none());
    Judgement {
        cells: judged,
        removed: if is_whole { removed(baseline, runs) } else { Vec::new() },
        tests: context.tests / families + candidates.iter().filter(|candidate| candidate.slower).count(),
        other_test_bed,
        notes,
        candidates,
    }
}

/// Cells that are decided in one stage, their tests corrected together.
fn decide_at_once(
    cells: &[Cell],
    tests: &[Vec<Test>],
    families: usize,
    threads: usize,
    context: &Context,
) -> Vec<CellJudgement> {
    let corrected: Vec<PValues> =
        adjusted(&tests.concat()).into_iter().map(|p| p.bonferroni(families)).collect();
    let mut rest = &corrected[..];
    let with_own = cells.iter().zip(tests).map(|(cell, own)| {
        let (these, others) = rest.split_at(own.len());
        rest = others;
        (cell, these)
    });
    parallel::map(with_own.collect(), threads, |(cell, these)| {
        let (comparisons, limits) = cell.decide_all(these, Stage::Whole, context);
        cell.conclude(comparisons, limits, Vec::new(), context)
    })
}

/// A candidate while it is measured again.
struct Case {
    candidate: Candidate,
    subject: Subject,
    screening: Option<Change>,
    /// What the fresh pairs decided of a metric.
    comparison: Option<Comparison>,
    /// What they decided of a limit.
    check: Option<LimitCheck>,
    /// What they showed of both sides.
    shown: Option<Shown>,
}

/// The second stage of a duet: what looked slower in the screening is decided by fresh pairs alone.
///
/// The screening tests each comparison at an uncorrected level; its candidates are measured again on fresh launches. Each interim
/// analysis judges all fresh pairs so far, at an equal share of the level, corrected (Holm) over all candidates: dropping one
/// makes it no easier for the others. Fresh data owe nothing to how candidates were chosen, so that the share of unchanged builds
/// that are called regressed stays below the level. A candidate whose fresh estimate lies within the margin is dropped.
fn confirm<'a>(
    screened: &[Cell],
    runs: &'a [Run],
    confirmation: &Confirmation,
    families: usize,
    context: &Context,
) -> (Vec<CellJudgement>, Vec<Candidate>) {
    let none = Baseline::default();
    let mut cases: Vec<Case> = screened.iter().flat_map(|cell| candidates(cell, context)).collect();
    for analysis in 1..=confirmation.looks() {
        let last = runs.iter().filter_map(|run| run.confirmations.get(analysis - 1)).flatten();
        let measured: BTreeSet<&CellId> =
            last.filter(|cell| !cell.rounds.is_empty()).map(|cell| &cell.id).collect();
        if measured.is_empty() {
            break;
        }
        let so_far =
            |run: &'a Run| run.confirmations.iter().take(analysis).flatten().map(move |cell| (run, cell));
        let cells: BTreeMap<CellId, Cell> = sides(&none, runs.iter().flat_map(so_far))
            .into_iter()
            .filter(|sides| measured.contains(&sides.cell.id))
            .map(|sides| (sides.cell.id.clone(), Cell::new(sides)))
            .collect();
        for slower in [true, false] {
            let direction = cases.iter_mut().filter(|case| case.candidate.slower == slower);
            analyze(direction.collect(), &cells, analysis, confirmation.looks(), families, context);
        }
    }
    let judged = screened.iter().map(|cell| conclude(cell, &cases, context)).collect();
    (judged, cases.into_iter().map(|case| case.candidate).collect())
}

/// What of a screened cell looks slower or faster.
///
/// Slower is what looks slower at all, unless a first analysis would drop it. Faster has to lie beyond the margin: missing it
/// costs nothing.
fn candidates(cell: &Cell, context: &Context) -> Vec<Case> {
    let case = |test: Test| {
        let slower = test.p_worse_at_all < SCREENING_LEVEL && test.estimate >= test.margin;
        if !slower && test.p.better >= SCREENING_LEVEL {
            return None;
        }
        let (metric, limit, screening): (&'static Metric, _, _) = match test.subject {
            Subject::Metric(id) => {
                let found = cell.decide_metric(id, PValues::NONE, Stage::Screened, context)?;
                (found.metric, None, found.change)
            }
            Subject::Limit(place) => (cell.check_limit(place, PValues::NONE)?.metric, Some(place), None),
        };
        let candidate = Candidate { cell: cell.id(), metric, limit, slower, open: true, analysis: 0 };
        let subject = test.subject;
        Some(Case { candidate, subject, screening, comparison: None, check: None, shown: None })
    };
    cell.tests().into_iter().filter_map(case).collect()
}

/// Judges the open candidates of one direction on all fresh pairs so far.
fn analyze(
    mut cases: Vec<&mut Case>,
    cells: &BTreeMap<CellId, Cell>,
    analysis: usize,
    analyses: usize,
    families: usize,
    context: &Context,
) {
    let find = |case: &Case| {
        let cell = cells.get(&case.candidate.cell).filter(|_| case.candidate.open)?;
        Some((cell, cell.tests().into_iter().find(|test| test.subject == case.subject)?))
    };
    let found: Vec<Option<(&Cell, Test)>> = cases.iter().map(|case| find(case)).collect();
    let p = |case: &Case, test: &Test| if case.candidate.slower { test.p.worse } else { test.p.better };
    let raw =
        cases.iter().zip(&found).map(|(case, found)| found.as_ref().map_or(1.0, |(_, test)| p(case, test)));
    let corrected = holm(&raw.collect::<Vec<f64>>());
    for ((case, found), p) in cases.iter_mut().zip(&found).zip(corrected) {
        let Some((cell, test)) = found else { continue };
        let p = bonferroni(p, families * analyses);
        let p = match case.candidate.slower {
            true => PValues { worse: p, better: 1.0 },
            false => PValues { worse: 1.0, better: p },
        };
        let stage = Stage::Confirmed { analysis, analyses, pairs: cell.rounds(), screening: case.screening };
        match case.subject {
            Subject::Metric(id) => case.comparison = cell.decide_metric(id, p, stage, context),
            Subject::Limit(place) => case.check = cell.check_limit(place, p),
        }
        case.shown = if context.verdicts_only { None } else { cell.shown(case.candidate.metric) };
        let verdict = case.comparison.as_ref().map(|comparison| comparison.verdict);
        let is_confirmed = matches!(verdict, Some(Verdict::Regressed | Verdict::Improved))
            || case.check.as_ref().is_some_and(LimitCheck::is_broken);
        let worsening = if case.candidate.slower { test.estimate } else { -test.estimate };
        case.candidate.analysis = analysis;
        case.candidate.open = !is_confirmed && worsening >= test.margin && analysis < analyses;
    }
}

/// A screened cell with what became of its candidates.
fn conclude(cell: &Cell, cases: &[Case], context: &Context) -> CellJudgement {
    let id = cell.id();
    let own: Vec<&Case> = cases.iter().filter(|case| case.candidate.cell == id).collect();
    let tests = cell.tests();
    let nothing = vec![PValues::NONE; tests.len()];
    let (mut comparisons, mut limits) = cell.decide_all(&nothing, Stage::Screened, context);
    for comparison in &mut comparisons {
        let subject = Subject::Metric(comparison.metric.id);
        if let Some(test) = tests.iter().find(|test| test.subject == subject) {
            comparison.p_adjusted = test.p.of(test.estimate);
        }
        match own.iter().find(|case| case.subject == subject) {
            Some(Case { comparison: Some(fresh), .. }) => *comparison = fresh.clone(),
            Some(case) if case.candidate.slower => {
                (comparison.verdict, comparison.advice) = (Verdict::Inconclusive, Some(Advice::MeasureAgain));
                comparison.reason = Some(Reason::ScreeningOnly);
            }
            Some(_) => (comparison.verdict, comparison.advice) = (Verdict::SeemsFaster, None),
            None => {}
        }
    }
    for case in &own {
        if let (Subject::Limit(place), Some(check)) = (case.subject, &case.check) {
            limits[place] = check.clone();
        }
    }
    let decided = own.iter().filter(|case| case.comparison.is_some());
    let fresh = decided.filter_map(|case| case.shown.clone()).collect();
    cell.conclude(comparisons, limits, fresh, context)
}
