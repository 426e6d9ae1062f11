//! What is compared with what: each cell of head, as the runs have it, with the stored runs that are comparable with it. The only
//! place that knows how `record` keeps runs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::judge::control::Today;
use crate::judge::verdict::{Note, OtherTestBed, Reason, Verdict};
use crate::plan::{Against, CellId, Side};
use crate::record::{
    BaseRef, Baseline, CellRun, Fault, Judged, Metric, Remedy, Run, Series, Unit, UsualRound, by_sitting,
};
use crate::stats::describe::median;

/// The client is the bottleneck if in the median round its mean lag exceeds the mean latency of a closed loop: each connection is
/// then idle for longer than it is busy. A tail of the lag would accuse it on every busy machine.
const MAX_LAG: f64 = 1.0;
/// Facts of the setup that change speeds. Digests of binaries always differ.
const SETUP_FACTS: [&str; 4] = ["kernel", "governor", "rustc", "profile"];
/// Tails that depend on the length of a round, apart from those that are judged as tails.
const OTHER_TAILS: [&str; 2] = ["latency_p99_9", "latency_max"];

/// A cell of head with what it is compared with.
#[derive(Debug)]
pub(super) struct Sides<'a> {
    /// The cell in the first run of head.
    pub cell: &'a CellRun,
    /// The cell in each run of head that measured it fairly.
    pub head: Vec<Measured<'a>>,
    /// Its base in each of these runs, or the comparable stored runs of the current epoch. Empty if it is not compared.
    pub base: Vec<Measured<'a>>,
    pub against: Against,
    /// Whether stored runs only screen it, because the tree that began their epoch can decide.
    pub is_ranked: bool,
    /// The verdict if it is not compared, and why.
    pub instead: Option<(Verdict, Option<Reason>)>,
    pub other_test_bed: Option<OtherTestBed>,
    pub notes: Vec<Note>,
}

/// One side of a cell in one run.
#[derive(Debug, Clone)]
pub(super) struct Measured<'a> {
    pub series: Series,
    pub run: &'a Run,
    cell: &'a CellRun,
}

impl Sides<'_> {
    pub fn is_duet(&self) -> bool {
        self.against != Against::StoredRuns
    }

    /// The number of machines of the runs of both sides.
    pub fn machines(&self) -> usize {
        let known = self.base.iter().chain(&self.head).filter_map(Measured::machine);
        known.collect::<BTreeSet<&str>>().len()
    }

    /// Base's runs that a metric is compared with: a tail needs rounds of head's length, a latency enough successes.
    pub fn base_runs(&self, metric: &Metric) -> impl Iterator<Item = &Measured<'_>> {
        self.base.iter().filter(|run| self.is_comparable(run, metric))
    }

    /// Whether a run of base takes part in comparing a metric.
    pub fn is_comparable(&self, run: &Measured, metric: &Metric) -> bool {
        let depends_on_window = metric.judged == Judged::HighestTail || OTHER_TAILS.contains(&metric.id);
        let same_window = self.head.iter().all(|head| head.window() == run.window());
        (same_window || !depends_on_window) && (self.is_duet() || !run.is_poor(metric))
    }

    /// The lag of the client in latencies, if it makes a rate of head the client's and not the service's. Latencies are the
    /// service's all the same, because the kernel stamps them.
    pub fn client_bound(&self, metric: &Metric) -> Option<f64> {
        let is_rate = matches!(metric.unit, Unit::PerSecond | Unit::TokensPerSecond);
        let mut ratios = self.head.iter().filter_map(|head| lag_ratio(head.cell));
        if is_rate && self.cell.load.is_timed() { ratios.find(|ratio| *ratio > MAX_LAG) } else { None }
    }

    /// The side that has too few successes for a metric, or no value of it. What one run of head lacks, it lacks because it was
    /// slow; of stored runs one that has it is enough.
    pub fn lacking(&self, metric: &Metric) -> Option<Side> {
        if !self.head_has(metric) || self.head.iter().any(|head| head.is_poor(metric)) {
            return Some(Side::Head);
        }
        (!self.base_has(metric)).then_some(Side::Base)
    }

    pub fn head_has(&self, metric: &Metric) -> bool {
        self.head.iter().all(|head| head.has(metric))
    }

    pub fn base_has(&self, metric: &Metric) -> bool {
        let mut runs = self.base.iter();
        let serves = |run: &Measured| run.has(metric) && !run.is_poor(metric);
        if self.is_duet() { runs.all(serves) } else { runs.any(serves) }
    }

    /// The poorest run of a side: the successes of its poorest round, and what would give it enough for a metric.
    pub fn poorest(&self, side: Side, metric: &Metric) -> Option<(u64, Option<Remedy>)> {
        let runs = if side == Side::Head { &self.head } else { &self.base };
        let found = runs.iter().filter_map(|run| {
            Some((*run.series.successes.iter().flatten().min()?, self.remedy(run, metric)))
        });
        found.min_by_key(|(successes, _)| *successes)
    }

    /// What would give each round of a run enough successes for a metric.
    pub fn remedy(&self, run: &Measured, metric: &Metric) -> Option<Remedy> {
        let rounds = run.series.rounds();
        let requests: u64 = run.series.requests.iter().flatten().sum();
        let round = UsualRound {
            is_timed: self.cell.load.is_timed(),
            measurement_time: run.window().saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX)),
            requests: requests as f64 / rounds as f64,
            successes: run.successes_per_round()?,
        };
        round.remedy(metric)
    }
}

