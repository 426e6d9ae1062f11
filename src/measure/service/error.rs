//! What can go wrong with a service, each as a sentence that says what to do.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why a service could not be started, or is no longer there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServiceError {
    /// There is no such file.
    #[error("The service's program `{program}` was not found {place}. Build it first, or correct its name.")]
    NotFound {
        /// As the plan names it.
        program: String,
        /// Where it was looked for: "at /x/y" or "in any folder of PATH".
        place: String,
    },

    /// It is a folder, or lacks the right to be run.
    #[error("The service's program {} cannot be run: it is no executable file. Try `chmod +x`.", path.display())]
    NotExecutable {
        /// The file.
        path: PathBuf,
    },

    /// It is not the file of the run's beginning.
    #[error(
        "The service's program {} was changed during the run, so that the launches before and after are not the same \
         service. Measure again, and leave it alone until the run has ended.",
        path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
    },

    /// The kernel did not start it.
    #[error("The service could not be started: `{command}` in {}: {source}.", directory.display())]
    Spawn {
        /// The command line.
        command: String,
        /// Its working directory.
        directory: PathBuf,
        /// What the system says.
        source: io::Error,
    },

    /// `sh`, which ends the service when plimsoll is killed, did not start.
    #[error(
        "The service was not started, since what would end it if plimsoll were killed could not be: `sh`: {source}."
    )]
    Guardian {
        /// What the system says.
        source: io::Error,
    },

    /// Every port that was tried is in use.
    #[error("No free port was found for the service: {tried} of {range} were tried, and all are in use.")]
    NoPort {
        /// How many.
        tried: usize,
        /// The ranges of ports.
        range: String,
    },

    /// It ended before it was ready.
    #[error("The service ended before it was ready: `{command}` {how}.{hint}{output}")]
    DiedEarly {
        /// The command line.
        command: String,
        /// "ended with exit status 1".
        how: String,
        /// What to do, or nothing.
        hint: &'static str,
        /// Its last lines.
        output: LastLines,
    },

    /// It lives but does not answer.
    #[error(
        "The service was not ready within {waited:?}: {missing}. `{command}` must listen on 127.0.0.1 at the port that it \
         is given as {{port}} or in the variable PORT; if it only needs longer, group.ready_time_out(…) gives it more.{output}"
    )]
    NotReady {
        /// The command line.
        command: String,
        /// The time-out.
        waited: Duration,
        /// What it did last.
        missing: String,
        /// Its last lines.
        output: LastLines,
    },

    /// It lives, and refuses the path by which it was to say that it is ready.
    #[error(
        "The service is up but will not be ready: {missing}, and did so for {waited:?}. {advice}. Correct the path in .ready(…), or \
         leave .ready(…) out: the service then counts as ready once its port accepts. It is `{command}`.{output}"
    )]
    Refuses {
        /// The command line.
        command: String,
        /// For how long it was given the chance to think better of it.
        waited: Duration,
        /// "http://127.0.0.1:4312/helth answers with status 404 instead of 2xx".
        missing: String,
        /// What that status says.
        advice: &'static str,
        /// Its last lines.
        output: LastLines,
    },

    /// It ended in mid-run.
    #[error("The service died while cell `{cell}` loaded it: `{command}` {how}.{hint}{output}")]
    Died {
        /// The whole id of the cell.
        cell: String,
        /// The command line.
        command: String,
        /// "was killed by SIGKILL".
        how: String,
        /// What to do, or nothing.
        hint: &'static str,
        /// Its last lines.
        output: LastLines,
    },

    /// The server in this process returned or panicked.
    #[error("The server in this process ended while cell `{cell}` loaded it: {how}.")]
    DiedInProcess {
        /// The whole id of the cell.
        cell: String,
        /// "it returned" or "it panicked: …".
        how: String,
    },

    /// The server in this process got no socket or no thread.
    #[error("The server in this process could not be started: {source}.")]
    InProcess {
        /// What the system says.
        source: io::Error,
    },
}

/// The last lines of a service's output, printed below an error.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct LastLines(pub(crate) Vec<String>);

impl fmt::Display for LastLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str(" It wrote nothing.");
        }
        f.write_str(" The last that it wrote:")?;
        self.0.iter().try_for_each(|line| write!(f, "\n  | {line}"))
    }
}
