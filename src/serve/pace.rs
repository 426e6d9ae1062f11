//! Responses that are slower by a known amount: waiting and using up CPU time, exact to some microseconds.

use std::future::{Future, poll_fn};
use std::hint::spin_loop;
use std::io;
use std::pin::pin;
use std::time::Duration;

use nix::time::ClockId;

use crate::serve::options::{ServeOptions, Tail};
use crate::serve::pace::alarm::{Alarm, EARLY};

/// The longest time that is used up before other tasks get their turn.
const BURN_SLICE: Duration = Duration::from_micros(250);

/// The delays of one server.
#[derive(Debug)]
pub(super) struct Pace {
    min_time: Duration,
    tail: Option<Tail>,
    cpu_work: Duration,
    slowdown: f64,
    alarm: Alarm,
}

impl Pace {
    /// To be called inside the runtime that serves.
    pub(super) fn new(options: &ServeOptions) -> io::Result<Self> {
        let factor = 1.0 + options.slowdown;
        Ok(Self {
            min_time: options.service_time.mul_f64(factor),
            tail: options.tail,
            cpu_work: options.cpu_work.mul_f64(factor),
            slowdown: options.slowdown,
            alarm: Alarm::new()?,
        })
    }

    /// Runs `handler`, slows it down, and returns its output no earlier than `min_time` after this call.
    pub(super) async fn run<T>(&self, min_time: Duration, handler: impl Future<Output = T>) -> T {
        let start = monotonic();
        let output = self.work(handler).await;
        let min_time = self.draw_min_time().max(min_time);
        if !min_time.is_zero() {
            self.wait_until(start.saturating_add(min_time)).await;
        }
        output
    }

    /// The minimum time of the next response. It is random if there is a tail.
    fn draw_min_time(&self) -> Duration {
        match self.tail {
            Some(tail) if fastrand::f64() < tail.share => self.min_time.mul_f64(tail.factor),
            _ => self.min_time,
        }
    }

    /// Runs `handler`, then uses up the CPU time of `cpu_work` and `slowdown`.
    async fn work<T>(&self, handler: impl Future<Output = T>) -> T {
        if self.slowdown == 0.0 {
            let output = handler.await;
            burn(self.cpu_work).await;
            return output;
        }
        let (output, used) = metered(handler).await;
        burn(self.cpu_work + used.mul_f64(self.slowdown)).await;
        output
    }

    /// Returns when the monotonic clock shows `deadline` or later, never earlier.
    ///
    /// The alarm rings early and the rest is spent reading the clock. Other tasks get their turn between two readings, so 100
    /// simultaneous waits use only CPU time that nobody else wants.
    async fn wait_until(&self, deadline: Duration) {
        if monotonic() + EARLY < deadline {
            self.alarm.sleep_until(deadline - EARLY).await;
        }
        while monotonic() < deadline {
            tokio::task::yield_now().await;
        }
    }
}

/// The output of `future` and the CPU time of its polls, on whichever threads they ran.
async fn metered<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let mut future = pin!(future);
    let mut used = Duration::ZERO;
    let output = poll_fn(|context| {
        let start = thread_cpu();
        let polled = future.as_mut().poll(context);
        used += thread_cpu().saturating_sub(start);
        polled
    });
    let output = output.await;
    (output, used)
}

/// Uses up `length` of CPU time in slices.
async fn burn(length: Duration) {
    let mut left = length;
    while !left.is_zero() {
        left = left.saturating_sub(burn_slice(left.min(BURN_SLICE)));
        if !left.is_zero() {
            tokio::task::yield_now().await;
        }
    }
}

/// Returns the CPU time that was used: slightly more than `length`.
fn burn_slice(length: Duration) -> Duration {
    let start = thread_cpu();
    loop {
        spin_loop();
        let used = thread_cpu().saturating_sub(start);
        if used >= length {
            return used;
        }
    }
}

/// Time since an arbitrary start. `Instant` hides this reading, which a timerfd needs.
fn monotonic() -> Duration {
    read_clock(ClockId::CLOCK_MONOTONIC)
}

/// CPU time of the calling thread. It stands still while another thread has the core.
fn thread_cpu() -> Duration {
    read_clock(ClockId::CLOCK_THREAD_CPUTIME_ID)
}

fn read_clock(clock: ClockId) -> Duration {
    clock.now().expect("every supported system has both clocks").into()
}

/// One timerfd (a high-resolution timer of the kernel) that all waits of a server share, set for the earliest of them.
///
/// The runtime's own timer counts milliseconds: waits of 2.0 and 2.1 ms both take 3 ms. With a timerfd for each of 100 waits
/// of 2 ms, setting the timers took twice the CPU time of the rest of a request.
#[cfg(target_os = "linux")]
mod alarm {
    use std::collections::BTreeMap;
    use std::io;
    use std::os::fd::{AsFd, AsRawFd, RawFd};
    use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
    use std::time::Duration;

    use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;
    use tokio::sync::oneshot;
    use tokio::task::JoinSet;

