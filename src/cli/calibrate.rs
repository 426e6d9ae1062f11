//! `plimsoll calibrate`: how often the gate itself is wrong.

use std::io::Write;
#[cfg(feature = "serve")]
use std::num::NonZero;
use std::process::ExitCode;
#[cfg(feature = "serve")]
use std::time::Duration;

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::calibrate::{Calibration, Doubt, Effort, Standing, calibrate};
#[cfg(feature = "serve")]
use crate::plan::{BenchmarkId, Cell, CellId, Confirmation, Endpoint, Group, Load, Location, Plan, Service};
#[cfg(feature = "serve")]
use crate::session;

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
}

/// Simulates, or measures, and reports.
pub(crate) fn run(args: &CalibrateArgs) -> anyhow::Result<ExitCode> {
    #[cfg(feature = "serve")]
    if args.live.live {
        return live(args.live.repeat.get());
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

/// One way in which base and head of the changed group differ.
#[cfg(feature = "serve")]
struct Experiment {
    name: &'static str,
    base: &'static [&'static str],
    head: &'static [&'static str],
    /// Whether the changed cell should regress.
    slower: bool,
}

#[cfg(feature = "serve")]
const EXPERIMENTS: &[Experiment] = &[
    Experiment { name: "unchanged", base: &[], head: &[], slower: false },
    Experiment { name: "+5%", base: &[], head: &["--slowdown=0.05"], slower: true },
    Experiment { name: "+10%", base: &[], head: &["--slowdown=0.10"], slower: true },
    Experiment { name: "-5%", base: &["--slowdown=0.05"], head: &[], slower: false },
    // p95 lies in the tail of one request in twelve that takes three times as long.
    Experiment { name: "tail +15%", base: &["--tail=0.08:3"], head: &["--tail=0.08:3.45"], slower: true },
];

/// Measures real duets of the reference API with itself: one group unchanged, the other as the experiment says.
#[cfg(feature = "serve")]
fn live(repeat: usize) -> anyhow::Result<ExitCode> {
    let scratch = tempfile::tempdir().context("cannot make a temporary folder")?;
    for Experiment { name, base, head, slower } in EXPERIMENTS {
        let (mut changed, mut unchanged) = (0, 0);
        for number in 0..repeat {
            let groups = vec![group("steady", &[], &[])?, group("changed", base, head)?];
            let confirmation = Some(Confirmation::default());
            let (bench, seed) = ("calibrate".to_owned(), number as u64 + 1);
            let plan = Plan { bench, groups, runs: 1, seed, confirmation, ..Plan::default() };
            let regressed = session::regressed_cells(plan, scratch.path())?;
            let has_regressed = |group: &str| regressed.iter().any(|cell| cell.group == group);
            changed += usize::from(has_regressed("changed"));
            unchanged += usize::from(has_regressed("steady"));
        }
        let expected = if *slower { repeat } else { 0 };
        writeln!(
            std::io::stdout(),
            "{name}: the changed cell regressed in {changed} of {repeat} duets (expected {expected}), the other in {unchanged}"
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(feature = "serve")]
fn group(name: &str, base: &[&str], head: &[&str]) -> anyhow::Result<Group> {
    const CONCURRENCY: usize = 10;
    let program = std::env::current_exe().context("cannot find the path of this program")?;
    let program = program.to_str().context("the path of this program is not Unicode")?;
    let server = |args: &[&str]| {
        let server = Service::command(program).args(["serve", "--port", "{port}", "--service-time", "2ms"]);
        server.args(args.iter().copied()).ready("/stats").into()
    };
    let mut group = Group::new(name, Location::unknown());
    (group.service, group.base) = (server(head), Some(server(base)));
    group.settings.measurement_time = Duration::from_millis(2_500);
    group.cells.push(Cell {
        id: CellId::new(name, BenchmarkId::new("hello", CONCURRENCY)),
        targets: Endpoint::get("/hello").into(),
        load: Load::closed(CONCURRENCY),
        throughput: None,
        location: Location::unknown(),
        metrics: None,
    });
    Ok(group)
}
