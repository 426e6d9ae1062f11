//! Draws a line chart: a laid-out chart flows in, strokes and text on any plotters back end flow out.

use plotters::prelude::DrawingBackend;
use plotters_backend::text_anchor::{HPos, VPos};

use super::axis::concurrency_places;
use super::data::{Estimate, Side};
use super::line_chart::{DODGE_PX, INSET_PX, LineChart};
use super::naming::Line;
use super::palette::{self, EDGE_PX, NAME_HEIGHT_PX, TICK_GAP_PX};
use super::pen::{Area, At, Drawn, Frame, Lettering, Pen, Stroke};
use super::plot::{End, Plot, widest};
use super::render::Chart;
use crate::report::words;

/// Said in the middle of an empty chart.
const NOTICE: &str = "too few successful responses";

impl Chart for LineChart {
    fn size_px(&self) -> (u32, u32) {
        let (width, height) = self.plot().picture_px();
        let note = self.note.as_ref().map_or(0, |_| NAME_HEIGHT_PX as u32);
        (width, height + note)
    }

    fn description(&self) -> Vec<String> {
        self.description.clone()
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        let pen = Pen::new(area);
        self.heading.draw(&pen)?;
        Drawing::new(self, pen).draw()
    }
}

/// A chart while it is being drawn.
struct Drawing<'a, DB: DrawingBackend> {
    chart: &'a LineChart,
    pen: Pen<'a, DB>,
    plot: Plot<'a>,
    /// For each concurrency its distance from the left.
    places: Vec<f64>,
    evenly: bool,
}

impl<'a, DB: DrawingBackend> Drawing<'a, DB> {
    fn new(chart: &'a LineChart, pen: Pen<'a, DB>) -> Self {
        let plot = chart.plot();
        let Frame { left, right, .. } = plot.frame;
        let width = right - left - 2.0 * INSET_PX;
        let labels: Vec<String> = chart.concurrencies.iter().map(|n| words::count((*n).into())).collect();
        let least_gap = widest(labels.iter().map(String::as_str)) + TICK_GAP_PX;
        let (places, evenly) = concurrency_places(&chart.concurrencies, least_gap / width);
        let places = places.iter().map(|place| left + INSET_PX + place * width).collect();
        Self { chart, pen, plot, places, evenly }
    }

    fn draw(&self) -> Drawn<DB> {
        self.floor()?;
        if self.chart.lines.is_empty() {
            return self.empty();
        }
        self.plot.values(&self.pen, &self.chart.y_title)?;
        // Head after base: what is new lies on top.
        for side in [Side::Base, Side::Head] {
            let of_side = || self.chart.lines.iter().filter(|line| line.curve.side == side);
            for line in of_side() {
                self.intervals(line)?;
                self.pen.line(&self.points(line), Stroke::of(side))?;
            }
            for line in of_side() {
                for at in self.points(line) {
                    self.pen.marker(at, line.marker, side.color())?;
                }
            }
        }
        let end = |line: &'a Line| {
            let at = self.points(line).last().copied()?;
            Some(End { name: line.label.as_str().into(), color: line.curve.side.color(), at })
        };
        let ends: Vec<End> = self.chart.lines.iter().filter_map(end).collect();
        self.plot.names(&self.pen, &ends)
    }

    /// Shows that this is a chart, though an empty one: an axis without values would show numbers that mean nothing.
    fn empty(&self) -> Drawn<DB> {
        let Frame { left, top, right, bottom } = self.plot.frame;
        let around = [(left, bottom), (left, top), (right, top), (right, bottom)];
        self.pen.line(&around, Stroke::thin(palette::GRID))?;
        let middle = (f64::midpoint(left, right), f64::midpoint(top, bottom));
        let plain = Lettering::plain(HPos::Center, VPos::Center);
        self.pen.text(NOTICE, middle, Lettering { size: palette::SUBTITLE_SIZE, ..plain })
    }

    fn floor(&self) -> Drawn<DB> {
        let label = |(x, n): (&f64, &u32)| (*x, words::count((*n).into()));
        let ticks: Vec<(f64, String)> =
            self.places.iter().zip(&self.chart.concurrencies).map(label).collect();
        let scale = if self.evenly { "evenly spaced" } else { "log scale" };
        self.plot.floor(&self.pen, &ticks, &format!("concurrency (requests in flight, {scale})"))?;
        let Some(note) = &self.chart.note else { return Ok(()) };
        let (_, height) = self.plot.picture_px();
        self.pen.text(note, (EDGE_PX, height.into()), Lettering::plain(HPos::Left, VPos::Center))
    }

    fn intervals(&self, line: &Line) -> Drawn<DB> {
        for estimate in &line.curve.estimates {
            let Some((lower, upper)) = estimate.interval else {
                continue;
            };
            let x = self.x(line.curve.side, estimate);
            // An interval that reaches beyond the axis has no end to be seen.
            let ends = [
                ((x, self.plot.y(lower)), true),
                ((x, self.plot.y(upper)), !self.chart.axis.is_beyond(upper)),
            ];
            self.pen.interval(ends, Stroke::thin(line.curve.side.color()))?;
        }
        Ok(())
    }

    fn points(&self, line: &Line) -> Vec<At> {
        let estimates = line.curve.estimates.iter();
        estimates.map(|estimate| (self.x(line.curve.side, estimate), self.plot.y(estimate.value))).collect()
    }

    fn x(&self, side: Side, estimate: &Estimate) -> f64 {
        let index = self.chart.concurrencies.binary_search(&estimate.concurrency);
        let place = index.ok().and_then(|index| self.places.get(index));
        let dodge = match (self.chart.has_both_sides(), side) {
            (false, _) => 0.0,
            (true, Side::Base) => -DODGE_PX,
            (true, Side::Head) => DODGE_PX,
        };
        place.copied().unwrap_or(self.plot.frame.left) + dodge
    }
}
