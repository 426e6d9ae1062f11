//! The rounds of a cell in order of time: whether its speed drifted, jumped from launch to launch, or was disturbed for a while.
//!
//! Base has no order of time in its file, so it is a line with its interval.

use plotters::prelude::DrawingBackend;
use plotters_backend::text_anchor::{HPos, VPos};

use super::axis::{Axis, grouped, time_unit};
use super::heading::Heading;
use super::label::spread;
use super::line_chart::{
    BELOW_PLOT_PX, EDGE_PX, INSET_PX, NAME_HEIGHT_PX, TICK_GAP_PX, WIDTH_PX, Y_TITLE_PX, widest,
};
use super::palette::{self, TEXT_SIZE};
use super::pen::{Area, Drawn, Frame, Lettering, Marker, Pen, Stroke};
use super::render::Chart;

const ABOVE_PLOT_PX: f64 = 38.0;
const PLOT_HEIGHT_PX: f64 = 220.0;
const NAME_GAP_PX: f64 = 10.0;
/// An outlier beyond so many times the median is put at the edge, so that it does not flatten all others.
const FARTHEST: f64 = 4.0;
/// Rounds that are nearer to each other are one line without markers.
const LEAST_APART_PX: f64 = 10.0;
/// About so many round numbers stand below the plot.
const MOST_TICKS: usize = 10;

/// One percentile of each round, in nanoseconds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Percentile {
    /// `p50`.
    pub(crate) name: String,
    /// A value a round, in order of time; none where a round has none.
    pub(crate) values: Vec<Option<f64>>,
    /// Base's value and its interval.
    pub(crate) base: Option<(f64, Option<(f64, f64)>)>,
}

/// The rounds of a cell, ready to be drawn.
pub(crate) struct Rounds {
    heading: Heading,
    description: Vec<String>,
    /// For each round the launch that served it, numbered over all runs.
    launches: Vec<usize>,
    percentiles: Vec<Percentile>,
    unit: &'static str,
    axis: Axis,
}

impl Rounds {
    /// Chooses unit and axis. `launches` has a value a round.
    pub(crate) fn new(title: &str, subtitle: &str, launches: Vec<usize>, percentiles: &[Percentile]) -> Self {
        let middle = |percentile: &Percentile| {
            let mut values: Vec<f64> = percentile.values.iter().flatten().copied().collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or(0.0)
        };
        let usual = percentiles.iter().map(middle).fold(0.0, f64::max);
        let values =
            percentiles.iter().flat_map(|p| p.values.iter().flatten().copied().chain(p.base.map(|b| b.0)));
        let largest = values.fold(0.0, f64::max).min(FARTHEST * usual.max(1.0));
        let unit = time_unit(largest);
        let scaled = |percentile: &Percentile| Percentile {
            name: percentile.name.clone(),
            values: percentile.values.iter().map(|value| value.map(|ns| ns / unit.size)).collect(),
            base: percentile.base.map(|(value, interval)| {
                (value / unit.size, interval.map(|(low, high)| (low / unit.size, high / unit.size)))
            }),
        };
        let names = percentiles.iter().map(|percentile| percentile.name.clone());
        Self {
            heading: Heading::new(title, subtitle, f64::from(WIDTH_PX) - 2.0 * EDGE_PX),
            description: [title.to_owned(), subtitle.to_owned()].into_iter().chain(names).collect(),
            launches,
            percentiles: percentiles.iter().map(scaled).collect(),
            unit: unit.name,
            axis: Axis::linear_from_zero(largest / unit.size),
        }
    }

    fn names(&self) -> impl Iterator<Item = (String, f64, plotters::style::RGBColor)> {
        self.percentiles.iter().flat_map(|percentile| {
            let last = percentile.values.iter().rev().flatten().next();
            let head = last.map(|value| (percentile.name.clone(), *value, palette::HEAD));
            let base =
                percentile.base.map(|base| (format!("{} base", percentile.name), base.0, palette::BASE));
            head.into_iter().chain(base)
        })
    }

    fn plot(&self) -> Frame {
        let names: Vec<String> = self.names().map(|(name, ..)| name).collect();
        let top = self.heading.bottom() + ABOVE_PLOT_PX;
        let ticks = widest(self.axis.ticks.iter().map(|tick| tick.label.as_str()));
        Frame {
            left: EDGE_PX + ticks + TICK_GAP_PX,
            top,
            right: f64::from(WIDTH_PX) - EDGE_PX - widest(names.iter().map(String::as_str)) - NAME_GAP_PX,
            bottom: top + PLOT_HEIGHT_PX,
        }
    }

    /// The middle of a round, from left to right.
    fn x(&self, plot: Frame, round: f64) -> f64 {
        let (left, right) = (plot.left + INSET_PX / 2.0, plot.right - INSET_PX / 2.0);
        left + (right - left) * (round + 0.5) / self.launches.len().max(1) as f64
    }

    fn y(&self, plot: Frame, value: f64) -> f64 {
        plot.bottom - self.axis.place(value) * (plot.bottom - plot.top)
    }

