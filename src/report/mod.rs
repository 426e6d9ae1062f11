//! Tells people and machines what came out: runs and verdicts flow in, text, pages and pictures flow out.
//!
//! [`Report::new`] computes once what all formats show. The terminal is one reader of it; each file format is another,
//! a file with a `render` and a line in [`formats::FORMATS`]. Only [`write()`] touches the disk.

mod base_ref;
mod cell_words;
mod chart;
mod chart_files;
mod charts;
mod distribution;
mod formats;
mod gather;
mod html;
mod ink;
#[cfg(feature = "cli")]
mod loaded;
mod notes;
mod overview;
mod page;
mod progress;
#[cfg(test)]
mod samples;
mod sentence;
mod stages;
mod subtitle;
mod table;
mod terminal;
mod text;
#[cfg(feature = "overhead")]
mod timed;
mod view;

pub(crate) use base_ref::{base_warnings, same_trees};
pub(crate) use formats::{Place, ReportError, write};
#[cfg(feature = "cli")]
pub(crate) use loaded::LoadReport;
pub(crate) use progress::{Mode, Progress};
pub(crate) use sentence::OPEN_GATE;
pub(crate) use text::plural;
#[cfg(feature = "overhead")]
pub use timed::ChangeChart;
pub(crate) use view::{Report, ReportOptions};
