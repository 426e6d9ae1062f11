//! `plimsoll accept`: adds a run to a baseline.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use crate::cli::options::SavedArgs;
use crate::session;

/// Add a run to a baseline: to its current epoch, or with a reason as the beginning of a new one
#[derive(Debug, Args)]
pub(crate) struct AcceptArgs {
    /// The run [default: the one that was measured last]
    run: Option<PathBuf>,
    /// The baseline
    #[arg(long, default_value = "main", value_parser = NonEmptyStringValueParser::new())]
    baseline: String,
    /// Why the speed changed: begins a new epoch, which is what is compared with from now on
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    saved: SavedArgs,
}

/// Adds the run, and names the files that changed.
pub(crate) fn run(args: &AcceptArgs) -> anyhow::Result<ExitCode> {
    let options = args.saved.options()?;
    let reason = args.reason.as_deref();
    for path in session::accept(args.run.as_deref(), &args.baseline, reason, &options)? {
        println!("Accepted into {}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}
