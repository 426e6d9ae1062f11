//! The forest of change: each comparison of a call as one row, its interval beside the margin, the worst first.
//!
//! Worse is always to the right, whichever way a metric counts, so that one look down the chart is enough;
//! the number at a row's end is in the metric's own direction, as everywhere else.

use plotters::prelude::DrawingBackend;
use plotters_backend::text_anchor::{HPos, VPos};

use super::axis::{Axis, Tick};
use super::font;
use super::heading::Heading;
use super::naming::distinct;
use super::palette::{self, EDGE_PX, TEXT_SIZE, TICK_GAP_PX, WIDTH_PX};
use super::pen::{Area, At, Drawn, Frame, Lettering, Marker, Pen, Stroke};
use super::plot::{labels, widest};
use super::render::Chart;
use crate::judge::Verdict;

const ROW_PX: f64 = 20.0;
/// Ids and metrics that are longer lose their middle.
const MAX_CELL_PX: f64 = 210.0;
const MAX_METRIC_PX: f64 = 130.0;
const COLUMN_GAP_PX: f64 = 14.0;
/// From the heading to the first row: what the marks mean stands here.
const KEY_PX: f64 = 34.0;
/// From the last row to the lower edge: tick labels and the title of the axis.
const BELOW_PX: f64 = 54.0;
/// Half the height of the tick at what could have been found.
const FINDABLE_PX: f64 = 6.0;
/// More rows are no picture any more.
const MOST_ROWS: usize = 60;
/// What lies further out is put at the edge.
const FARTHEST: f64 = 4.0;

/// One metric of one cell. Fractions of base; greater is worse.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ForestRow {
    /// The cell's whole id.
    pub(crate) cell: String,
    pub(crate) metric: String,
    pub(crate) verdict: Verdict,
    pub(crate) low: f64,
    pub(crate) estimate: f64,
    pub(crate) high: f64,
    /// The least worsening that would have been found.
    pub(crate) findable: Option<f64>,
    /// Up to here nothing is red.
    pub(crate) margin: f64,
    /// The change as it is printed.
    pub(crate) text: String,
}

/// A forest that is ready to be drawn.
pub(crate) struct Forest {
    heading: Heading,
    description: Vec<String>,
    rows: Vec<ForestRow>,
    /// For each row what stands for its cell.
    cells: Vec<String>,
    /// Says that some had no room.
    note: Option<String>,
    /// Half of the axis: it reaches equally far to both sides.
    axis: Axis,
}

impl Forest {
    /// Orders the rows and chooses the axis.
    pub(crate) fn new(title: &str, subtitle: &str, mut rows: Vec<ForestRow>) -> Self {
        rows.retain(|row| row.estimate.is_finite());
        let red = |row: &ForestRow| row.verdict == Verdict::Regressed;
        rows.sort_by(|a, b| red(b).cmp(&red(a)).then(b.estimate.total_cmp(&a.estimate)));
        let all = rows.len();
        rows.truncate(MOST_ROWS);
        let mut description = vec![title.to_owned(), subtitle.to_owned()];
        description.extend(
            rows.iter()
                .map(|row| format!("{} {}: {} {}", row.cell, row.metric, row.text, row.verdict.name())),
        );
        Self {
            heading: Heading::new(title, subtitle),
            cells: short_ids(&rows),
            description,
            note: (all > MOST_ROWS).then(|| format!("the first {MOST_ROWS} of {all} are shown")),
            axis: Axis::linear_from_zero(farthest(&rows)),
            rows,
        }
    }

    /// Where the rows are, between the names and the numbers.
    fn plot(&self) -> Frame {
        let cell = widest(self.cells.iter().map(String::as_str));
        let metric = widest(self.rows.iter().map(|row| row.metric.as_str())).min(MAX_METRIC_PX);
        let text = widest(self.rows.iter().map(|row| row.text.as_str()));
        let top = self.heading.bottom() + KEY_PX;
        Frame {
            left: EDGE_PX + cell + COLUMN_GAP_PX + metric + COLUMN_GAP_PX,
            top,
            right: f64::from(WIDTH_PX) - EDGE_PX - text - COLUMN_GAP_PX,
            bottom: top + ROW_PX * self.rows.len().max(1) as f64,
        }
    }

