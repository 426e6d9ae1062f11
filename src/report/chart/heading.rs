//! Title and subtitle: what a chart shows and what a reader should see in it. The same for all charts.

use plotters::prelude::DrawingBackend;
use plotters_backend::text_anchor::{HPos, VPos};

use super::font;
use super::palette;
use super::pen::{Drawn, Lettering, Pen};

const TOP_PX: f64 = 16.0;
const TITLE_LINE_PX: f64 = 26.0;
const SUBTITLE_LINE_PX: f64 = 18.0;
const MAX_SUBTITLE_LINES: usize = 3;

/// Laid-out lines.
pub(crate) struct Heading {
    title: String,
    subtitle: Vec<String>,
}

impl Heading {
    /// The title is shortened in its middle to the width of a chart, the subtitle is wrapped.
    pub(crate) fn new(title: &str, subtitle: &str) -> Self {
        let width = f64::from(palette::WIDTH_PX) - 2.0 * palette::EDGE_PX;
        Self {
            title: font::shorten(&font::clean(title), palette::TITLE_SIZE, width),
            subtitle: font::wrap(&font::clean(subtitle), palette::SUBTITLE_SIZE, width, MAX_SUBTITLE_LINES),
        }
    }

    /// How much of the picture's top it takes, in px.
    pub(crate) fn bottom(&self) -> f64 {
        TOP_PX + TITLE_LINE_PX + SUBTITLE_LINE_PX * self.subtitle.len() as f64
    }

    /// Draws it.
    pub(crate) fn draw<DB: DrawingBackend>(&self, pen: &Pen<'_, DB>) -> Drawn<DB> {
        let left = palette::EDGE_PX;
        let plain = Lettering::plain(HPos::Left, VPos::Top);
        let title = Lettering { size: palette::TITLE_SIZE, color: palette::TITLE, ..plain };
        pen.text(&self.title, (left, TOP_PX), title)?;
        let lettering = Lettering { size: palette::SUBTITLE_SIZE, ..plain };
        let mut top = TOP_PX + TITLE_LINE_PX;
        for line in &self.subtitle {
            pen.text(line, (left, top), lettering)?;
            top += SUBTITLE_LINE_PX;
        }
        Ok(())
    }
}
