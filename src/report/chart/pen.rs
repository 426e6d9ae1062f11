//! Draws in CSS px: lengths as a reader of the page sees them flow in, whole dots of a plotters back end flow out.
//!
//! plotters' back ends know only whole dots, so a picture is drawn at several dots a px.
//! Strokes, dashes and markers of all charts are made here, so that they look alike.

use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind};
use plotters::prelude::{Circle, DrawingBackend, PathElement, Polygon, Rectangle, TextStyle};
use plotters::style::{Color, RGBColor};
use plotters_backend::text_anchor::{HPos, Pos, VPos};

use super::data::Side;
use super::font;
use super::palette;

/// How finely a picture is drawn.
pub(crate) const DOTS_PER_PX: u32 = 4;

/// Half the width of an interval's end.
const CAP_PX: f64 = 3.5;
/// What is drawn and what is left out by turns, of a dashed and of a dotted line.
const DASHED: (f64, f64) = (6.0, 4.0);
const DOTTED: (f64, f64) = (1.0, 4.0);
/// Half the size of a marker.
const MARKER_PX: f64 = 4.0;

/// A plotters area without coordinates of its own.
pub(crate) type Area<DB> = DrawingArea<DB, Shift>;
/// What drawing yields.
pub(crate) type Drawn<DB> = Result<(), DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;
/// A place in the picture in px, from its upper left corner.
pub(crate) type At = (f64, f64);

/// A rectangle in px.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Frame {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
}

/// The shape of a point on a line: it tells lines apart where colour does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marker {
    Circle,
    Square,
    Triangle,
    Diamond,
}

impl Marker {
    /// The shape of the n-th line; they come round again.
    pub(crate) fn nth(n: usize) -> Self {
        [Self::Circle, Self::Square, Self::Triangle, Self::Diamond][n % 4]
    }
}

/// Colour, width and pattern of a line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stroke {
    pub(crate) color: RGBColor,
    pub(crate) width: f64,
    /// How much is drawn and left out by turns; nothing for an unbroken line.
    pub(crate) pattern: Option<(f64, f64)>,
}

impl Stroke {
    /// An unbroken line of one px.
    pub(crate) fn thin(color: RGBColor) -> Self {
        Self { color, width: palette::THIN_WIDTH, pattern: None }
    }

    /// A line of dots: what is no data.
    pub(crate) fn dotted(color: RGBColor) -> Self {
        Self { pattern: Some(DOTTED), ..Self::thin(color) }
    }

    /// The line of one side: base is solid and head dashed, in all charts.
    pub(crate) fn of(side: Side) -> Self {
        let pattern = (side == Side::Head).then_some(DASHED);
        Self { color: side.color(), width: palette::LINE_WIDTH, pattern }
    }
}

/// Size and colour of a text, and which of its sides its place names.
#[derive(Clone, Copy)]
pub(crate) struct Lettering {
    pub(crate) size: f64,
    pub(crate) color: RGBColor,
    pub(crate) anchor: (HPos, VPos),
}

impl Lettering {
    /// As most text of a chart is written.
    pub(crate) fn plain(h_pos: HPos, v_pos: VPos) -> Self {
        Self { size: palette::TEXT_SIZE, color: palette::TEXT, anchor: (h_pos, v_pos) }
    }
}

/// Draws on one plotters area.
pub(crate) struct Pen<'a, DB: DrawingBackend> {
    area: &'a Area<DB>,
}

impl<'a, DB: DrawingBackend> Pen<'a, DB> {
    /// A pen for an area that has [`DOTS_PER_PX`] dots a px.
    pub(crate) fn new(area: &'a Area<DB>) -> Self {
        Self { area }
    }

    /// A filled rectangle.
    pub(crate) fn fill(&self, frame: Frame, color: RGBColor) -> Drawn<DB> {
        let corners = [dots((frame.left, frame.top)), dots((frame.right, frame.bottom))];
        self.area.draw(&Rectangle::new(corners, color.filled()))
    }

    /// The area between two lines with points at the same places, in a thin wash of a colour.
    pub(crate) fn band(&self, upper: &[At], lower: &[At], color: RGBColor) -> Drawn<DB> {
        let around: Vec<_> = upper.iter().chain(lower.iter().rev()).copied().map(dots).collect();
        if around.len() < 4 {
            return Ok(());
        }
        self.area.draw(&Polygon::new(around, color.mix(palette::BAND_OPACITY)))
    }

    /// An interval: a line between its ends, across each of which a cap stands if that end is to be seen.
    pub(crate) fn interval(&self, ends: [(At, bool); 2], stroke: Stroke) -> Drawn<DB> {
        let [(from, _), (to, _)] = ends;
        self.line(&[from, to], stroke)?;
        let (across_x, across_y) = if from.0 == to.0 { (CAP_PX, 0.0) } else { (0.0, CAP_PX) };
        for ((x, y), _) in ends.into_iter().filter(|(_, seen)| *seen) {
            self.line(&[(x - across_x, y - across_y), (x + across_x, y + across_y)], stroke)?;
        }
        Ok(())
    }

