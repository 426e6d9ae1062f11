//! The latency percentiles of a cell, from the fastest request to the rarest slow one: whether all of them became slower, or the
//! slowest alone.
//!
//! Each further nine (90%, 99%, 99.9%, …) is equally wide, so that the tail has as much room as the middle.

use crate::report::chart::axis::{Axis, Tick, extent};
use crate::report::chart::data::{Line, Point, Side};
use crate::report::chart::frame::{End, Frame, Heading};
use crate::report::chart::svg::{Marker, Rect};
use crate::report::distribution::{Distribution, PercentileCurve};

const PLOT_HEIGHT_PX: f64 = 260.0;
const X_TITLE: &str = "share of requests that took no longer (each further nine is equally wide)";

/// The percentiles of a cell. `None` if head has none, or a single one.
pub(crate) fn draw(title: &str, subtitle: &str, distribution: &Distribution) -> Option<String> {
    if distribution.head.percentiles.len() < 2 {
        return None;
    }
    let line = |side: Side, curve: &PercentileCurve| {
        let line = Line { name: side.name().to_owned(), side, points: curve.percentiles.clone() };
        // Nothing is known between the points of a baseline.
        (line, curve.is_of_points.then_some(Marker::Circle))
    };
    let mut lines = vec![line(Side::Base, &distribution.base), line(Side::Head, &distribution.head)];
    lines.retain(|(line, _)| !line.points.is_empty());
    let points: Vec<Point> = lines.iter().flat_map(|(line, _)| &line.points).copied().collect();
    let (smallest, largest) = extent(&points)?;
    let last = points.iter().map(|point| point.x).fold(0.0, f64::max);

    let heading = Heading::new(title, subtitle);
    let names = || lines.iter().map(|(line, _)| line.side.name());
    let frame = Frame::new(&heading, Axis::latency(smallest, largest), PLOT_HEIGHT_PX, names(), 0.0);
    let Rect { left, right, .. } = frame.plot;
    let x = |nines: f64| left + (right - left) * nines / last;
    let svg = heading.svg(names().map(str::to_owned).collect(), frame.height(), |canvas| {
        lines.iter().for_each(|(line, _)| frame.band(canvas, line, x));
        frame.vertical_axis(canvas);
        let ticks: Vec<Tick> = shares(last).into_iter().map(|(nines, label)| (x(nines), label)).collect();
        frame.horizontal_axis(canvas, &ticks, X_TITLE);
        let ends: Vec<End> =
            lines.iter().filter_map(|(line, marker)| frame.line(canvas, line, *marker, x)).collect();
        frame.names(canvas, &ends);
    });
    Some(svg)
}

/// The labelled shares, as nines and text: none, half (the best-known percentile), and each whole nine.
fn shares(last: f64) -> Vec<Tick> {
    let whole = (1..=last.floor() as usize).map(|nines| {
        let decimals = nines.saturating_sub(2);
        (nines as f64, format!("{:.decimals$}%", 100.0 - 10f64.powi(2 - nines as i32)))
    });
    [(0.0, "0%".to_owned()), (2f64.log10(), "50%".to_owned())].into_iter().chain(whole).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_half_and_whole_nines_are_labelled() {
        let labels: Vec<String> = shares(4.2).into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, ["0%", "50%", "90%", "99%", "99.9%", "99.99%"]);
        assert_eq!(shares(0.5).len(), 2);
    }
}
