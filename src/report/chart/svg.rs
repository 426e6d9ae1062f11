//! The canvas of all charts: CSS px in, one SVG out.
//!
//! plotters draws the shapes, on a backend of ours: its own SVG has an element for each shape and each dash of a line, and a page holds
//! hundreds of charts. Here shapes that follow each other in one style are one path. A coordinate is a tenth of a px, so that plotters'
//! whole numbers are fine enough.
//! Without fonts of the system it cannot measure text, therefore text is measured here with the embedded
//! font, so that labels have room wherever the SVG is shown.
//!
//! The hues are Okabe and Ito's, which people with any kind of color vision tell apart (Wong, "Points of view: Color
//! blindness", Nature Methods 8, 2011), darkened until they can be read as text. A shape or a line style always repeats what a color
//! says.

use std::convert::Infallible;
use std::fmt;
use std::sync::LazyLock;

use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::{Circle, Drawable, PathElement, PointCollection, Polygon, Rectangle};
use plotters::style::{Color, RGBColor, ShapeStyle};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, DrawingBackend, DrawingErrorKind, rasterizer,
};
use ttf_parser::Face;

use crate::plan::Side;

pub(crate) const BASE: RGBColor = RGBColor(0x5B, 0x63, 0x70);
const HEAD: RGBColor = RGBColor(0x00, 0x6B, 0xA8);
pub(crate) const REGRESSED: RGBColor = RGBColor(0xB5, 0x47, 0x08);
pub(crate) const IMPROVED: RGBColor = RGBColor(0x00, 0x73, 0x5A);
/// Areas that are not data: noise thresholds, launches.
pub(crate) const BAND: RGBColor = RGBColor(0xEE, 0xF0, 0xF2);
const BACKGROUND: RGBColor = RGBColor(0xFF, 0xFF, 0xFF);
pub(crate) const TITLE: RGBColor = RGBColor(0x11, 0x18, 0x27);
pub(crate) const TEXT: RGBColor = RGBColor(0x4B, 0x55, 0x63);
pub(crate) const GRID: RGBColor = RGBColor(0xE8, 0xEA, 0xED);
pub(crate) const AXIS: RGBColor = RGBColor(0x9C, 0xA3, 0xAF);
/// From a line to its name: lighter than all data.
pub(crate) const LEADER: RGBColor = RGBColor(0xC5, 0xCA, 0xD2);
/// Each color, and what a dark page shows in its place.
const DARK: [(RGBColor, RGBColor); 11] = [
    (BASE, RGBColor(0xAE, 0xB6, 0xC2)),
    (HEAD, RGBColor(0x6C, 0xB8, 0xE6)),
    (REGRESSED, RGBColor(0xFF, 0x91, 0x52)),
    (IMPROVED, RGBColor(0x4C, 0xC9, 0xA4)),
    (BAND, RGBColor(0x26, 0x2B, 0x33)),
    (BACKGROUND, RGBColor(0x15, 0x18, 0x1D)),
    (TITLE, RGBColor(0xE7, 0xE9, 0xEC)),
    (TEXT, RGBColor(0xAA, 0xB1, 0xBB)),
    (GRID, RGBColor(0x2C, 0x31, 0x38)),
    (AXIS, RGBColor(0x6B, 0x72, 0x80)),
    (LEADER, RGBColor(0x4B, 0x51, 0x5B)),
];
/// The share of a line's color in its band. What lies below stays visible.
const BAND_OPACITY: f64 = 0.14;

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
const LINE_WIDTH: f64 = 2.0;
const THIN_WIDTH: f64 = 1.0;

const FONT: &[u8] = include_bytes!("../../../assets/NotoSans-plimsoll.ttf");
/// The embedded font where it is installed, else what common systems have.
pub(crate) const FONT_FAMILY: &str =
    "Noto Sans, Segoe UI, Roboto, Helvetica Neue, Arial, DejaVu Sans, sans-serif";
/// The height of a capital letter as a share of the font size.
const CAP_HEIGHT: f64 = 0.714;

