//! The `plimsoll` command: its arguments, and the subcommands that are short.

mod calibrate;
mod load;

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::builder::NonEmptyStringValueParser;
use clap::{ArgAction, Args, Parser, Subcommand};

use crate::output::{self, OutputError};
use crate::plan::TargetsError;
use crate::session::{
    self, BaselineUse, Color, FailOn, NOT_MEASURED, Options, Paths, Requested, SessionError, WRONG_CALL,
    exit_code,
};

/// criterion for HTTP endpoints
#[derive(Debug, Parser)]
#[command(version, about, propagate_version = true)]
enum Call {
    Load(Box<load::LoadArgs>),
    Compare(CompareArgs),
    Report(ReportArgs),
    Accept(AcceptArgs),
    Baseline(BaselineArgs),
    Calibrate(calibrate::CalibrateArgs),
    #[cfg(feature = "serve")]
    Serve(crate::serve::ServeOptions),
}

/// Compare a saved run with an earlier one
#[derive(Debug, Args)]
struct CompareArgs {
    /// The earlier run (a run.json)
    base: PathBuf,
    /// The run to judge (a run.json)
    head: PathBuf,
    /// Folder to write the page and the charts to [default: reports/compare]
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    #[command(flatten)]
    report: ReportOptions,
}

/// Report saved runs again, compared with a baseline if there is one
#[derive(Debug, Args)]
struct ReportArgs {
    /// The runs (run.json files), reported together
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Baseline to compare with; cells that it does not hold are new
    #[arg(long, value_name = "NAME", default_value = "main")]
    baseline: String,
    /// Folder to write the page and the charts to [default: reports/report]
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    #[command(flatten)]
    report: ReportOptions,
}

/// Add saved runs to a baseline
#[derive(Debug, Args)]
struct AcceptArgs {
    /// The runs of one bench target (a run.json) [default: all bench targets of the last `cargo bench`]
    run: Option<PathBuf>,
    /// Baseline to add the runs to
    #[arg(long, value_name = "NAME", default_value = "main", value_parser = NonEmptyStringValueParser::new())]
    baseline: String,
    /// Accept a change of speed for this reason. The older runs of the baseline are removed
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    package: PackageOptions,
}

/// List, show or remove baselines
#[derive(Debug, Args)]
struct BaselineArgs {
    #[command(subcommand)]
    action: BaselineAction,
    #[command(flatten)]
    package: PackageOptions,
}

#[derive(Debug, Subcommand)]
enum BaselineAction {
    /// List all baselines with their bench targets
    List,
    /// Show the runs and cells of a baseline
    Show {
        /// Name of the baseline
        #[arg(default_value = "main")]
        name: String,
    },
    /// Remove a baseline
    Drop {
        /// Name of the baseline
        name: String,
    },
}

#[derive(Debug, Args)]
struct PackageOptions {
    /// Folder of the package, which holds baselines/ and reports/
    #[arg(long, value_name = "FOLDER", default_value = ".", global = true)]
    root: PathBuf,
}

#[derive(Debug, Args)]
struct ReportOptions {
    #[command(flatten)]
    package: PackageOptions,
    /// Verdicts that fail the command in addition to `regressed`
    #[arg(long, value_name = "VERDICT", value_delimiter = ',', env = "PLIMSOLL_FAIL_ON")]
    fail_on: Vec<FailOn>,
    /// Write no charts
    #[arg(long)]
    noplot: bool,
    /// Also write: markdown, github, junit, json, openmetrics, csv (NAME=PATH; PATH - is standard output)
    #[arg(long = "report", value_name = "NAME[=PATH]", value_delimiter = ',', value_parser = Requested::parse)]
    #[arg(env = "PLIMSOLL_REPORT")]
    formats: Vec<Requested>,
    /// When to use colors
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: Color,
    /// Print more details
    #[arg(long, short = 'v', action = ArgAction::SetTrue)]
    verbose: bool,
}

