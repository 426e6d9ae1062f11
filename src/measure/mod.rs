//! A plan becomes runs: the clients, the order of rounds, the service process.
//!
//! [`measure`] goes through all launches and rounds of a plan; [`check`] makes each request once and measures nothing; [`load`]
//! makes one measurement without rounds. All of it happens on one thread with a current-thread runtime: an exchange costs
//! plimsoll's own client a few microseconds, so one core can load any service that runs on one core.

mod body;
mod client;
mod clock;
mod control;
mod decoder;
mod exchange;
mod http1;
mod note;
mod port;
mod process;
mod program;
mod ready;
mod round;
mod run;
mod service;
mod signals;
#[cfg(feature = "reqwest")]
mod via_reqwest;
mod window;

pub(crate) use control::measure_if_asked;
#[cfg(feature = "cli")]
pub(crate) use run::load;
pub(crate) use run::{MeasureOptions, check, measure, profile};
pub(crate) use signals::{Interrupt, SIGNAL_BASE, output_unless_interrupted, watch_parent};

use crate::measure::service::ServiceError;
use crate::plan::{EndpointError, Side};
use crate::record::Fault;

/// Why nothing could be measured. Errors after the first round are part of the run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MeasureError {
    #[error("could not start measuring: {0}")]
    Setup(#[from] std::io::Error),
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error("could not connect to the Unix socket {path}: {source}")]
    UnixSocket { path: String, source: std::io::Error },
    #[error("{side} did not start: {source}{}", if *side == Side::Base { BASE_ADVICE } else { "" })]
    SideStart { side: Side, source: ServiceError },
    #[error("{side}: {error}")]
    OfSide { side: Side, error: Box<Self> },
    #[error("cell `{cell}`: {source}")]
    Endpoint { cell: String, source: EndpointError },
    #[error("the system clock was changed while rounds were measured: measure again")]
    ClockSet,
    #[error("cell `{cell}`: the test request to {url} failed: {what}")]
    TestRequest { cell: String, url: String, fault: Fault, what: String },
    #[error(
        "{connections} connections at once need {needed} open files, but this process is limited to {limit}: lower the concurrency, or \
         raise the limit with `ulimit -n {needed}` before starting plimsoll (the hard limit belongs to the system or the container)"
    )]
    OpenFiles { connections: usize, needed: u64, limit: u64 },
    #[error("cell `{cell}` needs {what}: enable the feature `{feature}` of plimsoll")]
    NeedsFeature { cell: String, what: &'static str, feature: &'static str },
}

const BASE_ADVICE: &str = "\nIf base does not know one of these arguments, pass its own with --base-arg, once per argument. They \
                           replace all arguments of the bench file.";

#[cfg(test)]
mod tests;
