//! Draws a line chart: a laid-out chart flows in, strokes and text on any plotters back end flow out.

use plotters::prelude::DrawingBackend;
use plotters_backend::text_anchor::{HPos, VPos};

use super::axis::{concurrency_places, grouped};
use super::data::{Estimate, Side};
use super::font;
use super::label::{spread, without_collision};
use super::line_chart::{
    BELOW_PLOT_PX, DODGE_PX, EDGE_PX, INSET_PX, LEAD_PX, LineChart, NAME_HEIGHT_PX, TICK_GAP_PX, WIDTH_PX,
    Y_TITLE_PX, widest,
};
use super::naming::Line;
use super::palette::{self, TEXT_SIZE};
use super::pen::{Area, At, Drawn, Frame, Lettering, Pen, Stroke};
use super::render::Chart;

/// How far base and head stand beside a lone concurrency: there is room.
const WIDE_DODGE_PX: f64 = 12.0;
/// Half the width of an interval's end.
const CAP_PX: f64 = 3.5;

impl Chart for LineChart {
    fn size_px(&self) -> (u32, u32) {
        let note = self.note.as_ref().map_or(0.0, |_| NAME_HEIGHT_PX);
        let height = self.plot().bottom + BELOW_PLOT_PX + note;
        (WIDTH_PX, height.ceil() as u32)
    }

    fn description(&self) -> Vec<String> {
        self.description.clone()
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        let pen = Pen::new(area);
        pen.paper(palette::BACKGROUND)?;
        self.heading.draw(&pen, EDGE_PX)?;
        Drawing::new(self, pen).draw()
    }
}

/// A chart while it is being drawn.
struct Drawing<'a, DB: DrawingBackend> {
    chart: &'a LineChart,
    pen: Pen<'a, DB>,
    plot: Frame,
    /// For each concurrency its distance from the left.
    places: Vec<f64>,
    evenly: bool,
}

impl<'a, DB: DrawingBackend> Drawing<'a, DB> {
    fn new(chart: &'a LineChart, pen: Pen<'a, DB>) -> Self {
        let plot = chart.plot();
        let (left, width) = (plot.left + INSET_PX, plot.right - plot.left - 2.0 * INSET_PX);
        let labels: Vec<String> = chart.concurrencies.iter().map(|n| x_label(*n)).collect();
        let least_gap = widest(labels.iter().map(String::as_str)) + TICK_GAP_PX;
        let (places, evenly) = concurrency_places(&chart.concurrencies, least_gap / width);
        Self { chart, pen, plot, places: places.iter().map(|place| left + place * width).collect(), evenly }
    }

    fn draw(&self) -> Drawn<DB> {
        self.vertical_axis()?;
        self.horizontal_axis()?;
        if self.chart.lines.is_empty() {
            self.empty_frame()?;
            let middle = ((self.plot.left + self.plot.right) / 2.0, (self.plot.top + self.plot.bottom) / 2.0);
            let lettering = Lettering { size: palette::SUBTITLE_SIZE, ..text(HPos::Center, VPos::Center) };
            return self.pen.text(self.chart.notice, middle, lettering);
        }
        // Head after base: what is new lies on top.
        for side in [Side::Base, Side::Head] {
            let of_side = || self.chart.lines.iter().filter(|line| line.curve.side == side);
            for line in of_side() {
                self.intervals(line)?;
                self.pen.line(&self.points(line), stroke(side))?;
            }
            for line in of_side() {
                for at in self.points(line) {
                    self.pen.marker(at, line.marker, color(side))?;
                }
            }
        }
        self.names()
    }

    fn vertical_axis(&self) -> Drawn<DB> {
        let Frame { left, right, .. } = self.plot;
        // An axis without values would show numbers that mean nothing.
        let ticks = if self.chart.lines.is_empty() { &[] } else { &*self.chart.axis.ticks };
        for tick in ticks {
            let y = self.y(tick.value);
            self.pen.line(&[(left, y), (right, y)], Stroke::thin(palette::GRID))?;
            let at = (left - TICK_GAP_PX, y);
            self.pen.text(&tick.label, at, text(HPos::Right, VPos::Center))?;
        }
        let at = (EDGE_PX, self.plot.top - Y_TITLE_PX);
        self.pen.text(&self.chart.y_title, at, text(HPos::Left, VPos::Center))
    }

    /// Shows that this is a chart, though an empty one.
    fn empty_frame(&self) -> Drawn<DB> {
        let Frame { left, top, right, bottom } = self.plot;
        let around = [(left, bottom), (left, top), (right, top), (right, bottom)];
        self.pen.line(&around, Stroke::thin(palette::GRID))
    }

