//! Waiting until a moment, right to some microseconds.
//!
//! The runtime's own timer counts milliseconds: 2.0 and 2.1 ms both take 3. So the waits share one timerfd (an hrtimer of the kernel),
//! set for the earliest of them, that rings a little early; the rest is spent watching the clock. The watcher yields between
//! looks: with a hundred waits at once it uses only what nobody else wants of the core. One timer for all and not one each: with a
//! hundred waits of 2 ms, setting and ringing them one by one cost twice as much CPU as all the rest of a request.
//! Where there is no timerfd (another system, no descriptor left) the runtime's timer takes its place, with a longer watch.

use std::time::Duration;

use super::clock;

/// How early the timer rings: what a sleeping core needs to wake up in a virtual machine, found by trying 0 to 250 µs. With 100
/// waits at once the throughput is the same as without.
const WATCH: Duration = Duration::from_micros(100);
/// The same for the runtime's timer, which may ring two of its steps late.
const COARSE_WATCH: Duration = Duration::from_millis(2);

/// The waits of one server.
#[derive(Debug)]
pub(super) struct Timers {
    #[cfg(target_os = "linux")]
    precise: Option<timerfd::Alarm>,
}

impl Timers {
    /// To be called inside the runtime that will wait.
    pub(super) fn new() -> Self {
        Self {
            #[cfg(target_os = "linux")]
            precise: timerfd::Alarm::new().ok(),
        }
    }

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

    /// Whether it could.
    #[cfg(target_os = "linux")]
    async fn sleep_precisely(&self, until: Duration) -> bool {
        match &self.precise {
            Some(alarm) => alarm.sleep(until).await,
            None => false,
        }
    }

    #[cfg(not(target_os = "linux"))]
    async fn sleep_precisely(&self, _until: Duration) -> bool {
        false
    }
}

#[cfg(target_os = "linux")]
mod timerfd {
    use std::collections::BTreeMap;
    use std::io;
    use std::os::fd::{AsFd, AsRawFd, RawFd};
    use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
    use std::time::Duration;

    use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;
    use tokio::sync::oneshot;
    use tokio::task::JoinHandle;

    use super::clock;

    /// Deadlines of the monotonic clock nearer than this ring together.
    const SAME: Duration = Duration::from_micros(10);
    /// The timer's notion of "at once": 0 would switch it off.
    const AT_ONCE: Duration = Duration::from_nanos(1);

    #[derive(Debug)]
    struct Descriptor(TimerFd);

    impl AsRawFd for Descriptor {
        fn as_raw_fd(&self) -> RawFd {
            self.0.as_fd().as_raw_fd()
        }
    }

    /// One timer for all who sleep, and the task that wakes them.
    #[derive(Debug)]
    pub(super) struct Alarm {
        sleepers: Arc<Sleepers>,
        ringing: JoinHandle<()>,
    }

    #[derive(Debug)]
    struct Sleepers {
        timer: AsyncFd<Descriptor>,
        queue: Mutex<Queue>,
    }

    /// The timer is always set for the first of `waiting`: it is set under the lock of this.
    #[derive(Debug, Default)]
    struct Queue {
        /// By deadline, and by number where deadlines are equal. One whose client went away stays until it is due.
        waiting: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
        next_number: u64,
        /// Nobody wakes any more.
        closed: bool,
    }

    impl Alarm {
        pub(super) fn new() -> io::Result<Self> {
            let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
            let timer = register(TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?)?;
            let sleepers = Arc::new(Sleepers { timer, queue: Mutex::default() });
            let ringing = tokio::spawn(ring(sleepers.clone()));
            Ok(Self { sleepers, ringing })
        }

        /// `false` if it could not sleep that long.
        pub(super) async fn sleep(&self, until: Duration) -> bool {
            match self.sleepers.enter(until) {
                Some(woken) => woken.await.is_ok(),
                None => false,
            }
        }
    }

    impl Drop for Alarm {
        fn drop(&mut self) {
            self.ringing.abort();
        }
    }

    #[allow(
        deprecated,
        reason = "its successor is `unsafe` for descriptors that might be closed or swapped; ours is owned and never changes"
    )]
    fn register(timer: TimerFd) -> io::Result<AsyncFd<Descriptor>> {
        AsyncFd::with_interest(Descriptor(timer), Interest::READABLE)
    }

    impl Sleepers {
        fn lock(&self) -> MutexGuard<'_, Queue> {
            self.queue.lock().unwrap_or_else(PoisonError::into_inner)
        }

        /// `None` if nobody would wake it.
        fn enter(&self, until: Duration) -> Option<oneshot::Receiver<()>> {
            let (wake, woken) = oneshot::channel();
            let mut queue = self.lock();
            if queue.closed {
                return None;
            }
            let key = (until, queue.next_number);
            queue.next_number += 1;
            if queue.waiting.first_key_value().is_none_or(|(first, _)| key < *first) {
                self.set(until).ok()?;
            }
            queue.waiting.insert(key, wake);
            Some(woken)
        }

        /// Wakes all that are due and sets the timer for the next one.
        fn wake_due(&self) -> nix::Result<()> {
            let mut queue = self.lock();
            let due = clock::monotonic() + SAME;
            while let Some(first) = queue.waiting.first_entry() {
                let (deadline, _) = *first.key();
                if deadline > due {
                    return self.set(deadline);
                }
                // Fails only if the client went away.
                let _ = first.remove().send(());
            }
            Ok(())
        }

        fn set(&self, deadline: Duration) -> nix::Result<()> {
            let expiration = Expiration::OneShot(deadline.max(AT_ONCE).into());
            self.timer.get_ref().0.set(expiration, TimerSetTimeFlags::TFD_TIMER_ABSTIME)
        }
    }

    /// The descriptor is never read: setting it anew forgets the old ring. A ring too many wakes nobody.
    async fn ring(sleepers: Arc<Sleepers>) {
        while let Ok(mut rung) = sleepers.timer.readable().await {
            rung.clear_ready();
            if sleepers.wake_due().is_err() {
                break;
            }
        }
        // Without a timer the sleepers go on with the runtime's.
        *sleepers.lock() = Queue { closed: true, ..Queue::default() };
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
            let timers = Timers::new();
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
    fn a_wait_that_was_given_up_disturbs_no_other() {
        runtime().block_on(async {
            let timers = Timers::new();
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
        runtime().block_on(async { Timers::new().wait_until(Duration::ZERO).await });
    }

    #[test]
    fn a_later_wait_with_an_earlier_deadline_is_not_held_up() {
        runtime().block_on(async {
            let timers = Timers::new();
            let start = clock::monotonic();
            let mut long = std::pin::pin!(timers.wait_until(start + Duration::from_secs(3600)));
            let short = async {
                tokio::task::yield_now().await;
                timers.wait_until(start + Duration::from_millis(5)).await;
            };
            tokio::select! {
                biased;
                () = &mut long => panic!("early"),
                () = short => {}
            }
            assert!(clock::monotonic() - start < Duration::from_secs(60));
        });
    }

    /// Waits must overlap: a hundred of 20 ms in a row would take two seconds.
    #[test]
    fn many_waits_pass_at_the_same_time() {
        runtime().block_on(async {
            let timers = std::sync::Arc::new(Timers::new());
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
