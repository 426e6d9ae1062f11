//! What is compared with what: each cell of head with the stored runs that are comparable with it.

use std::collections::{BTreeMap, BTreeSet};

use crate::record::words::{plural, share};
use crate::record::{Baseline, CellRun, Judged, Machine, Metric, Run, Series, StoredRun};

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
    /// The run's machine.
    pub machine: &'a Machine,
    /// The cell.
    pub cell: &'a CellRun,
    /// Its rounds, nested.
    pub series: Series,
    /// The rounds of its duet's other side, nested alike; nothing without one.
    pub base: Option<Series>,
}

/// A cell in one stored run.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoredCell<'a> {
    /// The run.
    pub run: &'a StoredRun,
    /// Its rounds, nested.
    pub series: &'a Series,
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
    OtherTestBed(&'a StoredRun),
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

/// Matches each cell of head, in the order of its definition, with its stored runs.
pub(super) fn sides<'a>(
    baselines: &'a [Baseline],
    runs: impl IntoIterator<Item = &'a Run>,
) -> Vec<Sides<'a>> {
    let mut places = BTreeMap::new();
    let mut heads: Vec<Vec<HeadCell>> = Vec::new();
    for run in runs {
        for cell in &run.cells {
            let place = *places.entry((&cell.group, &cell.id)).or_insert_with(|| {
                heads.push(Vec::new());
                heads.len() - 1
            });
            let (series, base) = (cell.series(), cell.base_series());
            heads[place].push(HeadCell { machine: &run.environment.machine, cell, series, base });
        }
    }
    heads.into_iter().map(|head| matched(head, baselines)).collect()
}

/// Whole ids of cells that the baseline of a measured group has in any epoch (each cell has a current one of its own) and head has
/// not.
pub(super) fn gone(baselines: &[Baseline], runs: &[Run]) -> Vec<String> {
    let cells = || runs.iter().flat_map(|run| &run.cells);
    // A duet asks no baseline, so nothing of one is missing.
    let asked = cells().filter(|cell| cell.base.is_empty());
    let groups: BTreeSet<&str> = asked.map(|cell| cell.group.as_str()).collect();
    let measured: BTreeSet<String> = cells().map(CellRun::full_id).collect();
    let stored: BTreeSet<String> = baselines
        .iter()
        .filter(|baseline| groups.contains(baseline.group.as_str()))
        .flat_map(|baseline| {
            baseline.runs.iter().flat_map(|run| run.cells.keys()).map(|id| format!("{}/{id}", baseline.group))
        })
        .collect();
    stored.difference(&measured).cloned().collect()
}

/// Whether a metric depends on how long a round is.
pub(super) fn depends_on_window(metric: &Metric) -> bool {
    metric.judged == Judged::HighestTail || OTHER_TAILS.contains(&metric.id)
}

fn matched<'a>(head: Vec<HeadCell<'a>>, baselines: &'a [Baseline]) -> Sides<'a> {
    if head.iter().any(|head| head.base.is_some()) {
        return Sides { head, base: Base::Duet, notes: Vec::new() };
    }
    let first = head.first().map(|head| head.cell);
    if let Some(failure) = first.and_then(|cell| cell.base_failure.as_ref()) {
        let reason = format!("Base cannot answer it ({}), so it was measured on head alone.", failure.what);
        let base = if failure.is_broken { Base::Incomparable(reason) } else { Base::New(reason) };
        return Sides { head, base, notes: Vec::new() };
    }
    let baseline = first.and_then(|cell| baselines.iter().find(|baseline| baseline.group == cell.group));
    let Some((cell, baseline)) = first.zip(baseline) else {
        return Sides {
            head,
            base: Base::New("There is no baseline of its group yet.".into()),
            notes: Vec::new(),
        };
    };
    let current = baseline.current_of(&cell.id).map(|run| run.epoch).next();
    let anchor = baseline.anchor_of(&cell.id).map(|run| run.id.as_str());
    let candidates: Vec<(&StoredRun, &Series)> =
        baseline.runs.iter().filter_map(|run| Some((run, run.cells.get(&cell.id)?))).collect();
    if current.is_none() {
        return Sides {
            head,
            base: Base::New("The baseline does not have this cell.".into()),
            notes: Vec::new(),
        };
    }
    let mut notes = Vec::new();
    let mut epochs: BTreeMap<u32, Vec<StoredCell>> = BTreeMap::new();
    let mut left_out: BTreeMap<String, usize> = BTreeMap::new();
    let mut elsewhere: Vec<&StoredRun> = Vec::new();
    for (run, series) in candidates {
        let is_current = Some(run.epoch) == current;
        let problem = failing(series, &head).or_else(|| redefined(series, &head));
        if problem.is_none() && !head.iter().all(|head| run.machine.test_bed.is_same(&head.machine.test_bed))
        {
            elsewhere.extend(is_current.then_some(run));
            continue;
        }
        match problem.or_else(|| other_facts(run, &head)) {
            Some(problem) if is_current => *left_out.entry(problem).or_default() += 1,
            Some(_) => {}
            None => epochs.entry(run.epoch).or_default().push(StoredCell {
                run,
                series,
                same_window: head.iter().all(|head| head.cell.window == run.window),
                is_anchor: Some(run.id.as_str()) == anchor,
            }),
        }
    }
    let base = match current.and_then(|current| epochs.remove(&current)) {
        Some(current) => Base::Runs { current, earlier: epochs.into_values().collect() },
        None => match elsewhere.last() {
            Some(newest) => Base::OtherTestBed(newest),
            None => Base::Incomparable(left_out.keys().cloned().collect::<Vec<_>>().join(" ")),
        },
    };
    if matches!(base, Base::Runs { .. }) {
        let count = |(problem, count): (&String, &usize)| {
            let are = if *count == 1 { "is" } else { "are" };
            format!("{} {are} left out: {problem}", plural(*count as u64, "stored run"))
        };
        notes.extend(left_out.iter().map(count));
        if !elsewhere.is_empty() {
            notes.push(format!(
                "{} of another test bed {} not compared.",
                plural(elsewhere.len() as u64, "stored run"),
                if elsewhere.len() == 1 { "is" } else { "are" }
            ));
        }
    }
    Sides { head, base, notes }
}

/// Why a stored run is not what a fair cell can be held against: a file may have been recorded under another rule.
fn failing(stored: &Series, head: &[HeadCell]) -> Option<String> {
    let least = head.first()?.cell.rules.least_success_ratio;
    let (requests, failures) = stored
        .counts_by_launch()
        .into_iter()
        .fold((0, 0), |sum, launch| (sum.0 + launch.0, sum.1 + launch.1));
    let enough = requests > 0 && (1.0 - failures as f64 / requests as f64) >= least;
    (!enough)
        .then(|| format!("Less than {} of its exchanges succeeded: record a new baseline.", share(least)))
}

fn redefined(stored: &Series, head: &[HeadCell]) -> Option<String> {
    head.iter()
        .any(|head| head.cell.definition != stored.definition)
        .then(|| "The cell was redefined since: record a new baseline.".to_owned())
}

/// Why a stored run of this test bed is not compared with: the machine is not what it was.
fn other_facts(run: &StoredRun, head: &[HeadCell]) -> Option<String> {
    let difference = head.iter().find_map(|head| run.machine.mismatch(head.machine))?;
    Some(format!("The machine has changed since ({difference}): use a duet, or record a new baseline."))
}
