//! A chart's SVG as a PNG. resvg draws the shapes. Texts are drawn here with the embedded font, because shaping of text for all the
//! world's scripts would double the time that it takes to build resvg.

use resvg::tiny_skia::{FillRule, Paint, PathBuilder, Pixmap, Transform};
use resvg::usvg::roxmltree::{Document, Node};
use resvg::usvg::{Options, Tree};
use ttf_parser::OutlineBuilder;

use crate::report::chart::svg::{FACE, advance_em, is_covered, width};

/// Pixels per px, for fine screens and print.
const SCALE: f32 = 2.0;

/// The SVG of a chart as a PNG.
///
/// # Errors
/// If resvg cannot read the SVG or the picture is too large. Neither should happen whatever the data is.
pub(crate) fn png(svg: &str) -> Result<Vec<u8>, String> {
    let document = Document::parse(svg).map_err(|error| error.to_string())?;
    let tree = Tree::from_xmltree(&document, &Options::default()).map_err(|error| error.to_string())?;
    let size = tree.size().to_int_size();
    let mut pixmap = Pixmap::new(SCALE as u32 * size.width(), SCALE as u32 * size.height())
        .ok_or_else(|| format!("{} by {} px are too many", size.width(), size.height()))?;
    let scale = Transform::from_scale(SCALE, SCALE);
    resvg::render(&tree, scale, &mut pixmap.as_mut());
    for text in document.descendants().filter(|node| node.has_tag_name("text")) {
        draw_text(&mut pixmap, text, scale);
    }
    encoded(&pixmap).map_err(|error| error.to_string())
}

/// The pixels as a PNG without transparency. tiny-skia's own encoder looks for the best filter of each row, which takes most of the time
/// of a report.
fn encoded(pixmap: &Pixmap) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, pixmap.width(), pixmap.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_filter(png::Filter::NoFilter);
    encoder.set_deflate_compression(png::DeflateCompression::Level(1));
    let rgb: Vec<u8> =
        pixmap.data().chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&rgb)?;
    writer.finish()?;
    Ok(bytes)
}

/// Draws one element of [`Canvas::text`](crate::report::chart::svg::Canvas::text); `None` if there is nothing to draw.
fn draw_text(pixmap: &mut Pixmap, text: Node, scale: Transform) -> Option<()> {
    // What is said of all texts stands in an element around them.
    let attribute = |name| text.ancestors().find_map(|node| node.attribute(name));
    let number = |name| attribute(name)?.parse::<f64>().ok();
    let (x, baseline, size) = (number("x")?, number("y")?, number("font-size")?);
    // Combining marks that the font lacks would be drawn on top of each other, as boxes.
    let letters: String = text.text()?.chars().map(|c| if is_covered(c) { c } else { '□' }).collect();
    let before = match attribute("text-anchor")? {
        "end" => 1.0,
        "middle" => 0.5,
        _ => 0.0,
    };
    let em = size / f64::from(FACE.units_per_em());
    let mut outline =
        Outline { path: PathBuilder::new(), x: x - before * width(&letters, size), baseline, em };
    for letter in letters.chars() {
        FACE.outline_glyph(FACE.glyph_index(letter).unwrap_or_default(), &mut outline);
        outline.x += advance_em(letter) * size;
    }
    let color = u32::from_str_radix(attribute("fill")?.strip_prefix('#')?, 16).ok()?;
    let [_, red, green, blue] = color.to_be_bytes();
    let mut paint = Paint::default();
    paint.set_color_rgba8(red, green, blue, u8::MAX);
    pixmap.fill_path(&outline.path.finish()?, &paint, FillRule::Winding, scale, None);
    Some(())
}

/// The outline of a line of text. A glyph is drawn at `x` on the `baseline`, where one unit of the font is `em` px.
struct Outline {
    path: PathBuilder,
    x: f64,
    baseline: f64,
    em: f64,
}

impl Outline {
    fn px(&self, x: f32, y: f32) -> (f32, f32) {
        ((self.x + f64::from(x) * self.em) as f32, (self.baseline - f64::from(y) * self.em) as f32)
    }
}

impl OutlineBuilder for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.px(x, y);
        self.path.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.px(x, y);
        self.path.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.px(x1, y1), self.px(x, y));
        self.path.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.px(x1, y1), self.px(x2, y2), self.px(x, y));
        self.path.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::chart::svg::{CENTERED, LEFT_ALIGNED, Lettering, RIGHT_ALIGNED, draw};

    #[test]
    fn text_is_drawn_where_the_svg_has_it() {
        const SIZE: f64 = 48.0;
        let text = "|100,000 < Привет|";
        let length = width(text, SIZE);
        for (aligned, start) in
            [(LEFT_ALIGNED, 450.0), (CENTERED, 450.0 - length / 2.0), (RIGHT_ALIGNED, 450.0 - length)]
        {
            let lettering = Lettering { size: SIZE, ..aligned };
            let svg =
                draw("", &[], (900.0, 100.0), |canvas| canvas.text(text, (450.0, 50.0), lettering)).file();
            let pixels = Pixmap::decode_png(&png(&svg).unwrap()).unwrap();
            let is_dark = |x: u32| (0..pixels.height()).any(|y| pixels.pixel(x, y).unwrap().green() < 0x80);
            let px = |x: u32| f64::from(x) / f64::from(SCALE);
            let left = px((0..pixels.width()).find(|x| is_dark(*x)).unwrap());
            let right = px((0..pixels.width()).rfind(|x| is_dark(*x)).unwrap() + 1);
            // The bars at both ends have equal space around them.
            let (before, after) = (left - start, start + length - right);
            assert!(before > 0.0 && (before - after).abs() <= 1.0, "{before} and {after}");
        }
    }

    #[test]
    fn characters_without_a_glyph_are_boxes() {
        let draw = |text: &str| {
            png(&draw("", &[], (100.0, 50.0), |canvas| canvas.text(text, (10.0, 25.0), LEFT_ALIGNED)).file())
                .unwrap()
        };
        assert!(draw("e\u{301}\u{1F600}") == draw("e□□"));
        assert!(draw("e□□") != draw(""));
    }
}
