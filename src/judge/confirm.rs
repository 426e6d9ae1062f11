//! The second stage of a duet: what looked slower in the screening is decided by fresh pairs alone.
//!
//! The screening asks each comparison at an uncorrected one-sided level; its suspects are measured again, on fresh launches, in
//! looks. At each look all fresh pairs so far are judged, at an equal share of the level, corrected (Holm) over all suspects that the
//! screening found: dropping one does not make it easier for the others. Fresh data owe nothing to how suspects were chosen, so
//! the share of unchanged builds that turn red stays below the level. A suspect whose fresh estimate lies within the margin is dropped.

use std::collections::{BTreeMap, BTreeSet};

use crate::judge::cell::Draft;
use crate::judge::decide::Test;
use crate::judge::evidence::SCREEN;
use crate::judge::sides::sides;
use crate::judge::subject::{Call, Decided, Subject, Tested};
use crate::judge::verdict::{CellJudgement, Change, Comparison, Shown, Stage, Suspect, Verdict};
use crate::plan::Confirmation;
use crate::record::{Baseline, Metric, Run};
use crate::stats::decision::holm;

/// Which way a suspect looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Slower,
    Faster,
}

/// A comparison that the screening picked out.
struct Case {
    cell: String,
    metric: &'static Metric,
    subject: Subject,
    direction: Direction,
    screening: Option<Change>,
    is_open: bool,
    /// The last look that judged it.
    look: usize,
    /// What the fresh pairs of its last look decided.
    decided: Option<Decided>,
    /// What they showed of both sides.
    shown: Option<Shown>,
}

/// What the screening and all looks so far say of the cells of a duet.
pub(super) fn confirm<'a>(
    screened: Vec<Draft<'_>>,
    runs: &'a [Run],
    confirmation: &Confirmation,
    call: &Call,
) -> (Vec<CellJudgement>, Vec<Suspect>) {
    let mut cases: Vec<Case> = screened.iter().flat_map(|draft| suspects(draft, call)).collect();
    let none = Baseline::default();
    for look in 1..=confirmation.looks() {
        let so_far =
            |run: &'a Run| run.confirmations.iter().take(look).flatten().map(move |cell| (run, cell));
        let last = runs.iter().filter_map(|run| run.confirmations.get(look - 1)).flatten();
        let measured: BTreeSet<String> =
            last.filter(|cell| !cell.rounds.is_empty()).map(|cell| cell.id.to_string()).collect();
        if measured.is_empty() {
            break;
        }
        let drafts: BTreeMap<String, Draft> = sides(&none, runs.iter().flat_map(so_far))
            .into_iter()
            .filter_map(Draft::new)
            .map(|draft| (draft.full_id(), draft))
            .filter(|(cell, _)| measured.contains(cell))
            .collect();
        for direction in [Direction::Slower, Direction::Faster] {
            let mut family: Vec<&mut Case> =
                cases.iter_mut().filter(|case| case.direction == direction).collect();
            take_look(&mut family, &drafts, look, confirmation, call);
        }
    }
    let judged = screened.into_iter().map(|draft| conclude(&draft, &cases, call)).collect();
    let suspect = |case: &Case| Suspect {
        cell: case.cell.clone(),
        metric: case.metric,
        limit: match case.subject {
            Subject::Limit(place) => Some(place),
            Subject::Success | Subject::Metric(_) | Subject::Anchor(_) => None,
        },
        slower: case.direction == Direction::Slower,
        open: case.is_open,
        look: case.look,
    };
    (judged, cases.iter().map(suspect).collect())
}

/// What of a screened cell looks slower or faster.
///
/// Slower is what looks slower at all, though not what a first look would drop. What looks faster costs nothing when it is missed,
/// and has to lie beyond the margin.
fn suspects(draft: &Draft, call: &Call) -> Vec<Case> {
    let case = |tested: &Tested| {
        let direction = if tested.p_slower < SCREEN && tested.estimate >= tested.margin {
            Direction::Slower
        } else if tested.test.better < SCREEN {
            Direction::Faster
        } else {
            return None;
        };
        let (metric, screening) = match draft.decide_one(tested.subject, Test::NONE, call)? {
            Decided::Comparison(comparison) => (comparison.metric, comparison.change),
            Decided::Limit(check) => (check.metric, None),
        };
        let (cell, subject) = (draft.full_id(), tested.subject);
        Some(Case {
            cell,
            metric,
            subject,
            direction,
            screening,
            is_open: true,
            look: 0,
            decided: None,
            shown: None,
        })
    };
    draft.tests(call.learned).iter().filter_map(case).collect()
}

