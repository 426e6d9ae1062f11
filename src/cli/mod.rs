//! The `plimsoll` command, one file a subcommand.

mod accept;
mod baseline;
mod compare;
mod load;
mod options;
#[cfg(feature = "serve")]
mod serve;

use std::process::ExitCode;

use clap::Parser;

use crate::session::SessionError;

/// clap's own code for a call that is wrong.
const WRONG_CALL: u8 = 2;
/// It could not be measured.
#[cfg(feature = "serve")]
const NOT_MEASURED: u8 = 3;

/// criterion for HTTP endpoints
#[derive(Debug, Parser)]
#[command(version, about, propagate_version = true)]
enum Call {
    Load(load::LoadArgs),
    Compare(compare::CompareArgs),
    Accept(accept::AcceptArgs),
    Baseline(baseline::BaselineArgs),
    /// Run the reference tokenizer API
    #[cfg(feature = "serve")]
    Serve(crate::serve::ServeArgs),
}

/// Runs the command with the arguments of this process.
pub fn main() -> ExitCode {
    let ended = match Call::parse() {
        Call::Load(args) => load::run(&args),
        Call::Compare(args) => compare::run(&args),
        Call::Accept(args) => accept::run(&args),
        Call::Baseline(args) => baseline::run(&args),
        #[cfg(feature = "serve")]
        Call::Serve(args) => serve::run(&args),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        exit_code_of(&error)
    })
}

/// What the session says of its own errors; a server that could not run was not measured; all else is a wrong call.
fn exit_code_of(error: &anyhow::Error) -> ExitCode {
    if let Some(error) = error.downcast_ref::<SessionError>() {
        return error.exit_code();
    }
    #[cfg(feature = "serve")]
    if error.is::<crate::serve::ServeError>() {
        return ExitCode::from(NOT_MEASURED);
    }
    ExitCode::from(WRONG_CALL)
}
