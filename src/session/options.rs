//! What a call wants beside its plan.

use std::path::{Path, PathBuf};

use crate::session::duet::Duet;

/// The baseline that is compared with when none is named.
pub(crate) const USUAL_BASELINE: &str = "main";

/// Which baseline is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BaselineUse {
    /// The usual one, where it is there.
    Usual,
    /// The named one; it must hold each cell.
    Strict(String),
    /// The named one, as far as it goes.
    Lenient(String),
}

impl BaselineUse {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Usual => USUAL_BASELINE,
            Self::Strict(name) | Self::Lenient(name) => name,
        }
    }
}

/// What becomes of the run once it is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Save {
    /// The baseline's name.
    pub(crate) name: String,
    /// Whether it is added to what is there rather than put in its place.
    pub(crate) append: bool,
}

impl Save {
    /// Whether it is put in the place of what is there.
    pub(crate) fn replaces(&self) -> bool {
        !self.append
    }
}

/// What fails a call beside a regression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum FailOn {
    /// A comparison that could not be decided: exit code 1
    Inconclusive,
    /// A comparison that could not be made (another test bed, a redefined cell, no baseline at all): exit code 3
    Incomparable,
}

/// Where a package keeps things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Paths {
    /// The package's own folder.
    pub(crate) root: PathBuf,
    /// Its build folder.
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

/// What a call wants beside its plan.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) paths: Paths,
    pub(crate) baseline: BaselineUse,
    pub(crate) save: Option<Save>,
    /// Take this stored baseline as head instead of measuring.
    pub(crate) load: Option<String>,
    pub(crate) service_args: Vec<String>,
    pub(crate) duet: Duet,
    /// The user's name for this machine.
    pub(crate) test_bed: Option<String>,
    pub(crate) fail_on: Vec<FailOn>,
    /// The arguments of the bench, as the user gave them.
    pub(crate) bench_args: Vec<String>,
    /// Whether all cells of the bench are planned, so that one that only the baseline has is gone.
    pub(crate) is_whole: bool,
    pub(crate) plots: bool,
    pub(crate) colour: bool,
    pub(crate) verbose: bool,
    pub(crate) quiet: bool,
}

impl Options {
    /// Measuring and no more: nothing is drawn, said or kept but what measuring needs below that folder.
    #[cfg(feature = "cli")]
    pub(crate) fn measuring_in(root: &Path) -> Self {
        Self {
            paths: Paths::new(root, None),
            baseline: BaselineUse::Usual,
            save: None,
            load: None,
            service_args: Vec::new(),
            duet: Duet::default(),
            test_bed: None,
            fail_on: Vec::new(),
            bench_args: Vec::new(),
            is_whole: true,
            plots: false,
            colour: false,
            verbose: false,
            quiet: true,
        }
    }
}

/// When to colour the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Colour {
    /// Whether to colour what goes to a terminal, or to something else.
    pub(crate) fn applies(self, is_terminal: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }
}
