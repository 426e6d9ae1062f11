//! The flags of `plimsoll serve`, one for each option.

use std::time::Duration;

use super::options::{ServeOptions, Tail};
use super::parse;

/// Flags of `plimsoll serve`. Each may be given more than once; the last one counts.
///
/// ```
/// use clap::Parser;
/// use plimsoll::serve::{ServeArgs, ServeOptions};
///
/// #[derive(Parser)]
/// struct Command {
///     #[command(flatten)]
///     serve: ServeArgs,
/// }
///
/// let command = Command::parse_from(["serve", "--port", "0", "--service-time", "2ms", "--service-time=2.1ms"]);
/// let options = ServeOptions::from(command.serve);
/// assert_eq!(options.service_time.as_micros(), 2100);
/// ```
#[derive(Debug, Clone, clap::Args)]
pub struct ServeArgs {
    /// Name or address to listen on
    #[arg(long, default_value = "127.0.0.1", overrides_with = "host")]
    pub host: String,

    /// Port to listen on; 0 picks a free one and prints it
    #[arg(long, default_value_t = 8080, overrides_with = "port")]
    pub port: u16,

    /// Answer 429 to a GET while M of them are in flight [default: no limit]
    #[arg(long, value_name = "M", overrides_with = "max_concurrent_requests")]
    pub max_concurrent_requests: Option<usize>,

    /// Experiment: no answer leaves before this much time has passed since its request came, as in 2ms
    #[arg(long, value_name = "TIME", value_parser = parse::duration, overrides_with = "service_time")]
    pub service_time: Option<Duration>,

    /// Experiment: burn this much CPU time for each request, as in 200us
    #[arg(long, value_name = "TIME", value_parser = parse::duration, overrides_with = "cpu_work")]
    pub cpu_work: Option<Duration>,

    /// Experiment: make service time, CPU work and the handler's own CPU time longer by this fraction, as in 0.10
    #[arg(long, value_name = "FRACTION", value_parser = parse::slowdown, overrides_with = "slowdown")]
    pub slowdown: Option<f64>,

    /// Experiment: multiply the service time (slowdown included) of this share of the requests, picked at random, as in 0.01:5
    #[arg(long, value_name = "SHARE:FACTOR", value_parser = parse::tail, overrides_with = "tail", requires = "service_time")]
    pub tail: Option<Tail>,
}

impl From<ServeArgs> for ServeOptions {
    fn from(args: ServeArgs) -> Self {
        Self {
            host: args.host,
            port: args.port,
            max_concurrent_requests: args.max_concurrent_requests,
            service_time: args.service_time.unwrap_or_default(),
            cpu_work: args.cpu_work.unwrap_or_default(),
            slowdown: args.slowdown.unwrap_or_default(),
            tail: args.tail,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        serve: ServeArgs,
    }

    fn options(flags: &[&str]) -> Result<ServeOptions, clap::Error> {
        let words = std::iter::once("serve").chain(flags.iter().copied());
        Command::try_parse_from(words).map(|command| command.serve.into())
    }

    #[test]
    fn no_flags_are_the_default_options() {
        assert_eq!(options(&[]).unwrap(), ServeOptions::default());
    }

    #[test]
    fn each_flag_may_come_twice_and_the_last_one_counts() {
        let once = [
            "--host=a",
            "--port=1",
            "--max-concurrent-requests=1",
            "--service-time=1ms",
            "--cpu-work=1us",
            "--slowdown=1",
            "--tail=0.1:2",
        ];
        let again = [
            "--host=b",
            "--port=2",
            "--max-concurrent-requests=2",
            "--service-time=2ms",
            "--cpu-work=2us",
            "--slowdown=2",
            "--tail=0.2:3",
        ];
        let expected = ServeOptions {
            host: "b".to_owned(),
            port: 2,
            max_concurrent_requests: Some(2),
            service_time: Duration::from_millis(2),
            cpu_work: Duration::from_micros(2),
            slowdown: 2.0,
            tail: Some(Tail { share: 0.2, factor: 3.0 }),
        };
        assert_eq!(options(&[once, again].concat()).unwrap(), expected);
    }

    #[test]
    fn bad_values_are_errors_of_the_call() {
        let bad: [&[&str]; 12] = [
            &["--port=65536"],
            &["--port=-1"],
            &["--max-concurrent-requests=-1"],
            &["--max-concurrent-requests=many"],
            &["--service-time=2"],
            &["--service-time=-2ms"],
            &["--service-time=nan"],
            &["--cpu-work=2h"],
            &["--slowdown=nan"],
            &["--slowdown", "-0.1"],
            &["--service-time=1ms", "--tail=2:2"],
            &["--tail=0.1:2"],
        ];
        for flags in bad {
            assert_eq!(options(flags).unwrap_err().exit_code(), 2, "{flags:?}");
        }
    }
}
