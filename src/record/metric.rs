//! The table of metrics. Files, tables, charts and judging all come from it: a new metric is a new row.

use std::borrow::Cow;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::plan::metric as id;
use crate::record::tally::Tally;

/// The unit of a metric's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A share, from 0 to 1.
    Ratio,
    /// Nanoseconds.
    Nanoseconds,
    /// Exchanges per second.
    PerSecond,
    /// Bytes.
    Bytes,
    /// Tokens.
    Tokens,
    /// Tokens per second.
    TokensPerSecond,
}

/// The direction in which a metric is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Less is better: latencies.
    Lower,
    /// More is better: throughputs.
    Higher,
}

/// How the rounds of a launch become one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Centre {
    /// By their mean.
    Mean,
    /// By their median: bursts of other work hit the tail of single rounds.
    Robust,
}

/// When a metric is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// Always.
    Always,
    /// When it is the highest tail that the cell has.
    HighestTail,
    /// By counts, before everything else: the success ratio.
    ByCounts,
    /// Only if the group asks for it.
    WhenAsked,
}

/// A number that a round has.
#[derive(Debug)]
pub struct Metric {
    /// Its name in files and bench files.
    pub id: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// The unit of its values.
    pub unit: Unit,
    /// The better direction.
    pub better: Better,
    /// How the rounds of a launch become one value.
    pub centre: Centre,
    /// When it is judged.
    pub judged: Judged,
    /// The fewest successes of a round that make it worth having: at least five beyond a percentile.
    pub least_successes: u64,
    /// The quantile (0.99 for p99) if it is a percentile of latency, else `None`.
    pub quantile: Option<f64>,
    value: fn(&Metric, &Tally) -> Option<f64>,
}

/// Rounds differ: a metric is promised only with this factor more successes than it needs.
const RESERVE: u64 = 2;

impl Metric {
    /// Its value of a round; `None` if the round has none.
    pub fn value(&self, tally: &Tally) -> Option<f64> {
        (self.value)(self, tally)
    }

    /// The fewest successes of a trial round by which a cell is promised this metric.
    pub fn promised_from(&self) -> u64 {
        if self.least_successes <= 1 { self.least_successes } else { RESERVE * self.least_successes }
    }

    /// Whether it follows from the counts, so that no file holds it and its change is a difference.
    pub fn is_by_counts(&self) -> bool {
        self.judged == Judged::ByCounts
    }
}

impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id)
    }
}

impl<'de> Deserialize<'de> for &'static Metric {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = Cow::<str>::deserialize(deserializer)?;
        let unknown = || format!("`{id}` is not a metric: it may come from a newer plimsoll");
        metric(&id).ok_or_else(|| de::Error::custom(unknown()))
    }
}

