//! criterion for HTTP endpoints.

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

pub use bench::{BenchmarkGroup, Harness};
pub use plan::{BenchmarkId, Endpoint, Limit, Load, Service, Targets, Throughput};
