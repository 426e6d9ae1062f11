//! Lines over concurrency: curves and a vertical axis flow in, a chart that knows the place of everything flows out.
//!
//! What throughput and latency have in common. Each line is named at its end; there is no legend to look up.

use std::collections::BTreeSet;

use super::axis::Axis;
use super::data::{Curve, Side};
use super::heading::Heading;
use super::naming::{Line, labelled, names};
use super::palette::NAME_HEIGHT_PX;
use super::plot::Plot;

const LEAST_PLOT_HEIGHT_PX: f64 = 300.0;
/// From the plot's edges to the first and the last point.
pub(crate) const INSET_PX: f64 = 22.0;
/// Base and head stand so far beside the true concurrency that their intervals do not hide each other.
pub(crate) const DODGE_PX: f64 = 3.0;
/// More endpoints than this cannot be read, nor named within a page.
const MAX_NAMES: usize = 20;

/// A chart that is ready to be drawn.
pub(crate) struct LineChart {
    pub(crate) heading: Heading,
    pub(crate) y_title: String,
    pub(crate) axis: Axis,
    pub(crate) concurrencies: Vec<u32>,
    pub(crate) lines: Vec<Line>,
    /// Says that some had no room.
    pub(crate) note: Option<String>,
    pub(crate) description: Vec<String>,
}

/// What a [`LineChart`] is made of.
pub(crate) struct Contents<'a> {
    pub(crate) title: &'a str,
    pub(crate) subtitle: &'a str,
    /// With its unit.
    pub(crate) y_title: String,
    pub(crate) axis: Axis,
    /// All that were measured, also those without an estimate.
    pub(crate) concurrencies: &'a [u32],
    /// In the unit of the axis.
    pub(crate) curves: Vec<Curve>,
}

impl LineChart {
    /// Orders, names and counts what is to be drawn.
    pub(crate) fn new(contents: Contents<'_>) -> Self {
        let mut curves = contents.curves;
        let concurrencies: BTreeSet<u32> = (contents.concurrencies.iter().copied())
            .chain(curves.iter().flat_map(|c| c.estimates.iter().map(|e| e.concurrency)))
            .collect();
        for curve in &mut curves {
            curve.estimates.sort_by_key(|estimate| estimate.concurrency);
        }
        curves.retain(|curve| !curve.estimates.is_empty());
        let names = names(&curves);
        let note =
            (names.len() > MAX_NAMES).then(|| format!("the first {MAX_NAMES} of {} are shown", names.len()));
        curves.retain(|curve| names.iter().take(MAX_NAMES).any(|name| *name == curve.name));

        let mut description = vec![contents.title.to_owned(), contents.subtitle.to_owned()];
        description.extend(curves.iter().map(|c| format!("{}: {}", c.side.name(), c.name)));
        Self {
            heading: Heading::new(contents.title, contents.subtitle),
            y_title: contents.y_title,
            axis: contents.axis,
            concurrencies: concurrencies.into_iter().collect(),
            lines: labelled(curves),
            note,
            description,
        }
    }

    /// The rectangle between the axes, with room for the names.
    pub(crate) fn plot(&self) -> Plot<'_> {
        let height = (self.lines.len() as f64 * NAME_HEIGHT_PX).max(LEAST_PLOT_HEIGHT_PX);
        let names = self.lines.iter().map(|line| line.label.as_str());
        Plot::new(&self.heading, &self.axis, height, names, INSET_PX - DODGE_PX)
    }

    pub(crate) fn has_both_sides(&self) -> bool {
        let has = |side| self.lines.iter().any(|line| line.curve.side == side);
        has(Side::Base) && has(Side::Head)
    }
}
