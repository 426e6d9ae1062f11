//! Tells people and machines what came out: runs and verdicts flow in, text and pictures flow out.

mod chart;
