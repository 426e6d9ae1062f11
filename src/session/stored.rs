//! What is stored: baselines listed, shown and dropped.

use std::fmt::Write;
use std::path::Path;

use crate::record::{Baseline, BaselineStore};
use crate::session::error::SessionError;
use crate::session::options::Paths;

fn store(root: &Path) -> BaselineStore {
    BaselineStore::new(Paths::new(root, None).baselines())
}

/// Each baseline with its groups, their runs and epochs.
pub(crate) fn list_baselines(root: &Path) -> Result<String, SessionError> {
    let store = store(root);
    let mut text = String::new();
    for name in store.names()? {
        _ = writeln!(text, "{name}");
        for group in store.groups(&name)? {
            if let Some(baseline) = store.read(&name, &group)? {
                let (runs, epoch) = (baseline.current().count(), baseline.epochs.len());
                let runs = if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") };
                _ = writeln!(text, "  {group}: {runs} in epoch {epoch}");
            }
        }
    }
    if text.is_empty() {
        _ = writeln!(text, "There is no baseline in {}.", Paths::new(root, None).baselines().display());
    }
    Ok(text)
}

/// The runs and cells of one baseline.
pub(crate) fn show_baseline(root: &Path, name: &str) -> Result<String, SessionError> {
    let store = store(root);
    let groups = store.groups(name)?;
    if groups.is_empty() {
        return Err(missing(root, name));
    }
    let mut text = String::new();
    for group in groups {
        if let Some(baseline) = store.read(name, &group)? {
            describe(&mut text, &baseline);
        }
    }
    Ok(text)
}

/// Removes one baseline.
pub(crate) fn drop_baseline(root: &Path, name: &str) -> Result<String, SessionError> {
    let store = store(root);
    if store.groups(name)?.is_empty() {
        return Err(missing(root, name));
    }
    store.drop(name)?;
    Ok(format!("Dropped the baseline `{name}`.\n"))
}

fn missing(root: &Path, name: &str) -> SessionError {
    let place = Paths::new(root, None).baselines();
    SessionError::Saved(format!(
        "there is no baseline `{name}` in {}: `plimsoll baseline list` shows what is there",
        place.display()
    ))
}

fn describe(text: &mut String, baseline: &Baseline) {
    _ = writeln!(text, "{}", baseline.group);
    for epoch in &baseline.epochs {
        _ = writeln!(text, "  epoch {} ({}), anchored at {}", epoch.number, epoch.reason, epoch.anchor);
        for run in baseline.runs.iter().filter(|run| run.epoch == epoch.number) {
            let dirty = if run.dirty { ", with uncommitted changes" } else { "" };
            let cells = run.cells.len();
            _ = writeln!(text, "    {}: {cells} cells on {}{dirty}", run.id, run.machine.cpu);
        }
    }
    if let Some(run) = baseline.current().last() {
        for (id, series) in &run.cells {
            let launches = series.launches();
            let rounds: usize = series.requests.iter().map(Vec::len).sum();
            let metrics: Vec<&str> = series.values.keys().map(String::as_str).collect();
            _ = writeln!(text, "  {id}: {rounds} rounds over {launches} launches; {}", metrics.join(", "));
        }
    }
}
