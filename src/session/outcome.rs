//! How a call ends: its outcome or its error, and the exit code of each.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};

use crate::judge::{Judgement, Verdict};
use crate::measure::{MeasureError, SIGNAL_BASE};
use crate::output::OutputError;
use crate::plan::{PlanError, Side};
use crate::record::{FileError, METRICS, Run, Stop};
use crate::report::ReportError;

/// Nothing regressed.
const PASSED: u8 = 0;
/// Something regressed, or broke a limit.
const REGRESSED: u8 = 1;
/// The call or a file is wrong: clap's own code for a wrong call.
pub(crate) const WRONG_CALL: u8 = 2;
/// It could not be measured, or a file could not be written.
pub(crate) const NOT_MEASURED: u8 = 3;

/// The outcome of a call. Of several outcomes the first in this order counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// By a signal, by its number.
    Interrupted(i32),
    /// Something regressed, or broke a limit.
    Regressed,
    /// Something could not be measured, or a file could not be written.
    NotMeasured,
    /// Nothing regressed.
    Passed,
}

/// Verdicts that fail a call in addition to `regressed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum FailOn {
    /// A comparison that could not be decided: exit code 1
    Inconclusive,
    /// A comparison that could not be made (another test bed, a redefined or removed cell, no baseline at all): exit code 3
    Incomparable,
}

impl Outcome {
    /// The outcome of judged runs.
    pub(crate) fn new(runs: &[Run], judgement: &Judgement, fail_on: &[FailOn]) -> Self {
        let of_stop = |stop: &Stop| match stop {
            Stop::Signal(signal) => Self::Interrupted(*signal),
            Stop::Failed(_) => Self::NotMeasured,
            Stop::TimeUp => Self::Passed,
        };
        let stops = runs.iter().filter_map(|run| run.stop.as_ref()).map(of_stop);
        let verdicts = judgement.cells.iter().map(|cell| Self::of_verdict(cell.verdict, fail_on));
        let lacks_comparison = judgement.compared_nothing() || !judgement.removed.is_empty();
        let comparison =
            (lacks_comparison && fail_on.contains(&FailOn::Incomparable)).then_some(Self::NotMeasured);
        stops.chain(verdicts).chain(comparison).min().unwrap_or(Self::Passed)
    }

    /// The outcome of a cell with this verdict.
    pub(crate) fn of_verdict(verdict: Verdict, fail_on: &[FailOn]) -> Self {
        match verdict {
            Verdict::Regressed => Self::Regressed,
            Verdict::Invalid => Self::NotMeasured,
            Verdict::Inconclusive if fail_on.contains(&FailOn::Inconclusive) => Self::Regressed,
            Verdict::Incomparable if fail_on.contains(&FailOn::Incomparable) => Self::NotMeasured,
            _ => Self::Passed,
        }
    }
}

/// The exit code of an outcome.
pub(crate) fn exit_code(outcome: Outcome) -> ExitCode {
    ExitCode::from(match outcome {
        Outcome::Passed => PASSED,
        Outcome::Regressed => REGRESSED,
        Outcome::NotMeasured => NOT_MEASURED,
        Outcome::Interrupted(signal) => u8::try_from(SIGNAL_BASE + signal).unwrap_or(u8::MAX),
    })
}

pub(crate) type Result<T> = std::result::Result<T, SessionError>;

