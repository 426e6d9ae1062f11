//! The one font of the charts: text and a size flow in, widths, shortened texts and pixels flow out.
//!
//! It is embedded, so that a chart looks the same on every machine and needs no fonts of the system.
//! Sizes are the height of the em square, in the caller's unit (CSS px or dots); widths come out in the same unit.

use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, GlyphId, PxScale, point};

/// What an SVG asks for: the embedded font where it is installed, else what common systems have.
pub(crate) const FAMILY: &str = "Noto Sans, Segoe UI, Roboto, Helvetica Neue, Arial, DejaVu Sans, sans-serif";
/// Height of a capital letter, as a share of the size.
pub(crate) const CAP_HEIGHT: f64 = 0.714;
/// How far letters reach above the baseline, as a share of the size.
pub(crate) const ASCENT: f64 = 0.80;
/// How far letters reach below the baseline, as a share of the size.
pub(crate) const DESCENT: f64 = 0.24;

const ELLIPSIS: char = '…';
/// Scripts from here on (Hangul, CJK, emoji, …) have mostly glyphs as wide as they are high.
const FIRST_WIDE_CHAR: char = '\u{1100}';
/// What has no place in a line of text, nor in XML, is shown as this.
const REPLACEMENT: char = '\u{FFFD}';

static FONT: LazyLock<FontRef<'static>> = LazyLock::new(|| {
    FontRef::try_from_slice(include_bytes!("../../../assets/NotoSans-plimsoll.ttf"))
        .expect("the embedded font is whole, a test reads it")
});

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

/// Whether each character of the text has a glyph of its own; what has none is painted as the font's box.
pub(crate) fn covers(text: &str) -> bool {
    text.chars().all(|c| FONT.glyph_id(c) != GlyphId(0))
}

/// How wide the text is at this size.
pub(crate) fn width(text: &str, size: f64) -> f64 {
    text.chars().map(advance_em).sum::<f64>() * size
}

/// How far one character moves the pen on, as a share of the size.
fn advance_em(c: char) -> f64 {
    let glyph = FONT.glyph_id(c);
    if glyph == GlyphId(0) && c >= FIRST_WIDE_CHAR {
        return 1.0;
    }
    f64::from(FONT.h_advance_unscaled(glyph)) / units_per_em()
}

fn units_per_em() -> f64 {
    f64::from(FONT.units_per_em().expect("the embedded font says its em"))
}

/// The text, its middle replaced by `…` until it is at most `max_width` wide.
///
/// The middle goes because ids mostly differ at their ends.
pub(crate) fn shorten(text: &str, size: f64, max_width: f64) -> String {
    if width(text, size) <= max_width {
        return text.to_owned();
    }
    let chars: Vec<char> = text.chars().collect();
    let mut room = max_width - width("…", size);
    let (mut head, mut tail) = (0, chars.len());
    while head < tail {
        let from_head = head <= chars.len() - tail;
        let next = if from_head { chars[head] } else { chars[tail - 1] };
        room -= advance_em(next) * size;
        if room < 0.0 {
            break;
        }
        if from_head { head += 1 } else { tail -= 1 }
    }
    let mut shortened: String = chars[..head].iter().collect();
    shortened.push(ELLIPSIS);
    shortened.extend(&chars[tail..]);
    shortened
}

/// The text in at most `max_lines` lines of at most `max_width`; what does not fit is cut with `…`.
pub(crate) fn wrap(text: &str, size: f64, max_width: f64, max_lines: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if lines_fit(line, word, size, max_width) => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    if lines.len() > max_lines {
        lines.truncate(max_lines);
        if let Some(last) = lines.last_mut() {
            *last = cut(&format!("{last} {ELLIPSIS}"), size, max_width);
        }
    }
    lines.iter().map(|line| shorten(line, size, max_width)).collect()
}

fn lines_fit(line: &str, word: &str, size: f64, max_width: f64) -> bool {
    width(line, size) + width(" ", size) + width(word, size) <= max_width
}

/// The text without its last words, so that it fits with its final `…`.
fn cut(text: &str, size: f64, max_width: f64) -> String {
    let mut words: Vec<&str> = text.split(' ').collect();
    while words.len() > 2 && width(&words.join(" "), size) > max_width {
        words.remove(words.len() - 2);
    }
    words.join(" ")
}

/// Calls `paint(x, y, coverage)` for each pixel that the text touches, for a pen that starts at `left` on the baseline.
pub(crate) fn rasterise(
    text: &str,
    size: f64,
    (left, baseline): (f64, f64),
    mut paint: impl FnMut(i32, i32, f64),
) {
    // ab_glyph's scale is the height of a line, not of the em.
    let scale = PxScale::from((size * f64::from(FONT.height_unscaled()) / units_per_em()) as f32);
    let mut pen_x = left;
    for c in text.chars() {
        let glyph = FONT.glyph_id(c).with_scale_and_position(scale, point(pen_x as f32, baseline as f32));
        pen_x += advance_em(c) * size;
        // A space has no outline.
        if let Some(outline) = FONT.outline_glyph(glyph) {
            let corner = outline.px_bounds().min;
            let (x0, y0) = (corner.x as i32, corner.y as i32);
            outline.draw(|x, y, coverage| {
                paint(x0 + x as i32, y0 + y as i32, f64::from(coverage).clamp(0.0, 1.0));
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_equally_wide_and_half_an_em_or_so() {
        for digit in '0'..='9' {
            assert_eq!(width(&digit.to_string(), 1000.0), 572.0);
        }
        assert_eq!(width("", 12.0), 0.0);
        assert!((width("100", 10.0) - 17.16).abs() < 1e-9);
    }

    #[test]
    fn the_signs_of_the_charts_and_european_letters_are_in_the_font() {
        assert!(covers("±×µμ→←≤≥–—…−∞≈· Ωλ Ждя ßñçåÅ 0123456789 %/()[]{}<>&'\""));
        assert!(!covers("漢字"));
    }

    #[test]
    fn a_wide_character_without_glyph_takes_an_em() {
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
    fn wrapped_lines_fit_and_lose_nothing_unless_there_are_too_many() {
        let text = "p99 rose by 12 % at 100 requests in flight and is unchanged everywhere else";
        let lines = wrap(text, 13.0, 200.0, 9);
        assert!(lines.len() > 2);
        assert!(lines.iter().all(|line| width(line, 13.0) <= 200.0));
        assert_eq!(lines.join(" "), text);
        let two = wrap(text, 13.0, 200.0, 2);
        assert_eq!(two.len(), 2);
        assert!(two[1].ends_with('…') && width(&two[1], 13.0) <= 200.0, "{two:?}");
        assert!(wrap("", 13.0, 200.0, 2).is_empty());
    }

    #[test]
    fn line_breaks_and_control_characters_are_replaced() {
        assert_eq!(clean("a\nb\u{0}c\u{FFFF}"), "a b\u{FFFD}c\u{FFFD}");
    }

    #[test]
    fn painted_pixels_stay_in_the_box_that_was_measured() {
        for text in ["Hgjy|Å", "漢字 ok", "10,000"] {
            let (size, left, baseline) = (48.0, 10.0, 100.0);
            let mut painted = 0;
            rasterise(text, size, (left, baseline), |x, y, coverage| {
                if coverage > 0.0 {
                    painted += 1;
                    assert!(f64::from(x) >= left - 2.0 && f64::from(x) <= left + width(text, size) + 2.0);
                    assert!(
                        f64::from(y) >= baseline - size && f64::from(y) <= baseline + DESCENT * size + 1.0
                    );
                }
            });
            assert!(painted > 500, "{text}: {painted}");
        }
    }
}
