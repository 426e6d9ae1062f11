//! What judging finds: plain data for reports and exit codes. Only `report` puts it into sentences.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;

use crate::plan::{CellId, Side};
use crate::record::{Better, Metric, Remedy, TestBed};
use crate::stats::interval::Method as IntervalMethod;
use crate::stats::series::Pattern;

/// What was found of a cell or of one of its metrics, in order of severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The interval lies within the equivalence margin. For the success ratio: the estimate lies within its margin.
    Unchanged,
    /// Shown to be better.
    Improved,
    /// It looked better in the screening and was not measured again.
    #[serde(rename = "seems faster")]
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

/// Why a cell, a comparison or a stored run is judged as it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Reason {
    /// `measure` found that the cell cannot be measured, and recorded why.
    Recorded(String),
    /// The cell has no round.
    NoRounds,
    /// No request was sent inside a round.
    NoRequests,
    /// This machine had no free port left for this number of connections.
    NoFreePort(u64),
    /// This number of requests failed because of an error of this machine.
    ClientErrors(u64),
    /// Too few requests of a side succeeded for its speed to mean anything.
    TooManyFailures {
        /// The side.
        side: Side,
        /// Its success ratio.
        ratio: f64,
        /// The smallest one that is allowed.
        min: f64,
    },
    /// There is no baseline yet.
    NoBaseline,
    /// The baseline does not have the cell.
    NotInBaseline,
    /// Base of a duet could not answer the cell's request; what it answered.
    BaseFailed(String),
    /// Too few requests of a stored run succeeded; the smallest ratio that is allowed.
    StoredFailures(f64),
    /// The cell was defined otherwise when it was stored.
    Redefined,
    /// The machine is not what it was; the difference.
    MachineChanged(String),
    /// No metric of the cell could be compared.
    NothingToCompare,
    /// The comparison of this metric decides for its cell.
    Comparison(&'static Metric),
    /// The limit in this place decides for its cell.
    Limit(usize),
    /// A side has no value of the metric.
    NoValue,
    /// The client was slower than the service, so that the rate is the client's. In the median round its lag is this
    /// number of times the latency.
    ClientBound(f64),
    /// A round of a side has too few successes for the metric.
    TooFewSuccesses {
        /// The side.
        side: Side,
        /// Successes of its poorest round.
        successes: u64,
        /// Successes that are needed.
        needed: u64,
    },
    /// Some rounds of a side have no value of the metric.
    MissingValues(Side),
    /// The stored rounds have another length, on which the tail depends.
    OtherWindow,
    /// All values are zero.
    AllZero,
    /// Some values are zero, and zero has no ratio.
    SomeZero,
    /// It improved, but more requests failed.
    SuccessRatioFell,
    /// It improved, but the responses have another size.
    ResponseSize,
    /// The screening does not decide.
    ScreeningOnly,
    /// The interval lies beyond the noise threshold, but the corrected p value does not reach the level.
    NotSignificant,
    /// It changed, perhaps by less than the noise threshold.
    NearThreshold,
    /// The interval holds zero and more than the equivalence margin.
    NotShown,
    /// The stored runs are too few to decide alone.
    TooFew(TooFew),
    /// Head was measured without a control, so that nothing stored can be compared with.
    NoControl,
    /// The stored run was measured without one.
    StoredWithoutControl,
    /// Today's control differs so much from launch to launch that it says nothing.
    NoisyControl,
    /// The stored run had another control.
    OtherControl {
        /// Its identity.
        from: String,
        /// The identity of head's.
        to: String,
    },
    /// The machine does not behave as when the run was stored: a figure of the control differs.
    ControlDiffers,
}

/// Stored runs that are too few to decide alone, however many they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooFew {
    /// They are of this number of sittings.
    Sittings(usize),
    /// They are of this number of machines with one name, and head may be of another one.
    Machines(usize),
}

