//! Is it slower? Baselines and a run become verdicts.
//!
//! Pure: no clock, no file, no randomness but a seed that is passed in. [`judge`] takes the baselines of all groups of
//! a call and its runs, and gives a [`Judgement`]: a verdict a cell, each judged metric of it with its interval, its
//! corrected p value and the smallest change that could have been found.
//!
//! # How often it is wrong, and what it finds
//!
//! Simulated calls of 10 cells with p50, p99 and throughput, 10 launches of 3 rounds, 3 % noise between rounds (tails 6 %, and a
//! burst in one round of ten), judged as here: 40 tests a call. Unchanged calls that turned red, of 2,000 each, in per cent, with a
//! luck of the run that each cell has for itself / that all cells share:
//!
//! | sd of runs | sd of launches | 1 stored run | 3 | 5 |
//! |---|---|---|---|---|
//! | 1 % | 2 % | 0.0 / 0.0 | 0.0 / 0.0 | 0.0 / 0.0 |
//! | 2 % | 2 % | 0.0 / 0.0 | 0.0 / 0.0 | 0.0 / 0.0 |
//! | 5 % | 5 % | 0.0 / 0.0 | 0.0 / 0.0 | 0.0 / 0.0 |
//! | 15 % | 15 % | 0.0 / 0.0 | 0.0 / 0.0 | 0.0 / 0.0 |
//! | 5 % | 2 % | 0.0 / 0.0 | 0.0 / 0.0 | 0.0 / 0.1 |
//! | 15 % | 2 % | **23.9** / **4.7** | 0.0 / 0.5 | 0.0 / 0.3 |
//!
//! The last row is what one stored run cannot know: a machine whose runs differ far more than its launches do. Three stored
//! runs mend it. The price is paid in power. One cell of ten slower, sd of launches 2 %; calls of 300 that named it, in per cent, with an
//! sd of runs of 1 % / 2 %, and the change that the calls said they could find (in four of five cases):
//!
//! | stored runs, head runs | +10 % | +20 % | +50 % | said to be findable |
//! |---|---|---|---|---|
//! | 1, 1 | 0 / 0 | 0 / 0 | 42 / 42 | 68 / 68 |
//! | 3, 1 | 0 / 0 | 4 / 4 | 100 / 100 | 33 / 38 |
//! | 5, 1 | 0 / 0 | 67 / 37 | 100 / 100 | 24 / 27 |
//! | 10, 1 | 1 / 1 | 100 / 83 | 100 / 100 | 18 / 22 |
//! | 10, 3 | 33 / 13 | 100 / 100 | 100 / 100 | 12 / 14 |
//!
//! Whether launches drift, or resemble the one before, is looked at afterwards and noted at the cell. No interval is widened by it:
//! rounds are interleaved at random so that it stays rare.
//!
//! So a stored baseline keeps large regressions out, and does not tell 5 %: that is for a duet.

mod about;
mod advice;
mod call;
mod cell;
mod confirm;
mod decide;
mod difference;
mod evidence;
mod fair;
mod launch;
mod limits;
mod order;
mod pairs;
mod policy;
mod questions;
mod reason;
mod shown;
mod sides;
mod stored;
mod subject;
mod success;
mod verdict;
mod words;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

pub use call::judge;
pub use policy::{OnMismatch, Policy};
#[cfg(test)]
pub use verdict::Shown;
pub use verdict::{
    CellJudgement, Change, Comparison, Estimate, Judgement, LimitCheck, LimitOutcome, Stage, Suspect, Verdict,
};
