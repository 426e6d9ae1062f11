//! The `plimsoll` command, one file a subcommand.

mod accept;
mod baseline;
mod calibrate;
mod compare;
mod load;
mod options;
mod report;

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
    Report(report::ReportArgs),
    Accept(accept::AcceptArgs),
    Baseline(baseline::BaselineArgs),
    Calibrate(calibrate::CalibrateArgs),
    #[cfg(feature = "serve")]
    Serve(crate::serve::ServeOptions),
}

/// Runs the command with the arguments of this process.
pub fn main() -> ExitCode {
    let ended = match Call::parse() {
        Call::Load(args) => load::run(&args),
        Call::Compare(args) => compare::run(&args),
        Call::Report(args) => report::run(&args),
        Call::Accept(args) => accept::run(&args),
        Call::Baseline(args) => baseline::run(&args),
        Call::Calibrate(args) => calibrate::run(&args),
        #[cfg(feature = "serve")]
        Call::Serve(options) => crate::serve::run(&options).map(|()| ExitCode::SUCCESS).map_err(Into::into),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("error: {}", sentence(&error));
        exit_code_of(&error)
    })
}

/// An error with its causes, but for those that it names itself.
fn sentence(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |said, cause| {
        let cause = cause.to_string();
        match said.as_str() {
            "" => cause,
            _ if said.ends_with(&cause) => said,
            _ => format!("{said}: {cause}"),
        }
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

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;
    use crate::plan::Targets;

    #[test]
    fn no_cause_is_told_twice_and_none_is_left_out() {
        let error = anyhow::Error::from(Targets::from_file("/no/such").unwrap_err());
        assert_eq!(sentence(&error).matches("No such file").count(), 1);
        let error = std::fs::read("/no/such").context("the body cannot be read").unwrap_err();
        assert!(sentence(&error).starts_with("the body cannot be read: No such file"));
    }
}
