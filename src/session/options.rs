//! The options of a call, apart from its plan.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::{FalseyValueParser, NonEmptyStringValueParser};
use clap::{ArgAction, ValueEnum};

use crate::output;
use crate::plan::{Confirmation, Plan, heading, parse_duration, parse_service_text};
use crate::report::Requested;
use crate::session::outcome::FailOn;

#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    pub(crate) paths: Paths,
    pub(crate) baseline: BaselineUse,
    pub(crate) save: Option<Save>,
    /// Take this stored baseline as head instead of measuring.
    pub(crate) load: Option<String>,
    pub(crate) service_args: Vec<String>,
    /// The programs of all groups of the bench, also of those that a filter leaves out.
    pub(crate) programs: Vec<String>,
    pub(crate) duet: DuetOptions,
    /// The user's name for this machine.
    pub(crate) test_bed: Option<String>,
    pub(crate) fail_on: Vec<FailOn>,
    /// The arguments of the bench, as the user gave them.
    pub(crate) bench_args: Vec<String>,
    /// Whether a filter may leave out cells of the bench. If not, a cell that only the baseline has was removed.
    pub(crate) is_filtered: bool,
    /// Only keep load on each cell for this time, for a profiler.
    pub(crate) profile_time: Option<Duration>,
    pub(crate) plots: bool,
    /// What is written next to the page.
    pub(crate) formats: Vec<Requested>,
    pub(crate) output_format: OutputFormat,
    pub(crate) color: bool,
    pub(crate) verbose: bool,
    pub(crate) quiet: bool,
}

impl Options {
    /// Whether the runs are stored in the baseline that they are compared with.
    pub(crate) fn saves_compared(&self) -> bool {
        self.save.as_ref().is_some_and(|save| save.name == self.baseline.name())
    }

    /// Whether the runs take the place of what they are compared with, which accepts their speed.
    pub(crate) fn replaces_compared(&self) -> bool {
        self.saves_compared() && self.save.as_ref().is_some_and(|save| !save.append)
    }
}

/// Which baseline to compare with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum BaselineUse {
    /// `main`, if it exists.
    #[default]
    Usual,
    /// The named one, which must hold each cell.
    Strict(String),
    /// The named one. Cells that it does not hold are new.
    Lenient(String),
}

impl BaselineUse {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Usual => "main",
            Self::Strict(name) | Self::Lenient(name) => name,
        }
    }
}

/// The baseline in which to save the runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Save {
    pub(crate) name: String,
    /// Whether to add to the stored runs instead of replacing them.
    pub(crate) append: bool,
}

/// The folders of a package.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Paths {
    /// The package's own folder.
    pub(crate) root: PathBuf,
    /// The folder of what cargo builds.
    pub(crate) target: PathBuf,
}

impl Paths {
    pub(crate) fn new(root: &Path, target: Option<&Path>) -> Self {
        let target = target.map_or_else(|| root.join("target"), Path::to_owned);
        Self { root: root.to_owned(), target }
    }

    pub(crate) fn baselines(&self) -> PathBuf {
        self.root.join("baselines")
    }

    pub(crate) fn reports(&self) -> PathBuf {
        self.root.join("reports")
    }
}

/// The flags of a duet: what base is, and how apparent changes are confirmed.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct DuetOptions {
    /// Base: "baseline" (its first tree) or "last" (the program before)
    #[arg(long, value_name = "WHAT", env = "PLIMSOLL_BASE", value_parser = parse_base)]
    #[arg(help_heading = heading::DUETS)]
    pub(crate) base: Option<OwnBase>,
    /// Compare the working tree with this commit (A...B: their merge base)
    #[arg(long, value_name = "COMMIT", env = "PLIMSOLL_BASE_REF")]
    #[arg(value_parser = NonEmptyStringValueParser::new(), help_heading = heading::DUETS)]
    pub(crate) base_ref: Option<String>,
    /// Build command for base and head; CARGO_TARGET_DIR is set [default: cargo build]
    #[arg(long, value_name = "COMMAND", env = "PLIMSOLL_BASE_BUILD")]
    #[arg(value_parser = NonEmptyStringValueParser::new(), help_heading = heading::DUETS)]
    pub(crate) base_build: Option<String>,
    /// Copy this git-ignored file or folder into both trees (repeatable)
    #[arg(long, value_name = "PATH", action = ArgAction::Append, help_heading = heading::DUETS)]
    #[arg(env = "PLIMSOLL_BASE_COPY", value_delimiter = None)]
    pub(crate) base_copy: Vec<PathBuf>,
    /// Argument for base, instead of the bench file's (repeatable)
    #[arg(long, value_name = "ARG", allow_hyphen_values = true, action = ArgAction::Append)]
    #[arg(env = "PLIMSOLL_BASE_ARG", value_delimiter = None, help_heading = heading::DUETS)]
    #[arg(value_parser = parse_service_text)]
    pub(crate) base_arg: Vec<String>,
    /// Compare with the service that this command starts
    #[arg(long, value_name = "COMMAND", env = "PLIMSOLL_BASE_COMMAND")]
    #[arg(value_parser = NonEmptyStringValueParser::new(), help_heading = heading::DUETS)]
    pub(crate) base_command: Option<String>,
    /// Compare with the service at this address
    #[arg(long, value_name = "URL", env = "PLIMSOLL_BASE_URL")]
    #[arg(value_parser = NonEmptyStringValueParser::new(), help_heading = heading::DUETS)]
    pub(crate) base_url: Option<String>,
    /// Stop the other side while one side is measured
    #[arg(long, env = "PLIMSOLL_ALONE", value_parser = FalseyValueParser::new())]
    #[arg(help_heading = heading::DUETS)]
    alone: bool,
    /// What to measure again: slower, both or none
    #[arg(long, value_name = "WHICH", default_value = "slower", env = "PLIMSOLL_CONFIRM")]
    #[arg(hide_possible_values = true, help_heading = heading::DUETS)]
    pub(crate) confirm: Confirm,
    /// Test after these numbers of fresh pairs [default: 30,60,120]
    #[arg(long, value_name = "PAIRS", value_delimiter = ',', env = "PLIMSOLL_CONFIRM_PAIRS")]
    #[arg(help_heading = heading::DUETS)]
    confirm_pairs: Option<Vec<usize>>,
    /// Stop after this time and report the rounds that are complete
    #[arg(long, value_name = "TIME", value_parser = parse_duration, env = "PLIMSOLL_MAX_TIME")]
    #[arg(help_heading = heading::MEASURE)]
    pub(crate) max_time: Option<Duration>,
}

