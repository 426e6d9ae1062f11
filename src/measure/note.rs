//! Notes on how a cell was measured, as data, and their sentences.

use std::fmt;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::measure::exchange::Spread;
use crate::plan::whole_seconds;
use crate::record::{Metric, Remedy, UsualRound};

/// A remark on a measurement, or the reason why a cell is invalid.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Note {
    /// The rounds have too few successes for some of the usual metrics.
    TooFewSuccesses { metrics: Vec<&'static Metric>, round: UsualRound },
    /// Invalid: a single request takes longer than all rounds of its cell may take.
    SlowRequest { took: Duration, measurement_time: Duration, needed: Duration },
    /// Endpoints whose test requests all failed, and the first of them.
    FailedTests { failed: usize, of: usize, url: String, what: String },
    /// Connections failed because this machine has no free port in this range, if the system tells it.
    NoFreePort { range: Option<RangeInclusive<u16>> },
    /// Latencies fell by this fraction while a launch went on, until it had been loaded for `settled`, or still fall.
    WarmingUp { by: f64, goes_on: bool, settled: Duration, warm_up_time: Duration },
    /// A name has several addresses.
    Addresses(Spread),
    /// Somebody set the clock during a load.
    ClockSet,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFewSuccesses { metrics, round } => {
                let needs = |metric: &&Metric| format!("{} ({})", metric.title, metric.promised_from());
                let names: Vec<String> = metrics.iter().map(needs).collect();
                write!(
                    f,
                    "A usual round has {} successes, too few for {}",
                    round.successes,
                    names.join(", ")
                )?;
                let neediest = metrics.iter().max_by_key(|metric| metric.least_successes);
                match neediest.and_then(|metric| round.remedy(metric)) {
                    Some(Remedy::MeasurementTime(Some(time))) => {
                        write!(f, ": --measurement-time {} would be enough", whole_seconds(time))
                    }
                    Some(Remedy::Burst(Some(requests))) => {
                        write!(f, ": a burst of {requests} requests would be enough")
                    }
                    Some(_) => {
                        write!(f, ": a larger burst would be enough, if the service does not refuse it")
                    }
                    None => Ok(()),
                }
            }
            Self::SlowRequest { took, measurement_time, needed } => write!(
                f,
                "One request took {took:.2?}, longer than the whole measurement_time of {}: set measurement_time to at least {}",
                whole_seconds(*measurement_time),
                whole_seconds(*needed)
            ),
            Self::FailedTests { failed, of, url, what } => {
                write!(f, "All test requests to {failed} of {of} endpoints failed ({url}: {what})")
            }
            Self::NoFreePort { range } => {
                let range =
                    range.as_ref().map(|range| format!(" in the range {} to {}", range.start(), range.end()));
                write!(
                    f,
                    "this machine had no free local port{}, so the service was not measured: lower the concurrency, keep \
                     connections open, or widen net.ipv4.ip_local_port_range",
                    range.unwrap_or_default()
                )
            }
            Self::WarmingUp { by, goes_on, settled, warm_up_time } => {
                let (percent, time) = (100.0 * by, whole_seconds(*warm_up_time));
                write!(f, "The service was still warming up: its latency fell by {percent:.0}% ")?;
                if *goes_on {
                    write!(f, "and had not settled. --warm-up-time must be longer than {time}")
                } else {
                    write!(
                        f,
                        "until it had been loaded for {settled:.1?}. --warm-up-time {time} would be enough"
                    )
                }
            }
            Self::Addresses(Spread { host, loaded, not_loaded }) => {
                let list = |addresses: &[IpAddr]| {
                    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
                };
                let count = loaded.len() + not_loaded.len();
                write!(f, "{host} has {count} addresses: connections went to {}", list(loaded))?;
                if not_loaded.is_empty() { Ok(()) } else { write!(f, ", none to {}", list(not_loaded)) }
            }
            Self::ClockSet => f.write_str(
                "the system clock was changed during the load, so latencies and rates are wrong: load again",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::metric;

    fn too_few(ids: &[&str], is_timed: bool, successes: f64) -> String {
        let metrics = ids.iter().map(|id| metric(id).unwrap()).collect();
        let measurement_time = Duration::from_secs(10);
        let round = UsualRound { is_timed, measurement_time, requests: successes, successes };
        Note::TooFewSuccesses { metrics, round }.to_string()
    }

    #[test]
    fn a_closed_loop_needs_time_and_a_burst_needs_requests() {
        assert_eq!(
            too_few(&["latency_p99"], true, 999.0),
            "A usual round has 999 successes, too few for latency p99 (1000): --measurement-time 11s would be enough"
        );
        assert_eq!(
            too_few(&["latency_p99"], false, 300.0),
            "A usual round has 300 successes, too few for latency p99 (1000): a burst of 1000 requests would be enough"
        );
        assert_eq!(
            too_few(&["throughput", "latency_p99"], true, 30.0),
            "A usual round has 30 successes, too few for throughput (40), latency p99 (1000): --measurement-time 334s would be enough"
        );
        assert_eq!(
            too_few(&["latency_p99"], true, 0.0),
            "A usual round has 0 successes, too few for latency p99 (1000)"
        );
    }

    #[test]
    fn a_slow_request_says_how_much_time_its_cell_needs() {
        let [took, measurement_time, needed] = [12, 10, 720].map(Duration::from_secs);
        assert_eq!(
            Note::SlowRequest { took, measurement_time, needed }.to_string(),
            "One request took 12.00s, longer than the whole measurement_time of 10s: set measurement_time to at least 720s"
        );
    }

    #[test]
    fn a_service_that_warms_up_is_said_with_the_time_that_it_needs() {
        let (settled, warm_up_time) = (Duration::from_millis(5_230), Duration::from_millis(10_460));
        let note = |goes_on| Note::WarmingUp { by: 0.234, goes_on, settled, warm_up_time }.to_string();
        assert_eq!(
            note(false),
            "The service was still warming up: its latency fell by 23% until it had been loaded for 5.2s. \
             --warm-up-time 11s would be enough"
        );
        assert_eq!(
            note(true),
            "The service was still warming up: its latency fell by 23% and had not settled. --warm-up-time must be \
             longer than 11s"
        );
    }

    #[test]
    fn a_name_with_several_addresses_says_which_were_loaded() {
        let note = |loaded: &[&str], not_loaded: &[&str]| {
            let [loaded, not_loaded] = [loaded, not_loaded]
                .map(|addresses| addresses.iter().map(|address| address.parse().unwrap()).collect());
            Note::Addresses(Spread { host: "ship.test".to_owned(), loaded, not_loaded }).to_string()
        };
        assert_eq!(
            note(&["::1"], &["127.0.0.1"]),
            "ship.test has 2 addresses: connections went to ::1, none to 127.0.0.1"
        );
        assert_eq!(
            note(&["10.0.0.1", "10.0.0.2"], &[]),
            "ship.test has 2 addresses: connections went to 10.0.0.1, 10.0.0.2"
        );
    }

    #[test]
    fn a_lack_of_ports_names_their_range() {
        let note = Note::NoFreePort { range: Some(32_768..=60_999) }.to_string();
        assert!(
            note.starts_with("this machine had no free local port in the range 32768 to 60999, so"),
            "{note}"
        );
        assert!(Note::NoFreePort { range: None }.to_string().contains("no free local port, so"));
    }
}