impl PartialEq for Metric {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Metric {}

/// The fewest exchanges that make a rate.
const LEAST_FOR_A_RATE: u64 = 20;

const fn latency(
    id: &'static str,
    title: &'static str,
    judged: Judged,
    least_successes: u64,
    value: fn(&Metric, &Tally) -> Option<f64>,
) -> Metric {
    Metric {
        id,
        title,
        unit: Unit::Nanoseconds,
        better: Better::Lower,
        centre: Centre::Robust,
        judged,
        least_successes,
        quantile: None,
        value,
    }
}

const fn percentile(
    id: &'static str,
    title: &'static str,
    judged: Judged,
    least_successes: u64,
    quantile: f64,
) -> Metric {
    // Above the middle a burst of other work counts for more than it lasts.
    let centre = if quantile <= 0.5 { Centre::Mean } else { Centre::Robust };
    let latency = latency(id, title, judged, least_successes, |metric, tally| {
        tally.latency.quantile_ns(metric.quantile?)
    });
    Metric { centre, quantile: Some(quantile), ..latency }
}

const fn rate(
    id: &'static str,
    title: &'static str,
    unit: Unit,
    value: fn(&Metric, &Tally) -> Option<f64>,
) -> Metric {
    Metric {
        id,
        title,
        unit,
        better: Better::Higher,
        centre: Centre::Mean,
        judged: Judged::WhenAsked,
        least_successes: LEAST_FOR_A_RATE,
        quantile: None,
        value,
    }
}

/// All metrics, in the order in which they are shown.
pub static METRICS: &[Metric] = &[
    Metric {
        judged: Judged::ByCounts,
        least_successes: 0,
        ..rate(id::SUCCESS_RATIO, "success ratio", Unit::Ratio, |_, tally| tally.counts.success_ratio())
    },
    percentile(id::LATENCY_P50, "latency p50", Judged::Always, 10, 0.50),
    percentile(id::LATENCY_P90, "latency p90", Judged::HighestTail, 50, 0.90),
    percentile(id::LATENCY_P95, "latency p95", Judged::HighestTail, 100, 0.95),
    percentile(id::LATENCY_P99, "latency p99", Judged::HighestTail, 500, 0.99),
    percentile(id::LATENCY_P99_9, "latency p99.9", Judged::WhenAsked, 5_000, 0.999),
    latency(id::LATENCY_MEAN, "latency mean", Judged::WhenAsked, 10, |_, tally| tally.latency.mean_ns()),
    latency(id::LATENCY_MAX, "latency max", Judged::WhenAsked, 1, |_, tally| tally.latency.max_ns()),
    Metric {
        judged: Judged::Always,
        ..rate(id::THROUGHPUT, "throughput", Unit::PerSecond, |_, tally| {
            tally.per_second(tally.successes_in_window)
        })
    },
    latency(id::CONNECT, "connect p50", Judged::WhenAsked, 1, |_, tally| tally.connect.quantile_ns(0.50)),
    latency(id::LAG, "client lag p99", Judged::WhenAsked, 1, |_, tally| tally.lag.quantile_ns(0.99)),
    latency(id::LAG_MEAN, "client lag mean", Judged::WhenAsked, 1, |_, tally| tally.lag.mean_ns()),
    Metric {
        better: Better::Lower,
        least_successes: 1,
        ..rate(id::RESPONSE_BYTES, "response size", Unit::Bytes, |_, tally| tally.response_bytes.mean())
    },
    Metric {
        least_successes: 1,
        ..rate(id::INPUT_TOKENS, "input tokens", Unit::Tokens, |_, tally| tally.input_tokens.mean())
    },
    Metric {
        least_successes: 1,
        ..rate(id::OUTPUT_TOKENS, "output tokens", Unit::Tokens, |_, tally| tally.output_tokens.mean())
    },
    rate(id::INPUT_TOKEN_THROUGHPUT, "input token throughput", Unit::TokensPerSecond, |_, tally| {
        tally.per_second(tally.input_tokens_in_window?)
    }),
    rate(id::OUTPUT_TOKEN_THROUGHPUT, "output token throughput", Unit::TokensPerSecond, |_, tally| {
        tally.per_second(tally.output_tokens_in_window?)
    }),
];

/// The success ratio, which is judged by counts.
pub fn success_ratio() -> &'static Metric {
    METRICS.iter().find(|metric| metric.is_by_counts()).expect("METRICS has the success ratio")
}

/// The metric of that id.
pub fn metric(id: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.id == id)
}

/// What gives a round more successes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// A longer measurement; `None` if it is not known how long.
    MeasurementTime(Option<Duration>),
    /// A burst of more requests; `None` if it is not known how many.
    Burst(Option<u64>),
    /// A larger burst, or a service that refuses fewer of its requests.
    RefuseFewer,
}

/// A round of a cell on average.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct UsualRound {
    /// Whether a round lasts as long as its window. A burst lasts until each response is back, however long that takes.
    pub is_timed: bool,
    /// The time of all rounds together.
    pub measurement_time: Duration,
    pub requests: f64,
    pub successes: f64,
}

