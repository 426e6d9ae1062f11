//! What of a cell is tested and decided, and what all cells of a call share meanwhile.

use crate::judge::decide::Test;
use crate::judge::policy::Policy;
use crate::judge::questions::Learned;
use crate::judge::verdict::{Comparison, LimitCheck, Stage, Verdict};
use crate::plan::Confirmation;

/// What all cells of a call share while they are decided.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub policy: &'a Policy,
    pub learned: &'a Learned,
    /// How many tests there are in the call.
    pub tests: usize,
    /// How suspects are confirmed, if they are.
    pub confirmation: Option<&'a Confirmation>,
    /// How many families share the level: stored baselines are one, the suspects of a screening another.
    pub families: usize,
}

/// What of a cell is tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Success,
    /// A metric, by its id.
    Metric(&'static str),
    /// A limit, by its place.
    Limit(usize),
    /// A metric against the anchor of its epoch, by its id.
    Anchor(&'static str),
}

impl Subject {
    /// Whether it is one of the tests against anchors, which have a share of the level for themselves.
    pub const fn is_anchor(self) -> bool {
        matches!(self, Self::Anchor(_))
    }
}

/// A test before the correction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tested {
    pub subject: Subject,
    pub test: Test,
    /// p value of "not slower at all", by which a duet screens.
    pub p_slower: f64,
    /// The worsening that was seen, on the scale of the margin.
    pub estimate: f64,
    /// What is too little to be red.
    pub margin: f64,
}

/// One subject after its decision.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Decided {
    Comparison(Comparison),
    Limit(LimitCheck),
}

impl Decided {
    /// The same, decided in that stage.
    pub fn in_stage(self, stage: Stage) -> Self {
        match self {
            Self::Comparison(comparison) => Self::Comparison(Comparison { stage, ..comparison }),
            Self::Limit(_) => self,
        }
    }

    /// Whether a change, or a broken limit, is shown.
    pub fn is_shown(&self) -> bool {
        match self {
            Self::Comparison(found) => matches!(found.verdict, Verdict::Regressed | Verdict::Improved),
            Self::Limit(check) => check.is_broken(),
        }
    }
}
