//! `plimsoll calibrate --live`: real duets of the reference server with itself, unchanged, slowed by a known amount, and swapped.
//!
//! Each duet is a line of a file as soon as it is done, so that an experiment of hours can be interrupted and taken up again. Two groups
//! of one cell each: what is changed is changed in the second one alone, so that a red first one is a false alarm.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::plan::{BenchmarkId, Cell, Confirmation, Endpoint, Group, Load, Location, Plan, Service};
use crate::session::{Options, Outcome, Rehearsal, rehearse};

/// What one request takes at the least.
const SERVICE_TIME: &str = "2ms";
/// What the service itself takes: in the tail one request of twelve takes three times as long, so that p95 lies in it.
const TAIL: &str = "0.08:3";
/// The same with 15 % on top.
const LONGER_TAIL: &str = "0.08:3.45";
const CONCURRENCY: usize = 10;
/// Measuring time of a cell and side.
const MEASUREMENT_TIME: Duration = Duration::from_millis(2_500);

const STEADY: &str = "steady/hello/10";
const CHANGED: &str = "changed/hello/10";

/// One way in which base and head of the second group differ.
struct Experiment {
    name: &'static str,
    base: &'static [&'static str],
    head: &'static [&'static str],
    /// Whether the second group should be red.
    slower: bool,
}

/// What is done `--repeat` times each.
const EXPERIMENTS: &[Experiment] = &[
    Experiment { name: "unchanged", base: &[], head: &[], slower: false },
    Experiment { name: "+5 %", base: &[], head: &["--slowdown=0.05"], slower: true },
    Experiment { name: "+10 %", base: &[], head: &["--slowdown=0.10"], slower: true },
    Experiment { name: "+5 %, swapped", base: &["--slowdown=0.05"], head: &[], slower: false },
    Experiment { name: "tail", base: &["--tail", TAIL], head: &["--tail", LONGER_TAIL], slower: true },
];

/// One duet that is done: a line of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Done {
    experiment: String,
    repeat: usize,
    #[serde(flatten)]
    rehearsal: Rehearsal,
}

/// Does what of the experiment is not in `file` yet, and tells what all of it says.
///
/// The services' programs and what else is only for the while lie in a folder that is gone afterwards.
pub(super) fn run(repeat: usize, file: &Path, only: &[String]) -> anyhow::Result<Outcome> {
    let scratch = tempfile::tempdir().context("no temporary folder can be made")?;
    let options = &Options::measuring_in(scratch.path());
    let wanted: Vec<&Experiment> = chosen(only)?;
    println!("{}", really(&wanted, options)?);
    let mut all = read(file)?;
    for number in 0..repeat {
        for experiment in &wanted {
            if all.iter().any(|done| done.experiment == experiment.name && done.repeat == number) {
                continue;
            }
            let plan = plan(experiment.base, experiment.head, seed(number, experiment.name))?;
            let rehearsal = rehearse(plan, options)?;
            if let Some(signal) = rehearsal.signal {
                return Ok(Outcome::Interrupted(signal));
            }
            let done = Done { experiment: experiment.name.to_owned(), repeat: number, rehearsal };
            eprintln!("{}", one(&done, number, repeat));
            append(file, &done)?;
            all.push(done);
        }
    }
    print!("{}", table(&wanted, &all));
    Ok(Outcome::Passed)
}

fn chosen(only: &[String]) -> anyhow::Result<Vec<&'static Experiment>> {
    for name in only {
        if EXPERIMENTS.iter().all(|experiment| experiment.name != name) {
            let names: Vec<&str> = EXPERIMENTS.iter().map(|experiment| experiment.name).collect();
            bail!("there is no experiment `{name}`: they are `{}`", names.join("`, `"));
        }
    }
    let is_chosen =
        |experiment: &&Experiment| only.is_empty() || only.iter().any(|name| name == experiment.name);
    Ok(EXPERIMENTS.iter().filter(is_chosen).collect())
}

/// Each duet has orders of its own, and the same ones when it is taken up again.
fn seed(number: usize, name: &str) -> u64 {
    name.bytes().fold(number as u64 + 1, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)))
}

fn server(args: &[&str]) -> anyhow::Result<Service> {
    let program = std::env::current_exe().context("the path of this program is not known")?;
    let program = program.to_str().context("the path of this program is no Unicode text")?;
    let command = Service::command(program)
        .args(["serve", "--port", "{port}", "--service-time", SERVICE_TIME])
        .args(args.iter().copied())
        .ready("/stats");
    Ok(command.into())
}