    /// A line through all the points.
    pub(crate) fn line(&self, points: &[At], stroke: Stroke) -> Drawn<DB> {
        let Some(pattern) = stroke.pattern else {
            return self.path(points, stroke);
        };
        for dash in dashes(points, pattern) {
            self.path(&dash, stroke)?;
        }
        Ok(())
    }

    fn path(&self, points: &[At], stroke: Stroke) -> Drawn<DB> {
        let mut path: Vec<(i32, i32)> = points.iter().copied().map(dots).collect();
        path.dedup();
        if path.len() < 2 {
            return Ok(());
        }
        let width = (stroke.width * f64::from(DOTS_PER_PX)).round().max(1.0) as u32;
        let style = stroke.color.stroke_width(width);
        self.area.draw(&PathElement::new(path, style))
    }

    /// A filled point with a light rim, so that points that lie on each other can be told apart.
    pub(crate) fn marker(&self, at: At, marker: Marker, color: RGBColor) -> Drawn<DB> {
        self.shape(at, marker, MARKER_PX + palette::THIN_WIDTH, palette::BACKGROUND)?;
        self.shape(at, marker, MARKER_PX, color)
    }

    /// The outline of a point: for what is not decided.
    pub(crate) fn hollow(&self, at: At, marker: Marker, color: RGBColor) -> Drawn<DB> {
        self.marker(at, marker, color)?;
        self.shape(at, marker, MARKER_PX - 1.5 * palette::THIN_WIDTH, palette::BACKGROUND)
    }

    fn shape(&self, (x, y): At, marker: Marker, half: f64, color: RGBColor) -> Drawn<DB> {
        // Equal areas look equally large: the corners of the pointed ones reach further out.
        let far = half * 1.25;
        let corners = match marker {
            Marker::Circle => {
                let radius = (half * f64::from(DOTS_PER_PX)).round() as i32;
                return self.area.draw(&Circle::new(dots((x, y)), radius, color.filled()));
            }
            Marker::Square => {
                let half = half * 0.9;
                return self
                    .fill(Frame { left: x - half, top: y - half, right: x + half, bottom: y + half }, color);
            }
            Marker::Triangle => vec![(x, y - far), (x + far, y + half), (x - far, y + half)],
            Marker::Diamond => vec![(x, y - far), (x + far, y), (x, y + far), (x - far, y)],
        };
        let corners: Vec<_> = corners.into_iter().map(dots).collect();
        self.area.draw(&Polygon::new(corners, color.filled()))
    }

    /// One line of text.
    pub(crate) fn text(&self, text: &str, at: At, lettering: Lettering) -> Drawn<DB> {
        let (h_pos, v_pos) = lettering.anchor;
        let style = TextStyle::from((font::FAMILY, lettering.size * f64::from(DOTS_PER_PX)))
            .color(&lettering.color)
            .pos(Pos::new(h_pos, v_pos));
        self.area.draw_text(text, &style, dots(at))
    }
}

fn dots((x, y): At) -> (i32, i32) {
    let per_px = f64::from(DOTS_PER_PX);
    ((x * per_px).round() as i32, (y * per_px).round() as i32)
}

/// The dashes of a line through the points; the pattern runs on round corners.
fn dashes(points: &[At], (drawn, left_out): (f64, f64)) -> Vec<Vec<At>> {
    let mut found = Vec::new();
    let (mut drawing, mut left) = (true, drawn);
    let mut dash: Vec<At> = points.first().copied().into_iter().collect();
    for ends in points.windows(2) {
        let ((x0, y0), (x1, y1)) = (ends[0], ends[1]);
        let length = (x1 - x0).hypot(y1 - y0);
        let mut done = 0.0;
        while length - done > left {
            done += left;
            let at = (x0 + (x1 - x0) * done / length, y0 + (y1 - y0) * done / length);
            if drawing {
                dash.push(at);
                found.push(std::mem::take(&mut dash));
            } else {
                dash = vec![at];
            }
            drawing = !drawing;
            left = if drawing { drawn } else { left_out };
        }
        left -= length - done;
        if drawing {
            dash.push((x1, y1));
        }
    }
    if drawing && dash.len() > 1 {
        found.push(dash);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_have_their_length_and_run_on_round_corners() {
        let straight = dashes(&[(0.0, 0.0), (20.0, 0.0)], DASHED);
        assert_eq!(straight, [vec![(0.0, 0.0), (6.0, 0.0)], vec![(10.0, 0.0), (16.0, 0.0)]]);
        let corner = dashes(&[(0.0, 0.0), (3.0, 0.0), (3.0, 10.0)], DASHED);
        assert_eq!(corner[0], [(0.0, 0.0), (3.0, 0.0), (3.0, 3.0)]);
        assert_eq!(corner[1], [(3.0, 7.0), (3.0, 10.0)]);
    }

    #[test]
    fn a_single_point_has_no_dash() {
        assert!(dashes(&[(1.0, 1.0)], DASHED).is_empty());
        assert!(dashes(&[], DASHED).is_empty());
        assert!(dashes(&[(1.0, 1.0), (1.0, 1.0)], DASHED).iter().all(|dash| dash[0] == dash[1]));
    }
}
