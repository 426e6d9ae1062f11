//! Numbers in, numbers out: the mathematics behind every verdict.
//!
//! No I/O, no clock, no terms of load testing: functions take slices, plain numbers and seeds, and return plain numbers, so that
//! each formula can be checked against its published source. No function returns NaN.

pub mod decision;
pub mod describe;
pub mod distribution;
pub mod interval;
pub mod proportion;
pub mod series;
