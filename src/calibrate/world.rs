//! What is simulated: services and machines with a known truth ([`SCENARIOS`]), the ways to compare base and head, and the true
//! changes.

use std::f64::consts::TAU;

/// Random numbers of the distributions that the simulations need, from one seed.
#[derive(Debug, Clone)]
pub(super) struct Rng {
    pub plain: fastrand::Rng,
    /// The second number of the last Box-Muller pair.
    spare: Option<f64>,
}

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self { plain: fastrand::Rng::with_seed(seed), spare: None }
    }

    /// The numbers of one call. A multiplier without a pattern (Knuth) spreads neighboring calls over all seeds.
    pub fn of_call(seed: u64, case: usize, call: usize) -> Self {
        const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
        let mixed = seed.wrapping_mul(SPREAD) ^ ((case as u64) << 32 | call as u64);
        Self::new(mixed.wrapping_mul(SPREAD) ^ (mixed >> 29))
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.plain.f64() < probability
    }

    /// Normal with mean 0, by pairs (Box & Muller 1958).
    pub fn normal(&mut self, sd: f64) -> f64 {
        if sd == 0.0 {
            return 0.0;
        }
        if let Some(spare) = self.spare.take() {
            return sd * spare;
        }
        let radius = (-2.0 * (1.0 - self.plain.f64()).ln()).sqrt();
        let (sin, cos) = (TAU * self.plain.f64()).sin_cos();
        self.spare = Some(radius * sin);
        sd * radius * cos
    }

    /// Poisson: by a product of uniform numbers for small means (Knuth), by the normal distribution for large ones.
    pub fn poisson(&mut self, mean: f64) -> u64 {
        const LARGE: f64 = 50.0;
        if mean > LARGE {
            return (mean + self.normal(mean.sqrt())).round().max(0.0) as u64;
        }
        let (end, mut product, mut count) = ((-mean).exp(), self.plain.f64(), 0);
        while product > end {
            product *= self.plain.f64();
            count += 1;
        }
        count
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ServiceTimes {
    /// Log-normal. 3% of requests take a slow path that is five times slower.
    LogNormal,
    /// Pareto with exponent 1.5: a finite mean and an infinite variance.
    Pareto,
}

/// The requests of one round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Requests {
    pub count: usize,
    pub service_times: ServiceTimes,
    /// Whether a pause hits all requests in flight in one round of ten.
    pub bursts: bool,
    /// By how many percent the slow path is slower than usual.
    pub slower_tail_percent: u32,
}

/// A service and the machine it runs on. Effects, noise and drift are standard deviations of logarithms: 0.03 is 3%.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scenario {
    pub name: &'static str,
    /// Cells of a call.
    pub cells: usize,
    pub requests: Requests,
    pub round_noise: f64,
    /// The effect of the machine's load on all rounds at a time.
    pub machine_load: f64,
    /// Correlation of the machine's load between one round and the next, of whatever cell.
    pub autocorrelation: f64,
    /// The change of the machine's speed from the start of a run to its end.
    pub drift: f64,
    pub launch_effect: f64,
    /// The distance between the two speeds that launches have. 0 means one speed.
    pub two_modes: f64,
    /// Half of its variance is common to all cells of a run, half is each cell's own.
    pub run_effect: f64,
    /// The effect of the machine's state on all cells and the control of a run. Each run is a sitting, or a machine, of its own.
    pub sitting_effect: f64,
    /// By how much cells answer differently to that state: the sd of a factor around 1.
    pub answers_differ: f64,
    /// The error of each figure of the control in a run.
    pub control_noise: f64,
    /// Latencies are rounded up to multiples of this fraction of the median. 0 means exact latencies.
    pub latency_step: f64,
    /// The share of requests that fail.
    pub failures: f64,
}

/// No noise except the service times of the requests.
pub(super) const QUIET: Scenario = Scenario {
    name: "independent rounds",
    cells: 30,
    requests: Requests {
        count: 500,
        service_times: ServiceTimes::LogNormal,
        bursts: false,
        slower_tail_percent: 0,
    },
    round_noise: 0.0,
    machine_load: 0.0,
    autocorrelation: 0.0,
    drift: 0.0,
    launch_effect: 0.0,
    two_modes: 0.0,
    run_effect: 0.0,
    sitting_effect: 0.0,
    answers_differ: 0.0,
    control_noise: 0.0,
    latency_step: 0.0,
    failures: 0.0,
};
const NOISY: Scenario = Scenario { name: "round noise 3%", round_noise: 0.03, ..QUIET };
const BURSTS: Requests = Requests { bursts: true, ..QUIET.requests };
const LOADED: Scenario =
    Scenario { name: "autocorrelation 0.5", machine_load: 0.05, autocorrelation: 0.5, ..NOISY };
const LAUNCHES: Scenario = Scenario { name: "launch effect 1%", launch_effect: 0.01, ..NOISY };

