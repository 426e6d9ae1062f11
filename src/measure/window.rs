//! The rules of a round, without a socket: which exchanges count, what each adds, and when it is over.
//!
//! In a closed loop the window opens when the last worker's first exchange has returned, the others sending on meanwhile. Latency
//! belongs to the exchanges *sent* inside it; after it closes the workers send on, uncounted, until the last one sent before the
//! close is back, so that a slow one is never lost and the load never falls while one is being timed. Throughput counts each
//! success by the share of it that lies inside. A burst or a batch is its own window: all of it counts.

use std::time::Duration;

use crate::measure::clock::Wall;
use crate::measure::exchange::Exchange;
use crate::record::Tally;

/// When the window opens, and what closes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timing {
    /// It opens when each of so many workers had its first answer, and lasts so long.
    Settled {
        /// Workers that must have settled.
        workers: usize,
        /// How long it lasts.
        length: Duration,
    },
    /// It opens with the first request, and lasts so long.
    AtOnce {
        /// How long it lasts.
        length: Duration,
    },
    /// It opens with the first request, and lasts until the last one is back.
    Whole,
}

/// One round while it lasts.
#[derive(Debug)]
pub(crate) struct Window {
    timing: Timing,
    opens: Option<Wall>,
    closes: Option<Wall>,
    /// Workers that had their first answer.
    settled: usize,
    /// Exchanges that departed before the close and are not back.
    awaited: usize,
    /// Requests that departed.
    sent: u64,
    /// The latest end of any exchange: the end of a window that lasts until all are back.
    last_ended: Option<Wall>,
    tally: Tally,
}

/// What a departure is remembered by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticket {
    is_awaited: bool,
}

impl Window {
    /// A round that counts into `tally`, which must be empty.
    pub(crate) fn new(timing: Timing, tally: Tally) -> Self {
        Self { timing, opens: None, closes: None, settled: 0, awaited: 0, sent: 0, last_ended: None, tally }
    }

    /// Requests that departed so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// A request departs.
    pub(crate) fn depart(&mut self, now: Wall) -> Ticket {
        self.sent += 1;
        if self.opens.is_none() && !matches!(self.timing, Timing::Settled { .. }) {
            self.open(now);
        }
        let is_awaited = self.closes.is_none_or(|closes| now < closes);
        self.awaited += usize::from(is_awaited);
        Ticket { is_awaited }
    }

    /// An exchange is back. `lag` is the time that its worker let pass before it sent it.
    pub(crate) fn arrive(&mut self, ticket: Ticket, exchange: &Exchange, lag: Option<Duration>) {
        self.awaited -= usize::from(ticket.is_awaited);
        self.last_ended = self.last_ended.max(Some(exchange.ended));
        if let Some(connect) = exchange.connect {
            // Connections are opened while workers settle: what that costs counts whenever it was.
            self.tally.connect.record(connect);
            self.tally.counts.connections += 1;
        }
        let Some(opens) = self.opens else { return };
        let is_inside = exchange.sent >= opens && self.closes.is_none_or(|closes| exchange.sent < closes);
        if is_inside {
            self.count(exchange, lag);
        }
        if exchange.fault.is_none() {
            self.count_share(exchange, opens);
        }
    }

    /// A worker had its first answer.
    pub(crate) fn settle(&mut self, now: Wall) {
        self.settled += 1;
        if let Timing::Settled { workers, .. } = self.timing
            && self.settled == workers
        {
            self.open(now);
        }
    }

    /// Whether nothing is left to wait for.
    pub(crate) fn is_over(&self, now: Wall) -> bool {
        self.awaited == 0 && self.closes.is_some_and(|closes| now >= closes)
    }

    /// Ends the round.
    pub(crate) fn close(mut self) -> Tally {
        let until = self.closes.or(self.last_ended);
        if let (Some(opens), Some(until)) = (self.opens, until) {
            self.tally.window = until.since(opens);
        }
        self.tally
    }

    fn open(&mut self, now: Wall) {
        self.opens = Some(now);
        self.closes = match self.timing {
            Timing::Settled { length, .. } | Timing::AtOnce { length } => Some(now.after(length)),
            Timing::Whole => None,
        };
    }

    /// Counts an exchange that was sent inside the window.
    fn count(&mut self, exchange: &Exchange, lag: Option<Duration>) {
        let tally = &mut self.tally;
        tally.counts.requests += 1;
        if let Some(status) = exchange.status {
            *tally.counts.statuses.entry(status).or_default() += 1;
            tally.counts.unstamped += u64::from(!exchange.stamped);
        }
        tally.counts.slow_sends += u64::from(exchange.slow_send);
        tally.counts.reconnects += u64::from(exchange.reconnected);
        if let Some(lag) = lag.filter(|_| exchange.connect.is_none()) {
            tally.lag.record(lag);
        }
        match exchange.fault {
            None => {
                tally.counts.successes += 1;
                tally.latency.record(exchange.latency());
                exchange.tokens.input.into_iter().for_each(|tokens| tally.input_tokens.add(tokens));
                exchange.tokens.output.into_iter().for_each(|tokens| tally.output_tokens.add(tokens));
            }
            Some(fault) => {
                *tally.counts.faults.entry(fault).or_default() += 1;
                if fault.is_response() {
                    tally.failure_latency.record(exchange.latency());
                }
            }
        }
    }

    /// Counts a success by the share of it that lies inside the window.
    fn count_share(&mut self, exchange: &Exchange, opens: Wall) {
        let begins = exchange.sent.max(opens);
        let ends = self.closes.map_or(exchange.ended, |closes| exchange.ended.min(closes));
        let whole = exchange.latency();
        let share = match (ends.since(begins), whole) {
            (_, Duration::ZERO) => f64::from(u8::from(exchange.sent >= opens)),
            (inside, whole) => inside.as_secs_f64() / whole.as_secs_f64(),
        };
        let tally = &mut self.tally;
        tally.successes_in_window += share;
        for (tokens, sum) in [
            (exchange.tokens.input, &mut tally.input_tokens_in_window),
            (exchange.tokens.output, &mut tally.output_tokens_in_window),
        ] {
            if let Some(tokens) = tokens {
                *sum.get_or_insert_default() += tokens * share;
            }
        }
    }
}

#[cfg(test)]
mod tests;
