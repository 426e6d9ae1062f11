//! Runs and verdicts for people and machines.

mod chart;
mod progress;
mod words;
