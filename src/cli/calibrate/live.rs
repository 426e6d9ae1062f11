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
use sha2::{Digest, Sha256};

use crate::plan::{BenchmarkId, Cell, Confirmation, Endpoint, Group, Load, Location, Plan, Service};
#[cfg(test)]
use crate::session::Rehearsed;
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

const P50: &str = "latency_p50";

const STEADY: &str = "steady/hello/10";
const CHANGED: &str = "changed/hello/10";

/// One way in which base and head of the second group differ.
struct Experiment {
    name: &'static str,
    base: &'static [&'static str],
    head: &'static [&'static str],
    /// Whether the second group should be red.
    slower: bool,
    /// The metric in which the change shows.
    shows_in: &'static str,
}

/// What is done `--repeat` times each.
const EXPERIMENTS: &[Experiment] = &[
    Experiment { name: "unchanged", base: &[], head: &[], slower: false, shows_in: P50 },
    Experiment { name: "+5 %", base: &[], head: &["--slowdown=0.05"], slower: true, shows_in: P50 },
    Experiment { name: "+10 %", base: &[], head: &["--slowdown=0.10"], slower: true, shows_in: P50 },
    Experiment { name: "+5 %, swapped", base: &["--slowdown=0.05"], head: &[], slower: false, shows_in: P50 },
    Experiment {
        name: "tail",
        base: &["--tail", TAIL],
        head: &["--tail", LONGER_TAIL],
        slower: true,
        shows_in: "latency_p95",
    },
];

/// One duet that is done: a line of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Done {
    experiment: String,
    repeat: usize,
    /// A digest of the program that measured and judged it.
    program: String,
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
    let program = program_digest()?;
    let mut all = read(file, &program)?;
    let tried = tell_what_servers_do(&wanted, options)?;
    if tried != Outcome::Passed {
        return Ok(tried);
    }
    for number in 0..repeat {
        for experiment in &wanted {
            if all.iter().any(|done| done.experiment == experiment.name && done.repeat == number) {
                continue;
            }
            let plan = plan(experiment.base, experiment.head, seed(number, experiment.name))?;
            let rehearsal = rehearse(plan, options)?;
            let ended = ended(&rehearsal);
            if ended != Outcome::Passed {
                return Ok(ended);
            }
            let (experiment, program) = (experiment.name.to_owned(), program.clone());
            let done = Done { experiment, repeat: number, program, rehearsal };
            eprintln!("{}", one(&done, number, repeat));
            append(file, &done)?;
            all.push(done);
        }
    }
    print!("{}", table(&wanted, &all));
    Ok(Outcome::Passed)
}

