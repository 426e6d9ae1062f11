//! The result of `plimsoll load`, for people, for machines and as the block of the script that it replaces.

use std::cell::Cell;
use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use crate::output;
use crate::plan::{Endpoint, Load};
use crate::record::{Clock, Counts, Fault, LatencyHistogram, Tally, Unit};
use crate::report::progress::pause;
use crate::report::{number, text};

const NS_PER_S: f64 = 1e9;
/// The percentiles that are shown. In JSON a name has `_` for its point.
const PERCENTILES: [(f64, &str); 5] =
    [(0.5, "p50"), (0.9, "p90"), (0.95, "p95"), (0.99, "p99"), (0.999, "p99.9")];
/// The client is the bottleneck if each connection waits longer for the client than for the service, as in the cells of a bench.
const MAX_CLIENT_SHARE: f64 = 0.5;
/// Bars of equal width in the histogram, which end at p99. One more bar holds the slowest 1%.
const BARS: u32 = 10;
/// Characters of the longest bar.
const BAR_WIDTH: u64 = 32;

/// What is told before `plimsoll load` waits for the hosts of these endpoints.
pub(crate) fn waiting(limit: Duration, hosts: &[&Endpoint]) -> String {
    match hosts {
        [one] => format!("waiting up to {limit:?} for {}", one.url()),
        all => format!("waiting up to {limit:?} for {} hosts", all.len()),
    }
}

/// One measurement without rounds.
#[derive(Debug)]
pub(crate) struct LoadReport<'a> {
    pub(crate) tally: &'a Tally,
    /// The measured time.
    pub(crate) elapsed: Duration,
    pub(crate) concurrency: usize,
    /// The JSON pointers to the numbers of input and output tokens, where the user gave them.
    pub(crate) pointers: [Option<&'a str>; 2],
}

/// The tokens of one kind, if a success had any.
#[derive(Debug, Clone, Copy)]
struct Tokens {
    /// The mean over all responses.
    per_response: f64,
    per_success: f64,
    per_second: f64,
    /// Tokens of all counted successes per second of the measured time.
    counted_per_second: f64,
}