const ELLIPSIS: char = '…';
/// Characters from here on (Hangul, CJK, emoji, …) mostly have glyphs as wide as they are high.
const FIRST_WIDE_CHAR: char = '\u{1100}';
/// Stands for characters that neither a line of text nor XML can hold.
const REPLACEMENT: char = '\u{FFFD}';

/// The width of a line of 1 px, which is SVG's own.
const USUAL_WIDTH: u32 = 10;
/// A tenth of a px is a whole number of plotters.
const DOTS_PER_PX: f64 = 10.0;
/// Half the width of the cap at an interval's end.
const CAP_PX: f64 = 3.5;
/// Lengths of a dash and of the gap after it, in lines of head.
const DASHED: (f64, f64) = (6.0, 4.0);
/// More points on a line have no rim.
const MOST_WITH_RIM: usize = 12;
/// Half the size of a marker.
const MARKER_PX: f64 = 4.0;
/// The font keeps the width of longer texts. Shorter ones differ too little from font to font.
const MIN_KEPT_PX: f64 = 40.0;

/// A place in the picture in px, from its upper left corner.
pub(crate) type At = (f64, f64);

/// A rectangle in px.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rect {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) right: f64,
    pub(crate) bottom: f64,
}

/// The shape of a point on a line. It tells lines apart where color does not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Marker {
    Circle,
    Square,
    Triangle,
    Diamond,
}

impl Marker {
    /// The shape of the n-th line. There are four, then they repeat.
    pub(crate) fn nth(n: usize) -> Self {
        [Self::Circle, Self::Square, Self::Triangle, Self::Diamond][n % 4]
    }
}

pub(crate) fn side_color(side: Side) -> RGBColor {
    match side {
        Side::Base => BASE,
        Side::Head => HEAD,
    }
}

/// Color, width and pattern of a line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stroke {
    pub(crate) color: RGBColor,
    pub(crate) width: f64,
    /// Lengths of a dash and of a gap; `None` for a solid line.
    pub(crate) pattern: Option<(f64, f64)>,
}

impl Stroke {
    pub(crate) fn thin(color: RGBColor) -> Self {
        Self { color, width: THIN_WIDTH, pattern: None }
    }

    /// Base is solid and head dashed, in all charts.
    pub(crate) fn of(side: Side) -> Self {
        Self { color: side_color(side), width: LINE_WIDTH, pattern: (side == Side::Head).then_some(DASHED) }
    }
}

/// How a text is written at a place.
#[derive(Clone, Copy)]
pub(crate) struct Lettering {
    pub(crate) size: f64,
    pub(crate) color: RGBColor,
    /// SVG's `text-anchor`. The middle of capital letters is at the place's height.
    pub(crate) anchor: &'static str,
}

pub(crate) const LEFT_ALIGNED: Lettering = Lettering { size: TEXT_SIZE, color: TEXT, anchor: "start" };
pub(crate) const CENTERED: Lettering = Lettering { anchor: "middle", ..LEFT_ALIGNED };
pub(crate) const RIGHT_ALIGNED: Lettering = Lettering { anchor: "end", ..LEFT_ALIGNED };

/// What a chart draws on.
pub(crate) struct Canvas<'a> {
    shapes: DrawingArea<ShortSvg<'a>, Shift>,
    texts: String,
}

/// A chart that was drawn.
#[derive(Debug, Clone)]
pub(crate) struct Drawing {
    width: f64,
    height: f64,
    /// What it says to readers who cannot see it, as elements.
    described: String,
    shapes: String,
    texts: String,
}

impl Drawing {
    /// An SVG file, which brings its size, its background and its font.
    pub(crate) fn file(&self) -> String {
        let Self { width, height, .. } = self;
        let size = format!(" xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\"");
        let background =
            format!("<path d=\"m0 0h{width}v{height}h-{width}z\" fill=\"{}\"/>\n", hex(BACKGROUND));
        let font = format!(" font-family=\"{FONT_FAMILY}\" xml:space=\"preserve\"");
        self.element(&size, &background, &font)
    }

