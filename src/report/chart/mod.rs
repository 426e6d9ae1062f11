//! Charts of a run and its baseline: plain data flows in, an SVG and a PNG of one and the same drawing flow out.
//!
//! A chart is a struct of plain data with a [`render::Chart`] of its own, in one file. It draws with a [`pen::Pen`]
//! on any plotters back end; [`render::render`] is the only place that knows which ones there are.
//! plotters' own text needs fonts of the system, so text is measured and painted here, with one embedded font.

mod axis;
mod canvas;
pub(crate) mod data;
mod font;
pub(crate) mod forest;
mod heading;
mod label;
pub(crate) mod latency;
mod line_chart;
mod line_drawing;
mod naming;
pub(crate) mod palette;
mod pen;
pub(crate) mod percentiles;
mod plot;
mod png_file;
pub(crate) mod render;
pub(crate) mod rounds;
#[cfg(test)]
mod tests;
pub(crate) mod throughput;
