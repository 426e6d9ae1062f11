//! One whole simulated call, from the first round to the verdicts, in the ways that a real one can go.

use crate::calibrate::luck::Luck;
use crate::calibrate::runs::{GROUP, id, run};
use crate::calibrate::simulate::{Banks, CellDraws, Layout};
use crate::calibrate::world::{Change, World};
use crate::judge::{Judgement, Policy, judge};
use crate::plan::{Confirmation, Settings};
use crate::record::{Baseline, Run};

/// Launches of a run against stored ones, and rounds of each.
const STORED_LAUNCHES: usize = 10;
const STORED_ROUNDS: usize = 3;

/// What head is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Design {
    /// Base beside it; what looks slower is measured again.
    Duet,
    /// So many stored runs.
    Stored(usize),
}

impl Design {
    /// Its name in tables.
    pub fn name(self) -> String {
        match self {
            Self::Duet => "duet".to_owned(),
            Self::Stored(1) => "1 stored run".to_owned(),
            Self::Stored(runs) => format!("{runs} stored runs"),
        }
    }
}

/// What became of a call.
#[derive(Debug)]
pub(super) struct Call {
    /// The verdicts.
    pub judgement: Judgement,
    /// The rounds of the first measurement, of both sides; with stored runs base is the last of them.
    pub first: Vec<CellDraws>,
    /// Rounds of all measurements of head (and of base, in a duet) by rounds of the first one.
    pub cost: f64,
}

/// Simulates and judges one call.
pub(super) fn call(world: &World, design: Design, change: Change, banks: &Banks, luck: &mut Luck) -> Call {
    match design {
        Design::Duet => duet(world, change, banks, luck),
        Design::Stored(runs) => stored(world, runs, change, banks, luck),
    }
}

fn policy() -> Policy {
    Policy { verdicts_only: true, ..Policy::usual() }
}

/// One pair a launch, as many as a screening has, and then the looks at the suspects.
fn duet(world: &World, change: Change, banks: &Banks, luck: &mut Luck) -> Call {
    let confirmation = Confirmation::default();
    let pairs = Settings::default().sample_size;
    let measure = |pairs: usize, cells: Vec<usize>, luck: &mut Luck| {
        let layout = Layout { launches: pairs, rounds_of_launch: 1, is_duet: true, cells };
        world.measure(change, &layout, banks, luck)
    };
    let first = measure(pairs, (0..world.cells).collect(), luck);
    let mut runs: Vec<Run> = vec![run(&first, world, banks, 0, Some(&confirmation))];
    let mut measured = pairs * world.cells;
    let mut judgement = judge(&[], &runs, &policy());
    for look in 1..=confirmation.looks() {
        let open = judgement.open_suspects(false);
        let again: Vec<usize> = (0..world.cells)
            .filter(|cell| open.contains(format!("{GROUP}/{}", id(*cell)).as_str()))
            .collect();
        if again.is_empty() {
            break;
        }
        let pairs = confirmation.pairs_of(look);
        measured += pairs * again.len();
        runs.push(run(&measure(pairs, again, luck), world, banks, look, Some(&confirmation)));
        judgement = judge(&[], &runs, &policy());
    }
    Call { judgement, first, cost: measured as f64 / (pairs * world.cells) as f64 }
}

fn stored(world: &World, runs: usize, change: Change, banks: &Banks, luck: &mut Luck) -> Call {
    let layout = Layout {
        launches: STORED_LAUNCHES,
        rounds_of_launch: STORED_ROUNDS,
        is_duet: false,
        cells: (0..world.cells).collect(),
    };
    let mut measure = |change| world.measure(change, &layout, banks, luck);
    let stored: Vec<Vec<CellDraws>> = (0..runs).map(|_| measure(Change::None)).collect();
    let as_run = |cells: &Vec<CellDraws>| run(cells, world, banks, 0, None);
    let baselines: Vec<Baseline> =
        Baseline::of_runs(GROUP, &stored.iter().map(as_run).collect::<Vec<_>>()).into_iter().collect();
    let mut first = measure(change);
    let judgement = judge(&baselines, &[as_run(&first)], &policy());
    for (cell, stored) in first.iter_mut().zip(stored.into_iter().last().into_iter().flatten()) {
        cell.base = stored.head;
    }
    Call { judgement, first, cost: 1.0 }
}