/// Why a call ended without a result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Measure(#[from] MeasureError),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error(transparent)]
    Output(#[from] OutputError),
    #[error("group `{group}`: `{id}` is not a metric; choose from {}", metric_ids())]
    UnknownMetric { group: String, id: String },

    #[error("the baseline `{name}` does not hold `{what}` (searched in {}): record it with --save-baseline {name}, \
         or compare only the cells it has with --baseline-lenient {name}", folder.display())]
    MissingBaseline { name: String, what: String, folder: PathBuf },
    #[error("there is no baseline `{name}` in {}: `plimsoll baseline list` lists all", folder.display())]
    NoBaseline { name: String, folder: PathBuf },
    #[error(
        "--save-baseline would drop `{cell}` from the baseline `{name}`, because this call does not measure it: \
         leave out the filter, or save under another name"
    )]
    WouldDrop { name: String, cell: String },
    #[error("could not save the runs: {0}")]
    NotSaved(#[source] FileError),
    #[error(
        "standard output holds one thing: give only one --report NAME=-, without --output-format bencher, and a path to the others"
    )]
    OneStdout,
    #[error("--report cannot write to {}: {why}; choose another path, or `-` for standard output", file.display())]
    ReportPath { file: PathBuf, why: String },
    #[error("{}: {why}", file.display())]
    RunFile { file: PathBuf, why: String },
    #[error(
        "{}: it is the run of a duet and has no control, which would show whether the machine behaved the same in both runs: measure \
         both versions in one duet (--base-ref), or compare runs that were measured without a base",
        file.display()
    )]
    NoControl { file: PathBuf },
    #[error(
        "{} was measured on the test bed {of_base} and {} on {of_head}, and only runs of one test bed can be compared: measure both on \
         one machine, or both versions in one duet (--base-ref)",
        base.display(),
        head.display()
    )]
    OtherTestBed { base: PathBuf, head: PathBuf, of_base: String, of_head: String },
    #[error("{} and {} have no cell in common, so there is nothing to compare", base.display(), head.display())]
    NoCommonCell { base: PathBuf, head: PathBuf },
    #[error("there is no run in {}: measure one with `cargo bench`, or name a run.json", reports.display())]
    NoRun { reports: PathBuf },
    #[error("a duet ended early, so its result is not known: measure again")]
    Incomplete,

    #[error(
        "the working tree changed during the measurement, so cells that look slower could not be confirmed: run the command again, and do not edit files until it ends"
    )]
    ChangedMeanwhile,
    #[error("--base baseline: {why}")]
    BaseBaseline { why: String },
    #[error(
        "--base last: group `{group}` does not start a program that cargo built here, and only those are kept; use --base-ref or --base-command"
    )]
    NoLastProgram { group: String },
    #[error("--base-command: `{0}` cannot be parsed as a command line")]
    BaseCommand(String),
    #[error("--base-ref {name}: {why}")]
    BaseRef { name: String, why: String },
    #[error("--base-ref: {} is not in a git repository: {why}", folder.display())]
    NoRepository { folder: PathBuf, why: String },
    #[error("--base-ref: the content of {} at commit {commit} was not fetched: try `{remedy}`", path.display())]
    NotFetched { path: PathBuf, commit: String, remedy: String },
    #[error("--base-ref: git failed: {0}")]
    Git(String),
    #[error(
        "--base-ref: group `{group}` does not start a program (Service::command), so there is nothing to build: \
         set base with --base-command, --base-url or group.base"
    )]
    NotACommand { group: String },
    #[error(
        "--base-ref: this bench was not started by `cargo bench`, so plimsoll does not know how to build base \
         and head: pass the command that builds one of them, such as --base-build 'cargo build --release'"
    )]
    NoCargoBench,
    #[error(
        "--base-ref: cargo does not build `{program}`: pass its build command with --base-build (`--base-build \
         true` if there is nothing to build), or start base with --base-command"
    )]
    NotCargo { program: String },
    #[error(
        "--base-ref: several packages have a program named `{program}` ({packages}): pass the command that \
         builds the right one, such as --base-build 'cargo build --release -p PACKAGE'"
    )]
    Ambiguous { program: String, packages: String },
    #[error("--base-copy {}: {why}", path.display())]
    BaseCopy { path: PathBuf, why: String },
    #[error(
        "--base-arg replaces the arguments of all groups, but `{one}` and `{other}` have different ones: select \
         one of them with a filter"
    )]
    BaseArguments { one: String, other: String },
    #[error("the cache folder {} is inside the repository, where cargo would treat it as part of your workspace: set \
         PLIMSOLL_CACHE_DIR to a folder outside", .0.display())]
    CacheInside(PathBuf),
    #[error("--base-ref: could not read or write {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{side} could not be built: `{command}` ended with {status}{output}")]
    Build { side: Side, command: String, status: ExitStatus, output: String },
    #[error("{side} was built, but the build did not produce `{program}`{place}")]
    NotBuilt { side: Side, program: String, place: String },
    #[error("cargo built {side} from {}, outside its tree: use a relative path for `package.workspace` in \
         Cargo.toml, or pass a build command with --base-build", manifest.display())]
    OutsideTree { side: Side, manifest: PathBuf },
    #[error(
        "{0}\nBase and head run in trees of their own, without the files that git ignores. If the service needs \
         one, pass --base-copy PATH."
    )]
    StartInTree(#[source] MeasureError),
}