/// What would decide an inconclusive comparison.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Advice {
    /// More successes in each round.
    MoreSuccesses {
        /// What gives them.
        remedy: Remedy,
        /// Whether the baseline has too few, so that it must be recorded again.
        record_again: bool,
    },
    /// A longer measurement, if its rounds are then above zero.
    AboveZero(Remedy),
    /// A CPU for the client alone, or a lower concurrency.
    FreeClient,
    /// Enough launches and rounds for a robust centre of a tail.
    RobustTail,
    /// Several launches in place of one.
    SeveralLaunches,
    /// More launches with one pair of rounds each.
    MoreLaunches {
        /// How many.
        launches: usize,
        /// The time that keeps rounds as long as they are.
        measurement_time: Duration,
    },
    /// Sides that do not drift apart while they are measured.
    NoDrift,
    /// A machine on which pairs of rounds differ less.
    QuieterMachine,
    /// Stored runs of other days, or a duet.
    OtherDays,
    /// A duet.
    Duet,
    /// Measuring a candidate of the screening again.
    MeasureAgain,
}

/// How an interval was made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    /// From the values of a side's launches.
    Launches(IntervalMethod),
    /// From the values of a side's runs.
    Runs(IntervalMethod),
    /// From the pairs of a duet.
    Pairs {
        /// How their launches were combined; `None` for one launch, whose effect is assumed.
        launches: Option<IntervalMethod>,
        /// Pairs of rounds.
        pairs: usize,
        /// Why the interval is wider than the launches alone make it.
        widened: Option<Pattern>,
    },
    /// From the pairs of a duet whose launches agree to the resolution of what is measured.
    Resolution {
        /// Launches.
        launches: usize,
        /// Pairs of rounds.
        pairs: usize,
    },
    /// Student's t over the runs of both sides.
    StoredRuns {
        /// Runs of head.
        head: usize,
        /// Stored runs.
        base: usize,
        /// Degrees of freedom.
        df: f64,
        /// Whether the runs have one launch, so that its effect is assumed.
        is_one_launch: bool,
        /// Whether launches out of order make it wider.
        is_widened: bool,
    },
    /// Student's t over head alone, for a limit.
    Head {
        /// Runs.
        runs: usize,
        /// Launches of each run.
        launches: usize,
        /// Degrees of freedom.
        df: f64,
    },
    /// Failures and requests of both sides.
    Counts {
        /// Samples of head.
        head: Counted,
        /// Samples of base.
        base: Counted,
        /// Whether an assumption stands in for too few launches.
        has_allowance: bool,
    },
}

/// What the counts of a side were taken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Launches. Those of a stored run leave out how much runs differ.
    Launches(usize),
    /// Runs.
    Runs(usize),
}

/// Something else to know about a cell, or about a baseline.
#[derive(Debug, Clone, PartialEq)]
pub enum Note {
    /// `measure` recorded it.
    Recorded(String),
    /// The group asks for a metric that does not exist.
    UnknownMetric(String),
    /// A run of head was left out.
    RunLeftOut(Reason),
    /// Stored runs were left out.
    StoredRunsLeftOut {
        /// How many.
        count: usize,
        /// Why.
        reason: Reason,
    },
    /// This number of stored runs was measured on another test bed and is not compared with.
    OtherTestBed(usize),
    /// The responses became shorter or longer by more than a tenth, so that a faster cell did not improve.
    ResponseSize {
        /// Base's mean size in bytes.
        base: f64,
        /// Head's mean size in bytes.
        head: f64,
    },
    /// This tail has too few launches and rounds to be judged.
    ShownOnly(&'static Metric),
    /// The baseline holds one run.
    OneStoredRun,
    /// All stored runs are of one sitting.
    OneSitting {
        /// How many.
        runs: usize,
        /// From the first to the last.
        within: Duration,
    },
    /// The stored runs come from several machines with one name.
    SeveralMachines,
    /// A fact of the setup differs from all stored runs.
    SetupChanged {
        /// The fact.
        fact: &'static str,
        /// Its values in the baseline.
        from: Vec<String>,
        /// Its values in head.
        to: Vec<String>,
    },
}

/// A change with its plain interval at the cell's confidence level, in the metric's own direction.
///
/// Fractions of base (0.05 is 5% more). For the success ratio a difference of ratios (0.05 is 5 points more).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// Lower end.
    pub low: f64,
    /// The estimate.
    pub estimate: f64,
    /// Upper end.
    pub high: f64,
}

