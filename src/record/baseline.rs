//! Accepted runs of a group: what head is compared with. Runs come in and are kept, replaced or dropped by the rules here;
//! how they stand in a file is the business of `baseline_file`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::record::environment::{Environment, Machine};
use crate::record::json_text::four_digits;
use crate::record::metric::{Metric, metric, success_ratio};
use crate::record::run::Run;
use crate::record::series::Series;

/// Runs that are kept, the newest of them; each epoch's anchor is kept besides, and that of each cell which that one does not have.
pub const KEPT_RUNS: usize = 10;

/// Number and reason of a baseline's first epoch.
const FIRST: u32 = 1;
const FIRST_REASON: &str = "first";

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

    /// The runs that a cell is held against, the oldest first: those that have it, of the newest epoch in which any has. A new
    /// epoch that was begun by a run of some cells leaves the other cells where they were.
    pub fn current_of(&self, cell_id: &str) -> impl Iterator<Item = &StoredRun> {
        let with_cell = move |run: &&StoredRun| run.cells.contains_key(cell_id);
        let epoch = self.runs.iter().filter(with_cell).map(|run| run.epoch).max();
        self.runs.iter().filter(with_cell).filter(move |run| Some(run.epoch) == epoch)
    }

    /// The run that the later ones of its epoch must not creep away from, as far as a cell is concerned: the anchor of the
    /// [current epoch](Self::current_of), or, where that one does not have the cell, the oldest run that has.
    pub fn anchor_of(&self, cell_id: &str) -> Option<&StoredRun> {
        let oldest = self.current_of(cell_id).next()?;
        let epoch = self.epochs.iter().find(|epoch| epoch.number == oldest.epoch);
        let anchor = |run: &&StoredRun| epoch.is_some_and(|epoch| epoch.anchor == run.id);
        self.current_of(cell_id).find(anchor).or(Some(oldest))
    }

    /// A baseline of a group without any run yet; [`append`](Self::append) begins its first epoch.
    pub fn empty(group: &str) -> Self {
        Self { group: group.to_owned(), runs: Vec::new(), epochs: Vec::new() }
    }

    /// A baseline of one epoch that holds what `runs` measured of `group`; nothing when they measured none of it.
    pub fn of_runs(group: &str, runs: &[Run]) -> Option<Self> {
        let mut baseline = Self::empty(group);
        for run in runs.iter().filter_map(|run| StoredRun::new(group, run)) {
            let id = baseline.free_id(&run.id);
            baseline.runs.push(StoredRun { id, ..run });
        }
        let anchor = baseline.runs.first()?.id.clone();
        baseline.epochs.push(Epoch { number: FIRST, anchor, reason: FIRST_REASON.to_owned() });
        Some(baseline)
    }

    /// Adds a run to the current epoch (the first one, if there is none), as the newest.
    ///
    /// Its values are rounded as a file holds them. Of older runs those cells are dropped that were defined otherwise, and
    /// only the last [`KEPT_RUNS`] runs and the anchor of each epoch stay. When its id is there already, `-2` and so on is
    /// added to it.
    pub fn append(&mut self, run: StoredRun) {
        match self.epochs.last() {
            Some(epoch) => self.take_in(run, epoch.number),
            None => self.accept_as_new_epoch(run, FIRST_REASON),
        }
    }

    /// Begins a new epoch with a run as its anchor, because a change of speed is accepted; else as [`append`](Self::append).
    pub fn accept_as_new_epoch(&mut self, run: StoredRun, reason: &str) {
        let number = self.epochs.last().map_or(FIRST, |epoch| epoch.number.saturating_add(1));
        let anchor = self.free_id(&run.id);
        self.epochs.push(Epoch { number, anchor, reason: reason.to_owned() });
        self.take_in(run, number);
    }

    fn take_in(&mut self, run: StoredRun, epoch: u32) {
        let id = self.free_id(&run.id);
        self.runs.push(StoredRun { id, epoch, ..run }.rounded());
        self.tidy();
    }

    /// An id that no run has yet.
    fn free_id(&self, id: &str) -> String {
        let taken = |id: &String| self.runs.iter().any(|run| run.id == *id);
        let numbered = (2..).map(|number: u64| format!("{id}-{number}"));
        std::iter::once(id.to_owned())
            .chain(numbered)
            .find(|id| !taken(id))
            .expect("there are fewer runs than numbers")
    }

    /// Ids of all anchors: of each epoch, and of each cell that its epoch's anchor does not have.
    fn anchors(&self) -> BTreeSet<String> {
        let cells: BTreeSet<&String> = self.runs.iter().flat_map(|run| run.cells.keys()).collect();
        let of_cells = cells.into_iter().filter_map(|cell| self.anchor_of(cell)).map(|run| &run.id);
        self.epochs.iter().map(|epoch| &epoch.anchor).chain(of_cells).cloned().collect()
    }

    /// Drops what cannot be compared with any more: cells that were redefined since, runs without a cell, epochs without a
    /// run, and runs beyond those that are kept.
    pub(crate) fn tidy(&mut self) {
        let mut newest: BTreeMap<String, String> = BTreeMap::new();
        for run in self.runs.iter_mut().rev() {
            run.cells.retain(|id, series| {
                *newest.entry(id.clone()).or_insert_with(|| series.definition.clone()) == series.definition
            });
        }
        let mut older = self.runs.len().saturating_sub(KEPT_RUNS);
        let anchors = self.anchors();
        self.runs.retain(|run| {
            let is_old = older > 0;
            older = older.saturating_sub(1);
            !run.cells.is_empty() && (!is_old || anchors.contains(&run.id))
        });
        let runs = &self.runs;
        self.epochs.retain_mut(|epoch| {
            let mut own = runs.iter().filter(|run| run.epoch == epoch.number);
            let Some(oldest) = own.next() else { return false };
            if oldest.id != epoch.anchor && !own.any(|run| run.id == epoch.anchor) {
                epoch.anchor.clone_from(&oldest.id);
            }
            true
        });
    }
}