    /// First and last round of each launch that follows another one.
    fn lives(&self) -> Vec<(usize, usize)> {
        let mut lives: Vec<(usize, usize)> = Vec::new();
        for (round, launch) in self.launches.iter().enumerate() {
            match lives.last_mut() {
                Some(life) if self.launches[life.0] == *launch => life.1 = round,
                _ => lives.push((round, round)),
            }
        }
        lives
    }
}

impl Chart for Rounds {
    fn size_px(&self) -> (u32, u32) {
        (WIDTH_PX, (self.plot().bottom + BELOW_PLOT_PX).ceil() as u32)
    }

    fn description(&self) -> Vec<String> {
        self.description.clone()
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        let pen = Pen::new(area);
        pen.paper(palette::BACKGROUND)?;
        self.heading.draw(&pen, EDGE_PX)?;
        let plot = self.plot();
        for (first, last) in self.lives().into_iter().step_by(2) {
            let (left, right) = (self.x(plot, first as f64 - 0.5), self.x(plot, last as f64 + 0.5));
            pen.fill(Frame { left, right, ..plot }, palette::BAND)?;
        }
        self.axes(&pen, plot)?;
        for (nth, percentile) in self.percentiles.iter().enumerate() {
            self.percentile(&pen, plot, percentile, Marker::nth(nth))?;
        }
        let names: Vec<_> = self.names().collect();
        let wished: Vec<f64> = names.iter().map(|(_, value, _)| self.y(plot, *value)).collect();
        let placed = spread(&wished, NAME_HEIGHT_PX, plot.top - NAME_HEIGHT_PX / 2.0, plot.bottom);
        for ((name, _, color), y) in names.iter().zip(placed) {
            let lettering = Lettering { color: *color, ..text(HPos::Left, VPos::Center) };
            pen.text(name, (plot.right + NAME_GAP_PX, y), lettering)?;
        }
        Ok(())
    }
}

impl Rounds {
    fn axes<DB: DrawingBackend>(&self, pen: &Pen<'_, DB>, plot: Frame) -> Drawn<DB> {
        for tick in &self.axis.ticks {
            let y = self.y(plot, tick.value);
            pen.line(&[(plot.left, y), (plot.right, y)], Stroke::thin(palette::GRID))?;
            pen.text(&tick.label, (plot.left - TICK_GAP_PX, y), text(HPos::Right, VPos::Center))?;
        }
        let title = format!("latency ({})", self.unit);
        pen.text(&title, (EDGE_PX, plot.top - Y_TITLE_PX), text(HPos::Left, VPos::Center))?;
        pen.line(&[(plot.left, plot.bottom), (plot.right, plot.bottom)], Stroke::thin(palette::AXIS))?;
        let rounds = self.launches.len();
        for round in (1..=rounds).filter(|round| round % rounds.div_ceil(MOST_TICKS).max(1) == 0) {
            let at = (self.x(plot, round as f64 - 1.0), plot.bottom + TICK_GAP_PX);
            pen.text(&grouped(&round.to_string()), at, text(HPos::Center, VPos::Top))?;
        }
        let at = (f64::midpoint(plot.left, plot.right), plot.bottom + TICK_GAP_PX + NAME_HEIGHT_PX + 2.0);
        pen.text("round, in order of time (a stripe is a launch)", at, text(HPos::Center, VPos::Top))
    }

    fn percentile<DB: DrawingBackend>(
        &self,
        pen: &Pen<'_, DB>,
        plot: Frame,
        percentile: &Percentile,
        marker: Marker,
    ) -> Drawn<DB> {
        if let Some((value, interval)) = percentile.base {
            let line = |value: f64| [(plot.left, self.y(plot, value)), (plot.right, self.y(plot, value))];
            for end in interval.into_iter().flat_map(|(low, high)| [low, high]).filter(|end| end.is_finite())
            {
                pen.line(&line(end), Stroke::thin(palette::LEADER))?;
            }
            pen.line(&line(value), Stroke { width: palette::LINE_WIDTH, ..Stroke::thin(palette::BASE) })?;
        }
        let at = |round: usize| {
            let value = (*percentile.values.get(round)?)?;
            Some((self.x(plot, round as f64), self.y(plot, value)))
        };
        let stroke = Stroke { color: palette::HEAD, width: palette::LINE_WIDTH, dashed: true };
        if self.x(plot, 1.0) - self.x(plot, 0.0) < LEAST_APART_PX {
            let points: Vec<_> = (0..self.launches.len()).filter_map(at).collect();
            return pen.line(&points, Stroke::thin(stroke.color));
        }
        // Rounds of one launch hang together; what lies between launches is another process.
        for (first, last) in self.lives() {
            let points: Vec<_> = (first..=last).filter_map(at).collect();
            pen.line(&points, stroke)?;
            for point in points {
                pen.marker(point, marker, palette::HEAD)?;
            }
        }
        Ok(())
    }
}

fn text(h_pos: HPos, v_pos: VPos) -> Lettering {
    Lettering { size: TEXT_SIZE, color: palette::TEXT, anchor: (h_pos, v_pos) }
}
