//! The table of scenarios: what may disturb a measurement, each by itself, and all of it together.

use crate::calibrate::world::{QUIET, Shape, Tail, World};

/// A world with a name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scenario {
    /// Its name in tables.
    pub name: &'static str,
    /// What it is.
    pub world: World,
}

/// The round noise of a quiet machine.
const NOISE: f64 = 0.03;
const NOISY: World = World { round_noise: NOISE, ..QUIET };
const LAUNCHES: World = World { launch: 0.01, ..NOISY };

/// Everything at once, with a launch's luck of 1 %.
const ALL: World = World {
    shape: Shape { bursts: true, ..QUIET.shape },
    weather: 0.05,
    lag1: 0.5,
    drift: 0.10,
    run: 0.01,
    ..LAUNCHES
};

/// Everything at once in thirty cells: what the power is stated for.
pub(super) const ALL_DISTURBANCES: &str = "all disturbances";

/// Up to this sd of runs a baseline of five is promised to be right.
pub(super) const MOST_RUN_EFFECT: f64 = 0.02;

/// All scenarios, in the order in which they are shown.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "independent rounds", world: QUIET },
    Scenario { name: "round noise 3 %", world: NOISY },
    Scenario { name: "bursts", world: World { shape: Shape { bursts: true, ..QUIET.shape }, ..NOISY } },
    Scenario { name: "lag-1 0.5", world: World { weather: 0.05, lag1: 0.5, ..NOISY } },
    Scenario { name: "drift 20 %", world: World { drift: 0.2, ..NOISY } },
    Scenario { name: "launches 1 %", world: LAUNCHES },
    Scenario { name: "launches 2 %", world: World { launch: 0.02, ..NOISY } },
    Scenario { name: "runs 1 %", world: World { run: 0.01, ..LAUNCHES } },
    Scenario { name: "runs 2 %", world: World { run: 0.02, ..LAUNCHES } },
    Scenario { name: "runs 5 %", world: World { run: 0.05, ..LAUNCHES } },
    Scenario {
        name: "heavy tails",
        world: World { shape: Shape { tail: Tail::Heavy, ..QUIET.shape }, ..NOISY },
    },
    Scenario { name: "two modes", world: World { modes: 0.05, ..NOISY } },
    Scenario { name: "discrete latencies", world: World { step: 0.25, ..NOISY } },
    Scenario {
        name: "few requests",
        world: World { shape: Shape { requests: 60, ..QUIET.shape }, ..LAUNCHES },
    },
    // Enough requests that the successes among them have a p99.
    Scenario {
        name: "failures 2 %",
        world: World { failures: 0.02, shape: Shape { requests: 600, ..QUIET.shape }, ..LAUNCHES },
    },
    Scenario { name: ALL_DISTURBANCES, world: ALL },
    Scenario { name: "all, 4 cells", world: World { cells: 4, ..ALL } },
    Scenario { name: "all, 1 cell", world: World { cells: 1, ..ALL } },
];
