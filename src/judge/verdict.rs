//! What comes out of judging: plain data for reports and exit codes.

use std::collections::BTreeSet;

use crate::record::{Metric, TestBed};

/// What is said of a cell or of one of its metrics; the worse, the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// The interval lies within the equivalence margin; of the success ratio: not more than its margin was seen to change.
    Unchanged,
    /// Shown to be better.
    Improved,
    /// It looked better in the screening of a duet, and was not measured again.
    SeemsFaster,
    /// The baseline does not have it.
    New,
    /// Neither a change nor equality was shown.
    Inconclusive,
    /// Another machine, window or definition.
    Incomparable,
    /// It could not be measured fairly.
    Invalid,
    /// Shown to be worse.
    Regressed,
}

impl Verdict {
    /// Its name in files and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Unchanged => "unchanged",
            Verdict::Improved => "improved",
            Verdict::SeemsFaster => "seems faster",
            Verdict::New => "new",
            Verdict::Inconclusive => "inconclusive",
            Verdict::Incomparable => "incomparable",
            Verdict::Invalid => "invalid",
            Verdict::Regressed => "regressed",
        }
    }
}

/// A change with its plain interval at the cell's confidence level, in the metric's own direction.
///
/// Fractions of base (0.05 is 5 % more); for the success ratio a difference of shares (0.05 is 5 points more).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// Lower end.
    pub low: f64,
    /// The estimate.
    pub estimate: f64,
    /// Upper end.
    pub high: f64,
}

/// In which stage of a call something was decided.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stage {
    /// At once, corrected over the whole call.
    Whole,
    /// By the screening of a duet: nothing is red by it, and its p value is not corrected.
    Screened,
    /// It looked slower (or faster) in the screening, and fresh pairs decided.
    Confirmed {
        /// The look that decided, counted from 1.
        look: usize,
        /// How many looks there are at most.
        looks: usize,
        /// Fresh pairs of rounds that decided.
        pairs: usize,
        /// What the screening had shown.
        screening: Option<Change>,
    },
}

/// One metric of one cell, base against head.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The metric.
    pub metric: &'static Metric,
    /// Whether it counts for the cell's verdict and in the correction for many tests; the others are only shown.
    pub judged: bool,
    /// Base's value, in the metric's unit; nothing when it has none.
    pub base: Option<f64>,
    /// Head's value, in the metric's unit; nothing when it has none.
    pub head: Option<f64>,
    /// The change; nothing when there is none to tell.
    pub change: Option<Change>,
    /// Holm's adjusted p value of "no worse than the red margin", or of "no better than it" when head is better.
    /// 1 when nothing was tested. For what is only shown it is Bonferroni's, as for one more test of the call.
    pub p_adjusted: f64,
    /// What follows.
    pub verdict: Verdict,
    /// In which stage it was decided.
    pub stage: Stage,
    /// How the interval was made, or why there is none.
    pub method: String,
    /// The smallest worsening that this run would have found in four of five cases at the corrected level, as a positive fraction:
    /// 0.2 is a latency 20 % up, a throughput 20 % down, a success ratio 20 points down.
    pub findable: Option<f64>,
    /// What is too little to be red, as a fraction; of the success ratio as a difference of shares.
    pub margin: f64,
    /// What would decide it, when it is undecided.
    pub advice: Option<String>,
}

/// A value with its interval, in the metric's unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// Its interval at the cell's confidence level; nothing when no spread is known.
    pub interval: Option<(f64, f64)>,
    /// How the interval was made.
    pub method: String,
}

/// A metric that head has, with base's where base has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// The metric.
    pub metric: &'static Metric,
    /// Head's value.
    pub head: Estimate,
    /// Base's value.
    pub base: Option<Estimate>,
}

/// What became of an absolute limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitOutcome {
    /// Shown to be broken.
    Broken,
    /// Shown to hold: the whole interval lies below it.
    Holds,
    /// Neither.
    Undecided,
}

/// An absolute limit, held against head.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitCheck {
    /// The metric that is limited.
    pub metric: &'static Metric,
    /// The most that it may be, in its unit.
    pub limit: f64,
    /// Head's value; nothing when it has none.
    pub value: Option<Estimate>,
    /// Holm's adjusted p value of "it holds".
    pub p_adjusted: f64,
    /// What follows.
    pub outcome: LimitOutcome,
    /// A sentence.
    pub reason: String,
}

