//! The rounds of a cell in order of time: whether its speed drifted, jumped from launch to launch, or was disturbed for a while.
//!
//! Base has no order of time in its file, so it is a line with its interval.

use plotters::prelude::DrawingBackend;

use super::axis::{Axis, Unit, time_unit};
use super::data::Side;
use super::heading::Heading;
use super::palette;
use super::pen::{Area, Drawn, Frame, Marker, Pen, Stroke};
use super::plot::{End, Plot};
use super::render::Chart;
use crate::report::words;

const PLOT_HEIGHT_PX: f64 = 220.0;
/// From the plot's edges to the first and the last stripe.
const INSET_PX: f64 = 11.0;
/// An outlier beyond so many times the median is put at the edge, so that it does not flatten all others.
const FARTHEST: f64 = 4.0;
/// Rounds that are nearer to each other are one line without markers.
const LEAST_APART_PX: f64 = 10.0;
/// About so many round numbers stand below the plot.
const MOST_TICKS: usize = 10;

/// One percentile of each round, in nanoseconds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Timeline {
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
    percentiles: Vec<Timeline>,
    unit: Unit,
    axis: Axis,
}

impl Rounds {
    /// Chooses unit and axis. `launches` has a value a round.
    pub(crate) fn new(title: &str, subtitle: &str, launches: Vec<usize>, percentiles: &[Timeline]) -> Self {
        let middle = |percentile: &Timeline| {
            let mut values: Vec<f64> = percentile.values.iter().flatten().copied().collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or(0.0)
        };
        let usual = percentiles.iter().map(middle).fold(0.0, f64::max);
        let values =
            percentiles.iter().flat_map(|p| p.values.iter().flatten().copied().chain(p.base.map(|b| b.0)));
        let largest = values.fold(0.0, f64::max).min(FARTHEST * usual.max(1.0));
        let unit = time_unit(largest);
        let scaled = |percentile: &Timeline| Timeline {
            name: percentile.name.clone(),
            values: percentile.values.iter().map(|value| value.map(|ns| ns / unit.size)).collect(),
            base: percentile.base.map(|(value, interval)| {
                (value / unit.size, interval.map(|(low, high)| (low / unit.size, high / unit.size)))
            }),
        };
        let names = percentiles.iter().map(|percentile| percentile.name.clone());
        Self {
            heading: Heading::new(title, subtitle),
            description: [title.to_owned(), subtitle.to_owned()].into_iter().chain(names).collect(),
            launches,
            percentiles: percentiles.iter().map(scaled).collect(),
            unit,
            axis: Axis::linear_from_zero(largest / unit.size),
        }
    }

    /// Each line's name and last value, and its side.
    fn ends(&self) -> impl Iterator<Item = (String, f64, Side)> {
        self.percentiles.iter().flat_map(|percentile| {
            let last = percentile.values.iter().rev().flatten().next();
            let head = last.map(|value| (percentile.name.clone(), *value, Side::Head));
            let base = percentile.base.map(|base| (format!("{} base", percentile.name), base.0, Side::Base));
            head.into_iter().chain(base)
        })
    }

    fn plot(&self) -> Plot<'_> {
        let names: Vec<String> = self.ends().map(|(name, ..)| name).collect();
        Plot::new(&self.heading, &self.axis, PLOT_HEIGHT_PX, names.iter().map(String::as_str), 0.0)
    }

    /// The middle of a round, from left to right.
    fn x(&self, frame: Frame, round: f64) -> f64 {
        let (left, right) = (frame.left + INSET_PX, frame.right - INSET_PX);
        left + (right - left) * (round + 0.5) / self.launches.len().max(1) as f64
    }

    /// First and last round of each launch.
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
        self.plot().picture_px()
    }

    fn description(&self) -> Vec<String> {
        self.description.clone()
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB> {
        let pen = Pen::new(area);
        self.heading.draw(&pen)?;
        let plot = self.plot();
        let frame = plot.frame;
        for (first, last) in self.lives().into_iter().step_by(2) {
            let (left, right) = (self.x(frame, first as f64 - 0.5), self.x(frame, last as f64 + 0.5));
            pen.fill(Frame { left, right, ..frame }, palette::BAND)?;
        }
        plot.values(&pen, &self.axis.title("latency", self.unit))?;
        let rounds = self.launches.len();
        let every = rounds.div_ceil(MOST_TICKS).max(1);
        let tick = |round: usize| (self.x(frame, round as f64 - 1.0), words::count(round as u64));
        let ticks: Vec<_> = (every..=rounds).step_by(every).map(tick).collect();
        plot.floor(&pen, &ticks, "round, in order of time (a stripe is a launch)")?;
        for (nth, percentile) in self.percentiles.iter().enumerate() {
            self.percentile(&pen, &plot, percentile, Marker::nth(nth))?;
        }
        let end = |(name, value, side): (String, f64, Side)| End {
            name: name.into(),
            color: side.color(),
            at: (frame.right, plot.y(value)),
        };
        plot.names(&pen, &self.ends().map(end).collect::<Vec<_>>())
    }
}

impl Rounds {
    fn percentile<DB: DrawingBackend>(
        &self,
        pen: &Pen<'_, DB>,
        plot: &Plot<'_>,
        percentile: &Timeline,
        marker: Marker,
    ) -> Drawn<DB> {
        let Frame { left, right, .. } = plot.frame;
        if let Some((value, interval)) = percentile.base {
            let line = |value: f64| [(left, plot.y(value)), (right, plot.y(value))];
            for end in interval.into_iter().flat_map(|(low, high)| [low, high]).filter(|end| end.is_finite())
            {
                pen.line(&line(end), Stroke::thin(palette::LEADER))?;
            }
            pen.line(&line(value), Stroke::of(Side::Base))?;
        }
        let at = |round: usize| {
            let value = (*percentile.values.get(round)?)?;
            Some((self.x(plot.frame, round as f64), plot.y(value)))
        };
        let head = Side::Head.color();
        if self.x(plot.frame, 1.0) - self.x(plot.frame, 0.0) < LEAST_APART_PX {
            let points: Vec<_> = (0..self.launches.len()).filter_map(at).collect();
            return pen.line(&points, Stroke::thin(head));
        }
        // Rounds of one launch hang together; what lies between launches is another process.
        for (first, last) in self.lives() {
            let points: Vec<_> = (first..=last).filter_map(at).collect();
            pen.line(&points, Stroke::of(Side::Head))?;
            for point in points {
                pen.marker(point, marker, head)?;
            }
        }
        Ok(())
    }
}
