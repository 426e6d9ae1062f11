//! All scenarios in all designs, call by call, counted.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::Serialize;

use crate::calibrate::bank::Bank;
use crate::calibrate::call::{Call, Design, call};
use crate::calibrate::luck::Luck;
use crate::calibrate::rate::Rate;
use crate::calibrate::rivals::{RULES, Side};
use crate::calibrate::scenario::{SCENARIOS, Scenario};
use crate::calibrate::simulate::Banks;
use crate::calibrate::world::{Change, Shape};
use crate::judge::{Change as Seen, Comparison, Stage, Verdict};
use crate::parallel;

/// What is slower in the calls of a duet, after those in which nothing is.
const IN_DUETS: [Change; 5] =
    [Change::None, Change::Cell(2), Change::Cell(5), Change::Cell(10), Change::Tail(15)];
/// The same against stored runs, which find only more.
const AGAINST_STORED: [Change; 5] =
    [Change::None, Change::Cell(5), Change::Cell(10), Change::Cell(20), Change::Tail(15)];
/// The change that other rules are asked to find.
const RIVALS_FIND: Change = Change::Cell(5);
/// Calls that one thread does at a time.
const BLOCK: usize = 5;

/// How much is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Effort {
    /// Unchanged calls of each scenario and design.
    pub unchanged: usize,
    /// Calls with each change.
    pub changed: usize,
    /// Of the unchanged ones, and of those with 5 % more, so many are also shown to the other rules.
    pub rivals: usize,
    /// Rounds of each shape to draw from.
    pub bank: usize,
}

impl Effort {
    /// Within a minute on two cores.
    pub const QUICK: Self = Self { unchanged: 100, changed: 25, rivals: 4, bank: 2_000 };
    /// Within ten minutes on two cores: what the documents claim.
    pub const THOROUGH: Self = Self { unchanged: 1_000, changed: 300, rivals: 30, bank: 5_000 };
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    /// The seed of all luck.
    pub seed: u64,
    /// How much was simulated.
    pub effort: Effort,
    /// A row a scenario and design.
    pub rows: Vec<Row>,
}

/// What was counted of one scenario in one design.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// What disturbed it.
    pub scenario: &'static str,
    /// What head was held against.
    pub against: String,
    /// Cells of a call.
    pub cells: usize,
    /// Unchanged calls that were red.
    pub red_calls: Rate,
    /// Unchanged cells that were red.
    pub red_cells: Rate,
    /// Displayed intervals that held the truth, by metric; of the first measurement where suspects were measured again.
    pub covered: BTreeMap<&'static str, Rate>,
    /// Rounds of an unchanged call by those of its first measurement.
    pub cost: f64,
    /// What of each change was found.
    pub found: Vec<Found>,
    /// What other rules said of p50 in the very same rounds (with stored runs: against the last of them).
    pub rivals: Vec<Rival>,
}

/// Calls with one slower cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// What was slower.
    pub change: String,
    /// Calls that named the cell.
    pub named: Rate,
    /// Cells beside it that were red.
    pub wrongly_named: Rate,
    /// Rounds of a call by those of its first measurement.
    pub cost: f64,
}

/// What another rule said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rival {
    /// The rule.
    pub rule: &'static str,
    /// Unchanged cells that it called slower.
    pub red_cells: Rate,
    /// Unchanged calls in which it called any cell slower.
    pub red_calls: Rate,
    /// Cells that were 5 % slower, and that it called so.
    pub found: Rate,
}

/// What was counted of some calls with the same truth.
#[derive(Debug, Clone, Default)]
struct Counted {
    red_calls: Rate,
    red_cells: Rate,
    named: Rate,
    covered: BTreeMap<&'static str, Rate>,
    cost: f64,
    calls: f64,
    /// For each rule: unchanged cells, unchanged calls, changed cells that it called slower.
    rivals: Vec<[Rate; 3]>,
}

/// Calls with the same truth.
#[derive(Clone, Copy)]
struct Truth<'a> {
    scenario: &'a Scenario,
    design: Design,
    change: Change,
}

/// Simulates, judges and counts. The same seed and effort give the same answer, on any number of cores.
pub fn calibrate(effort: Effort, seed: u64) -> Calibration {
    study(SCENARIOS, effort, seed)
}

/// The same for some scenarios.
pub(super) fn study(scenarios: &[Scenario], effort: Effort, seed: u64) -> Calibration {
    let banks = banks(scenarios, effort.bank, seed);
    let truths: Vec<Truth> = rows(scenarios)
        .flat_map(|(scenario, design)| changes(design).map(move |change| Truth { scenario, design, change }))
        .collect();
    let blocks: Vec<(usize, Range<usize>)> = truths
        .iter()
        .enumerate()
        .flat_map(|(place, truth)| {
            let calls = if truth.change == Change::None { effort.unchanged } else { effort.changed };
            (0..calls).step_by(BLOCK).map(move |first| (place, first..calls.min(first + BLOCK)))
        })
        .collect();
    let counted = parallel::map(blocks, parallel::cores(), |(place, numbers)| {
        let mut counted = Counted::default();
        for number in numbers {
            let mut luck = Luck::new(seed_of(seed, place, number));
            truths[place].count(number < effort.rivals, &banks, &mut luck, &mut counted);
        }
        (place, counted)
    });
    let mut sums: Vec<Counted> = vec![Counted::default(); truths.len()];
    for (place, counted) in counted {
        sums[place].add(counted);
    }
    let each_row = truths.chunks(IN_DUETS.len()).zip(sums.chunks(IN_DUETS.len()));
    Calibration { seed, effort, rows: each_row.map(|(truths, sums)| row(truths, sums)).collect() }
}

