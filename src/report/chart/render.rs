//! One drawing becomes two files: a chart flows in, an SVG and a PNG of it flow out.

use std::cell::RefCell;

use plotters::drawing::IntoDrawingArea;
use plotters::prelude::{BitMapBackend, DrawingBackend, SVGBackend};

use super::canvas::{Canvas, Surface, TextBox};
use super::font;
use super::palette;
use super::pen::{Area, DOTS_PER_PX, Drawn};
use super::png_file::{self, CHANNELS};
use crate::report::html::escaped;

/// Something that can be drawn with plotters.
pub(crate) trait Chart {
    /// Width and height in px.
    fn size_px(&self) -> (u32, u32);

    /// For those who cannot see it: the whole title, then names in full.
    fn description(&self) -> Vec<String>;

    /// Draws it on an area with [`DOTS_PER_PX`] dots a px.
    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>) -> Drawn<DB>;
}

/// A chart as files.
#[derive(Debug)]
pub(crate) struct Picture {
    pub(crate) svg: String,
    pub(crate) png: Vec<u8>,
}

/// Why a chart could not be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RenderError {
    /// plotters gave up.
    #[error("the chart could not be drawn: {0}")]
    Draw(String),
    /// The png crate gave up.
    #[error("the chart could not be written as PNG: {0}")]
    Png(#[from] png::EncodingError),
}

/// Draws the chart as SVG and as PNG.
///
/// # Errors
/// When plotters or the PNG encoder fails, which no data should make them do.
pub(crate) fn render<C: Chart>(chart: &C) -> Result<Picture, RenderError> {
    Ok(Picture { svg: render_svg(chart)?, png: render_png(chart)? })
}

fn size_in_dots<C: Chart>(chart: &C) -> (u32, u32) {
    let (width, height) = chart.size_px();
    (width * DOTS_PER_PX, height * DOTS_PER_PX)
}

/// Draws on the back end, and tells where the texts are.
pub(crate) fn draw_on<C: Chart, B: Surface>(chart: &C, surface: B) -> Result<Vec<TextBox>, RenderError> {
    let texts = RefCell::new(Vec::new());
    {
        let area = Canvas::new(surface, &texts).into_drawing_area();
        area.fill(&palette::BACKGROUND)
            .and_then(|()| chart.draw(&area))
            .and_then(|()| area.present())
            .map_err(|error| RenderError::Draw(error.to_string()))?;
    }
    Ok(texts.into_inner())
}

/// Draws the chart as SVG alone.
///
/// # Errors
/// When plotters fails, which no data should make it do.
pub(crate) fn render_svg<C: Chart>(chart: &C) -> Result<String, RenderError> {
    let mut drawn = String::new();
    let surface = SVGBackend::with_string(&mut drawn, size_in_dots(chart));
    let texts = draw_on(chart, surface)?;
    Ok(finish_svg(&drawn, chart, &texts))
}

/// Gives the SVG its size on the page, a title, and to each text the length that was measured for it:
/// where another font stands in for the embedded one, the text still fits.
fn finish_svg<C: Chart>(drawn: &str, chart: &C, texts: &[TextBox]) -> String {
    let (width, height) = chart.size_px();
    let (width_dots, height_dots) = size_in_dots(chart);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width_dots} {height_dots}\">\n"
    );
    let description = chart.description();
    if let Some((title, names)) = description.split_first() {
        svg.push_str(&format!("<title>{}</title>\n", escaped(&font::clean(title))));
        svg.push_str(&format!("<desc>{}</desc>\n", escaped(&font::clean(&names.join("; ")))));
    }
    let body = drawn.split_once('\n').map_or("", |(_, body)| body);
    let mut lengths = texts.iter();
    // Text itself is escaped: an opening tag can only be one.
    for (index, part) in body.split("<text ").enumerate() {
        if index == 0 {
            svg.push_str(part);
            continue;
        }
        svg.push_str("<text ");
        match lengths.next() {
            // What this font has not, another will draw with widths of its own.
            Some(drawn) if font::covers(&drawn.text) && !drawn.text.is_empty() => {
                let length = drawn.right - drawn.left;
                svg.push_str(&format!("textLength=\"{length:.1}\" lengthAdjust=\"spacingAndGlyphs\" "));
            }
            _ => {}
        }
        // plotters breaks the line before and after the text, which counts as a space to some.
        svg.push_str(&part.replacen(">\n", ">", 1).replacen("\n</text>", "</text>", 1));
    }
    svg
}

fn render_png<C: Chart>(chart: &C) -> Result<Vec<u8>, RenderError> {
    let (width, height) = size_in_dots(chart);
    let mut fine = vec![u8::MAX; width as usize * height as usize * CHANNELS];
    draw_on(chart, BitMapBackend::with_buffer(&mut fine, (width, height)))?;
    Ok(png_file::encode(&fine, width, height)?)
}