/// Runs the command with the arguments of this process.
pub fn main() -> ExitCode {
    run(&Call::parse()).unwrap_or_else(|error| {
        output::log(format_args!("error: {}", message(&error)));
        error_code(&error)
    })
}

fn run(call: &Call) -> anyhow::Result<ExitCode> {
    match call {
        Call::Load(args) => load::run(args),
        Call::Compare(CompareArgs { base, head, output, report }) => {
            Ok(exit_code(session::compare(base, head, output.as_deref(), &report.options()?)?))
        }
        Call::Report(ReportArgs { runs, baseline, output, report }) => {
            let options = Options { baseline: BaselineUse::Lenient(baseline.clone()), ..report.options()? };
            Ok(exit_code(session::report(runs, output.as_deref(), &options)?))
        }
        Call::Accept(AcceptArgs { run, baseline, reason, package }) => {
            let options = Options { paths: package.paths()?, ..Options::default() };
            output::print(session::accept(run.as_deref(), baseline, reason.as_deref(), &options)?)?;
            Ok(ExitCode::SUCCESS)
        }
        Call::Baseline(BaselineArgs { action, package: PackageOptions { root } }) => {
            output::print(run_baseline(action, root)?)?;
            Ok(ExitCode::SUCCESS)
        }
        Call::Calibrate(args) => calibrate::run(args),
        #[cfg(feature = "serve")]
        Call::Serve(options) => Ok(crate::serve::run(options).map(|()| ExitCode::SUCCESS)?),
    }
}

fn run_baseline(action: &BaselineAction, root: &Path) -> Result<String, SessionError> {
    match action {
        BaselineAction::List => session::list_baselines(root),
        BaselineAction::Show { name } => session::show_baseline(root, name),
        BaselineAction::Drop { name } => session::drop_baseline(root, name),
    }
}

impl PackageOptions {
    fn paths(&self) -> anyhow::Result<Paths> {
        let root = std::path::absolute(&self.root)
            .with_context(|| format!("the folder {} cannot be found", self.root.display()))?;
        Ok(Paths::new(&root, None))
    }
}

impl ReportOptions {
    fn options(&self) -> anyhow::Result<Options> {
        Ok(Options {
            paths: self.package.paths()?,
            fail_on: self.fail_on.clone(),
            plots: !self.noplot,
            formats: self.formats.clone(),
            color: self.color.applies(std::io::stdout().is_terminal()),
            verbose: self.verbose,
            ..Options::default()
        })
    }
}

/// An error with its causes. The errors of the library already contain theirs.
fn message(error: &anyhow::Error) -> String {
    let has_causes = error.is::<SessionError>() || error.is::<TargetsError>() || error.is::<OutputError>();
    #[cfg(feature = "serve")]
    let has_causes = has_causes || error.is::<crate::serve::ServeError>();
    if has_causes { error.to_string() } else { format!("{error:#}") }
}

/// A server that could not run and text that could not be written are failures. All other errors of this module are wrong calls.
fn error_code(error: &anyhow::Error) -> ExitCode {
    if let Some(error) = error.downcast_ref::<SessionError>() {
        return error.exit_code();
    }
    #[cfg(feature = "serve")]
    if error.is::<crate::serve::ServeError>() {
        return ExitCode::from(NOT_MEASURED);
    }
    ExitCode::from(if error.is::<OutputError>() { NOT_MEASURED } else { WRONG_CALL })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::plan::Targets;

    #[test]
    fn the_arguments_are_consistent() {
        Call::command().debug_assert();
    }

    #[test]
    fn each_cause_is_printed_once() {
        let error = anyhow::Error::from(Targets::from_file("/no/such").unwrap_err());
        assert_eq!(message(&error).matches("No such file").count(), 1);
        let error = std::fs::read("/no/such").context("the body cannot be read").unwrap_err();
        assert!(message(&error).starts_with("the body cannot be read: No such file"));
    }
}
