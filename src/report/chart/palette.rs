//! Colours, sizes and stroke widths of all charts, said once. Sizes are CSS px.
//!
//! The colours are Okabe and Ito's, which people with any kind of colour vision tell apart
//! (Wong, "Points of view: Color blindness", Nature Methods 8, 2011). A glyph or a line style always stands beside them.

use plotters::style::RGBColor;

pub(crate) const BASE: RGBColor = RGBColor(0x6B, 0x72, 0x80);
pub(crate) const HEAD: RGBColor = RGBColor(0x00, 0x72, 0xB2);

/// Shown to be worse, shown to be better.
pub(crate) const REGRESSED: RGBColor = RGBColor(0xD5, 0x5E, 0x00);
pub(crate) const IMPROVED: RGBColor = RGBColor(0x00, 0x9E, 0x73);

/// How much of a line's colour its band has: what lies below stays visible.
pub(crate) const BAND_OPACITY: f64 = 0.14;

/// The margin within which nothing is red.
pub(crate) const BAND: RGBColor = RGBColor(0xEE, 0xF0, 0xF2);
pub(crate) const BACKGROUND: RGBColor = RGBColor(0xFF, 0xFF, 0xFF);
pub(crate) const TITLE: RGBColor = RGBColor(0x11, 0x18, 0x27);
pub(crate) const TEXT: RGBColor = RGBColor(0x4B, 0x55, 0x63);
pub(crate) const GRID: RGBColor = RGBColor(0xE8, 0xEA, 0xED);
pub(crate) const AXIS: RGBColor = RGBColor(0x9C, 0xA3, 0xAF);

/// From a line to its name: lighter than anything that is data.
pub(crate) const LEADER: RGBColor = RGBColor(0xC5, 0xCA, 0xD2);

/// Every chart is so wide ...
pub(crate) const WIDTH_PX: u32 = 760;
/// ... with nothing nearer to its edges than this.
pub(crate) const EDGE_PX: f64 = 16.0;
/// From an axis to its labels.
pub(crate) const TICK_GAP_PX: f64 = 8.0;
/// What a line of text takes among others.
pub(crate) const NAME_HEIGHT_PX: f64 = 16.0;

pub(crate) const TITLE_SIZE: f64 = 17.0;
pub(crate) const SUBTITLE_SIZE: f64 = 13.0;
pub(crate) const TEXT_SIZE: f64 = 12.0;

pub(crate) const LINE_WIDTH: f64 = 2.0;
pub(crate) const THIN_WIDTH: f64 = 1.0;