    fn x(&self, plot: Frame, worsening: f64) -> f64 {
        let middle = f64::midpoint(plot.left, plot.right);
        let half = (plot.right - plot.left) / 2.0;
        middle + half * self.axis.place(worsening.abs()) * worsening.signum()
    }
}

/// The cell of each row, shortened so that different ones stay different.
fn short_ids(rows: &[ForestRow]) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for row in rows {
        if !ids.contains(&row.cell) {
            ids.push(row.cell.clone());
        }
    }
    let short = distinct(&ids, MAX_CELL_PX);
    let of = |row: &ForestRow| ids.iter().position(|id| *id == row.cell).map(|nth| short[nth].clone());
    rows.iter().filter_map(of).collect()
}

/// How far the axis has to reach: every estimate, and intervals as far as they leave the others something to see.
fn farthest(rows: &[ForestRow]) -> f64 {
    let estimates = rows.iter().map(|row| row.estimate.abs().max(row.margin)).fold(0.01, f64::max);
    let ends = rows.iter().flat_map(|row| [row.low.abs(), row.high.abs(), row.findable.unwrap_or(0.0)]);
    let ends = ends.filter(|end| end.is_finite()).fold(0.0, f64::max);
    100.0 * ends.min(4.0 * estimates).max(1.05 * estimates).min(FARTHEST)
}

impl Chart for Forest {
    fn size_px(&self) -> (u32, u32) {
        let note = self.note.as_ref().map_or(0.0, |_| ROW_PX);
        (WIDTH_PX, (self.plot().bottom + BELOW_PX + note).ceil() as u32)
    }

    fn description(&self) -> Vec<String> {
        self.description.clone()
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        let pen = Pen::new(area);
        self.heading.draw(&pen)?;
        let plot = self.plot();
        if self.rows.is_empty() {
            let at = (f64::from(WIDTH_PX) / 2.0, f64::midpoint(plot.top, plot.bottom));
            return pen.text("nothing could be compared", at, text(HPos::Center));
        }
        self.key(&pen, plot)?;
        self.margins(&pen, plot)?;
        self.axis(&pen, plot)?;
        for (nth, (row, cell)) in self.rows.iter().zip(&self.cells).enumerate() {
            let y = plot.top + ROW_PX * (nth as f64 + 0.5);
            pen.text(cell, (EDGE_PX, y), Lettering { color: palette::TITLE, ..text(HPos::Left) })?;
            self.row(&pen, plot, row, y)?;
        }
        Ok(())
    }
}

impl Forest {
    /// What the marks mean, above the rows.
    fn key<DB: DrawingBackend>(&self, pen: &Pen<'_, DB>, plot: Frame) -> Drawn<DB> {
        let y = plot.top - KEY_PX / 2.0;
        let mut x = EDGE_PX + 5.0;
        for (verdict, name) in [
            (Verdict::Regressed, "regressed"),
            (Verdict::Improved, "improved"),
            (Verdict::Unchanged, "unchanged"),
            (Verdict::Inconclusive, "not decided"),
        ] {
            glyph(pen, (x, y), verdict)?;
            pen.text(name, (x + 9.0, y), text(HPos::Left))?;
            x += 9.0 + font::width(name, TEXT_SIZE) + 18.0;
        }
        let (band, tick) = ("too little to be red", "would have been found");
        pen.fill(Frame { left: x - 4.0, top: y - 6.0, right: x + 8.0, bottom: y + 6.0 }, palette::BAND)?;
        pen.text(band, (x + 13.0, y), text(HPos::Left))?;
        x += 13.0 + font::width(band, TEXT_SIZE) + 18.0;
        pen.line(&[(x, y - FINDABLE_PX), (x, y + FINDABLE_PX)], Stroke::thin(palette::TEXT))?;
        pen.text(tick, (x + 7.0, y), text(HPos::Left))
    }

