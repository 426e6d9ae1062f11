//! What plotters draws on: an SVG that is as short as it can be, because a page holds hundreds of charts.
//!
//! plotters' own SVG has an element for each shape, and one for each dash of a line. Here shapes that follow each other in one style
//! are one path. A coordinate is a tenth of a px, so that plotters' whole numbers are fine enough.

use std::convert::Infallible;
use std::fmt;

use plotters::element::{Drawable, PointCollection};
use plotters::style::{RGBColor, ShapeStyle};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, DrawingBackend, DrawingErrorKind, rasterizer,
};

pub(crate) const DOTS_PER_PX: f64 = 10.0;
/// The width of a line of 1 px, which is SVG's own.
const USUAL_WIDTH: u32 = 10;

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

/// Writes the elements of an SVG behind a text.
pub(crate) struct ShortSvg<'a> {
    text: &'a mut String,
    size: (u32, u32),
    /// The attributes of the path that is being written.
    attributes: String,
    path: Path,
}

impl<'a> ShortSvg<'a> {
    /// The size is in tenths of a px.
    pub(crate) fn new(text: &'a mut String, size: (u32, u32)) -> Self {
        Self { text, size, attributes: String::new(), path: Path::default() }
    }

    /// Adds lines to the path with these attributes, and back to the first point if it is an area.
    fn add(&mut self, points: &[BackendCoord], is_area: bool, attributes: String) {
        // What shines through may not be one with what lies below.
        if self.attributes != attributes || attributes.contains("opacity") {
            self.end_path();
            self.attributes = attributes;
        }
        self.path.lines(points);
        if is_area {
            self.path.close(points);
        }
    }

    fn end_path(&mut self) {
        let Path { text, .. } = std::mem::take(&mut self.path);
        if !text.is_empty() {
            self.text.push_str(&format!("<path d=\"{text}\" {}/>\n", self.attributes));
        }
    }

    fn stroke(&mut self, points: &[BackendCoord], style: &impl BackendStyle, more: &str) {
        let width = match style.stroke_width() {
            USUAL_WIDTH => String::new(),
            width => format!(" stroke-width=\"{}\"", Tenths(width.into())),
        };
        self.add(points, false, format!("{}{width}{more}", painted("stroke", style.color())));
    }

    fn area(&mut self, corners: &[BackendCoord], color: BackendColor) {
        self.add(corners, true, painted("fill", color));
    }
}

/// An attribute for a color, and one for its opacity.
fn painted(how: &str, BackendColor { alpha, rgb: (red, green, blue) }: BackendColor) -> String {
    let opacity = if alpha < 1.0 { format!(" opacity=\"{alpha}\"") } else { String::new() };
    format!("{how}=\"{}\"{opacity}", hex(RGBColor(red, green, blue)))
}

/// The color as an SVG writes it.
pub(crate) fn hex(RGBColor(red, green, blue): RGBColor) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

impl DrawingBackend for ShortSvg<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        self.end_path();
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Drawn {
        self.area(&[(x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1)], color);
        Ok(())
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        self.stroke(&[from, to], style, "");
        Ok(())
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        (left, top): BackendCoord,
        (right, bottom): BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        let corners = [(left, top), (right, top), (right, bottom), (left, bottom)];
        if fill {
            self.area(&corners, style.color());
        } else {
            self.stroke(&[&corners[..], &corners[..1]].concat(), style, "");
        }
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        self.stroke(&path.into_iter().collect::<Vec<_>>(), style, "");
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Drawn {
        if !fill {
            return rasterizer::draw_circle(self, center, radius, style, fill);
        }
        // The round end of a line without a length.
        let width = format!(" stroke-width=\"{}\" stroke-linecap=\"round\"", Tenths(i64::from(radius) * 2));
        self.add(&[center, center], false, painted("stroke", style.color()) + &width);
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        corners: I,
        style: &S,
    ) -> Drawn {
        self.area(&corners.into_iter().collect::<Vec<_>>(), style.color());
        Ok(())
    }
}

/// A dashed line, for which SVG has an attribute and plotters only many short lines.
pub(crate) struct Dashed {
    pub(crate) points: Vec<BackendCoord>,
    pub(crate) style: ShapeStyle,
    /// Lengths of a dash and of a gap in px.
    pub(crate) pattern: (f64, f64),
}

impl<'a> PointCollection<'a, BackendCoord> for &'a Dashed {
    type Point = &'a BackendCoord;
    type IntoIter = &'a [BackendCoord];

    fn point_iter(self) -> &'a [BackendCoord] {
        &self.points
    }
}

