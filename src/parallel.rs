//! Maps a function over many items on several cores. The results do not depend on the number of cores.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// The number of threads that this machine runs simultaneously.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Applies `each` to the items on up to `threads` threads, including the calling one. The results are in the order of the items.
pub fn map<T: Send, R: Send>(items: Vec<T>, threads: usize, each: impl Fn(T) -> R + Sync) -> Vec<R> {
    let threads = threads.min(items.len());
    // Items are taken one at a time, so that a thread on a busy core does fewer of them.
    let queue = Mutex::new(items.into_iter().enumerate());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work =
        || -> Vec<(usize, R)> { std::iter::from_fn(next).map(|(index, item)| (index, each(item))).collect() };
    let mut done = thread::scope(|scope| {
        let spawn = |_| thread::Builder::new().spawn_scoped(scope, work);
        // The others do the work of a thread that the system refuses.
        let helpers: Vec<_> = (1..threads).map(spawn).filter_map(Result::ok).collect();
        let mut done = work();
        for helper in helpers {
            done.extend(helper.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    });
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_of_the_items_for_any_number_of_threads() {
        let expected: Vec<usize> = (0..100).map(|item| item * item).collect();
        for threads in [0, 1, 2, 7, 1000] {
            assert_eq!(map((0..100).collect(), threads, |item| item * item), expected);
        }
        assert!(map(Vec::<usize>::new(), 4, |item| item).is_empty());
    }

    #[test]
    #[should_panic(expected = "seven")]
    fn a_panic_in_any_thread_reaches_the_caller() {
        map((0..100).collect(), 3, |item: usize| assert_ne!(item, 7, "seven"));
    }
}
