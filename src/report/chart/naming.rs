//! What stands at the end of a line: curves flow in, curves with short and distinct names flow out.

use std::collections::BTreeSet;

use super::data::{Curve, Side};
use super::font;
use super::palette::TEXT_SIZE;
use super::pen::Marker;

/// Longer names lose their middle.
const MAX_NAME_PX: f64 = 210.0;

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
    let short: Vec<String> =
        names.iter().map(|name| font::shorten(&font::clean(name), TEXT_SIZE, room)).collect();
    // Names that differ only in the middle are told apart by a number.
    let distinct = short.iter().collect::<BTreeSet<_>>().len() == short.len();
    curves
        .into_iter()
        .map(|curve| {
            let nth = names.iter().position(|name| *name == curve.name).unwrap_or(0);
            let name = if distinct {
                short[nth].clone()
            } else {
                let numbered = format!("{}. {}", nth + 1, font::clean(&curve.name));
                font::shorten(&numbered, TEXT_SIZE, room)
            };
            let label = match (both, names.len()) {
                (true, 1) => curve.side.name().to_owned(),
                (true, _) => format!("{name} {}", curve.side.name()),
                (false, _) => name,
            };
            Line { label, marker: Marker::nth(nth), curve }
        })
        .collect()
}
