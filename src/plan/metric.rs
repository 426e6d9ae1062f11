//! The names of the metrics, for [`BenchmarkGroup::judge`](crate::BenchmarkGroup::judge) and for reading result files.
//!
//! Each constant is the metric's name as a string: `metric::LATENCY_P99` and `"latency_p99"` mean the same.
//!
//! ```
//! use plimsoll::metric;
//! # let mut harness = plimsoll::Harness::default();
//! let mut group = harness.benchmark_group("search");
//! group.judge([metric::LATENCY_P99, metric::THROUGHPUT]);
//! ```

/// Successful responses as a fraction of all requests. Always judged first.
pub const SUCCESS_RATIO: &str = "success_ratio";
/// Median latency of successful requests. Judged by default.
pub const LATENCY_P50: &str = "latency_p50";
/// 90th percentile of latency. Judged by default if the cell has too few requests for a higher percentile.
pub const LATENCY_P90: &str = "latency_p90";
/// 95th percentile of latency. Judged by default if the cell has too few requests for p99.
pub const LATENCY_P95: &str = "latency_p95";
/// 99th percentile of latency. Judged by default if the cell has enough requests: 1,000 per round.
pub const LATENCY_P99: &str = "latency_p99";
/// 99.9th percentile of latency.
pub const LATENCY_P99_9: &str = "latency_p99_9";
/// Mean latency.
pub const LATENCY_MEAN: &str = "latency_mean";
/// Highest latency of a round.
pub const LATENCY_MAX: &str = "latency_max";
/// Successful responses per second. Judged by default.
pub const THROUGHPUT: &str = "throughput";
/// Median time to open a connection.
pub const CONNECT: &str = "connect";
/// 99th percentile of the client's own delay between a response's arrival and the next request.
pub const LAG: &str = "lag";
/// Mean of the client's own delay between a response's arrival and the next request.
pub const LAG_MEAN: &str = "lag_mean";
/// Mean bytes of the body of a successful response, as received. If it changed by more than 10%, its cell is not `improved`.
pub const RESPONSE_BYTES: &str = "response_bytes";
/// Input tokens per successful request. See [`Endpoint::tokens`](crate::Endpoint::tokens).
pub const INPUT_TOKENS: &str = "input_tokens";
/// Output tokens per successful request. See [`Endpoint::tokens`](crate::Endpoint::tokens).
pub const OUTPUT_TOKENS: &str = "output_tokens";
/// Input tokens per second.
pub const INPUT_TOKEN_THROUGHPUT: &str = "input_token_throughput";
/// Output tokens per second.
pub const OUTPUT_TOKEN_THROUGHPUT: &str = "output_token_throughput";
