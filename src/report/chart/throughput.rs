//! Throughput against concurrency: where a service stops to become faster, before and after.

use super::axis::{Axis, rate_unit};
use super::data::{Curve, extent, scaled, spreads};
use super::line_chart::{Contents, LineChart};

/// The data of the chart. Estimates are successes per second.
#[derive(Debug, Clone)]
pub(crate) struct Throughput {
    /// The group.
    pub(crate) title: String,
    /// What the reader should see.
    pub(crate) subtitle: String,
    /// All that were measured, also those without any success.
    pub(crate) concurrencies: Vec<u32>,
    /// One an endpoint and side.
    pub(crate) curves: Vec<Curve>,
}

impl Throughput {
    /// Lays the chart out. It starts at 0, so that lengths can be compared.
    pub(crate) fn chart(&self) -> LineChart {
        let (_, largest) = extent(spreads(&self.curves)).unwrap_or((0.0, 1.0));
        let unit = rate_unit(largest);
        let axis = Axis::linear_from_zero(largest / unit.size);
        LineChart::new(Contents {
            title: &self.title,
            subtitle: &self.subtitle,
            y_title: axis.title("throughput", unit),
            axis,
            concurrencies: &self.concurrencies,
            curves: scaled(&self.curves, unit.size),
        })
    }
}
