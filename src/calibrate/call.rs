//! One whole simulated call, from the first round to the verdicts, in the ways that a real one can go.

use std::time::{Duration, SystemTime};

use crate::calibrate::design::{Base, Design};
use crate::calibrate::luck::Luck;
use crate::calibrate::runs::{id, run};
use crate::calibrate::simulate::{Banks, CellDraws, Layout};
use crate::calibrate::world::{Change, World};
use crate::judge::{Judgement, Policy, judge};
use crate::plan::Confirmation;
use crate::record::{Baseline, Run};

/// Between two runs: each is a sitting of its own.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What became of a call.
#[derive(Debug)]
pub(super) struct Call {
    /// The verdicts.
    pub judgement: Judgement,
    /// The rounds of the first measurement, of both sides; with stored runs base is the last of them.
    pub first: Vec<CellDraws>,
    /// Rounds of all measurements of head by those of the first one.
    pub cost: f64,
}

/// Simulates and judges one call.
pub(super) fn call(world: &World, design: Design, change: Change, banks: &Banks, luck: &mut Luck) -> Call {
    match design.base {
        Base::Duet => duet(world, design, change, banks, luck),
        Base::Stored { runs, head } => {
            let layout = layout(world, design);
            let mut measure = |change| world.measure(change, &layout, banks, luck);
            let stored: Vec<Vec<CellDraws>> = (0..runs).map(|_| measure(Change::None)).collect();
            let measured: Vec<Vec<CellDraws>> = (0..head).map(|_| measure(change)).collect();
            against_stored(world, stored, measured, banks)
        }
    }
}

fn policy() -> Policy {
    Policy { verdicts_only: true, ..Policy::usual() }
}

fn layout(world: &World, design: Design) -> Layout {
    Layout {
        launches: design.launches,
        rounds_of_launch: design.rounds,
        is_duet: design.is_duet(),
        cells: (0..world.cells).collect(),
    }
}

/// The screening, and then the looks at the suspects: one pair a launch, as a session has them.
fn duet(world: &World, design: Design, change: Change, banks: &Banks, luck: &mut Luck) -> Call {
    let confirmation = Confirmation::default();
    let layout = layout(world, design);
    let first = world.measure(change, &layout, banks, luck);
    let screened = design.launches * design.rounds * world.cells;
    let mut measured = screened;
    let mut runs: Vec<Run> = vec![run(&first, world, banks, Some(&confirmation))];
    let mut judgement = judge(&Baseline::default(), &runs, &policy());
    for look in 1..=confirmation.looks() {
        let open = judgement.open_candidates(false);
        let is_open = |cell: &usize| open.contains(&id(*cell));
        let cells: Vec<usize> = (0..world.cells).filter(is_open).collect();
        if cells.is_empty() {
            break;
        }
        let pairs = confirmation.pairs_of(look);
        measured += pairs * cells.len();
        let again = Layout { launches: pairs, rounds_of_launch: 1, cells, ..layout.clone() };
        let fresh = world.measure(change, &again, banks, luck);
        runs[0].confirmations.push(run(&fresh, world, banks, None).cells);
        judgement = judge(&Baseline::default(), &runs, &policy());
    }
    Call { judgement, first, cost: measured as f64 / screened as f64 }
}

fn against_stored(
    world: &World,
    stored: Vec<Vec<CellDraws>>,
    measured: Vec<Vec<CellDraws>>,
    banks: &Banks,
) -> Call {
    let as_runs = |runs: &[Vec<CellDraws>], first_day: u64| -> Vec<Run> {
        let on_day = |(day, cells): (u64, &Vec<CellDraws>)| Run {
            started: SystemTime::UNIX_EPOCH + DAY * day as u32,
            ..run(cells, world, banks, None)
        };
        (first_day..).zip(runs).map(on_day).collect()
    };
    let today = stored.len() as u64;
    let baseline = Baseline::of_runs(&as_runs(&stored, 0));
    let judgement = judge(&baseline, &as_runs(&measured, today), &policy());
    let mut first = measured.into_iter().next().unwrap_or_default();
    for (cell, stored) in first.iter_mut().zip(stored.into_iter().next_back().into_iter().flatten()) {
        cell.base = stored.head;
    }
    Call { judgement, first, cost: 1.0 }
}
