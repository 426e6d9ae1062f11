//! Judging as a whole.