/// How a measurement ended. One that did not come to its end says nothing of the gate, and is not kept.
fn ended(rehearsal: &Rehearsal) -> Outcome {
    if let Some(signal) = rehearsal.signal {
        return Outcome::Interrupted(signal);
    }
    let Some(failed) = &rehearsal.failed else { return Outcome::Passed };
    eprintln!("error: a duet failed, and is not counted: {failed}");
    Outcome::NotMeasured
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

/// Tells what each side's server really does, by itself: what it was told to do is not what its timers make of it.
fn tell_what_servers_do(wanted: &[&Experiment], options: &Options) -> anyhow::Result<Outcome> {
    let mut sides: Vec<&[&str]> =
        wanted.iter().flat_map(|experiment| [experiment.base, experiment.head]).collect();
    sides.sort_unstable();
    sides.dedup();
    println!("What the server really does, median over rounds:");
    for side in sides {
        let plan = Plan {
            bench: "calibrate".to_owned(),
            groups: vec![group("alone", side, None)?],
            runs: 1,
            seed: 1,
            ..Plan::default()
        };
        let rehearsal = rehearse(plan, options)?;
        let ended = ended(&rehearsal);
        if ended != Outcome::Passed {
            return Ok(ended);
        }
        let told = rehearsal.cells.values().flat_map(|cell| &cell.medians_ns).map(|(id, median_ns)| {
            let median = Duration::from_nanos(*median_ns as u64);
            format!("{} {median:.3?}", id.trim_start_matches("latency_"))
        });
        let what = if side.is_empty() { "unchanged".to_owned() } else { side.join(" ") };
        println!("  {what}: {}", told.collect::<Vec<_>>().join(", "));
    }
    println!();
    Ok(Outcome::Passed)
}

/// What tells one build of this program from another.
fn program_digest() -> anyhow::Result<String> {
    let program = std::env::current_exe().and_then(fs::read).context("this program cannot be read")?;
    Ok(Sha256::digest(program).iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

/// The duets of a file, which must be those of this program: another one may judge otherwise.
fn read(file: &Path, program: &str) -> anyhow::Result<Vec<Done>> {
    if !file.exists() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let line = |(index, line): (usize, &str)| {
        let place = || format!("{}, line {}", file.display(), index + 1);
        let done: Done = serde_json::from_str(line).with_context(|| {
            format!("{} is no duet of this experiment; remove the line, or name another file", place())
        })?;
        if done.program != program {
            bail!("{} was measured by another build of plimsoll; name another file with --file", place());
        }
        Ok(done)
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
    let change = done.rehearsal.cells.get(CHANGED).and_then(|cell| cell.changes.get(P50));
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
        "| experiment | duets | not measured fairly | changed cell red | steady cell red | the change, medians of its interval | seconds, median |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for experiment in wanted {
        let done: Vec<&Rehearsal> = all
            .iter()
            .filter(|done| done.experiment == experiment.name)
            .map(|done| &done.rehearsal)
            .collect();
        let is_fair = |rehearsal: &&Rehearsal| {
            [STEADY, CHANGED].iter().all(|id| rehearsal.cells.get(*id).is_some_and(|cell| cell.fair))
        };
        let (fair, unfair): (Vec<&Rehearsal>, Vec<&Rehearsal>) = done.into_iter().partition(is_fair);
        let red = |id: &str| {
            fair.iter().filter(|rehearsal| rehearsal.cells.get(id).is_some_and(|cell| cell.red)).count()
        };
        let changes: Vec<[f64; 3]> = fair
            .iter()
            .filter_map(|rehearsal| rehearsal.cells.get(CHANGED)?.changes.get(experiment.shows_in).copied())
            .collect();
        let end = |index: usize| median(changes.iter().map(|change| 100.0 * change[index]).collect());
        let seconds = median(fair.iter().map(|rehearsal| rehearsal.seconds).collect());
        let _ = writeln!(
            text,
            "| {} | {} | {} | {}{} | {} | {} {} [{}, {}] % | {} |",
            experiment.name,
            fair.len(),
            unfair.len(),
            red(CHANGED),
            if experiment.slower { "" } else { " (none is right)" },
            red(STEADY),
            experiment.shows_in.trim_start_matches("latency_"),
            signed(end(1)),
            signed(end(0)),
            signed(end(2)),
            seconds.map_or_else(|| "–".to_owned(), |seconds| format!("{seconds:.0}")),
        );
    }
    text
}

fn signed(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:+.1}"))
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(experiment: &str, repeat: usize, changed_red: bool, fair: bool) -> Done {
        let cell = |red: bool, p50: f64| Rehearsed {
            verdict: if red { "regressed" } else { "unchanged" }.to_owned(),
            red,
            fair,
            changes: [(P50.to_owned(), [p50 - 0.01, p50, p50 + 0.01])].into(),
            medians_ns: [(P50.to_owned(), 2e6)].into(),
        };
        let cells = [(STEADY.to_owned(), cell(false, 0.0)), (CHANGED.to_owned(), cell(changed_red, 0.05))];
        let rehearsal =
            Rehearsal { seconds: 12.0, signal: None, failed: None, rounds: 60, cells: cells.into() };
        Done { experiment: experiment.to_owned(), repeat, program: "this".to_owned(), rehearsal }
    }

    #[test]
    fn what_is_done_is_read_back_and_that_of_another_build_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("live.jsonl");
        assert!(read(&file, "this").unwrap().is_empty(), "nothing is there yet");
        append(&file, &done("+5 %", 0, true, true)).unwrap();
        append(&file, &done("+5 %", 1, false, true)).unwrap();
        let all = read(&file, "this").unwrap();
        assert_eq!((all.len(), all[1].repeat), (2, 1));
        assert!(all[0].rehearsal.cells[CHANGED].red && !all[1].rehearsal.cells[CHANGED].red);
        let refused = read(&file, "other").unwrap_err().to_string();
        assert!(refused.contains("line 1 was measured by another build"), "{refused}");
        fs::write(&file, "{}\n").unwrap();
        let damaged = read(&file, "this").unwrap_err().to_string();
        assert!(damaged.contains("live.jsonl, line 1 is no duet"), "{damaged}");
    }

    #[test]
    fn the_table_counts_fair_duets_alone() {
        let all = [
            done("+5 %", 0, true, true),
            done("+5 %", 1, true, true),
            done("+5 %", 2, false, false),
            done("unchanged", 0, false, true),
        ];
        let wanted = chosen(&["+5 %".to_owned()]).unwrap();
        let table = table(&wanted, &all);
        let line = table.lines().last().unwrap();
        assert_eq!(line, "| +5 % | 2 | 1 | 2 | 0 | p50 +5.0 [+4.0, +6.0] % | 12 |");
        assert!(super::table(&wanted, &[]).ends_with("| +5 % | 0 | 0 | 0 | 0 | p50 – [–, –] % | – |\n"));
    }

    #[test]
    fn an_experiment_that_is_none_is_named_with_those_that_are() {
        let error = chosen(&["+7 %".to_owned()]).err().unwrap().to_string();
        assert!(error.contains("`+7 %`") && error.contains("`+5 %, swapped`"), "{error}");
        assert_eq!(chosen(&[]).unwrap().len(), EXPERIMENTS.len());
    }
}
