//! A plotters back end that brings its own text: everything but text goes through to plotters' SVG and bitmap back ends.
//!
//! Without one of its font features plotters cannot measure or paint text, and with one it needs libraries of the system.
//! So text is measured with the embedded font, painted glyph by glyph into a bitmap, and written as `<text>` into an SVG.
//! Each text's box is noted: an SVG is given the measured lengths with them, and tests look for what overlaps.

use std::cell::RefCell;

use plotters::prelude::{BitMapBackend, SVGBackend, TextStyle};
use plotters::style::RGBAColor;
use plotters_backend::text_anchor::{HPos, Pos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
};

use super::font;
