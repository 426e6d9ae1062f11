//! criterion for HTTP endpoints.

#[cfg(feature = "serve")]
pub mod serve;
pub mod stats;
