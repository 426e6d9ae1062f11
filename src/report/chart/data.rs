//! Colours, sizes and types that all charts share.

use plotters::style::RGBColor;

pub(crate) const BASE: RGBColor = RGBColor(0x6B, 0x72, 0x80);
pub(crate) const HEAD: RGBColor = RGBColor(0x00, 0x72, 0xB2);
pub(crate) const REGRESSED: RGBColor = RGBColor(0xD5, 0x5E, 0x00);
pub(crate) const IMPROVED: RGBColor = RGBColor(0x00, 0x9E, 0x73);
/// Areas that are not data: noise thresholds, launches.
pub(crate) const BAND: RGBColor = RGBColor(0xEE, 0xF0, 0xF2);
pub(crate) const BACKGROUND: RGBColor = RGBColor(0xFF, 0xFF, 0xFF);
pub(crate) const TITLE: RGBColor = RGBColor(0x11, 0x18, 0x27);
pub(crate) const TEXT: RGBColor = RGBColor(0x4B, 0x55, 0x63);
pub(crate) const GRID: RGBColor = RGBColor(0xE8, 0xEA, 0xED);
pub(crate) const AXIS: RGBColor = RGBColor(0x9C, 0xA3, 0xAF);
/// From a line to its name: lighter than all data.
pub(crate) const LEADER: RGBColor = RGBColor(0xC5, 0xCA, 0xD2);
/// The share of a line's colour in its band. What lies below stays visible.
pub(crate) const BAND_OPACITY: f64 = 0.14;

/// The width of every chart, and the margin that it keeps.
pub(crate) const WIDTH_PX: f64 = 760.0;
pub(crate) const EDGE_PX: f64 = 16.0;
/// From an axis to its labels.
pub(crate) const TICK_GAP_PX: f64 = 8.0;
/// The height of a line of text.
pub(crate) const NAME_HEIGHT_PX: f64 = 16.0;
pub(crate) const TITLE_SIZE: f64 = 17.0;
pub(crate) const SUBTITLE_SIZE: f64 = 13.0;
pub(crate) const TEXT_SIZE: f64 = 12.0;
pub(crate) const LINE_WIDTH: f64 = 2.0;
pub(crate) const THIN_WIDTH: f64 = 1.0;

/// A chart that was drawn.
#[derive(Debug)]
pub(crate) struct Chart {
    /// The name of its files without an ending.
    pub(crate) name: String,
    pub(crate) scope: Scope,
    pub(crate) svg: String,
    /// `None` if plimsoll was built without PNGs.
    pub(crate) png: Option<Vec<u8>>,
}

/// What a chart shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The whole call.
    Call,
    /// The group with this index.
    Group(usize),
    /// One cell of the group with this index.
    Cell(usize),
}

/// Base or head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Base,
    Head,
}

impl Side {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Head => "head",
        }
    }

    pub(crate) fn color(self) -> RGBColor {
        match self {
            Self::Base => BASE,
            Self::Head => HEAD,
        }
    }
}

/// A value at a place on the horizontal axis, and the interval around it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    pub(crate) x: f64,
    /// Equal to `value` and `high` if there is no interval.
    pub(crate) low: f64,
    pub(crate) value: f64,
    pub(crate) high: f64,
}

impl Point {
    /// An interval without two finite ends counts as none.
    pub(crate) fn new(x: f64, value: f64, interval: Option<(f64, f64)>) -> Self {
        let interval = interval.filter(|(low, high)| low.is_finite() && high.is_finite());
        let (low, high) = interval.unwrap_or((value, value));
        Self { x, low, value, high }
    }
}

/// The points of one endpoint or percentile on one side, by growing x.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) side: Side,
    pub(crate) points: Vec<Point>,
}
