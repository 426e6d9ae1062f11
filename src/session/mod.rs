//! The walk: a plan, or saved runs, to a report and an exit code.
//!
//! This room alone knows how the others follow each other, and what each outcome means to the shell.

mod base_cache;
mod base_error;
mod base_ref;
mod baselines;
mod cargo;
mod duet;
mod error;
mod git;
#[cfg(feature = "cli")]
mod load;
mod options;
mod outcome;
mod run;

#[cfg(feature = "cli")]
pub(crate) use baselines::{accept, drop_baseline, list as list_baselines, show as show_baseline};
pub(crate) use duet::{BaseSource, Duet};
pub(crate) use error::SessionError;
#[cfg(feature = "cli")]
pub(crate) use load::{LoadFormat, load};
pub(crate) use options::{BaselineUse, Colour, FailOn, Options, Paths, Save};
pub(crate) use outcome::{Outcome, WRONG_CALL, exit_code};
pub(crate) use run::{check, run};
#[cfg(feature = "cli")]
pub(crate) use run::{compare, regressed_cells, report};

pub(crate) use crate::measure::watch_parent;
