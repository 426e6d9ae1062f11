//! What a calibration found: plain data for tables and machines.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::calibrate::design::Design;
use crate::calibrate::rate::Rate;
use crate::calibrate::scenario::Scenario;
use crate::calibrate::world::Change;

/// How much is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Effort {
    /// Calls of each scenario and design in which nothing changed.
    pub unchanged: usize,
    /// Calls with each change.
    pub changed: usize,
    /// Calls with each change where it is promised to be found.
    pub promised: usize,
    /// Of the calls in which nothing changed, and of those with 5 % more, so many are also shown to other rules.
    pub rivals: usize,
    /// Rounds of each shape to draw from.
    pub bank: usize,
}

impl Effort {
    /// Within a minute on two cores.
    pub const QUICK: Self = Self { unchanged: 80, changed: 16, promised: 160, rivals: 8, bank: 2_000 };
    /// Within ten minutes on two cores: what the documents claim.
    pub const THOROUGH: Self =
        Self { unchanged: 1_000, changed: 150, promised: 1_000, rivals: 100, bank: 5_000 };
}

/// What came out.
#[derive(Debug, Clone, Serialize)]
pub struct Calibration {
    /// The version of plimsoll.
    pub version: &'static str,
    /// The seed of all luck.
    pub seed: u64,
    /// How much was simulated.
    pub effort: Effort,
    /// A row a scenario and design.
    pub rows: Vec<Row>,
}

/// What was counted of one scenario in one design.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// What disturbed it.
    #[serde(serialize_with = "name")]
    pub(super) scenario: Scenario,
    /// How its calls were made.
    pub design: Design,
    /// Unchanged calls that were red.
    pub red_calls: Rate,
    /// Unchanged cells that were red.
    pub red_cells: Rate,
    /// Intervals of the first measurement that held the truth where nothing changed, by metric.
    pub covered: BTreeMap<&'static str, Rate>,
    /// Intervals of fresh pairs that held the truth, in calls of all kinds: their number is decided by looking at them.
    pub covered_fresh: Rate,
    /// Rounds of an unchanged call by those of its first measurement.
    pub cost: f64,
    /// What of each change was found.
    pub found: Vec<Found>,
    /// What other rules said of p50, in the rounds of the first measurement; empty where they were not asked.
    pub rivals: Vec<Rival>,
}

/// Calls with one slower cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// What was slower.
    pub change: Change,
    /// Calls that named the cell.
    pub named: Rate,
    /// Calls in which the very metric was red that was changed: p50, or the tail.
    pub by_metric: Rate,
    /// Calls in which any other cell was red.
    pub wrongly_red: Rate,
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

fn name<S: Serializer>(scenario: &Scenario, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(scenario.name)
}
