//! All rounds of all cells, with the environment they were measured in.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::plan::{Cell, Confirmation, Group, Limit, Load, Throughput};
use crate::record::base_ref::BaseRef;
use crate::record::environment::Environment;
use crate::record::fault::Fault;
use crate::record::metric::Metric;
use crate::record::round::{Counts, Round};
use crate::record::series::Series;

/// All rounds of all cells of one call.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// `20261124T170012Z-abc1234`: the UTC time of its start and the commit.
    pub id: String,
    /// The bench target that it comes from.
    pub bench: String,
    /// When it began.
    pub started: SystemTime,
    /// How long it took.
    pub elapsed: Duration,
    /// The machine and the build.
    pub environment: Environment,
    /// What a duet by `--base-ref` compared.
    pub base_ref: Option<BaseRef>,
    /// Its cells in the order of their definition.
    pub cells: Vec<CellRun>,
    /// Why it ended before its time, if it did.
    pub stop: Option<Stop>,
    /// Which look at a duet's suspects it is, counted from 1; 0 is a measurement of all cells.
    pub look: usize,
    /// How the suspects of a duet's screening are confirmed; nothing where all is judged at once.
    pub confirmation: Option<Confirmation>,
}

/// Why a run ended before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// A signal, by its number.
    Signal(i32),
    /// The service died, or could not be started again: what happened and what to do.
    Failed(String),
    /// The time was up that it was given.
    TimeUp,
}

/// Why base of a duet could not answer a cell in the trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseFailure {
    /// What it answered.
    pub what: String,
    /// Whether base failed (a 5xx, no whole answer) rather than that it does not know the request: base may be broken then.
    pub is_broken: bool,
}

/// The rules by which a cell is judged, as its group set them.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// The share of successes below which it was not measured at all.
    pub least_success_ratio: f64,
    /// The metrics to judge by id, when not the usual ones.
    pub judged: Option<Vec<String>>,
    /// Absolute limits.
    pub limits: Vec<Limit>,
    /// What is too little to be red, as a fraction, when the group says so.
    pub noise_threshold: Option<f64>,
    /// What is little enough to be called equal, as a fraction, when the group says so.
    pub equivalence: Option<f64>,
    /// Confidence of the displayed intervals.
    pub confidence_level: f64,
    /// One-sided error for a whole call.
    pub significance_level: f64,
    /// Resamples of a bootstrap.
    pub nresamples: usize,
}

/// The rounds of one cell.
#[derive(Debug, Clone, PartialEq)]
pub struct CellRun {
    /// Its group.
    pub group: String,
    /// What its group is for, if that was said.
    pub about: Option<String>,
    /// Its id within the group: `function/parameter`.
    pub id: String,
    /// The function part of its id: cells that share it are one line in a chart.
    pub function: String,
    /// The load in words: `closed(10)`.
    pub load: String,
    /// Requests in flight.
    pub concurrency: usize,
    /// What one exchange handles, if that was said.
    pub throughput: Option<Throughput>,
    /// A digest of what was loaded.
    pub definition: String,
    /// The length of a round's window as planned.
    pub window: Duration,
    /// The metrics that were decided on in the trial launch: those that each round can be expected to have.
    pub metrics: Vec<&'static Metric>,
    /// The rules by which it is judged.
    pub rules: Rules,
    /// Its rounds in order of time.
    pub rounds: Vec<Round>,
    /// In a duet the rounds of base, each the partner of the round of head in the same place.
    pub base: Vec<Round>,
    /// In a duet, why base could not answer this cell in the trial. The cell is then measured on head alone.
    pub base_failure: Option<BaseFailure>,
    /// Why it could not be measured fairly, if it could not.
    pub invalid: Option<String>,
    /// What else is worth saying.
    pub notes: Vec<String>,
}

impl Rules {
    /// The rules of a group.
    pub fn of(group: &Group) -> Self {
        let settings = &group.settings;
        Self {
            least_success_ratio: settings.least_success_ratio,
            judged: group.judged.clone(),
            limits: group.limits.clone(),
            noise_threshold: settings.noise_threshold,
            equivalence: settings.equivalence,
            confidence_level: settings.confidence_level,
            significance_level: settings.significance_level,
            nresamples: settings.nresamples,
        }
    }
}

impl CellRun {
    /// A cell without any round yet.
    pub fn planned(group: &Group, cell: &Cell) -> Self {
        Self {
            group: group.name.clone(),
            about: group.about.clone(),
            id: cell.id.to_string(),
            function: cell.id.function().to_owned(),
            load: cell.load.to_string(),
            concurrency: cell.load.concurrency(),
            throughput: cell.throughput,
            definition: cell.definition(),
            window: group.settings.window(),
            metrics: Vec::new(),
            rules: Rules::of(group),
            rounds: Vec::new(),
            base: Vec::new(),
            base_failure: None,
            invalid: None,
            notes: Vec::new(),
        }
    }

    /// `group/function/parameter`.
    pub fn full_id(&self) -> String {
        format!("{}/{}", self.group, self.id)
    }

    /// Whether a round of it lasts as long as its window, as that of a closed loop does: else until all of its requests are back.
    pub fn is_timed(&self) -> bool {
        self.load.starts_with(Load::CLOSED)
    }

    /// Its rounds as `judge` sees them.
    pub fn series(&self) -> Series {
        Series::new(self.definition.clone(), &self.rounds, self.metrics.iter().map(|metric| metric.id))
    }

    /// What all of base's rounds counted together, in a duet.
    pub fn base_counts(&self) -> Counts {
        counts_of(&self.base)
    }

    /// Base's rounds of a duet as `judge` sees them; nothing where there is no duet.
    pub fn base_series(&self) -> Option<Series> {
        let ids = self.metrics.iter().map(|metric| metric.id);
        (!self.base.is_empty()).then(|| Series::new(self.definition.clone(), &self.base, ids))
    }

    /// Drops a round without a partner, as an interrupted duet leaves one.
    pub fn keep_pairs(&mut self) {
        let pairs = self.rounds.len().min(self.base.len());
        self.rounds.truncate(pairs);
        self.base.truncate(pairs);
    }

    /// How often an exchange of either side failed by this machine's own fault.
    pub fn own_faults(&self) -> BTreeMap<Fault, u64> {
        let mut both = self.counts();
        both.add(&self.base_counts());
        both.faults.retain(|fault, count| fault.is_ours() && *count > 0);
        both.faults
    }

    /// Whether it may become what others are held against: it was measured, enough of its exchanges succeeded, and none failed by
    /// this machine's own fault.
    pub fn is_fair(&self) -> bool {
        let ratio = self.counts().success_ratio();
        let enough = ratio.is_some_and(|ratio| ratio >= self.rules.least_success_ratio);
        self.invalid.is_none() && enough && self.own_faults().is_empty()
    }

    /// What all its rounds counted together.
    pub fn counts(&self) -> Counts {
        counts_of(&self.rounds)
    }
}

fn counts_of(rounds: &[Round]) -> Counts {
    let mut counts = Counts::default();
    rounds.iter().for_each(|round| counts.add(&round.counts));
    counts
}
