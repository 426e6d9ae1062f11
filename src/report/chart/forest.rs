//! The forest plot of what changed: one row per comparison, its interval next to the noise threshold, the worst first.
//!
//! Worse is always to the right, whichever way a metric counts. The number at a row's end is in the metric's own direction, as
//! everywhere else.

use plotters::style::RGBColor;

use crate::judge::{Change, Comparison, Judgement, Verdict};
use crate::record::Better;
use crate::report::chart::frame::{Axis, Heading, MAX_NAME_PX, Tick, distinct, note_of_rest, tick_labels};
use crate::report::chart::svg::{
    AXIS, At, BAND, BASE, CENTERED, Canvas, Drawing, EDGE_PX, GRID, IMPROVED, LEFT_ALIGNED, Lettering,
    Marker, REGRESSED, RIGHT_ALIGNED, Rect, Stroke, TEXT, TEXT_SIZE, TICK_GAP_PX, TITLE, WIDTH_PX, shorten,
    widest, width,
};
use crate::report::model::unique;
use crate::report::number;

const ROW_PX: f64 = 20.0;
/// Longer titles of metrics lose their middle.
const MAX_METRIC_PX: f64 = 130.0;
const COLUMN_GAP_PX: f64 = 14.0;
/// From the heading to the first row. The key of the marks stands here.
const KEY_PX: f64 = 34.0;
/// From the last row to the lower edge: tick labels and the title of the axis.
const BELOW_PX: f64 = 54.0;
/// Half the height of the tick at the detectable change.
const DETECTABLE_PX: f64 = 6.0;
/// More rows cannot be read.
const MAX_ROWS: usize = 60;
/// Changes beyond this fraction are put at the edge.
const MAX_CHANGE: f64 = 4.0;
/// Intervals may stretch the axis up to this multiple of the largest estimate or threshold.
const MAX_STRETCH: f64 = 4.0;

/// One judged metric of one cell.
struct Row<'a> {
    cell: String,
    found: &'a Comparison,
    /// The change, greater if worse.
    worse: Change,
    /// The change as it is printed.
    text: String,
}

/// Draws all judged comparisons of a call; `None` if nothing was compared.
pub(crate) fn draw(title: &str, subtitle: &str, judgement: &Judgement) -> Option<Drawing> {
    let heading = Heading::new(title, subtitle);
    let mut rows = Vec::new();
    for cell in &judgement.cells {
        for found in cell.comparisons.iter().filter(|found| found.judged) {
            let Some(change) = found.change.filter(|change| change.estimate.is_finite()) else { continue };
            let Change { low, estimate, high } = change;
            let worse = match found.metric.better {
                Better::Lower => change,
                Better::Higher => Change { low: -high, estimate: -estimate, high: -low },
            };
            let text = number::change_of(estimate, found.is_difference());
            rows.push(Row { cell: cell.id.to_string(), found, worse, text });
        }
    }
    rows.first()?;
    let all = rows.len();
    // If not all have room, those that changed come first, and a service that answers everything as before is not news.
    let rank = |row: &Row| match row.found.verdict {
        Verdict::Regressed => 0,
        Verdict::Improved | Verdict::SeemsFaster => 1,
        Verdict::Unchanged if row.found.is_difference() => 3,
        _ => 2,
    };
    let by_size = |a: &Row, b: &Row| b.worse.estimate.total_cmp(&a.worse.estimate);
    rows.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| by_size(a, b)));
    rows.truncate(MAX_ROWS);
    let regressed = |row: &Row| row.found.verdict == Verdict::Regressed;
    rows.sort_by(|a, b| regressed(b).cmp(&regressed(a)).then_with(|| by_size(a, b)));

    let ids = unique(rows.iter().map(|row| row.cell.as_str()));
    let short = distinct(&ids, MAX_NAME_PX);
    let metrics = widest(rows.iter().map(|row| row.found.metric.title)).min(MAX_METRIC_PX);
    let top = heading.bottom() + KEY_PX;
    let plot = Rect {
        left: EDGE_PX + widest(&short) + COLUMN_GAP_PX + metrics + COLUMN_GAP_PX,
        top,
        right: WIDTH_PX - EDGE_PX - widest(rows.iter().map(|row| &row.text)) - COLUMN_GAP_PX,
        bottom: top + ROW_PX * rows.len() as f64,
    };
    let scale = Scale { plot, axis: Axis::change(farthest(&rows)) };
    let name = |Row { cell, found, text, .. }: &Row| {
        format!("{cell} {}: {text} {}", found.metric.title, found.verdict.name())
    };
    let note = note_of_rest(rows.len(), all);
    let drawing = heading.draw(rows.iter().map(name).collect(), note, plot.bottom + BELOW_PX, |canvas| {
        draw_key(canvas, plot.top - KEY_PX / 2.0);
        let tops = (0..).map(|nth| plot.top + ROW_PX * f64::from(nth));
        let bands = rows.iter().zip(tops).map(|(row, top)| {
            let (left, right) = (scale.x(-row.found.margin), scale.x(row.found.margin));
            Rect { left, top, right, bottom: top + ROW_PX }
        });
        canvas.fill(&bands.collect::<Vec<_>>(), BAND);
        scale.draw_axis(canvas);
        for (row, y) in rows.iter().zip((0..).map(|nth| plot.top + ROW_PX * (f64::from(nth) + 0.5))) {
            let cell = ids.iter().position(|id| *id == row.cell).map_or("", |nth| &short[nth]);
            canvas.text(cell, (EDGE_PX, y), Lettering { color: TITLE, ..LEFT_ALIGNED });
            scale.draw_row(canvas, row, y);
        }
    });
    Some(drawing)
}

