//! Latency percentiles against concurrency: what waiting costs the typical and the unlucky request, before and after.

use super::axis::{Axis, time_unit};
use super::data::{Curve, largest_shown, scaled, smallest};
use super::line_chart::{Contents, LineChart};

/// From this ratio of the largest to the smallest value on, the small ones would lie on the floor of a linear axis.
const LOGARITHMIC_FROM: f64 = 8.0;

/// The data of the chart. Estimates are nanoseconds.
#[derive(Debug, Clone)]
pub(crate) struct Latency {
    /// The cell's group and function.
    pub(crate) title: String,
    /// What the reader should see.
    pub(crate) subtitle: String,
    /// All that were measured, also those without any success.
    pub(crate) concurrencies: Vec<u32>,
    /// One a percentile (`p50`, `p90`, `p99`) and side.
    pub(crate) curves: Vec<Curve>,
}

impl Latency {
    /// Lays the chart out: from 0, or logarithmic where the values lie far apart.
    pub(crate) fn chart(&self) -> LineChart {
        let largest = largest_shown(&self.curves).unwrap_or(1.0);
        let unit = time_unit(largest);
        let curves = scaled(&self.curves, unit.size);
        let largest = largest / unit.size;
        let axis = match smallest(&curves) {
            Some(smallest) if largest / smallest >= LOGARITHMIC_FROM => Axis::logarithmic(smallest, largest),
            _ => Axis::linear_from_zero(largest),
        };
        let scale = if axis.is_logarithmic() { ", log scale" } else { "" };
        LineChart::new(Contents {
            title: &self.title,
            subtitle: &self.subtitle,
            y_title: format!("latency ({}{scale})", unit.name),
            axis,
            concurrencies: &self.concurrencies,
            curves,
            notice: "too few successful responses",
        })
    }
}
