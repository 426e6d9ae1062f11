//! How often is plimsoll's own gate wrong? Simulated calls with a known truth go through [`judge`](crate::judge), the code that
//! judges real ones, and what it said is counted.
//!
//! In: a seed and how much time it may take. Out: a [`Calibration`], rates with their own intervals: how often an unchanged call
//! turned red, how often a slower cell was found and at what cost, how often the displayed intervals held the truth, and what other rules
//! in use say of the same rounds.

mod bank;
mod bounds;
mod call;
mod count;
mod design;
mod luck;
mod rate;
mod rivals;
mod row;
mod runs;
mod scenario;
mod simulate;
mod study;
mod table;
mod world;

#[cfg(test)]
mod freeze;
#[cfg(test)]
mod tests;

pub use bounds::{Doubt, Standing};
pub use row::{Calibration, Effort};
pub use study::calibrate;
