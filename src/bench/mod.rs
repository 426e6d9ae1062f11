//! The criterion-style front: what bench files are written with, and what a bench binary does with its arguments.
//!
//! criterion's groups measure while they are defined. plimsoll's groups only plan: everything is measured once all groups are known,
//! so that the rounds of all cells can be interleaved and judged together.

mod api;
mod flags;
mod main;

pub use api::{BenchmarkGroup, Harness};
pub use main::{BenchTarget, main};
