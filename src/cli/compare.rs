//! `plimsoll compare`: judges the runs of one file against those of another.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::cli::options::SavedArgs;
use crate::session::{self, exit_code};

/// Judge the runs of one file against those of another
#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// The file that is compared with (a `run.json`)
    base: PathBuf,
    /// The file that is judged (a `run.json`)
    head: PathBuf,
    /// The folder that charts and page are written into [default: reports/compare]
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    #[command(flatten)]
    saved: SavedArgs,
}

/// Compares and reports.
pub(crate) fn run(args: &CompareArgs) -> anyhow::Result<ExitCode> {
    let options = args.saved.options()?;
    Ok(exit_code(session::compare(&args.base, &args.head, args.output.as_deref(), &options)?))
}
