//! What plimsoll itself costs: `cargo bench --bench overhead --features overhead`.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use plimsoll::internals::record::{LatencyHistogram, Round, Tally};
use plimsoll::internals::stats::interval::interval;

/// Exchanges of a busy round.
const EXCHANGES: u64 = 10_000;

fn tally() -> Tally {
    let window = Duration::from_millis(333);
    let mut tally = Tally { window, requests: EXCHANGES, successes: EXCHANGES, ..Tally::default() };
    (0..EXCHANGES).for_each(|n| tally.latency.record(Duration::from_nanos(80_000 + 37 * n)));
    tally
}

fn record(criterion: &mut Criterion) {
    let mut histogram = LatencyHistogram::new();
    criterion.bench_function("record one latency", |bencher| {
        bencher.iter(|| histogram.record(black_box(Duration::from_micros(123))));
    });
    let tally = tally();
    criterion.bench_function("close a round of 10,000 exchanges", |bencher| {
        bencher.iter(|| Round::close(black_box(&tally), 0, Duration::ZERO));
    });
}

fn statistics(criterion: &mut Criterion) {
    let launches: Vec<f64> = (0..30).map(|n| f64::from(n * 7 % 30) / 100.0).collect();
    criterion.bench_function("bootstrap-t of 30 launches, 100,000 resamples", |bencher| {
        bencher.iter(|| interval(black_box(&launches), 0.95, 100_000, 1));
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(2)).sample_size(20);
    targets = record, statistics
}
criterion_main!(benches);
