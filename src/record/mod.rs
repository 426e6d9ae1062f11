//! What was measured, and its files.
//!
//! `measure` counts each exchange in a [`Tally`] and closes it to a [`Round`]; rounds make a [`Run`], runs a [`Baseline`].
//! `judge` sees each cell as a [`Series`]: values a launch and round. The table of all metrics is [`METRICS`].

mod baseline;
mod condition;
mod environment;
mod event;
mod fault;
mod file;
mod histogram;
mod metric;
mod round;
mod run;
mod tally;
mod test_bed;
mod trend;

pub use baseline::{Baseline, KEPT_RUNS};
pub use condition::Condition;
pub(crate) use condition::{ConditionSum, Counters};
pub use environment::Environment;
#[cfg(any(test, feature = "cli", feature = "overhead"))]
pub use environment::Machine;
pub use event::Event;
pub use fault::Fault;
pub use file::{FileError, WriteError, file_name, write_whole};
#[cfg(any(test, feature = "overhead"))]
pub use histogram::Histogram;
pub use histogram::LatencyHistogram;
pub(crate) use metric::UsualRound;
pub use metric::{Better, Centre, Judged, METRICS, Metric, Remedy, Unit, metric, success_ratio};
pub use round::{Round, Series};
pub(crate) use run::by_sitting;
pub use run::{
    BaseFailure, BaseRef, CellRun, Control, Epoch, Kept, Run, SourceLine, Stop, read_runs, run_id, write_runs,
};
pub use tally::{Clock, Counts, Tally};
pub use test_bed::TestBed;
pub(crate) use trend::{Fall, LEAST_ROUNDS, fall, fall_of_rounds, needs_more_rounds};
