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
    /// Compare with this commit, or with the merge base of A...B: both it and the working tree are built and measured side by side
    #[arg(long, value_name = "REF", env = "PLIMSOLL_BASE_REF")]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    base_ref: Option<String>,
    /// Command that builds each side of --base-ref, run in the package's folder of its tree. CARGO_TARGET_DIR names the folder
    /// for what is built [default: the `cargo build` that fits this `cargo bench`]
    #[arg(long, value_name = "COMMAND", env = "PLIMSOLL_BASE_BUILD")]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    base_build: Option<String>,
    /// Copy a file or folder that git ignores, such as `.env`, to both sides of --base-ref (repeatable)
    #[arg(long, value_name = "PATH", action = ArgAction::Append)]
    #[arg(env = "PLIMSOLL_BASE_COPY", value_delimiter = None)]
    base_copy: Vec<PathBuf>,
    /// Start base of --base-ref with these arguments in place of those of the bench file (repeatable)
    #[arg(long, value_name = "ARG", allow_hyphen_values = true, action = ArgAction::Append)]
    #[arg(env = "PLIMSOLL_BASE_ARG", value_delimiter = None)]
    base_arg: Vec<String>,
    /// Compare with the service that this command line starts
    #[arg(long, value_name = "COMMAND", env = "PLIMSOLL_BASE_COMMAND")]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    base_command: Option<String>,
    /// Compare with the service that already runs there
    #[arg(long, value_name = "URL", env = "PLIMSOLL_BASE_URL")]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    base_url: Option<String>,
    /// Let only the side that is being measured live
    #[arg(long, env = "PLIMSOLL_ALONE", value_parser = FalseyValueParser::new())]
    alone: bool,
    /// Which suspects are measured again before anything is said of them
    #[arg(long, value_name = "WHICH", default_value = "slower", env = "PLIMSOLL_CONFIRM")]
    confirm: Confirm,
    /// Fresh pairs at each look at the suspects, earlier looks included
    #[arg(long, value_name = "PAIRS", value_delimiter = ',', env = "PLIMSOLL_CONFIRM_PAIRS")]
    confirm_pairs: Option<Vec<usize>>,
    /// End measuring after this time, with what is known then
    #[arg(long, value_name = "TIME", value_parser = parse_duration, env = "PLIMSOLL_MAX_TIME")]
    max_time: Option<Duration>,
}

/// Which suspects are confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Confirm {
    /// None: all is judged at once, corrected over all
    None,
    /// What looks slower
    Slower,
    /// What looks slower, and what looks faster
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
