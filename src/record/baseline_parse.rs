//! The text of a baseline file becomes a baseline that holds together, or a problem that says what does not.
//!
//! Order of the checks: the schema, the syntax, what refers to what, the numbers, and last the digest of each run.

use std::collections::{BTreeMap, BTreeSet};

use crate::record::baseline::{Baseline, Epoch, StoredRun, is_derived};
use crate::record::baseline_wire::{BaselineWire, Lines, Nested, StoredCellWire, StoredRunWire};
use crate::record::digest::run_digest;
use crate::record::environment::Machine;
use crate::record::json_text::LARGEST;
use crate::record::series::Series;
use crate::record::wire::{LARGEST_COUNT, SCHEMA, SchemaProbe};

/// What is wrong with a file, without its name.
#[derive(Debug)]
pub(crate) enum Problem {
    /// It is no JSON, or not of the form that its schema has.
    Malformed(String),
    /// It is of another schema, or has none.
    Schema(Option<u64>),
    /// Its parts contradict each other.
    Inconsistent(String),
    /// The digest of this run does not match.
    Edited(String),
}

type Checked<T = ()> = Result<T, Problem>;

fn inconsistent<T>(problem: String) -> Checked<T> {
    Err(Problem::Inconsistent(problem))
}

/// Reads the text of a baseline file.
pub(crate) fn parse(bytes: &[u8]) -> Checked<Baseline> {
    let malformed = |error: serde_json::Error| {
        let is_merging = bytes.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"<<<<<<< "));
        let why = if is_merging {
            "a merge in git is not resolved: keep the lines of both sides".to_owned()
        } else {
            error.to_string()
        };
        Problem::Malformed(why)
    };
    let probe: SchemaProbe = serde_json::from_slice(bytes).map_err(malformed)?;
    if probe.schema != Some(SCHEMA) {
        return Err(Problem::Schema(probe.schema));
    }
    let file: BaselineWire = serde_json::from_slice(bytes).map_err(malformed)?;
    let machines: BTreeMap<String, Machine> =
        file.machines.0.into_iter().map(|(key, machine)| (key, machine.into())).collect();
    let epochs = epochs(file.epochs.into_iter().map(Epoch::from).collect())?;
    let (mut runs, digests) = headers(file.runs, &machines)?;
    for (id, cell) in file.cells.0 {
        add_cell(&mut runs, &id, cell)?;
    }
    let runs: Vec<StoredRun> = runs.into_iter().map(StoredRun::rounded).collect();
    check_anchors(&epochs, &runs)?;
    for (run, digest) in runs.iter().zip(digests) {
        if run.cells.is_empty() {
            return inconsistent(format!("the run `{}` has no line in any cell", run.id));
        }
        match epochs.iter().find(|epoch| epoch.number == run.epoch) {
            None => {
                return inconsistent(format!(
                    "the run `{}` belongs to the epoch {}, which is not there",
                    run.id, run.epoch
                ));
            }
            Some(epoch) if run_digest(&file.group, run, epoch) != digest => {
                return Err(Problem::Edited(run.id.clone()));
            }
            Some(_) => {}
        }
    }
    Ok(Baseline { group: file.group, runs, epochs })
}

fn epochs(mut epochs: Vec<Epoch>) -> Checked<Vec<Epoch>> {
    epochs.sort_by_key(|epoch| epoch.number);
    match epochs.windows(2).find(|pair| pair[0].number == pair[1].number) {
        Some(pair) => inconsistent(format!("the epoch {} is there twice: keep one", pair[0].number)),
        None => Ok(epochs),
    }
}

fn check_anchors(epochs: &[Epoch], runs: &[StoredRun]) -> Checked {
    if runs.is_empty() {
        return inconsistent("it holds no run".to_owned());
    }
    let is_there = |epoch: &Epoch| runs.iter().any(|run| run.id == epoch.anchor && run.epoch == epoch.number);
    match epochs.iter().find(|epoch| !is_there(epoch)) {
        Some(epoch) => inconsistent(format!(
            "the anchor `{}` of the epoch {} is not among its runs",
            epoch.anchor, epoch.number
        )),
        None => Ok(()),
    }
}

