//! The shapes of load. Each is a pure answer to one question: when does the next request depart?

use std::fmt;

use serde::{Deserialize, Serialize};

/// How requests are made.
///
/// ```
/// use plimsoll::Load;
/// assert_eq!(Load::closed(10).to_string(), "closed(10)");
/// assert_eq!(Load::burst(100).to_string(), "burst(100)");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// A closed loop: so many workers, each of which sends its next request as soon as it has the answer to its last.
    Closed {
        /// Requests in flight at any time.
        concurrency: usize,
    },
    /// So many requests at once, each counted once; the round is over when all are back.
    Burst {
        /// Requests of one burst.
        requests: usize,
    },
    /// So many requests in all, at most `concurrency` of them in flight: what `plimsoll load -n` does.
    Batch {
        /// Requests in all.
        requests: u64,
        /// Most requests in flight.
        concurrency: usize,
    },
}

/// When the next request of a worker departs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Departure {
    /// As soon as the worker is free.
    WhenFree,
    /// Never: the round has sent all its requests.
    Done,
}

impl Load {
    /// A closed loop with `concurrency` requests always in flight.
    pub const fn closed(concurrency: usize) -> Self {
        Self::Closed { concurrency }
    }

    /// `requests` at once; a round is one burst.
    pub const fn burst(requests: usize) -> Self {
        Self::Burst { requests }
    }

    /// Most requests in flight: the number of workers and of kept connections.
    pub(crate) fn concurrency(&self) -> usize {
        match *self {
            Self::Closed { concurrency } => concurrency,
            Self::Burst { requests } => requests,
            Self::Batch { requests, concurrency } => {
                concurrency.min(usize::try_from(requests).unwrap_or(usize::MAX))
            }
        }
    }

    /// When the next request departs, `sent` having departed in this round already.
    pub(crate) fn departure(&self, sent: u64) -> Departure {
        let requests = match *self {
            Self::Closed { .. } => return Departure::WhenFree,
            Self::Burst { requests } => requests as u64,
            Self::Batch { requests, .. } => requests,
        };
        if sent < requests { Departure::WhenFree } else { Departure::Done }
    }

    /// Whether a round lasts as long as its window. The others last until each of their requests is back.
    pub(crate) fn is_timed(&self) -> bool {
        matches!(self, Self::Closed { .. })
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed { concurrency } => write!(f, "closed({concurrency})"),
            Self::Burst { requests } => write!(f, "burst({requests})"),
            Self::Batch { requests, concurrency } => write!(f, "batch({requests}, {concurrency})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_loop_never_ends_by_itself() {
        assert_eq!(Load::closed(1).departure(u64::MAX), Departure::WhenFree);
    }

    #[test]
    fn a_burst_sends_each_request_once() {
        let burst = Load::burst(3);
        assert_eq!(burst.departure(2), Departure::WhenFree);
        assert_eq!(burst.departure(3), Departure::Done);
    }

    #[test]
    fn a_batch_needs_no_more_workers_than_requests() {
        let batch = Load::Batch { requests: 3, concurrency: 10 };
        assert_eq!(batch.concurrency(), 3);
        assert_eq!(batch.departure(3), Departure::Done);
    }
}