/// A service on a shared machine. The power of a duet is promised for this scenario, and further setups are tried with it.
pub(super) const ALL_DISTURBANCES: Scenario = Scenario {
    name: "all disturbances",
    requests: BURSTS,
    machine_load: 0.05,
    autocorrelation: 0.5,
    drift: 0.03,
    run_effect: 0.01,
    ..LAUNCHES
};

/// All scenarios, in the order in which they are shown.
pub(super) const SCENARIOS: &[Scenario] = &[
    QUIET,
    NOISY,
    Scenario { name: "bursts", requests: BURSTS, ..NOISY },
    // Thirty interleaved cells hide the correlation, as interleaving is meant to. One cell does not.
    LOADED,
    Scenario { name: "autocorrelation 0.5, 1 cell", cells: 1, ..LOADED },
    Scenario { name: "drift 4%", drift: 0.04, ..NOISY },
    LAUNCHES,
    Scenario { name: "launch effect 2%", launch_effect: 0.02, ..NOISY },
    Scenario { name: "run effect 1%", run_effect: 0.01, ..LAUNCHES },
    Scenario { name: "run effect 2%", run_effect: 0.02, ..LAUNCHES },
    Scenario { name: "run effect 5%", run_effect: 0.05, ..LAUNCHES },
    Scenario {
        name: "heavy tails",
        requests: Requests { service_times: ServiceTimes::Pareto, ..QUIET.requests },
        ..NOISY
    },
    Scenario { name: "two modes", two_modes: 0.05, ..NOISY },
    Scenario { name: "discrete latencies", latency_step: 0.25, ..NOISY },
    Scenario { name: "few requests", requests: Requests { count: 60, ..QUIET.requests }, ..LAUNCHES },
    // 600 requests, so that the successful ones are enough for a p99.
    Scenario {
        name: "failures 2%",
        failures: 0.02,
        requests: Requests { count: 600, ..QUIET.requests },
        ..LAUNCHES
    },
    ALL_DISTURBANCES,
    Scenario { name: "all, 4 cells", cells: 4, ..ALL_DISTURBANCES },
    Scenario { name: "all, 1 cell", cells: 1, ..ALL_DISTURBANCES },
];

/// A suite of thirteen cells on one machine whose runs differ by 2%.
pub(super) const QUIET_MACHINE: Scenario = Scenario {
    name: "run effect 2%",
    cells: 13,
    round_noise: 0.03,
    launch_effect: 0.01,
    run_effect: 0.02,
    control_noise: 0.015,
    ..QUIET
};

/// Worlds in which stored runs are compared with, in the order in which they are shown.
pub(super) const WORLDS: &[Scenario] = &[
    QUIET_MACHINE,
    Scenario { name: "run effect 2%, 1 cell", cells: 1, ..QUIET_MACHINE },
    Scenario { name: "run effect 2%, 30 cells", cells: 30, ..QUIET_MACHINE },
    Scenario { name: "run effect 3%", run_effect: 0.03, ..QUIET_MACHINE },
    Scenario { name: "run effect 4%", run_effect: 0.04, ..QUIET_MACHINE },
    Scenario { name: "control noise 3%", control_noise: 0.03, ..QUIET_MACHINE },
    Scenario { name: "control noise 5%", control_noise: 0.05, ..QUIET_MACHINE },
    Scenario { name: "sittings differ by 4%", sitting_effect: 0.04, ..QUIET_MACHINE },
    Scenario { name: "sittings differ by 10%", sitting_effect: 0.10, ..QUIET_MACHINE },
    Scenario { name: "machines differ by 12%", sitting_effect: 0.12, ..QUIET_MACHINE },
    Scenario { name: "machines differ by 35%", sitting_effect: 0.35, ..QUIET_MACHINE },
    Scenario {
        name: "the same, unlike for each cell",
        sitting_effect: 0.35,
        answers_differ: 0.5,
        ..QUIET_MACHINE
    },
];

impl Scenario {
    /// Whether it is one of [`WORLDS`].
    pub fn is_world(&self) -> bool {
        self.control_noise > 0.0
    }

    /// Sd of the means of runs, from run effect and drift. Drift moves the mean of a run by half of itself.
    pub fn sd_of_runs(&self) -> f64 {
        self.run_effect.hypot(0.5 * self.drift)
    }
}

/// The other side of the comparison, and the launches over which rounds are spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Setup {
    /// 0 in a duet, whose base is measured in the same run and whose candidates are measured again.
    pub stored_runs: u32,
    pub head_runs: u32,
    /// Launches of a run.
    pub launches: usize,
    /// Rounds of a cell in one launch.
    pub rounds: usize,
    /// Whether stored runs only screen, and fresh pairs against the tree that began the epoch decide.
    pub confirms: bool,
}

/// The default layout of a duet.
pub(super) const DUET: Setup = duet(30, 1);
pub(super) const FIVE_STORED: Setup = stored(5, 1);
const ONE_STORED: Setup = stored(1, 1);
/// Five stored runs that screen.
pub(super) const SCREENED: Setup = Setup { confirms: true, ..FIVE_STORED };

