//! Is it slower? Baselines and a run become verdicts.
//!
//! Pure: no clock, no file, no randomness but a seed that is passed in. [`judge`] takes the baselines of all groups of
//! a call and its runs, and gives a [`Judgement`]: a verdict a cell, each judged metric of it with its interval, its
//! corrected p value and the smallest change that could have been found.

mod about;
mod advice;
mod call;
mod cell;
mod decide;
mod fair;
mod launch;
mod limits;
mod policy;
mod questions;
mod shown;
mod sides;
mod stored;
mod success;
mod verdict;
mod words;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

pub use call::judge;
pub use policy::{OnMismatch, Policy};
pub use verdict::{
    CellJudgement, Change, Comparison, Estimate, Judgement, LimitCheck, LimitOutcome, Shown, Verdict,
};