    /// The SVG element for a page that has a background and a font.
    pub(crate) fn inline(&self) -> String {
        self.element("", "", "").replace('\n', "")
    }

    fn element(&self, size: &str, background: &str, font: &str) -> String {
        let Self { width, height, described, shapes, texts } = self;
        format!(
            "<svg{size} role=\"img\" viewBox=\"0 0 {width} {height}\">\n{described}<g fill=\"none\">\n{background}{shapes}</g>\n\
             <g{font} font-size=\"{TEXT_SIZE}\" text-anchor=\"start\" fill=\"{}\">\n{texts}</g>\n</svg>\n",
            hex(TEXT)
        )
    }
}

/// Draws a chart of this size in px. `description` is for readers who cannot see it.
pub(crate) fn draw(
    title: &str,
    description: &[String],
    (width, height): (f64, f64),
    draw: impl FnOnce(&mut Canvas),
) -> Drawing {
    let (right, bottom) = dots((width, height));
    let mut shapes = String::new();
    let texts = {
        let backend = ShortSvg::new(&mut shapes, (right.unsigned_abs(), bottom.unsigned_abs()));
        let mut canvas = Canvas { shapes: backend.into_drawing_area(), texts: String::new() };
        draw(&mut canvas);
        in_memory(canvas.shapes.present());
        canvas.texts
    };
    let [title, description] = [title, &description.join("; ")].map(escaped);
    let described = format!("<title>{title}</title>\n<desc>{description}</desc>\n");
    Drawing { width, height, described, shapes, texts }
}

