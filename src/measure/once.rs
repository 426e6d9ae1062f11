//! One measurement without rounds, warm-up or baseline: what `plimsoll load` does.

use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::measure::cell::LiveCell;
use crate::measure::error::MeasureError;
use crate::measure::measurement::check_features;
use crate::measure::open_files;
use crate::measure::resolve::Resolver;
use crate::measure::runtime::on_one_thread;
use crate::measure::signals::Interrupt;
use crate::measure::stamp::Guard;
use crate::measure::window::Timing;
use crate::plan::{Cell, Group};
use crate::record::Tally;

/// What one measurement without rounds gave.
#[derive(Debug)]
pub struct Loaded {
    /// Everything that was counted.
    pub tally: Tally,
    /// From the first departure to the last return, or to the end of the time that was asked for.
    pub elapsed: Duration,
    /// The signal that ended it early, if one did.
    pub signal: Option<i32>,
}

/// Loads one cell once: for so long, or until all its requests are back. The URLs of its endpoints must be whole.
///
/// # Errors
/// When an endpoint cannot be requested. Faults are counted, not errors.
pub fn load(group: &Group, cell: &Cell, length: Option<Duration>, seed: u64) -> Result<Loaded, MeasureError> {
    check_features(group, cell)?;
    open_files::allow(cell.load.concurrency())?;
    let interrupt = Interrupt::subscribe()?;
    on_one_thread(async {
        let _guard = Guard::open().await;
        let resolver = Rc::new(Resolver::new(None));
        let mut live = LiveCell::new(group, cell, None, &resolver)
            .map_err(|source| MeasureError::Endpoint { cell: group.full_id(cell), source })?;
        let timing = length.map_or(Timing::Whole, |length| Timing::AtOnce { length });
        let begun = Instant::now();
        let (tally, signal) = live.once(timing, seed, interrupt.wait()).await;
        // What was sent behind the window is not counted, so the time that it took is not either.
        let elapsed = length.map_or(begun.elapsed(), |length| begun.elapsed().min(length));
        Ok(Loaded { tally, elapsed, signal })
    })
}

/// That this machine ran out of ports, with the range that it may be given another of.
pub(crate) fn no_free_port() -> String {
    const RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";
    let range = std::fs::read_to_string(RANGE).unwrap_or_default();
    let range = range.split_whitespace().collect::<Vec<_>>().join(" to ");
    let named = if range.is_empty() { String::new() } else { format!(" in the range {range}") };
    format!(
        "this machine had no free local port{named}, so the service was not measured: lower the concurrency, keep \
         connections open, or widen net.ipv4.ip_local_port_range"
    )
}
