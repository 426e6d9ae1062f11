//! The flags of a duet: what base is, and how suspects are confirmed.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{FalseyValueParser, NonEmptyStringValueParser};
use clap::{ArgAction, ValueEnum};

use crate::plan::{Confirmation, Plan, parse_duration};
use crate::session::{BaseSource, Duet};

/// Base and head in one run.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Duets: base and head measured side by side, without a baseline")]
pub(crate) struct DuetFlags {
    /// Build this commit (or the merge base of A...B) and the working tree, and measure them side by side
    #[arg(long, value_name = "REF", env = "PLIMSOLL_BASE_REF")]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    base_ref: Option<String>,
    /// Build each side of --base-ref with this command. It runs in the package's folder of each tree, with CARGO_TARGET_DIR set to the
    /// folder for what is built [default: `cargo build` with the options of this `cargo bench`]
    #[arg(long, value_name = "COMMAND", env = "PLIMSOLL_BASE_BUILD")]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    base_build: Option<String>,
    /// Copy this file or folder, which git ignores, into both trees of --base-ref (repeatable)
    #[arg(long, value_name = "PATH", action = ArgAction::Append)]
    #[arg(env = "PLIMSOLL_BASE_COPY", value_delimiter = None)]
    base_copy: Vec<PathBuf>,
    /// Argument for base of --base-ref (repeatable). Together they replace all arguments of the bench file
    #[arg(long, value_name = "ARG", allow_hyphen_values = true, action = ArgAction::Append)]
    #[arg(env = "PLIMSOLL_BASE_ARG", value_delimiter = None)]
    base_arg: Vec<String>,
    /// Compare with the service that this command line starts
    #[arg(long, value_name = "COMMAND", env = "PLIMSOLL_BASE_COMMAND")]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    base_command: Option<String>,
    /// Compare with the service that runs at this address
    #[arg(long, value_name = "URL", env = "PLIMSOLL_BASE_URL")]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    base_url: Option<String>,
    /// Stop the other side while one side is measured
    #[arg(long, env = "PLIMSOLL_ALONE", value_parser = FalseyValueParser::new())]
    alone: bool,
    /// Which apparent changes to measure again before reporting them
    #[arg(long, value_name = "WHICH", default_value = "slower", env = "PLIMSOLL_CONFIRM")]
    confirm: Confirm,
    /// Total number of fresh pairs at each look at an apparent change [default: 30,60,120]
    #[arg(long, value_name = "PAIRS", value_delimiter = ',', env = "PLIMSOLL_CONFIRM_PAIRS")]
    confirm_pairs: Option<Vec<usize>>,
    /// Stop after this time and report what was measured so far
    #[arg(long, value_name = "TIME", value_parser = parse_duration, env = "PLIMSOLL_MAX_TIME")]
    max_time: Option<Duration>,
}

/// Which suspects are confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Confirm {
    /// None: judge all cells at once
    None,
    /// Cells that look slower
    Slower,
    /// Cells that look slower or faster
    Both,
}

impl DuetFlags {
    /// Puts into the plan what concerns it.
    pub(crate) fn apply(&self, plan: &mut Plan) {
        plan.alone = self.alone;
        plan.confirmation = (self.confirm != Confirm::None).then(|| match &self.confirm_pairs {
            Some(pairs) => Confirmation { pairs: pairs.clone() },
            None => Confirmation::default(),
        });
    }

    /// What the session has to know.
    pub(crate) fn duet(&self) -> Duet {
        Duet {
            base: (self.base_ref.clone().map(BaseSource::Commit))
                .or_else(|| self.base_command.clone().map(BaseSource::Command))
                .or_else(|| self.base_url.clone().map(BaseSource::Url)),
            base_build: self.base_build.clone(),
            base_copy: self.base_copy.clone(),
            base_args: self.base_arg.clone(),
            confirms_faster: self.confirm == Confirm::Both,
            max_time: self.max_time,
        }
    }
}