/// A base that plimsoll knows by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OwnBase {
    /// The tree that began the current epoch of the baseline.
    Baseline,
    /// The newest program that was measured before and differs from head's.
    Last,
}

fn parse_base(text: &str) -> Result<OwnBase, String> {
    match text {
        "baseline" => Ok(OwnBase::Baseline),
        "last" => Ok(OwnBase::Last),
        other => Err(format!(
            "it must be `baseline` or `last`; for a commit or a branch use --base-ref {other}, for a stored baseline --baseline {other}"
        )),
    }
}

/// Which candidates are measured again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Confirm {
    None,
    #[default]
    Slower,
    Both,
}

impl DuetOptions {
    /// Sets what concerns the plan.
    pub(crate) fn apply(&self, plan: &mut Plan) {
        plan.alone = self.alone;
        plan.confirmation = (self.confirm != Confirm::None).then(|| match &self.confirm_pairs {
            Some(pairs) => Confirmation { pairs: pairs.clone() },
            None => Confirmation::default(),
        });
    }
}

/// What to print of a measurement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// A report in words like criterion's
    #[default]
    Criterion,
    /// One line per cell, for programs that read the output of the `bencher` crate
    Bencher,
}

/// When to use colors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR, CLICOLOR_FORCE or another usual variable says otherwise
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    /// Whether to use colors: by the flag, else by the variables that cargo and other programs know, else on a terminal.
    pub(crate) fn applies(self, is_terminal: bool) -> bool {
        self.applies_with(is_terminal, |name| std::env::var(name).ok())
    }

    /// The variables rank as in cargo, then as in clap: what forbids colors counts before what forces them.
    fn applies_with(self, is_terminal: bool, variable: impl Fn(&str) -> Option<String>) -> bool {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let switch = |name: &str| set(name).map(|value| !matches!(&*value, "0" | "false"));
        match (self, set("CARGO_TERM_COLOR").as_deref()) {
            (Self::Always, _) | (Self::Auto, Some("always")) => true,
            (Self::Never, _) | (Self::Auto, Some("never")) => false,
            (Self::Auto, _) if set("NO_COLOR").is_some() => false,
            (Self::Auto, _) if switch("CLICOLOR_FORCE") == Some(true) => true,
            (Self::Auto, _) => match (switch("FORCE_COLOR"), switch("CLICOLOR")) {
                (Some(forces), _) => forces,
                (None, Some(false)) => false,
                _ => is_terminal && output::understands_escapes(variable("TERM").as_deref()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_counts_first_then_what_forbids_colors_then_what_forces_them() {
        let applies = |color: Color, is_terminal: bool, variables: &[(&str, &str)]| {
            let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
            color.applies_with(is_terminal, |name| find(name).map(|(_, value)| (*value).to_owned()))
        };
        let xterm = ("TERM", "xterm");
        for (variables, on_terminal, elsewhere) in [
            (&[xterm][..], true, false),
            (&[], false, false),
            (&[("TERM", "dumb")], false, false),
            (&[("TERM", "")], false, false),
            (&[xterm, ("NO_COLOR", "1")], false, false),
            (&[xterm, ("NO_COLOR", "")], true, false),
            (&[xterm, ("CLICOLOR", "0")], false, false),
            (&[xterm, ("CLICOLOR", "1")], true, false),
            (&[("CLICOLOR_FORCE", "1")], true, true),
            (&[xterm, ("CLICOLOR_FORCE", "0")], true, false),
            (&[("FORCE_COLOR", "1"), ("CLICOLOR", "0")], true, true),
            (&[xterm, ("FORCE_COLOR", "0")], false, false),
            (&[xterm, ("FORCE_COLOR", "1"), ("NO_COLOR", "1")], false, false),
            (&[xterm, ("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false, false),
            (&[("CARGO_TERM_COLOR", "always"), ("NO_COLOR", "1")], true, true),
            (&[xterm, ("CARGO_TERM_COLOR", "never"), ("CLICOLOR_FORCE", "1")], false, false),
            (&[xterm, ("CARGO_TERM_COLOR", "auto")], true, false),
        ] {
            let found = [true, false].map(|is_terminal| applies(Color::Auto, is_terminal, variables));
            assert_eq!(found, [on_terminal, elsewhere], "{variables:?}");
            assert!(applies(Color::Always, false, variables) && !applies(Color::Never, true, variables));
        }
    }
}
