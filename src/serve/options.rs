//! What the server can be told, as plain data, and the bounds of sense.

use std::time::Duration;

use super::server::ServeError;

/// Longest service time or CPU work that is taken for meant.
pub(super) const LONGEST: Duration = Duration::from_secs(3600);
/// Largest slowdown: 100 times the handler's time on top.
pub(super) const LARGEST_SLOWDOWN: f64 = 100.0;
/// Largest factor of a tail.
pub(super) const LARGEST_FACTOR: f64 = 1000.0;

/// How the reference API shall listen and how fast it shall be.
///
/// ```
/// use std::time::Duration;
/// use plimsoll::serve::ServeOptions;
///
/// let options = ServeOptions {
///     port: 0,
///     service_time: Duration::from_millis(2),
///     ..ServeOptions::default()
/// };
/// assert_eq!(options.max_concurrent_requests, None);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ServeOptions {
    /// Name or address to listen on. [`run`](super::run) alone uses it.
    pub host: String,
    /// Port to listen on; 0 lets the system pick a free one. [`run`](super::run) alone uses it.
    pub port: u16,
    /// How many of the limited GETs may be in flight; a further one is answered 429. `None` is no limit, 0 refuses all.
    pub max_concurrent_requests: Option<usize>,
    /// Least time between a request's arrival in the handler and its answer. At most an hour.
    pub service_time: Duration,
    /// CPU time burnt for each request. At most an hour.
    pub cpu_work: Duration,
    /// Fraction by which floor, CPU work and the handler's own CPU time are prolonged: 0.10 is 10 % slower. From 0 to 100.
    pub slowdown: f64,
    /// Share of requests with a longer floor.
    pub tail: Option<Tail>,
}

/// A share of requests whose floor is multiplied.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tail {
    /// Share of the requests, from 0 to 1.
    pub share: f64,
    /// What their floor (service time, slowdown included) is multiplied by, from 1 to 1000.
    pub factor: f64,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 8080,
            max_concurrent_requests: None,
            service_time: Duration::ZERO,
            cpu_work: Duration::ZERO,
            slowdown: 0.0,
            tail: None,
        }
    }
}

impl ServeOptions {
    pub(super) fn check(&self) -> Result<(), ServeError> {
        for (name, length) in [("service_time", self.service_time), ("cpu_work", self.cpu_work)] {
            if length > LONGEST {
                return Err(ServeError::Option { name, reason: "is longer than an hour" });
            }
        }
        if !(0.0..=LARGEST_SLOWDOWN).contains(&self.slowdown) {
            return Err(ServeError::Option { name: "slowdown", reason: "is not a number from 0 to 100" });
        }
        self.tail.map_or(Ok(()), |tail| tail.check())
    }
}

impl Tail {
    pub(super) fn check(self) -> Result<(), ServeError> {
        if !(0.0..=1.0).contains(&self.share) {
            return Err(ServeError::Option {
                name: "the tail's share",
                reason: "is not a number from 0 to 1",
            });
        }
        if !(1.0..=LARGEST_FACTOR).contains(&self.factor) {
            return Err(ServeError::Option {
                name: "the tail's factor",
                reason: "is not a number from 1 to 1000",
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_flag_could_say_is_refused_from_code_too() {
        let good = ServeOptions::default();
        assert!(good.check().is_ok());
        let bad = [
            ServeOptions { slowdown: f64::NAN, ..good.clone() },
            ServeOptions { slowdown: -0.1, ..good.clone() },
            ServeOptions { slowdown: f64::INFINITY, ..good.clone() },
            ServeOptions { service_time: Duration::MAX, ..good.clone() },
            ServeOptions { cpu_work: Duration::from_secs(3601), ..good.clone() },
            ServeOptions { tail: Some(Tail { share: f64::NAN, factor: 2.0 }), ..good.clone() },
            ServeOptions { tail: Some(Tail { share: 0.5, factor: 0.5 }), ..good },
        ];
        for options in bad {
            assert!(options.check().is_err(), "{options:?}");
        }
    }
}
