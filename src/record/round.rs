//! One time slice of one cell, closed: the sample that everything is judged by.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::record::fault::Fault;
use crate::record::histogram::EncodedHistogram;
use crate::record::metric::{METRICS, Metric};
use crate::record::tally::Tally;

/// Which clock told when responses arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The kernel, for each of them.
    Kernel,
    /// The kernel for some, this process for others.
    Mixed,
    /// This process, after each read.
    User,
}

/// What was counted in a round.
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
    /// Kept connections that the server had closed, and that were opened anew.
    pub reconnects: u64,
    /// Responses without the kernel's receive time.
    pub unstamped: u64,
    /// Requests the sending of which took longer than a millisecond.
    pub slow_sends: u64,
}

/// One time slice of one cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Round {
    /// The launch that served it, counted from 0 within its run.
    pub launch: usize,
    /// When it began, since the run's start.
    pub started: Duration,
    /// How long its window was open.
    pub window: Duration,
    /// What was counted.
    pub counts: Counts,
    /// The value of each metric that it has, by id, in the metric's unit.
    pub values: BTreeMap<&'static str, f64>,
    /// Latencies of the successes.
    pub latency: EncodedHistogram,
    /// Latencies of the other whole responses.
    pub failure_latency: EncodedHistogram,
}

impl Round {
    /// Closes a tally: takes the values of all metrics and compresses the histograms.
    pub fn close(tally: &Tally, launch: usize, started: Duration) -> Self {
        let value = |metric: &'static Metric| Some((metric.id, fifteen_digits((metric.value)(tally)?)));
        Self {
            launch,
            started,
            window: tally.window,
            counts: tally.counts.clone(),
            values: METRICS.iter().filter_map(value).filter(|(_, value)| value.is_finite()).collect(),
            latency: tally.latency.encode(),
            failure_latency: tally.failure_latency.encode(),
        }
    }
}

/// A number as a file gives it back to the bit: serde_json reads up to 15 digits exactly, and more only by a feature that the whole build
/// would get, the service included.
fn fifteen_digits(value: f64) -> f64 {
    format!("{value:.14e}").parse().unwrap_or(value)
}

impl Counts {
    /// Adds what another round counted.
    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.successes += other.successes;
        self.connections += other.connections;
        self.reconnects += other.reconnects;
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

    /// Which clock told when responses arrived.
    pub fn clock(&self) -> Clock {
        let responses: u64 = self.statuses.values().sum();
        match self.unstamped {
            0 => Clock::Kernel,
            some if some < responses => Clock::Mixed,
            _ => Clock::User,
        }
    }
}