    use crate::serve::pace::monotonic;

    /// The time that an idle core takes to wake up in a virtual machine, found by trying 0 to 250 µs. With 100 simultaneous waits
    /// the throughput is the same as with 0.
    pub(super) const EARLY: Duration = Duration::from_micros(100);
    /// Deadlines that are closer than this ring together.
    const SAME: Duration = Duration::from_micros(10);
    /// A timer that is set to 0 never rings.
    const FIRST: Duration = Duration::from_nanos(1);
    /// The latest time that is set: a century after the machine started.
    const LAST: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);

    type Waiting = BTreeMap<Duration, Vec<oneshot::Sender<()>>>;

    #[derive(Debug)]
    pub(super) struct Alarm {
        sleepers: Arc<Sleepers>,
        /// Stops with the alarm.
        _ring: JoinSet<()>,
    }

    /// The timer is always set for the first of `waiting`. It is only set while that is locked.
    #[derive(Debug)]
    struct Sleepers {
        timer: AsyncFd<Timer>,
        /// By deadline. A sleeper whose client disconnected stays until its deadline.
        waiting: Mutex<Waiting>,
    }

    #[derive(Debug)]
    struct Timer(TimerFd);

    impl AsRawFd for Timer {
        fn as_raw_fd(&self) -> RawFd {
            self.0.as_fd().as_raw_fd()
        }
    }

    impl Alarm {
        #[allow(
            deprecated,
            reason = "the successor of `with_interest` is unsafe for descriptors that may be closed early; this one is owned"
        )]
        pub(super) fn new() -> io::Result<Self> {
            let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
            let timer = Timer(TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?);
            let timer = AsyncFd::with_interest(timer, Interest::READABLE)?;
            let sleepers = Arc::new(Sleepers { timer, waiting: Mutex::default() });
            let mut ring = JoinSet::new();
            ring.spawn(sleepers.clone().ring());
            Ok(Self { sleepers, _ring: ring })
        }

        pub(super) async fn sleep_until(&self, deadline: Duration) {
            let woken = self.sleepers.enter(deadline.clamp(FIRST, LAST));
            // Fails only if the runtime is shutting down.
            let _ = woken.await;
        }
    }

    impl Sleepers {
        fn lock(&self) -> MutexGuard<'_, Waiting> {
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
        }

        fn enter(&self, deadline: Duration) -> oneshot::Receiver<()> {
            let (wake, woken) = oneshot::channel();
            let mut waiting = self.lock();
            if waiting.first_key_value().is_none_or(|(first, _)| deadline < *first) {
                self.set(deadline);
            }
            waiting.entry(deadline).or_default().push(wake);
            woken
        }

        /// Wakes all sleepers whose deadline has come and sets the timer for the next one.
        fn wake_due(&self) {
            let mut waiting = self.lock();
            let due = monotonic() + SAME;
            while let Some(first) = waiting.first_entry() {
                if *first.key() > due {
                    return self.set(*first.key());
                }
                for wake in first.remove() {
                    // Fails only if the client disconnected.
                    let _ = wake.send(());
                }
            }
        }

        fn set(&self, deadline: Duration) {
            let expiration = Expiration::OneShot(deadline.into());
            let set = self.timer.get_ref().0.set(expiration, TimerSetTimeFlags::TFD_TIMER_ABSTIME);
            set.expect("the timer is open and the deadline is in range");
        }

        /// The descriptor is never read, because setting it again clears it.
        async fn ring(self: Arc<Self>) {
            while let Ok(mut rung) = self.timer.readable().await {
                rung.clear_ready();
                self.wake_due();
            }
        }
    }
}

/// The runtime's timer, which can ring two of its milliseconds late.
#[cfg(not(target_os = "linux"))]
mod alarm {
    use std::io;
    use std::time::Duration;

    use crate::serve::pace::monotonic;

    pub(super) const EARLY: Duration = Duration::from_millis(2);

    #[derive(Debug)]
    pub(super) struct Alarm;