impl LoadReport<'_> {
    /// The default output.
    pub(crate) fn summary(&self) -> String {
        let (counts, latency) = (&self.tally.counts, &self.tally.latency);
        let row = |name: &str, value: String| format!("  {:<15} {value}\n", format!("{name}:"));
        let throughput = number::value(self.throughput(), Unit::PerSecond);
        let mut text = String::from("Summary:\n");
        text.push_str(&row("Requests", number::count(counts.requests)));
        text.push_str(&row("Success ratio", number::share(self.success_ratio())));
        text.push_str(&row("Throughput", format!("{throughput} (successes)")));
        text.push_str(&row("Total time", number::duration_ns(self.elapsed.as_nanos() as f64)));
        if let Some(bytes) = self.tally.response_bytes.mean() {
            text.push_str(&row(
                "Response size",
                format!("{} per success", number::value(bytes, Unit::Bytes)),
            ));
        }
        for ((name, tokens), pointer) in
            ["Input tokens", "Output tokens"].into_iter().zip(self.tokens()).zip(self.pointers)
        {
            if let Some(tokens) = tokens {
                let rate = number::value(tokens.per_second, Unit::TokensPerSecond);
                let mean = number::value(tokens.per_success, Unit::Tokens);
                text.push_str(&row(name, format!("{mean} per success, {rate}")));
            } else if let Some(pointer) = pointer.filter(|_| counts.successes > 0) {
                text.push_str(&row(name, format!("no response has a number at {pointer}")));
            }
        }
        if latency.is_empty() {
            text.push_str("\nNo request succeeded.\n");
        } else {
            let row = |(name, ns): (&str, Option<f64>)| {
                format!("{name:<6} {}", number::duration_ns(ns.unwrap_or(0.0)))
            };
            text.push_str(&section("Latency of successes", figures(latency).into_iter().map(row)));
            text.push_str(&bars(latency));
        }
        let line = |name: String, count: u64| format!("{name}: {}", number::count(count));
        let statuses = counts.statuses.iter().map(|(status, count)| line(status.to_string(), *count));
        text.push_str(&section("Status codes", statuses));
        let faults = counts.faults.iter().map(|(fault, count)| line(fault.in_words(), *count));
        text.push_str(&section("Faults", faults.chain(self.first_malformed())));
        text.push_str(&section("Client", self.client()));
        text
    }

    /// The connections, and what the client itself did to the result.
    fn client(&self) -> Vec<String> {
        let Tally { counts, latency, connect, lag, .. } = self.tally;
        let mut lines = Vec::new();
        if let Some(connect) = connect.quantile_ns(0.5) {
            let opened = number::plural(counts.connections, "connection");
            let again = match counts.reconnects {
                0 => String::new(),
                some => format!(", {} of them again because the server had closed them", number::count(some)),
            };
            lines.push(format!("opened {opened} (p50 {} each){again}", number::duration_ns(connect)));
        }
        if counts.excess > 0 {
            lines.push(text::excess(counts.excess));
        }
        if !counts.statuses.is_empty() {
            lines.push(format!("responses {}", text::timed_by(counts.clock(), counts.unstamped)));
        }
        if counts.slow_sends > 0 {
            lines.push(text::sent_slowly(counts.slow_sends));
        }
        let [p50, p99] = [0.5, 0.99].map(|q| lag.quantile_ns(q).map(number::duration_ns));
        if let (Some(p50), Some(p99)) = (p50, p99) {
            lines.push(format!("client lag, from a response to the next request: p50 {p50}, p99 {p99}"));
        }
        if let (Some(lag), Some(latency)) = (lag.mean_ns(), latency.mean_ns()) {
            let client_share = lag / (lag + latency);
            let took = format!("took {} of each connection's time", number::percent(client_share));
            lines.push(match client_share > MAX_CLIENT_SHARE {
                true => {
                    format!("the client was the bottleneck: it {took}, so the throughput is the client's")
                }
                false => format!("the client {took}, the service the rest"),
            });
        }
        lines
    }

    /// The block of async_benchmarking.py, line for line. Its figures are over all responses, whatever their status.
    pub(crate) fn script(&self) -> String {
        let tally = self.tally;
        let statuses = tally.counts.statuses.iter();
        let statuses: String =
            statuses.map(|(status, times)| format!("  {status}: {times} times\n")).collect();
        let mut all = tally.latency.clone();
        all.add(&tally.failure_latency);
        let seconds = |ns: Option<f64>| ns.unwrap_or(0.0) / NS_PER_S;
        let (median, mean) = (seconds(all.quantile_ns(0.5)), seconds(all.mean_ns()));
        let (shortest, longest) = (seconds(all.min_ns()), seconds(all.max_ns()));
        format!(
            "*** Results ***\n\
             Status codes:\n\
             {statuses}\
             Success ratio: {:.2}%\n\
             --- - --- - ---\n\
             Total time: {:.4} seconds\n\
             Median latency: {median:.4}  |  Average latency: {mean:.4} seconds\n\
             Shortest request time: {shortest:.4} seconds  |  Longest request time: {longest:.4} seconds\n\
             --- - --- - ---\n\
             Throughput: {} requests per second\n{}",
            100.0 * self.success_ratio(),
            self.elapsed.as_secs_f64(),
            self.per_second(all.len() as f64),
            self.script_tokens(),
        )
    }

    /// The two lines about tokens, without what no response has.
    fn script_tokens(&self) -> String {
        let line = |figure: fn(&str, Tokens) -> String| {
            let figures = ["Input", "Output"].into_iter().zip(self.tokens());
            let figures: Vec<String> =
                figures.filter_map(|(name, tokens)| Some(figure(name, tokens?))).collect();
            if figures.is_empty() { String::new() } else { figures.join("  |  ") + "\n" }
        };
        line(|name, tokens| format!("Avg {name} Tokens: {:.4}", tokens.per_response))
            + &line(|name, tokens| {
                format!("{name} Token Throughput: {:.4} tokens per second", tokens.counted_per_second)
            })
    }

    pub(crate) fn json(&self) -> Value {
        let tally = self.tally;
        let faults = tally.counts.faults.iter().map(|(fault, count)| (fault.to_string(), *count));
        let [input, output] = self.tokens();
        json!({
            "requests": tally.counts.requests,
            "concurrency": self.concurrency,
            "elapsed_s": self.elapsed.as_secs_f64(),
            "status_codes": tally.counts.statuses,
            "faults": faults.collect::<Value>(),
            "first_malformed": tally.first_malformed,
            "success_ratio": self.success_ratio(),
            "throughput_per_s": self.throughput(),
            "latency_ns": json_figures(&tally.latency),
            "latency_histogram": tally.latency.encode(),
            "response_bytes_mean": tally.response_bytes.mean(),
            "input_tokens_mean": input.map(|tokens| tokens.per_response),
            "output_tokens_mean": output.map(|tokens| tokens.per_response),
            "input_token_throughput_per_s": input.map(|tokens| tokens.per_second),
            "output_token_throughput_per_s": output.map(|tokens| tokens.per_second),
            "connections_opened": tally.counts.connections,
            "connect_ns": json_figures(&tally.connect),
            "lag_ns": json_figures(&tally.lag),
            "reconnects": tally.counts.reconnects,
            "connections_with_excess_bytes": tally.counts.excess,
            "clock": clock_name(tally.counts.clock()),
        })
    }

    /// Why the service was not measured; `None` if at least one request succeeded, because a service beyond its limit refuses some.
    pub(crate) fn failure(&self) -> Option<String> {
        let counts = &self.tally.counts;
        if counts.successes > 0 {
            return None;
        }
        let faults: Vec<String> = (counts.faults.iter())
            .map(|(fault, count)| format!("{} ({})", fault.in_words(), number::count(*count)))
            .collect();
        if faults.is_empty() {
            return Some("no response came, so nothing was measured".to_owned());
        }
        let requests = number::plural(counts.requests, "request");
        let has_status = counts.faults.keys().any(|fault| matches!(fault, Fault::Status(_)));
        let advice = if has_status { "; to count a status as a success, pass --expect-status" } else { "" };
        let first = self.first_malformed().map(|first| format!("; {first}")).unwrap_or_default();
        Some(format!("none of {requests} succeeded: {}{advice}{first}", text::list(&faults)))
    }

    fn first_malformed(&self) -> Option<String> {
        Some(format!("the first malformed one has {}", self.tally.first_malformed.as_ref()?))
    }

    fn success_ratio(&self) -> f64 {
        self.tally.counts.success_ratio().unwrap_or(0.0)
    }

    /// Successes per second of the measured time. One that is in flight at its end counts by the share inside.
    fn throughput(&self) -> f64 {
        self.per_second(self.tally.successes_in_window)
    }

    /// Input and output tokens.
    fn tokens(&self) -> [Option<Tokens>; 2] {
        let tally = self.tally;
        let input = (tally.input_tokens, tally.input_tokens_in_window);
        let output = (tally.output_tokens, tally.output_tokens_in_window);
        [input, output].map(|(sum, in_window)| {
            Some(Tokens {
                per_success: sum.mean()?,
                per_response: self.per_response(sum.total),
                per_second: self.per_second(in_window.unwrap_or(0.0)),
                counted_per_second: self.per_second(sum.total),
            })
        })
    }

    fn per_second(&self, count: f64) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 { count / seconds } else { 0.0 }
    }

    fn per_response(&self, total: f64) -> f64 {
        total / self.tally.counts.statuses.values().sum::<u64>().max(1) as f64
    }
}

