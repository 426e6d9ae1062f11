//! A baseline as text: one line a metric and run, the newest run first.
//!
//! The order makes changes in git small. A run that is added is added above the others, so that no other line changes, not even
//! by a comma, and a merge that keeps the lines of both sides (`merge=union`) is valid JSON. Keys are sorted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde::Serialize;

use crate::record::baseline::{Baseline, StoredRun, is_derived};
use crate::record::baseline_wire::{DEFINITION, EpochWire, FAILURES, REQUESTS, StoredRunWire};
use crate::record::digest::{machine_keys, run_digest};
use crate::record::json_text::one_line;
use crate::record::series::Series;
use crate::record::wire::{MachineWire, SCHEMA};

/// The file's text. The baseline must be [tidy](Baseline::tidy) and its runs [rounded](StoredRun::rounded).
pub(crate) fn text(baseline: &Baseline) -> String {
    let machines: Vec<_> = baseline.runs.iter().map(|run| &run.machine).collect();
    let keys = machine_keys(&machines);
    let machines: BTreeMap<_, _> = keys.iter().zip(machines).collect();
    let machine_lines: Vec<String> = machines
        .iter()
        .map(|(key, machine)| format!("{}: {}", one_line(key), one_line(&MachineWire::from(*machine))))
        .collect();
    let run_lines: Vec<String> = baseline
        .runs
        .iter()
        .zip(&keys)
        .rev()
        .filter_map(|(run, key)| {
            let epoch = baseline.epochs.iter().find(|epoch| epoch.number == run.epoch)?;
            let digest = run_digest(&baseline.group, run, epoch);
            Some(one_line(&StoredRunWire::new(run, key.clone(), digest)))
        })
        .collect();
    let epoch_lines: Vec<String> =
        baseline.epochs.iter().rev().map(|epoch| one_line(&EpochWire::from(epoch))).collect();
    let ids: BTreeSet<&String> = baseline.runs.iter().flat_map(|run| run.cells.keys()).collect();
    let cells: Vec<String> = ids.into_iter().map(|id| cell_text(id, &baseline.runs)).collect();
    let parts = [
        format!("\"schema\": {SCHEMA}"),
        format!("\"group\": {}", one_line(&baseline.group)),
        format!("\"machines\": {}", block('{', &machine_lines, '}', 1)),
        format!("\"runs\": {}", block('[', &run_lines, ']', 1)),
        format!("\"epochs\": {}", block('[', &epoch_lines, ']', 1)),
        format!("\"cells\": {}", block('{', &cells, '}', 1)),
    ];
    block('{', &parts, '}', 0) + "\n"
}

fn cell_text(id: &str, runs: &[StoredRun]) -> String {
    let newest_first: Vec<(&str, &Series)> =
        runs.iter().rev().filter_map(|run| Some((run.id.as_str(), run.cells.get(id)?))).collect();
    let definition = newest_first.first().map(|(_, series)| series.definition.as_str()).unwrap_or_default();
    let mut parts = vec![
        format!("\"{DEFINITION}\": {}", one_line(&definition)),
        lines(REQUESTS, &newest_first, |series| Some(&series.requests)),
        lines(FAILURES, &newest_first, |series| Some(&series.failures)),
    ];
    let metrics: BTreeSet<&String> =
        newest_first.iter().flat_map(|(_, series)| series.values.keys()).collect();
    for metric in metrics.into_iter().filter(|metric| !is_derived(metric)) {
        parts.push(lines(metric, &newest_first, |series| series.values.get(metric)));
    }
    format!("{}: {}", one_line(&id), block('{', &parts, '}', 2))
}

/// A key with a line for each run that has it.
fn lines<'a, T: Serialize + 'a>(
    key: &str,
    newest_first: &[(&str, &'a Series)],
    values: impl Fn(&'a Series) -> Option<&'a T>,
) -> String {
    let lines: Vec<String> =
        newest_first.iter().filter_map(|(run, series)| Some(one_line(&(run, values(series)?)))).collect();
    format!("{}: {}", one_line(&key), block('[', &lines, ']', 3))
}

/// Parts in lines of their own between brackets, the closing one indented by `depth` levels.
fn block(open: char, parts: &[String], close: char, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    let mut text = open.to_string();
    for (index, part) in parts.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(text, "{comma}\n{indent}  {part}").expect("writing to memory cannot fail");
    }
    if !parts.is_empty() {
        text += "\n";
        text += &indent;
    }
    text.push(close);
    text
}
