//! Waiting until a moment, right to some microseconds.
//!
//! The runtime's own timer counts milliseconds: 2.0 and 2.1 ms both take 3. So each wait borrows a timerfd (an hrtimer of the kernel)
//! that rings a little early, and the rest is spent watching the clock. The watcher yields between looks: with a hundred
//! waits at once it uses only what nobody else wants of the core. Where there is no timerfd (another system, no descriptor left)
//! the runtime's timer takes its place with a longer watch.

use std::time::Duration;

use super::clock;

/// How early the timer rings: what a sleeping core needs to wake up in a virtual machine, found by trying 0 to 250 µs. With 100
/// waits at once the throughput is the same as without.
const WATCH: Duration = Duration::from_micros(100);
/// The same for the runtime's timer, which may ring two of its steps late.
const COARSE_WATCH: Duration = Duration::from_millis(2);

/// The timers of one server; they live as long as it does.
#[derive(Debug, Default)]
pub(super) struct Timers {
    #[cfg(target_os = "linux")]
    idle: timerfd::Pool,
}

impl Timers {
    /// Returns once the monotonic clock shows `deadline` or later, never earlier.
    pub(super) async fn wait_until(&self, deadline: Duration) {
        if clock::monotonic() + WATCH < deadline && !self.sleep_precisely(deadline - WATCH).await {
            let left = deadline.saturating_sub(clock::monotonic() + COARSE_WATCH);
            tokio::time::sleep(left).await;
        }
        while clock::monotonic() < deadline {
            tokio::task::yield_now().await;
        }
    }

    #[cfg(target_os = "linux")]
    async fn sleep_precisely(&self, until: Duration) -> bool {
        let Ok(timer) = self.idle.borrow() else {
            return false;
        };
        timer.sleep(until).await.is_ok()
    }

    #[cfg(not(target_os = "linux"))]
    async fn sleep_precisely(&self, _until: Duration) -> bool {
        false
    }
}

#[cfg(target_os = "linux")]
mod timerfd {
    use std::io;
    use std::os::fd::{AsFd, AsRawFd, RawFd};
    use std::sync::{Mutex, PoisonError};
    use std::time::Duration;

    use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    use super::clock;

    #[derive(Debug)]
    struct Descriptor(TimerFd);

    impl AsRawFd for Descriptor {
        fn as_raw_fd(&self) -> RawFd {
            self.0.as_fd().as_raw_fd()
        }
    }

    /// Timers that nobody waits for: making one and telling the runtime of it costs four system calls, setting it one.
    #[derive(Debug, Default)]
    pub(super) struct Pool(Mutex<Vec<AsyncFd<Descriptor>>>);

    /// A borrowed timer; back in the pool when dropped, also when the wait was given up.
    pub(super) struct Borrowed<'a> {
        pool: &'a Pool,
        timer: Option<AsyncFd<Descriptor>>,
    }

    impl Pool {
        pub(super) fn borrow(&self) -> io::Result<Borrowed<'_>> {
            let idle = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let timer = match idle {
                Some(timer) => timer,
                None => {
                    let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
                    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
                    register(timer)?
                }
            };
            Ok(Borrowed { pool: self, timer: Some(timer) })
        }
    }

    #[allow(
        deprecated,
        reason = "its successor is `unsafe` for descriptors that might be closed or swapped; ours is owned and never changes"
    )]
    fn register(timer: TimerFd) -> io::Result<AsyncFd<Descriptor>> {
        AsyncFd::with_interest(Descriptor(timer), Interest::READABLE)
    }

    impl Borrowed<'_> {
        pub(super) async fn sleep(&self, until: Duration) -> io::Result<()> {
            let Some(timer) = &self.timer else {
                return Ok(());
            };
            timer.get_ref().0.set(Expiration::OneShot(until.into()), TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
            // The descriptor is never read: setting it anew forgets the old ring. One that was meant for an
            // earlier borrower can still be noted in the runtime, so the clock decides.
            while clock::monotonic() < until {
                timer.readable().await?.clear_ready();
            }
            Ok(())
        }
    }

    impl Drop for Borrowed<'_> {
        fn drop(&mut self) {
            if let Some(timer) = self.timer.take() {
                self.pool.0.lock().unwrap_or_else(PoisonError::into_inner).push(timer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    }

    /// The least lateness of many tries is the timer's own: what comes on top is the machine's.
    #[test]
    fn a_wait_is_never_early_and_can_be_right_to_20_us() {
        runtime().block_on(async {
            let timers = Timers::default();
            let mut least = Duration::MAX;
            for index in 0..200 {
                let deadline = clock::monotonic() + Duration::from_micros(20 * index);
                timers.wait_until(deadline).await;
                least = least.min(clock::monotonic().checked_sub(deadline).expect("not early"));
            }
            assert!(least <= Duration::from_micros(20), "{least:?}");
        });
    }

    #[test]
    fn a_timer_whose_wait_was_given_up_serves_the_next_one() {
        runtime().block_on(async {
            let timers = Timers::default();
            for _ in 0..20 {
                let long = timers.wait_until(clock::monotonic() + Duration::from_millis(3));
                let _ = tokio::time::timeout(Duration::from_millis(1), long).await;
                let deadline = clock::monotonic() + Duration::from_millis(2);
                timers.wait_until(deadline).await;
                assert!(clock::monotonic() >= deadline);
            }
        });
    }

    #[test]
    fn a_deadline_in_the_past_does_not_wait() {
        runtime().block_on(Timers::default().wait_until(Duration::ZERO));
    }

    /// Waits must overlap: a hundred of 20 ms in a row would take two seconds.
    #[test]
    fn many_waits_pass_at_the_same_time() {
        runtime().block_on(async {
            let timers = std::sync::Arc::new(Timers::default());
            let start = clock::monotonic();
            let waits: Vec<_> = (0..100)
                .map(|_| {
                    let timers = timers.clone();
                    tokio::spawn(async move { timers.wait_until(start + Duration::from_millis(20)).await })
                })
                .collect();
            for wait in waits {
                wait.await.unwrap();
            }
            let took = clock::monotonic() - start;
            assert!(took >= Duration::from_millis(20) && took < Duration::from_secs(1), "{took:?}");
        });
    }
}
