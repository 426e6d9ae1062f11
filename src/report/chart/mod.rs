//! The charts of a report: plain data in, an SVG as a string out.
//!
//! A chart is a file with its data and its `draw`. All of them draw on the [`svg::Canvas`], and share these colours, sizes and
//! types. Sizes are CSS px.
//!
//! The colours are Okabe and Ito's, which people with any kind of colour vision tell apart (Wong, "Points of view: Color
//! blindness", Nature Methods 8, 2011). A shape or a line style always repeats what a colour says.

mod axis;
mod data;
pub(crate) mod forest;
mod frame;
pub(crate) mod lines;
pub(crate) mod percentiles;
pub(crate) mod rounds;
pub(crate) mod svg;
#[cfg(test)]
mod tests;

pub(crate) use data::{Chart, Line, Point, Scope, Side};
