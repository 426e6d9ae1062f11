//! Accepted runs of a group: what head is compared with.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::record::environment::{Environment, Machine};
use crate::record::run::Run;
use crate::record::series::Series;

/// Runs that are kept beside the anchor; older ones fall out.
pub const KEPT_RUNS: usize = 10;

/// Accepted runs of one group.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    /// The group.
    pub group: String,
    /// Its runs, the oldest first.
    pub runs: Vec<StoredRun>,
    /// Its epochs, the oldest first; the last one is current.
    pub epochs: Vec<Epoch>,
}

/// One accepted run of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRun {
    /// `20261124T170012Z-abc1234`.
    pub id: String,
    /// The epoch that it belongs to.
    pub epoch: u32,
    /// The hard facts of its machine.
    pub machine: Machine,
    /// The soft facts of its machine and build.
    pub setup: BTreeMap<String, String>,
    /// The commit that was measured.
    pub commit: Option<String>,
    /// Whether there were changes that were not committed.
    pub dirty: bool,
    /// The load average when it began.
    pub load: f64,
    /// The length of a round's window.
    pub window: Duration,
    /// Its cells by their id within the group.
    pub cells: BTreeMap<String, Series>,
}

/// Runs of one accepted speed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch {
    /// Counted from 1.
    pub number: u32,
    /// The run that began it; it is kept.
    pub anchor: String,
    /// Why it was begun.
    pub reason: String,
}

impl Baseline {
    /// The runs of the current epoch, the oldest first.
    pub fn current(&self) -> impl Iterator<Item = &StoredRun> {
        let current = self.epochs.last().map(|epoch| epoch.number);
        self.runs.iter().filter(move |run| Some(run.epoch) == current)
    }

    /// A baseline of one epoch that holds what `runs` measured of `group`; nothing when they measured none of it.
    pub fn of_runs(group: &str, runs: &[Run]) -> Option<Self> {
        const FIRST: u32 = 1;
        let runs: Vec<StoredRun> = runs.iter().filter_map(|run| StoredRun::new(group, run, FIRST)).collect();
        let anchor = runs.first()?.id.clone();
        Some(Self {
            group: group.to_owned(),
            runs,
            epochs: vec![Epoch { number: FIRST, anchor, reason: "first".to_owned() }],
        })
    }
}

impl StoredRun {
    /// What a run measured of a group, as it is kept in a baseline; nothing when it has no cell of it that was measured fairly.
    pub fn new(group: &str, run: &Run, epoch: u32) -> Option<Self> {
        let cells: Vec<_> = run
            .cells
            .iter()
            .filter(|cell| cell.group == group && cell.invalid.is_none() && !cell.rounds.is_empty())
            .collect();
        let window = cells.first()?.window;
        let Environment { machine, setup, commit, dirty, load } = run.environment.clone();
        Some(Self {
            id: run.id.clone(),
            epoch,
            machine,
            setup,
            commit,
            dirty,
            load,
            window,
            cells: cells.iter().map(|cell| (cell.id.clone(), cell.series())).collect(),
        })
    }
}