    /// The grey band, which may differ from cell to cell.
    fn margins<DB: DrawingBackend>(&self, pen: &Pen<'_, DB>, plot: Frame) -> Drawn<DB> {
        for (nth, row) in self.rows.iter().enumerate() {
            let top = plot.top + ROW_PX * nth as f64;
            let (left, right) = (self.x(plot, -row.margin * 100.0), self.x(plot, row.margin * 100.0));
            pen.fill(Frame { left, top, right, bottom: top + ROW_PX }, palette::BAND)?;
        }
        Ok(())
    }

    fn axis<DB: DrawingBackend>(&self, pen: &Pen<'_, DB>, plot: Frame) -> Drawn<DB> {
        let mirrored =
            self.axis.ticks.iter().skip(1).rev().map(|tick| (-tick.value, format!("-{}", tick.label)));
        let ahead = self.axis.ticks.iter().map(|Tick { value, label }| {
            (*value, if *value > 0.0 { format!("+{label}") } else { label.clone() })
        });
        let place = |(value, label): (f64, String)| (self.x(plot, value), label);
        let ticks: Vec<(f64, String)> = mirrored.chain(ahead).map(place).collect();
        let middle = f64::midpoint(plot.left, plot.right);
        for (x, _) in &ticks {
            let stroke = Stroke::thin(if *x == middle { palette::AXIS } else { palette::GRID });
            pen.line(&[(*x, plot.top), (*x, plot.bottom)], stroke)?;
        }
        labels(pen, &ticks, plot.bottom)?;
        let y = plot.bottom + TICK_GAP_PX + 26.0;
        pen.text(
            "\u{2190} better   change (%; points of a ratio)   worse \u{2192}",
            (middle, y),
            text(HPos::Center),
        )?;
        match &self.note {
            Some(note) => pen.text(note, (EDGE_PX, y + ROW_PX), text(HPos::Left)),
            None => Ok(()),
        }
    }

    fn row<DB: DrawingBackend>(&self, pen: &Pen<'_, DB>, plot: Frame, row: &ForestRow, y: f64) -> Drawn<DB> {
        let metric = font::shorten(&row.metric, TEXT_SIZE, MAX_METRIC_PX);
        pen.text(&metric, (plot.left - COLUMN_GAP_PX, y), text(HPos::Right))?;
        let number = Lettering { color: color(row.verdict), ..text(HPos::Right) };
        pen.text(&row.text, (f64::from(WIDTH_PX) - EDGE_PX, y), number)?;

        let stroke = Stroke { width: 1.5, ..Stroke::thin(color(row.verdict)) };
        if !row.low.is_nan() && !row.high.is_nan() {
            // An interval that reaches beyond the axis has no end to be seen.
            let end =
                |value: f64| ((self.x(plot, 100.0 * value), y), !self.axis.is_beyond(100.0 * value.abs()));
            pen.interval([end(row.low), end(row.high)], stroke)?;
        }
        if let Some(findable) = row.findable.filter(|findable| !self.axis.is_beyond(100.0 * findable)) {
            let x = self.x(plot, 100.0 * findable);
            pen.line(&[(x, y - FINDABLE_PX), (x, y + FINDABLE_PX)], Stroke::thin(palette::TEXT))?;
        }
        glyph(pen, (self.x(plot, 100.0 * row.estimate), y), row.verdict)
    }
}

/// The shape says what the colour says.
fn glyph<DB: DrawingBackend>(pen: &Pen<'_, DB>, at: At, verdict: Verdict) -> Drawn<DB> {
    match verdict {
        Verdict::Regressed => pen.marker(at, Marker::Triangle, color(verdict)),
        Verdict::Improved => pen.marker(at, Marker::Diamond, color(verdict)),
        Verdict::Unchanged => pen.marker(at, Marker::Square, color(verdict)),
        _ => pen.hollow(at, Marker::Circle, color(verdict)),
    }
}

fn color(verdict: Verdict) -> plotters::style::RGBColor {
    match verdict {
        Verdict::Regressed => palette::REGRESSED,
        Verdict::Improved => palette::IMPROVED,
        _ => palette::BASE,
    }
}

fn text(h_pos: HPos) -> Lettering {
    Lettering::plain(h_pos, VPos::Center)
}
