//! `plimsoll report`: charts and page from saved runs.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::cli::options::SavedArgs;
use crate::session::{self, BaselineUse, exit_code};

/// Make tables, charts and page from saved runs, compared with the baseline where there is one
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// The files (each a `run.json`); their runs are taken together
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// The baseline that is compared with, as far as it goes
    #[arg(long, value_name = "NAME", default_value = "main")]
    baseline: String,
    /// The folder that charts and page are written into [default: reports/report]
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    #[command(flatten)]
    saved: SavedArgs,
}

/// Judges and reports.
pub(crate) fn run(args: &ReportArgs) -> anyhow::Result<ExitCode> {
    let options =
        session::Options { baseline: BaselineUse::Lenient(args.baseline.clone()), ..args.saved.options()? };
    Ok(exit_code(session::report(&args.runs, args.output.as_deref(), &options)?))
}
