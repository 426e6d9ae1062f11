//! The order of everything: which service is launched when, and which cell has its round when.
//!
//! Rounds of all cells are interleaved in random order (randomised multiple interleaved trials, Abedi & Brecht, ICPE 2017),
//! so that what the machine does meanwhile hits all of them alike.

use std::time::Duration;

use fastrand::Rng;

use crate::plan::settings::MIN_LAUNCHES;

/// One launch of one service: the cells whose rounds it serves, in order of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// Which of the services.
    pub service: usize,
    /// Which launch of it, counted from 0.
    pub launch: usize,
    /// Indices of cells, a round each.
    pub rounds: Vec<usize>,
}

/// What is to be scheduled for all services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// For each service its launches, its rounds and its cells.
    pub services: Vec<ServiceSchedule>,
}

/// A service's launches, and its cells, which have as many rounds each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSchedule {
    /// Launches in one run.
    pub launches: usize,
    /// Rounds of each cell in one run.
    pub rounds: usize,
    /// Indices of its cells.
    pub cells: Vec<usize>,
}

impl Schedule {
    /// All launches of one run in order of time. The same seed gives the same order.
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
    /// The rounds of one launch: passes over the cells, each pass in an order of its own.
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

/// The share of the measuring time that starts and warm-ups may take.
const SHARE_OF_LAUNCHING: f64 = 1.0 / 3.0;

/// How many launches a service gets whose cells have so many rounds each: the largest divisor of the rounds whose starts and
/// warm-ups (`launch_cost` each) take at most a third of the time that all its cells are measured for, at least five.
pub(crate) fn affordable_launches(rounds: usize, measuring_time: Duration, launch_cost: Duration) -> usize {
    let budget = measuring_time.as_secs_f64() * SHARE_OF_LAUNCHING;
    let least = MIN_LAUNCHES.min(rounds);
    let divisors = (1..=rounds).rev().filter(|launches| rounds.is_multiple_of(*launches));
    let mut smallest_sound = rounds.max(1);
    for launches in divisors.filter(|launches| *launches >= least) {
        if launch_cost.as_secs_f64() * launches as f64 <= budget {
            return launches;
        }
        smallest_sound = launches;
    }
    smallest_sound
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
    fn as_many_launches_as_a_third_of_the_time_pays_for() {
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
