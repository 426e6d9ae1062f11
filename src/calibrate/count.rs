//! What is counted of simulated calls that have the same truth.

use std::collections::BTreeMap;

use crate::calibrate::call::{Call, call};
use crate::calibrate::design::Design;
use crate::calibrate::luck::Luck;
use crate::calibrate::rate::Rate;
use crate::calibrate::rivals::{RULES, Side};
use crate::calibrate::scenario::Scenario;
use crate::calibrate::simulate::Banks;
use crate::calibrate::world::Change;
use crate::judge::{Change as Seen, Comparison, Stage, Verdict};
use crate::record::Better;

/// The change that other rules are asked to find.
pub(super) const RIVALS_FIND: Change = Change::Cell(5);

/// Calls with the same truth.
#[derive(Clone, Copy)]
pub(super) struct Truth<'a> {
    pub scenario: &'a Scenario,
    pub design: Design,
    pub change: Change,
}

/// What was counted of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Counted {
    /// Calls with a red cell that did not change.
    pub red_calls: Rate,
    /// Cells that did not change and were red.
    pub red_cells: Rate,
    /// Changed cells that were red.
    pub named: Rate,
    /// Changed metrics that were red.
    pub by_metric: Rate,
    /// Intervals of the first measurement that held the truth, where nothing changed.
    pub covered: BTreeMap<&'static str, Rate>,
    /// Intervals of fresh pairs that held it.
    pub covered_fresh: Rate,
    cost: f64,
    calls: f64,
    /// For each rule: unchanged cells, unchanged calls, and changed cells that it called slower.
    pub rivals: Vec<[Rate; 3]>,
}

impl Truth<'_> {
    fn is_unchanged(&self) -> bool {
        self.change == Change::None
    }

    /// Makes one call, and counts what became of it.
    pub fn count(&self, with_rivals: bool, banks: &Banks, luck: &mut Luck, counted: &mut Counted) {
        let done = call(&self.scenario.world, self.design, self.change, banks, luck);
        let red = |verdict: Verdict| verdict == Verdict::Regressed;
        let is_changed = |cell: usize| cell == 0 && !self.is_unchanged();
        let mut any_red = false;
        for (cell, judged) in done.judgement.cells.iter().enumerate() {
            if is_changed(cell) {
                counted.named.count(red(judged.verdict));
                let mut own = judged.comparisons.iter().filter(|one| self.change.shows_in(one.metric));
                counted.by_metric.count(own.any(|one| one.judged && red(one.verdict)));
            } else {
                any_red |= red(judged.verdict);
                counted.red_cells.count(red(judged.verdict));
            }
            for comparison in &judged.comparisons {
                self.cover(comparison, cell, counted);
            }
        }
        counted.red_calls.count(any_red);
        counted.cost += done.cost;
        counted.calls += 1.0;
        if with_rivals && (self.is_unchanged() || self.change == RIVALS_FIND) {
            self.ask_rivals(&done, banks, luck, counted);
        }
    }

    /// Whether the intervals of a comparison hold the truth, as far as that is known: a longer tail moves the mean by an amount of its own.
    fn cover(&self, comparison: &Comparison, cell: usize, counted: &mut Counted) {
        if comparison.is_difference() || matches!(self.change, Change::Tail(_)) && cell == 0 {
            return;
        }
        let log = self.change.log_of(cell);
        let truth = match comparison.metric.better {
            Better::Lower => log.exp_m1(),
            Better::Higher => (-log).exp_m1(),
        };
        let holds = |shown: Seen| shown.low <= truth && truth <= shown.high;
        let (first, fresh) = match comparison.stage {
            Stage::Confirmed { screening, .. } => (screening, comparison.change),
            Stage::Whole | Stage::Screened => (comparison.change, None),
        };
        if let Some(shown) = first.filter(|_| self.is_unchanged()) {
            counted.covered.entry(comparison.metric.id).or_default().count(holds(shown));
        }
        // In steps a change is not what it was before they were taken.
        if let Some(shown) = fresh.filter(|_| self.is_unchanged() || self.scenario.world.step == 0.0) {
            counted.covered_fresh.count(holds(shown));
        }
    }

    fn ask_rivals(&self, done: &Call, banks: &Banks, luck: &mut Luck, counted: &mut Counted) {
        counted.rivals.resize(RULES.len(), Default::default());
        let asked = if self.is_unchanged() { &done.first[..] } else { &done.first[..1] };
        let world = &self.scenario.world;
        let sides: Vec<(Side, Side)> = asked
            .iter()
            .map(|cell| {
                let base = Side::new(&cell.base, &banks[&cell.base_shape], world);
                (base, Side::new(&cell.head, &banks[&cell.head_shape], world))
            })
            .collect();
        for (rule, [cells, calls, found]) in RULES.iter().zip(&mut counted.rivals) {
            let said: Vec<bool> =
                sides.iter().map(|(base, head)| (rule.is_slower)(base, head, luck)).collect();
            if self.is_unchanged() {
                calls.count(said.contains(&true));
                said.iter().for_each(|slower| cells.count(*slower));
            } else {
                said.iter().for_each(|slower| found.count(*slower));
            }
        }
    }
}

impl Counted {
    /// Adds what was counted of other calls.
    pub fn add(&mut self, other: Self) {
        self.red_calls.add(other.red_calls);
        self.red_cells.add(other.red_cells);
        self.named.add(other.named);
        self.by_metric.add(other.by_metric);
        self.covered_fresh.add(other.covered_fresh);
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

    /// Rounds of a call by those of its first measurement.
    pub fn mean_cost(&self) -> f64 {
        self.cost / self.calls.max(1.0)
    }
}
