//! criterion for HTTP endpoints.
//!
//! plimsoll loads each endpoint at each concurrency in repeated rounds, compares the rounds with a stored baseline by
//! confidence intervals, draws latency and throughput charts, and fails CI when, and only when, the service really became slower.
//!
//! A bench file in `benches/`, with `harness = false` in `Cargo.toml`, defines groups of cells: an [`Endpoint`] (or [`Targets`])
//! under a [`Load`].
//!
//! ```no_run
//! use plimsoll::{BenchmarkId, Endpoint, Harness, Load, Service, bench_group, bench_main};
//!
//! fn search(harness: &mut Harness) {
//!     let mut group = harness.benchmark_group("search");
//!     group.service(Service::command("./server").args(["--port", "{port}"]).ready("/health"));
//!     for concurrency in [1, 10, 100] {
//!         group.bench_endpoint(
//!             BenchmarkId::new("ship", concurrency),
//!             Endpoint::get("/search?q=ship"),
//!             Load::closed(concurrency),
//!         );
//!     }
//!     group.finish();
//! }
//!
//! bench_group!(benches, search);
//! bench_main!(benches);
//! ```
//!
//! `cargo bench --bench NAME` then measures, judges and reports; `cargo bench --bench NAME -- --help` lists the flags. Its exit
//! code is 0 when nothing regressed, 1 when something did, 2 for a wrong call or file, 3 when it could not be measured, and 130 or
//! 143 when a signal ended it.
//!
//! # Rooms
//!
//! | room | what lives there |
//! |---|---|
//! | [`bench`](mod@bench) | the front that bench files are written with |
//! | [`plan`] | what to measure |
//! | [`record`] | what was measured, and its files |
//! | [`judge`] | baselines and runs become verdicts; how often it is wrong |
//! | [`stats`] | the statistics beneath |
//! | `serve` | the reference API that our own suite loads (feature `serve`) |
//!
//! # Features
//!
//! All are on by default; a dev-dependency needs none of them.
//!
//! | feature | adds |
//! |---|---|
//! | `cli` | the `plimsoll` command |
//! | `serve` | the reference API |
//! | `reqwest` | https, HTTP/2, proxies and redirects |

#[cfg(not(unix))]
compile_error!(
    "plimsoll needs Unix: its services live in process groups, and a guardian ends them through a pipe"
);

pub mod bench;
#[cfg(feature = "cli")]
pub mod cli;
pub mod judge;
mod measure;
pub mod plan;
pub mod record;
mod report;
#[cfg(feature = "serve")]
pub mod serve;
mod session;
pub mod stats;

/// The rooms as `benches/overhead.rs` reaches them; nothing here is kept stable.
#[doc(hidden)]
#[cfg(feature = "overhead")]
pub mod internals {
    pub use crate::report::ChangeChart;
    pub use crate::{judge, record, stats};
}

pub use bench::{BenchmarkGroup, Harness};
pub use plan::{BenchmarkId, Command, Endpoint, Limit, Load, Service, Targets, Throughput};
