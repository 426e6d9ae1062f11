//! Names that fit and stay apart: long ids and curves flow in, short and distinct names flow out.

use std::collections::BTreeMap;

use super::data::{Curve, Side};
use super::font;
use super::palette::TEXT_SIZE;
use super::pen::Marker;

/// Longer names lose their middle.
const MAX_NAME_PX: f64 = 210.0;
/// What parts an id into words.
const BETWEEN_WORDS: [char; 5] = ['/', '_', '-', '.', ' '];

/// A curve with what stands at its end.
pub(crate) struct Line {
    pub(crate) label: String,
    pub(crate) marker: Marker,
    pub(crate) curve: Curve,
}

/// Each name once, in the order of the curves.
pub(crate) fn names(curves: &[Curve]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for curve in curves {
        if !names.contains(&curve.name) {
            names.push(curve.name.clone());
        }
    }
    names
}

/// Names each line as shortly as it stays clear which it is.
pub(crate) fn labelled(curves: Vec<Curve>) -> Vec<Line> {
    let names = names(&curves);
    let both = curves.iter().any(|c| c.side == Side::Base) && curves.iter().any(|c| c.side == Side::Head);
    let suffix_width = if both { font::width(" head", TEXT_SIZE) } else { 0.0 };
    let room = MAX_NAME_PX - suffix_width;
    let short = distinct(&names, room);
    curves
        .into_iter()
        .map(|curve| {
            let nth = names.iter().position(|name| *name == curve.name).unwrap_or(0);
            let name = &short[nth];
            let label = match (both, names.len()) {
                (true, 1) => curve.side.name().to_owned(),
                (true, _) => format!("{name} {}", curve.side.name()),
                (false, _) => name.clone(),
            };
            Line { label, marker: Marker::nth(nth), curve }
        })
        .collect()
}

/// Names that differ, each shortened to `room` px so that they still do: their middle goes; where that leaves the same, so does
/// what they begin with in common; and where even that does, they are numbered.
pub(crate) fn distinct(names: &[String], room: f64) -> Vec<String> {
    let whole: Vec<String> = names.iter().map(|name| font::clean(name)).collect();
    let shorten = |text: &str| font::shorten(text, TEXT_SIZE, room);
    let mut short: Vec<String> = whole.iter().map(|name| shorten(name)).collect();
    for alike in alike(&short) {
        let of_class: Vec<&str> = alike.iter().map(|&nth| whole[nth].as_str()).collect();
        let common = common_words(&of_class);
        for &nth in alike.iter().filter(|_| common > 0) {
            short[nth] = shorten(&format!("…{}", &whole[nth][common..]));
        }
    }
    for nth in alike(&short).into_iter().flatten() {
        short[nth] = shorten(&format!("{}. {}", nth + 1, whole[nth]));
    }
    short
}

/// The places of the texts that are not alone in being what they are, those of one text together.
fn alike(texts: &[String]) -> Vec<Vec<usize>> {
    let mut places: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (nth, text) in texts.iter().enumerate() {
        places.entry(text).or_default().push(nth);
    }
    places.into_values().filter(|places| places.len() > 1).collect()
}

/// How many bytes all names begin with in common, back to the beginning of the word in which they differ.
fn common_words(names: &[&str]) -> usize {
    let Some((first, others)) = names.split_first() else { return 0 };
    let is_common =
        |(at, character): &(usize, char)| others.iter().all(|other| other[*at..].starts_with(*character));
    let common = first.char_indices().take_while(is_common).last().map_or(0, |(at, c)| at + c.len_utf8());
    first[..common].rfind(BETWEEN_WORDS).map_or(0, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: f64 = 200.0;

    fn shortened(names: &[&str]) -> Vec<String> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let short = distinct(&names, ROOM);
        for (nth, name) in short.iter().enumerate() {
            assert!(font::width(name, TEXT_SIZE) <= ROOM, "{name}");
            assert!(!short[..nth].contains(name), "{name} is there twice");
        }
        short
    }

    #[test]
    fn what_fits_stays_whole_and_what_is_long_loses_its_middle() {
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
    fn names_that_are_still_alike_are_numbered() {
        let filler = "x".repeat(60);
        let name = |a: char, b: char| format!("{a}{filler}{b}{filler}");
        let short = shortened(&[&name('a', 'a'), &name('a', 'b'), &name('b', 'a'), &name('b', 'b')]);
        assert!(short[1].starts_with("2. a") && short[3].starts_with("4. b"), "{short:?}");
        assert_eq!(shortened(&["a\u{1}", "a\u{2}"])[1], "2. a\u{fffd}");
        shortened(&[&"三".repeat(90), &format!("{}四{}", "三".repeat(40), "三".repeat(49))]);
    }
}
