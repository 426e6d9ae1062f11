//! A plotters back end that brings its own text: everything but text goes through to plotters' SVG and bitmap back ends.
//!
//! Without one of its font features plotters cannot measure or paint text, and with one it needs libraries of the system.
//! So text is measured with the embedded font, painted glyph by glyph into a bitmap, and written as `<text>` into an SVG.
//! Each text's box is noted: an SVG is given the measured lengths with them, and tests look for what overlaps.

use std::cell::RefCell;

use plotters::prelude::{BitMapBackend, SVGBackend, TextStyle};
use plotters::style::{Color, RGBColor};
use plotters_backend::text_anchor::{HPos, Pos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
};

use super::font;

/// plotters-svg writes a font's size divided by this.
const SVG_FONT_DIVISOR: f64 = 1.24;
/// plotters-svg shifts text that hangs from its top down by this share of its size, whatever the font.
const SVG_TOP_SHIFT: f64 = 0.76;

/// Where one text was drawn, in dots.
#[derive(Debug, Clone)]
pub(crate) struct TextBox {
    pub(crate) text: String,
    pub(crate) left: f64,
    #[cfg_attr(not(test), expect(dead_code, reason = "for the tests that no text lies on another"))]
    pub(crate) top: f64,
    pub(crate) right: f64,
    #[cfg_attr(not(test), expect(dead_code, reason = "for the tests that no text lies on another"))]
    pub(crate) bottom: f64,
}

/// One line of text with its place, ready to be painted.
pub(crate) struct PlacedText<'a> {
    text: &'a str,
    size: f64,
    anchor: HPos,
    anchor_x: i32,
    left: f64,
    baseline: f64,
    color: BackendColor,
}

/// A back end of plotters that can be given finished text.
pub(crate) trait Surface: DrawingBackend {
    fn put_text(&mut self, placed: &PlacedText<'_>) -> Result<(), DrawingErrorKind<Self::ErrorType>>;
}

impl Surface for SVGBackend<'_> {
    fn put_text(&mut self, placed: &PlacedText<'_>) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        let (r, g, b) = placed.color.rgb;
        let color = RGBColor(r, g, b).mix(placed.color.alpha);
        let style = TextStyle::from((font::FAMILY, placed.size * SVG_FONT_DIVISOR))
            .color(&color)
            .pos(Pos::new(placed.anchor, VPos::Top));
        let top = placed.baseline - SVG_TOP_SHIFT * placed.size;
        self.draw_text(placed.text, &style, (placed.anchor_x, top.round() as i32))
    }
}

impl Surface for BitMapBackend<'_> {
    fn put_text(&mut self, placed: &PlacedText<'_>) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        let mut outcome = Ok(());
        let pen = (placed.left, placed.baseline);
        font::rasterise(placed.text, placed.size, pen, |x, y, coverage| {
            if outcome.is_ok() {
                let color = BackendColor { alpha: placed.color.alpha * coverage, ..placed.color };
                outcome = self.draw_pixel((x, y), color);
            }
        });
        outcome
    }
}

/// A [`Surface`] that measures and paints text with the embedded font. Text is never turned: a rotation is ignored.
pub(crate) struct Canvas<'a, B> {
    surface: B,
    texts: &'a RefCell<Vec<TextBox>>,
}

impl<'a, B: Surface> Canvas<'a, B> {
    /// The boxes of all texts go to `texts`, in the order of drawing.
    pub(crate) fn new(surface: B, texts: &'a RefCell<Vec<TextBox>>) -> Self {
        Self { surface, texts }
    }
}

impl<B: Surface> DrawingBackend for Canvas<'_, B> {
    type ErrorType = B::ErrorType;

    fn get_size(&self) -> (u32, u32) {
        self.surface.get_size()
    }

    fn ensure_prepared(&mut self) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.surface.ensure_prepared()
    }

    fn present(&mut self) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.surface.present()
    }

    fn draw_pixel(
        &mut self,
        point: BackendCoord,
        color: BackendColor,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.surface.draw_pixel(point, color)
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.surface.draw_line(from, to, style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        bottom_right: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.surface.draw_rect(upper_left, bottom_right, style, fill)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.surface.draw_path(path, style)
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        style: &S,
        fill: bool,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.surface.draw_circle(center, radius, style, fill)
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        vertices: I,
        style: &S,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.surface.fill_polygon(vertices, style)
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        (anchor_x, anchor_y): BackendCoord,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        let text = &font::clean(text);
        let size = style.size();
        let width = font::width(text, size);
        let anchor = style.anchor().h_pos;
        let left = f64::from(anchor_x)
            - match anchor {
                HPos::Left => 0.0,
                HPos::Center => width / 2.0,
                HPos::Right => width,
            };
        let baseline = f64::from(anchor_y)
            + size
                * match style.anchor().v_pos {
                    VPos::Top => font::ASCENT,
                    VPos::Center => font::CAP_HEIGHT / 2.0,
                    VPos::Bottom => -font::DESCENT,
                };
        self.texts.borrow_mut().push(TextBox {
            text: text.clone(),
            left,
            top: baseline - font::ASCENT * size,
            right: left + width,
            bottom: baseline + font::DESCENT * size,
        });
        self.surface.put_text(&PlacedText {
            text,
            size,
            anchor,
            anchor_x,
            left,
            baseline,
            color: style.color(),
        })
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Self::ErrorType>> {
        let size = style.size();
        let height = size * (font::ASCENT + font::DESCENT);
        let width = font::width(&font::clean(text), size);
        Ok((width.ceil() as u32, height.ceil() as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_measured_with_the_embedded_font() {
        let texts = RefCell::new(Vec::new());
        let mut svg = String::new();
        let canvas = Canvas::new(SVGBackend::with_string(&mut svg, (200, 100)), &texts);
        let style = TextStyle::from((font::FAMILY, 100.0));
        assert_eq!(canvas.estimate_text_size("100", &style).unwrap(), (172, 104));
    }

    #[test]
    fn the_svg_says_the_size_that_was_asked_for() {
        let texts = RefCell::new(Vec::new());
        let mut svg = String::new();
        let mut canvas = Canvas::new(SVGBackend::with_string(&mut svg, (200, 100)), &texts);
        let style = TextStyle::from((font::FAMILY, 50.0)).pos(Pos::new(HPos::Right, VPos::Bottom));
        canvas.draw_text("5 < 6", &style, (190, 90)).unwrap();
        canvas.present().unwrap();
        drop(canvas);
        assert!(svg.contains("font-size=\"50\""), "{svg}");
        assert!(svg.contains("font-family=\"Noto Sans, "), "{svg}");
        assert!(svg.contains("5 &lt; 6"), "{svg}");
        let noted = &texts.borrow()[0];
        assert_eq!((noted.right, noted.bottom), (190.0, 90.0));
    }
}