/// In which stage of a call a comparison was decided.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stage {
    /// In one stage, corrected over the whole call.
    Whole,
    /// By the screening, which shows no regression; its p value is not corrected.
    Screened,
    /// It was a candidate of the screening, and fresh pairs decided.
    Confirmed {
        /// The interim analysis that decided, counted from 1.
        analysis: usize,
        /// The largest number of interim analyses.
        analyses: usize,
        /// Fresh pairs of rounds that decided.
        pairs: usize,
        /// What the screening had shown.
        screening: Option<Change>,
        /// How its interval was made.
        screened_by: Option<Method>,
    },
}

/// One metric of one cell, base against head.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The metric.
    pub metric: &'static Metric,
    /// Whether it counts for the cell's verdict and in the correction; the others are only shown.
    pub judged: bool,
    /// Base's value, in the metric's unit; `None` if it has none.
    pub base: Option<f64>,
    /// Head's value, in the metric's unit; `None` if it has none.
    pub head: Option<f64>,
    /// The change; `None` if there is none to tell.
    pub change: Option<Change>,
    /// Holm's adjusted p value of "no worse than the noise threshold", or of "no better than it" if head is better.
    /// 1 if nothing was tested. For what is only shown it is Bonferroni's, as for one more test of the call. In the screening it is
    /// not corrected.
    pub p_adjusted: f64,
    /// The verdict.
    pub verdict: Verdict,
    /// Why there is no change, or why it does not decide.
    pub reason: Option<Reason>,
    /// In which stage it was decided.
    pub stage: Stage,
    /// How the interval was made; `None` without one.
    pub method: Option<Method>,
    /// The smallest worsening that this run would have found with 80% probability at the corrected level, as a positive
    /// fraction: 0.2 is a latency 20% up, a throughput 20% down, a success ratio 20 points down. `None` if no worsening would be found.
    pub detectable: Option<f64>,
    /// Smaller changes are ignored: a fraction, or for the success ratio a difference of ratios.
    pub margin: f64,
    /// What would decide it, if it is inconclusive.
    pub advice: Option<Advice>,
}

/// A value with its interval, in the metric's unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// Its interval at the cell's confidence level; `None` if no spread is known.
    pub interval: Option<(f64, f64)>,
    /// How the interval was made.
    pub method: Option<Method>,
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

/// An absolute limit, compared with head.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitCheck {
    /// The metric that is limited.
    pub metric: &'static Metric,
    /// Its largest allowed value, in its unit.
    pub limit: f64,
    /// Head's value; `None` if it has none.
    pub value: Option<Estimate>,
    /// p value of "it holds". Each limit is decided separately.
    pub p: f64,
    /// What follows.
    pub outcome: LimitOutcome,
    /// What would give head a value, if it has none.
    pub remedy: Option<Remedy>,
}

/// What is found of one cell.
#[derive(Debug, Clone, PartialEq)]
pub struct CellJudgement {
    /// Its name.
    pub id: CellId,
    /// The worst of its judged comparisons, or what made comparing impossible.
    pub verdict: Verdict,
    /// Why, unless it is unchanged, or another test bed is why the whole call was not compared.
    pub reason: Option<Reason>,
    /// All metrics that could be compared and all that should have been, the success ratio first.
    pub comparisons: Vec<Comparison>,
    /// Its absolute limits.
    pub limits: Vec<LimitCheck>,
    /// Every metric that head has; in a duet that was screened, what the screening showed of it.
    pub values: Vec<Shown>,
    /// What the fresh pairs showed of the metrics that they decided.
    pub fresh: Vec<Shown>,
    /// What else to know.
    pub notes: Vec<Note>,
}

