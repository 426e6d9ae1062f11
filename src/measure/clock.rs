//! The clock that the kernel stamps received data with: `CLOCK_REALTIME`, in a type of its own, so that it is never compared
//! with a monotonic one.

use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};

/// A change of the distance between the two clocks that no slewing makes: somebody set the clock.
const STEP: Duration = Duration::from_micros(1);
/// Readings of that distance, of which the narrowest counts.
const READINGS: usize = 5;

/// A reading of `CLOCK_REALTIME`, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wall(u64);

impl Wall {
    /// The time now.
    pub(crate) fn now() -> Self {
        Self(nanoseconds(ClockId::CLOCK_REALTIME))
    }

    /// A reading of another origin.
    #[cfg(test)]
    pub(crate) const fn from_ns(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// The time that passed since an earlier reading; nothing passes backwards.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This reading and a duration later.
    pub(crate) fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl From<TimeSpec> for Wall {
    fn from(time: TimeSpec) -> Self {
        let whole = |value: i64| u64::try_from(value).unwrap_or(0);
        Self(whole(time.tv_sec()) * 1_000_000_000 + whole(time.tv_nsec()))
    }
}

fn nanoseconds(clock: ClockId) -> u64 {
    Wall::from(clock_gettime(clock).expect("these clocks exist wherever Unix does")).0
}

/// Tells whether the wall clock was set while something was timed.
///
/// Slewing moves both clocks alike; only a step changes their distance.
#[derive(Debug)]
pub(crate) struct StepWatch {
    distance_ns: i128,
}

impl StepWatch {
    /// Starts to watch.
    pub(crate) fn start() -> Self {
        Self { distance_ns: distance_ns() }
    }

    /// Whether the clock was set since the start.
    pub(crate) fn stepped(&self) -> bool {
        (distance_ns() - self.distance_ns).unsigned_abs() > STEP.as_nanos()
    }
}

/// The wall clock's distance from the monotonic one, read where the reading took least.
fn distance_ns() -> i128 {
    let reading = || {
        let before = nanoseconds(ClockId::CLOCK_MONOTONIC);
        let wall = nanoseconds(ClockId::CLOCK_REALTIME);
        let after = nanoseconds(ClockId::CLOCK_MONOTONIC);
        (after - before, i128::from(wall) - (i128::from(before) + i128::from(after)) / 2)
    };
    let narrowest = (0..READINGS).map(|_| reading()).min_by_key(|(width, _)| *width);
    narrowest.map(|(_, distance)| distance).expect("at least one reading is made")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_passes_backwards() {
        let (early, late) = (Wall::from_ns(1_000), Wall::from_ns(3_000));
        assert_eq!(late.since(early), Duration::from_micros(2));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(early.after(Duration::from_micros(2)), late);
    }

    #[test]
    fn a_clock_that_is_left_alone_does_not_step() {
        let watches: Vec<_> = (0..20).map(|_| StepWatch::start()).collect();
        let steps = watches.iter().filter(|watch| watch.stepped()).count();
        assert!(steps < watches.len(), "each of {} readings saw a step", watches.len());
    }
}
