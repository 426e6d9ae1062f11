//! Throughput or latency over concurrency: where a service stops becoming faster, and what waiting then costs.

use crate::plan::Side;
use crate::report::chart::frame::{
    Axis, End, Frame, Heading, Line, MAX_NAME_PX, Tick, concurrency_places, distinct, extent, unique,
};
use crate::report::chart::svg::{
    CENTERED, Canvas, EDGE_PX, GRID, LEFT_ALIGNED, Lettering, Marker, NAME_HEIGHT_PX, Rect, SUBTITLE_SIZE,
    Stroke, TEXT_SIZE, TICK_GAP_PX, side_color, widest, width,
};
use crate::report::number;

const MIN_PLOT_HEIGHT_PX: f64 = 300.0;
/// From the plot's edges to the first and the last point.
const INSET_PX: f64 = 22.0;
/// Base and head stand this far from the true concurrency, so that their intervals do not hide each other.
const DODGE_PX: f64 = 3.0;
/// More endpoints cannot be read.
const MAX_NAMES: usize = 20;
const EMPTY: &str = "too few successful responses";

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

pub(crate) fn draw(title: &str, subtitle: &str, contents: &Contents) -> String {
    let heading = Heading::new(title, subtitle);
    let (lines, note) = named_lines(&contents.lines);
    let points = lines.iter().flat_map(|(line, _)| &line.points);
    let (smallest, largest) = extent(points).unwrap_or((0.0, 1.0));
    let axis = match contents.is_latency {
        true => Axis::latency(smallest, largest),
        false => Axis::throughput(largest),
    };
    let height = (lines.len() as f64 * NAME_HEIGHT_PX).max(MIN_PLOT_HEIGHT_PX);
    let names: Vec<String> = lines.iter().map(|(line, _)| line.name.clone()).collect();
    let frame = Frame::new(&heading, axis, height, &names, INSET_PX - DODGE_PX);
    let picture_height = frame.height() + note.as_ref().map_or(0.0, |_| NAME_HEIGHT_PX);
    heading.svg(names, picture_height, |canvas| {
        if let Some(note) = &note {
            canvas.text(note, (EDGE_PX, frame.height().ceil()), LEFT_ALIGNED);
        }
        draw_lines(canvas, &frame, &lines, &contents.concurrencies);
    })
}

/// The lines that are shown, each with its marker and with the shortest clear name, and a note if some are left out.
fn named_lines(lines: &[Line]) -> (Vec<(Line, Marker)>, Option<String>) {
    let mut lines = lines.to_vec();
    lines.iter_mut().for_each(|line| line.points.retain(|point| point.value.is_finite()));
    lines.retain(|line| !line.points.is_empty());
    let all = unique(lines.iter().map(|line| line.name.as_str()));
    let names = &all[..all.len().min(MAX_NAMES)];
    let note = (all.len() > MAX_NAMES).then(|| format!("the first {MAX_NAMES} of {} are shown", all.len()));
    let has_both = has_both_sides(&lines);
    let short = distinct(names, MAX_NAME_PX - if has_both { width(" head", TEXT_SIZE) } else { 0.0 });
    let label = |line: &Line| {
        let nth = names.iter().position(|name| *name == line.name)?;
        let name = match (has_both, names.len()) {
            (true, 1) => line.side.to_string(),
            (true, _) => format!("{} {}", short[nth], line.side),
            (false, _) => short[nth].clone(),
        };
        Some((Line { name, ..line.clone() }, Marker::nth(nth)))
    };
    (lines.iter().filter_map(label).collect(), note)
}

fn draw_lines(canvas: &mut Canvas, frame: &Frame, lines: &[(Line, Marker)], concurrencies: &[u32]) {
    let Rect { left, right, top, bottom } = frame.plot;
    let room = right - left - 2.0 * INSET_PX;
    let labels: Vec<String> = concurrencies.iter().map(|n| number::count((*n).into())).collect();
    let min_gap = widest(&labels) + TICK_GAP_PX;
    let (places, evenly) = concurrency_places(concurrencies, min_gap / room);
    let places: Vec<f64> = places.iter().map(|place| left + INSET_PX + place * room).collect();
    let ticks: Vec<Tick> = places.iter().copied().zip(labels).collect();
    let scale = if evenly { "evenly spaced" } else { "log scale" };
    let title = format!("concurrency (requests in flight, {scale})");
    if !lines.is_empty() {
        frame.vertical_axis(canvas);
    }
    frame.horizontal_axis(canvas, &ticks, &title);
    if lines.is_empty() {
        // Without values the numbers of a vertical axis would mean nothing.
        canvas.line(&[(left, bottom), (left, top), (right, top), (right, bottom)], Stroke::thin(GRID));
        let at = (f64::midpoint(left, right), f64::midpoint(top, bottom));
        return canvas.text(EMPTY, at, Lettering { size: SUBTITLE_SIZE, ..CENTERED });
    }
    let dodge = if has_both_sides(lines.iter().map(|(line, _)| line)) { DODGE_PX } else { 0.0 };
    let x = |side: Side, concurrency: f64| {
        let nth = concurrencies.iter().position(|n| f64::from(*n) == concurrency);
        let dodge = if side == Side::Base { -dodge } else { dodge };
        nth.map_or(left, |nth| places[nth]) + dodge
    };
    let mut ends: Vec<Option<End>> = lines.iter().map(|_| None).collect();
    // Head after base: the new lies on top.
    for side in [Side::Base, Side::Head] {
        let of_side = || lines.iter().enumerate().filter(|(_, (line, _))| line.side == side);
        for (_, (line, _)) in of_side() {
            for point in line.points.iter().filter(|point| point.low < point.high) {
                let at = |value: f64| (x(side, point.x), frame.y(value));
                // An interval that reaches beyond the axis shows no end.
                let ends = [(at(point.low), true), (at(point.high), !frame.axis.is_beyond(point.high))];
                canvas.interval(ends, Stroke::thin(side_color(side)));
            }
        }
        for (nth, (line, marker)) in of_side() {
            ends[nth] = frame.line(canvas, line, Some(*marker), |concurrency| x(side, concurrency));
        }
    }
    frame.names(canvas, &ends.into_iter().flatten().collect::<Vec<_>>());
}

fn has_both_sides<'a>(lines: impl IntoIterator<Item = &'a Line>) -> bool {
    let mut sides = lines.into_iter().map(|line| line.side);
    let Some(first) = sides.next() else { return false };
    sides.any(|side| side != first)
}
