//! The plot that all charts with values upwards share: an axis and names flow in; grid, labels, titles and the names at the
//! ends of lines flow out, at the same places in each of them.

use std::borrow::Cow;

use plotters::prelude::DrawingBackend;
use plotters::style::RGBColor;
use plotters_backend::text_anchor::{HPos, VPos};

use super::axis::Axis;
use super::font;
use super::heading::Heading;
use super::label::{spread, without_collision};
use super::palette::{self, EDGE_PX, NAME_HEIGHT_PX, TEXT_SIZE, TICK_GAP_PX, WIDTH_PX};
use super::pen::{At, Drawn, Frame, Lettering, Pen, Stroke};

/// From the heading to the plot: the title of the vertical axis stands here.
const ABOVE_PX: f64 = 38.0;
/// From the middle of that title to the plot.
const Y_TITLE_PX: f64 = 22.0;
/// From the plot to the lower edge: tick labels and the title of the horizontal axis.
const BELOW_PX: f64 = 58.0;
/// From the end of the longest line to the names: room for the leaders to fan out.
const LEAD_PX: f64 = 36.0;
const LEAST_RIGHT_PX: f64 = 36.0;

/// The rectangle between the axes, and the one that goes up.
pub(crate) struct Plot<'a> {
    pub(crate) frame: Frame,
    axis: &'a Axis,
}

/// What stands at the end of a line.
pub(crate) struct End<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) color: RGBColor,
    /// The line's last point.
    pub(crate) at: At,
}

impl<'a> Plot<'a> {
    /// Below the heading, as high as was asked for, with room at the right for the names of lines that end `inset` px
    /// before the plot does.
    pub(crate) fn new<'b>(
        heading: &Heading,
        axis: &'a Axis,
        height: f64,
        names: impl Iterator<Item = &'b str>,
        inset: f64,
    ) -> Self {
        let ticks = widest(axis.ticks.iter().map(|tick| tick.label.as_str()));
        let right = (LEAD_PX - inset + widest(names) + EDGE_PX).max(LEAST_RIGHT_PX);
        let top = heading.bottom() + ABOVE_PX;
        let frame = Frame {
            left: EDGE_PX + ticks + TICK_GAP_PX,
            top,
            right: f64::from(WIDTH_PX) - right,
            bottom: top + height,
        };
        Self { frame, axis }
    }

    /// Width and height of the picture, in px.
    pub(crate) fn picture_px(&self) -> (u32, u32) {
        (WIDTH_PX, (self.frame.bottom + BELOW_PX).ceil() as u32)
    }

    /// How far down a value lies; what lies beyond the axis is put at its end.
    pub(crate) fn y(&self, value: f64) -> f64 {
        self.frame.bottom - self.axis.place(value) * (self.frame.bottom - self.frame.top)
    }

    /// Grid, labels and title of the axis that goes up.
    pub(crate) fn values<DB: DrawingBackend>(&self, pen: &Pen<'_, DB>, title: &str) -> Drawn<DB> {
        let Frame { left, right, .. } = self.frame;
        for tick in &self.axis.ticks {
            let y = self.y(tick.value);
            pen.line(&[(left, y), (right, y)], Stroke::thin(palette::GRID))?;
            let at = (left - TICK_GAP_PX, y);
            pen.text(&tick.label, at, Lettering::plain(HPos::Right, VPos::Center))?;
        }
        let at = (EDGE_PX, self.frame.top - Y_TITLE_PX);
        pen.text(title, at, Lettering::plain(HPos::Left, VPos::Center))
    }

    /// The axis that goes right, with its title and its ticks, which are places and labels from left to right.
    pub(crate) fn floor<DB: DrawingBackend>(
        &self,
        pen: &Pen<'_, DB>,
        ticks: &[(f64, String)],
        title: &str,
    ) -> Drawn<DB> {
        let Frame { left, right, bottom, .. } = self.frame;
        let stroke = Stroke::thin(palette::AXIS);
        pen.line(&[(left, bottom), (right, bottom)], stroke)?;
        for (x, _) in ticks {
            pen.line(&[(*x, bottom), (*x, bottom + TICK_GAP_PX / 2.0)], stroke)?;
        }
        labels(pen, ticks, bottom)?;
        let at = (f64::midpoint(left, right), bottom + TICK_GAP_PX + NAME_HEIGHT_PX + 2.0);
        pen.text(title, at, Lettering::plain(HPos::Center, VPos::Top))
    }

    /// Names beside the ends of their lines, moved apart where they would touch, with leaders to them.
    pub(crate) fn names<DB: DrawingBackend>(&self, pen: &Pen<'_, DB>, ends: &[End<'_>]) -> Drawn<DB> {
        let column = ends.iter().map(|end| end.at.0).fold(f64::NEG_INFINITY, f64::max) + LEAD_PX;
        let wished: Vec<f64> = ends.iter().map(|end| end.at.1).collect();
        let top = self.frame.top - NAME_HEIGHT_PX / 2.0;
        let placed = spread(&wished, NAME_HEIGHT_PX, top, self.frame.bottom);
        for (End { name, color, at: (x, y) }, middle) in ends.iter().zip(placed) {
            let lead = [(x + 8.0, *y), (column - 12.0, middle), (column - 4.0, middle)];
            // A long one across the plot must not look like a line that goes on.
            let is_long = column - x > 2.0 * LEAD_PX;
            let stroke = if is_long { Stroke::dotted(palette::AXIS) } else { Stroke::thin(palette::LEADER) };
            pen.line(&lead, stroke)?;
            let lettering = Lettering { color: *color, ..Lettering::plain(HPos::Left, VPos::Center) };
            pen.text(name, (column, middle), lettering)?;
        }
        Ok(())
    }
}

/// The labels below an axis, as many as can stand without touching.
pub(crate) fn labels<DB: DrawingBackend>(
    pen: &Pen<'_, DB>,
    ticks: &[(f64, String)],
    bottom: f64,
) -> Drawn<DB> {
    let span = |(x, label): &(f64, String)| {
        let half = font::width(label, TEXT_SIZE) / 2.0;
        (x - half, x + half)
    };
    let spans: Vec<(f64, f64)> = ticks.iter().map(span).collect();
    let shown = without_collision(&spans, TICK_GAP_PX);
    for ((x, label), _) in ticks.iter().zip(shown).filter(|(_, shown)| *shown) {
        pen.text(label, (*x, bottom + TICK_GAP_PX), Lettering::plain(HPos::Center, VPos::Top))?;
    }
    Ok(())
}

/// The width of the widest of some texts.
pub(crate) fn widest<'a>(texts: impl Iterator<Item = &'a str>) -> f64 {
    texts.map(|text| font::width(text, TEXT_SIZE)).fold(0.0, f64::max)
}
