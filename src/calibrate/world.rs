//! What a simulated machine and service are like. Plain numbers; standard deviations are of logarithms, so 0.03 is 3 %.

use serde::{Serialize, Serializer};

use crate::record::{Better, Judged, Metric};

/// How service times are distributed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tail {
    /// Log-normal, and three in a hundred requests take a path that is five times as long.
    Usual,
    /// Pareto's with an exponent of 1.5: it has a mean, and no variance.
    Heavy,
}

/// What the requests of a round are like: rounds of one shape are simulated once, and drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shape {
    /// Exchanges of a round.
    pub requests: usize,
    /// How service times are distributed.
    pub tail: Tail,
    /// Whether a pause hits all requests in flight in one round of ten.
    pub bursts: bool,
    /// By how many per cent the long path takes longer than usual.
    pub slower_tail_percent: u32,
}

/// A machine, and the service on it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct World {
    /// Cells of a call.
    pub cells: usize,
    /// The requests of a round.
    pub shape: Shape,
    /// Of each round's own luck.
    pub round_noise: f64,
    /// Of what the machine does to all rounds of a time.
    pub weather: f64,
    /// Correlation of the weather between one round and the next, whosesoever they are.
    pub lag1: f64,
    /// By how much the machine becomes slower, or faster, in the course of a run: an sd over runs.
    pub drift: f64,
    /// Of each launch's own luck.
    pub launch: f64,
    /// How far the two modes are apart that launches come in; 0 is one mode.
    pub modes: f64,
    /// Of each run's own luck: half of its variance is all cells', half each cell's.
    pub run: f64,
    /// The step in which latencies are told, as a share of the median; 0 is exactly.
    pub step: f64,
    /// The share of requests that fails.
    pub failures: f64,
}

/// Nothing but the chance of which requests come.
pub(super) const QUIET: World = World {
    cells: 30,
    shape: Shape { requests: 500, tail: Tail::Usual, bursts: false, slower_tail_percent: 0 },
    round_noise: 0.0,
    weather: 0.0,
    lag1: 0.0,
    drift: 0.0,
    launch: 0.0,
    modes: 0.0,
    run: 0.0,
    step: 0.0,
    failures: 0.0,
};

impl World {
    /// By how much the means of two runs differ by the runs' own luck and drift, as an sd: a drift moves the mean by half of itself.
    pub fn run_effect(&self) -> f64 {
        self.run.hypot(0.5 * self.drift)
    }
}

/// What became slower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// All that the first cell measures, by so many per cent.
    Cell(u32),
    /// The long path of the first cell, by so many per cent: its tail.
    Tail(u32),
}

impl Change {
    /// Its name in tables.
    pub fn name(self) -> String {
        match self {
            Self::None => "none".to_owned(),
            Self::Cell(percent) => format!("+{percent} %"),
            Self::Tail(percent) => format!("tail +{percent} %"),
        }
    }

    /// Whether what is changed shows in that metric.
    pub(super) fn shows_in(self, metric: &Metric) -> bool {
        match self {
            Self::None => false,
            Self::Cell(_) => metric.judged == Judged::Always && metric.better == Better::Lower,
            Self::Tail(_) => metric.judged == Judged::HighestTail,
        }
    }

    /// By how much a cell's head is slower, as a logarithm.
    pub(super) fn log_of(self, cell: usize) -> f64 {
        match self {
            Self::Cell(percent) if cell == 0 => (f64::from(percent) / 100.0).ln_1p(),
            _ => 0.0,
        }
    }

    /// What the requests of a cell's head are like.
    pub(super) fn shape_of(self, cell: usize, usual: Shape) -> Shape {
        match self {
            Self::Tail(percent) if cell == 0 => Shape { slower_tail_percent: percent, ..usual },
            _ => usual,
        }
    }
}

impl Serialize for Change {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name())
    }
}
