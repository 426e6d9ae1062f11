//! What was measured, and its files.
//!
//! `measure` counts each exchange in a [`Tally`] and closes it to a [`Round`]; rounds make a [`Run`], runs a [`Baseline`].
//! `judge` sees each cell as a [`Series`]: values a launch and round. The table of all metrics is [`METRICS`].

mod atomic;
mod base_ref;
mod baseline;
mod collect;
mod condition;
mod counter_text;
mod counters;
mod environment;
mod event;
mod fault;
mod file;
mod file_name;
mod histogram;
mod metric;
mod proc_text;
mod remedy;
mod round;
mod run;
mod series;
mod tally;
mod test_bed;

pub use atomic::{WriteError, write_whole};
pub use base_ref::BaseRef;
pub use baseline::{Baseline, KEPT_RUNS};
pub use condition::Condition;
pub(crate) use condition::ConditionSum;
pub(crate) use counters::Counters;
pub use environment::{Environment, Machine};
pub use event::Event;
pub use fault::Fault;
pub use file::{FileError, read_runs, write_runs};
pub use file_name::file_name;
#[cfg(any(test, feature = "overhead"))]
pub use histogram::Histogram;
pub use histogram::LatencyHistogram;
pub use metric::{Better, Centre, Judged, METRICS, Metric, Unit, metric, success_ratio};
pub use remedy::Remedy;
pub(crate) use remedy::UsualRound;
pub use round::Round;
#[cfg(test)]
pub use run::Epoch;
pub use run::{BaseFailure, CellRun, Run, Stop, run_id};
pub use series::Series;
pub use tally::{Clock, Counts, Tally};
pub use test_bed::TestBed;