impl StoredRun {
    /// What a run measured of a group, as it is kept in a baseline; nothing when it has no cell of it that was measured fairly.
    /// Its epoch is the first until a baseline takes it in.
    pub fn new(group: &str, run: &Run) -> Option<Self> {
        let cells: Vec<_> = run.cells.iter().filter(|cell| cell.group == group && cell.is_fair()).collect();
        let window = cells.first()?.window;
        let Environment { machine, setup, commit, dirty, load, .. } = run.environment.clone();
        Some(Self {
            id: run.id.clone(),
            epoch: FIRST,
            machine,
            setup,
            commit,
            dirty,
            load,
            window,
            cells: cells.iter().map(|cell| (cell.id.clone(), cell.series())).collect(),
        })
    }

    /// The same run with the values that a file holds: four significant digits, and what is derived from counts derived anew.
    /// A metric with a value that no file takes (negative, not finite) is left out: a server may count its tokens as it likes.
    pub(crate) fn rounded(mut self) -> Self {
        self.load = four_digits(self.load).unwrap_or(0.0);
        for series in self.cells.values_mut() {
            let round = |launches: &Vec<Vec<f64>>| -> Option<Vec<Vec<f64>>> {
                launches
                    .iter()
                    .map(|rounds| rounds.iter().map(|value| four_digits(*value)).collect())
                    .collect()
            };
            series.values = std::mem::take(&mut series.values)
                .into_iter()
                .filter(|(id, _)| !is_derived(id))
                .filter_map(|(id, launches)| Some((id, round(&launches)?)))
                .collect();
            series.values.extend(derived(series));
        }
        self
    }
}

/// Whether a metric follows from the counts, so that a file does not hold it.
pub(crate) fn is_derived(id: &str) -> bool {
    metric(id).is_some_and(Metric::is_by_counts)
}

