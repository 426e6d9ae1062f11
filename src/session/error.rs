//! What ends a call before its time, and the exit code of it.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::measure::MeasureError;
use crate::plan::PlanError;
use crate::record::{FileError, METRICS};
use crate::report::ReportError;
use crate::session::base_error::BaseError;
use crate::session::outcome::{NOT_MEASURED, WRONG_CALL};

/// What ends a call before its time.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error("group `{group}`: `{id}` is not a metric; choose from {}", known_metrics())]
    UnknownMetric { group: String, id: String },
    #[error(
        "the baseline `{name}` does not hold `{what}` ({} is the place): record it with --save-baseline {name}, or \
         compare with what is there by --baseline-lenient {name}",
        path.display()
    )]
    MissingBaseline { name: String, what: String, path: PathBuf },
    #[error(
        "--save-baseline would drop `{cell}` from the baseline `{name}`, which this call does not measure: leave the \
         filter out, or save under another name"
    )]
    WouldDrop { name: String, cell: String },
    #[error(transparent)]
    Base(#[from] BaseError),
    #[error("--base-command: `{0}` cannot be parsed as a command line")]
    BaseCommand(String),
    #[error(
        "--base-ref: group `{group}` does not start a program (Service::command), so there is nothing to build: set base with \
         --base-command, --base-url or group.base"
    )]
    NoProgram { group: String },
    #[error("cannot listen for signals: {0}")]
    Signals(#[from] std::io::Error),
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{0}")]
    Saved(String),
    #[error(transparent)]
    Measure(#[from] MeasureError),
    #[error(
        "{0}\nEach side runs in a tree of its own, without the files that git ignores. If the service needs one, pass --base-copy PATH."
    )]
    InTree(#[source] MeasureError),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error("what was measured could not be kept: {0}")]
    NotKept(#[source] Box<SessionError>),
}

fn known_metrics() -> String {
    METRICS.iter().map(|metric| metric.id).collect::<Vec<_>>().join(", ")
}

impl SessionError {
    /// The exit code: 2 for what the user got wrong, all of it found before anything is measured; else 3.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Measure(MeasureError::Endpoint { .. } | MeasureError::NeedsFeature { .. }) => WRONG_CALL,
            Self::Base(error) if !error.is_failure() => WRONG_CALL,
            Self::Base(_)
            | Self::Measure(_)
            | Self::InTree(_)
            | Self::Report(_)
            | Self::NotKept(_)
            | Self::Signals(_) => NOT_MEASURED,
            _ => WRONG_CALL,
        })
    }
}
