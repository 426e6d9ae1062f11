//! The latency percentiles of a cell, from the fastest exchange to the rarest slow one: whether all of them became slower, or the
//! unlucky ones alone.
//!
//! Each further nine is equally wide, so that the tail has as much room as the middle.

use plotters::prelude::DrawingBackend;

use super::axis::{Axis, Unit, time_unit};
use super::data::{Side, extent};
use super::heading::Heading;
use super::pen::{Area, At, Drawn, Marker, Pen, Stroke};
use super::plot::{End, Plot};
use super::render::Chart;
use crate::report::distribution::{Distribution, Percentile, PercentileCurve};

const PLOT_HEIGHT_PX: f64 = 260.0;
/// Half of all is no whole nine, but the percentile that people know best.
const HALF: f64 = 0.5;
const X_TITLE: &str = "share of requests that took no longer (each further nine is equally wide)";

/// The percentiles of a cell, ready to be drawn.
pub(crate) struct Percentiles {
    heading: Heading,
    description: Vec<String>,
    /// In nanoseconds; those that have no percentile are left out.
    curves: Vec<(Side, PercentileCurve)>,
    unit: Unit,
    axis: Axis,
    /// The nines at the right end.
    last: f64,
}

impl Percentiles {
    /// Chooses unit and axis; nothing when head has no percentile, or a single one, which is no curve.
    pub(crate) fn new(title: &str, subtitle: &str, distribution: &Distribution) -> Option<Self> {
        let Distribution { base, head, .. } = distribution;
        let last = head.percentiles.last().filter(|_| head.percentiles.len() > 1)?.nines;
        let curves: Vec<(Side, PercentileCurve)> = [(Side::Base, base), (Side::Head, head)]
            .into_iter()
            .filter(|(_, curve)| !curve.percentiles.is_empty())
            .map(|(side, curve)| (side, curve.clone()))
            .collect();
        let all = curves.iter().flat_map(|(_, curve)| &curve.percentiles);
        let (smallest, largest) = extent(all.clone().map(|p| (p.value, Some((p.low, p.high)))))?;
        let unit = time_unit(largest);
        let names = curves.iter().map(|(side, _)| side.name().to_owned());
        Some(Self {
            heading: Heading::new(title, subtitle),
            description: [title.to_owned(), subtitle.to_owned()].into_iter().chain(names).collect(),
            last: all.map(|percentile| percentile.nines).fold(last, f64::max),
            axis: Axis::of_latency(smallest / unit.size, largest / unit.size),
            curves,
            unit,
        })
    }

    fn plot(&self) -> Plot<'_> {
        Plot::new(
            &self.heading,
            &self.axis,
            PLOT_HEIGHT_PX,
            self.curves.iter().map(|(side, _)| side.name()),
            0.0,
        )
    }

    fn x(&self, plot: &Plot<'_>, nines: f64) -> f64 {
        plot.frame.left + (plot.frame.right - plot.frame.left) * nines / self.last
    }

    /// The points of a curve by one of its values.
    fn points(
        &self,
        plot: &Plot<'_>,
        curve: &PercentileCurve,
        value: impl Fn(&Percentile) -> f64,
    ) -> Vec<At> {
        let at = |percentile: &Percentile| {
            (self.x(plot, percentile.nines), plot.y(value(percentile) / self.unit.size))
        };
        curve.percentiles.iter().map(at).collect()
    }
}

impl Chart for Percentiles {
    fn size_px(&self) -> (u32, u32) {
        self.plot().picture_px()
    }

    fn description(&self) -> Vec<String> {
        self.description.clone()
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        let pen = Pen::new(area);
        self.heading.draw(&pen)?;
        let plot = self.plot();
        for (side, curve) in &self.curves {
            let (upper, lower) =
                (self.points(&plot, curve, |p| p.high), self.points(&plot, curve, |p| p.low));
            pen.band(&upper, &lower, side.color())?;
        }
        plot.values(&pen, &self.axis.title("latency", self.unit))?;
        let ticks: Vec<(f64, String)> =
            shares(self.last).into_iter().map(|(nines, label)| (self.x(&plot, nines), label)).collect();
        plot.floor(&pen, &ticks, X_TITLE)?;
        let mut ends = Vec::new();
        for (side, curve) in &self.curves {
            let points = self.points(&plot, curve, |percentile| percentile.value);
            pen.line(&points, Stroke::of(*side))?;
            for point in points.iter().filter(|_| curve.is_of_points) {
                pen.marker(*point, Marker::Circle, side.color())?;
            }
            let end = |at: &At| End { name: side.name().into(), color: side.color(), at: *at };
            ends.extend(points.last().map(end));
        }
        plot.names(&pen, &ends)
    }
}

/// The shares that are labelled, as nines and text: none, half, and each whole nine.
fn shares(last: f64) -> Vec<(f64, String)> {
    let whole = (1..=last.floor() as usize).map(|nines| {
        let decimals = nines.saturating_sub(2);
        (nines as f64, format!("{:.decimals$} %", 100.0 - 10f64.powi(2 - nines as i32)))
    });
    [(0.0, "0 %".to_owned()), (-HALF.log10(), "50 %".to_owned())].into_iter().chain(whole).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_nines_and_the_half_are_labelled() {
        let labels: Vec<String> = shares(4.2).into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, ["0 %", "50 %", "90 %", "99 %", "99.9 %", "99.99 %"]);
        assert_eq!(shares(0.5).len(), 2);
    }
}