fn metric_ids() -> String {
    METRICS.iter().map(|metric| metric.id).collect::<Vec<_>>().join(", ")
}

impl SessionError {
    /// Turns an error of the system into one that names the path.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        |source| Self::Io { path: path.to_owned(), source }
    }

    /// 3 if something failed that the call needs; 2 if the call or a file is wrong, which is always found before measuring.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Measure(MeasureError::Endpoint { .. } | MeasureError::NeedsFeature { .. }) => WRONG_CALL,
            Self::Measure(_) | Self::StartInTree(_) | Self::Report(_) | Self::NotSaved(_) => NOT_MEASURED,
            Self::Output(_) | Self::Git(_) | Self::Io { .. } | Self::Incomplete => NOT_MEASURED,
            Self::Build { .. } | Self::NotBuilt { .. } | Self::OutsideTree { .. } => NOT_MEASURED,
            _ => WRONG_CALL,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::{CellJudgement, Change, Comparison, Stage};
    use crate::plan::CellId;

    /// One cell that was compared and is unchanged.
    fn compared() -> Judgement {
        let comparison = Comparison {
            metric: &METRICS[0],
            judged: true,
            base: None,
            head: None,
            change: Some(Change { low: 0.0, estimate: 0.0, high: 0.0 }),
            p_adjusted: 1.0,
            verdict: Verdict::Unchanged,
            reason: None,
            stage: Stage::Whole,
            method: None,
            detectable: None,
            margin: 0.01,
            advice: None,
        };
        let cell = CellJudgement {
            id: CellId::new("g", "c"),
            verdict: Verdict::Unchanged,
            reason: None,
            comparisons: vec![comparison],
            limits: Vec::new(),
            values: Vec::new(),
            fresh: Vec::new(),
            notes: Vec::new(),
        };
        Judgement { cells: vec![cell], ..Judgement::default() }
    }

    #[test]
    fn a_removed_cell_fails_a_call_that_must_compare_and_only_that() {
        let removed = Judgement { removed: vec![CellId::new("g", "old")], ..compared() };
        assert_eq!(Outcome::new(&[], &removed, &[FailOn::Incomparable]), Outcome::NotMeasured);
        assert_eq!(Outcome::new(&[], &removed, &[FailOn::Inconclusive]), Outcome::Passed);
        assert_eq!(Outcome::new(&[], &removed, &[]), Outcome::Passed);
        assert_eq!(Outcome::new(&[], &compared(), &[FailOn::Incomparable]), Outcome::Passed);
    }

    #[test]
    fn the_most_urgent_outcome_counts_and_each_has_its_exit_code() {
        let all = [Outcome::Interrupted(15), Outcome::Regressed, Outcome::NotMeasured, Outcome::Passed];
        assert!(all.is_sorted());
        let codes = all.map(|outcome| format!("{:?}", exit_code(outcome)));
        assert_eq!(codes, [143, 1, 3, 0].map(|code: u8| format!("{:?}", ExitCode::from(code))));
    }
}
