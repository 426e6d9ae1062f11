//! What plimsoll promises of its gate, held against what was counted. A promise counts as broken when the count shows it, not when
//! chance could have made it.

use std::fmt;

use serde::Serialize;

use crate::calibrate::call::Design;
use crate::calibrate::rate::Rate;
use crate::calibrate::scenario::{ALL_DISTURBANCES, MOST_RUN_EFFECT, SCENARIOS};
use crate::calibrate::study::{Calibration, Found, Row};

/// Unchanged calls that may be red.
const MOST_RED_CALLS: f64 = 0.01;
/// Displayed intervals that hold the truth.
const LEAST_COVERED: f64 = 0.93;
/// Calls with one cell of thirty 5 % slower that are found in a duet, all disturbances.
const LEAST_FOUND: (&str, f64) = ("+5 %", 0.95);
/// The same with p99 15 % up.
const LEAST_TAIL_FOUND: (&str, f64) = ("tail +15 %", 0.80);
/// Rounds of such a call by those of its screening.
const MOST_COST: f64 = 1.3;
/// One-sided error of each of the hundred or so checks: so seldom does a kept promise look broken.
const ERROR: f64 = 1e-4;

/// A promise that was not kept.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Broken(String);

impl fmt::Display for Broken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Calibration {
    /// The promises that the counts show to be broken.
    pub fn broken(&self) -> Vec<Broken> {
        self.rows.iter().flat_map(broken).collect()
    }
}

fn broken(row: &Row) -> Vec<Broken> {
    let mut broken = Vec::new();
    if is_promised(row) {
        broken.extend(at_most(row, "unchanged calls were red", row.red_calls, MOST_RED_CALLS));
        for (id, rate) in &row.covered {
            broken.extend(at_least(row, &format!("intervals of {id} held the truth"), *rate, LEAST_COVERED));
        }
    }
    if row.scenario == ALL_DISTURBANCES && row.against == Design::Duet.name() {
        for (change, least) in [LEAST_FOUND, LEAST_TAIL_FOUND] {
            for found in row.found.iter().filter(|found| found.change == change) {
                broken.extend(at_least(row, &format!("calls with {change} were found"), found.named, least));
                broken.extend((found.cost > MOST_COST).then(|| too_dear(row, found)));
            }
        }
    }
    broken
}

fn at_most(row: &Row, what: &str, rate: Rate, most: f64) -> Option<Broken> {
    (rate.lower_limit(ERROR) > most).then(|| says(row, what, rate, "at most", most))
}

fn at_least(row: &Row, what: &str, rate: Rate, least: f64) -> Option<Broken> {
    (rate.trials > 0 && rate.upper_limit(ERROR) < least).then(|| says(row, what, rate, "at least", least))
}

fn too_dear(row: &Row, found: &Found) -> Broken {
    let Found { change, cost, .. } = found;
    Broken(format!(
        "{}, {}: a call with {change} took {cost:.2} times its screening, promised are at most {MOST_COST}",
        row.scenario, row.against
    ))
}

/// Promised of duets, and of five stored runs where runs differ by up to 2 %.
fn is_promised(row: &Row) -> bool {
    let run = SCENARIOS.iter().find(|scenario| scenario.name == row.scenario).map(|found| found.world.run);
    row.against == Design::Duet.name()
        || (row.against == Design::Stored(5).name() && run.is_some_and(|run| run <= MOST_RUN_EFFECT))
}

fn says(row: &Row, what: &str, rate: Rate, bound: &str, promised: f64) -> Broken {
    let share = 100.0 * rate.share().unwrap_or(0.0);
    Broken(format!(
        "{}, {}: {share:.1} % of {} {what}, promised are {bound} {:.0} %",
        row.scenario,
        row.against,
        rate.trials,
        100.0 * promised
    ))
}