impl Canvas<'_> {
    /// Filled rectangles.
    pub(crate) fn fill(&mut self, areas: &[Rect], color: RGBColor) {
        for Rect { left, top, right, bottom } in areas {
            let corners = [dots((*left, *top)), dots((*right, *bottom))];
            in_memory(self.shapes.draw(&Rectangle::new(corners, color.filled())));
        }
    }

    /// The area between two lines with points at the same x, in a thin wash of a color.
    pub(crate) fn band(&mut self, upper: &[At], lower: &[At], color: RGBColor) {
        let around: Vec<_> = upper.iter().chain(lower.iter().rev()).copied().map(dots).collect();
        if around.len() >= 4 {
            in_memory(self.shapes.draw(&Polygon::new(around, color.mix(BAND_OPACITY))));
        }
    }

    /// A line between the two ends of each interval. An end with `true` gets a cap.
    pub(crate) fn intervals(&mut self, intervals: &[[(At, bool); 2]], stroke: Stroke) {
        for ends in intervals {
            let [(from, _), (to, _)] = *ends;
            self.line(&[from, to], stroke);
            let (across_x, across_y) = if from.0 == to.0 { (CAP_PX, 0.0) } else { (0.0, CAP_PX) };
            for ((x, y), _) in ends.iter().filter(|(_, has_cap)| *has_cap) {
                self.line(&[(x - across_x, y - across_y), (x + across_x, y + across_y)], stroke);
            }
        }
    }

    /// Several lines, each through all its points.
    pub(crate) fn lines(&mut self, lines: &[Vec<At>], stroke: Stroke) {
        lines.iter().for_each(|line| self.line(line, stroke));
    }

    /// A line through all the points.
    pub(crate) fn line(&mut self, points: &[At], stroke: Stroke) {
        let mut points: Vec<(i32, i32)> = points.iter().copied().map(dots).collect();
        points.dedup();
        if points.len() < 2 {
            return;
        }
        let style = Color::stroke_width(&stroke.color, (stroke.width * DOTS_PER_PX).round() as u32);
        in_memory(match stroke.pattern {
            None => self.shapes.draw(&PathElement::new(points, style)),
            Some(pattern) => self.shapes.draw(&Dashed { points, style, pattern }),
        });
    }

    /// Filled points, a few with a light rim, which keeps overlapping points apart.
    pub(crate) fn markers(&mut self, places: &[At], marker: Marker, color: RGBColor) {
        let rim = (places.len() <= MOST_WITH_RIM).then_some((MARKER_PX + THIN_WIDTH, BACKGROUND));
        for (half, color) in rim.into_iter().chain([(MARKER_PX, color)]) {
            places.iter().for_each(|at| self.shape(*at, marker, half, color));
        }
    }

    /// The outline of a point.
    pub(crate) fn hollow_marker(&mut self, at: At, marker: Marker, color: RGBColor) {
        self.markers(&[at], marker, color);
        self.shape(at, marker, MARKER_PX - 1.5 * THIN_WIDTH, BACKGROUND);
    }

    fn shape(&mut self, (x, y): At, marker: Marker, half: f64, color: RGBColor) {
        // Shapes of equal area look equally large: the corners of pointed ones reach further out.
        let (small, far) = (0.9 * half, 1.25 * half);
        let corners: &[At] = match marker {
            Marker::Circle => {
                let radius = (half * DOTS_PER_PX).round() as i32;
                return in_memory(self.shapes.draw(&Circle::new(dots((x, y)), radius, color.filled())));
            }
            Marker::Square => &[(-small, -small), (small, -small), (small, small), (-small, small)],
            Marker::Triangle => &[(0.0, -far), (far, half), (-far, half)],
            Marker::Diamond => &[(0.0, -far), (far, 0.0), (0.0, far), (-far, 0.0)],
        };
        let around: Vec<_> = corners.iter().map(|(right, down)| dots((x + right, y + down))).collect();
        in_memory(self.shapes.draw(&Polygon::new(around, color.filled())));
    }

    /// One line of text, on top of all shapes.
    pub(crate) fn text(&mut self, text: &str, (x, y): At, lettering: Lettering) {
        let Lettering { size, color, anchor } = lettering;
        let text = clean(text);
        let (baseline, width) = (y + size * CAP_HEIGHT / 2.0, width(&text, size));
        // What is said of all texts need not be said of one.
        let mut attributes = String::new();
        if anchor != LEFT_ALIGNED.anchor {
            attributes += &format!(" text-anchor=\"{anchor}\"");
        }
        if size != TEXT_SIZE {
            attributes += &format!(" font-size=\"{size}\"");
        }
        if color != TEXT {
            attributes += &format!(" fill=\"{}\"", hex(color));
        }
        // Characters that this font lacks have no known width.
        if width > MIN_KEPT_PX && text.chars().all(is_covered) {
            attributes += &format!(" textLength=\"{}\"", Tenths::new(width));
        }
        self.texts.push_str(&format!(
            "<text x=\"{}\" y=\"{}\"{attributes}>{}</text>\n",
            Tenths::new(x),
            Tenths::new(baseline),
            escaped(&text)
        ));
    }
}

/// A place in plotters' whole numbers.
fn dots((x, y): At) -> (i32, i32) {
    let dots = |px: f64| (px * DOTS_PER_PX).round() as i32;
    (dots(x), dots(y))
}

/// Drawing into a text cannot fail.
fn in_memory(drawn: Result<(), DrawingAreaErrorKind<Infallible>>) {
    drawn.expect("shapes are within memory");
}

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

/// Writes the elements of an SVG behind a text.
struct ShortSvg<'a> {
    text: &'a mut String,
    size: (u32, u32),
    /// The attributes of the path that is being written.
    attributes: String,
    path: Path,
}

