//! Charts of a run and its baseline: plain data flows in, an SVG and a PNG of one and the same drawing flow out.
//!
//! A chart is a struct of plain data with a [`render::Chart`] of its own, in one file. It draws with a [`pen::Pen`]
//! on any plotters back end; [`render::render`] is the only place that knows which ones there are.
//! plotters' own text needs fonts of the system, so text is measured and painted here, with one embedded font.

mod axis;
mod canvas;
mod data;
mod font;
mod heading;
mod label;
mod latency;
mod line_chart;
mod line_drawing;
mod naming;
mod palette;
mod pen;
mod render;
#[cfg(test)]
mod tests;
mod throughput;
