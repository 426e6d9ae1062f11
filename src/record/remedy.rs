//! What would give the rounds of a cell enough successes for a metric.

use std::time::Duration;

use crate::record::metric::Metric;

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
    /// Whether a round lasts as long as its window. A burst lasts until each request is back, so that no time gives it more.
    pub is_timed: bool,
    /// The time of all rounds together.
    pub measurement_time: Duration,
    pub requests: f64,
    pub successes: f64,
}

impl UsualRound {
    /// What would give each round enough successes for a metric; `None` if it has enough, or if none is known.
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
    use crate::record::metric::metric;

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