    impl Alarm {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Self)
        }

        pub(super) async fn sleep_until(&self, deadline: Duration) {
            tokio::time::sleep(deadline.saturating_sub(monotonic())).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    }

    fn pace(runtime: &tokio::runtime::Runtime, options: ServeOptions) -> Pace {
        let _inside = runtime.enter();
        Pace::new(&options).unwrap()
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn cpu_of<T>(future: impl Future<Output = T>) -> Duration {
        let start = thread_cpu();
        block_on(future);
        thread_cpu() - start
    }

    #[test]
    fn the_slowdown_increases_minimum_time_and_cpu_work() {
        let options = ServeOptions {
            service_time: Duration::from_millis(2),
            cpu_work: Duration::from_micros(200),
            slowdown: 0.1,
            ..ServeOptions::default()
        };
        let pace = pace(&runtime(), options);
        assert_eq!(pace.min_time, Duration::from_micros(2200));
        assert_eq!(pace.cpu_work, Duration::from_micros(220));
    }

    #[test]
    fn the_tail_multiplies_the_slowed_minimum_time_of_its_share() {
        let options = ServeOptions {
            service_time: Duration::from_millis(2),
            slowdown: 0.5,
            tail: Some(Tail { share: 0.1, factor: 5.0 }),
            ..ServeOptions::default()
        };
        let pace = pace(&runtime(), options);
        fastrand::seed(1);
        let times: Vec<_> = (0..10_000).map(|_| pace.draw_min_time()).collect();
        let long = times.iter().filter(|time| **time == Duration::from_millis(15)).count();
        let short = times.iter().filter(|time| **time == Duration::from_millis(3)).count();
        assert_eq!(long + short, 10_000);
        assert!((900..=1100).contains(&long), "{long}");
    }

    /// CPU time leaves out preemption, so the lowest of several tries is right even on a busy machine.
    #[test]
    fn cpu_work_is_exact_to_20_us() {
        for length in [Duration::from_micros(200), Duration::from_micros(900)] {
            let tries: Vec<_> = (0..30).map(|_| cpu_of(burn(length))).collect();
            let least = *tries.iter().min().unwrap();
            let own = (0..30).map(|_| cpu_of(async {})).min().unwrap();
            assert!(least >= length, "{least:?}");
            assert!(
                least - own <= length + Duration::from_micros(20),
                "{least:?} of which the runtime used {own:?}"
            );
        }
    }

    #[test]
    fn the_slowdown_increases_the_handlers_cpu_time_only() {
        let handler = || async {
            burn_slice(Duration::from_millis(2));
            tokio::task::yield_now().await;
            burn_slice(Duration::from_millis(2));
        };
        let (_, used) = block_on(metered(handler()));
        assert!(used >= Duration::from_millis(4), "{used:?}");
        let slowed = pace(&runtime(), ServeOptions { slowdown: 0.5, ..ServeOptions::default() });
        let least = (0..10).map(|_| cpu_of(slowed.work(handler()))).min().unwrap();
        assert!(least >= Duration::from_millis(6), "{least:?}");
        assert!(least < Duration::from_micros(6500), "{least:?}");
        let idle = std::future::ready(());
        let (_, used) = block_on(metered(idle));
        assert!(used < Duration::from_millis(1), "{used:?}");
    }

    /// The lowest delay of many tries is the timer's own. Higher ones come from the machine.
    #[test]
    fn a_wait_is_never_early_and_at_best_20_us_late() {
        runtime().block_on(async {
            let pace = Pace::new(&ServeOptions::default()).unwrap();
            let mut least = Duration::MAX;
            for index in 0..200 {
                let deadline = monotonic() + Duration::from_micros(20 * index);
                pace.wait_until(deadline).await;
                least = least.min(monotonic().checked_sub(deadline).expect("not early"));
            }
            assert!(least <= Duration::from_micros(20), "{least:?}");
        });
    }

    #[test]
    fn an_abandoned_wait_does_not_affect_others() {
        runtime().block_on(async {
            let pace = Pace::new(&ServeOptions::default()).unwrap();
            for _ in 0..20 {
                let long = pace.wait_until(monotonic() + Duration::from_millis(3));
                let _ = tokio::time::timeout(Duration::from_millis(1), long).await;
                let deadline = monotonic() + Duration::from_millis(2);
                pace.wait_until(deadline).await;
                assert!(monotonic() >= deadline);
            }
        });
    }

    #[test]
    fn a_deadline_in_the_past_returns_immediately() {
        runtime().block_on(async {
            Pace::new(&ServeOptions::default()).unwrap().wait_until(Duration::ZERO).await
        });
    }

    #[test]
    fn a_later_wait_with_an_earlier_deadline_ends_first() {
        runtime().block_on(async {
            let pace = Pace::new(&ServeOptions::default()).unwrap();
            let start = monotonic();
            let mut long = pin!(pace.wait_until(Duration::MAX));
            let short = async {
                tokio::task::yield_now().await;
                pace.wait_until(start + Duration::from_millis(5)).await;
            };
            tokio::select! {
                biased;
                () = &mut long => panic!("early"),
                () = short => {}
            }
            assert!(monotonic() - start < Duration::from_secs(60));
        });
    }

    /// A hundred waits of 20 ms one after the other would take two seconds.
    #[test]
    fn many_waits_overlap() {
        runtime().block_on(async {
            let pace = std::sync::Arc::new(Pace::new(&ServeOptions::default()).unwrap());
            let start = monotonic();
            let waits: Vec<_> = (0..100)
                .map(|_| {
                    let pace = pace.clone();
                    tokio::spawn(async move { pace.wait_until(start + Duration::from_millis(20)).await })
                })
                .collect();
            for wait in waits {
                wait.await.unwrap();
            }
            let took = monotonic() - start;
            assert!(took >= Duration::from_millis(20) && took < Duration::from_secs(1), "{took:?}");
        });
    }
}