fn clock_name(clock: Clock) -> &'static str {
    match clock {
        Clock::Kernel => "kernel",
        Clock::Mixed => "mixed",
        Clock::User => "user",
    }
}

/// Mean, ends and percentiles, by name; `None` if nothing was counted.
fn figures(histogram: &LatencyHistogram) -> Vec<(&'static str, Option<f64>)> {
    let percentiles = PERCENTILES.map(|(q, name)| (name, histogram.quantile_ns(q)));
    let ends = [("mean", histogram.mean_ns()), ("min", histogram.min_ns())];
    ends.into_iter().chain(percentiles).chain([("max", histogram.max_ns())]).collect()
}

fn json_figures(histogram: &LatencyHistogram) -> Value {
    figures(histogram).into_iter().map(|(name, ns)| (name.replace('.', "_"), ns)).collect()
}

/// A heading with lines below it; empty without lines.
fn section(heading: &str, lines: impl IntoIterator<Item = String>) -> String {
    let lines: String = lines.into_iter().map(|line| format!("  {line}\n")).collect();
    if lines.is_empty() { lines } else { format!("\n{heading}:\n{lines}") }
}

/// A histogram of lines. Each line begins with the longest latency of its bar.
fn bars(latency: &LatencyHistogram) -> String {
    let (Some((min, _)), Some(p99), Some(max)) =
        (latency.values_ns().next(), latency.quantile_ns(0.99), latency.max_ns())
    else {
        return String::new();
    };
    let width = (p99 - min as f64) / f64::from(BARS);
    let mut ends: Vec<f64> =
        (1..BARS).map(|bar| min as f64 + width * f64::from(bar)).chain([p99, max]).collect();
    ends.dedup();
    let mut counts = vec![0; ends.len()];
    for (value, count) in latency.values_ns() {
        let bar = ends.iter().position(|end| value as f64 <= *end).unwrap_or(ends.len() - 1);
        counts[bar] += count;
    }
    let largest = counts.iter().copied().max().unwrap_or(1);
    let names: Vec<[String; 2]> = ends
        .iter()
        .zip(&counts)
        .map(|(end, count)| [number::duration_ns(*end), number::count(*count)])
        .collect();
    let longest = |column: usize| names.iter().map(|name| name[column].chars().count()).max().unwrap_or(0);
    let (end_width, count_width) = (longest(0), longest(1));
    let rest = if max > p99 { " (the last bar is the slowest 1%)" } else { "" };
    let lines = names.iter().zip(&counts).map(|([end, shown], count)| {
        let bar = "■".repeat((count * BAR_WIDTH).div_ceil(largest) as usize);
        format!("{end:>end_width$} [{shown:>count_width$}] |{bar}")
    });
    section(&format!("Latency histogram{rest}"), lines)
}