/// Slow starts, `--quick`, one launch (a service that plimsoll did not start), and several runs of head.
const FURTHER_SETUPS: [Setup; 5] = [duet(10, 3), duet(5, 6), duet(5, 2), duet(1, 30), stored(5, 3)];

const fn duet(launches: usize, rounds: usize) -> Setup {
    Setup { stored_runs: 0, head_runs: 1, launches, rounds, confirms: true }
}

const fn stored(stored_runs: u32, head_runs: u32) -> Setup {
    Setup { stored_runs, head_runs, launches: 10, rounds: 3, confirms: false }
}

impl Setup {
    pub fn is_duet(self) -> bool {
        self.stored_runs == 0
    }

    pub fn name(self) -> String {
        let base = match (self.stored_runs, self.head_runs) {
            (0, _) => "duet".to_owned(),
            (1, 1) => "1 stored run".to_owned(),
            (stored, 1) => format!("{stored} stored runs"),
            (stored, head) => format!("{stored} stored and {head} head runs"),
        };
        let screens = if self.confirms && !self.is_duet() { " that screen" } else { "" };
        format!("{base}{screens}, {} × {}", self.launches, self.rounds)
    }
}

/// The true change of the first cell. All other cells are unchanged, unless it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    None,
    /// All latencies are longer by this many percent.
    Slower(u32),
    /// The slow path is slower by this many percent.
    SlowerTail(u32),
    /// All latencies of all cells are longer by this many percent.
    AllSlower(u32),
}

impl Change {
    pub fn name(self) -> String {
        match self {
            Self::None => "none".to_owned(),
            Self::Slower(percent) => format!("+{percent}%"),
            Self::SlowerTail(percent) => format!("tail +{percent}%"),
            Self::AllSlower(percent) => format!("all +{percent}%"),
        }
    }

    /// The logarithm of the factor by which head's latencies are longer.
    pub fn log_factor(self, cell: usize) -> f64 {
        match self {
            Self::Slower(percent) if cell == 0 => (f64::from(percent) / 100.0).ln_1p(),
            Self::AllSlower(percent) => (f64::from(percent) / 100.0).ln_1p(),
            _ => 0.0,
        }
    }

    /// Head's requests, given base's.
    pub fn requests(self, cell: usize, base: Requests) -> Requests {
        match self {
            Self::SlowerTail(percent) if cell == 0 => Requests { slower_tail_percent: percent, ..base },
            _ => base,
        }
    }
}

/// Simulated calls with the same truth.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    pub scenario: Scenario,
    pub setup: Setup,
    pub change: Change,
}

impl Case {
    pub fn name(&self) -> String {
        let (setup, change) = (self.setup.name(), self.change.name());
        format!("{}, {setup}, change {change}", self.scenario.name)
    }
}

/// One stored run is tried only where runs differ.
pub(super) fn setups(scenario: &Scenario) -> Vec<Setup> {
    if scenario.is_world() {
        return vec![SCREENED, FIVE_STORED];
    }
    let mut setups = vec![DUET, FIVE_STORED];
    if scenario.run_effect > 0.0 {
        setups.push(ONE_STORED);
    }
    if scenario.name == ALL_DISTURBANCES.name {
        setups.extend(FURTHER_SETUPS);
    }
    setups
}

/// The true changes, first none. Stored runs find only larger ones.
pub(super) fn changes(scenario: &Scenario, setup: Setup) -> Vec<Change> {
    use Change::{AllSlower, None, Slower, SlowerTail};
    if scenario.is_world() {
        vec![None, Slower(5), Slower(10), Slower(20), AllSlower(5), AllSlower(10), AllSlower(20)]
    } else if setup.is_duet() {
        vec![None, Slower(2), Slower(5), Slower(10), SlowerTail(15)]
    } else {
        vec![None, Slower(5), Slower(10), Slower(20), SlowerTail(15)]
    }
}

/// The cases of each scenario in each setup.
pub(super) fn cases(scenarios: &[Scenario]) -> Vec<Case> {
    let in_setups = |scenario: &Scenario| {
        let scenario = *scenario;
        let in_setup = move |setup| {
            changes(&scenario, setup).into_iter().map(move |change| Case { scenario, setup, change })
        };
        setups(&scenario).into_iter().flat_map(in_setup)
    };
    scenarios.iter().flat_map(in_setups).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::describe::{mean, sample_variance};

    #[test]
    fn random_numbers_have_the_moments_of_their_distributions() {
        let mut rng = Rng::new(1);
        let normal: Vec<f64> = (0..20_000).map(|_| rng.normal(2.0)).collect();
        assert!(mean(&normal).unwrap().abs() < 0.05);
        assert!((sample_variance(&normal).unwrap() - 4.0).abs() < 0.15);
        for expected in [0.0, 3.0, 200.0] {
            let counts: Vec<f64> = (0..20_000).map(|_| rng.poisson(expected) as f64).collect();
            assert!((mean(&counts).unwrap() - expected).abs() <= 0.02 * expected);
            assert!((sample_variance(&counts).unwrap() - expected).abs() <= 0.06 * expected);
        }
    }
}
