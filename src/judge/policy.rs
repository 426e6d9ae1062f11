//! What a call is judged by, and what a cell's own rules make of it.

use crate::record::Rules;

/// Against a stored baseline, a guest from another time.
const STORED: Margins = Margins { red: 0.05, equal: 0.10 };
/// In a duet.
const DUET: Margins = Margins { red: 0.01, equal: 0.05 };
/// By how much the share of failures may rise: 0.1 points.
const FALL_MARGIN: f64 = 0.001;
const SEED: u64 = 1;

/// How much is too little, and how much is nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Margins {
    /// What is too little to be red, as a fraction.
    pub red: f64,
    /// What is little enough to be called equal, as a fraction.
    pub equal: f64,
}

/// What to do with a stored run of another machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum OnMismatch {
    /// Leave it out; without any other the cell is incomparable.
    Incomparable,
    /// Compare with it all the same, and say so.
    Compare,
}

/// What a whole call is judged by. Levels and resamples are each cell's own ([`Rules`]), and so are its margins when
/// its group sets them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// Margins against a stored baseline, unless a group says otherwise.
    pub stored: Margins,
    /// Margins in a duet, unless a group says otherwise.
    pub duet: Margins,
    /// The rise of the failure share that is none yet: 0.001 is 0.1 points.
    pub fall_margin: f64,
    /// Seed of the bootstraps of shown values. No verdict depends on it.
    pub seed: u64,
    /// What to do with stored runs of another machine.
    pub on_mismatch: OnMismatch,
    /// Whether only a selection of the cells was asked for: those of a baseline that are missing are not gone then.
    pub filtered: bool,
    /// Whether to leave out what no verdict depends on, values and findable changes: for simulations.
    pub verdicts_only: bool,
}

impl Policy {
    /// Red beyond 5 % against a stored baseline and beyond 1 % in a duet; equal within 10 % and 5 %.
    pub const fn usual() -> Self {
        Self {
            stored: STORED,
            duet: DUET,
            fall_margin: FALL_MARGIN,
            seed: SEED,
            on_mismatch: OnMismatch::Incomparable,
            filtered: false,
            verdicts_only: false,
        }
    }
}

/// What one cell is judged by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Terms {
    /// What is too little to be red, as a fraction.
    pub red: f64,
    /// What is little enough to be called equal, as a fraction.
    pub equal: f64,
    /// The rise of the failure share that is none yet.
    pub fall: f64,
    /// One-sided error for the whole call.
    pub level: f64,
    /// Confidence of the displayed intervals.
    pub confidence: f64,
}

impl Terms {
    /// The one-sided level that one of `tests` has to reach at the least to be red: the displayed interval has to show it too.
    pub fn level_of_one(&self, tests: usize) -> f64 {
        (self.level / tests.max(1) as f64).min(0.5 * (1.0 - self.confidence))
    }

    /// A cell's rules, and the policy where they are silent or make no sense.
    pub fn new(rules: &Rules, policy: &Policy, is_duet: bool) -> Self {
        let usual = if is_duet { policy.duet } else { policy.stored };
        let margin =
            |own: Option<f64>, usual: f64| own.filter(|own| own.is_finite() && *own >= 0.0).unwrap_or(usual);
        Self {
            red: margin(rules.noise_threshold, usual.red),
            equal: margin(rules.equivalence, usual.equal),
            fall: policy.fall_margin,
            level: rules.significance_level,
            confidence: rules.confidence_level,
        }
    }
}
