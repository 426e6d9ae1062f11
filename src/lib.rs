//! criterion for HTTP endpoints.

pub mod plan;
#[cfg(feature = "serve")]
pub mod serve;
pub mod stats;

pub use plan::{BenchmarkId, Endpoint, Limit, Load, Service, Targets, Throughput};