/// Stored runs that were not compared with because they were measured on another test bed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherTestBed {
    /// Where the newest of them was measured.
    pub base: TestBed,
    /// The commit that it measured.
    pub commit: Option<String>,
    /// Where head was measured.
    pub here: TestBed,
}

/// A figure of the control.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Its name.
    pub name: String,
    /// The logarithm of today's responses per second.
    pub log: f64,
    /// Twice its standard error, as a fraction.
    pub uncertainty: f64,
    /// The lowest and the highest logarithm of the stored runs of this test bed.
    pub stored: Option<(f64, f64)>,
}

/// What the control showed.
#[derive(Debug, Clone, PartialEq)]
pub struct ControlCheck {
    /// Its figures.
    pub figures: Vec<Figure>,
    /// Stored runs of this test bed.
    pub stored: usize,
    /// Those that match.
    pub matching: usize,
    /// Why the newest of the others does not.
    pub mismatch: Option<Reason>,
}

/// What is found of a whole call.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Judgement {
    /// Its cells in the order of their definition.
    pub cells: Vec<CellJudgement>,
    /// Cells that the stored runs of this test bed have and head has not: removed or renamed.
    pub removed: Vec<CellId>,
    /// The number of tests that share the significance level.
    pub tests: usize,
    /// Set if a cell was not compared because its stored runs were measured on another test bed.
    pub other_test_bed: Option<OtherTestBed>,
    /// What the control showed, if there are stored runs of this test bed.
    pub control: Option<ControlCheck>,
    /// What to know about the baseline.
    pub notes: Vec<Note>,
    /// What looked slower or faster in the screening.
    pub candidates: Vec<Candidate>,
}

/// A comparison that looked slower or faster in the screening.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Its cell.
    pub cell: CellId,
    /// The metric that was compared.
    pub metric: &'static Metric,
    /// Whether it looked slower; else faster.
    pub slower: bool,
    /// Whether more fresh pairs would tell more: neither confirmed nor dropped, and analyses are left.
    pub open: bool,
    /// The last interim analysis that judged it, from 1; 0 if it was not measured again.
    pub analysis: usize,
}

impl Comparison {
    /// How the first interval was made: of a confirmed comparison that of its screening.
    pub fn screened_by(&self) -> Option<Method> {
        match self.stage {
            Stage::Confirmed { screened_by, .. } => screened_by,
            Stage::Whole | Stage::Screened => self.method,
        }
    }

    /// How much worse head is, as a fraction of time: half the throughput is twice the time. Of a ratio, by how much it fell. Negative if
    /// head is better, 0 if there is no change to tell.
    pub fn worsening(&self) -> f64 {
        let estimate = self.change.map_or(0.0, |change| change.estimate);
        match self.metric.better {
            Better::Lower => estimate,
            Better::Higher if self.is_difference() => -estimate,
            Better::Higher => (1.0 + estimate).recip() - 1.0,
        }
    }

    /// Whether [`Change`] is a difference of ratios and not a fraction of base.
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

impl Judgement {
    /// The cells with candidates to measure again: those that looked slower, and if asked those that looked faster.
    pub fn open_candidates(&self, with_faster: bool) -> BTreeSet<&CellId> {
        let is_wanted = |candidate: &&Candidate| candidate.open && (candidate.slower || with_faster);
        self.candidates.iter().filter(is_wanted).map(|candidate| &candidate.cell).collect()
    }

    /// The number of cells with that verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.cells.iter().filter(|cell| cell.verdict == verdict).count()
    }

    /// Whether not one metric of one cell could be compared.
    pub fn compared_nothing(&self) -> bool {
        !self.cells.iter().flat_map(|cell| &cell.comparisons).any(|comparison| comparison.change.is_some())
    }
}
