//! Tells people and machines what came out: runs and verdicts flow in, text, pages and pictures flow out.
//!
//! [`gather`] computes once what all formats show, a [`view::Report`]; the terminal is one reader of it, each format another.

mod chart;
mod gather;
mod ink;
mod progress;
#[cfg(test)]
mod samples;
mod sentence;
mod terminal;
mod view;
mod words;

pub(crate) use progress::{Mode, Progress};
pub(crate) use view::{Options, Report};
