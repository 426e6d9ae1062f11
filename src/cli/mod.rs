//! The `plimsoll` command, one file a subcommand.

#[cfg(feature = "serve")]
mod serve;

use std::process::ExitCode;

use clap::Parser;

/// criterion for HTTP endpoints
#[derive(Debug, Parser)]
#[command(version, about, propagate_version = true)]
enum Call {
    /// Run the reference tokenizer API
    #[cfg(feature = "serve")]
    Serve(crate::serve::ServeArgs),
}

/// Runs the command with the arguments of this process.
pub fn main() -> ExitCode {
    let ended = match Call::parse() {
        #[cfg(feature = "serve")]
        Call::Serve(args) => serve::run(&args),
    };
    match ended {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(3)
        }
    }
}
