//! `plimsoll serve`: the reference tokenizer API.

use std::process::ExitCode;

use crate::serve::{ServeArgs, ServeOptions};

/// Serves until it is told to stop.
pub(crate) fn run(args: &ServeArgs) -> anyhow::Result<ExitCode> {
    crate::serve::run(ServeOptions::from(args.clone()))?;
    Ok(ExitCode::SUCCESS)
}
