//! The `plimsoll` command: parses, dispatches, and turns the outcome into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    plimsoll::cli::main()
}
