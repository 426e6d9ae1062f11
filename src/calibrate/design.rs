//! How a call is made: what head is held against, and over how many launches its rounds are spread.

use serde::{Serialize, Serializer};

use crate::calibrate::scenario::{ALL_DISTURBANCES, Scenario};

/// What head is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    /// Base beside it; what looks slower is measured again where there are launches.
    Duet,
    /// Stored runs.
    Stored {
        /// How many of them.
        runs: usize,
        /// Runs of head.
        head: usize,
    },
}

/// How a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Design {
    pub(super) base: Base,
    /// Launches of a run.
    pub(super) launches: usize,
    /// Rounds of a cell in a launch.
    pub(super) rounds: usize,
}

/// A duet as it is unless launches are dear.
pub(super) const DUET: Design = duet(30, 1);
/// The same against five stored runs.
pub(super) const FIVE_STORED: Design = stored(5, 1);
const ONE_STORED: Design = stored(1, 1);

/// Other layouts, tried with all disturbances: dear launches, `--quick`, one launch (a service that was not started by plimsoll), and
/// several runs of head.
const OTHERS: [Design; 5] = [duet(10, 3), duet(5, 6), duet(5, 2), duet(1, 30), stored(5, 3)];

const fn duet(launches: usize, rounds: usize) -> Design {
    Design { base: Base::Duet, launches, rounds }
}

const fn stored(runs: usize, head: usize) -> Design {
    Design { base: Base::Stored { runs, head }, launches: 10, rounds: 3 }
}

impl Design {
    /// Its name in tables.
    pub fn name(self) -> String {
        let layout = format!("{} × {}", self.launches, self.rounds);
        match self.base {
            Base::Duet => format!("duet, {layout}"),
            Base::Stored { runs: 1, head: 1 } => format!("1 stored run, {layout}"),
            Base::Stored { runs, head: 1 } => format!("{runs} stored runs, {layout}"),
            Base::Stored { runs, head } => format!("{runs} stored and {head} head runs, {layout}"),
        }
    }

    /// Whether both sides are measured together.
    pub fn is_duet(self) -> bool {
        self.base == Base::Duet
    }

    /// Whether other rules are asked, too: of both sides' rounds, or of one stored run's, as they are used.
    pub(super) fn asks_rivals(self) -> bool {
        self == DUET || self == ONE_STORED
    }
}

impl Serialize for Design {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name())
    }
}

/// The designs that a scenario is tried with: where runs differ, also a single stored one.
pub(super) fn designs(scenario: &Scenario) -> Vec<Design> {
    let mut designs = vec![DUET, FIVE_STORED];
    if scenario.world.run > 0.0 {
        designs.push(ONE_STORED);
    }
    if scenario.name == ALL_DISTURBANCES {
        designs.extend(OTHERS);
    }
    designs
}
