//! The two clocks of the knobs: time that passes for everybody, and CPU time of this thread.
//!
//! `Instant` hides the absolute reading that a timerfd wants, hence `clock_gettime` itself.

use std::time::Duration;

use nix::time::ClockId;

/// Time since an arbitrary start; never steps back.
pub(super) fn monotonic() -> Duration {
    read(ClockId::CLOCK_MONOTONIC)
}

/// CPU time that the calling thread has used; stands still while another thread has the core.
pub(super) fn thread_cpu() -> Duration {
    read(ClockId::CLOCK_THREAD_CPUTIME_ID)
}

fn read(clock: ClockId) -> Duration {
    // Both clocks are mandatory where this compiles; a kernel without them would stop every knob at zero instead of panicking.
    clock.now().map(Duration::from).unwrap_or_default()
}
