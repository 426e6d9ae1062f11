//! The flags of `plimsoll serve`, with their defaults and bounds.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use clap::Parser;

use crate::plan::parse_duration;

/// Run the reference API, a small tokenizer service for trying out plimsoll
///
/// ```
/// use clap::Parser;
/// use plimsoll::serve::ServeOptions;
///
/// let options = ServeOptions::parse_from(["serve", "--port", "0", "--service-time", "2.1ms"]);
/// assert_eq!(options.service_time.as_micros(), 2100);
/// assert_eq!(options.max_concurrent_requests, None);
/// ```
#[derive(Debug, Clone, PartialEq, Parser)]
#[command(args_override_self = true, long_about = None)]
pub struct ServeOptions {
    /// Name or address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    pub host: String,

    /// Port to listen on; 0 picks a free port and prints it
    #[arg(long, default_value_t = 8080)]
    pub port: u16,

    /// Maximum number of GET requests in flight; any more are answered with 429 [default: no limit]
    #[arg(long, value_name = "M")]
    pub max_concurrent_requests: Option<usize>,

    /// Minimum time between a request and its response, such as 2ms
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "0s")]
    pub service_time: Duration,

    /// CPU time to spend on each request, such as 200us
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "0s")]
    pub cpu_work: Duration,

    /// Increase service time, CPU work and the handler's own CPU time by this fraction, such as 0.10
    #[arg(long, value_name = "FRACTION", value_parser = parse_slowdown, default_value = "0")]
    pub slowdown: f64,

    /// Multiply the service time of a random share of the requests by a factor, such as 0.01:5
    #[arg(long, value_name = "SHARE:FACTOR", requires = "service_time")]
    pub tail: Option<Tail>,
}

/// A random share of requests whose minimum time is multiplied.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tail {
    /// Share of the requests, from 0 to 1.
    pub share: f64,
    /// Their minimum time (service time and slowdown) is multiplied by this factor, from 1 to 1000.
    pub factor: f64,
}

impl Default for ServeOptions {
    /// The options without any flag.
    fn default() -> Self {
        Self::parse_from(["serve"])
    }
}

impl FromStr for Tail {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (share, factor) = text.split_once(':').ok_or("write SHARE:FACTOR, such as 0.01:5")?;
        Ok(Self { share: number_in(0.0..=1.0, share)?, factor: number_in(1.0..=1000.0, factor)? })
    }
}

fn parse_slowdown(text: &str) -> Result<f64, String> {
    number_in(0.0..=100.0, text)
}

fn number_in(range: RangeInclusive<f64>, text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("`{text}` is not a number from {} to {}", range.start(), range.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(flags: &[&str]) -> Result<ServeOptions, clap::Error> {
        ServeOptions::try_parse_from([&["serve"], flags].concat())
    }

    #[test]
    fn the_defaults_neither_limit_nor_delay() {
        let expected = ServeOptions {
            host: "127.0.0.1".to_owned(),
            port: 8080,
            max_concurrent_requests: None,
            service_time: Duration::ZERO,
            cpu_work: Duration::ZERO,
            slowdown: 0.0,
            tail: None,
        };
        assert_eq!(ServeOptions::default(), expected);
    }

    #[test]
    fn the_last_of_several_equal_flags_counts() {
        let first = [
            "--host=a",
            "--port=1",
            "--max-concurrent-requests=1",
            "--service-time=1ms",
            "--cpu-work=1us",
            "--slowdown=1",
            "--tail=0.1:2",
        ];
        let second = [
            "--host=b",
            "--port=2",
            "--max-concurrent-requests=2",
            "--service-time=2",
            "--cpu-work=2us",
            "--slowdown=2",
            "--tail=0.2:3",
        ];
        let expected = ServeOptions {
            host: "b".to_owned(),
            port: 2,
            max_concurrent_requests: Some(2),
            service_time: Duration::from_secs(2),
            cpu_work: Duration::from_micros(2),
            slowdown: 2.0,
            tail: Some(Tail { share: 0.2, factor: 3.0 }),
        };
        assert_eq!(options(&[first, second].concat()).unwrap(), expected);
    }

    #[test]
    fn bad_values_are_usage_errors() {
        let bad: [&[&str]; 12] = [
            &["--port=65536"],
            &["--port=-1"],
            &["--max-concurrent-requests=-1"],
            &["--max-concurrent-requests=many"],
            &["--service-time=-2ms"],
            &["--service-time=nan"],
            &["--cpu-work=25h"],
            &["--slowdown=nan"],
            &["--slowdown", "-0.1"],
            &["--slowdown=101"],
            &["--slowdown=10%"],
            &["--tail=0.1:2"],
        ];
        for flags in bad {
            assert_eq!(options(flags).unwrap_err().exit_code(), 2, "{flags:?}");
        }
    }

    #[test]
    fn a_tail_is_a_share_and_a_factor_within_bounds() {
        assert_eq!("0.01:5".parse(), Ok(Tail { share: 0.01, factor: 5.0 }));
        for text in
            ["0.01", "1.1:5", "0.5:0.9", "0.5:", ":2", "nan:2", "0.5:inf", "0.5:1001", "0.1:2:3", "-0.1:2"]
        {
            assert!(text.parse::<Tail>().is_err(), "{text}");
        }
    }
}
