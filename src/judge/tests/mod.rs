//! Judging as a whole: each verdict, worked examples, degenerate input, and simulated calls.

mod degenerate;
mod duets;
mod simulated;
mod verdicts;
mod worked;
