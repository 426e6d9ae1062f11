//! The reference API under load: `cargo bench --bench tokenizer`.
//!
//! The measuring time of a cell determines its highest percentile: p99 needs 1,000 requests per round. The fast cells send ten times
//! as many in a third of a second, so they use the default of 10 s. Responses of 300,000 tokens arrive 1,300 times per second, which
//! is enough for p95. `at_limit` is loaded three times as long, because none of its 40,000 requests may be refused. A burst has ten
//! successful responses, too few for a tail percentile.

use std::time::Duration;

use plimsoll::{
    BenchmarkId, Endpoint, Harness, Load, Service, ServiceCommand, Targets, bench_group, bench_main,
};

/// Requests per burst.
const BURST: usize = 100;
/// Requests that the limited service handles at the same time. It refuses the others.
const LIMIT: usize = 10;

fn serve() -> ServiceCommand {
    Service::command(env!("CARGO_BIN_EXE_plimsoll")).args(["serve", "--port", "{port}"]).ready("/stats")
}

fn tokens(output: usize) -> Endpoint {
    Endpoint::get(format!("/tokenizer?output_tokens={output}&input_text=abcdefgh"))
}

/// Throughput and latency against concurrency.
fn tokenizer(harness: &mut Harness) {
    let mut group = harness.benchmark_group("tokenizer");
    group.about("3,000 tokens per response: throughput and latency against concurrency").service(serve());
    for concurrency in [5, 10, 15, 20] {
        group.bench_endpoint(
            BenchmarkId::new("3k_tokens", concurrency),
            tokens(3_000),
            Load::closed(concurrency),
        );
    }
    group.finish();
}

/// The cost of a response against its length.
fn length(harness: &mut Harness) {
    let mut group = harness.benchmark_group("length");
    group.about("30, 3,000 and 300,000 tokens per response at concurrency 10").service(serve());
    for output in [30, 3_000, 300_000] {
        group.bench_endpoint(BenchmarkId::new("tokens", output), tokens(output), Load::closed(10));
    }
    group.finish();
}

/// Short responses that wait behind long ones, with more and more clients.
fn mixed(harness: &mut Harness) {
    let mut group = harness.benchmark_group("mixed");
    group.about("3 to 30,000 tokens per response, in shuffled order").service(serve());
    for concurrency in [10, 25, 50, 100] {
        group.bench_endpoint(
            BenchmarkId::new("3_to_30k_tokens", concurrency),
            Targets::from_file("benches/endpoints.txt"),
            Load::closed(concurrency),
        );
    }
    group.finish();
}

/// As many clients as the limit allows: no request may be refused.
fn at_limit(harness: &mut Harness) {
    let mut group = harness.benchmark_group("at_limit");
    group
        .about("300,000 tokens per response, 10 clients against a limit of 10: all are served")
        .service(serve().args(["--max-concurrent-requests", &LIMIT.to_string()]))
        .measurement_time(Duration::from_secs(30))
        .min_success_ratio(1.0);
    group.bench_endpoint(BenchmarkId::new("300k_tokens", LIMIT), tokens(300_000), Load::closed(LIMIT));
    group.finish();
}

/// A burst above the limit: some requests get a response, the others a 429.
fn overload(harness: &mut Harness) {
    let mut group = harness.benchmark_group("overload");
    group
        .about("100 requests at the same time against a limit of 10: how many are served, and how fast")
        .service(serve().args(["--max-concurrent-requests", &LIMIT.to_string()]))
        .min_success_ratio(0.0);
    group.bench_endpoint(BenchmarkId::new("300k_tokens", BURST), tokens(300_000), Load::burst(BURST));
    group.finish();
}

bench_group!(benches, tokenizer, length, mixed, at_limit, overload);
bench_main!(benches);
