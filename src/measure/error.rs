//! Why nothing could be measured.

use std::io;

use crate::measure::round::WrongAnswer;
use crate::measure::service::ServiceError;
use crate::plan::{Cell, EndpointError, Group, Side};

/// Why nothing could be measured. What happens later, once rounds are there, stands in the run.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// The runtime of the clients or the handlers of signals could not be set up.
    #[error("cannot begin to measure: {0}")]
    Setup(#[from] io::Error),
    /// The service did not start.
    #[error(transparent)]
    Service(#[from] ServiceFailure),
    /// One side of a duet did not start.
    #[error("{side} did not start: {source}{}", hint(*side))]
    SideStart {
        /// Base or head.
        side: Side,
        /// Why.
        source: ServiceFailure,
    },
    /// A cell's endpoint cannot be requested of this service.
    #[error("cell `{cell}`: {source}")]
    Endpoint {
        /// The cell's whole id.
        cell: String,
        /// What is wrong.
        source: EndpointError,
    },
    /// Somebody set the clock in each of several tries of a round.
    #[error(
        "the clock of this machine was set while measuring, several times over: measure again once it is left alone"
    )]
    ClockSet,
    /// A first request, made to try it, was no success.
    #[error("cell `{cell}`: the test request to {url} failed: {what}")]
    WrongAnswer {
        /// The cell's whole id.
        cell: String,
        /// What was requested.
        url: String,
        /// What came back.
        what: String,
    },
    /// There are more connections than this process may have open files.
    #[error(
        "{connections} connections at once need {needed} open files, and this process may have {limit}: lower the concurrency, or \
         raise the limit (`ulimit -n {needed}` in the shell that starts it; its hard limit is the system's or the container's \
         to raise)"
    )]
    OpenFiles {
        /// How many connections.
        connections: usize,
        /// How many open files they and the rest need.
        needed: u64,
        /// How many there can be.
        limit: u64,
    },
    /// A cell asks for something that was left out of this build.
    #[error("cell `{cell}` needs {what}: enable the feature `{feature}` of plimsoll")]
    NeedsFeature {
        /// The cell's whole id.
        cell: String,
        /// What it asks for.
        what: &'static str,
        /// The feature of this crate.
        feature: &'static str,
    },
}

/// The service did not start or did not stay: what happened, its last output, and what to do.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ServiceFailure(ServiceError);

impl From<ServiceError> for MeasureError {
    fn from(error: ServiceError) -> Self {
        Self::Service(ServiceFailure(error))
    }
}

fn hint(side: Side) -> &'static str {
    match side {
        Side::Base => {
            "\nIf base does not know one of these arguments, pass its own with --base-arg, once per argument. They replace all \
             arguments of the bench file."
        }
        Side::Head => "",
    }
}

impl MeasureError {
    pub(crate) fn side_start(side: Side, error: ServiceError) -> Self {
        Self::SideStart { side, source: ServiceFailure(error) }
    }

    pub(crate) fn wrong_answer(
        group: &Group,
        cell: &Cell,
        WrongAnswer { url, what, .. }: WrongAnswer,
    ) -> Self {
        Self::WrongAnswer { cell: group.full_id(cell), url, what }
    }
}
