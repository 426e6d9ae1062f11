//! Standard output and standard error: the one place that writes text to them.

use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, Write};

/// Standard output could not be written, for example because the disk is full.
#[derive(Debug, thiserror::Error)]
#[error("could not write to standard output: {0}")]
pub(crate) struct OutputError(#[source] io::Error);

/// Writes to standard output. A reader that left early, such as `head`, is not an error.
pub(crate) fn print(text: impl Display) -> Result<(), OutputError> {
    let mut stdout = io::stdout().lock();
    match write!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(OutputError(error)),
        _ => Ok(()),
    }
}

/// Whether a terminal of this `TERM` understands escape codes. A dumb one shows them as text.
pub(crate) fn understands_escapes(term: Option<&str>) -> bool {
    term.is_some_and(|term| !matches!(term, "" | "dumb"))
}

/// Whether standard error is a terminal on which a line can be drawn again.
pub(crate) fn can_redraw() -> bool {
    io::stderr().is_terminal() && understands_escapes(std::env::var("TERM").ok().as_deref())
}

/// Writes a line to standard error. If that fails, there is nowhere left to say so.
pub(crate) fn log(line: impl Display) {
    _ = writeln!(io::stderr().lock(), "{line}");
}
