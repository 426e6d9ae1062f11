//! The accepted runs of a baseline in order of time, then head: whether the speed of a cell drifted over weeks.

use crate::plan::Side;
use crate::report::chart::frame::{Axis, End, Frame, Heading, Line, extent};
use crate::report::chart::svg::{
    AXIS, CENTERED, Canvas, Drawing, LEFT_ALIGNED, Rect, Stroke, TEXT_SIZE, shorten, side_color, width,
};

const PLOT_HEIGHT_PX: f64 = 200.0;
/// From the plot's edges to the first and the last run.
const INSET_PX: f64 = 30.0;
/// From the plot to the dates and to the commits below them.
const DATE_PX: f64 = 15.0;
const COMMIT_PX: f64 = 31.0;
/// From the plot to the lower edge.
const BELOW_PX: f64 = 48.0;
const GAP_PX: f64 = 6.0;
/// The reasons of epochs stand in the upper part of the plot, one below the other.
const REASON_PX: f64 = 16.0;

/// A run, by what people know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) date: String,
    /// Empty if it is not known.
    pub(crate) commit: String,
    /// Set if it began an epoch: the reason, or an empty text if there is none.
    pub(crate) begins: Option<String>,
}

/// Draws percentiles of runs in nanoseconds; `x` is the index of the run in `places`. `None` if there is no value.
pub(crate) fn draw(title: &str, subtitle: &str, places: &[Place], lines: &[Line]) -> Option<Drawing> {
    let (_, largest) = extent(lines.iter().flat_map(|line| &line.points))?;
    let heading = Heading::new(title, subtitle);
    let epochs: Vec<(usize, &str)> =
        places.iter().enumerate().filter_map(|(nth, place)| Some((nth, place.begins.as_deref()?))).collect();
    // Room for the reasons above the lines.
    let reasons = REASON_PX * epochs.len() as f64;
    let axis = Axis::latency(0.0, largest * PLOT_HEIGHT_PX / (PLOT_HEIGHT_PX - reasons).max(100.0));
    let names: Vec<String> = lines.iter().map(name).collect();
    let frame = Frame::new(&heading, axis, PLOT_HEIGHT_PX, &names, INSET_PX);
    let Rect { left, right, top, bottom } = frame.plot;
    let step = (right - left - 2.0 * INSET_PX) / (places.len() - 1).max(1) as f64;
    let x = |nth: f64| left + INSET_PX + step * nth;
    let drawing = heading.draw(names, None, bottom + BELOW_PX, |canvas| {
        frame.vertical_axis(canvas);
        canvas.line(&[(left, bottom), (right, bottom)], Stroke::thin(AXIS));
        for (nth, (place, reason)) in epochs.iter().enumerate() {
            let at = x(*place as f64 - 0.5);
            canvas
                .line(&[(at, top), (at, bottom)], Stroke { pattern: Some((2.0, 3.0)), ..Stroke::thin(AXIS) });
            let room = right - at - 2.0 * GAP_PX;
            let reason = if room > 40.0 { shorten(reason, TEXT_SIZE, room) } else { String::new() };
            canvas.text(&reason, (at + GAP_PX, top + REASON_PX * (nth as f64 + 0.5)), LEFT_ALIGNED);
        }
        draw_places(canvas, places, x, bottom);
        let mut ends: Vec<End> = Vec::new();
        for line in lines {
            let points = line.points.iter().filter(|point| point.low < point.high);
            let intervals: Vec<_> = points.map(|point| frame.interval(point, x(point.x))).collect();
            canvas.intervals(&intervals, Stroke::thin(side_color(line.side)));
            let end = frame.line(canvas, line, x);
            ends.extend(end.map(|end| End { name: name(line), ..end }));
        }
        frame.names(canvas, &ends);
    });
    Some(drawing)
}

/// The dates and commits of the runs, as many as can stand without touching, the last one always.
fn draw_places(canvas: &mut Canvas, places: &[Place], x: impl Fn(f64) -> f64, bottom: f64) {
    let mut limit = f64::INFINITY;
    for (nth, place) in places.iter().enumerate().rev() {
        let texts = [(&place.date, DATE_PX), (&place.commit, COMMIT_PX)];
        let half = texts.iter().map(|(text, _)| width(text, TEXT_SIZE) / 2.0).fold(0.0, f64::max);
        let at = x(nth as f64);
        if at + half + GAP_PX > limit {
            continue;
        }
        for (text, below) in texts.into_iter().filter(|(text, _)| !text.is_empty()) {
            canvas.text(text, (at, bottom + below), CENTERED);
        }
        limit = at - half;
    }
}

fn name(line: &Line) -> String {
    match line.side {
        Side::Base => format!("{} accepted", line.name),
        Side::Head => format!("{} head", line.name),
    }
}
