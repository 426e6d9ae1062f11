//! The output for people and machines: runs and their judgement flow in; text, pages and charts flow out.
//!
//! A [`Report`] borrows what was measured and judged. The terminal reads it directly. A file format is a function `render` and a
//! line in [`formats::FORMATS`]. Only [`write()`] touches the disk. Every sentence is in [`text`], every spelled number in
//! [`number`].

mod chart;
mod charts;
mod csv;
mod environment;
mod formats;
mod github;
mod json;
#[cfg(feature = "junit")]
mod junit;
#[cfg(feature = "cli")]
mod load;
mod markdown;
mod model;
mod number;
mod openmetrics;
mod page;
mod progress;
mod terminal;
#[cfg(test)]
mod tests;
mod text;

#[cfg(feature = "overhead")]
pub use charts::draw_change_chart;
pub(crate) use formats::{Place, Requested, on_github, write, write_requested};
#[cfg(feature = "cli")]
pub(crate) use load::{LoadProgress, LoadReport, waiting};
pub(crate) use model::{Report, ReportError, ReportOptions};
pub(crate) use number::plural;
pub(crate) use progress::{Mode, Progress};
#[cfg(feature = "cli")]
pub(crate) use text::NO_CONTENT_TYPE;
pub(crate) use text::{
    NO_COMMIT, NO_LAST_PROGRAM, NOT_COMMITTED, ONLY_HEADS, OPEN_GATE, base_warnings, last_program, profiled,
    same_trees,
};
