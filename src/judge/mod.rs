//! Is it slower? Baselines and a run become verdicts.
//!
//! Pure: no clock, no file, no randomness but a seed that is passed in. [`judge`] takes the baselines of all groups of
//! a call and its runs, and gives a [`Judgement`]: a verdict a cell, each judged metric of it with its interval, its
//! corrected p value and the smallest change that could have been found.
//!
//! # How often it is wrong, and what it finds
//!
//! Simulated calls of 10 cells with p50, p99 and throughput, 10 launches of 3 rounds, 3 % noise between rounds (tails 6 %,
//! and a burst in one round of ten), judged as here: 40 tests a call, and 30 against anchors where there are several stored
//! runs. Unchanged calls that turned red, of 2,000 each, in per cent, with a luck of the run that each cell has for itself /
//! that all cells share:
//!
//! | sd of runs | sd of launches | 1 stored run | 3 | 5 |
//! |---|---|---|---|---|
//! | 1 % | 2 % | 0.0 / 0.0 | 0.0 / 0.0 | 0.0 / 0.0 |
//! | 2 % | 2 % | 0.0 / 0.0 | 0.0 / 0.0 | 0.0 / 0.0 |
//! | 5 % | 5 % | 0.0 / 0.0 | 0.0 / 0.0 | 0.0 / 0.0 |
//! | 15 % | 15 % | 0.0 / 0.0 | 0.0 / 0.0 | 0.0 / 0.0 |
//! | 5 % | 2 % | 0.0 / 0.0 | 0.0 / 0.0 | 0.0 / 0.1 |
//! | 15 % | 2 % | **23.7** / **4.7** | 0.0 / 0.5 (before there were anchors) | 0.0 / 0.4 |
//!
//! The last row is what one stored run cannot know: a machine whose runs differ far more than its launches do. Three stored
//! runs mend it. The price is paid in power. One cell of ten slower, sd of launches 2 %; calls of 300 that named it, in per
//! cent, with an sd of runs of 1 % / 2 %, and the change that the calls said they could find (in four of five cases):
//!
//! | stored runs, head runs | +10 % | +20 % | +50 % | said to be findable |
//! |---|---|---|---|---|
//! | 1, 1 | 0 / 0 | 0 / 0 | 40 / 40 | 68 / 68 |
//! | 3, 1 | 0 / 0 | 2 / 3 | 100 / 100 | 34 / 39 |
//! | 5, 1 | 0 / 0 | 60 / 34 | 100 / 100 | 24 / 27 |
//! | 10, 1 | 1 / 1 | 100 / 82 | 100 / 100 | 18 / 22 |
//! | 10, 3 | 29 / 12 | 100 / 100 | 100 / 100 | 12 / 15 |
//!
//! # Small steps
//!
//! Where an epoch has several runs, head is also held against the one that began it, its anchor, by the same margin. Those
//! tests have a tenth of the level for themselves: in one family with the others they would cost more (of the calls that find
//! +20 % with 5 stored runs and 40 tests, 26 % became 24; in one family 15, with a fifth of the level 21). They can wait for
//! less, since a creep goes on. The variance is that of the epoch's other runs (three of them, at least; of fewer runs that
//! of all) around their own line, with the same prior. One of ten cells that becomes slower by the same step with each run
//! that is added, in 200 trials each, is never found against the centre of its baseline, which creeps along; against its
//! anchor it is red in all of them, in the median at
//!
//! | sd of runs and launches | +2 % a run | +3 % | +4 % |
//! |---|---|---|---|
//! | 0.5 % | +20 % | +27 % | +32 % |
//! | 1 % | +22 % | +27 % | +32 % |
//!
//! # Samples out of order
//!
//! Launches that drift, that resemble the one before, or that lie in two groups make an interval wider, and are noted
//! (`stats/series.rs`): in a duet by their ratios, in which most of it cancels; against stored runs by what it adds
//! to each run's own variance. Only what is shown at a level of 1 % widens, so that it costs an ordered duet of 30 launches
//! little (2 % of its width; the screening finds 98.7 % of +5 % instead of 99.4). Of what is not shown the interval knows
//! nothing: rounds are interleaved at random so that it stays rare. 3,000 simulated duets each with launches that differ by 3
//! %; coverage of the 95 % interval, and calls that would be red beyond 1 % as the only test, in per cent, without and with
//! the widening:
//!
//! | launches | shown | coverage | red |
//! |---|---|---|---|
//! | 30 without order | 1 | 95.4, 95.5 | 0.0, 0.0 |
//! | 30 with a lag-1 correlation of 0.5 | 51 | 75, 85 | 0.8, 0.5 |
//! | 30 with one of 0.7 | 85 | 59, 87 | 3.9, 1.0 |
//! | 10 with one of 0.7 | 24 | 61, 67 | 6.7, 5.8 |
//! | 30 that drift by 8 % away from the truth | 94 | 0, 81 | 98, 6.6 |
//! | 30 that drift by 4 % | 31 | 9, 36 | 22, 16 |
//! | 30, one of ten slower by 10 % | 81 | 94.6, 95.0 | 0.0, 0.0 |
//! | 30, one of five | 99 | 98.1, 98.2 | 0.0, 0.0 |
//! | 30, three in a row hit by a pause, 30 % slower | 100 | 37, 99.9 | 0.0, 0.0 |
//!
//! A pause of the machine, which slows rounds of several cells at once, is noted. Nothing is left out for it: tails have robust
//! centres, and the spread of the means shows it.
//!
//! So a stored baseline keeps large regressions out, and does not tell 5 %: that is for a duet.

mod about;
mod advice;
mod anchor;
mod call;
mod cell;
mod condition;
mod confirm;
mod decide;
mod difference;
mod evidence;
mod fair;
mod launch;
mod limits;
mod order;
mod pairs;
mod pause;
mod policy;
mod questions;
mod reason;
mod shown;
mod sides;
mod stored;
mod subject;
mod success;
mod verdict;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

pub use call::judge;
pub use policy::Policy;
pub use verdict::{
    AnchorCheck, CellJudgement, Change, Comparison, Estimate, Judgement, LimitCheck, LimitOutcome,
    OtherTestBed, Shown, Stage, Suspect, Verdict,
};