/// The metrics that follow from the counts; none when a round has no request.
fn derived(series: &Series) -> Option<(String, Vec<Vec<f64>>)> {
    let ratio = |(requests, failures): (&u64, &u64)| {
        (*requests > 0).then(|| (requests - failures.min(requests)) as f64 / *requests as f64)
    };
    let launches = series.requests.iter().zip(&series.failures);
    let ratios: Option<Vec<Vec<f64>>> =
        launches.map(|(requests, failures)| requests.iter().zip(failures).map(ratio).collect()).collect();
    Some((success_ratio().id.to_owned(), ratios?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(id: &str, definition: &str) -> StoredRun {
        let values = BTreeMap::from([("latency_p50".to_owned(), vec![vec![1_234_567.0]])]);
        let series = Series {
            definition: definition.to_owned(),
            values,
            requests: vec![vec![8]],
            failures: vec![vec![2]],
        };
        StoredRun {
            id: id.to_owned(),
            epoch: 0,
            machine: Machine::default(),
            setup: BTreeMap::new(),
            commit: None,
            dirty: false,
            load: 0.0,
            window: Duration::from_millis(333),
            cells: BTreeMap::from([("a/1".to_owned(), series)]),
        }
    }

    fn ids(baseline: &Baseline) -> Vec<&str> {
        baseline.runs.iter().map(|run| run.id.as_str()).collect()
    }

    #[test]
    fn the_last_ten_runs_and_each_anchor_stay() {
        let mut baseline = Baseline::empty("g");
        baseline.append(run("first", "d"));
        baseline.append(run("1", "d"));
        baseline.accept_as_new_epoch(run("second", "d"), "a faster parser");
        (2..=14).for_each(|number| baseline.append(run(&number.to_string(), "d")));
        assert_eq!(
            ids(&baseline),
            ["first", "second", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14"]
        );
        assert_eq!(baseline.epochs.len(), 2);
        assert_eq!(baseline.current().count(), 11);
        assert_eq!(baseline.epochs[1].reason, "a faster parser");
    }

    #[test]
    fn an_id_that_is_there_gets_a_suffix() {
        let mut baseline = Baseline::empty("g");
        (0..3).for_each(|_| baseline.append(run("x", "d")));
        baseline.accept_as_new_epoch(run("x", "d"), "again");
        assert_eq!(ids(&baseline), ["x", "x-2", "x-3", "x-4"]);
        assert_eq!(baseline.epochs[1].anchor, "x-4");
    }

    #[test]
    fn a_redefined_cell_drops_its_older_lines_and_moves_the_anchor() {
        let mut baseline = Baseline::empty("g");
        let mut old = run("old", "d");
        old.cells.insert("b/1".to_owned(), old.cells["a/1"].clone());
        baseline.append(run("anchor", "d"));
        baseline.append(old);
        baseline.append(run("new", "other"));
        assert_eq!(ids(&baseline), ["old", "new"], "a run without a cell is dropped, be it the anchor");
        assert_eq!(baseline.runs[0].cells.keys().collect::<Vec<_>>(), ["b/1"]);
        assert_eq!(baseline.epochs[0].anchor, "old");
    }

    #[test]
    fn values_are_rounded_and_the_success_ratio_follows_from_the_counts() {
        let mut odd = run("x", "d");
        let series = odd.cells.get_mut("a/1").unwrap();
        series.values.insert("output_tokens".to_owned(), vec![vec![-5.0]]);
        series.values.insert("success_ratio".to_owned(), vec![vec![0.1]]);
        let series = &odd.rounded().cells["a/1"];
        assert_eq!(series.values["latency_p50"], [[1_235_000.0]]);
        assert_eq!(series.values["success_ratio"], [[0.75]]);
        assert!(!series.values.contains_key("output_tokens"));
    }
}
