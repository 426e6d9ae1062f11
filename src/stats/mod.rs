//! Numbers in, numbers out: the mathematics that every verdict rests on.
//!
//! No input or output, no clock and no word of the domain: a file here takes slices and plain numbers, seeds
//! included, and gives plain numbers back, so that each formula can be held against its published source.
//! Every answer is finite or says that there is none; NaN never leaves this room.

pub mod bootstrap;
pub mod diagnose;
pub mod disorder;
pub mod interval;
pub mod location;
pub mod moderate;
pub mod multiple;
pub mod normal;
pub mod power;
pub mod proportion;
pub mod root;
pub mod special;
pub mod student;
