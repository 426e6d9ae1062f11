//! What plimsoll promises of its gate, held against what was counted.
//!
//! A promise counts as broken when the counts show it, not when chance could have made them: row by row, and over all rows together,
//! where much smaller failings show. What lies on the wrong side without being shown is told as such.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::calibrate::design::{DUET, FIVE_STORED};
use crate::calibrate::rate::Rate;
use crate::calibrate::row::{Calibration, Row};
use crate::calibrate::scenario::{ALL_DISTURBANCES, MOST_RUN_EFFECT};
use crate::calibrate::study::is_promised_to_find;
use crate::calibrate::world::Change;

/// Calls that may be red where nothing changed, or name what did not change.
const MOST_RED_CALLS: f64 = 0.01;
/// Displayed intervals that hold the truth.
const LEAST_COVERED: f64 = 0.93;
/// What a duet finds with all disturbances in thirty cells.
const LEAST_FOUND: [(Change, f64); 2] = [(Change::Cell(5), 0.95), (Change::Tail(15), 0.80)];
/// Rounds of such a call by those of its screening; a mean over many calls, compared as it is.
const MOST_COST: f64 = 1.3;
/// One-sided error of each of the few hundred checks: so seldom does a kept promise look broken.
const ERROR: f64 = 1e-4;

/// How a promise stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The counts show that it is broken.
    Broken,
    /// The counts lie on the wrong side, which may be chance.
    Doubtful,
}

/// A promise that is broken or doubtful.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Doubt {
    /// How it stands.
    pub standing: Standing,
    /// What was promised, and what was counted.
    pub says: String,
}

/// A share that is promised.
struct Promise<'a> {
    of: &'a str,
    what: String,
    counted: Rate,
    bound: Bound,
}

#[derive(Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Calibration {
    /// The promises that are broken, and those that are doubtful.
    pub fn doubts(&self) -> Vec<Doubt> {
        let mut doubts: Vec<Doubt> = self.rows.iter().flat_map(of_row).collect();
        doubts.extend(of_all(&self.rows));
        let promised = |row: &&Row| is_promised_to_find(&row.scenario, row.design);
        match self.rows.iter().find(promised) {
            Some(row) => doubts.extend(of_power(row)),
            None => doubts.push(broken(format!("{ALL_DISTURBANCES} in a duet were not simulated"))),
        }
        doubts.sort_by_key(|doubt| doubt.standing == Standing::Doubtful);
        doubts
    }
}

impl Promise<'_> {
    fn doubt(&self) -> Option<Doubt> {
        let share = self.counted.share()?;
        let (is_wrong, is_shown, promised) = match self.bound {
            Bound::AtMost(most) => (share > most, self.counted.lower_limit(ERROR) > most, ("at most", most)),
            Bound::AtLeast(least) => {
                (share < least, self.counted.upper_limit(ERROR) < least, ("at least", least))
            }
        };
        let standing = if is_shown { Standing::Broken } else { Standing::Doubtful };
        let says = format!(
            "{}: {} of {} {} ({:.1} %), promised are {} {:.0} %",
            self.of,
            self.counted.hits,
            self.counted.trials,
            self.what,
            100.0 * share,
            promised.0,
            100.0 * promised.1
        );
        is_wrong.then_some(Doubt { standing, says })
    }
}

fn broken(says: String) -> Doubt {
    Doubt { standing: Standing::Broken, says }
}

/// Promised of duets, and of five stored runs where runs do not differ by more than they may.
fn is_promised(row: &Row) -> bool {
    const ROUNDING: f64 = 1e-9;
    row.design.is_duet()
        || (row.design == FIVE_STORED && row.scenario.world.run_effect() <= MOST_RUN_EFFECT + ROUNDING)
}

fn of_row(row: &Row) -> Vec<Doubt> {
    if !is_promised(row) {
        return Vec::new();
    }
    let of = format!("{}, {}", row.scenario.name, row.design.name());
    let red =
        |what: String, counted| Promise { of: &of, what, counted, bound: Bound::AtMost(MOST_RED_CALLS) };
    let mut promises = vec![red("unchanged calls were red".to_owned(), row.red_calls)];
    promises.extend(row.found.iter().map(|found| {
        red(format!("calls with {} were red elsewhere", found.change.name()), found.wrongly_red)
    }));
    promises.extend(row.covered.iter().map(|(id, counted)| Promise {
        of: &of,
        what: format!("intervals of {id} held the truth"),
        counted: *counted,
        bound: Bound::AtLeast(LEAST_COVERED),
    }));
    promises.iter().filter_map(Promise::doubt).collect()
}

/// Over all rows of a kind, where a failing that no row shows by itself adds up.
fn of_all(rows: &[Row]) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    for (of, is_duet) in
        [("All duets together", true), ("All calls against five stored runs together", false)]
    {
        let own = || rows.iter().filter(|row| is_promised(row) && row.design.is_duet() == is_duet);
        let (mut red, mut covered) = (Rate::default(), BTreeMap::<&str, Rate>::new());
        for row in own() {
            red.add(row.red_calls);
            row.found.iter().for_each(|found| red.add(found.wrongly_red));
            row.covered.iter().for_each(|(id, rate)| covered.entry(id).or_default().add(*rate));
        }
        let what = "calls were red where nothing changed".to_owned();
        let red = Promise { of, what, counted: red, bound: Bound::AtMost(MOST_RED_CALLS) };
        let covered = covered.into_iter().map(|(id, counted)| {
            let what = format!("intervals of {id} held the truth");
            Promise { of, what, counted, bound: Bound::AtLeast(LEAST_COVERED) }
        });
        doubts.extend(std::iter::once(red).chain(covered).filter_map(|promise| promise.doubt()));
    }
    doubts
}

fn of_power(row: &Row) -> Vec<Doubt> {
    let of = format!("{}, {}", row.scenario.name, DUET.name());
    let mut doubts = Vec::new();
    for (change, least) in LEAST_FOUND {
        let Some(found) = row.found.iter().find(|found| found.change == change) else {
            doubts.push(broken(format!("{of}: calls with {} were not simulated", change.name())));
            continue;
        };
        let what = format!("calls with {} were found", change.name());
        let promise = Promise { of: &of, what, counted: found.named, bound: Bound::AtLeast(least) };
        doubts.extend(promise.doubt());
        if found.cost > MOST_COST {
            doubts.push(broken(format!(
                "{of}: a call with {} took {:.2} times its screening, promised are at most {MOST_COST}",
                change.name(),
                found.cost
            )));
        }
    }
    doubts
}