impl UsualRound {
    /// What gives each round enough successes for a metric. `None` if it has enough, or if that is unknown.
    pub(crate) fn remedy(&self, metric: &Metric) -> Option<Remedy> {
        let factor = metric.promised_from() as f64 / self.successes;
        if !factor.is_finite() || factor <= 1.0 {
            return None;
        }
        if self.is_timed {
            let time = Duration::try_from_secs_f64(self.measurement_time.as_secs_f64() * factor).ok()?;
            return Some(Remedy::MeasurementTime(Some(time)));
        }
        // A rate limit may refuse more of a larger burst, too.
        let is_refused = self.successes < self.requests;
        let requests = (self.requests * factor).ceil() as u64;
        Some(if is_refused { Remedy::RefuseFewer } else { Remedy::Burst(Some(requests)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_metric_has_an_id_of_its_own() {
        for (index, metric) in METRICS.iter().enumerate() {
            assert!(METRICS[..index].iter().all(|other| other.id != metric.id), "{}", metric.id);
        }
    }

    #[test]
    fn a_round_yields_its_metrics() {
        let mut tally = Tally { window: Duration::from_millis(500), ..Tally::default() };
        for milliseconds in 1..=100 {
            tally.latency.record(Duration::from_millis(milliseconds));
        }
        (tally.counts.requests, tally.counts.successes, tally.successes_in_window) = (200, 100, 99.5);
        tally.response_bytes.add(1_500.0);
        tally.output_tokens.add(30.0);
        tally.output_tokens_in_window = Some(15.0);
        let value = |id: &str| metric(id).unwrap().value(&tally);
        assert_eq!(value("success_ratio"), Some(0.5));
        assert!((value("latency_p90").unwrap() / 90e6 - 1.0).abs() < 1e-3);
        assert_eq!(value("throughput"), Some(199.0));
        assert_eq!(value("response_bytes"), Some(1_500.0));
        assert_eq!(value("output_tokens"), Some(30.0));
        assert_eq!(value("output_token_throughput"), Some(30.0));
        assert_eq!(value("input_tokens"), None);
        assert_eq!(value("lag"), None);
    }

    #[test]
    fn a_percentile_is_the_quantile_that_it_says_with_five_beyond_it() {
        let mut tally = Tally::default();
        (1..=10_000).for_each(|us| tally.latency.record(Duration::from_micros(us)));
        let percentiles = METRICS.iter().filter_map(|metric| Some((metric, metric.quantile?)));
        for (metric, quantile) in percentiles {
            assert_eq!(metric.value(&tally), tally.latency.quantile_ns(quantile), "{}", metric.id);
            let beyond = (1.0 - quantile) * metric.least_successes as f64;
            assert!((beyond - 5.0).abs() < 1e-9, "{}: {beyond}", metric.id);
        }
    }

    #[test]
    fn an_empty_round_yields_no_latency_and_never_nan() {
        let tally = Tally::default();
        for metric in METRICS {
            assert_eq!(metric.value(&tally), None, "{}", metric.id);
        }
    }

    fn remedy(is_timed: bool, requests: f64, successes: f64) -> Option<Remedy> {
        let measurement_time = Duration::from_secs(10);
        UsualRound { is_timed, measurement_time, requests, successes }.remedy(metric("latency_p99").unwrap())
    }

    #[test]
    fn a_closed_loop_needs_more_time() {
        let Some(Remedy::MeasurementTime(Some(time))) = remedy(true, 400.0, 300.0) else { panic!() };
        assert_eq!(time.as_secs_f64().round(), 33.0);
        assert_eq!(remedy(true, 1_000.0, 1_000.0), None, "it has enough");
        assert_eq!(remedy(true, 1_000.0, 0.0), None, "it is not known how long would do");
    }

    #[test]
    fn a_burst_needs_more_requests_or_a_service_that_refuses_fewer() {
        assert_eq!(remedy(false, 300.0, 300.0), Some(Remedy::Burst(Some(1_000))));
        assert_eq!(remedy(false, 2_000.0, 300.0), Some(Remedy::RefuseFewer));
        assert_eq!(remedy(false, 1_000.0, 1_000.0), None);
    }
}