    fn horizontal_axis(&self) -> Drawn<DB> {
        let Frame { left, right, bottom, .. } = self.plot;
        let stroke = Stroke::thin(palette::AXIS);
        self.pen.line(&[(left, bottom), (right, bottom)], stroke)?;
        let labels: Vec<String> = self.chart.concurrencies.iter().map(|n| x_label(*n)).collect();
        let spans: Vec<(f64, f64)> = labels
            .iter()
            .zip(&self.places)
            .map(|(label, x)| {
                let half = font::width(label, TEXT_SIZE) / 2.0;
                (x - half, x + half)
            })
            .collect();
        let shown = without_collision(&spans, TICK_GAP_PX / 2.0);
        for ((label, &x), shown) in labels.iter().zip(&self.places).zip(shown) {
            self.pen.line(&[(x, bottom), (x, bottom + TICK_GAP_PX / 2.0)], stroke)?;
            if shown {
                let at = (x, bottom + TICK_GAP_PX);
                self.pen.text(label, at, text(HPos::Center, VPos::Top))?;
            }
        }
        let scale = match (self.places.len(), self.evenly) {
            (0 | 1, _) => "",
            (_, true) => ", evenly spaced",
            (_, false) => ", log scale",
        };
        let title = format!("concurrency (requests in flight{scale})");
        let at = ((left + right) / 2.0, bottom + TICK_GAP_PX + NAME_HEIGHT_PX + 2.0);
        self.pen.text(&title, at, text(HPos::Center, VPos::Top))?;
        if let Some(note) = &self.chart.note {
            let at = (EDGE_PX, at.1 + NAME_HEIGHT_PX + 4.0);
            self.pen.text(note, at, text(HPos::Left, VPos::Top))?;
        }
        Ok(())
    }

    fn intervals(&self, line: &Line) -> Drawn<DB> {
        let color = color(line.curve.side);
        let stroke = Stroke::thin(color);
        for estimate in &line.curve.estimates {
            let Some((lower, upper)) = estimate.interval else {
                continue;
            };
            let x = self.x(line.curve.side, estimate);
            let (low, high) = (self.y(lower), self.y(upper));
            self.pen.line(&[(x, low), (x, high)], stroke)?;
            self.pen.line(&[(x - CAP_PX, low), (x + CAP_PX, low)], stroke)?;
            // An interval that reaches beyond the axis has no end to be seen.
            if !self.chart.axis.is_beyond(upper) {
                self.pen.line(&[(x - CAP_PX, high), (x + CAP_PX, high)], stroke)?;
            }
        }
        Ok(())
    }

    fn names(&self) -> Drawn<DB> {
        let lines = &self.chart.lines;
        let ends: Vec<At> = lines.iter().filter_map(|line| self.points(line).last().copied()).collect();
        let farthest = ends.iter().map(|end| end.0).fold(f64::NEG_INFINITY, f64::max);
        let column = farthest + LEAD_PX;
        let wished: Vec<f64> = ends.iter().map(|end| end.1).collect();
        let half = NAME_HEIGHT_PX / 2.0;
        let (top, bottom) = (self.plot.top - half, self.plot.bottom);
        let placed = spread(&wished, NAME_HEIGHT_PX, top, bottom);
        for ((line, &(x, y)), &middle) in lines.iter().zip(&ends).zip(&placed) {
            let lead = [(x + 8.0, y), (column - 12.0, middle), (column - 4.0, middle)];
            self.pen.line(&lead, Stroke::thin(palette::LEADER))?;
            // Inside the plot the grid would run through it.
            let width = font::width(&line.label, TEXT_SIZE);
            let paper = Frame {
                left: column - 3.0,
                top: middle - half,
                right: column + width + 3.0,
                bottom: middle + half,
            };
            self.pen.fill(paper, palette::BACKGROUND)?;
            let lettering = Lettering { color: color(line.curve.side), ..text(HPos::Left, VPos::Center) };
            self.pen.text(&line.label, (column, middle), lettering)?;
        }
        Ok(())
    }

    fn points(&self, line: &Line) -> Vec<At> {
        let estimates = line.curve.estimates.iter();
        estimates.map(|estimate| (self.x(line.curve.side, estimate), self.y(estimate.value))).collect()
    }

    fn x(&self, side: Side, estimate: &Estimate) -> f64 {
        let index = self.chart.concurrencies.binary_search(&estimate.concurrency);
        let place = index.ok().and_then(|index| self.places.get(index));
        let distance = match (self.chart.has_both_sides(), self.chart.concurrencies.len()) {
            (false, _) => 0.0,
            (true, 1) => WIDE_DODGE_PX,
            (true, _) => DODGE_PX,
        };
        let dodge = match side {
            Side::Base => -distance,
            Side::Head => distance,
        };
        place.copied().unwrap_or(self.plot.left) + dodge
    }

    fn y(&self, value: f64) -> f64 {
        let Frame { top, bottom, .. } = self.plot;
        bottom - self.chart.axis.place(value) * (bottom - top)
    }
}

fn x_label(concurrency: u32) -> String {
    grouped(&concurrency.to_string())
}

fn text(h_pos: HPos, v_pos: VPos) -> Lettering {
    Lettering { size: TEXT_SIZE, color: palette::TEXT, anchor: (h_pos, v_pos) }
}

fn color(side: Side) -> plotters::style::RGBColor {
    match side {
        Side::Base => palette::BASE,
        Side::Head => palette::HEAD,
    }
}

fn stroke(side: Side) -> Stroke {
    Stroke { color: color(side), width: palette::LINE_WIDTH, dashed: side == Side::Head }
}
