//! What is compared with what: each cell of head with the stored runs that are comparable with it.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::CellId;
use crate::record::words::{plural, share};
use crate::record::{Baseline, CellRun, Judged, Machine, Metric, Run, Series};

/// Tails that depend on how long a round is, beside those that are judged as tails.
const OTHER_TAILS: [&str; 2] = ["latency_p99_9", "latency_max"];

/// A cell of head, with what it is compared with.
#[derive(Debug)]
pub(super) struct Sides<'a> {
    /// The cell in each run of head.
    pub head: Vec<HeadCell<'a>>,
    /// The stored runs.
    pub base: Base<'a>,
    /// What is worth saying of how they were chosen.
    pub notes: Vec<String>,
}

/// A cell in one run of head.
#[derive(Debug)]
pub(super) struct HeadCell<'a> {
    /// The run.
    pub run: &'a Run,
    /// The cell.
    pub cell: &'a CellRun,
    /// Its rounds, nested.
    pub series: Series,
    /// The rounds of its duet's other side, nested alike; nothing without one.
    pub base: Option<Series>,
}

/// A cell in one stored run.
#[derive(Debug, Clone)]
pub(super) struct StoredCell<'a> {
    /// The run.
    pub run: &'a Run,
    /// The cell.
    pub cell: &'a CellRun,
    /// Its rounds, nested.
    pub series: Series,
    /// Whether its rounds are as long as head's: tails are compared only then.
    pub same_window: bool,
    /// Whether it began the epoch, as far as this cell is concerned.
    pub is_anchor: bool,
}

/// What there is to compare with.
#[derive(Debug)]
pub(super) enum Base<'a> {
    /// The baseline does not have it.
    New(String),
    /// No stored run is comparable, and why.
    Incomparable(String),
    /// All stored runs that could be compared with were measured on another test bed; the newest of them.
    OtherTestBed(&'a Run),
    /// Each run of head has its own base beside it.
    Duet,
    /// Stored runs.
    Runs {
        /// Those of the current epoch.
        current: Vec<StoredCell<'a>>,
        /// Those of each earlier epoch.
        earlier: Vec<Vec<StoredCell<'a>>>,
    },
}

/// Matches the cells of head, in the order of their definition, with stored runs.
pub(super) fn sides<'a>(
    baseline: &'a Baseline,
    cells: impl IntoIterator<Item = (&'a Run, &'a CellRun)>,
) -> Vec<Sides<'a>> {
    let mut places = BTreeMap::new();
    let mut heads: Vec<Vec<HeadCell>> = Vec::new();
    for (run, cell) in cells {
        let place = *places.entry(&cell.id).or_insert_with(|| {
            heads.push(Vec::new());
            heads.len() - 1
        });
        heads[place].push(HeadCell { run, cell, series: cell.series(), base: cell.base_series() });
    }
    heads.into_iter().map(|head| matched(head, baseline)).collect()
}

/// Cells of measured groups that the baseline has on this test bed and head does not.
pub(super) fn removed(baseline: &Baseline, runs: &[Run]) -> Vec<CellId> {
    let cells = || runs.iter().flat_map(|run| &run.cells);
    // A duet compares with no baseline, so nothing of one is missing.
    let groups: BTreeSet<&str> =
        cells().filter(|cell| cell.base.is_empty()).map(|cell| cell.id.group.as_str()).collect();
    let measured: BTreeSet<&CellId> = cells().map(|cell| &cell.id).collect();
    let stored = baseline.runs.iter().flat_map(|run| &run.cells).map(|cell| &cell.id);
    let stored: BTreeSet<&CellId> = stored.filter(|id| groups.contains(id.group.as_str())).collect();
    stored.difference(&measured).map(|id| (*id).clone()).collect()
}

/// Whether a metric depends on how long a round is.
pub(super) fn depends_on_window(metric: &Metric) -> bool {
    metric.judged == Judged::HighestTail || OTHER_TAILS.contains(&metric.id)
}

fn matched<'a>(head: Vec<HeadCell<'a>>, baseline: &'a Baseline) -> Sides<'a> {
    if head.iter().any(|head| head.base.is_some()) {
        return Sides { head, base: Base::Duet, notes: Vec::new() };
    }
    let HeadCell { run, cell, .. } = head[0];
    if let Some(failure) = &cell.base_failure {
        let reason = format!("Base cannot answer it ({}), so it was measured on head alone.", failure.what);
        let base = if failure.is_broken { Base::Incomparable(reason) } else { Base::New(reason) };
        return Sides { head, base, notes: Vec::new() };
    }
    let mut elsewhere = baseline.runs.iter().filter(|stored| stored.cell(&cell.id).is_some());
    let mut current = Vec::new();
    let mut left_out: BTreeMap<String, usize> = BTreeMap::new();
    for (stored, own) in baseline.current(&cell.id, run) {
        let stored = StoredCell {
            run: stored,
            cell: own,
            series: own.series(),
            same_window: head.iter().all(|head| head.cell.settings.window() == own.settings.window()),
            is_anchor: false,
        };
        let machine = &stored.run.environment.machine;
        let problem = failing(&stored, &head).or_else(|| redefined(&stored, &head));
        match problem.or_else(|| other_facts(machine, &head)) {
            Some(problem) => *left_out.entry(problem).or_default() += 1,
            None if machine.test_bed.is_same(&run.environment.machine.test_bed) => current.push(stored),
            None => {}
        }
    }
    if let Some(first) = current.first_mut() {
        first.is_anchor = true;
    }
    let base = if !current.is_empty() {
        Base::Runs { current, earlier: Vec::new() }
    } else if !left_out.is_empty() {
        Base::Incomparable(left_out.keys().cloned().collect::<Vec<_>>().join(" "))
    } else if let Some(newest) = elsewhere.next_back() {
        Base::OtherTestBed(newest)
    } else if baseline.runs.is_empty() {
        Base::New("There is no baseline yet.".into())
    } else {
        Base::New("The baseline does not have this cell.".into())
    };
    let mut notes = Vec::new();
    if matches!(base, Base::Runs { .. }) {
        let count = |(problem, count): (&String, &usize)| {
            let are = if *count == 1 { "is" } else { "are" };
            format!("{} {are} left out: {problem}", plural(*count as u64, "stored run"))
        };
        notes.extend(left_out.iter().map(count));
    }
    Sides { head, base, notes }
}

/// Why a stored run is not what a fair cell can be compared with: a file may have been recorded under another rule.
fn failing(stored: &StoredCell, head: &[HeadCell]) -> Option<String> {
    let least = head.first()?.cell.settings.least_success_ratio;
    let ratio = stored.cell.counts().success_ratio();
    ratio
        .is_none_or(|ratio| ratio < least)
        .then(|| format!("Less than {} of its exchanges succeeded: record a new baseline.", share(least)))
}

fn redefined(stored: &StoredCell, head: &[HeadCell]) -> Option<String> {
    head.iter()
        .any(|head| head.cell.definition != stored.cell.definition)
        .then(|| "The cell was redefined since: record a new baseline.".to_owned())
}

/// Why a stored run of this test bed is not compared with: the machine is not what it was.
fn other_facts(machine: &Machine, head: &[HeadCell]) -> Option<String> {
    let difference = head.iter().find_map(|head| machine.mismatch(&head.run.environment.machine))?;
    Some(format!("The machine has changed since ({difference}): use a duet, or record a new baseline."))
}
