//! What all charts have in common: the heading, the axes, and names that fit and stay apart.

use std::collections::BTreeMap;

use plotters::style::RGBColor;

use crate::report::chart::axis::{Axis, Tick};
use crate::report::chart::data::{
    AXIS, EDGE_PX, GRID, LEADER, Line, NAME_HEIGHT_PX, Point, SUBTITLE_SIZE, TEXT_SIZE, TICK_GAP_PX, TITLE,
    TITLE_SIZE, WIDTH_PX,
};
use crate::report::chart::svg::{
    At, CENTERED, Canvas, LEFT_ALIGNED, Lettering, Marker, RIGHT_ALIGNED, Rect, Stroke, clean, shorten, svg,
    widest, width, wrap,
};

/// From the upper edge to the middles of the title and of the first line of the subtitle.
const TITLE_PX: f64 = 24.0;
const SUBTITLE_PX: f64 = 48.0;
const SUBTITLE_LINE_PX: f64 = 18.0;
const MAX_SUBTITLE_LINES: usize = 3;
/// From the heading to the plot. The title of the vertical axis stands here.
const ABOVE_PX: f64 = 38.0;
/// From the middle of that title to the plot.
const Y_TITLE_PX: f64 = 22.0;
/// From the plot to the middles of the tick labels and of the title below them.
const TICK_LABEL_PX: f64 = 13.0;
const X_TITLE_PX: f64 = 31.5;
/// From the plot to the lower edge: tick labels and the title of the horizontal axis.
const BELOW_PX: f64 = 58.0;
/// From the end of the longest line to the names: room for the leaders to fan out.
const LEAD_PX: f64 = 36.0;
const MIN_RIGHT_PX: f64 = 36.0;
/// Longer names lose their middle.
pub(crate) const MAX_NAME_PX: f64 = 210.0;
/// Separate the words of an id.
const BETWEEN_WORDS: [char; 5] = ['/', '_', '-', '.', ' '];

/// Title and subtitle of a chart.
pub(crate) struct Heading<'a> {
    title: &'a str,
    subtitle: &'a str,
    subtitle_lines: Vec<String>,
}

impl<'a> Heading<'a> {
    pub(crate) fn new(title: &'a str, subtitle: &'a str) -> Self {
        let room = WIDTH_PX - 2.0 * EDGE_PX;
        let subtitle_lines = wrap(&clean(subtitle), SUBTITLE_SIZE, room, MAX_SUBTITLE_LINES);
        Self { title, subtitle, subtitle_lines }
    }

    /// The height that it takes from the top of the picture.
    pub(crate) fn bottom(&self) -> f64 {
        SUBTITLE_PX - 6.0 + SUBTITLE_LINE_PX * self.subtitle_lines.len() as f64
    }

    /// Draws a picture of this height below the heading. `names` describe it in full to readers who cannot see it.
    pub(crate) fn svg(&self, names: Vec<String>, height: f64, draw: impl FnOnce(&mut Canvas)) -> String {
        let description: Vec<String> = std::iter::once(self.subtitle.to_owned()).chain(names).collect();
        svg(self.title, &description, (WIDTH_PX, height.ceil()), |canvas| {
            let title = shorten(&clean(self.title), TITLE_SIZE, WIDTH_PX - 2.0 * EDGE_PX);
            canvas.text(
                &title,
                (EDGE_PX, TITLE_PX),
                Lettering { size: TITLE_SIZE, color: TITLE, ..LEFT_ALIGNED },
            );
            for (nth, line) in self.subtitle_lines.iter().enumerate() {
                let at = (EDGE_PX, SUBTITLE_PX + SUBTITLE_LINE_PX * nth as f64);
                canvas.text(line, at, Lettering { size: SUBTITLE_SIZE, ..LEFT_ALIGNED });
            }
            draw(canvas);
        })
    }
}

/// The end of a line, and the name that stands there.
pub(crate) struct End {
    pub(crate) name: String,
    pub(crate) color: RGBColor,
    pub(crate) at: At,
}

/// The rectangle between the axes of a chart with values upwards.
pub(crate) struct Frame {
    pub(crate) plot: Rect,
    pub(crate) axis: Axis,
}

