//! ```no_run
//! use plimsoll::{BenchmarkId, Endpoint, Harness, Load, Service, bench_group, bench_main};
//!
//! fn search(harness: &mut Harness) {
//!     let mut group = harness.benchmark_group("search");
//!     group.service(Service::command("./server").args(["--port", "{port}"]).ready("/health"));
//!     for connections in [1, 10, 100] {
//!         let id = BenchmarkId::new("ship", connections);
//!         group.bench_endpoint(id, Endpoint::get("/search?q=ship"), Load::closed(connections));
//!     }
//! }
//!
//! bench_group!(benches, search);
//! bench_main!(benches);
//! ```
//!
//! plimsoll is criterion for HTTP endpoints. It loads each endpoint at each concurrency in repeated rounds, compares the rounds with
//! a stored baseline or with the old build running next to the new one, draws latency and throughput charts, and fails CI if the
//! service became slower.
//!
//! The code above is `benches/NAME.rs`. In `Cargo.toml`:
//!
//! ```toml
//! [dev-dependencies]
//! plimsoll = { version = "0.1", default-features = false }
//!
//! [[bench]]
//! name = "NAME"
//! harness = false
//! ```
//!
//! | command | what it does |
//! |---|---|
//! | `cargo bench --bench NAME` | measures, compares with the baseline `main` if there is one, and writes `reports/NAME/index.html` |
//! | `cargo bench --bench NAME -- --save-baseline main` | the same, and stores the run as the baseline `main` |
//! | `cargo bench --bench NAME -- --base-ref main` | builds the commit `main` and the working tree, and measures them alternately |
//! | `cargo bench --bench NAME -- --help` | lists all flags |
//! | `cargo test --benches` | sends each request once and checks the response |
//!
//! Start with [`BenchmarkGroup`], which has everything that can be said in a bench file. A cell is an [`Endpoint`] or [`Targets`] under
//! a [`Load`]. [`Service`] says what to load. [`methodology`] explains how plimsoll measures and decides, what it cannot
//! know and how often it is wrong. [`ci`] is about gating pull requests.
//!
//! # Exit codes
//!
//! | code | meaning |
//! |---|---|
//! | 0 | measured, and nothing regressed |
//! | 1 | a cell regressed or broke a [`Limit`] |
//! | 2 | a flag, the bench file or a stored file is wrong |
//! | 3 | it could not be measured |
//! | 130, 143 | interrupted by SIGINT or SIGTERM |
//!
//! # Features
//!
//! All features but `https` are on by default. A dev-dependency needs none of them.
//!
//! | feature | adds |
//! |---|---|
//! | `cli` | the command `plimsoll` |
//! | `junit` | `--report junit` |
//! | `png` | a PNG of each chart next to its SVG |
//! | `serve` | the reference API |
//! | `reqwest` | HTTP/2, proxies and redirects |
//! | `https` | https, by rustls with *ring* |

#![cfg_attr(not(feature = "cli"), allow(dead_code, reason = "the command uses it"))]

#[cfg(not(unix))]
compile_error!(
    "plimsoll needs Unix: services run in process groups, and a watchdog stops them through a pipe"
);

mod bench;
#[cfg(feature = "cli")]
mod calibrate;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
mod encoding;
mod hex;
mod judge;
mod measure;
mod output;
mod parallel;
mod plan;
mod record;
mod report;
#[cfg(feature = "serve")]
#[doc(hidden)]
pub mod serve;
mod session;
mod stats;

pub use bench::{BenchmarkGroup, Harness};
pub use plan::{
    BenchmarkId, Endpoint, EndpointError, IntoTargets, Limit, Load, Service, ServiceCommand, Targets,
    TargetsError, Throughput, metric,
};

/// For the macros. Not part of the public API.
#[doc(hidden)]
pub mod __private {
    pub use crate::bench::{BenchTarget, main};
}

/// For `benches/overhead.rs`. Not part of the public API.
#[cfg(feature = "overhead")]
#[doc(hidden)]
pub mod internals {
    pub use crate::report::draw_change_chart;
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
#[doc = include_str!("../CI.md")]
pub mod ci {}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