/// Where changes lie: 0 in the middle, the axis to both sides.
struct Scale {
    plot: Rect,
    axis: Axis,
}

impl Scale {
    fn x(&self, worsening: f64) -> f64 {
        let half = (self.plot.right - self.plot.left) / 2.0;
        self.plot.left + half + half * self.axis.place(worsening.abs()) * worsening.signum()
    }

    fn draw_axis(&self, canvas: &mut Canvas) {
        let Rect { left, top, right, bottom } = self.plot;
        let ticks = self.axis.ticks.iter();
        let better = ticks.clone().skip(1).map(|(value, label)| (self.x(-value), label.clone()));
        let worse = ticks.clone().skip(1).map(|(value, label)| (self.x(*value), label.clone()));
        let zero = ticks.take(1).map(|(value, label)| (self.x(*value), label.clone()));
        let ticks: Vec<Tick> = better.rev().chain(zero).chain(worse).collect();
        let middle = f64::midpoint(left, right);
        for (x, _) in &ticks {
            let is_zero = (x - middle).abs() < 0.5;
            canvas.line(&[(*x, top), (*x, bottom)], Stroke::thin(if is_zero { AXIS } else { GRID }));
        }
        tick_labels(canvas, &ticks, bottom);
        let title = "\u{2190} better · size of the change (%; points of a ratio) · worse \u{2192}";
        canvas.text(title, (middle, bottom + TICK_GAP_PX + 26.0), CENTERED);
    }

    fn draw_row(&self, canvas: &mut Canvas, row: &Row, y: f64) {
        let Row { found, worse, .. } = row;
        let metric = shorten(found.metric.title, TEXT_SIZE, MAX_METRIC_PX);
        canvas.text(&metric, (self.plot.left - COLUMN_GAP_PX, y), RIGHT_ALIGNED);
        let number = Lettering { color: color(found.verdict), ..RIGHT_ALIGNED };
        canvas.text(&row.text, (WIDTH_PX - EDGE_PX, y), number);

        if !worse.low.is_nan() && !worse.high.is_nan() {
            // An interval that reaches beyond the axis shows no end.
            let end = |value: f64| ((self.x(value), y), !self.axis.is_beyond(value.abs()));
            let stroke = Stroke { width: 1.5, ..Stroke::thin(color(found.verdict)) };
            canvas.intervals(&[[end(worse.low), end(worse.high)]], stroke);
        }
        if let Some(detectable) = found.detectable.filter(|change| !self.axis.is_beyond(*change)) {
            let x = self.x(detectable);
            canvas.line(&[(x, y - DETECTABLE_PX), (x, y + DETECTABLE_PX)], Stroke::thin(TEXT));
        }
        draw_marker(canvas, (self.x(worse.estimate), y), found.verdict);
    }
}

/// The end of the axis. Every estimate has room, and intervals have it unless they would flatten the rest.
fn farthest(rows: &[Row]) -> f64 {
    let needed = rows.iter().map(|row| row.worse.estimate.abs().max(row.found.margin)).fold(0.01, f64::max);
    let ends = rows
        .iter()
        .flat_map(|row| [row.worse.low.abs(), row.worse.high.abs(), row.found.detectable.unwrap_or(0.0)]);
    let ends = ends.filter(|end| end.is_finite()).fold(0.0, f64::max);
    ends.min(MAX_STRETCH * needed).max(1.05 * needed).min(MAX_CHANGE)
}

/// The meaning of the marks, above the rows.
fn draw_key(canvas: &mut Canvas, y: f64) {
    let mut x = EDGE_PX + 5.0;
    for verdict in [Verdict::Regressed, Verdict::Improved, Verdict::Unchanged, Verdict::Inconclusive] {
        let name = verdict.name();
        draw_marker(canvas, (x, y), verdict);
        canvas.text(name, (x + 9.0, y), LEFT_ALIGNED);
        x += 9.0 + width(name, TEXT_SIZE) + 18.0;
    }
    let threshold = "noise threshold";
    canvas.fill(&[Rect { left: x - 4.0, top: y - 6.0, right: x + 8.0, bottom: y + 6.0 }], BAND);
    canvas.text(threshold, (x + 13.0, y), LEFT_ALIGNED);
    x += 13.0 + width(threshold, TEXT_SIZE) + 18.0;
    canvas.line(&[(x, y - DETECTABLE_PX), (x, y + DETECTABLE_PX)], Stroke::thin(TEXT));
    canvas.text("detectable change", (x + 7.0, y), LEFT_ALIGNED);
}

/// The shape says what the color says.
fn draw_marker(canvas: &mut Canvas, at: At, verdict: Verdict) {
    match verdict {
        Verdict::Regressed => canvas.markers(&[at], Marker::Triangle, color(verdict)),
        Verdict::Improved => canvas.markers(&[at], Marker::Diamond, color(verdict)),
        Verdict::Unchanged => canvas.markers(&[at], Marker::Square, color(verdict)),
        _ => canvas.hollow_marker(at, Marker::Circle, color(verdict)),
    }
}

fn color(verdict: Verdict) -> RGBColor {
    match verdict {
        Verdict::Regressed => REGRESSED,
        Verdict::Improved => IMPROVED,
        _ => BASE,
    }
}
