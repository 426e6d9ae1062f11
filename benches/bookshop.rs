//! A service that knows nothing of plimsoll, loaded from its own bench file: `cargo bench --bench bookshop`.
//!
//! The service waits for its database and then ranks what it got, as most do. It lives in the bench's own process, so
//! that this file is all that there is; one with a program of its own is told by `Service::command`.

use std::time::Duration;

use axum::Router;
use axum::extract::RawQuery;
use axum::routing::get;
use plimsoll::{BenchmarkId, Endpoint, Harness, Limit, Load, Service, bench_group, bench_main};
use tokio::net::TcpListener;

const SHELF: [&str; 5] = ["Moby Dick", "Lord Jim", "The Sea-Wolf", "Typhoon", "Two Years Before the Mast"];

/// Ten of the titles: those that have most letters in common with what was asked for.
async fn search(RawQuery(query): RawQuery) -> String {
    tokio::time::sleep(Duration::from_millis(2)).await; // the database
    let wanted = query.unwrap_or_default().to_lowercase();
    let in_common =
        |title: &str| title.to_lowercase().chars().filter(|&letter| wanted.contains(letter)).count();
    let mut found: Vec<_> = SHELF.iter().cycle().take(200).map(|title| (in_common(title), title)).collect();
    found.sort_unstable();
    found.iter().rev().take(10).map(|(_, title)| format!("{title}\n")).collect()
}

async fn serve(listener: TcpListener) {
    let shop = Router::new().route("/search", get(search));
    let _ended = axum::serve(listener, shop).await;
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
