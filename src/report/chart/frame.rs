//! What all charts have in common: the heading, axes with round ticks, and names that fit and stay apart.
//!
//! A logarithmic axis has ticks in steps of 1, 2 and 5. Values are in the data's own unit. The
//! unit that is shown stands in the title, and labels are bare numbers.

use plotters::style::RGBColor;

use crate::plan::Side;
use crate::report::chart::svg::{
    self, AXIS, At, CENTERED, Canvas, Drawing, EDGE_PX, GRID, LEADER, LEFT_ALIGNED, Lettering, Marker,
    NAME_HEIGHT_PX, RIGHT_ALIGNED, Rect, SUBTITLE_SIZE, Stroke, TEXT_SIZE, TICK_GAP_PX, TITLE, TITLE_SIZE,
    WIDTH_PX, clean, shorten, side_color, widest, width, wrap,
};
use crate::report::model::by_key;
use crate::report::number::grouped;

/// The widest line of text.
const ROOM_PX: f64 = WIDTH_PX - 2.0 * EDGE_PX;
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
        let mut lines = wrap(&clean(subtitle), |line| width(line, SUBTITLE_SIZE) <= ROOM_PX);
        if lines.len() > MAX_SUBTITLE_LINES {
            // The last line shows the beginning and the end of what is left.
            let rest = lines.split_off(MAX_SUBTITLE_LINES - 1).join(" ");
            lines.push(rest);
        }
        let subtitle_lines = lines.iter().map(|line| shorten(line, SUBTITLE_SIZE, ROOM_PX)).collect();
        Self { title, subtitle, subtitle_lines }
    }

    /// The height that it takes from the top of the picture.
    pub(crate) fn bottom(&self) -> f64 {
        SUBTITLE_PX - 6.0 + SUBTITLE_LINE_PX * self.subtitle_lines.len() as f64
    }

    /// Draws a picture of this height below the heading, and a note below that. `names` describe it in full to readers who cannot
    /// see it.
    pub(crate) fn draw(
        &self,
        names: Vec<String>,
        note: Option<String>,
        height: f64,
        contents: impl FnOnce(&mut Canvas),
    ) -> Drawing {
        let description: Vec<String> = std::iter::once(self.subtitle.to_owned()).chain(names).collect();
        let bottom = height.ceil();
        let height = if note.is_some() { bottom + NAME_HEIGHT_PX } else { bottom };
        svg::draw(self.title, &description, (WIDTH_PX, height), |canvas| {
            let title = shorten(&clean(self.title), TITLE_SIZE, ROOM_PX);
            canvas.text(
                &title,
                (EDGE_PX, TITLE_PX),
                Lettering { size: TITLE_SIZE, color: TITLE, ..LEFT_ALIGNED },
            );
            for (nth, line) in self.subtitle_lines.iter().enumerate() {
                let at = (EDGE_PX, SUBTITLE_PX + SUBTITLE_LINE_PX * nth as f64);
                canvas.text(line, at, Lettering { size: SUBTITLE_SIZE, ..LEFT_ALIGNED });
            }
            contents(canvas);
            if let Some(note) = note {
                canvas.text(&note, (EDGE_PX, bottom), LEFT_ALIGNED);
            }
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
    /// Where the names of lines begin.
    names_px: f64,
}

impl Frame {
    /// A plot of this height, with room at the right for the names of lines that end `inset` px before the plot does.
    pub(crate) fn new(
        heading: &Heading,
        axis: Axis,
        height: f64,
        names: impl IntoIterator<Item = impl AsRef<str>>,
        inset: f64,
    ) -> Self {
        let ticks = widest(axis.ticks.iter().map(|(_, label)| label));
        let right = (LEAD_PX - inset + widest(names) + EDGE_PX).max(MIN_RIGHT_PX);
        let top = heading.bottom() + ABOVE_PX;
        let left = EDGE_PX + ticks + TICK_GAP_PX;
        let plot = Rect { left, top, right: WIDTH_PX - right, bottom: top + height };
        Self { names_px: plot.right - inset + LEAD_PX, plot, axis }
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
        let heights = self.axis.ticks.iter().map(|(value, _)| self.y(*value));
        canvas.lines(&heights.map(|y| vec![(left, y), (right, y)]).collect::<Vec<_>>(), Stroke::thin(GRID));
        for (value, label) in &self.axis.ticks {
            canvas.text(label, (left - TICK_GAP_PX, self.y(*value)), RIGHT_ALIGNED);
        }
        canvas.text(&self.axis.title, (EDGE_PX, top - Y_TITLE_PX), LEFT_ALIGNED);
    }

    /// The horizontal axis, with ticks from left to right at these x in px.
    pub(crate) fn horizontal_axis(&self, canvas: &mut Canvas, ticks: &[Tick], title: &str) {
        let Rect { left, right, bottom, .. } = self.plot;
        let mut lines = vec![vec![(left, bottom), (right, bottom)]];
        lines.extend(ticks.iter().map(|(x, _)| vec![(*x, bottom), (*x, bottom + TICK_GAP_PX / 2.0)]));
        canvas.lines(&lines, Stroke::thin(AXIS));
        tick_labels(canvas, ticks, bottom);
        canvas.text(title, (f64::midpoint(left, right), bottom + X_TITLE_PX), CENTERED);
    }

    /// A line through points at these x in px.
    pub(crate) fn line(&self, canvas: &mut Canvas, line: &Line, x: impl Fn(f64) -> f64) -> Option<End> {
        self.pieces(canvas, line, &[&line.points], &x);
        let Point { x: last, value, .. } = line.points.last()?;
        let at = (x(*last), self.y(*value));
        Some(End { name: line.name.clone(), color: side_color(line.side), at })
    }

    /// A line that is interrupted between these pieces of its points.
    pub(crate) fn pieces(
        &self,
        canvas: &mut Canvas,
        line: &Line,
        pieces: &[&[Point]],
        x: impl Fn(f64) -> f64,
    ) {
        let at = |point: &Point| (x(point.x), self.y(point.value));
        let pieces: Vec<Vec<At>> = pieces.iter().map(|points| points.iter().map(at).collect()).collect();
        canvas.lines(&pieces, Stroke::of(line.side));
        if let Some(marker) = line.marker {
            canvas.markers(&pieces.concat(), marker, side_color(line.side));
        }
    }

    /// The ends of a point's interval at this x in px. An interval that reaches beyond the axis shows no end.
    pub(crate) fn interval(&self, point: &Point, x: f64) -> [(At, bool); 2] {
        let at = |value: f64| (x, self.y(value));
        [(at(point.low), true), (at(point.high), !self.axis.is_beyond(point.high))]
    }

    /// The intervals of a line as a band.
    pub(crate) fn band(&self, canvas: &mut Canvas, line: &Line, x: impl Fn(f64) -> f64) {
        let ends = |value: fn(&Point) -> f64| -> Vec<At> {
            line.points.iter().map(|point| (x(point.x), self.y(value(point)))).collect()
        };
        canvas.band(&ends(|point| point.high), &ends(|point| point.low), side_color(line.side));
    }

    /// Names next to the ends of their lines, moved apart where they would touch, with leaders to them.
    pub(crate) fn names(&self, canvas: &mut Canvas, ends: &[End]) {
        let column = self.names_px;
        let wished: Vec<f64> = ends.iter().map(|end| end.at.1).collect();
        let top = self.plot.top - NAME_HEIGHT_PX / 2.0;
        let placed = spread(&wished, NAME_HEIGHT_PX, top, self.plot.bottom);
        for (End { name, color, at: (x, y) }, middle) in ends.iter().zip(placed) {
            let lead = [(x + 8.0, *y), (column - 12.0, middle), (column - 4.0, middle)];
            canvas.line(&lead, Stroke::thin(LEADER));
            canvas.text(name, (column, middle), Lettering { color: *color, ..LEFT_ALIGNED });
        }
    }
}

/// The labels below a horizontal axis, as many as can stand without touching. The last one always can.
pub(crate) fn tick_labels(canvas: &mut Canvas, ticks: &[Tick], bottom: f64) {
    let mut limit = f64::INFINITY;
    for (x, label) in ticks.iter().rev() {
        let half = width(label, TEXT_SIZE) / 2.0;
        if x + half + TICK_GAP_PX <= limit {
            canvas.text(label, (*x, bottom + TICK_LABEL_PX), CENTERED);
            limit = x - half;
        }
    }
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
    let places = by_key(texts.iter().zip(0..)).into_iter().map(|(_, places)| places);
    places.filter(|places| places.len() > 1).collect()
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
    let height = height.min((bottom - top) / wished.len() as f64);
    let mut order: Vec<usize> = (0..wished.len()).collect();
    order.sort_by(|&a, &b| wished[a].total_cmp(&wished[b]));

    let mean = |block: &[f64]| block.iter().sum::<f64>() / block.len() as f64;
    let mut blocks: Vec<Vec<f64>> = Vec::new();
    for (rank, &index) in order.iter().enumerate() {
        let mut block = vec![wished[index] - rank as f64 * height];
        while let Some(above) = blocks.pop_if(|above| mean(above) > mean(&block)) {
            block.extend(above);
        }
        blocks.push(block);
    }

    let lowest = top + height / 2.0;
    let highest = (bottom + height / 2.0 - wished.len() as f64 * height).max(lowest);
    let mut placed = vec![0.0; wished.len()];
    let shifts = blocks.iter().flat_map(|block| block.iter().map(|_| mean(block).clamp(lowest, highest)));
    for ((rank, &index), shift) in order.iter().enumerate().zip(shifts) {
        placed[index] = shift + rank as f64 * height;
    }
    placed
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
    /// The shape of its points; `None` for a line without.
    pub(crate) marker: Option<Marker>,
    pub(crate) points: Vec<Point>,
}

pub(crate) fn has_both_sides(lines: &[Line]) -> bool {
    lines.iter().any(|line| line.side != lines[0].side)
}

/// The note below a chart that does not show all that there are.
pub(crate) fn note_of_rest(shown: usize, all: usize) -> Option<String> {
    (all > shown).then(|| format!("{shown} of {all} are shown"))
}

/// About how many ticks a vertical axis should have at most.
const MAX_TICKS: usize = 7;
/// From this ratio of the largest to the smallest latency on, a linear axis would hide the small ones.
const LOGARITHMIC_FROM: f64 = 8.0;
/// An axis over more decades has ticks at decades only.
const MAX_DECADES_OF_125: f64 = 2.5;
/// Intervals are cut at this multiple of the largest value and at this share of the smallest: a wide one must not flatten all
/// others.
const LARGEST_OVERSHOOT: f64 = 2.0;
const SMALLEST_UNDERSHOOT: f64 = 0.25;

/// A value or a place, and its label.
pub(crate) type Tick = (f64, String);

/// An axis from its first to its last tick.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    /// The quantity and its unit.
    pub(crate) title: String,
    pub(crate) ticks: Vec<Tick>,
    logarithmic: bool,
}

impl Axis {
    /// For latencies in nanoseconds. From 0, or logarithmic if they lie far apart.
    pub(crate) fn latency(smallest: f64, largest: f64) -> Self {
        let unit = unit_for(largest, &[("ns", 1.0), ("µs", 1e3), ("ms", 1e6), ("s", 1e9)]);
        let (low, high) = (smallest / unit.1, largest / unit.1);
        let logarithmic = low > 0.0 && high / low >= LOGARITHMIC_FROM;
        let ticks = if logarithmic { logarithmic_ticks(low, high) } else { linear_ticks(high) };
        Self::new("latency", unit, logarithmic, ticks)
    }

    /// For rates per second, from 0 so that heights can be compared.
    pub(crate) fn throughput(largest: f64) -> Self {
        // Up to 9,999 of a unit are readable.
        let unit =
            unit_for(largest / 10.0, &[("requests/s", 1.0), ("k requests/s", 1e3), ("M requests/s", 1e6)]);
        Self::new("throughput", unit, false, linear_ticks(largest / unit.1))
    }

    /// For the size of a change as a fraction, from 0.
    pub(crate) fn change(largest: f64) -> Self {
        Self::new("change", ("%", 0.01), false, linear_ticks(100.0 * largest))
    }

    /// Takes ticks in multiples of the unit.
    fn new(quantity: &str, (unit, size): (&str, f64), logarithmic: bool, mut ticks: Vec<Tick>) -> Self {
        ticks.iter_mut().for_each(|(value, _)| *value *= size);
        let scale = if logarithmic { ", log scale" } else { "" };
        Self { title: format!("{quantity} ({unit}{scale})"), ticks, logarithmic }
    }

    fn ends(&self) -> (f64, f64) {
        (self.ticks[0].0, self.ticks[self.ticks.len() - 1].0)
    }

    /// Where the value lies: 0 at the lower end, 1 at the upper. Values beyond an end are put there.
    pub(crate) fn place(&self, value: f64) -> f64 {
        let (lower, upper) = self.ends();
        let share = match self.logarithmic {
            true => (value / lower).ln() / (upper / lower).ln(),
            false => (value - lower) / (upper - lower),
        };
        // `NaN` comes from the logarithm of a negative number and from a value that is `NaN`.
        if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) }
    }

    pub(crate) fn is_beyond(&self, value: f64) -> bool {
        value > self.ends().1 * (1.0 + 1e-9)
    }
}

