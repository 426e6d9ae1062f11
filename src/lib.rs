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
//! How it measures and judges, and how often it is wrong, is told in `methodology`; what it cannot know in `bias`.
//!
//! # Features
//!
//! All but `https` are on by default; a dev-dependency needs none of them.
//!
//! | feature | adds |
//! |---|---|
//! | `cli` | the `plimsoll` command |
//! | `png` | each chart as PNG next to its SVG |
//! | `serve` | the reference API |
//! | `reqwest` | HTTP/2, proxies and redirects |
//! | `https` | https, by rustls with *ring* |

// Some of what only the command uses is no longer reached without it; with all features nothing dead is let pass.
#![cfg_attr(not(feature = "cli"), allow(dead_code, reason = "only the command uses it"))]

#[cfg(not(unix))]
compile_error!(
    "plimsoll needs Unix: its services live in process groups, and a watchdog ends them through a pipe"
);

mod bench;
#[cfg(feature = "cli")]
mod calibrate;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
mod hex;
mod judge;
mod measure;
mod parallel;
mod plan;
mod record;
mod report;
#[cfg(feature = "serve")]
#[doc(hidden)]
pub mod serve;
mod session;
mod stats;

pub use bench::{BenchmarkGroup, Harness, IntoTargets};
pub use plan::{BenchmarkId, Command, Endpoint, Limit, Load, Service, Targets, TargetsError, Throughput};

/// What the macros expand to; no part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::bench::{BenchTarget, main};
}

/// What `benches/overhead.rs` times; no part of the interface.
#[cfg(feature = "overhead")]
#[doc(hidden)]
pub mod internals {
    pub use crate::report::ChangeChart;
    /// Names and settings.
    pub mod plan {
        pub use crate::plan::{CellId, Settings};
    }
    /// Verdicts.
    pub mod judge {
        pub use crate::judge::*;
    }
    /// Measurements.
    pub mod record {
        pub use crate::record::*;
    }
    /// Numbers.
    pub mod stats {
        pub use crate::stats::*;
    }
}

#[cfg(doc)]
#[doc = include_str!("../METHODOLOGY.md")]
#[doc = include_str!("../CALIBRATION.md")]
pub mod methodology {}

#[cfg(doc)]
#[doc = include_str!("../BIAS.md")]
pub mod bias {}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
