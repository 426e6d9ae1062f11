//! The order of launches and rounds.
//!
//! Rounds of all cells are interleaved in random order (randomized multiple interleaved trials, Abedi & Brecht, ICPE 2017), so
//! that other work on the machine affects all cells in the same way.

use std::time::Duration;

use fastrand::Rng;

use crate::plan::settings::MIN_LAUNCHES;

/// One launch of one service, and the rounds that it serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// Index into [`Schedule::services`].
    pub service: usize,
    /// Index of the launch among those of the service.
    pub launch: usize,
    /// For each round, in order of time, the index of its cell.
    pub rounds: Vec<usize>,
}

/// The launches and rounds of all services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    pub services: Vec<ServiceSchedule>,
}

/// The launches and rounds of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSchedule {
    /// Launches per run.
    pub launches: usize,
    /// Rounds per cell and run.
    pub rounds: usize,
    /// Indices of its cells.
    pub cells: Vec<usize>,
}

impl Schedule {
    /// All launches of one run in order of time. The order depends only on the seed.
    pub fn visits(&self, seed: u64) -> Vec<Visit> {
        let mut rng = Rng::with_seed(seed);
        let sweeps = self.services.iter().map(|service| service.launches).max().unwrap_or(0);
        let mut visits = Vec::new();
        for sweep in 0..sweeps {
            let mut order: Vec<usize> =
                (0..self.services.len()).filter(|&service| sweep < self.services[service].launches).collect();
            rng.shuffle(&mut order);
            for service in order {
                let rounds = self.services[service].rounds_of(sweep, &mut rng);
                visits.push(Visit { service, launch: sweep, rounds });
            }
        }
        visits
    }
}

impl ServiceSchedule {
    /// The rounds of one launch: passes over the cells, each in a new random order.
    fn rounds_of(&self, launch: usize, rng: &mut Rng) -> Vec<usize> {
        let passes = self.rounds * (launch + 1) / self.launches - self.rounds * launch / self.launches;
        let mut order = Vec::new();
        for _ in 0..passes {
            let mut cells = self.cells.clone();
            rng.shuffle(&mut cells);
            order.extend(cells);
        }
        order
    }
}

/// Starts and warm-ups may take at most this share of the measuring time.
const LAUNCHING_SHARE: f64 = 1.0 / 3.0;

/// The number of launches of a service whose cells have `rounds` rounds each: the largest divisor of `rounds`, at least five, for
/// which all launches (`launch_cost` each) take at most a third of `measuring_time`, the measuring time of all its cells.
pub(crate) fn affordable_launches(rounds: usize, measuring_time: Duration, launch_cost: Duration) -> usize {
    let budget = measuring_time.as_secs_f64() * LAUNCHING_SHARE;
    let min = MIN_LAUNCHES.min(rounds);
    let divisors = (1..=rounds).rev().filter(|launches| rounds.is_multiple_of(*launches));
    let mut smallest = rounds.max(1);
    for launches in divisors.filter(|launches| *launches >= min) {
        if launch_cost.as_secs_f64() * launches as f64 <= budget {
            return launches;
        }
        smallest = launches;
    }
    smallest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule() -> Schedule {
        Schedule {
            services: vec![
                ServiceSchedule { launches: 5, rounds: 10, cells: vec![0, 1] },
                ServiceSchedule { launches: 1, rounds: 7, cells: vec![2] },
            ],
        }
    }

    #[test]
    fn each_cell_gets_all_its_rounds_spread_evenly_over_the_launches() {
        let visits = schedule().visits(1);
        assert_eq!(visits.len(), 6);
        for (cell, rounds) in [(0, 10), (1, 10), (2, 7)] {
            let had: usize = visits.iter().flat_map(|visit| &visit.rounds).filter(|&&c| c == cell).count();
            assert_eq!(had, rounds);
        }
        for visit in visits.iter().filter(|visit| visit.service == 0) {
            assert_eq!(visit.rounds.iter().filter(|&&cell| cell == 0).count(), 2);
        }
    }

    #[test]
    fn the_order_is_random_but_repeatable() {
        assert_eq!(schedule().visits(7), schedule().visits(7));
        let orders: Vec<_> = (0..20).map(|seed| schedule().visits(seed)).collect();
        assert!(orders.iter().any(|order| order != &orders[0]));
    }

    #[test]
    fn launches_take_at_most_a_third_of_the_measuring_time() {
        let seconds = Duration::from_secs_f64;
        assert_eq!(affordable_launches(30, seconds(10.0), seconds(0.1)), 30);
        assert_eq!(affordable_launches(30, seconds(10.0), seconds(0.3)), 10);
        assert_eq!(affordable_launches(30, seconds(10.0), seconds(5.0)), 5, "never fewer than five");
        assert_eq!(
            affordable_launches(11, seconds(10.0), seconds(5.0)),
            11,
            "a prime has no divisor between"
        );
    }
}