/// Ticks from 0 to the first round number that is not below `largest`.
fn linear_ticks(largest: f64) -> Vec<Tick> {
    let largest = if largest.is_finite() && largest > 0.0 { largest } else { 1.0 };
    let step = round_step(largest / (MAX_TICKS - 1) as f64);
    let steps = (largest / step - 1e-9).ceil().max(1.0);
    (0..=steps as usize).map(|i| tick(i as f64 * step, decimals(step))).collect()
}

/// Ticks around all values from `smallest` to `largest`, both of which are positive.
fn logarithmic_ticks(smallest: f64, largest: f64) -> Vec<Tick> {
    let decades = (largest / smallest).log10();
    let steps: &[f64] = if decades <= MAX_DECADES_OF_125 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let (first, last) = (smallest.log10().floor() as i32, largest.log10().floor() as i32 + 1);
    let of_decade = |decade| steps.iter().map(move |step| step * 10f64.powi(decade));
    let values: Vec<f64> = (first..=last).flat_map(of_decade).collect();
    let slack = 1.0 + 1e-9;
    let below = values.iter().rposition(|&v| v <= smallest * slack).unwrap_or(0);
    let above = values.iter().position(|&v| v * slack >= largest).unwrap_or(values.len() - 1);
    values[below..=above].iter().map(|&value| tick(value, decimals(value))).collect()
}

