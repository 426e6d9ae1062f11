//! One time slice of one cell.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::record::histogram::Histogram;
use crate::record::metric::{METRICS, Metric, Unit};
use crate::record::tally::{Counts, Tally};

/// A larger count in a file is damage, and sums could overflow.
const MAX_COUNT: u64 = 1_000_000_000_000;

/// One time slice of one cell.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Round {
    /// The launch that served it, counted from 0 within its run.
    pub launch: usize,
    /// When it began, since the start of the run.
    pub started: Duration,
    /// The time for which its window was open.
    pub window: Duration,
    /// What was counted.
    pub counts: Counts,
    /// The value of each metric that it has, by id, in the metric's unit.
    pub values: BTreeMap<&'static str, f64>,
    /// Latencies of the successes.
    pub latency: Histogram,
    /// Latencies of the other whole responses.
    pub failure_latency: Histogram,
}

impl Round {
    /// Closes a tally: takes the values of all metrics.
    pub fn close(tally: &Tally, launch: usize, started: Duration) -> Self {
        let value = |metric: &'static Metric| Some((metric.id, fifteen_digits(metric.value(tally)?)));
        Self {
            launch,
            started,
            window: tally.window,
            counts: tally.counts.clone(),
            values: METRICS.iter().filter_map(value).filter(|(_, value)| value.is_finite()).collect(),
            latency: tally.latency.to_sparse(),
            failure_latency: tally.failure_latency.to_sparse(),
        }
    }

    /// The problem of a round that was read from a file, if it has one.
    pub(crate) fn problem(&self) -> Option<String> {
        let Counts { requests, successes, .. } = self.counts;
        if requests > MAX_COUNT || successes > requests {
            return Some(format!("a round has {successes} successes of {requests} requests"));
        }
        // A server may count its tokens as it likes.
        let is_possible = |id: &str, value: f64| {
            let is_of_tokens = |metric: &Metric| matches!(metric.unit, Unit::Tokens | Unit::TokensPerSecond);
            value >= 0.0 || METRICS.iter().any(|metric| metric.id == id && is_of_tokens(metric))
        };
        let wrong = self.values.iter().find(|(id, value)| !is_possible(id, **value));
        wrong.map(|(id, value)| format!("a round has {value} as its {id}"))
    }
}

/// A number that a file gives back to the bit: serde_json reads up to 15 digits exactly, and more only by a feature that the whole build
/// would get, the service included.
fn fifteen_digits(value: f64) -> f64 {
    format!("{value:.14e}").parse().unwrap_or(value)
}

/// Rounds in files: an array for each count and each metric, with one number per round, so that a run is small and a diff readable.
pub(crate) mod columns {
    use std::collections::{BTreeMap, BTreeSet};
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    use crate::record::fault::Fault;
    use crate::record::histogram::Histogram;
    use crate::record::metric::metric;
    use crate::record::round::Round;
    use crate::record::tally::Counts;

    #[derive(Serialize, Deserialize)]
    struct Columns {
        launch: Vec<usize>,
        started_s: Vec<f64>,
        window_s: Vec<f64>,
        requests: Vec<u64>,
        successes: Vec<u64>,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        statuses: BTreeMap<u16, Vec<u64>>,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        faults: BTreeMap<Fault, Vec<u64>>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        connections: Vec<u64>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        reconnects: Vec<u64>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        excess: Vec<u64>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        unstamped: Vec<u64>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        slow_sends: Vec<u64>,
        values: BTreeMap<String, Vec<Option<f64>>>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        latency: Vec<Histogram>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        failure_latency: Vec<Histogram>,
    }

    pub(crate) fn serialize<S: Serializer>(rounds: &[Round], serializer: S) -> Result<S::Ok, S::Error> {
        let counts = |count: fn(&Counts) -> u64| -> Vec<u64> {
            let column: Vec<u64> = rounds.iter().map(|round| count(&round.counts)).collect();
            if column.iter().all(|count| *count == 0) { Vec::new() } else { column }
        };
        let histograms = |histogram: fn(&Round) -> &Histogram| -> Vec<Histogram> {
            let column: Vec<Histogram> = rounds.iter().map(|round| histogram(round).clone()).collect();
            if column.iter().all(Histogram::is_empty) { Vec::new() } else { column }
        };
        let values = by_key(rounds, |round| &round.values, |value| value);
        Columns {
            launch: rounds.iter().map(|round| round.launch).collect(),
            started_s: rounds.iter().map(|round| round.started.as_secs_f64()).collect(),
            window_s: rounds.iter().map(|round| round.window.as_secs_f64()).collect(),
            requests: rounds.iter().map(|round| round.counts.requests).collect(),
            successes: rounds.iter().map(|round| round.counts.successes).collect(),
            statuses: by_key(rounds, |round| &round.counts.statuses, |count| count.unwrap_or(0)),
            faults: by_key(rounds, |round| &round.counts.faults, |count| count.unwrap_or(0)),
            connections: counts(|counts| counts.connections),
            reconnects: counts(|counts| counts.reconnects),
            excess: counts(|counts| counts.excess),
            unstamped: counts(|counts| counts.unstamped),
            slow_sends: counts(|counts| counts.slow_sends),
            values: values.into_iter().map(|(id, column)| (id.to_owned(), column)).collect(),
            latency: histograms(|round| &round.latency),
            failure_latency: histograms(|round| &round.failure_latency),
        }
        .serialize(serializer)
    }