/// Every scenario in a duet and against five stored runs; where runs differ, also against a single one.
fn rows(scenarios: &[Scenario]) -> impl Iterator<Item = (&Scenario, Design)> {
    scenarios.iter().flat_map(|scenario| {
        let one = (scenario.world.run > 0.0).then_some(Design::Stored(1));
        [Design::Duet, Design::Stored(5)].into_iter().chain(one).map(move |design| (scenario, design))
    })
}

fn changes(design: Design) -> impl Iterator<Item = Change> {
    match design {
        Design::Duet => IN_DUETS,
        Design::Stored(_) => AGAINST_STORED,
    }
    .into_iter()
}

fn banks(scenarios: &[Scenario], rounds: usize, seed: u64) -> Banks {
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
fn seed_of(seed: u64, place: usize, number: usize) -> u64 {
    const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
    let mixed = seed.wrapping_mul(SPREAD) ^ ((place as u64) << 32 | number as u64);
    mixed.wrapping_mul(SPREAD) ^ (mixed >> 29)
}

impl Truth<'_> {
    /// Makes one call, and counts what became of it.
    fn count(&self, with_rivals: bool, banks: &Banks, luck: &mut Luck, counted: &mut Counted) {
        let world = &self.scenario.world;
        let done = call(world, self.design, self.change, banks, luck);
        let is_unchanged = self.change == Change::None;
        let red = |verdict: Verdict| verdict == Verdict::Regressed;
        let cells = &done.judgement.cells;
        for (cell, judged) in cells.iter().enumerate() {
            if is_unchanged || cell > 0 {
                counted.red_cells.count(red(judged.verdict));
            } else {
                counted.named.count(red(judged.verdict));
            }
        }
        if is_unchanged {
            counted.red_calls.count(cells.iter().any(|cell| red(cell.verdict)));
            for comparison in cells.iter().flat_map(|cell| &cell.comparisons) {
                counted.cover(comparison);
            }
        }
        counted.cost += done.cost;
        counted.calls += 1.0;
        if with_rivals && (is_unchanged || self.change == RIVALS_FIND) {
            self.ask_rivals(&done, banks, luck, counted);
        }
    }

    fn ask_rivals(&self, done: &Call, banks: &Banks, luck: &mut Luck, counted: &mut Counted) {
        counted.rivals.resize(RULES.len(), Default::default());
        let is_unchanged = self.change == Change::None;
        let asked = if is_unchanged { &done.first[..] } else { &done.first[..1] };
        let sides: Vec<(Side, Side)> = asked
            .iter()
            .map(|cell| {
                let base = Side::new(&cell.base, &banks[&cell.base_shape]);
                (base, Side::new(&cell.head, &banks[&cell.head_shape]))
            })
            .collect();
        for (rule, [cells, calls, found]) in RULES.iter().zip(&mut counted.rivals) {
            let said: Vec<bool> =
                sides.iter().map(|(base, head)| (rule.is_slower)(base, head, luck)).collect();
            if is_unchanged {
                calls.count(said.contains(&true));
                said.iter().for_each(|slower| cells.count(*slower));
            } else {
                said.iter().for_each(|slower| found.count(*slower));
            }
        }
    }
}

impl Counted {
    /// Whether the interval of an unchanged comparison held the truth.
    fn cover(&mut self, comparison: &Comparison) {
        let shown = match comparison.stage {
            Stage::Confirmed { screening, .. } => screening,
            Stage::Whole | Stage::Screened => comparison.change,
        };
        let Some(Seen { low, high, .. }) = shown else { return };
        if !comparison.is_difference() {
            self.covered.entry(comparison.metric.id).or_default().count(low <= 0.0 && 0.0 <= high);
        }
    }

    fn add(&mut self, other: Self) {
        self.red_calls.add(other.red_calls);
        self.red_cells.add(other.red_cells);
        self.named.add(other.named);
        self.cost += other.cost;
        self.calls += other.calls;
        for (id, rate) in other.covered {
            self.covered.entry(id).or_default().add(rate);
        }
        self.rivals.resize(self.rivals.len().max(other.rivals.len()), Default::default());
        for (own, other) in self.rivals.iter_mut().zip(other.rivals) {
            own.iter_mut().zip(other).for_each(|(own, other)| own.add(other));
        }
    }

    fn mean_cost(&self) -> f64 {
        self.cost / self.calls.max(1.0)
    }
}

/// The unchanged calls come first, then those with each change.
fn row(truths: &[Truth], sums: &[Counted]) -> Row {
    let (first, unchanged) = (&truths[0], &sums[0]);
    let found = truths[1..].iter().zip(&sums[1..]).map(|(truth, counted)| Found {
        change: truth.change.name(),
        named: counted.named,
        wrongly_named: counted.red_cells,
        cost: counted.mean_cost(),
    });
    let finding = truths.iter().position(|truth| truth.change == RIVALS_FIND);
    let rivals = RULES.iter().enumerate().map(|(index, rule)| {
        let of = |sum: &Counted| sum.rivals.get(index).copied().unwrap_or_default();
        let [red_cells, red_calls, _] = of(unchanged);
        let [.., found] = finding.map(|place| of(&sums[place])).unwrap_or_default();
        Rival { rule: rule.name, red_cells, red_calls, found }
    });
    Row {
        scenario: first.scenario.name,
        against: first.design.name(),
        cells: first.scenario.world.cells,
        red_calls: unchanged.red_calls,
        red_cells: unchanged.red_cells,
        covered: unchanged.covered.clone(),
        cost: unchanged.mean_cost(),
        found: found.collect(),
        rivals: rivals.collect(),
    }
}
