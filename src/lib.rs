//! criterion for HTTP endpoints.

#[cfg(feature = "cli")]
pub mod cli;
pub mod judge;
mod measure;
pub mod plan;
pub mod record;
// Its callers come with the report.
#[allow(dead_code)]
pub(crate) mod report;
#[cfg(feature = "serve")]
pub mod serve;
pub mod stats;

pub use plan::{BenchmarkId, Endpoint, Limit, Load, Service, Targets, Throughput};