/// A judged metric of head, held against the run that began the epoch of its baseline.
#[derive(Debug, Clone, PartialEq)]
pub struct AnchorCheck {
    /// The metric.
    pub metric: &'static Metric,
    /// The id of the run.
    pub anchor: String,
    /// Head against it, with its plain interval.
    pub change: Change,
    /// Holm's adjusted p value of "no worse than the red margin".
    pub p_adjusted: f64,
    /// Whether head is shown to be worse.
    pub exceeded: bool,
    /// A sentence for when it is.
    pub reason: String,
}

/// What is said of one cell.
#[derive(Debug, Clone, PartialEq)]
pub struct CellJudgement {
    /// Its group.
    pub group: String,
    /// Its id within the group.
    pub id: String,
    /// The worst of its judged comparisons, or what made comparing impossible.
    pub verdict: Verdict,
    /// Why, in a sentence, unless it is unchanged.
    pub reason: Option<String>,
    /// All metrics that could be compared and all that should have been, the success ratio first.
    pub comparisons: Vec<Comparison>,
    /// Its absolute limits.
    pub limits: Vec<LimitCheck>,
    /// What came of holding it against the anchor of its epoch; empty where the epoch has one run only, and in a duet.
    pub anchors: Vec<AnchorCheck>,
    /// Every metric that head has; in a duet that was screened, what the screening showed of it.
    pub values: Vec<Shown>,
    /// What the fresh pairs showed of the metrics that they decided: no value of the screening stands beside their change.
    pub fresh: Vec<Shown>,
    /// What else is worth saying.
    pub notes: Vec<String>,
}

/// Stored runs that were not compared with, since they were measured on another test bed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherTestBed {
    /// Where the newest of them was measured.
    pub base: TestBed,
    /// The commit that it measured.
    pub commit: Option<String>,
    /// Where head was measured.
    pub here: TestBed,
}

/// What is said of a whole call.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Judgement {
    /// Its cells in the order of their definition.
    pub cells: Vec<CellJudgement>,
    /// Whole ids of cells that a baseline of a measured group has and head has not.
    pub gone: Vec<String>,
    /// How many tests share the significance level.
    pub tests: usize,
    /// Set if a cell was not compared because its stored runs were measured on another test bed.
    pub other_test_bed: Option<OtherTestBed>,
    /// What is worth saying of the baselines as such.
    pub notes: Vec<String>,
    /// What a duet's screening found to look slower or faster.
    pub suspects: Vec<Suspect>,
}

/// A comparison of a duet that looked slower or faster in the screening.
#[derive(Debug, Clone, PartialEq)]
pub struct Suspect {
    /// The whole id of its cell.
    pub cell: String,
    /// The metric that was compared.
    pub metric: &'static Metric,
    /// The place among its cell's limits when an absolute limit looked broken; else it is a comparison.
    pub limit: Option<usize>,
    /// Whether it looked slower; else faster.
    pub slower: bool,
    /// Whether another look would tell more: neither confirmed nor dropped, and looks are left.
    pub open: bool,
    /// The last look that judged it, from 1; 0 when it was not measured again.
    pub look: usize,
}

impl Comparison {
    /// Whether [`Change`] is a difference of shares and no fraction of base.
    pub fn is_difference(&self) -> bool {
        self.metric.is_by_counts()
    }
}

impl LimitCheck {
    /// Whether it is shown to be broken.
    pub fn is_broken(&self) -> bool {
        self.outcome == LimitOutcome::Broken
    }
}

impl CellJudgement {
    /// `group/function/parameter`.
    pub fn full_id(&self) -> String {
        format!("{}/{}", self.group, self.id)
    }
}

impl Judgement {
    /// Whole ids of the cells that another look would tell more of: those that looked slower, and if asked those that looked faster.
    pub fn open_suspects(&self, with_faster: bool) -> BTreeSet<&str> {
        let is_wanted = |suspect: &&Suspect| suspect.open && (suspect.slower || with_faster);
        self.suspects.iter().filter(is_wanted).map(|suspect| suspect.cell.as_str()).collect()
    }

    /// How many cells have that verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.cells.iter().filter(|cell| cell.verdict == verdict).count()
    }

    /// Whether not one metric of one cell could be compared with a baseline.
    pub fn compared_nothing(&self) -> bool {
        !self.cells.iter().flat_map(|cell| &cell.comparisons).any(|comparison| comparison.change.is_some())
    }
}
