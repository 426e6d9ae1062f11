//! Rounds in order of time, as `measure` takes them: launches, in each of them the cells in random order, in a duet the two sides of a
//! pair in random order; and the luck of each moment, launch and run.

use std::collections::BTreeMap;

use crate::calibrate::bank::Bank;
use crate::calibrate::luck::Luck;
use crate::calibrate::world::{Change, Shape, World};

/// Shares of failures differ from launch to launch by this factor, as an sd of logs.
const FAILURE_LUCK: f64 = 0.5;

/// The banks of all shapes.
pub(super) type Banks = BTreeMap<Shape, Bank>;

/// One round: which one of the bank, and what became of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Draw {
    /// The launch that served it.
    pub launch: usize,
    /// Its place in the bank of its shape.
    pub banked: usize,
    /// By which factor everything took longer.
    pub stretch: f64,
    /// How many of its requests failed.
    pub failures: u64,
}

/// The rounds of one cell in order of time.
#[derive(Debug)]
pub(super) struct CellDraws {
    /// Which of the call's cells.
    pub cell: usize,
    /// What base's requests are like.
    pub base_shape: Shape,
    /// What head's requests are like.
    pub head_shape: Shape,
    /// Base's rounds; none where base is stored.
    pub base: Vec<Draw>,
    /// Head's rounds.
    pub head: Vec<Draw>,
}

/// Launches and rounds of a run, and which cells it has.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// Lives of the service.
    pub launches: usize,
    /// Rounds of each cell in a launch.
    pub rounds_of_launch: usize,
    /// Whether base is measured, too.
    pub is_duet: bool,
    /// Which of the call's cells.
    pub cells: Vec<usize>,
}

/// What the machine is doing at each moment of a run.
struct Machine {
    weather: f64,
    /// By how much it is slower at the run's end than at its start.
    drift: f64,
    passed: usize,
    total: usize,
}

/// What one life of a service got by luck.
#[derive(Clone, Copy)]
struct Life {
    log: f64,
    failure_share: f64,
}

impl Machine {
    /// An autoregression of order one, whose spread stays as it is, and a drift on top of it.
    fn pass(&mut self, world: &World, luck: &mut Luck) -> f64 {
        let fresh = luck.normal(world.weather * (1.0 - world.lag1.powi(2)).sqrt());
        self.weather = world.lag1 * self.weather + fresh;
        let drift = self.drift * self.passed as f64 / self.total as f64;
        self.passed += 1;
        self.weather + drift
    }
}

impl Life {
    fn begin(world: &World, luck: &mut Luck) -> Self {
        let mode = if world.modes > 0.0 && luck.happens(0.5) { world.modes } else { 0.0 };
        let share = if world.failures > 0.0 { world.failures * luck.normal(FAILURE_LUCK).exp() } else { 0.0 };
        Self { log: luck.normal(world.launch) + mode, failure_share: share }
    }
}

impl World {
    /// Simulates one run. `change` is head's.
    pub fn measure(&self, change: Change, layout: &Layout, banks: &Banks, luck: &mut Luck) -> Vec<CellDraws> {
        let rounds = layout.launches * layout.rounds_of_launch * (1 + usize::from(layout.is_duet));
        let mut machine = Machine {
            weather: luck.normal(self.weather),
            drift: luck.normal(self.drift),
            passed: 0,
            total: rounds * layout.cells.len().max(1),
        };
        let own_share = self.run * 0.5_f64.sqrt();
        let common = luck.normal(own_share);
        let run_luck: Vec<f64> = layout.cells.iter().map(|_| common + luck.normal(own_share)).collect();
        let mut cells: Vec<CellDraws> = layout.cells.iter().map(|&cell| self.planned(cell, change)).collect();
        let mut order: Vec<usize> = (0..cells.len()).collect();
        for launch in 0..layout.launches {
            let lives: Vec<[Life; 2]> =
                cells.iter().map(|_| [Life::begin(self, luck), Life::begin(self, luck)]).collect();
            for _ in 0..layout.rounds_of_launch {
                luck.shuffle(&mut order);
                for &place in &order {
                    let base_first = layout.is_duet && luck.happens(0.5);
                    let CellDraws { cell, base_shape, head_shape, base, head } = &mut cells[place];
                    let mut round = |shape: Shape, life: Life, slower: f64| {
                        let log = slower
                            + life.log
                            + run_luck[place]
                            + machine.pass(self, luck)
                            + luck.normal(self.round_noise);
                        let requests = shape.requests as u64;
                        let failures = luck.poisson(life.failure_share * requests as f64).min(requests);
                        let banked = luck.below(banks[&shape].rounds.len());
                        Draw { launch, banked, stretch: log.exp(), failures }
                    };
                    let [base_life, head_life] = lives[place];
                    let slower = change.log_of(*cell);
                    if base_first {
                        base.push(round(*base_shape, base_life, 0.0));
                    }
                    head.push(round(*head_shape, head_life, slower));
                    if layout.is_duet && !base_first {
                        base.push(round(*base_shape, base_life, 0.0));
                    }
                }
            }
        }
        cells
    }

    fn planned(&self, cell: usize, change: Change) -> CellDraws {
        CellDraws {
            cell,
            base_shape: self.shape,
            head_shape: change.shape_of(cell, self.shape),
            base: Vec::new(),
            head: Vec::new(),
        }
    }
}
