//! The walk: a plan, or saved runs, to a report and an exit code.
//!
//! This room alone knows how the others follow each other, and what each outcome means to the shell.

mod base_cache;
mod base_error;
mod base_ref;
mod cargo;
mod duet;
mod error;
mod git;
#[cfg(feature = "cli")]
mod load;
mod neighbour;
mod options;
mod outcome;
#[cfg(feature = "cli")]
mod rehearsal;
mod save;
#[cfg(feature = "cli")]
mod saved;
#[cfg(feature = "cli")]
mod stored;
mod walk;

pub(crate) use duet::{BaseSource, Duet};
pub(crate) use error::SessionError;
#[cfg(feature = "cli")]
pub(crate) use load::{LoadFormat, load};
pub(crate) use options::{BaselineUse, Colour, FailOn, Options, Paths, Save};
pub(crate) use outcome::{Outcome, WRONG_CALL, exit_code};
#[cfg(all(test, feature = "cli", feature = "serve"))]
pub(crate) use rehearsal::Rehearsed;
#[cfg(feature = "cli")]
pub(crate) use rehearsal::{Rehearsal, rehearse};
#[cfg(feature = "cli")]
pub(crate) use saved::{accept, compare, report};
#[cfg(feature = "cli")]
pub(crate) use stored::{drop_baseline, list_baselines, show_baseline};
pub(crate) use walk::{check, run};

pub(crate) use crate::measure::watch_parent;
