//! Events while measuring, for the display of progress.

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
        /// The time of all windows: the shortest time that measuring can take.
        windows: Duration,
        /// The estimated time, with starts and warm-ups.
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
        /// Rounds that are planned in total.
        of: usize,
    },
    /// Measuring has ended.
    Finished,
}