fn group(name: &str, head: &[&str], base: Option<&[&str]>) -> anyhow::Result<Group> {
    let mut group = Group::new(name, Location::unknown());
    group.service = server(head)?;
    group.base = base.map(server).transpose()?;
    group.settings.measurement_time = MEASUREMENT_TIME;
    group.cells.push(Cell {
        id: BenchmarkId::new("hello", CONCURRENCY),
        targets: Endpoint::get("/hello").into(),
        load: Load::closed(CONCURRENCY),
        throughput: None,
        location: Location::unknown(),
        metrics: None,
    });
    Ok(group)
}

fn plan(base: &[&str], head: &[&str], seed: u64) -> anyhow::Result<Plan> {
    Ok(Plan {
        bench: "calibrate".to_owned(),
        groups: vec![group("steady", &[], Some(&[]))?, group("changed", head, Some(base))?],
        runs: 1,
        seed,
        confirmation: Some(Confirmation::default()),
        ..Plan::default()
    })
}

/// What each side's server really did, by itself: what it was told to do is not what its timers make of it.
fn really(wanted: &[&Experiment], options: &Options) -> anyhow::Result<String> {
    let mut sides: Vec<&[&str]> =
        wanted.iter().flat_map(|experiment| [experiment.base, experiment.head]).collect();
    sides.sort_unstable();
    sides.dedup();
    let mut text = String::from("What the server really did, median over rounds:\n");
    for side in sides {
        let plan = Plan {
            bench: "calibrate".to_owned(),
            groups: vec![group("alone", side, None)?],
            runs: 1,
            seed: 1,
            ..Plan::default()
        };
        let rehearsal = rehearse(plan, options)?;
        let told = rehearsal.cells.values().flat_map(|cell| &cell.medians_ns).map(|(id, median_ns)| {
            let median = Duration::from_nanos(*median_ns as u64);
            format!("{} {median:.3?}", id.trim_start_matches("latency_"))
        });
        let what = if side.is_empty() { "unchanged".to_owned() } else { side.join(" ") };
        let _ = writeln!(text, "  {what}: {}", told.collect::<Vec<_>>().join(", "));
    }
    Ok(text)
}

fn read(file: &Path) -> anyhow::Result<Vec<Done>> {
    if !file.exists() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let line = |(index, line): (usize, &str)| {
        serde_json::from_str(line).with_context(|| {
            format!(
                "{}, line {}: not a duet of this experiment; remove the line, or name another file",
                file.display(),
                index + 1
            )
        })
    };
    text.lines().enumerate().map(line).collect()
}

fn append(file: &Path, done: &Done) -> anyhow::Result<()> {
    let mut line = serde_json::to_string(done)?;
    line.push('\n');
    let open = OpenOptions::new().create(true).append(true).open(file);
    open.and_then(|mut open| open.write_all(line.as_bytes()))
        .with_context(|| format!("{} cannot be written", file.display()))
}

fn one(done: &Done, number: usize, repeat: usize) -> String {
    let verdict = |id: &str| done.rehearsal.cells.get(id).map_or("–", |cell| &cell.verdict);
    let change = done.rehearsal.cells.get(CHANGED).and_then(|cell| cell.changes.get("latency_p50"));
    let [low, estimate, high] = change.copied().unwrap_or_default().map(|end| 100.0 * end);
    format!(
        "{} of {repeat}, {}: steady {}, changed {}; p50 {estimate:+.1} % [{low:+.1}, {high:+.1}], {:.0} s",
        number + 1,
        done.experiment,
        verdict(STEADY),
        verdict(CHANGED),
        done.rehearsal.seconds
    )
}

/// A Markdown table of all that is in the file.
fn table(wanted: &[&Experiment], all: &[Done]) -> String {
    let mut text = String::from(
        "| experiment | duets | changed cell red | steady cell red | p50 of the changed cell, median | seconds, median |\n|---|---|---|---|---|---|\n",
    );
    for experiment in wanted {
        let done: Vec<&Done> = all.iter().filter(|done| done.experiment == experiment.name).collect();
        let red = |id: &str| {
            done.iter().filter(|done| done.rehearsal.cells.get(id).is_some_and(|cell| cell.red)).count()
        };
        let p50 = done
            .iter()
            .filter_map(|done| Some(done.rehearsal.cells.get(CHANGED)?.changes.get("latency_p50")?[1]));
        let expected = if experiment.slower { "" } else { " (none is right)" };
        let _ = writeln!(
            text,
            "| {} | {} | {}{expected} | {} | {:+.1} % | {:.0} |",
            experiment.name,
            done.len(),
            red(CHANGED),
            red(STEADY),
            100.0 * median(p50.collect()),
            median(done.iter().map(|done| done.rehearsal.seconds).collect())
        );
    }
    text
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