impl Frame {
    /// A plot of this height, with room at the right for the names of lines that end `inset` px before the plot does.
    pub(crate) fn new<'a>(
        heading: &Heading,
        axis: Axis,
        height: f64,
        names: impl IntoIterator<Item = &'a str>,
        inset: f64,
    ) -> Self {
        let ticks = widest(axis.ticks.iter().map(|(_, label)| label.as_str()));
        let right = (LEAD_PX - inset + widest(names) + EDGE_PX).max(MIN_RIGHT_PX);
        let top = heading.bottom() + ABOVE_PX;
        let left = EDGE_PX + ticks + TICK_GAP_PX;
        Self { plot: Rect { left, top, right: WIDTH_PX - right, bottom: top + height }, axis }
    }

    /// The height of the whole picture.
    pub(crate) fn height(&self) -> f64 {
        self.plot.bottom + BELOW_PX
    }

    /// The distance of a value from the top. Values beyond the axis are put at its end.
    pub(crate) fn y(&self, value: f64) -> f64 {
        self.plot.bottom - self.axis.place(value) * (self.plot.bottom - self.plot.top)
    }

    /// Grid, labels and title of the vertical axis.
    pub(crate) fn vertical_axis(&self, canvas: &mut Canvas) {
        let Rect { left, right, top, .. } = self.plot;
        for (value, label) in &self.axis.ticks {
            let y = self.y(*value);
            canvas.line(&[(left, y), (right, y)], Stroke::thin(GRID));
            canvas.text(label, (left - TICK_GAP_PX, y), RIGHT_ALIGNED);
        }
        canvas.text(&self.axis.title, (EDGE_PX, top - Y_TITLE_PX), LEFT_ALIGNED);
    }

    /// The horizontal axis, with ticks from left to right at these x in px.
    pub(crate) fn horizontal_axis(&self, canvas: &mut Canvas, ticks: &[Tick], title: &str) {
        let Rect { left, right, bottom, .. } = self.plot;
        canvas.line(&[(left, bottom), (right, bottom)], Stroke::thin(AXIS));
        for (x, _) in ticks {
            canvas.line(&[(*x, bottom), (*x, bottom + TICK_GAP_PX / 2.0)], Stroke::thin(AXIS));
        }
        tick_labels(canvas, ticks, bottom);
        canvas.text(title, (f64::midpoint(left, right), bottom + X_TITLE_PX), CENTERED);
    }

    /// A line with markers, through points at these x in px.
    pub(crate) fn line(
        &self,
        canvas: &mut Canvas,
        line: &Line,
        marker: Option<Marker>,
        x: impl Fn(f64) -> f64,
    ) -> Option<End> {
        let points: Vec<At> = line.points.iter().map(|point| (x(point.x), self.y(point.value))).collect();
        canvas.line(&points, Stroke::of(line.side));
        for at in points.iter().filter(|_| marker.is_some()) {
            canvas.marker(*at, marker.unwrap_or(Marker::Circle), line.side.color());
        }
        Some(End { name: line.name.clone(), color: line.side.color(), at: *points.last()? })
    }

    /// The intervals of a line as a band.
    pub(crate) fn band(&self, canvas: &mut Canvas, line: &Line, x: impl Fn(f64) -> f64) {
        let ends = |value: fn(&Point) -> f64| -> Vec<At> {
            line.points.iter().map(|point| (x(point.x), self.y(value(point)))).collect()
        };
        canvas.band(&ends(|point| point.high), &ends(|point| point.low), line.side.color());
    }

    /// Names next to the ends of their lines, moved apart where they would touch, with leaders to them.
    pub(crate) fn names(&self, canvas: &mut Canvas, ends: &[End]) {
        let column = ends.iter().map(|end| end.at.0).fold(f64::NEG_INFINITY, f64::max) + LEAD_PX;
        let wished: Vec<f64> = ends.iter().map(|end| end.at.1).collect();
        let top = self.plot.top - NAME_HEIGHT_PX / 2.0;
        let placed = spread(&wished, NAME_HEIGHT_PX, top, self.plot.bottom);
        for (End { name, color, at: (x, y) }, middle) in ends.iter().zip(placed) {
            let lead = [(x + 8.0, *y), (column - 12.0, middle), (column - 4.0, middle)];
            // A long leader across the plot must not look like the line going on.
            let is_long = column - x > 2.0 * LEAD_PX;
            canvas.line(&lead, if is_long { Stroke::dotted(AXIS) } else { Stroke::thin(LEADER) });
            let lettering = Lettering { color: *color, ..LEFT_ALIGNED };
            canvas.text(name, (column, middle), lettering);
        }
    }
}

