//! The table of scenarios: what may disturb a measurement, each by itself, and much of it together.

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
const WEATHER: World = World { weather: 0.05, lag1: 0.5, ..NOISY };

/// What a service on a shared machine meets at once: noise, bursts, weather that follows itself, drift, and the luck of launches and runs.
const ALL: World = World {
    shape: Shape { bursts: true, ..QUIET.shape },
    weather: 0.05,
    lag1: 0.5,
    drift: 0.03,
    run: 0.01,
    ..LAUNCHES
};

/// All of it in thirty cells: what the power is promised for, and what other layouts are tried with.
pub(super) const ALL_DISTURBANCES: &str = "all disturbances";

/// Up to this sd of runs a baseline of five is promised to be right.
pub(super) const MOST_RUN_EFFECT: f64 = 0.02;

/// All scenarios, in the order in which they are shown.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "independent rounds", world: QUIET },
    Scenario { name: "round noise 3 %", world: NOISY },
    Scenario { name: "bursts", world: World { shape: Shape { bursts: true, ..QUIET.shape }, ..NOISY } },
    // Thirty interleaved cells hide it: that is what the interleaving is for.
    Scenario { name: "lag-1 0.5", world: WEATHER },
    Scenario { name: "lag-1 0.5, 1 cell", world: World { cells: 1, ..WEATHER } },
    Scenario { name: "drift 4 %", world: World { drift: 0.04, ..NOISY } },
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