impl<'a> ShortSvg<'a> {
    /// The size is in tenths of a px.
    fn new(text: &'a mut String, size: (u32, u32)) -> Self {
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
fn hex(RGBColor(red, green, blue): RGBColor) -> String {
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
struct Dashed {
    points: Vec<BackendCoord>,
    style: ShapeStyle,
    /// Lengths of a dash and of a gap in px.
    pattern: (f64, f64),
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
struct Tenths(i64);

impl Tenths {
    fn new(px: f64) -> Self {
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

/// Style rules that give charts inside a page the colors of a dark one. A rule takes precedence over the color of an SVG's element.
pub(crate) fn dark_rules() -> String {
    let rule = |(light, dark): (RGBColor, RGBColor)| {
        let [light, dark] = [light, dark].map(hex);
        format!("figure [fill=\"{light}\"]{{fill:{dark}}}figure [stroke=\"{light}\"]{{stroke:{dark}}}")
    };
    DARK.map(rule).concat()
}

/// The embedded font.
pub(crate) static FACE: LazyLock<Face<'static>> =
    LazyLock::new(|| Face::parse(FONT, 0).expect("the embedded font is valid, tests read it"));

/// The text as one line that both XML and a picture can hold.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => REPLACEMENT,
            c => c,
        })
        .collect()
}

/// Text as XML or HTML, in elements and in quoted attributes.
pub(crate) fn escaped(text: &str) -> String {
    let entities = [("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\"", "&quot;"), ("'", "&#39;")];
    entities.iter().fold(clean(text), |text, (sign, entity)| text.replace(sign, entity))
}

/// Whether the embedded font has this character.
pub(crate) fn is_covered(c: char) -> bool {
    FACE.glyph_index(c).is_some()
}

/// The width of a text in px at this font size.
pub(crate) fn width(text: &str, size: f64) -> f64 {
    text.chars().map(advance_em).sum::<f64>() * size
}

/// The width of the widest of some texts at the usual size.
pub(crate) fn widest(texts: impl IntoIterator<Item = impl AsRef<str>>) -> f64 {
    texts.into_iter().map(|text| width(text.as_ref(), TEXT_SIZE)).fold(0.0, f64::max)
}

/// The width of one character as a share of the font size.
pub(crate) fn advance_em(c: char) -> f64 {
    let glyph = FACE.glyph_index(c);
    if glyph.is_none() && c >= FIRST_WIDE_CHAR {
        return 1.0;
    }
    let advance = FACE.glyph_hor_advance(glyph.unwrap_or_default()).unwrap_or(0);
    f64::from(advance) / f64::from(FACE.units_per_em())
}

/// The text, its middle replaced by `…` until it is at most `max_width` wide.
///
/// The middle goes because ids mostly differ at their ends.
pub(crate) fn shorten(text: &str, size: f64, max_width: f64) -> String {
    if width(text, size) <= max_width {
        return text.to_owned();
    }
    let chars: Vec<char> = text.chars().collect();
    let keeping = |kept: usize| {
        let (head, tail) = chars.split_at(kept.div_ceil(2));
        head.iter().chain([&ELLIPSIS]).chain(&tail[tail.len() - kept / 2..]).collect()
    };
    let shortened = (0..chars.len()).rev().map(keeping).find(|text: &String| width(text, size) <= max_width);
    shortened.unwrap_or_else(|| ELLIPSIS.to_string())
}

/// The text in lines that fit, broken between words. A word that does not fit has a line of its own.
pub(crate) fn wrap(text: &str, fits: impl Fn(&str) -> bool) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if fits(&format!("{line} {word}")) => line.extend([" ", word]),
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::contrast;

    #[test]
    fn colors_of_data_and_text_can_be_read_on_light_and_dark_pages() {
        let dark = |color| DARK.iter().find(|(light, _)| *light == color).unwrap().1;
        for color in [BASE, HEAD, REGRESSED, IMPROVED, TITLE, TEXT] {
            for area in [BACKGROUND, BAND] {
                let found =
                    [contrast(&hex(color), &hex(area)), contrast(&hex(dark(color)), &hex(dark(area)))];
                assert!(found.iter().all(|found| *found >= 4.5), "{color:?} on {area:?}: {found:?}");
            }
        }
    }

    #[test]
    fn digits_are_equally_wide() {
        for digit in '0'..='9' {
            assert_eq!(width(&digit.to_string(), 1000.0), 572.0);
        }
        assert_eq!(width("", 12.0), 0.0);
        assert!((width("100", 10.0) - 17.16).abs() < 1e-9);
    }

    #[test]
    fn the_font_has_european_letters_and_the_signs_of_the_charts() {
        assert!("±×µμ→←≤≥–—…−∞≈· Ωλ Ждя ßñçåÅ 0123456789 %/()[]{}<>&'\"".chars().all(is_covered));
        assert!(!is_covered('漢') && !is_covered('□'));
    }

    #[test]
    fn a_wide_character_that_the_font_lacks_is_one_em_wide() {
        assert_eq!(width("漢字", 10.0), 20.0);
    }

    #[test]
    fn shortening_keeps_both_ends_and_the_width() {
        let id = "tokenizer/with_a_very_long_function_name_that_nobody_can_read_on_a_chart/3000_tokens";
        let short = shorten(id, 12.0, 150.0);
        assert!(width(&short, 12.0) <= 150.0);
        assert!(width(&short, 12.0) > 130.0, "{short}");
        let (head, tail) = short.split_once('…').unwrap();
        assert!(id.starts_with(head) && id.ends_with(tail));
        assert!(head.chars().count().abs_diff(tail.chars().count()) <= 1);
        assert_eq!(shorten("short", 12.0, 150.0), "short");
        assert_eq!(shorten("no room", 12.0, 0.0), "…");
    }

    #[test]
    fn wrapped_lines_fit_and_lose_nothing() {
        let text = "p99 rose by 12% at 100 requests in flight and is unchanged everywhere else";
        let fits = |line: &str| width(line, 13.0) <= 200.0;
        let lines = wrap(text, fits);
        assert!(lines.len() > 2);
        assert!(lines.iter().all(|line| fits(line)));
        assert_eq!(lines.join(" "), text);
        assert!(wrap("", fits).is_empty());
    }

    #[test]
    fn escaped_text_cannot_leave_its_place() {
        let text = "<script>alert('x')</script> & \"quoted\"\u{1b}[2J";
        assert_eq!(
            escaped(text),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;quoted&quot;\u{fffd}[2J"
        );
    }

    #[test]
    fn line_breaks_and_control_characters_are_replaced() {
        assert_eq!(clean("a\nb\u{0}c\u{FFFF}"), "a b\u{FFFD}c\u{FFFD}");
    }

    #[test]
    fn an_svg_has_its_size_a_title_and_text_of_known_length() {
        let drawing = draw("a < b", &["c".into(), "d".into()], (200.0, 100.0), |canvas| {
            canvas.text("5 < 6 and 6 < 7", (190.0, 90.0), RIGHT_ALIGNED);
            canvas.text("5", (190.0, 80.0), CENTERED);
            canvas.text("三", (10.0, 10.0), LEFT_ALIGNED);
            canvas.line(&[(0.0, 50.0), (20.0, 50.0)], Stroke::of(Side::Head));
        });
        let (svg, inline) = (drawing.file(), drawing.inline());
        for of_file in ["xmlns", "200\" height", "font-family", "fill=\"#FFFFFF\""] {
            assert!(svg.contains(of_file) && !inline.contains(of_file), "{of_file}: {svg}");
        }
        assert!(svg.contains("width=\"200\" height=\"100\" role=\"img\" viewBox=\"0 0 200 100\""), "{svg}");
        assert!(svg.contains("<title>a &lt; b</title>\n<desc>c; d</desc>"), "{svg}");
        let length = width("5 < 6 and 6 < 7", 12.0);
        let right = format!("textLength=\"{length:.1}\"");
        assert!(svg.contains(&format!("{right}>5 &lt; 6 and 6 &lt; 7</text>")), "{svg}");
        assert!(svg.contains("<text x=\"190\" y=\"84.3\" text-anchor=\"middle\">5</text>"), "{svg}");
        assert!(svg.contains(">三</text>"), "{svg}");
        assert!(
            svg.contains(
                "<path d=\"m0 50h20\" stroke=\"#006BA8\" stroke-width=\"2\" stroke-dasharray=\"6 4\"/>"
            ),
            "{svg}"
        );
    }

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