impl Measured<'_> {
    /// Its machine, as far as the system identifies it.
    pub fn machine(&self) -> Option<&str> {
        self.run.environment.machine.test_bed.machine.as_deref()
    }

    /// The length of a round.
    fn window(&self) -> Duration {
        self.cell.settings.window()
    }

    /// The values of a metric by launch and round.
    pub fn values(&self, metric: &Metric) -> Option<&Vec<Vec<f64>>> {
        self.series.values.get(metric.id)
    }

    pub fn has(&self, metric: &Metric) -> bool {
        self.values(metric).is_some_and(|launches| launches.iter().any(|rounds| !rounds.is_empty()))
    }

    /// Whether there are too few successes for a percentile. A rate is worth having however few they are.
    fn is_poor(&self, metric: &Metric) -> bool {
        metric.unit == Unit::Nanoseconds
            && self.successes_per_round().is_none_or(|successes| successes < metric.least_successes as f64)
    }

    /// Successes of a round on average; `None` if there is none.
    fn successes_per_round(&self) -> Option<f64> {
        let successes: u64 = self.series.successes.iter().flatten().sum();
        (successes > 0).then(|| successes as f64 / self.series.rounds() as f64)
    }
}

/// The share of requests that succeeded in some runs; `None` without a request.
pub(super) fn success_ratio_of(runs: &[Measured]) -> Option<f64> {
    let requests: u64 = runs.iter().flat_map(|run| run.series.requests.iter().flatten()).sum();
    let successes: u64 = runs.iter().flat_map(|run| run.series.successes.iter().flatten()).sum();
    (requests > 0).then(|| successes as f64 / requests as f64)
}

/// Matches each cell of head, in the order of its definition, with what it is compared with.
pub(super) fn sides<'a>(
    baseline: &'a Baseline,
    today: &Today,
    cells: impl IntoIterator<Item = (&'a Run, &'a CellRun)>,
) -> Vec<Sides<'a>> {
    let mut heads: Vec<Vec<(&Run, &CellRun)>> = Vec::new();
    for (run, cell) in cells {
        match heads.iter_mut().find(|head| head[0].1.id == cell.id) {
            Some(head) => head.push((run, cell)),
            None => heads.push(vec![(run, cell)]),
        }
    }
    heads.into_iter().filter_map(|head| of_cell(&head, baseline, today)).collect()
}

fn of_cell<'a>(runs: &[(&'a Run, &'a CellRun)], baseline: &'a Baseline, today: &Today) -> Option<Sides<'a>> {
    let mut left_out = runs.iter().filter_map(|(_, cell)| unfair(cell));
    let fair: Vec<(&'a Run, &'a CellRun)> =
        runs.iter().copied().filter(|(_, cell)| unfair(cell).is_none()).collect();
    let cell = fair.first().or(runs.first())?.1;
    let mut sides = Sides {
        cell,
        head: fair.iter().map(|&(run, cell)| Measured { series: cell.series(), run, cell }).collect(),
        base: Vec::new(),
        against: Against::StoredRuns,
        is_ranked: false,
        instead: None,
        other_test_bed: None,
        notes: Vec::new(),
    };
    if fair.is_empty() {
        sides.instead = left_out.next().map(|reason| (Verdict::Invalid, Some(reason)));
        return Some(sides);
    }
    sides.notes.extend(left_out.map(Note::RunLeftOut));
    let base =
        |&(run, cell): &(&'a Run, &'a CellRun)| Some(Measured { series: cell.base_series()?, run, cell });
    sides.base = fair.iter().filter_map(base).collect();
    if !sides.base.is_empty() {
        sides.against = Against::Base;
    } else if let Some(failure) = &cell.base_failure {
        let verdict = if failure.is_broken { Verdict::Incomparable } else { Verdict::New };
        sides.instead = Some((verdict, Some(Reason::BaseFailed(failure.what.clone()))));
    } else {
        match_stored(&mut sides, baseline, today);
    }
    Some(sides)
}