/// The labels below a horizontal axis, as many as can stand without touching.
pub(crate) fn tick_labels(canvas: &mut Canvas, ticks: &[Tick], bottom: f64) {
    let span = |(x, label): &Tick| {
        let half = width(label, TEXT_SIZE) / 2.0;
        (x - half, x + half)
    };
    let spans: Vec<(f64, f64)> = ticks.iter().map(span).collect();
    let shown = without_collision(&spans, TICK_GAP_PX);
    for ((x, label), _) in ticks.iter().zip(shown).filter(|(_, shown)| *shown) {
        canvas.text(label, (*x, bottom + TICK_LABEL_PX), CENTERED);
    }
}

/// Each of some texts once, in the order in which they first appear.
pub(crate) fn unique<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut unique = Vec::new();
    for text in texts {
        if !unique.contains(&text) {
            unique.push(text);
        }
    }
    unique
}

/// Shortens different names to `room` px so that they stay different. Their middle goes; if that leaves equal names, the words
/// that these begin with in common go; if even that does, they are numbered.
pub(crate) fn distinct(names: &[&str], room: f64) -> Vec<String> {
    let whole: Vec<String> = names.iter().map(|name| clean(name)).collect();
    let shorten = |text: &str| shorten(text, TEXT_SIZE, room);
    let mut short: Vec<String> = whole.iter().map(|name| shorten(name)).collect();
    for equal in equal(&short) {
        let names: Vec<&str> = equal.iter().map(|&nth| whole[nth].as_str()).collect();
        let common = common_words(&names);
        for &nth in equal.iter().filter(|_| common > 0) {
            short[nth] = shorten(&format!("…{}", &whole[nth][common..]));
        }
    }
    for nth in equal(&short).into_iter().flatten() {
        short[nth] = shorten(&format!("{}. {}", nth + 1, whole[nth]));
    }
    short
}

/// The indices of texts that occur more than once, grouped by text.
fn equal(texts: &[String]) -> Vec<Vec<usize>> {
    let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (nth, text) in texts.iter().enumerate() {
        places.entry(text).or_default().push(nth);
    }
    places.into_values().filter(|places| places.len() > 1).collect()
}

/// The number of bytes that all names begin with in common, up to the word in which they differ.
fn common_words(names: &[&str]) -> usize {
    let Some((first, others)) = names.split_first() else { return 0 };
    let is_common =
        |(at, character): &(usize, char)| others.iter().all(|other| other[*at..].starts_with(*character));
    let common = first.char_indices().take_while(is_common).last().map_or(0, |(at, c)| at + c.len_utf8());
    first[..common].rfind(BETWEEN_WORDS).map_or(0, |at| at + 1)
}

/// Moves labels of equal height apart as little as possible (least squares), between `top` and `bottom`.
///
/// `wished` are the middles of the labels; the answer is in the same order. The order by height is kept: with
/// `z = y − rank·height` this is an isotonic regression, solved by pooling adjacent violators (Barlow et al. 1972). Labels that
/// have too little room together overlap evenly.
fn spread(wished: &[f64], height: f64, top: f64, bottom: f64) -> Vec<f64> {
    let count = wished.len();
    if count == 0 {
        return Vec::new();
    }
    let room = (bottom - top).max(0.0);
    let height = height.min(room / count as f64);
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|&a, &b| wished[a].total_cmp(&wished[b]));

    let mut blocks: Vec<(f64, usize)> = Vec::new();
    for (rank, &index) in order.iter().enumerate() {
        let mut block = (wished[index] - rank as f64 * height, 1);
        while let Some(&(mean, size)) = blocks.last() {
            if mean <= block.0 {
                break;
            }
            blocks.pop();
            let pooled = mean * size as f64 + block.0 * block.1 as f64;
            block = (pooled / (size + block.1) as f64, size + block.1);
        }
        blocks.push(block);
    }

    let lowest = top + height / 2.0;
    let highest = (bottom - height / 2.0 - (count - 1) as f64 * height).max(lowest);
    let mut placed = vec![0.0; count];
    let shifts = blocks.iter().flat_map(|&(z, size)| std::iter::repeat_n(z, size));
    for ((rank, &index), z) in order.iter().enumerate().zip(shifts) {
        placed[index] = z.clamp(lowest, highest) + rank as f64 * height;
    }
    placed
}