/// Judges what is still open of one direction's suspects on all fresh pairs so far.
fn take_look(
    family: &mut [&mut Case],
    drafts: &BTreeMap<String, Draft>,
    look: usize,
    confirmation: &Confirmation,
    call: &Call,
) {
    let found: Vec<Option<Tested>> = family
        .iter()
        .map(|case| {
            let draft = drafts.get(&case.cell).filter(|_| case.is_open)?;
            draft.tests(call.learned).into_iter().find(|tested| tested.subject == case.subject)
        })
        .collect();
    let p = |found: &Option<Tested>, direction| {
        found.map_or(1.0, |tested| match direction {
            Direction::Slower => tested.test.worse,
            Direction::Faster => tested.test.better,
        })
    };
    let raw: Vec<f64> = found.iter().zip(&*family).map(|(found, case)| p(found, case.direction)).collect();
    let looks = confirmation.looks();
    for ((case, found), adjusted) in family.iter_mut().zip(found).zip(holm(&raw)) {
        let Some((tested, draft)) = found.zip(drafts.get(&case.cell)) else { continue };
        let adjusted = ((call.families * looks) as f64 * adjusted).min(1.0);
        let test = match case.direction {
            Direction::Slower => Test { worse: adjusted, better: 1.0 },
            Direction::Faster => Test { worse: 1.0, better: adjusted },
        };
        case.look = look;
        let stage = Stage::Confirmed { look, looks, pairs: draft.rounds(), screening: case.screening };
        case.decided = draft.decide_one(case.subject, test, call).map(|decided| decided.in_stage(stage));
        case.shown = if call.policy.verdicts_only { None } else { draft.shown(case.metric) };
        let worsening = if case.direction == Direction::Slower { tested.estimate } else { -tested.estimate };
        let is_confirmed = case.decided.as_ref().is_some_and(Decided::is_shown);
        let is_futile = worsening < tested.margin;
        case.is_open = !is_confirmed && !is_futile && look < looks;
    }
}

/// A screened cell with what became of its suspects.
fn conclude(draft: &Draft, cases: &[Case], call: &Call) -> CellJudgement {
    let own: Vec<&Case> = cases.iter().filter(|case| case.cell == draft.full_id()).collect();
    let tests = draft.tests(call.learned);
    let none = vec![Test::NONE; tests.len()];
    let CellJudgement { mut comparisons, mut limits, .. } = draft.decide(&none, call);
    for comparison in &mut comparisons {
        comparison.stage = Stage::Screened;
        let (is_success, own_id) = (comparison.is_difference(), comparison.metric.id);
        let is_of = |subject: Subject| match subject {
            Subject::Success => is_success,
            Subject::Metric(id) => id == own_id,
            Subject::Limit(_) | Subject::Anchor(_) => false,
        };
        if let Some(tested) = tests.iter().find(|tested| is_of(tested.subject)) {
            let Test { worse, better } = tested.test;
            comparison.p_adjusted = if tested.estimate >= 0.0 { worse } else { better };
        }
        match own.iter().find(|case| is_of(case.subject)) {
            Some(Case { decided: Some(Decided::Comparison(fresh)), .. }) => *comparison = fresh.clone(),
            Some(case) => leave_open(comparison, case.direction),
            None => {}
        }
    }
    let decides = |case: &&&Case| matches!(case.decided, Some(Decided::Comparison(_)));
    let fresh = own.iter().filter(decides).filter_map(|case| case.shown.clone()).collect();
    for case in own {
        if let (Subject::Limit(index), Some(Decided::Limit(fresh))) = (case.subject, &case.decided) {
            limits[index] = fresh.clone();
        }
    }
    CellJudgement { fresh, ..draft.conclude(comparisons, limits, Vec::new(), call) }
}

/// A suspect that was not measured again.
fn leave_open(comparison: &mut Comparison, direction: Direction) {
    match direction {
        Direction::Slower => {
            comparison.verdict = Verdict::Inconclusive;
            comparison.advice = Some("a second measurement: it looked slower in the screening".to_owned());
        }
        Direction::Faster => {
            comparison.verdict = Verdict::SeemsFaster;
            comparison.advice = None;
        }
    }
}