/// Why one run of a cell cannot be used at all; `None` if it can.
fn unfair(cell: &CellRun) -> Option<Reason> {
    if let Some(reason) = &cell.invalid {
        return Some(Reason::Recorded(reason.clone()));
    }
    if cell.rounds.is_empty() {
        return Some(Reason::NoRounds);
    }
    if cell.counts().requests == 0 {
        return Some(Reason::NoRequests);
    }
    let faults = cell.own_faults();
    if let Some(connections) = faults.get(&Fault::NoFreePort) {
        return Some(Reason::NoFreePort(*connections));
    }
    let errors: u64 = faults.values().sum();
    (errors > 0).then_some(Reason::ClientErrors(errors))
}

fn lag_ratio(cell: &CellRun) -> Option<f64> {
    let ratio = |values: &BTreeMap<&str, f64>| {
        let ratio = values.get("lag_mean")? / values.get("latency_mean")?;
        ratio.is_finite().then_some(ratio)
    };
    median(&cell.rounds.iter().filter_map(|round| ratio(&round.values)).collect::<Vec<_>>())
}

/// Chooses the stored runs of the current epoch that are comparable with head.
fn match_stored<'a>(sides: &mut Sides<'a>, baseline: &'a Baseline, today: &Today) {
    let (cell, head) = (sides.cell, sides.head[0].run);
    let here: Vec<_> = sides.head.iter().map(|head| &head.run.environment.machine).collect();
    let is_here =
        |run: &&Run| here.iter().all(|here| run.environment.machine.test_bed.is_same(&here.test_bed));
    let has_cell = |run: &&Run| run.cell(&cell.id).is_some();
    let elsewhere: Vec<&Run> = baseline.runs.iter().filter(has_cell).filter(|run| !is_here(run)).collect();
    let mut left_out: Vec<(Reason, usize)> = Vec::new();
    for (run, stored) in
        baseline.current(&cell.id, &head.environment.machine.test_bed).filter(|(run, _)| is_here(run))
    {
        let difference = || here.iter().find_map(|here| run.environment.machine.mismatch(here));
        let reason = not_comparable(stored, cell).or_else(|| difference().map(Reason::MachineChanged));
        match reason.or_else(|| today.mismatch(run)) {
            None => sides.base.push(Measured { series: stored.series(), run, cell: stored }),
            Some(reason) => match left_out.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, count)) => *count += 1,
                None => left_out.push((reason, 1)),
            },
        }
    }
    if let Some(base) = sides.base.first() {
        let epoch = base.run.epoch.as_ref().map(|epoch| &epoch.first_run);
        let decides =
            |base: &BaseRef| base.epoch.as_ref() == epoch && base.cells.contains(&cell.id.to_string());
        sides.is_ranked =
            epoch.is_some() && sides.head.iter().all(|head| head.run.base_ref.as_ref().is_some_and(decides));
        let notes = left_out.into_iter().map(|(reason, count)| Note::StoredRunsLeftOut { count, reason });
        sides.notes.extend(notes);
        sides.notes.extend((!elsewhere.is_empty()).then_some(Note::OtherTestBed(elsewhere.len())));
        return;
    }
    sides.instead = Some(if let Some((reason, _)) = left_out.pop() {
        (Verdict::Incomparable, Some(reason))
    } else if let Some(newest) = elsewhere.last() {
        sides.other_test_bed = Some(OtherTestBed {
            base: newest.environment.machine.test_bed.clone(),
            commit: newest.environment.commit.clone(),
            here: head.environment.machine.test_bed.clone(),
        });
        // It is told once for the whole call.
        (Verdict::Incomparable, None)
    } else if baseline.runs.is_empty() {
        (Verdict::New, Some(Reason::NoBaseline))
    } else {
        (Verdict::New, Some(Reason::NotInBaseline))
    });
}

