//! Judging as a whole: each verdict, worked examples, degenerate input, and simulated calls.

mod degenerate;
mod disorder;
mod duets;
mod promises;
mod properties;
pub(in crate::judge) mod simulated;
mod verdicts;
mod worked;
