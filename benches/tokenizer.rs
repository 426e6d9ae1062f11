//! The reference API under load: `cargo bench --bench tokenizer`.
//!
//! A cell's time is chosen by what its rounds must hold: p99 is judged where a round has a thousand exchanges. The fast cells
//! have ten times that in a third of a second, and so the default of ten seconds. Answers of 300,000 tokens come 1,300 times a
//! second: they have their p95. `at_limit`, where not one may be refused, is loaded three times as long, with forty thousand requests a
//! run. A burst lasts as long as it lasts, and its ten answers have no tail.

use std::time::Duration;

use plimsoll::{
    BenchmarkId, Endpoint, Harness, Load, Service, ServiceCommand, Targets, bench_group, bench_main,
};

/// Requests of one burst, and how many of them the limited service serves at once.
const BURST: usize = 100;
const LIMIT: usize = 10;

fn serve() -> ServiceCommand {
    Service::command(env!("CARGO_BIN_EXE_plimsoll")).args(["serve", "--port", "{port}"]).ready("/stats")
}

fn tokens(output: usize) -> Endpoint {
    Endpoint::get(format!("/tokenizer?output_tokens={output}&input_text=abcdefgh"))
}

/// How throughput and latency follow concurrency.
fn tokenizer(harness: &mut Harness) {
    let mut group = harness.benchmark_group("tokenizer");
    group.about("3,000 tokens an answer: throughput and latency against concurrency").service(serve());
    for concurrency in [5, 10, 15, 20] {
        group.bench_endpoint(
            BenchmarkId::new("3k_tokens", concurrency),
            tokens(3_000),
            Load::closed(concurrency),
        );
    }
    group.finish();
}

/// How the length of an answer tells: from the cost of a request to the cost of writing it.
fn length(harness: &mut Harness) {
    let mut group = harness.benchmark_group("length");
    group.about("30, 3,000 and 300,000 tokens an answer at concurrency 10").service(serve());
    for output in [30, 3_000, 300_000] {
        group.bench_endpoint(BenchmarkId::new("tokens", output), tokens(output), Load::closed(10));
    }
    group.finish();
}

/// Short answers behind long ones: what the unlucky wait for, as more clients ask.
fn mixed(harness: &mut Harness) {
    let mut group = harness.benchmark_group("mixed");
    group.about("3 to 30,000 tokens an answer, dealt as shuffled decks").service(serve());
    for concurrency in [10, 25, 50, 100] {
        group.bench_endpoint(
            BenchmarkId::new("3_to_30k_tokens", concurrency),
            Targets::from_file("benches/endpoints.txt"),
            Load::closed(concurrency),
        );
    }
    group.finish();
}

/// As many clients as the limit allows: not one of them may be refused.
fn at_limit(harness: &mut Harness) {
    let mut group = harness.benchmark_group("at_limit");
    group
        .about("300,000 tokens an answer, ten clients against a limit of ten: all are served")
        .service(serve().args(["--max-concurrent-requests", &LIMIT.to_string()]))
        .measurement_time(Duration::from_secs(30))
        .least_success_ratio(1.0);
    group.bench_endpoint(BenchmarkId::new("300k_tokens", LIMIT), tokens(300_000), Load::closed(LIMIT));
    group.finish();
}

/// What happens to those that come at once where ten are served: some get their answer, the others a 429.
fn overload(harness: &mut Harness) {
    let mut group = harness.benchmark_group("overload");
    group
        .about("100 requests at once against a limit of 10: how many are served, and how fast")
        .service(serve().args(["--max-concurrent-requests", &LIMIT.to_string()]))
        .least_success_ratio(0.0);
    group.bench_endpoint(BenchmarkId::new("300k_tokens", BURST), tokens(300_000), Load::burst(BURST));
    group.finish();
}

bench_group!(benches, tokenizer, length, mixed, at_limit, overload);
bench_main!(benches);
