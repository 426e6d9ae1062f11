//! `plimsoll baseline`: what is stored.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::session;

/// List, show and drop baselines
#[derive(Debug, Args)]
pub(crate) struct BaselineArgs {
    #[command(subcommand)]
    what: What,
    /// The package's folder, in which `baselines/` lies
    #[arg(long, value_name = "FOLDER", default_value = ".", global = true)]
    root: PathBuf,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Name each baseline with its groups
    List,
    /// Show the runs and cells of a baseline
    Show {
        /// Its name
        #[arg(default_value = "main")]
        name: String,
    },
    /// Remove a baseline
    Drop {
        /// Its name
        name: String,
    },
}

/// Does what was asked, and prints it.
pub(crate) fn run(args: &BaselineArgs) -> anyhow::Result<ExitCode> {
    let text = match &args.what {
        What::List => session::list_baselines(&args.root)?,
        What::Show { name } => session::show_baseline(&args.root, name)?,
        What::Drop { name } => session::drop_baseline(&args.root, name)?,
    };
    print!("{text}");
    Ok(ExitCode::SUCCESS)
}
