//! One request with its response or its fault, as both clients report it.

use std::time::Duration;

use crate::measure::clock::Wall;
use crate::record::Fault;

/// What a response said about tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Tokens {
    pub(crate) input: Option<f64>,
    pub(crate) output: Option<f64>,
}

/// One request with its response or its fault.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Exchange {
    /// Right before the request was sent, its connection being open.
    pub(crate) sent: Wall,
    /// When the last byte of the response arrived, or the fault happened.
    pub(crate) ended: Wall,
    /// The status of the response, if it was whole.
    pub(crate) status: Option<u16>,
    /// Why it was no success, if it was none.
    pub(crate) fault: Option<Fault>,
    /// Whether the kernel told when the response ended.
    pub(crate) stamped: bool,
    /// Whether sending took so long that the latency is uncertain by more than a millisecond.
    pub(crate) slow_send: bool,
    /// What opening a connection for it took, if one was opened.
    pub(crate) connect: Option<Duration>,
    /// Whether the server had closed the kept connection, so that it was sent on a new one.
    pub(crate) reconnected: bool,
    /// What the response said about tokens.
    pub(crate) tokens: Tokens,
}

impl Exchange {
    /// An exchange that has only been begun.
    pub(crate) fn begun() -> Self {
        let now = Wall::now();
        Self {
            sent: now,
            ended: now,
            status: None,
            fault: None,
            stamped: false,
            slow_send: false,
            connect: None,
            reconnected: false,
            tokens: Tokens::default(),
        }
    }

    /// The time from sending to the last byte.
    pub(crate) fn latency(&self) -> Duration {
        self.ended.since(self.sent)
    }

    /// Ends it with a fault, now.
    pub(crate) fn failed(mut self, fault: Fault) -> Self {
        self.ended = Wall::now();
        self.fault = Some(fault);
        self
    }
}
