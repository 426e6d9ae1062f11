//! `plimsoll calibrate`: how often the gate itself is wrong.

#[cfg(feature = "serve")]
mod live;

use std::io::Write;
#[cfg(feature = "serve")]
use std::num::NonZero;
#[cfg(feature = "serve")]
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::calibrate::{Calibration, Doubt, Effort, Standing, calibrate};
#[cfg(feature = "serve")]
use crate::session::exit_code;

/// A promise was shown to be broken: the gate itself became worse.
const BROKEN: u8 = 1;

/// How the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Markdown tables
    Text,
    /// All counts
    Json,
}

/// Show how often the gate itself is wrong, by simulated calls with a known truth
///
/// Ends with exit code 1 when the counts show a promise to be broken: at most 1 % of unchanged calls red, for one. With --live it
/// counts, and leaves the judging to you.
#[derive(Debug, Args)]
pub(crate) struct CalibrateArgs {
    /// Simulate ten times as much, in some ten minutes: what the documents claim
    #[arg(long)]
    thorough: bool,
    /// How the answer is written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// The seed of all luck: the same seed gives the same answer
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    #[cfg(feature = "serve")]
    #[command(flatten)]
    live: LiveArgs,
}

/// Real duets instead of simulated ones.
#[cfg(feature = "serve")]
#[derive(Debug, Args)]
struct LiveArgs {
    /// Measure real duets of the reference API with itself instead: unchanged, slowed by a known amount, swapped
    #[arg(long, conflicts_with_all = ["thorough", "format", "seed"])]
    live: bool,
    /// Duets of each experiment
    #[arg(long, value_name = "N", default_value = "10", requires = "live")]
    repeat: NonZero<usize>,
    /// Where each duet is kept, a line each: those that it holds are not measured again
    #[arg(long, value_name = "FILE", default_value = "calibrate-live.jsonl", requires = "live")]
    file: PathBuf,
    /// Only this experiment, by its name in the table; may be given several times
    #[arg(long, value_name = "NAME", requires = "live")]
    experiment: Vec<String>,
}

/// Simulates, or measures, and reports.
pub(crate) fn run(args: &CalibrateArgs) -> anyhow::Result<ExitCode> {
    #[cfg(feature = "serve")]
    if args.live.live {
        let LiveArgs { repeat, file, experiment, .. } = &args.live;
        return Ok(exit_code(live::run(repeat.get(), file, experiment)?));
    }
    let effort = if args.thorough { Effort::THOROUGH } else { Effort::QUICK };
    let calibration = calibrate(effort, args.seed);
    let doubts = calibration.doubts();
    let written = match args.format {
        Format::Text => calibration.text(),
        Format::Json => json(&calibration, &doubts)?,
    };
    std::io::stdout().lock().write_all(written.as_bytes()).context("the answer cannot be written")?;
    let is_broken = doubts.iter().any(|doubt| doubt.standing == Standing::Broken);
    Ok(if is_broken { ExitCode::from(BROKEN) } else { ExitCode::SUCCESS })
}

fn json(calibration: &Calibration, doubts: &[Doubt]) -> anyhow::Result<String> {
    #[derive(Serialize)]
    struct Answer<'a> {
        #[serde(flatten)]
        calibration: &'a Calibration,
        doubts: &'a [Doubt],
    }
    let mut text = serde_json::to_string_pretty(&Answer { calibration, doubts })?;
    text.push('\n');
    Ok(text)
}
