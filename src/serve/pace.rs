//! The knobs that make an answer slower by a known amount.

use std::future::{Future, poll_fn};
use std::hint::spin_loop;
use std::pin::pin;
use std::time::Duration;

use super::clock;
use super::options::ServeOptions;

/// Longest stretch of burning before others get their turn.
const BURN_SLICE: Duration = Duration::from_micros(250);

/// The knobs with the slowdown worked in.
#[derive(Debug)]
pub(super) struct Pace {
    floor: Duration,
    tail_floor: Duration,
    tail_share: f64,
    cpu_work: Duration,
    slowdown: f64,
}

impl Pace {
    /// `options` were checked.
    pub(super) fn new(options: &ServeOptions) -> Self {
        let stretch = 1.0 + options.slowdown;
        let floor = options.service_time.mul_f64(stretch);
        Self {
            floor,
            tail_floor: floor.mul_f64(options.tail.map_or(1.0, |tail| tail.factor)),
            tail_share: options.tail.map_or(0.0, |tail| tail.share),
            cpu_work: options.cpu_work.mul_f64(stretch),
            slowdown: options.slowdown,
        }
    }

    /// Least time for the next answer, by lot if there is a tail.
    pub(super) fn floor(&self) -> Duration {
        let in_tail = self.tail_share > 0.0 && fastrand::f64() < self.tail_share;
        if in_tail { self.tail_floor } else { self.floor }
    }

    /// Runs the handler, then burns what the knobs ask for.
    pub(super) async fn work<T>(&self, handler: impl Future<Output = T>) -> T {
        if self.slowdown == 0.0 {
            let made = handler.await;
            burn(self.cpu_work).await;
            return made;
        }
        let (made, own) = metered(handler).await;
        burn(self.cpu_work + own.mul_f64(self.slowdown)).await;
        made
    }
}

/// The output of `future` and the CPU time of its polls, on whichever threads they ran.
async fn metered<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let mut future = pin!(future);
    let mut used = Duration::ZERO;
    let output = poll_fn(|context| {
        let start = clock::thread_cpu();
        let polled = future.as_mut().poll(context);
        used += clock::thread_cpu().saturating_sub(start);
        polled
    });
    let output = output.await;
    (output, used)
}

/// Uses up `length` of CPU time, with turns for others in between.
async fn burn(length: Duration) {
    let mut left = length;
    while !left.is_zero() {
        left = left.saturating_sub(burn_slice(left.min(BURN_SLICE)));
        if !left.is_zero() {
            tokio::task::yield_now().await;
        }
    }
}

/// Returns what was really used: a little more than asked for.
fn burn_slice(length: Duration) -> Duration {
    let start = clock::thread_cpu();
    loop {
        spin_loop();
        let used = clock::thread_cpu().saturating_sub(start);
        if used >= length {
            return used;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::Tail;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn cpu_of<T>(future: impl Future<Output = T>) -> Duration {
        let start = clock::thread_cpu();
        block_on(future);
        clock::thread_cpu() - start
    }

    #[test]
    fn the_slowdown_stretches_floor_and_cpu_work() {
        let options = ServeOptions {
            service_time: Duration::from_millis(2),
            cpu_work: Duration::from_micros(200),
            slowdown: 0.1,
            ..ServeOptions::default()
        };
        let pace = Pace::new(&options);
        assert_eq!(pace.floor(), Duration::from_micros(2200));
        assert_eq!(pace.cpu_work, Duration::from_micros(220));
    }

    #[test]
    fn the_tail_multiplies_the_floor_of_its_share_slowdown_included() {
        let options = ServeOptions {
            service_time: Duration::from_millis(2),
            slowdown: 0.5,
            tail: Some(Tail { share: 0.1, factor: 5.0 }),
            ..ServeOptions::default()
        };
        let pace = Pace::new(&options);
        fastrand::seed(1);
        let floors: Vec<_> = (0..10_000).map(|_| pace.floor()).collect();
        let long = floors.iter().filter(|floor| **floor == Duration::from_millis(15)).count();
        let short = floors.iter().filter(|floor| **floor == Duration::from_millis(3)).count();
        assert_eq!(long + short, 10_000);
        assert!((900..=1100).contains(&long), "{long}");
    }

    /// CPU time does not count preemption, so the least of some tries is right on a busy machine too.
    #[test]
    fn cpu_work_burns_what_it_says_to_20_us() {
        for length in [Duration::from_micros(200), Duration::from_micros(900)] {
            let tries: Vec<_> = (0..30).map(|_| cpu_of(burn(length))).collect();
            let least = *tries.iter().min().unwrap();
            let own = (0..30).map(|_| cpu_of(async {})).min().unwrap();
            assert!(least >= length, "{least:?}");
            assert!(
                least - own <= length + Duration::from_micros(20),
                "{least:?} with {own:?} of it the runtime's"
            );
        }
    }

    #[test]
    fn the_handlers_own_cpu_time_is_stretched_and_its_sleep_is_not() {
        let handler = || async {
            burn_slice(Duration::from_millis(2));
            tokio::task::yield_now().await;
            burn_slice(Duration::from_millis(2));
        };
        let (_, own) = block_on(metered(handler()));
        assert!(own >= Duration::from_millis(4), "{own:?}");
        let slowed = Pace::new(&ServeOptions { slowdown: 0.5, ..ServeOptions::default() });
        let least = (0..10).map(|_| cpu_of(slowed.work(handler()))).min().unwrap();
        assert!(least >= Duration::from_millis(6), "{least:?}");
        assert!(least < Duration::from_micros(6500), "{least:?}");
        let idle = std::future::ready(());
        let (_, own) = block_on(metered(idle));
        assert!(own < Duration::from_millis(1), "{own:?}");
    }
}
