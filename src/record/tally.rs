//! What is counted while a round lasts. `measure` fills it; [`METRICS`](super::METRICS) read it; it closes to a `Round`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::record::fault::Fault;
use crate::record::histogram::LatencyHistogram;

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

/// What is counted while a round lasts.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// How long the window was open.
    pub window: Duration,
    /// Exchanges that were sent inside the window.
    pub requests: u64,
    /// Those of them that were successes.
    pub successes: u64,
    /// Latencies of these successes.
    pub latency: LatencyHistogram,
    /// Latencies of the other whole responses that were sent inside the window.
    pub failure_latency: LatencyHistogram,
    /// How often each status came, of the exchanges that were sent inside the window.
    pub statuses: BTreeMap<u16, u64>,
    /// How often each fault came, of the exchanges that were sent inside the window.
    pub faults: BTreeMap<Fault, u64>,
    /// Successes by the share of each that lies inside the window.
    pub successes_in_window: f64,
    /// Input tokens of the counted successes.
    pub input_tokens: Sum,
    /// Output tokens of the counted successes.
    pub output_tokens: Sum,
    /// Input tokens by the share of their exchange that lies inside the window; nothing when no response had any.
    pub input_tokens_in_window: Option<f64>,
    /// Output tokens by the share of their exchange that lies inside the window; nothing when no response had any.
    pub output_tokens_in_window: Option<f64>,
    /// What opening each connection of the launch took.
    pub connect: LatencyHistogram,
    /// Connections that were opened in this round.
    pub connections: u64,
    /// From the last answer's arrival to the next request's departure.
    pub lag: LatencyHistogram,
    /// Kept connections that the server had closed, and that were opened anew.
    pub reconnects: u64,
    /// Responses without the kernel's receive time.
    pub unstamped: u64,
    /// Requests the sending of which took longer than a millisecond, so that their latency is that much uncertain.
    pub slow_sends: u64,
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
            requests,
            successes,
            latency,
            failure_latency,
            statuses,
            faults,
            successes_in_window,
            input_tokens,
            output_tokens,
            input_tokens_in_window,
            output_tokens_in_window,
            connect,
            connections,
            lag,
            reconnects,
            unstamped,
            slow_sends,
        } = self;
        [latency, failure_latency, connect, lag].into_iter().for_each(LatencyHistogram::clear);
        [requests, successes, connections, reconnects, unstamped, slow_sends]
            .into_iter()
            .for_each(|n| *n = 0);
        (*window, *successes_in_window) = (Duration::ZERO, 0.0);
        (*input_tokens, *output_tokens) = (Sum::default(), Sum::default());
        (*input_tokens_in_window, *output_tokens_in_window) = (None, None);
        statuses.clear();
        faults.clear();
    }
}
