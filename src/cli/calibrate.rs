//! `plimsoll calibrate`: how often is the gate wrong?

use std::process::ExitCode;

use clap::Args;

use crate::calibrate::{Effort, calibrate};

/// The counts show that a promise is broken.
const BROKEN: u8 = 1;

/// Simulate comparisons with a known true change, and count wrong verdicts
///
/// Prints Markdown: each promise with what was found, and a table of all scenarios. The exit code is 1 if the counts show that a
/// promise is broken, for example that more than 1% of unchanged calls have a regressed cell.
#[derive(Debug, Args)]
pub(crate) struct CalibrateArgs {
    /// Simulate ten times more calls, in about half an hour
    #[arg(long)]
    thorough: bool,
    /// Seed of the simulation: the same seed gives the same result
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    #[cfg(feature = "serve")]
    #[command(flatten)]
    live: live::LiveArgs,
}

/// Simulates, or measures, and prints the counts.
pub(crate) fn run(args: &CalibrateArgs) -> anyhow::Result<ExitCode> {
    #[cfg(feature = "serve")]
    if args.live.live {
        return live::run(args.live.repeat.get());
    }
    let effort = if args.thorough { Effort::THOROUGH } else { Effort::QUICK };
    let calibration = calibrate(effort, args.seed);
    print(&calibration.text())?;
    Ok(if calibration.is_broken() { ExitCode::from(BROKEN) } else { ExitCode::SUCCESS })
}

fn print(text: &str) -> anyhow::Result<()> {
    Ok(crate::output::print(text)?)
}

/// Real duets of the reference API with itself.
#[cfg(feature = "serve")]
mod live {
    use std::num::NonZero;
    use std::process::ExitCode;
    use std::time::Duration;

    use anyhow::Context;
    use clap::Args;

    use crate::cli::calibrate::print;
    use crate::plan::{
        BenchmarkId, Cell, CellId, Confirmation, Endpoint, Group, Load, Location, Plan, Service,
    };
    use crate::session;

    #[derive(Debug, Args)]
    pub(super) struct LiveArgs {
        /// Measure real duets of the reference API with itself instead: unchanged, and slower or faster by a known amount
        ///
        /// Prints how often each cell regressed. The exit code is 0 whatever the counts are.
        #[arg(long, conflicts_with_all = ["thorough", "seed"])]
        pub live: bool,
        /// Number of duets per experiment
        #[arg(long, value_name = "N", default_value = "10", requires = "live")]
        pub repeat: NonZero<usize>,
    }

    /// The arguments of base and head of the group `changed`, and whether its cell should regress.
    struct Experiment {
        name: &'static str,
        base: &'static [&'static str],
        head: &'static [&'static str],
        is_slower: bool,
    }

    const EXPERIMENTS: &[Experiment] = &[
        Experiment { name: "unchanged", base: &[], head: &[], is_slower: false },
        Experiment { name: "+5%", base: &[], head: &["--slowdown=0.05"], is_slower: true },
        Experiment { name: "+10%", base: &[], head: &["--slowdown=0.10"], is_slower: true },
        Experiment { name: "-5%", base: &["--slowdown=0.05"], head: &[], is_slower: false },
        // p95 lies in the tail: one request in twelve takes three times as long.
        Experiment {
            name: "tail +15%",
            base: &["--tail=0.08:3"],
            head: &["--tail=0.08:3.45"],
            is_slower: true,
        },
    ];

    pub(super) fn run(repeat: usize) -> anyhow::Result<ExitCode> {
        let scratch = tempfile::tempdir().context("could not create a temporary folder")?;
        for Experiment { name, base, head, is_slower } in EXPERIMENTS {
            let (mut changed, mut unchanged) = (0, 0);
            for number in 0..repeat {
                let groups = vec![group("unchanged", &[], &[])?, group("changed", base, head)?];
                let (bench, seed) = ("calibrate".to_owned(), number as u64 + 1);
                let confirmation = Some(Confirmation::default());
                let plan = Plan { bench, groups, runs: 1, seed, confirmation, ..Plan::default() };
                let regressed = session::regressed_cells(plan, scratch.path())?;
                let has_regressed = |group: &str| regressed.iter().any(|cell| cell.group == group);
                changed += usize::from(has_regressed("changed"));
                unchanged += usize::from(has_regressed("unchanged"));
            }
            let expected = if *is_slower { repeat } else { 0 };
            print(&format!(
                "{name}: regressed in {changed} of {repeat} duets (expected {expected}); unchanged cell: {unchanged} (expected 0)\n"
            ))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// A group of one cell whose two sides run the reference API with these arguments.
    fn group(name: &str, base: &[&str], head: &[&str]) -> anyhow::Result<Group> {
        const CONCURRENCY: usize = 10;
        let program = std::env::current_exe().context("could not find the path of this program")?;
        let program = program.to_str().context("the path of this program is not UTF-8")?;
        let server = |args: &[&str]| {
            let server =
                Service::command(program).args(["serve", "--port", "{port}", "--service-time", "2ms"]);
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
}
