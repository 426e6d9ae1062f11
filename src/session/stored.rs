//! What is stored: baselines listed, shown and dropped.

use std::fmt::Write;
use std::path::Path;

use crate::record::{Baseline, BaselineStore};
use crate::report::plural;
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
                _ = writeln!(text, "  {}", in_short(&baseline));
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

fn in_short(baseline: &Baseline) -> String {
    // Epochs without a run are dropped; the others keep their numbers.
    let epoch = baseline.epochs.last().map_or(0, |epoch| epoch.number);
    format!("{}: {} in epoch {epoch}", baseline.group, counted(baseline.current().count(), "run"))
}

fn counted(number: usize, noun: &str) -> String {
    plural(number as u64, noun)
}

fn describe(text: &mut String, baseline: &Baseline) {
    _ = writeln!(text, "{}", baseline.group);
    for epoch in &baseline.epochs {
        _ = writeln!(text, "  epoch {} ({}), anchored at {}", epoch.number, epoch.reason, epoch.anchor);
        for run in baseline.runs.iter().filter(|run| run.epoch == epoch.number) {
            let dirty = if run.dirty { ", with uncommitted changes" } else { "" };
            let cells = counted(run.cells.len(), "cell");
            _ = writeln!(text, "    {}: {cells} on {}{dirty}", run.id, run.machine.cpu);
        }
    }
    if let Some(run) = baseline.current().last() {
        for (id, series) in &run.cells {
            let launches = counted(series.launches(), "launch");
            let rounds = counted(series.requests.iter().map(Vec::len).sum(), "round");
            let metrics: Vec<&str> = series.values.keys().map(String::as_str).collect();
            _ = writeln!(text, "  {id}: {rounds} over {launches}; {}", metrics.join(", "));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Epoch, Machine, StoredRun};

    #[test]
    fn the_current_epoch_goes_by_its_number_and_one_is_no_plural() {
        let run = StoredRun {
            id: "x".into(),
            epoch: 3,
            machine: Machine::default(),
            setup: Default::default(),
            commit: None,
            dirty: false,
            load: 0.0,
            window: std::time::Duration::from_secs(1),
            cells: Default::default(),
        };
        let epoch = Epoch { number: 3, anchor: "x".into(), reason: "faster".into() };
        let baseline = Baseline { group: "g".into(), runs: vec![run], epochs: vec![epoch] };
        assert_eq!(in_short(&baseline), "g: 1 run in epoch 3");
        let mut text = String::new();
        describe(&mut text, &baseline);
        assert_eq!(text, "g\n  epoch 3 (faster), anchored at x\n    x: 0 cells on \n");
    }
}
