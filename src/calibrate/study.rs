//! All scenarios in all designs, call by call, on all cores.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::calibrate::bank::Bank;
use crate::calibrate::count::{Counted, RIVALS_FIND, Truth};
use crate::calibrate::design::{DUET, Design, designs};
use crate::calibrate::luck::Luck;
use crate::calibrate::rivals::RULES;
use crate::calibrate::row::{Calibration, Effort, Found, Rival, Row};
use crate::calibrate::scenario::{ALL_DISTURBANCES, SCENARIOS, Scenario};
use crate::calibrate::simulate::Banks;
use crate::calibrate::world::{Change, Shape};
use crate::parallel;

/// What is slower in the calls of a duet, after those in which nothing is.
const IN_DUETS: [Change; 5] =
    [Change::None, Change::Cell(2), Change::Cell(5), Change::Cell(10), Change::Tail(15)];
/// The same against stored runs, which find only more.
const AGAINST_STORED: [Change; 5] =
    [Change::None, Change::Cell(5), Change::Cell(10), Change::Cell(20), Change::Tail(15)];
/// Calls that one thread does at a time.
const BLOCK: usize = 5;

/// Simulates, judges and counts. The same seed and effort give the same answer, on any number of cores.
pub fn calibrate(effort: Effort, seed: u64) -> Calibration {
    study(SCENARIOS, effort, seed)
}

/// The same for some scenarios.
pub(super) fn study(scenarios: &[Scenario], effort: Effort, seed: u64) -> Calibration {
    let banks = banks(scenarios, effort.bank, seed);
    let truths: Vec<Truth> = scenarios
        .iter()
        .flat_map(|scenario| designs(scenario).into_iter().map(move |design| (scenario, design)))
        .flat_map(|(scenario, design)| changes(design).map(|change| Truth { scenario, design, change }))
        .collect();
    let blocks: Vec<(usize, Range<usize>)> = truths
        .iter()
        .enumerate()
        .flat_map(|(place, truth)| {
            let calls = calls(truth, effort);
            (0..calls).step_by(BLOCK).map(move |first| (place, first..calls.min(first + BLOCK)))
        })
        .collect();
    let counted = parallel::map(blocks, parallel::cores(), |(place, numbers)| {
        let (truth, mut counted) = (truths[place], Counted::default());
        for number in numbers {
            let mut luck = Luck::new(seed_of(seed, place, number));
            let with_rivals = truth.design.asks_rivals() && number < effort.rivals;
            truth.count(with_rivals, &banks, &mut luck, &mut counted);
        }
        (place, counted)
    });
    let mut sums: Vec<Counted> = vec![Counted::default(); truths.len()];
    for (place, counted) in counted {
        sums[place].add(counted);
    }
    let rows = truths.chunks(IN_DUETS.len()).zip(sums.chunks(IN_DUETS.len()));
    Calibration {
        version: env!("CARGO_PKG_VERSION"),
        seed,
        effort,
        rows: rows.map(|(truths, sums)| row(truths, sums)).collect(),
    }
}

fn calls(truth: &Truth, effort: Effort) -> usize {
    match truth.change {
        Change::None => effort.unchanged,
        Change::Cell(5) | Change::Tail(_) if is_promised_to_find(truth.scenario, truth.design) => {
            effort.promised
        }
        _ => effort.changed,
    }
}

/// Where the power is promised.
pub(super) fn is_promised_to_find(scenario: &Scenario, design: Design) -> bool {
    scenario.name == ALL_DISTURBANCES && design == DUET
}

pub(super) fn changes(design: Design) -> [Change; 5] {
    if design.is_duet() { IN_DUETS } else { AGAINST_STORED }
}

pub(super) fn banks(scenarios: &[Scenario], rounds: usize, seed: u64) -> Banks {
    let shapes: BTreeSet<Shape> = scenarios
        .iter()
        .flat_map(|scenario| {
            let usual = scenario.world.shape;
            IN_DUETS.map(|change| change.shape_of(0, usual))
        })
        .collect();
    let shapes: Vec<Shape> = shapes.into_iter().collect();
    parallel::map(shapes, parallel::cores(), |shape| (shape, Bank::new(shape, rounds, seed)))
        .into_iter()
        .collect()
}

/// Luck of its own for each call: neighbouring numbers are spread over all seeds by a multiplier without a pattern (Knuth).
pub(super) fn seed_of(seed: u64, place: usize, number: usize) -> u64 {
    const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
    let mixed = seed.wrapping_mul(SPREAD) ^ ((place as u64) << 32 | number as u64);
    mixed.wrapping_mul(SPREAD) ^ (mixed >> 29)
}

/// The unchanged calls come first, then those with each change.
fn row(truths: &[Truth], sums: &[Counted]) -> Row {
    let (first, unchanged) = (&truths[0], &sums[0]);
    let found = truths[1..].iter().zip(&sums[1..]).map(|(truth, counted)| Found {
        change: truth.change,
        named: counted.named,
        by_metric: counted.by_metric,
        wrongly_red: counted.red_calls,
        cost: counted.mean_cost(),
    });
    let finding = truths.iter().position(|truth| truth.change == RIVALS_FIND);
    let rivals = RULES.iter().enumerate().filter_map(|(index, rule)| {
        let [red_cells, red_calls, _] = *unchanged.rivals.get(index)?;
        let [.., found] = *sums[finding?].rivals.get(index)?;
        Some(Rival { rule: rule.name, red_cells, red_calls, found })
    });
    let mut covered_fresh = unchanged.covered_fresh;
    sums[1..].iter().for_each(|sum| covered_fresh.add(sum.covered_fresh));
    Row {
        scenario: *first.scenario,
        design: first.design,
        red_calls: unchanged.red_calls,
        red_cells: unchanged.red_cells,
        covered: unchanged.covered.clone(),
        covered_fresh,
        cost: unchanged.mean_cost(),
        found: found.collect(),
        rivals: rivals.collect(),
    }
}
