//! criterion for HTTP endpoints.

mod measure;
pub mod plan;
pub mod record;
#[cfg(feature = "serve")]
pub mod serve;
pub mod stats;

pub use plan::{BenchmarkId, Endpoint, Limit, Load, Service, Targets, Throughput};
