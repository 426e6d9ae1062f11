//! The pipeline from a plan, or from saved runs, to a report and an exit code.

mod base_ref;
mod baselines;
mod cargo;
mod git;
mod last;
#[cfg(feature = "cli")]
mod load;
mod options;
mod outcome;
mod run;

pub(crate) use crate::report::Requested;
#[cfg(feature = "cli")]
pub(crate) use baselines::{accept, drop_baseline, list as list_baselines, show as show_baseline};
pub(crate) use cargo::is_only_bench;
#[cfg(feature = "cli")]
pub(crate) use load::{LoadFormat, load};
pub(crate) use options::{
    BaselineUse, Color, Confirm, DuetOptions, Options, OutputFormat, OwnBase, Paths, Save,
};
#[cfg(feature = "cli")]
pub(crate) use outcome::NOT_MEASURED;
pub(crate) use outcome::{FailOn, Outcome, SessionError, WRONG_CALL, exit_code};
pub(crate) use run::{check, run};
#[cfg(feature = "cli")]
pub(crate) use run::{compare, regressed_cells, report};

pub(crate) use crate::measure::{measure_if_asked, watch_parent};
