//! What `measure` tells while it goes: for progress, never for a result.

use std::time::Duration;

/// Something that happened while measuring.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Measuring begins.
    Started {
        /// Cells to measure.
        cells: usize,
        /// Rounds to measure, of all cells in all runs.
        rounds: usize,
        /// How long the windows of all rounds take together: the least that it will last.
        windows: Duration,
        /// How long it will last, starts and warm-ups included.
        time: Duration,
        /// Whether base and head are measured.
        is_duet: bool,
    },
    /// A service is being started, or its first answers are being checked.
    Launching {
        /// What is started, in words.
        service: String,
    },
    /// A round has ended.
    Round {
        /// The whole id of its cell.
        cell: String,
        /// Rounds that have ended.
        done: usize,
        /// Rounds in all, as far as is known.
        of: usize,
    },
    /// Measuring has ended.
    Finished,
}