    /// A column for each key of any round.
    fn by_key<K: Ord + Copy, V: Copy, T>(
        rounds: &[Round],
        map: fn(&Round) -> &BTreeMap<K, V>,
        entry: fn(Option<V>) -> T,
    ) -> BTreeMap<K, Vec<T>> {
        let keys: BTreeSet<K> = rounds.iter().flat_map(|round| map(round).keys().copied()).collect();
        let column = |key: K| rounds.iter().map(|round| entry(map(round).get(&key).copied())).collect();
        keys.into_iter().map(|key| (key, column(key))).collect()
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Round>, D::Error> {
        let columns = Columns::deserialize(deserializer)?;
        let length = columns.launch.len();
        let is_whole = [columns.started_s.len(), columns.window_s.len(), columns.requests.len()]
            .into_iter()
            .chain([columns.successes.len()])
            .chain(columns.statuses.values().chain(columns.faults.values()).map(Vec::len))
            .chain(columns.values.values().map(Vec::len))
            .all(|column| column == length);
        if !is_whole {
            return Err(de::Error::custom("the columns of its rounds differ in length"));
        }
        let seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).map_err(de::Error::custom);
        let optional = |column: &[u64], index: usize| column.get(index).copied().unwrap_or(0);
        let mut rounds = Vec::with_capacity(length);
        for index in 0..length {
            let mut round = Round {
                launch: columns.launch[index],
                started: seconds(columns.started_s[index])?,
                window: seconds(columns.window_s[index])?,
                counts: Counts {
                    requests: columns.requests[index],
                    successes: columns.successes[index],
                    connections: optional(&columns.connections, index),
                    reconnects: optional(&columns.reconnects, index),
                    excess: optional(&columns.excess, index),
                    unstamped: optional(&columns.unstamped, index),
                    slow_sends: optional(&columns.slow_sends, index),
                    ..Counts::default()
                },
                latency: columns.latency.get(index).cloned().unwrap_or_default(),
                failure_latency: columns.failure_latency.get(index).cloned().unwrap_or_default(),
                ..Round::default()
            };
            round.counts.statuses = counted(&columns.statuses, index);
            round.counts.faults = counted(&columns.faults, index);
            for (id, column) in &columns.values {
                let Some(value) = column[index] else { continue };
                let metric = metric(id).ok_or_else(|| {
                    de::Error::custom(format_args!(
                        "`{id}` is not a metric: it may come from a newer plimsoll"
                    ))
                })?;
                round.values.insert(metric.id, value);
            }
            rounds.push(round);
        }
        Ok(rounds)
    }

    fn counted<K: Ord + Copy>(columns: &BTreeMap<K, Vec<u64>>, index: usize) -> BTreeMap<K, u64> {
        columns.iter().map(|(key, column)| (*key, column[index])).filter(|(_, count)| *count > 0).collect()
    }
}

/// The rounds of one cell in one run, as nested by launches as they were measured.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Series {
    /// For each metric by id: for each launch the values of its rounds, in the metric's unit.
    /// A metric is here only when each round has it.
    pub values: BTreeMap<&'static str, Vec<Vec<f64>>>,
    /// For each launch the exchanges of its rounds.
    pub requests: Vec<Vec<u64>>,
    /// For each launch the successes of its rounds.
    pub successes: Vec<Vec<u64>>,
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
        let counted = |count: fn(&Round) -> u64| -> Vec<Vec<u64>> {
            launches.values().map(|rounds| rounds.iter().map(|round| count(round)).collect()).collect()
        };
        let metrics = metrics.iter().filter(|_| !rounds.is_empty()).map(|metric| metric.id);
        Self {
            values: metrics
                .filter_map(|id| Some((id, nested(&|round| round.values.get(id).copied())?)))
                .collect(),
            requests: counted(|round| round.counts.requests),
            successes: counted(|round| round.counts.successes),
        }
    }

    /// The number of launches.
    pub fn launches(&self) -> usize {
        self.requests.len()
    }

    /// The number of rounds.
    pub fn rounds(&self) -> usize {
        self.requests.iter().map(Vec::len).sum()
    }

    /// Exchanges and successes of each launch.
    pub fn counts_by_launch(&self) -> impl Iterator<Item = (u64, u64)> {
        let sum = |rounds: &Vec<u64>| rounds.iter().sum();
        self.requests.iter().map(sum).zip(self.successes.iter().map(sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::metric::metric;

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
        assert_eq!(series.counts_by_launch().collect::<Vec<_>>(), [(4, 2), (2, 1)]);
        let gap = Series::new(&[round(0, Some(1)), round(0, None)], &[metric("latency_p50").unwrap()]);
        assert!(gap.values.is_empty());
    }
}
