//! What `judge` sees of a cell: the values of each metric by launch and round, and the counts.

use std::collections::BTreeMap;

use crate::record::metric::Metric;
use crate::record::round::Round;

/// The rounds of one cell in one run, as nested by launches as they were measured.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    /// For each metric by id: for each launch the values of its rounds, in the metric's unit.
    /// A metric is here only when each round has it.
    pub values: BTreeMap<String, Vec<Vec<f64>>>,
    /// For each launch the exchanges of its rounds.
    pub requests: Vec<Vec<u64>>,
    /// For each launch the failures of its rounds.
    pub failures: Vec<Vec<u64>>,
}

impl Series {
    /// Nests rounds by launch. Of the metrics, only those stay that each round has: a value must not disappear because a round was
    /// slow.
    pub fn new(rounds: &[Round], metrics: &[&'static Metric]) -> Self {
        let mut launches: BTreeMap<usize, Vec<&Round>> = BTreeMap::new();
        for round in rounds {
            launches.entry(round.launch).or_default().push(round);
        }
        let nested = |value: &dyn Fn(&Round) -> Option<f64>| -> Option<Vec<Vec<f64>>> {
            launches.values().map(|rounds| rounds.iter().map(|round| value(round)).collect()).collect()
        };
        let counted = |count: &dyn Fn(&Round) -> u64| -> Vec<Vec<u64>> {
            launches.values().map(|rounds| rounds.iter().map(|round| count(round)).collect()).collect()
        };
        let values = metrics
            .iter()
            .map(|metric| metric.id)
            .filter_map(|id| Some((id.to_owned(), nested(&|round| round.values.get(id).copied())?)));
        Self {
            values: if rounds.is_empty() { BTreeMap::new() } else { values.collect() },
            requests: counted(&|round| round.counts.requests),
            failures: counted(&|round| round.counts.requests - round.counts.successes),
        }
    }

    /// The number of launches.
    pub fn launches(&self) -> usize {
        self.requests.len()
    }

    /// Exchanges and failures of each launch.
    pub fn counts_by_launch(&self) -> Vec<(u64, u64)> {
        let sum = |rounds: &Vec<u64>| rounds.iter().sum();
        self.requests.iter().map(sum).zip(self.failures.iter().map(sum)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::metric::metric;
    use crate::record::tally::{Counts, Tally};
    use std::time::Duration;

    fn round(launch: usize, latency_ms: Option<u64>) -> Round {
        let mut tally = Tally { counts: Counts { requests: 2, ..Counts::default() }, ..Tally::default() };
        if let Some(milliseconds) = latency_ms {
            tally.counts.successes = 1;
            tally.latency.record(Duration::from_millis(milliseconds));
        }
        Round::close(&tally, launch, Duration::ZERO)
    }

    #[test]
    fn rounds_are_nested_by_launch_and_metrics_with_a_gap_stay_out() {
        let rounds = [round(0, Some(1)), round(1, Some(2)), round(0, Some(3))];
        let series = Series::new(&rounds, &["latency_p50", "lag"].map(|id| metric(id).unwrap()));
        assert_eq!(series.values["latency_p50"].iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
        assert!(!series.values.contains_key("lag"));
        assert_eq!(series.counts_by_launch(), [(4, 2), (2, 1)]);
        let gap = Series::new(&[round(0, Some(1)), round(0, None)], &[metric("latency_p50").unwrap()]);
        assert!(gap.values.is_empty());
    }
}
