//! Throughput or latency over concurrency: where a service stops becoming faster, and what waiting then costs.

use crate::plan::Side;
use crate::report::chart::frame::{
    Axis, End, Frame, Heading, Line, MAX_NAME_PX, Tick, concurrency_places, distinct, extent, has_both_sides,
    note_of_rest,
};
use crate::report::chart::svg::{
    Canvas, Drawing, Marker, NAME_HEIGHT_PX, Rect, Stroke, TEXT_SIZE, TICK_GAP_PX, side_color, widest, width,
};
use crate::report::model::unique;
use crate::report::number;

const MIN_PLOT_HEIGHT_PX: f64 = 300.0;
/// From the plot's edges to the first and the last point.
const INSET_PX: f64 = 22.0;
/// Base and head stand this far from the true concurrency, so that their intervals do not hide each other.
const DODGE_PX: f64 = 3.0;
/// More endpoints cannot be read.
const MAX_NAMES: usize = 20;

/// What is drawn over concurrency.
#[derive(Debug, Clone)]
pub(crate) struct Contents {
    /// Of the lines: latencies in nanoseconds, or successes per second.
    pub(crate) is_latency: bool,
    /// All that were measured, also those without a success. Ascending and distinct.
    pub(crate) concurrencies: Vec<u32>,
    /// One per endpoint or percentile, and side. `x` is the concurrency.
    pub(crate) lines: Vec<Line>,
}

/// Draws the lines; `None` if there is no value.
pub(crate) fn draw(title: &str, subtitle: &str, contents: &Contents) -> Option<Drawing> {
    let heading = Heading::new(title, subtitle);
    let (lines, note) = named_lines(&contents.lines);
    let (smallest, largest) = extent(lines.iter().flat_map(|line| &line.points))?;
    let axis = match contents.is_latency {
        true => Axis::latency(smallest, largest),
        false => Axis::throughput(largest),
    };
    let height = (lines.len() as f64 * NAME_HEIGHT_PX).max(MIN_PLOT_HEIGHT_PX);
    let names: Vec<String> = lines.iter().map(|line| line.name.clone()).collect();
    let frame = Frame::new(&heading, axis, height, &names, INSET_PX - DODGE_PX);
    let drawing = heading.draw(names, note, frame.height(), |canvas| {
        draw_lines(canvas, &frame, &lines, &contents.concurrencies);
    });
    Some(drawing)
}

/// The lines that are shown, with the shortest clear names, and a note if some are left out.
fn named_lines(lines: &[Line]) -> (Vec<Line>, Option<String>) {
    let mut lines = lines.to_vec();
    lines.iter_mut().for_each(|line| line.points.retain(|point| point.value.is_finite()));
    lines.retain(|line| !line.points.is_empty());
    let all = unique(lines.iter().map(|line| line.name.as_str()));
    let names = &all[..all.len().min(MAX_NAMES)];
    let has_both = has_both_sides(&lines);
    let short = distinct(names, MAX_NAME_PX - if has_both { width(" head", TEXT_SIZE) } else { 0.0 });
    let named = |line: &Line| {
        let nth = names.iter().position(|name| *name == line.name)?;
        let name = match (has_both, names.len()) {
            (true, 1) => line.side.to_string(),
            (true, _) => format!("{} {}", short[nth], line.side),
            (false, _) => short[nth].clone(),
        };
        Some(Line { name, marker: Some(Marker::nth(nth)), ..line.clone() })
    };
    (lines.iter().filter_map(named).collect(), note_of_rest(names.len(), all.len()))
}

fn draw_lines(canvas: &mut Canvas, frame: &Frame, lines: &[Line], concurrencies: &[u32]) {
    let Rect { left, right, .. } = frame.plot;
    let room = right - left - 2.0 * INSET_PX;
    let labels: Vec<String> = concurrencies.iter().map(|n| number::count((*n).into())).collect();
    let min_gap = widest(&labels) + TICK_GAP_PX;
    let (places, evenly) = concurrency_places(concurrencies, min_gap / room);
    let places: Vec<f64> = places.iter().map(|place| left + INSET_PX + place * room).collect();
    let ticks: Vec<Tick> = places.iter().copied().zip(labels).collect();
    let scale = if evenly { "evenly spaced" } else { "log scale" };
    frame.vertical_axis(canvas);
    frame.horizontal_axis(canvas, &ticks, &format!("concurrency (requests in flight, {scale})"));
    let dodge = if has_both_sides(lines) { DODGE_PX } else { 0.0 };
    let x = |side: Side, concurrency: f64| {
        let nth = concurrencies.iter().position(|n| f64::from(*n) == concurrency);
        let dodge = if side == Side::Base { -dodge } else { dodge };
        nth.map_or(left, |nth| places[nth]) + dodge
    };
    let mut ends: Vec<End> = Vec::new();
    // Head after base: the new lies on top.
    for side in [Side::Base, Side::Head] {
        let of_side = || lines.iter().filter(|line| line.side == side);
        let points = of_side().flat_map(|line| &line.points).filter(|point| point.low < point.high);
        let intervals = points.map(|point| frame.interval(point, x(side, point.x)));
        canvas.intervals(&intervals.collect::<Vec<_>>(), Stroke::thin(side_color(side)));
        ends.extend(of_side().filter_map(|line| frame.line(canvas, line, |n| x(side, n))));
    }
    frame.names(canvas, &ends);
}