/// Which labels, given as `(left, right)` from left to right, can stand without touching. The last one always can.
fn without_collision(spans: &[(f64, f64)], min_gap: f64) -> Vec<bool> {
    let mut shown = vec![false; spans.len()];
    let mut limit = f64::INFINITY;
    for (index, &(left, right)) in spans.iter().enumerate().rev() {
        if right + min_gap <= limit {
            shown[index] = true;
            limit = left;
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: f64 = 200.0;

    fn shortened(names: &[&str]) -> Vec<String> {
        let short = distinct(names, ROOM);
        for (nth, name) in short.iter().enumerate() {
            assert!(width(name, TEXT_SIZE) <= ROOM, "{name}");
            assert!(!short[..nth].contains(name), "{name} is there twice");
        }
        short
    }

    #[test]
    fn short_names_stay_whole_and_long_ones_lose_their_middle() {
        let long = "tokenizer/a_name_that_somebody_generated_from_a_route_and_a_tenant/3k";
        let short = shortened(&["a/b", long]);
        assert_eq!(short[0], "a/b");
        assert!(short[1].starts_with("tokenizer/a") && short[1].ends_with("_tenant/3k"), "{short:?}");
    }

    #[test]
    fn names_that_differ_in_the_middle_show_where() {
        let name = |who: &str| format!("tokenizer/a_name_that_{who}_generated_from_a_route_and_a_tenant/3k");
        let short = shortened(&[&name("somebody"), &name("everybody"), "other"]);
        assert!(short[0].starts_with("…somebody_") && short[0].ends_with("/3k"), "{short:?}");
        assert!(short[1].starts_with("…everybody_") && short[2] == "other", "{short:?}");
    }

    #[test]
    fn names_that_are_equal_when_shortened_are_numbered() {
        let filler = "x".repeat(60);
        let name = |a: char, b: char| format!("{a}{filler}{b}{filler}");
        let short = shortened(&[&name('a', 'a'), &name('a', 'b'), &name('b', 'a'), &name('b', 'b')]);
        assert!(short[1].starts_with("2. a") && short[3].starts_with("4. b"), "{short:?}");
        assert_eq!(shortened(&["a\u{1}", "a\u{2}"])[1], "2. a\u{fffd}");
        shortened(&[&"三".repeat(90), &format!("{}四{}", "三".repeat(40), "三".repeat(49))]);
    }

    #[test]
    fn labels_with_room_stay_where_they_are() {
        assert_eq!(spread(&[50.0, 10.0, 90.0], 15.0, 0.0, 100.0), [50.0, 10.0, 90.0]);
        assert!(spread(&[], 15.0, 0.0, 100.0).is_empty());
    }

    #[test]
    fn labels_at_one_height_spread_evenly_around_it() {
        assert_eq!(spread(&[50.0; 3], 10.0, 0.0, 100.0), [40.0, 50.0, 60.0]);
    }

    #[test]
    fn labels_never_overlap_or_leave_the_room() {
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..500 {
            let count = rng.usize(1..=20);
            let wished: Vec<f64> = (0..count).map(|_| rng.f64() * 400.0 - 50.0).collect();
            let mut placed = spread(&wished, 15.0, 0.0, 300.0);
            placed.sort_by(f64::total_cmp);
            assert!(placed[0] >= 7.5 - 1e-9 && placed[count - 1] <= 292.5 + 1e-9);
            assert!(placed.windows(2).all(|pair| pair[1] - pair[0] >= 15.0 - 1e-9));
        }
    }

    #[test]
    fn too_many_labels_share_the_room_evenly() {
        let placed = spread(&[5.0; 10], 20.0, 0.0, 100.0);
        assert_eq!((placed[0], placed[9]), (5.0, 95.0));
    }

    #[test]
    fn colliding_tick_labels_are_left_out_from_the_right() {
        let spans = [(0.0, 10.0), (8.0, 18.0), (20.0, 30.0), (31.0, 41.0)];
        assert_eq!(without_collision(&spans, 4.0), [false, true, false, true]);
    }
}