/// The runs without their cells, the oldest first, and their digests.
fn headers(
    newest_first: Vec<StoredRunWire>,
    machines: &BTreeMap<String, Machine>,
) -> Checked<(Vec<StoredRun>, Vec<String>)> {
    let mut ids = BTreeSet::new();
    let (mut runs, mut digests) = (Vec::new(), Vec::new());
    for wire in newest_first.into_iter().rev() {
        if !ids.insert(wire.id.clone()) {
            return inconsistent(format!("the run `{}` is there twice", wire.id));
        }
        let Some(machine) = machines.get(&wire.machine).cloned() else {
            return inconsistent(format!(
                "the machine `{}` of the run `{}` is not there",
                wire.machine, wire.id
            ));
        };
        check_number(wire.load, "load", &wire.id)?;
        let Some(window) = wire.window() else {
            return inconsistent(format!("the window of the run `{}` is out of range", wire.id));
        };
        digests.push(wire.digest);
        runs.push(StoredRun {
            id: wire.id,
            epoch: wire.epoch,
            machine,
            setup: wire.setup.0,
            commit: wire.commit,
            dirty: wire.dirty,
            load: wire.load,
            window,
            cells: BTreeMap::new(),
        });
    }
    Ok((runs, digests))
}

fn check_number(value: f64, key: &str, run: &str) -> Checked {
    if value.is_sign_positive() && value <= LARGEST {
        return Ok(());
    }
    inconsistent(format!("`{key}` of the run `{run}` has the value {value}, which is out of range"))
}

/// Lines by run; a run that comes twice is a problem.
fn by_run<T>(key: &str, cell: &str, lines: Lines<T>) -> Checked<BTreeMap<String, Nested<T>>> {
    let mut map = BTreeMap::new();
    for (run, values) in lines {
        if map.contains_key(&run) {
            return inconsistent(format!("`{key}` of the cell `{cell}` has two lines of the run `{run}`"));
        }
        map.insert(run, values);
    }
    Ok(map)
}

/// Adds a cell to the runs that have it: those with a line of requests.
fn add_cell(runs: &mut [StoredRun], id: &str, cell: StoredCellWire) -> Checked {
    let mut requests = by_run("requests", id, cell.requests)?;
    let mut failures = by_run("failures", id, cell.failures)?;
    let mut metrics = BTreeMap::new();
    for (metric, lines) in cell.metrics {
        if is_derived(&metric) {
            return inconsistent(format!(
                "`{metric}` of the cell `{id}` follows from the counts and does not belong here"
            ));
        }
        metrics.insert(metric.clone(), by_run(&metric, id, lines)?);
    }
    for run in runs {
        let Some(requests) = requests.remove(&run.id) else { continue };
        let Some(failures) = failures.remove(&run.id) else {
            return inconsistent(format!("the run `{}` has no line of failures in the cell `{id}`", run.id));
        };
        check_counts(&requests, &failures, id, &run.id)?;
        let mut values = BTreeMap::new();
        for (metric, lines) in &mut metrics {
            let Some(nested) = lines.remove(&run.id) else { continue };
            check_shape(&requests, &nested, metric, id, &run.id)?;
            nested.iter().flatten().try_for_each(|value| check_number(*value, metric, &run.id))?;
            values.insert(metric.clone(), nested);
        }
        run.cells.insert(
            id.to_owned(),
            Series { definition: cell.definition.clone(), values, requests, failures },
        );
    }
    let left = requests.keys().chain(failures.keys()).chain(metrics.values().flat_map(BTreeMap::keys)).next();
    match left {
        Some(run) => inconsistent(format!(
            "the cell `{id}` has a line of the run `{run}`, which is not there or has no line of requests"
        )),
        None => Ok(()),
    }
}

fn check_counts(requests: &Nested<u64>, failures: &Nested<u64>, cell: &str, run: &str) -> Checked {
    if requests.is_empty() || requests.iter().any(Vec::is_empty) {
        return inconsistent(format!("the cell `{cell}` has a launch without a round in the run `{run}`"));
    }
    check_shape(requests, failures, "failures", cell, run)?;
    let mut pairs = requests.iter().flatten().zip(failures.iter().flatten());
    if pairs.any(|(requests, failures)| failures > requests || *requests > LARGEST_COUNT) {
        return inconsistent(format!("the cell `{cell}` has impossible counts in the run `{run}`"));
    }
    Ok(())
}

/// Each metric has as many launches, and each launch as many rounds, as there are counts.
fn check_shape<A, B>(requests: &Nested<A>, values: &Nested<B>, key: &str, cell: &str, run: &str) -> Checked {
    let is_alike =
        requests.len() == values.len() && requests.iter().zip(values).all(|(a, b)| a.len() == b.len());
    if is_alike {
        return Ok(());
    }
    inconsistent(format!(
        "`{key}` and `requests` of the cell `{cell}` differ in launches or rounds in the run `{run}`"
    ))
}
