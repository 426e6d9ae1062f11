//! The reference API under load: `cargo bench --bench tokenizer`.

use plimsoll::{BenchmarkId, Command, Endpoint, Harness, Load, Service, bench_group, bench_main};

/// Requests of one burst, and how many of them the limited service serves at once.
const BURST: usize = 100;
const LIMIT: usize = 10;

fn serve() -> Command {
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

bench_group!(benches, tokenizer, overload);
bench_main!(benches);
