//! The criterion-style front: what a bench file is written with.
//!
//! Criterion's groups measure while they are defined; ours only plan. Everything is measured once all groups are known, so that
//! the rounds of all cells can be interleaved and judged together.

mod contradictions;
mod duet_flags;
mod flags;
mod group;
mod harness;
mod macros;
mod target;

pub use group::{BenchmarkGroup, IntoTargets};
pub use harness::Harness;
pub use target::{BenchTarget, main};
