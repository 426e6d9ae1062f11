//! Latency percentiles against concurrency: what waiting costs the typical and the unlucky request, before and after.

use super::axis::{Axis, time_unit};
use super::data::{Curve, extent, scaled, spreads};
use super::line_chart::{Contents, LineChart};

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
        let (smallest, largest) = extent(spreads(&self.curves)).unwrap_or((0.0, 1.0));
        let unit = time_unit(largest);
        let axis = Axis::of_latency(smallest / unit.size, largest / unit.size);
        LineChart::new(Contents {
            title: &self.title,
            subtitle: &self.subtitle,
            y_title: axis.title("latency", unit),
            axis,
            concurrencies: &self.concurrencies,
            curves: scaled(&self.curves, unit.size),
        })
    }
}
