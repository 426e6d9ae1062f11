//! How many requests may be in flight, changed while running.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// No limit, as a number that no count reaches.
const UNLIMITED: usize = usize::MAX;

#[derive(Debug)]
pub(super) struct Limit {
    most: AtomicUsize,
    in_flight: AtomicUsize,
}

/// A request's place; given back when dropped, also when the client went away.
#[derive(Debug)]
pub(super) struct Slot<'a>(&'a Limit);

impl Limit {
    pub(super) fn new(most: Option<usize>) -> Self {
        Self { most: AtomicUsize::new(most.unwrap_or(UNLIMITED)), in_flight: AtomicUsize::new(0) }
    }

    /// Requests that are in flight already stay; only later ones are held against the new limit.
    pub(super) fn set(&self, most: usize) {
        self.most.store(most, Relaxed);
    }

    /// `None` at the limit. Never counts a refused request, not even for a moment: a neighbour would be refused in its stead.
    pub(super) fn admit(&self) -> Option<Slot<'_>> {
        let most = self.most.load(Relaxed);
        let enter = |count: usize| (count < most).then_some(count + 1);
        self.in_flight.fetch_update(Relaxed, Relaxed, enter).ok().map(|_| Slot(self))
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_once_its_request_is_answered() {
        let limit = Limit::new(Some(2));
        let first = limit.admit().unwrap();
        let _second = limit.admit().unwrap();
        assert!(limit.admit().is_none());
        drop(first);
        assert!(limit.admit().is_some());
    }

    #[test]
    fn a_changed_limit_holds_for_the_next_request() {
        let limit = Limit::new(None);
        let _first = limit.admit().unwrap();
        limit.set(1);
        assert!(limit.admit().is_none());
        limit.set(2);
        assert!(limit.admit().is_some());
        limit.set(0);
        assert!(limit.admit().is_none());
    }

    #[test]
    fn two_threads_never_exceed_the_limit_nor_lose_a_place() {
        let limit = Limit::new(Some(1));
        let inside = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        if let Some(_slot) = limit.admit() {
                            assert_eq!(inside.fetch_add(1, Relaxed), 0);
                            inside.fetch_sub(1, Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(limit.in_flight.load(Relaxed), 0);
    }
}