/// The stored runs of the test bed of head that belong to the current epoch of any of its cells.
pub(super) fn here<'a>(baseline: &'a Baseline, runs: &'a [Run]) -> Vec<&'a Run> {
    let Some(here) = runs.first().map(|head| &head.environment.machine.test_bed) else { return Vec::new() };
    let cells = runs.iter().flat_map(|run| &run.cells).filter(|cell| cell.base.is_empty());
    let current = cells.flat_map(|cell| baseline.current(&cell.id, here)).map(|(run, _)| run);
    let is_here = |run: &&Run| run.environment.machine.test_bed.is_same(here);
    let by_id: BTreeMap<&str, &Run> = current.filter(is_here).map(|run| (run.id.as_str(), run)).collect();
    by_id.into_values().collect()
}

/// Why a stored run is not comparable, on whatever machine it was measured.
fn not_comparable(stored: &CellRun, cell: &CellRun) -> Option<Reason> {
    let min = cell.settings.min_success_ratio;
    if stored.counts().success_ratio().is_none_or(|ratio| ratio < min) {
        return Some(Reason::StoredFailures(min));
    }
    (stored.definition != cell.definition).then_some(Reason::Redefined)
}

/// Cells that the stored runs of this test bed have and head has not, also those of a group that is gone. A duet uses no baseline, so
/// that nothing of one is missing. Only runs that are whole show that a cell of their bench is gone.
pub(super) fn removed(baseline: &Baseline, runs: &[Run]) -> Vec<CellId> {
    let cells = || runs.iter().flat_map(|run| &run.cells);
    let is_duet = |cell: &&CellRun| !cell.base.is_empty() || cell.base_failure.is_some();
    if cells().all(|cell| is_duet(&cell)) {
        return Vec::new();
    }
    let duets: BTreeSet<&str> = cells().filter(is_duet).map(|cell| cell.id.group.as_str()).collect();
    let measured: BTreeSet<&CellId> = cells().map(|cell| &cell.id).collect();
    let is_whole = |run: &&Run| !run.is_filtered && run.stop.is_none();
    let whole: Vec<&Run> = runs.iter().filter(is_whole).collect();
    let is_same = |run: &Run, stored: &Run| {
        let test_bed = &stored.environment.machine.test_bed;
        run.bench == stored.bench && run.environment.machine.test_bed.is_same(test_bed)
    };
    let stored = baseline.runs.iter().filter(|stored| whole.iter().any(|run| is_same(run, stored)));
    let stored = stored.flat_map(|run| &run.cells).map(|cell| &cell.id);
    let stored: BTreeSet<&CellId> = stored.filter(|id| !duets.contains(id.group.as_str())).collect();
    stored.difference(&measured).map(|id| (*id).clone()).collect()
}

/// What to know about the stored runs that any cell is compared with.
pub(super) fn baseline_notes(sides: &[Sides], runs: &[Run]) -> Vec<Note> {
    let compared = sides.iter().filter(|sides| !sides.is_duet()).flat_map(|sides| &sides.base);
    let stored: BTreeMap<&str, &Run> = compared.map(|base| (base.run.id.as_str(), base.run)).collect();
    let stored: Vec<&Run> = stored.into_values().collect();
    let mut notes = Vec::new();
    let times = || stored.iter().map(|run| run.started);
    if stored.len() == 1 {
        notes.push(Note::OneStoredRun);
    } else if by_sitting(&stored, |run| run).len() == 1
        && let Some((first, last)) = times().min().zip(times().max())
    {
        let within = last.duration_since(first).unwrap_or_default();
        notes.push(Note::OneSitting { runs: stored.len(), within });
    }
    let here = || runs.iter().map(|run| &run.environment);
    let is_another = |run: &&Run| {
        here().any(|here| run.environment.machine.test_bed.is_another_machine_of(&here.machine.test_bed))
    };
    notes.extend(stored.iter().any(is_another).then_some(Note::SeveralMachines));
    notes.extend(SETUP_FACTS.into_iter().filter_map(|fact| {
        let from: BTreeSet<&String> =
            stored.iter().filter_map(|run| run.environment.setup.get(fact)).collect();
        let to: BTreeSet<&String> = here().filter_map(|here| here.setup.get(fact)).collect();
        let changed = !from.is_empty() && !to.is_empty() && from.is_disjoint(&to);
        let owned = |values: BTreeSet<&String>| values.into_iter().cloned().collect();
        changed.then(|| Note::SetupChanged { fact, from: owned(from), to: owned(to) })
    }));
    notes
}
