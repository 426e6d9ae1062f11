//! One measurement without rounds, warm-up or baseline: what `plimsoll load` does.

use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::measure::cell::LiveCell;
use crate::measure::error::MeasureError;
use crate::measure::interrupt::Interrupt;
use crate::measure::resolve::Resolver;
use crate::measure::stamp::Guard;
use crate::measure::{measurement, on_one_thread};
use crate::plan::{Cell, Group};
use crate::record::Tally;

/// What one measurement without rounds gave.
#[derive(Debug)]
pub struct Loaded {
    /// Everything that was counted.
    pub tally: Tally,
    /// From the first departure to the last return.
    pub elapsed: Duration,
    /// The signal that ended it early, if one did.
    pub signal: Option<i32>,
}
