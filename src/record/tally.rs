//! The counters of a round. `measure` fills them and [`METRICS`](crate::record::METRICS) read them when the round is closed.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::record::fault::Fault;
use crate::record::histogram::LatencyHistogram;

/// The clock that timed responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The kernel, for each of them.
    Kernel,
    /// The kernel for some, this process for others.
    Mixed,
    /// This process, after each read.
    User,
}

/// Counts of a round.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counts {
    /// Exchanges that were sent inside the window.
    pub requests: u64,
    /// Those of them that were successes.
    pub successes: u64,
    /// How often each status came.
    pub statuses: BTreeMap<u16, u64>,
    /// How often each fault came.
    pub faults: BTreeMap<Fault, u64>,
    /// Connections that were opened.
    pub connections: u64,
    /// Kept connections that the server had closed and that were opened again.
    pub reconnects: u64,
    /// Connections that were dropped because bytes arrived on them that belong to no response: a body after a 204, a second response.
    pub excess: u64,
    /// Responses without the kernel's receive time.
    pub unstamped: u64,
    /// Requests the sending of which took longer than a millisecond.
    pub slow_sends: u64,
}

/// A sum and how many summands it has.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sum {
    /// Summands.
    pub count: u64,
    /// Their sum.
    pub total: f64,
}

impl Sum {
    /// Adds a summand.
    pub fn add(&mut self, value: f64) {
        self.count += 1;
        self.total += value;
    }

    /// The mean; nothing without a summand.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.total / self.count as f64)
    }
}

/// The counters of a round while it lasts.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// The time for which the window was open.
    pub window: Duration,
    /// What was counted.
    pub counts: Counts,
    /// Latencies of the successes that were sent inside the window.
    pub latency: LatencyHistogram,
    /// Latencies of the other whole responses that were sent inside the window.
    pub failure_latency: LatencyHistogram,
    /// Successes by the share of each that lies inside the window.
    pub successes_in_window: f64,
    /// Bytes of the bodies of the counted successes, as received.
    pub response_bytes: Sum,
    /// Input tokens of the counted successes.
    pub input_tokens: Sum,
    /// Output tokens of the counted successes.
    pub output_tokens: Sum,
    /// Input tokens by the share of their exchange that lies inside the window; `None` if no response had any.
    pub input_tokens_in_window: Option<f64>,
    /// Output tokens by the share of their exchange that lies inside the window; `None` if no response had any.
    pub output_tokens_in_window: Option<f64>,
    /// The time to open each connection of the launch.
    pub connect: LatencyHistogram,
    /// From the last answer's arrival to the next request's departure.
    pub lag: LatencyHistogram,
    /// What was wrong with the first malformed response.
    pub first_malformed: Option<String>,
}

impl Tally {
    /// A count by the share inside the window, as a rate per second of window.
    pub(crate) fn per_second(&self, in_window: f64) -> Option<f64> {
        let seconds = self.window.as_secs_f64();
        (seconds > 0.0).then(|| in_window / seconds)
    }

    /// Forgets everything, keeping the memory.
    pub fn clear(&mut self) {
        let Self {
            window,
            counts,
            latency,
            failure_latency,
            successes_in_window,
            response_bytes,
            input_tokens,
            output_tokens,
            input_tokens_in_window,
            output_tokens_in_window,
            connect,
            lag,
            first_malformed,
        } = self;
        [latency, failure_latency, connect, lag].into_iter().for_each(LatencyHistogram::clear);
        (*window, *successes_in_window) = (Duration::ZERO, 0.0);
        [response_bytes, input_tokens, output_tokens].into_iter().for_each(|sum| *sum = Sum::default());
        (*input_tokens_in_window, *output_tokens_in_window) = (None, None);
        (*counts, *first_malformed) = (Counts::default(), None);
    }
}

impl Counts {
    /// The sum of some counts.
    pub fn sum<'a>(counts: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut sum = Self::default();
        counts.into_iter().for_each(|counts| sum.add(counts));
        sum
    }

    /// Adds what another round counted.
    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.successes += other.successes;
        self.connections += other.connections;
        self.reconnects += other.reconnects;
        self.excess += other.excess;
        self.unstamped += other.unstamped;
        self.slow_sends += other.slow_sends;
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        for (fault, count) in &other.faults {
            *self.faults.entry(*fault).or_default() += count;
        }
    }

    /// The share of successes; nothing without a request.
    pub fn success_ratio(&self) -> Option<f64> {
        (self.requests > 0).then(|| self.successes as f64 / self.requests as f64)
    }

    /// The clock that timed responses.
    pub fn clock(&self) -> Clock {
        let responses: u64 = self.statuses.values().sum();
        match self.unstamped {
            0 => Clock::Kernel,
            some if some < responses => Clock::Mixed,
            _ => Clock::User,
        }
    }
}
