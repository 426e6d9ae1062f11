//! Lines over concurrency: curves and a vertical axis flow in, a chart that knows the place of everything flows out.
//!
//! What throughput and latency have in common. Each line is named at its end; there is no legend to look up.

use std::collections::BTreeSet;

use super::axis::Axis;
use super::data::{Curve, Side};
use super::font;
use super::heading::Heading;
use super::naming::{Line, labelled, names};
use super::palette::TEXT_SIZE;
use super::pen::Frame;

pub(crate) const WIDTH_PX: u32 = 760;
const LEAST_PLOT_HEIGHT_PX: f64 = 300.0;
pub(crate) const EDGE_PX: f64 = 16.0;
/// From the heading to the plot: the title of the vertical axis stands here.
const ABOVE_PLOT_PX: f64 = 38.0;
/// From the middle of that title to the plot.
pub(crate) const Y_TITLE_PX: f64 = 22.0;
/// From the plot to the lower edge: tick labels and the title of the horizontal axis.
pub(crate) const BELOW_PLOT_PX: f64 = 58.0;
const LEAST_RIGHT_PX: f64 = 36.0;
/// From the plot's edges to the first and the last point.
pub(crate) const INSET_PX: f64 = 22.0;
/// From an axis to its labels.
pub(crate) const TICK_GAP_PX: f64 = 8.0;
/// From the end of the longest line to the names: room for the leaders to fan out.
pub(crate) const LEAD_PX: f64 = 36.0;
pub(crate) const NAME_HEIGHT_PX: f64 = 16.0;
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
    /// Said in the middle of an empty chart.
    pub(crate) notice: &'static str,
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
    /// Said when there is no estimate at all.
    pub(crate) notice: &'static str,
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

        let width = f64::from(WIDTH_PX) - 2.0 * EDGE_PX;
        let mut description = vec![contents.title.to_owned(), contents.subtitle.to_owned()];
        description.extend(curves.iter().map(|c| format!("{}: {}", c.side.name(), c.name)));
        Self {
            heading: Heading::new(contents.title, contents.subtitle, width),
            y_title: contents.y_title,
            axis: contents.axis,
            concurrencies: concurrencies.into_iter().collect(),
            lines: labelled(curves),
            note,
            notice: contents.notice,
            description,
        }
    }

    /// The rectangle between the axes.
    pub(crate) fn plot(&self) -> Frame {
        let ticks = self.axis.ticks.iter();
        let tick_width = widest(ticks.map(|tick| tick.label.as_str()));
        let name_width = widest(self.lines.iter().map(|line| line.label.as_str()));
        let right = if self.names_stand_inside() || self.lines.is_empty() {
            LEAST_RIGHT_PX
        } else {
            (LEAD_PX - INSET_PX + DODGE_PX + name_width + EDGE_PX).max(LEAST_RIGHT_PX)
        };
        let top = self.heading.bottom() + ABOVE_PLOT_PX;
        let names_height = self.lines.len() as f64 * NAME_HEIGHT_PX;
        Frame {
            left: EDGE_PX + tick_width + TICK_GAP_PX,
            top,
            right: f64::from(WIDTH_PX) - right,
            bottom: top + names_height.max(LEAST_PLOT_HEIGHT_PX),
        }
    }

    /// A lone concurrency lies in the middle, and the names beside it.
    pub(crate) fn names_stand_inside(&self) -> bool {
        self.concurrencies.len() <= 1
    }

    pub(crate) fn has_both_sides(&self) -> bool {
        let has = |side| self.lines.iter().any(|line| line.curve.side == side);
        has(Side::Base) && has(Side::Head)
    }
}

/// The width of the widest text of an axis or at a line's end.
pub(crate) fn widest<'a>(texts: impl Iterator<Item = &'a str>) -> f64 {
    texts.map(|text| font::width(text, TEXT_SIZE)).fold(0.0, f64::max)
}