/// The smallest of 1, 2, 5, 10, 20, … (and 0.5, 0.2, …) that is not below `min`.
fn round_step(min: f64) -> f64 {
    let decade = 10f64.powf(min.log10().floor());
    [1.0, 2.0, 5.0]
        .iter()
        .map(|factor| factor * decade)
        .find(|step| *step >= min * (1.0 - 1e-9))
        .unwrap_or(10.0 * decade)
}

/// The decimals that a multiple of this step needs.
fn decimals(step: f64) -> usize {
    (-(step.log10() + 1e-9).floor()).clamp(0.0, 12.0) as usize
}

fn tick(value: f64, decimals: usize) -> Tick {
    (value, grouped(&format!("{value:.decimals$}")))
}

/// The largest of some ascending units that is not above `value`, or the first one.
fn unit_for(value: f64, units: &[(&'static str, f64)]) -> (&'static str, f64) {
    *units.iter().rfind(|(_, size)| *size <= value).unwrap_or(&units[0])
}

/// The smallest and the largest value that an axis for these points should reach; `None` if there is no finite value.
pub(crate) fn extent<'a>(points: impl IntoIterator<Item = &'a Point>) -> Option<(f64, f64)> {
    let points: Vec<&Point> = points.into_iter().filter(|point| point.value.is_finite()).collect();
    let smallest = points.iter().map(|point| point.value).reduce(f64::min)?;
    let largest = points.iter().map(|point| point.value).reduce(f64::max)?;
    let lower = points.iter().map(|point| point.low).fold(smallest, f64::min);
    let upper = points.iter().map(|point| point.high).fold(largest, f64::max);
    let low = lower.max(smallest * SMALLEST_UNDERSHOOT).min(smallest);
    Some((low, upper.min(largest * LARGEST_OVERSHOOT).max(largest)))
}

/// Where each concurrency lies on a horizontal axis, between 0 and 1, in the given order (ascending and distinct).
///
/// Logarithmic. Evenly spaced, and `true`, if two would be nearer to each other than `min_gap` or one is 0.
pub(crate) fn concurrency_places(ascending: &[u32], min_gap: f64) -> (Vec<f64>, bool) {
    let (Some(&first), Some(&last)) = (ascending.first(), ascending.last()) else {
        return (Vec::new(), false);
    };
    let ratio = |n: u32| (f64::from(n) / f64::from(first)).ln();
    let places: Vec<f64> = ascending.iter().map(|&n| ratio(n) / ratio(last)).collect();
    if first == 0 || first == last || places.windows(2).any(|pair| pair[1] - pair[0] < min_gap) {
        let last = (ascending.len() - 1).max(1) as f64;
        return ((0..ascending.len()).map(|i| i as f64 / last).collect(), true);
    }
    (places, false)
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
        let ticks =
            [(5.0, "a"), (13.0, "b"), (25.0, "c"), (36.0, "d")].map(|(x, label)| (x, label.to_owned()));
        let svg = svg::draw("", &[], (100.0, 100.0), |canvas| tick_labels(canvas, &ticks, 50.0)).inline();
        let is_shown = ["a", "b", "c", "d"].map(|label| svg.contains(&format!(">{label}</text>")));
        assert_eq!(is_shown, [false, true, false, true]);
    }

    fn labels(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn linear_ticks_are_round_and_end_above_the_largest_value() {
        assert_eq!(labels(&linear_ticks(47.3)), ["0", "10", "20", "30", "40", "50"]);
        assert_eq!(labels(&linear_ticks(50.0)).last(), Some(&"50"));
        assert_eq!(labels(&linear_ticks(0.27)), ["0.00", "0.05", "0.10", "0.15", "0.20", "0.25", "0.30"]);
        assert_eq!(labels(&linear_ticks(6100.0)).last(), Some(&"8,000"));
    }

    #[test]
    fn linear_axes_have_3_to_7_ticks_at_any_size() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..2000 {
            let largest = 10f64.powf(rng.f64() * 30.0 - 12.0);
            let ticks = linear_ticks(largest);
            assert!((3..=MAX_TICKS).contains(&ticks.len()), "{largest}: {ticks:?}");
            assert!(ticks[ticks.len() - 1].0 >= largest * (1.0 - 1e-6));
        }
    }

    #[test]
    fn an_axis_without_a_finite_positive_value_goes_to_one() {
        for largest in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(labels(&linear_ticks(largest)).last(), Some(&"1.0"));
        }
    }

    #[test]
    fn logarithmic_ticks_are_1_2_5_and_over_many_decades_powers_of_ten() {
        assert_eq!(labels(&logarithmic_ticks(0.3, 8.0)), ["0.2", "0.5", "1", "2", "5", "10"]);
        let many = logarithmic_ticks(3.0, 12_000.0);
        assert_eq!(labels(&many), ["1", "10", "100", "1,000", "10,000", "100,000"]);
    }

    #[test]
    fn logarithmic_axes_hold_all_values_with_2_to_12_distinct_ticks() {
        let mut rng = fastrand::Rng::with_seed(2);
        for _ in 0..5000 {
            let smallest = 10f64.powf(rng.f64() * 20.0 - 10.0);
            let largest = smallest * LOGARITHMIC_FROM * 10f64.powf(rng.f64() * rng.f64() * 9.0);
            let ticks = logarithmic_ticks(smallest, largest);
            assert!((2..=12).contains(&ticks.len()), "{smallest} {largest}: {ticks:?}");
            assert!(ticks[0].0 <= smallest * 1.000001, "{smallest}: {ticks:?}");
            assert!(ticks[ticks.len() - 1].0 >= largest * 0.999999, "{largest}: {ticks:?}");
            assert!(ticks.windows(2).all(|pair| pair[0].0 < pair[1].0));
        }
    }

    #[test]
    fn latencies_that_lie_far_apart_get_a_logarithmic_axis() {
        assert!(!Axis::latency(1.0, 7.9).logarithmic);
        assert!(Axis::latency(1.0, 8.0).logarithmic);
        assert!(!Axis::latency(0.0, 8.0).logarithmic);
        assert!((Axis::latency(1.0, 100.0).place(10.0) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn values_beyond_an_axis_are_put_at_its_end() {
        let axis = Axis::latency(1.0, 100.0);
        assert_eq!((axis.place(0.0), axis.place(-3.0), axis.place(1e9)), (0.0, 0.0, 1.0));
        assert!(axis.is_beyond(101.0) && !axis.is_beyond(100.0));
        assert_eq!(axis.place(f64::NAN), 0.0);
    }

    #[test]
    fn the_unit_fits_the_largest_value_and_places_are_in_the_data_s_unit() {
        let latency = |largest| Axis::latency(0.0, largest).title;
        assert_eq!(
            [900.0, 250_000.0, 2.5e6, 3e9].map(latency),
            ["latency (ns)", "latency (µs)", "latency (ms)", "latency (s)"]
        );
        assert_eq!(Axis::latency(1e6, 9e6).title, "latency (ms, log scale)");
        assert_eq!(Axis::throughput(9_999.0).title, "throughput (requests/s)");
        assert_eq!(Axis::throughput(120_000.0).title, "throughput (k requests/s)");
        assert_eq!(Axis::throughput(5e7).title, "throughput (M requests/s)");
        let axis = Axis::latency(0.0, 50e6);
        assert_eq!(labels(&axis.ticks).last(), Some(&"50"));
        assert_eq!(axis.place(25e6), 0.5);
    }

    #[test]
    fn intervals_count_unless_they_would_flatten_the_chart() {
        let of = |points: &[(f64, Option<(f64, f64)>)]| {
            let points: Vec<Point> =
                points.iter().map(|(value, ends)| Point::new(1.0, *value, *ends)).collect();
            extent(&points)
        };
        assert_eq!(of(&[(10.0, Some((9.0, 12.0))), (5.0, None)]), Some((5.0, 12.0)));
        assert_eq!(of(&[(10.0, Some((-3.0, 1e9)))]), Some((2.5, 20.0)));
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(0.0, None), (f64::NAN, None)]), Some((0.0, 0.0)));
        assert_eq!(of(&[(2.0, Some((f64::NEG_INFINITY, f64::INFINITY)))]), Some((2.0, 2.0)));
    }

    #[test]
    fn concurrencies_lie_logarithmically_unless_they_would_collide() {
        let (places, evenly) = concurrency_places(&[1, 10, 100], 0.05);
        assert!((places[1] - 0.5).abs() < 1e-12 && !evenly);
        assert_eq!(concurrency_places(&[1, 99, 100], 0.05), (vec![0.0, 0.5, 1.0], true));
        assert_eq!(concurrency_places(&[0, 5], 0.05), (vec![0.0, 1.0], true));
        assert_eq!(concurrency_places(&[7], 0.05), (vec![0.0], true));
        assert_eq!(concurrency_places(&[], 0.05), (vec![], false));
    }
}