/// A line on the terminal that shows how far the load has come. It disappears when dropped.
#[derive(Debug)]
pub(crate) struct LoadProgress {
    /// `None` on a terminal that cannot redraw it: lines are printed instead.
    bar: Option<ProgressBar>,
    /// The requests, or the milliseconds, that end the load.
    total: u64,
    started: Instant,
    /// Whether time ends the load. If not, the number of requests does.
    is_timed: bool,
    /// The time between two lines.
    pause: Duration,
    said_at: Cell<Instant>,
}

/// The time between two lines if it is not known how long the load takes.
const USUAL_PAUSE: Duration = Duration::from_secs(10);

impl LoadProgress {
    /// `None` if standard error is not a terminal.
    pub(crate) fn new(load: Load, length: Option<Duration>) -> Option<Self> {
        if !stderr().is_terminal() {
            return None;
        }
        let total = match load {
            Load::Batch { requests, .. } => requests,
            _ => length.unwrap_or_default().as_millis() as u64,
        };
        let bar = output::can_redraw().then(|| {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{bar:24.cyan/dim} {percent}%  {wide_msg:.dim}");
            bar.set_style(style.expect("the template is well-formed").progress_chars("━╸─"));
            bar
        });
        let (started, pause) = (Instant::now(), length.map_or(USUAL_PAUSE, pause));
        Some(Self { bar, total, started, is_timed: length.is_some(), pause, said_at: Cell::new(started) })
    }

