//! Latency against throughput as concurrency grows: where more requests in flight stop adding throughput and only add waiting.

use crate::plan::Side;
use crate::report::chart::frame::{Axis, End, Frame, Heading, Line, Point, Tick, extent, has_both_sides};
use crate::report::chart::svg::{
    At, CENTERED, Drawing, Lettering, Marker, NAME_HEIGHT_PX, Rect, Stroke, TEXT_SIZE, side_color, width,
};
use crate::report::model::unique;
use crate::report::number;

const PLOT_HEIGHT_PX: f64 = 300.0;
/// From the plot's right edge to the largest throughput.
const INSET_PX: f64 = 14.0;
/// From a point to the concurrency above it.
const LABEL_PX: f64 = 14.0;
/// Between two concurrencies that stand next to each other.
const LABEL_GAP_PX: f64 = 4.0;

/// Draws lines whose points are in the order of `concurrencies`: `x` is a throughput per second, the value is a latency in
/// nanoseconds. `None` if there is no value.
pub(crate) fn draw(
    title: &str,
    subtitle: &str,
    lines: &[Line],
    concurrencies: &[Vec<u32>],
) -> Option<Drawing> {
    let points = || lines.iter().flat_map(|line| &line.points);
    let (smallest, largest) = extent(points())?;
    let most = points().map(|point| point.x).fold(0.0, f64::max);
    let heading = Heading::new(title, subtitle);
    let percentiles = unique(lines.iter().map(|line| line.name.as_str()));
    let both = has_both_sides(lines);
    let named = |line: &Line| {
        let nth = percentiles.iter().position(|name| *name == line.name).unwrap_or_default();
        let name = if both { format!("{} {}", line.name, line.side) } else { line.name.clone() };
        Line { name, marker: Some(Marker::nth(nth)), ..line.clone() }
    };
    let lines: Vec<Line> = lines.iter().map(named).collect();
    let names: Vec<String> = lines.iter().map(|line| line.name.clone()).collect();
    let frame = Frame::new(&heading, Axis::latency(smallest, largest), PLOT_HEIGHT_PX, &names, INSET_PX);
    let across = Axis::throughput(most);
    let Rect { left, right, .. } = frame.plot;
    let x = |rate: f64| left + (right - INSET_PX - left) * across.place(rate);
    let drawing = heading.draw(names, None, frame.height(), |canvas| {
        frame.vertical_axis(canvas);
        let ticks: Vec<Tick> = across.ticks.iter().map(|(rate, label)| (x(*rate), label.clone())).collect();
        frame.horizontal_axis(canvas, &ticks, &across.title);
        let mut ends: Vec<End> = Vec::new();
        // Head after base: the new lies on top.
        for line in [Side::Base, Side::Head]
            .iter()
            .flat_map(|side| lines.iter().filter(move |line| line.side == *side))
        {
            let points = line.points.iter().filter(|point| point.low < point.high);
            let intervals: Vec<_> = points.map(|point| frame.interval(point, x(point.x))).collect();
            canvas.intervals(&intervals, Stroke::thin(side_color(line.side)));
            ends.extend(frame.line(canvas, line, x));
        }
        for Label { text, at, side } in labels(&frame, &lines, concurrencies, x) {
            canvas.text(&text, at, Lettering { color: side_color(side), ..CENTERED });
        }
        frame.names(canvas, &ends);
    });
    Some(drawing)
}

/// A concurrency next to its point.
struct Label {
    text: String,
    at: At,
    side: Side,
}

/// The concurrencies above the points of the highest line of each side, head's and the largest first. Those that would touch
/// another are left out.
fn labels(frame: &Frame, lines: &[Line], concurrencies: &[Vec<u32>], x: impl Fn(f64) -> f64) -> Vec<Label> {
    let mut labels: Vec<Label> = Vec::new();
    for side in [Side::Head, Side::Base] {
        let mut of_side = lines.iter().zip(concurrencies).filter(|(line, _)| line.side == side);
        let Some((line, concurrencies)) = of_side.next_back() else { continue };
        for (Point { x: rate, high, .. }, concurrency) in line.points.iter().zip(concurrencies).rev() {
            let y = (frame.y(*high) - LABEL_PX).max(frame.plot.top + NAME_HEIGHT_PX / 2.0);
            let label = Label { text: number::count((*concurrency).into()), at: (x(*rate), y), side };
            if labels.iter().all(|other| are_apart(&label, other)) {
                labels.push(label);
            }
        }
    }
    labels
}

fn are_apart(one: &Label, other: &Label) -> bool {
    let widths = width(&one.text, TEXT_SIZE) + width(&other.text, TEXT_SIZE);
    (one.at.0 - other.at.0).abs() >= widths / 2.0 + LABEL_GAP_PX
        || (one.at.1 - other.at.1).abs() >= NAME_HEIGHT_PX
}
