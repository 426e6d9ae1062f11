//! The rounds of a cell in order of time: whether its speed drifted, jumped from launch to launch, or was disturbed for a while.

use crate::plan::Side;
use crate::report::chart::frame::{Axis, End, Frame, Heading, Line, Point, extent};
use crate::report::chart::svg::{At, BAND, Drawing, Marker, Rect, Stroke, side_color};
use crate::report::number;
use crate::stats::describe::median;

const PLOT_HEIGHT_PX: f64 = 220.0;
/// From the plot's edges to the first and the last stripe.
const INSET_PX: f64 = 11.0;
/// Outliers beyond this multiple of the median are put at the edge: one must not flatten all others.
const MAX_OVER_MEDIAN: f64 = 4.0;
/// Rounds that are nearer to each other are one line without markers.
const MIN_APART_PX: f64 = 10.0;
/// About how many round numbers stand below the plot.
const MAX_TICKS: usize = 10;

/// Draws percentiles of each round of a cell, in nanoseconds. `launches` holds the launch that served each round, numbered over
/// all runs. Head has a point per round, `x` is its index. Base's rounds have no order in time: it has one point.
pub(crate) fn draw(title: &str, subtitle: &str, launches: &[usize], lines: &[Line]) -> Drawing {
    let of_side = |side: Side| lines.iter().filter(move |line| line.side == side);
    let heading = Heading::new(title, subtitle);
    let values: Vec<Point> = lines.iter().flat_map(|line| &line.points).copied().collect();
    let (_, largest) = extent(&values).unwrap_or((0.0, 1.0));
    let values_of = |line: &Line| line.points.iter().map(|point| point.value).collect::<Vec<f64>>();
    let usual = of_side(Side::Head).filter_map(|line| median(&values_of(line))).fold(0.0, f64::max);
    let axis = Axis::latency(0.0, largest.min(MAX_OVER_MEDIAN * usual.max(1.0)));
    let labels: Vec<String> = lines.iter().map(label).collect();
    let frame = Frame::new(&heading, axis, PLOT_HEIGHT_PX, &labels, 0.0);
    let Rect { left, right, .. } = frame.plot;
    let rounds = launches.len();
    // The middle of a round.
    let step = (right - left - 2.0 * INSET_PX) / rounds.max(1) as f64;
    let x = |round: f64| left + INSET_PX + step * (round + 0.5);
    let numbered: Vec<(usize, &usize)> = launches.iter().enumerate().collect();

    heading.draw(labels, None, frame.height(), |canvas| {
        let stripes = numbered.chunk_by(|a, b| a.1 == b.1).step_by(2).map(|stripe| {
            let [first, last] = [stripe[0], stripe[stripe.len() - 1]].map(|(round, _)| round as f64);
            Rect { left: x(first - 0.5), right: x(last + 0.5), ..frame.plot }
        });
        canvas.fill(&stripes.collect::<Vec<_>>(), BAND);
        frame.vertical_axis(canvas);
        let every = rounds.div_ceil(MAX_TICKS).max(1);
        let tick = |round: usize| (x(round as f64 - 1.0), number::count(round as u64));
        let ticks: Vec<_> = (every..=rounds).step_by(every).map(tick).collect();
        frame.horizontal_axis(canvas, &ticks, "round, in order of time (a stripe is a launch)");
        let mut ends = Vec::new();
        for line in of_side(Side::Base) {
            let across = |point: &Point| [Point { x: left, ..*point }, Point { x: right, ..*point }];
            let line = Line { points: line.points.iter().flat_map(across).collect(), ..line.clone() };
            frame.band(canvas, &line, |x| x);
            frame.line(canvas, &line, |x| x);
            ends.extend(end(&frame, &line));
        }
        for (nth, line) in of_side(Side::Head).enumerate() {
            if step < MIN_APART_PX {
                let points: Vec<At> = line.points.iter().map(|p| (x(p.x), frame.y(p.value))).collect();
                canvas.line(&points, Stroke::thin(side_color(Side::Head)));
            } else {
                // A line ends with its launch: the next one is another process.
                let launch = |point: &Point| launches.get(point.x as usize);
                let pieces: Vec<&[Point]> = line.points.chunk_by(|a, b| launch(a) == launch(b)).collect();
                frame.pieces(canvas, &Line { marker: Some(Marker::nth(nth)), ..line.clone() }, &pieces, x);
            }
            ends.extend(end(&frame, line));
        }
        frame.names(canvas, &ends);
    })
}

/// The name of a line at the right edge, at the height of its last point.
fn end(frame: &Frame, line: &Line) -> Option<End> {
    let at = (frame.plot.right, frame.y(line.points.last()?.value));
    Some(End { name: label(line), color: side_color(line.side), at })
}

fn label(line: &Line) -> String {
    match line.side {
        Side::Base => format!("{} base", line.name),
        Side::Head => line.name.clone(),
    }
}