impl Drawable<ShortSvg<'_>> for Dashed {
    fn draw<I: Iterator<Item = BackendCoord>>(
        &self,
        points: I,
        backend: &mut ShortSvg<'_>,
        _: (u32, u32),
    ) -> Drawn {
        let (dash, gap) = self.pattern;
        backend.stroke(
            &points.collect::<Vec<_>>(),
            &self.style,
            &format!(" stroke-dasharray=\"{dash} {gap}\""),
        );
        Ok(())
    }
}

/// A length in tenths of a px, written as short as it can be.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Tenths(i64);

impl Tenths {
    pub(crate) fn new(px: f64) -> Self {
        Self((10.0 * px).round() as i64)
    }
}

impl fmt::Display for Tenths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        match (self.0.abs() / 10, self.0.abs() % 10) {
            (whole, 0) => write!(f, "{sign}{whole}"),
            (0, tenth) => write!(f, "{sign}.{tenth}"),
            (whole, tenth) => write!(f, "{sign}{whole}.{tenth}"),
        }
    }
}

/// The `d` of an SVG path. Each place is relative to the one before, which takes fewer characters.
#[derive(Default)]
struct Path {
    text: String,
    at: (i64, i64),
}

impl Path {
    fn lines(&mut self, points: &[BackendCoord]) {
        for (nth, point) in points.iter().enumerate() {
            self.go(if nth == 0 { 'm' } else { 'l' }, *point);
        }
    }

    /// A line back to the first corner, where the path goes on.
    fn close(&mut self, corners: &[BackendCoord]) {
        self.text.push('z');
        self.at = corners.first().map_or(self.at, |(x, y)| ((*x).into(), (*y).into()));
    }

    fn go(&mut self, command: char, (x, y): BackendCoord) {
        let to = (i64::from(x), i64::from(y));
        let (right, down) = (Tenths(to.0 - self.at.0), Tenths(to.1 - self.at.1));
        self.at = to;
        let part = match command {
            'l' if down.0 == 0 => format!("h{right}"),
            'l' if right.0 == 0 => format!("v{down}"),
            // A sign separates numbers too.
            _ if down.0 < 0 => format!("{command}{right}{down}"),
            _ => format!("{command}{right} {down}"),
        };
        self.text.push_str(&part);
    }
}

#[cfg(test)]
mod tests {
    use plotters::drawing::IntoDrawingArea;
    use plotters::element::{Circle, PathElement, Polygon, Rectangle};
    use plotters::style::Color;

    use super::*;

    const RED: RGBColor = RGBColor(255, 0, 0);

    fn line(width: u32) -> ShapeStyle {
        Color::stroke_width(&RED, width)
    }

    #[test]
    fn shapes_of_one_style_are_one_path_and_a_dashed_line_is_one_line() {
        let mut text = String::new();
        let area = ShortSvg::new(&mut text, (1000, 1000)).into_drawing_area();
        let thin = line(USUAL_WIDTH);
        area.draw(&PathElement::new(vec![(10, 10), (105, 10), (105, 20)], thin)).unwrap();
        area.draw(&PathElement::new(vec![(50, 20), (45, 13)], thin)).unwrap();
        area.draw(&Dashed { points: vec![(0, 0), (50, 50)], style: line(20), pattern: (6.0, 4.0) }).unwrap();
        area.draw(&Rectangle::new([(0, 0), (10, 20)], RED.filled())).unwrap();
        area.draw(&Circle::new((30, 30), 40, RED.filled())).unwrap();
        for _ in 0..2 {
            area.draw(&Polygon::new(vec![(0, 0), (10, 0), (0, 10)], RED.mix(0.5))).unwrap();
        }
        area.present().unwrap();
        drop(area);
        insta::assert_snapshot!(text, @r##"
        <path d="m1 1h9.5v1m-5.5 0l-.5-.7" stroke="#FF0000"/>
        <path d="m0 0l5 5" stroke="#FF0000" stroke-width="2" stroke-dasharray="6 4"/>
        <path d="m0 0h1v2h-1z" fill="#FF0000"/>
        <path d="m3 3h0" stroke="#FF0000" stroke-width="8" stroke-linecap="round"/>
        <path d="m0 0h1l-1 1z" fill="#FF0000" opacity="0.5"/>
        <path d="m0 0h1l-1 1z" fill="#FF0000" opacity="0.5"/>
        "##);
    }
}