    pub(crate) fn show(&self, counts: &Counts) {
        let elapsed = self.started.elapsed();
        let rate = counts.successes as f64 / elapsed.as_secs_f64().max(1e-3);
        let (requests, rate) =
            (number::plural(counts.requests, "request"), number::value(rate, Unit::PerSecond));
        let failed = counts.requests - counts.successes;
        let failed = if failed > 0 { format!(", {} failed", number::count(failed)) } else { String::new() };
        let message = format!("{requests}, {rate}{failed}");
        let position = if self.is_timed { elapsed.as_millis() as u64 } else { counts.requests };
        let position = position.min(self.total);
        if let Some(bar) = &self.bar {
            bar.set_message(message);
            bar.set_position(position);
        } else if self.said_at.get().elapsed() >= self.pause {
            self.said_at.set(Instant::now());
            output::log(format_args!("{:3}%: {message}", 100 * position / self.total.max(1)));
        }
    }
}

impl Drop for LoadProgress {
    fn drop(&mut self) {
        self.bar.iter().for_each(ProgressBar::finish_and_clear);
    }
}

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::Deserializer;

    use super::*;

    /// 45 successes of 1 to 45 ms and 55 refusals within 4.296 s.
    fn overloaded() -> Tally {
        let mut tally = Tally::default();
        for number in 1..=45 {
            tally.latency.record(Duration::from_millis(number));
            tally.input_tokens.add(2.0);
            tally.response_bytes.add(2_097_152.0);
            tally.output_tokens.add(300_000.0);
            tally.lag.record(Duration::from_micros(number));
        }
        tally.successes_in_window = 45.0;
        (tally.input_tokens_in_window, tally.output_tokens_in_window) = (Some(90.0), Some(13_500_000.0));
        (0..55).for_each(|_| tally.failure_latency.record(Duration::from_micros(500)));
        (0..10).for_each(|_| tally.connect.record(Duration::from_micros(70)));
        tally.counts.statuses = [(200, 45), (429, 55)].into();
        tally.counts.faults = [(Fault::Status(429), 55)].into();
        (tally.counts.requests, tally.counts.successes, tally.counts.connections) = (100, 45, 10);
        tally
    }

    fn report(tally: &Tally) -> LoadReport<'_> {
        LoadReport { tally, elapsed: Duration::from_millis(4_296), concurrency: 10, pointers: [None; 2] }
    }

    #[test]
    fn the_summary_shows_successes_in_readable_units() {
        insta::assert_snapshot!(report(&overloaded()).summary(), @r"
        Summary:
          Requests:       100
          Success ratio:  45%
          Throughput:     10.47/s (successes)
          Total time:     4.296 s
          Response size:  2.000 MiB per success
          Input tokens:   2 tokens per success, 20.95 tokens/s
          Output tokens:  300,000 tokens per success, 3.142 M tokens/s

        Latency of successes:
          mean   23.00 ms
          min    999.9 µs
          p50    23.00 ms
          p90    41.03 ms
          p95    43.02 ms
          p99    45.02 ms
          p99.9  45.02 ms
          max    45.02 ms

        Latency histogram:
          5.403 ms [5] |■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■
          9.805 ms [4] |■■■■■■■■■■■■■■■■■■■■■■■■■■
          14.21 ms [5] |■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■
          18.61 ms [4] |■■■■■■■■■■■■■■■■■■■■■■■■■■
          23.01 ms [5] |■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■
          27.41 ms [4] |■■■■■■■■■■■■■■■■■■■■■■■■■■
          31.82 ms [4] |■■■■■■■■■■■■■■■■■■■■■■■■■■
          36.22 ms [5] |■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■
          40.62 ms [4] |■■■■■■■■■■■■■■■■■■■■■■■■■■
          45.02 ms [5] |■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■

        Status codes:
          200: 45
          429: 55

        Faults:
          unexpected status 429: 55

        Client:
          opened 10 connections (p50 70.02 µs each)
          responses timed by the kernel
          client lag, from a response to the next request: p50 23.01 µs, p99 45.02 µs
          the client took 0.1% of each connection's time, the service the rest
        ");
    }

    #[test]
    fn the_summary_says_whether_the_client_was_the_bottleneck() {
        let mut tally = Tally::default();
        tally.latency.record(Duration::from_micros(100));
        tally.lag.record(Duration::from_micros(250));
        tally.connect.record(Duration::from_micros(70));
        (tally.counts.requests, tally.counts.successes, tally.counts.connections) = (2_000, 2_000, 4);
        (tally.counts.reconnects, tally.counts.excess, tally.counts.unstamped) = (3, 1, 2_000);
        tally.counts.statuses = [(200, 2_000)].into();
        let summary = report(&tally).summary();
        insta::assert_snapshot!(summary.split_once("Client:\n").unwrap().1, @r"
          opened 4 connections (p50 70.02 µs each), 3 of them again because the server had closed them
          1 connection dropped: bytes came that belong to no response, such as a body after a 204 or a second response
          responses timed by this process
          client lag, from a response to the next request: p50 250.1 µs, p99 250.1 µs
          the client was the bottleneck: it took 71.4% of each connection's time, so the throughput is the client's
        ");
    }

    #[test]
    fn a_load_without_any_response_has_a_summary_without_nan() {
        let tally = Tally::default();
        let report = LoadReport { elapsed: Duration::ZERO, ..report(&tally) };
        insta::assert_snapshot!(report.summary(), @r"
        Summary:
          Requests:       0
          Success ratio:  0%
          Throughput:     0.000/s (successes)
          Total time:     0.000 ns

        No request succeeded.
        ");
        assert!(!report.script().contains("NaN"));
        assert_eq!(report.json()["throughput_per_s"], 0.0);
        assert_eq!(report.json()["latency_histogram"], "");
    }

    fn bars_of(microseconds: impl IntoIterator<Item = u64>) -> String {
        let mut latency = LatencyHistogram::new();
        microseconds.into_iter().for_each(|us| latency.record(Duration::from_micros(us)));
        bars(&latency).trim_start().to_owned()
    }

    #[test]
    fn a_histogram_has_ten_bars_up_to_p99_and_one_for_the_rest() {
        insta::assert_snapshot!(bars_of((0..1_000).map(|n| 100 + n % 90 + n / 995 * 1_000_000)), @r"
        Latency histogram (the last bar is the slowest 1%):
          108.9 µs [104] |■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■
          117.8 µs [ 99] |■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■
          126.7 µs [ 99] |■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■
          135.6 µs [ 99] |■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■
          144.5 µs [ 99] |■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■
          153.4 µs [ 99] |■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■
          162.3 µs [ 99] |■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■
          171.3 µs [ 99] |■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■
          180.2 µs [ 99] |■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■
          189.1 µs [ 99] |■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■
           1.000 s [  5] |■■
        ");
    }

    #[test]
    fn equal_latencies_have_one_bar() {
        insta::assert_snapshot!(bars_of([100; 7]), @r"
        Latency histogram:
          100.0 µs [7] |■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■
        ");
        insta::assert_snapshot!(bars_of([100; 999].into_iter().chain([200])), @r"
        Latency histogram (the last bar is the slowest 1%):
          100.0 µs [999] |■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■
          200.1 µs [  1] |■
        ");
    }

    #[test]
    fn the_script_block_is_that_of_the_script_line_for_line() {
        insta::assert_snapshot!(report(&overloaded()).script(), @r"
        *** Results ***
        Status codes:
          200: 45 times
          429: 55 times
        Success ratio: 45.00%
        --- - --- - ---
        Total time: 4.2960 seconds
        Median latency: 0.0005  |  Average latency: 0.0106 seconds
        Shortest request time: 0.0005 seconds  |  Longest request time: 0.0450 seconds
        --- - --- - ---
        Throughput: 23.277467411545622 requests per second
        Avg Input Tokens: 0.9000  |  Avg Output Tokens: 135000.0000
        Input Token Throughput: 20.9497 tokens per second  |  Output Token Throughput: 3142458.1006 tokens per second
        ");
    }

    #[test]
    fn the_json_counts_what_is_in_flight_at_the_end_by_its_share() {
        let mut tally = overloaded();
        tally.successes_in_window = 42.96;
        let json = report(&tally).json();
        assert_eq!(json["throughput_per_s"], 10.0);
        assert!(report(&tally).summary().contains("10.00/s (successes)"));
        assert_eq!((&json["requests"], &json["status_codes"]["429"]), (&100.into(), &55.into()));
        assert_eq!(json["faults"]["status_429"], 55);
        assert!((json["latency_ns"]["p50"].as_f64().unwrap() / 23e6 - 1.0).abs() < 1e-3);
        assert_eq!(json["clock"], "kernel");
    }

    #[test]
    fn the_histogram_in_json_is_hdr_histograms_encoding() {
        use base64::Engine;
        let json = report(&overloaded()).json();
        let text = json["latency_histogram"].as_str().unwrap();
        // The cookie of the compressed V2 format.
        assert!(text.starts_with("HISTFAAA"), "{text}");
        let bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
        let read: hdrhistogram::Histogram<u64> = Deserializer::new().deserialize(&mut &bytes[..]).unwrap();
        assert_eq!((read.len(), read.max() / 10_000_000), (45, 4));
    }

    #[test]
    fn a_load_without_success_says_what_came_instead() {
        assert_eq!(report(&overloaded()).failure(), None);
        let mut tally = Tally::default();
        assert_eq!(report(&tally).failure().unwrap(), "no response came, so nothing was measured");
        tally.counts.requests = 1_200;
        tally.counts.faults = [(Fault::Timeout, 10)].into();
        assert_eq!(report(&tally).failure().unwrap(), "none of 1,200 requests succeeded: timed out (10)");
        tally.counts.faults.insert(Fault::Status(404), 1_190);
        assert_eq!(
            report(&tally).failure().unwrap(),
            "none of 1,200 requests succeeded: timed out (10) and unexpected status 404 (1,190); to count a status as a success, \
             pass --expect-status"
        );
    }

    #[test]
    fn tokens_that_no_response_has_are_not_shown_as_zero() {
        let mut tally = Tally::default();
        tally.latency.record(Duration::from_millis(1));
        (tally.counts.requests, tally.counts.successes) = (1, 1);
        tally.counts.statuses = [(200, 1)].into();
        let none = report(&tally);
        assert!(!none.script().contains("Token") && !none.summary().contains("tokens"), "{}", none.script());
        assert!(none.script().ends_with(" requests per second\n"));
        assert!(
            none.json()["output_tokens_mean"].is_null()
                && none.json()["input_token_throughput_per_s"].is_null()
        );
        let asked = LoadReport { pointers: [None, Some("/usage/outputs")], ..report(&tally) };
        assert!(asked.summary().contains("  Output tokens:  no response has a number at /usage/outputs\n"));
        tally.output_tokens.add(20.0);
        tally.output_tokens_in_window = Some(20.0);
        let script = report(&tally).script();
        assert!(
            script.ends_with(
                "\nAvg Output Tokens: 20.0000\nOutput Token Throughput: 4.6555 tokens per second\n"
            ),
            "{script}"
        );
    }

    #[test]
    fn the_first_malformed_response_is_quoted() {
        let first_malformed = Some("a header line without a colon: \"Fatal error\"".to_owned());
        let mut tally = Tally { first_malformed, ..Tally::default() };
        tally.counts.requests = 3;
        tally.counts.faults = [(Fault::Malformed, 3)].into();
        let report = report(&tally);
        let told =
            format!("{}\n{}", report.summary().split_once("Faults:").unwrap().1, report.failure().unwrap());
        insta::assert_snapshot!(told, @r#"
          malformed response: 3
          the first malformed one has a header line without a colon: "Fatal error"

        none of 3 requests succeeded: malformed response (3); the first malformed one has a header line without a colon: "Fatal error"
        "#);
    }
}
