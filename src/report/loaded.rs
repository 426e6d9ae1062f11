//! What `plimsoll load` measured, for people and for machines.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::record::{Clock, Fault, LatencyHistogram, Tally};
use crate::report::text;

const NS_PER_S: f64 = 1e9;
/// The percentiles that are shown, with their names in data and in text.
const PERCENTILES: [(f64, &str, &str); 5] = [
    (0.5, "p50", "p50"),
    (0.9, "p90", "p90"),
    (0.95, "p95", "p95"),
    (0.99, "p99", "p99"),
    (0.999, "p99_9", "p99.9"),
];

/// One measurement without rounds.
#[derive(Debug)]
pub(crate) struct LoadReport<'a> {
    pub(crate) tally: &'a Tally,
    pub(crate) elapsed: Duration,
    pub(crate) concurrency: usize,
}

impl LoadReport<'_> {
    /// The block of results, all of its figures over all responses whatever their status; then what only the successes tell.
    pub(crate) fn text(&self) -> String {
        let tally = self.tally;
        let mut text = String::from("*** Results ***\nStatus codes:\n");
        for (status, times) in &tally.counts.statuses {
            _ = writeln!(text, "  {status}: {times} times");
        }
        _ = writeln!(text, "Success ratio: {:.2}%", 100.0 * self.success_ratio());
        text.push_str("--- - --- - ---\n");
        let all = self.all_responses();
        let seconds = |ns: Option<f64>| ns.unwrap_or(0.0) / NS_PER_S;
        let (median, mean) = (seconds(all.quantile_ns(0.5)), seconds(all.mean_ns()));
        let (shortest, longest) = (seconds(all.min_ns()), seconds(all.max_ns()));
        _ = writeln!(text, "Total time: {:.4} seconds", self.elapsed.as_secs_f64());
        _ = writeln!(text, "Median latency: {median:.4}  |  Average latency: {mean:.4} seconds");
        _ = writeln!(
            text,
            "Shortest request time: {shortest:.4} seconds  |  Longest request time: {longest:.4} seconds"
        );
        text.push_str("--- - --- - ---\n");
        let ([input, output], [input_rate, output_rate]) = (self.mean_tokens(), self.token_rates());
        _ = writeln!(text, "Throughput: {} requests per second", self.rate(all.len() as f64));
        _ = writeln!(text, "Avg Input Tokens: {input:.4}  |  Avg Output Tokens: {output:.4}");
        _ = writeln!(
            text,
            "Input Token Throughput: {input_rate:.4} tokens per second  |  \
             Output Token Throughput: {output_rate:.4} tokens per second"
        );
        text.push_str(&self.more_text());
        text
    }

    /// The same as data.
    pub(crate) fn json(&self) -> Value {
        let tally = self.tally;
        let counts = |counts: &mut dyn Iterator<Item = (String, u64)>| -> Map<String, Value> {
            counts.map(|(name, count)| (name, json!(count))).collect()
        };
        let ([input, output], [input_rate, output_rate]) = (self.mean_tokens(), self.token_rates());
        json!({
            "requests": tally.counts.requests,
            "concurrency": self.concurrency,
            "elapsed_s": self.elapsed.as_secs_f64(),
            "status_codes": counts(&mut tally.counts.statuses.iter().map(|(status, n)| (status.to_string(), *n))),
            "faults": counts(&mut tally.counts.faults.iter().map(|(fault, n)| (fault.to_string(), *n))),
            "success_ratio": self.success_ratio(),
            "throughput_per_s": self.rate(tally.counts.successes as f64),
            "latency_ns": percentiles(&tally.latency),
            "input_tokens_mean": input,
            "output_tokens_mean": output,
            "input_token_throughput_per_s": input_rate,
            "output_token_throughput_per_s": output_rate,
            "connections_opened": tally.counts.connections,
            "connect_ns": percentiles(&tally.connect),
            "lag_ns": percentiles(&tally.lag),
            "reconnects": tally.counts.reconnects,
            "clock": clock_name(self.tally.counts.clock()),
        })
    }

    /// Why nothing was measured, in a sentence: what came instead of a success. Nothing when one exchange at least succeeded: the
    /// others are then figures, as of a service beyond its limit.
    pub(crate) fn failure(&self) -> Option<String> {
        let tally = self.tally;
        if tally.counts.successes > 0 {
            return None;
        }
        let came: Vec<String> = (tally.counts.faults.iter())
            .map(|(fault, times)| format!("{} ({})", fault.in_words(), text::count(*times)))
            .collect();
        if came.is_empty() {
            return Some("no request was answered in this time, so nothing was measured".to_owned());
        }
        let tried = text::plural(tally.counts.requests, "request");
        let answered = tally.counts.faults.keys().any(|fault| matches!(fault, Fault::Status(_)));
        let advice = if answered { "; if that status is wanted, name it with --expect-status" } else { "" };
        Some(format!(
            "not one of {tried} succeeded, so nothing was measured; what came instead: {}{advice}",
            text::list(&came)
        ))
    }

    fn more_text(&self) -> String {
        let tally = self.tally;
        let mut text = String::from("--- - --- - ---\n");
        if tally.latency.is_empty() {
            text.push_str("No request succeeded.\n");
        } else {
            text.push_str("Latency of the successes:\n");
            for (q, _, name) in PERCENTILES {
                let value = tally.latency.quantile_ns(q).unwrap_or(0.0);
                _ = writeln!(text, "  {name:<6} {}", text::duration_ns(value));
            }
        }
        if !tally.counts.faults.is_empty() {
            text.push_str("Faults:\n");
            for (fault, times) in &tally.counts.faults {
                _ = writeln!(text, "  {}: {times} times", fault.in_words());
            }
        }
        let opened = tally.counts.connections;
        if let Some(connect) = tally.connect.quantile_ns(0.5) {
            _ = writeln!(
                text,
                "Connections opened: {opened} (median {}), reconnects: {}",
                text::duration_ns(connect),
                tally.counts.reconnects
            );
        }
        if let Some(lag) = tally.lag.quantile_ns(0.99) {
            let timed_by = text::timed_by(self.tally.counts.clock(), tally.counts.unstamped);
            _ = writeln!(text, "Client: {}, {timed_by}", text::promptness(lag));
        }
        text
    }

    fn all_responses(&self) -> LatencyHistogram {
        let mut all = self.tally.latency.clone();
        all.add(&self.tally.failure_latency);
        all
    }

    fn success_ratio(&self) -> f64 {
        self.tally.counts.success_ratio().unwrap_or(0.0)
    }

    fn rate(&self, count: f64) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 { count / seconds } else { 0.0 }
    }

    /// Input and output tokens a response, those without any counted as 0.
    fn mean_tokens(&self) -> [f64; 2] {
        let responses = self.tally.counts.statuses.values().sum::<u64>().max(1) as f64;
        [self.tally.input_tokens, self.tally.output_tokens].map(|sum| sum.total / responses)
    }

    fn token_rates(&self) -> [f64; 2] {
        [self.tally.input_tokens, self.tally.output_tokens].map(|sum| self.rate(sum.total))
    }
}

