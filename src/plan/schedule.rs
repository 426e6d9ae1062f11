//! The order of everything: which service is launched when, and which cell has its round when.
//!
//! Rounds of all cells are interleaved in random order (randomised multiple interleaved trials, Abedi & Brecht, ICPE 2017),
//! so that what the machine does meanwhile hits all of them alike.

use std::time::Duration;

use fastrand::Rng;

use crate::plan::settings::{LEAST_LAUNCHES, affordable_launches};

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

/// What is to be scheduled for one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// For each service its launches and its cells.
    pub services: Vec<ServiceSchedule>,
}

/// A service's launches, and the rounds of each of its cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSchedule {
    /// Launches in one run.
    pub launches: usize,
    /// Index and rounds of each cell.
    pub cells: Vec<(usize, usize)>,
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
        let share = |rounds: usize| rounds * (launch + 1) / self.launches - rounds * launch / self.launches;
        let passes = self.cells.iter().map(|&(_, rounds)| share(rounds)).max().unwrap_or(0);
        let mut order = Vec::new();
        for pass in 0..passes {
            let mut cells: Vec<usize> = self
                .cells
                .iter()
                .filter(|&&(_, rounds)| pass < share(rounds))
                .map(|&(cell, _)| cell)
                .collect();
            rng.shuffle(&mut cells);
            order.extend(cells);
        }
        order
    }
}

/// How many launches a service gets whose cells have so many rounds each: see [`Settings`](crate::plan::Settings).
///
/// `measuring_time` is that of all its cells together, `launch_cost` one start with its warm-up.
pub fn launches_for(rounds: &[usize], measuring_time: Duration, launch_cost: Duration) -> usize {
    let common = rounds.iter().copied().fold(0, greatest_common_divisor);
    // Rounds without a common divisor are shared unevenly rather than over too few launches.
    let shared = if common < LEAST_LAUNCHES { rounds.iter().copied().min().unwrap_or(1) } else { common };
    affordable_launches(shared.max(1), measuring_time, launch_cost)
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule() -> Schedule {
        Schedule {
            services: vec![
                ServiceSchedule { launches: 5, cells: vec![(0, 10), (1, 10)] },
                ServiceSchedule { launches: 1, cells: vec![(2, 7)] },
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
    fn cells_of_different_sizes_share_launches_that_divide_both() {
        let second = Duration::from_secs(1);
        assert_eq!(launches_for(&[30, 20], 100 * second, second / 100), 10);
        assert_eq!(launches_for(&[12, 11], 100 * second, second / 100), 11, "not one");
    }
}
