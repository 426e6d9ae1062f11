//! What a call is judged by, and what a cell's own rules make of it.

use crate::plan::Settings;

/// By how much the share of failures may rise: 0.1 points.
const FAILURE_MARGIN: f64 = 0.001;

/// What a whole call is judged by. Levels, margins and resamples are each cell's own ([`Settings`]).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// Whether only a selection of the cells was asked for: those of a baseline that are missing are not gone then.
    pub filtered: bool,
    /// Whether to leave out what no verdict depends on, values and findable changes: for simulations.
    pub verdicts_only: bool,
}

impl Policy {
    /// All cells of the bench, and all that a report shows.
    pub const fn usual() -> Self {
        Self { filtered: false, verdicts_only: false }
    }
}

/// What one cell is judged by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Terms {
    /// What is too little to be red, as a fraction.
    pub noise_threshold: f64,
    /// What is little enough to be called equal, as a fraction.
    pub equivalence: f64,
    /// The rise of the failure share that is none yet.
    pub failure_margin: f64,
    /// One-sided error for the whole call.
    pub significance_level: f64,
    /// Confidence of the displayed intervals.
    pub confidence_level: f64,
}

impl Terms {
    /// The one-sided level that one of `tests` has to reach at the least to be red: the displayed interval has to show it too.
    pub fn level_of_one(&self, tests: usize) -> f64 {
        (self.significance_level / tests.max(1) as f64).min(0.5 * (1.0 - self.confidence_level))
    }

    /// A cell's rules, and the usual margins where they are silent.
    pub fn new(rules: &Settings, is_duet: bool) -> Self {
        Self {
            noise_threshold: rules.noise_threshold(is_duet),
            equivalence: rules.equivalence(is_duet),
            failure_margin: FAILURE_MARGIN,
            significance_level: rules.significance_level,
            confidence_level: rules.confidence_level,
        }
    }
}
