//! What was measured, and its files.
//!
//! `measure` counts each exchange in a [`Tally`] and closes it to a [`Round`]; rounds make a [`Run`], runs a [`Baseline`].
//! `judge` sees each cell as a [`Series`]: values a launch and round. The table of all metrics is [`METRICS`].

mod atomic;
mod base_ref;
mod baseline;
mod baseline_file;
mod baseline_parse;
mod baseline_text;
mod baseline_wire;
mod collect;
mod condition;
mod counter_text;
mod counters;
mod digest;
mod environment;
mod event;
mod fault;
mod file_name;
mod histogram;
mod json_text;
mod metric;
mod proc_text;
mod remedy;
mod replay;
mod round;
mod run;
mod run_file;
mod run_id;
mod run_wire;
mod series;
mod tally;
mod test_bed;
mod wire;
pub(crate) mod words;

pub use atomic::{WriteError, write_whole};
pub use base_ref::BaseRef;
#[cfg(test)]
pub use baseline::Epoch;
pub use baseline::{Baseline, KEPT_RUNS, StoredRun};
pub use baseline_file::{BaselineError, BaselineStore};
pub use condition::Condition;
pub(crate) use condition::ConditionSum;
pub(crate) use counters::Counters;
pub use environment::{Environment, Machine};
pub use event::Event;
pub use fault::Fault;
pub use file_name::file_name;
#[cfg(any(test, feature = "overhead", feature = "cli"))]
pub use histogram::EncodedHistogram;
pub use histogram::LatencyHistogram;
pub use metric::{Better, Centre, Judged, METRICS, Metric, Unit, metric, success_ratio};
pub(crate) use remedy::UsualRound;
pub use round::{Clock, Counts, Round};
pub use run::{BaseFailure, CellRun, Rules, Run, Stop};
pub use run_file::{LastRun, RunFile, RunFileError};
pub use run_id::{run_id, time_of_run};
pub use series::Series;
pub use tally::Tally;
pub use test_bed::TestBed;
