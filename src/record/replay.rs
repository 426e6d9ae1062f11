//! A stored run as a run again, so that a baseline can be judged and shown in the place of what would be measured.

use std::time::{Duration, UNIX_EPOCH};

use crate::plan::{Cell, Group};
use crate::record::baseline::StoredRun;
use crate::record::environment::Environment;
use crate::record::histogram::EncodedHistogram;
use crate::record::metric::metric;
use crate::record::round::{Counts, Round};
use crate::record::run::{CellRun, Run};
use crate::record::run_id::time_of_run;
use crate::record::series::Series;

impl StoredRun {
    /// The run as far as a baseline tells: the cells that `group` still has, each round with its values and counts, but
    /// without histograms, statuses or kinds of faults.
    pub fn to_run(&self, bench: &str, group: &Group) -> Run {
        let Self { machine, setup, commit, dirty, load, .. } = self.clone();
        let cell = |cell: &Cell| Some(self.cell(group, cell, self.cells.get(&cell.id.to_string())?));
        Run {
            id: self.id.clone(),
            bench: bench.to_owned(),
            started: time_of_run(&self.id).unwrap_or(UNIX_EPOCH),
            elapsed: Duration::ZERO,
            environment: Environment { machine, setup, commit, dirty, load, condition: None },
            base_ref: None,
            cells: group.cells.iter().filter_map(cell).collect(),
            stop: None,
            look: 0,
            confirmation: None,
        }
    }

    fn cell(&self, group: &Group, cell: &Cell, series: &Series) -> CellRun {
        CellRun {
            definition: series.definition.clone(),
            window: self.window,
            metrics: series.values.keys().filter_map(|id| metric(id)).collect(),
            rounds: rounds(series, self.window),
            ..CellRun::planned(group, cell)
        }
    }
}

fn rounds(series: &Series, window: Duration) -> Vec<Round> {
    let mut rounds = Vec::new();
    for (launch, requests) in series.requests.iter().enumerate() {
        for (number, requests) in requests.iter().enumerate() {
            let at = |launches: &Vec<Vec<f64>>| launches.get(launch)?.get(number).copied();
            let failures =
                series.failures.get(launch).and_then(|rounds| rounds.get(number)).copied().unwrap_or(0);
            let counts = Counts {
                requests: *requests,
                successes: requests.saturating_sub(failures),
                ..Counts::default()
            };
            let values =
                series.values.iter().filter_map(|(id, launches)| Some((metric(id)?.id, at(launches)?)));
            rounds.push(Round {
                launch,
                started: Duration::ZERO,
                window,
                counts,
                values: values.collect(),
                latency: EncodedHistogram::default(),
                failure_latency: EncodedHistogram::default(),
            });
        }
    }
    rounds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Endpoint, Load, Location};
    use crate::record::environment::Machine;
    use std::collections::BTreeMap;

    #[test]
    fn a_stored_run_is_replayed_as_it_was_stored() {
        let mut group = Group::new("g", Location::unknown());
        for id in ["a", "new"] {
            group.cells.push(Cell {
                id: id.into(),
                targets: Endpoint::get("/").into(),
                load: Load::closed(1),
                throughput: None,
                location: Location::unknown(),
                metrics: None,
            });
        }
        let series = Series {
            definition: "d".to_owned(),
            values: BTreeMap::from([("latency_p50".to_owned(), vec![vec![1.0, 2.0], vec![3.0]])]),
            requests: vec![vec![80, 90], vec![70]],
            failures: vec![vec![0, 1], vec![2]],
        };
        let stored = StoredRun {
            id: "20261124T170012Z".to_owned(),
            epoch: 1,
            machine: Machine::default(),
            setup: BTreeMap::new(),
            commit: None,
            dirty: false,
            load: 0.5,
            window: Duration::from_millis(9),
            cells: BTreeMap::from([("a".to_owned(), series.clone()), ("gone".to_owned(), series)]),
        };
        let run = stored.to_run("suite", &group);
        assert_eq!(run.cells.iter().map(|cell| cell.id.as_str()).collect::<Vec<_>>(), ["a"]);
        assert_eq!(run.cells[0].series(), stored.cells["a"]);
        let again = StoredRun::new("g", &run).unwrap();
        assert_eq!((again.id, again.window, again.load), (stored.id, stored.window, stored.load));
    }
}
