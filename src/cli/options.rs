//! What the subcommands over saved runs share.

use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::Context;
use clap::{ArgAction, Args};

use crate::session::{Colour, FailOn, Options, Paths};

/// Where the package is, and how the outcome is shown and judged.
#[derive(Debug, Args)]
pub(crate) struct SavedArgs {
    /// The package's folder, in which `baselines/` and `reports/` lie
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    root: PathBuf,
    /// What fails the call beside a regression
    #[arg(long, value_name = "WHAT", value_delimiter = ',', env = "PLIMSOLL_FAIL_ON")]
    fail_on: Vec<FailOn>,
    /// Draw no charts
    #[arg(long)]
    noplot: bool,
    /// Colour the output
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: Colour,
    /// Say more
    #[arg(long, short = 'v', action = ArgAction::SetTrue)]
    verbose: bool,
}

impl SavedArgs {
    pub(crate) fn options(&self) -> anyhow::Result<Options> {
        let root = std::path::absolute(&self.root)
            .with_context(|| format!("the folder {} cannot be found", self.root.display()))?;
        Ok(Options {
            paths: Paths::new(&root, None),
            fail_on: self.fail_on.clone(),
            plots: !self.noplot,
            colour: self.color.applies(std::io::stdout().is_terminal()),
            verbose: self.verbose,
            ..Options::default()
        })
    }
}