fn clock_name(clock: Clock) -> &'static str {
    match clock {
        Clock::Kernel => "kernel",
        Clock::Mixed => "mixed",
        Clock::User => "user",
    }
}

/// The shape of a histogram; `null` where nothing was counted.
fn percentiles(histogram: &LatencyHistogram) -> Value {
    let mut shape = Map::new();
    shape.insert("min".into(), json!(histogram.min_ns()));
    shape.insert("mean".into(), json!(histogram.mean_ns()));
    for (q, name, _) in PERCENTILES {
        shape.insert(name.into(), json!(histogram.quantile_ns(q)));
    }
    shape.insert("max".into(), json!(histogram.max_ns()));
    Value::Object(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally() -> Tally {
        let mut tally = Tally::default();
        for _ in 0..45 {
            tally.latency.record(Duration::from_secs(2));
            tally.input_tokens.add(2.0);
            tally.output_tokens.add(300_000.0);
        }
        (0..55).for_each(|_| tally.failure_latency.record(Duration::from_millis(500)));
        tally.counts.statuses = [(200, 45), (429, 55)].into();
        tally.counts.faults = [(Fault::Status(429), 55)].into();
        (tally.counts.requests, tally.counts.successes) = (100, 45);
        tally
    }

    #[test]
    fn the_block_is_that_of_the_script_line_for_line() {
        let tally = tally();
        let loaded = LoadReport { tally: &tally, elapsed: Duration::from_millis(4_296), concurrency: 100 };
        let text = loaded.text();
        let block: Vec<&str> = text.lines().take(13).collect();
        assert_eq!(
            block[..5],
            [
                "*** Results ***",
                "Status codes:",
                "  200: 45 times",
                "  429: 55 times",
                "Success ratio: 45.00%",
            ]
        );
        assert_eq!(block[5], "--- - --- - ---");
        assert_eq!(block[6], "Total time: 4.2960 seconds");
        assert!(
            block[7].starts_with("Median latency: 0.50") && block[7].contains("  |  Average latency: 1.1")
        );
        assert!(
            block[8].contains("Shortest request time: 0.") && block[8].contains("Longest request time: 2.0")
        );
        assert_eq!(block[10], "Throughput: 23.277467411545622 requests per second");
        assert_eq!(block[11], "Avg Input Tokens: 0.9000  |  Avg Output Tokens: 135000.0000");
        assert!(block[12].starts_with("Input Token Throughput: 20.9497 tokens per second  |  Output Token"));
        assert!(text.contains("unexpected status 429: 55 times"));
    }

    #[test]
    fn the_data_has_what_the_design_names() {
        let tally = tally();
        let data = LoadReport { tally: &tally, elapsed: Duration::from_secs(5), concurrency: 100 }.json();
        assert_eq!(data["requests"], 100);
        assert_eq!(data["status_codes"]["429"], 55);
        assert_eq!(data["faults"]["status_429"], 55);
        assert_eq!(data["throughput_per_s"], 9.0);
        assert!((data["latency_ns"]["p99_9"].as_f64().unwrap() / 2e9 - 1.0).abs() < 1e-3);
        assert!(data["lag_ns"]["p50"].is_null());
    }

    #[test]
    fn what_came_instead_is_told_when_nothing_succeeded_and_only_then() {
        let failure =
            |tally: &Tally| LoadReport { tally, elapsed: Duration::from_secs(5), concurrency: 100 }.failure();
        let overloaded = tally();
        assert_eq!(failure(&overloaded), None);
        let mut gone = Tally::default();
        gone.counts.requests = 1_200;
        gone.counts.faults = [(Fault::Status(404), 1_190), (Fault::Timeout, 10)].into();
        assert_eq!(
            failure(&gone).unwrap(),
            "not one of 1,200 requests succeeded, so nothing was measured; what came instead: timed out (10) and unexpected \
             status 404 (1,190); if that status is wanted, name it with --expect-status"
        );
        gone.counts.faults.remove(&Fault::Status(404));
        assert!(failure(&gone).unwrap().ends_with("what came instead: timed out (10)"));
        assert!(failure(&Tally::default()).unwrap().starts_with("no request was answered"));
    }

    #[test]
    fn a_measurement_without_any_response_is_shown_without_nan() {
        let tally = Tally::default();
        let loaded = LoadReport { tally: &tally, elapsed: Duration::ZERO, concurrency: 1 };
        assert!(!loaded.text().contains("NaN") && loaded.text().contains("No request succeeded."));
        assert_eq!(loaded.json()["throughput_per_s"], 0.0);
    }
}
