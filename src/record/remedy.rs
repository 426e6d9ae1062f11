//! What would give the rounds of a cell enough successes for a metric, said alike by what measures and by what judges.

use std::time::Duration;

use crate::plan::whole_seconds;
use crate::record::metric::Metric;
use crate::record::words::count;

/// What a round of a cell had, on average.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct UsualRound {
    /// Whether a round lasts as long as its window: else until each of its requests is back, so that no time gives it more.
    pub is_timed: bool,
    /// The time of all rounds together.
    pub measurement_time: Duration,
    /// Requests.
    pub requests: f64,
    /// Those that succeeded.
    pub successes: f64,
}

impl UsualRound {
    /// What would give each round as many successes as a metric needs; nothing when they have enough, or when nothing is known to.
    pub(crate) fn remedy(&self, metric: &Metric) -> Option<String> {
        let factor = metric.promised_from() as f64 / self.successes;
        if !factor.is_finite() || factor <= 1.0 {
            return None;
        }
        if self.is_timed {
            let time = Duration::try_from_secs_f64(self.measurement_time.as_secs_f64() * factor).ok()?;
            return Some(format!("a measurement_time of {}", whole_seconds(time)));
        }
        // What a limit refuses it may refuse of a larger burst, too.
        Some(if self.successes < self.requests {
            "a larger burst or a rate limit that serves more of it".to_owned()
        } else {
            format!("a burst of {} requests", count((self.requests * factor).ceil() as u64))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::metric::metric;

    fn remedy(is_timed: bool, requests: f64, successes: f64) -> Option<String> {
        let measurement_time = Duration::from_secs(10);
        UsualRound { is_timed, measurement_time, requests, successes }.remedy(metric("latency_p99").unwrap())
    }

    #[test]
    fn a_closed_loop_needs_time() {
        assert_eq!(remedy(true, 400.0, 300.0).unwrap(), "a measurement_time of 34s");
        assert_eq!(remedy(true, 1_000.0, 1_000.0), None, "it has enough");
        assert_eq!(remedy(true, 1_000.0, 0.0), None, "no time is known to do");
    }

    #[test]
    fn a_burst_lasts_as_long_as_it_lasts_and_needs_more_requests_or_a_service_that_refuses_fewer() {
        assert_eq!(remedy(false, 300.0, 300.0).unwrap(), "a burst of 1,000 requests");
        assert_eq!(
            remedy(false, 2_000.0, 300.0).unwrap(),
            "a larger burst or a rate limit that serves more of it"
        );
        assert_eq!(remedy(false, 1_000.0, 1_000.0), None);
    }
}
