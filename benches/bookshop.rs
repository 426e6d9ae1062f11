//! A complete example in one file: `cargo bench --bench bookshop`.
//!
//! Like most services, this one waits for its database and then ranks the results. It runs in the bench's own process, so that the
//! example needs no other file. Services with a program of their own use `Service::command`.

use std::time::Duration;

use axum::Router;
use axum::extract::RawQuery;
use axum::routing::get;
use plimsoll::{BenchmarkId, Endpoint, Harness, Limit, Load, Service, bench_group, bench_main};
use tokio::net::TcpListener;

const SHELF: [&str; 5] = ["Moby Dick", "Lord Jim", "The Sea-Wolf", "Typhoon", "Two Years Before the Mast"];

/// The ten titles that have the most letters in common with the query.
async fn search(RawQuery(query): RawQuery) -> String {
    tokio::time::sleep(Duration::from_millis(2)).await; // the database
    let query = query.unwrap_or_default().to_lowercase();
    let letters_in_common =
        |title: &str| title.to_lowercase().chars().filter(|&letter| query.contains(letter)).count();
    let mut found: Vec<_> =
        SHELF.iter().cycle().take(200).map(|title| (letters_in_common(title), title)).collect();
    found.sort_unstable();
    found.iter().rev().take(10).map(|(_, title)| format!("{title}\n")).collect()
}

async fn serve(listener: TcpListener) {
    let shop = Router::new().route("/search", get(search));
    axum::serve(listener, shop).await.expect("axum never returns an error");
}

fn bookshop(harness: &mut Harness) {
    let mut group = harness.benchmark_group("bookshop");
    group
        .about("a search that waits 2 ms for its database")
        .service(Service::in_process(serve))
        .measurement_time(Duration::from_secs(5))
        .limit(Limit::p50(Duration::from_millis(50)));
    for concurrency in [1, 4, 16] {
        group.bench_endpoint(
            BenchmarkId::new("search", concurrency),
            Endpoint::get("/search?title=before+the+mast").expect_body_contains("Mast"),
            Load::closed(concurrency),
        );
    }
    group.finish();
}

bench_group!(benches, bookshop);
bench_main!(benches);
