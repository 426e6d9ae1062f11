//! The shapes of load. Each is a pure answer to one question: when does the next request depart?

use std::fmt;

use serde::{Deserialize, Serialize};

/// How requests are sent.
///
/// ```
/// use plimsoll::Load;
/// assert_eq!(Load::closed(10).to_string(), "closed(10)");
/// assert_eq!(Load::burst(100).to_string(), "burst(100)");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Load {
    /// A closed loop: each of `concurrency` workers sends its next request as soon as it has the response to the last.
    Closed {
        /// Requests in flight at any time.
        concurrency: usize,
    },
    /// All requests at the same time. The round ends with the last response.
    Burst {
        /// Requests per burst.
        requests: usize,
    },
    /// A fixed number of requests: `plimsoll load --requests`. The round ends with the last response.
    Batch {
        /// Total number of requests.
        requests: u64,
        /// Maximum number of requests in flight.
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
    /// A closed loop with `concurrency` requests always in flight. At most 10,000.
    pub const fn closed(concurrency: usize) -> Self {
        Self::Closed { concurrency }
    }

    /// `requests` requests at the same time, at most 10,000. Each round is one burst.
    pub const fn burst(requests: usize) -> Self {
        Self::Burst { requests }
    }

    /// Maximum number of requests in flight: the number of workers and of open connections.
    pub(crate) fn concurrency(&self) -> usize {
        match *self {
            Self::Closed { concurrency } => concurrency,
            Self::Burst { requests } => requests,
            Self::Batch { requests, concurrency } => {
                concurrency.min(usize::try_from(requests).unwrap_or(usize::MAX))
            }
        }
    }

    /// When the next request departs, given the number of requests that this round has already sent.
    pub(crate) fn departure(&self, sent: u64) -> Departure {
        let requests = match *self {
            Self::Closed { .. } => return Departure::WhenFree,
            Self::Burst { requests } => requests as u64,
            Self::Batch { requests, .. } => requests,
        };
        if sent < requests { Departure::WhenFree } else { Departure::Done }
    }

    /// Whether time ends a round. Otherwise the last response does.
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
    fn a_closed_loop_sends_without_end() {
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
