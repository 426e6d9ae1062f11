//! The small parts of the page: badges, numbers, lists, charts with their numbers.

use maud::{Markup, PreEscaped, html};

use crate::judge::Verdict;
use crate::plan::CellId;
use crate::report::model::{Figure, Report, Table};
use crate::report::text;

/// Text with what stands between backquotes set as code.
pub(super) fn marked_up(text: &str) -> Markup {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return html! { (text) };
    }
    html! {
        @for (nth, part) in parts.into_iter().enumerate() {
            @if nth % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// A number with a real minus.
pub(super) fn minus(number: &str) -> String {
    number.replace('-', "\u{2212}")
}

/// A verdict's name in the style sheet.
pub(super) fn class(verdict: Verdict) -> String {
    verdict.name().replace(' ', "-")
}

/// A verdict with its glyph and color.
pub(super) fn badge(verdict: Verdict) -> Markup {
    html! {
        span.badge.(class(verdict)) { b aria-hidden="true" { (text::glyph(verdict)) } " " (verdict.name()) }
    }
}

/// Empty without items.
pub(super) fn list(class: &str, items: &[String]) -> Markup {
    html! {
        @if !items.is_empty() {
            ul.(class) { @for item in items { li { (marked_up(item)) } } }
        }
    }
}

/// The place of a cell's details on the page, to be linked to.
pub(super) fn anchor(report: &Report, id: &CellId) -> String {
    let place = report.judgement.cells.iter().position(|cell| cell.id == *id);
    format!("cell-{}", place.unwrap_or_default())
}

/// A chart, links to its files, and its numbers, which open on demand.
pub(super) fn figure(figure: &Figure) -> Markup {
    let Figure { name, inline, numbers, .. } = figure;
    html! {
        figure {
            (PreEscaped(inline))
            figcaption {
                a href={ (name) ".svg" } { "SVG" }
                @if cfg!(feature = "png") { " · " a href={ (name) ".png" } { "PNG" } }
                @if !numbers.rows.is_empty() {
                    details { summary { "Numbers" } (table(numbers)) }
                }
            }
        }
    }
}

fn table(Table { headings, rows }: &Table) -> Markup {
    html! {
        table.numbers {
            thead { tr { @for heading in headings { th { (heading) } } } }
            tbody {
                @for row in rows {
                    tr {
                        @for (nth, text) in row.iter().enumerate() {
                            @if nth == 0 { th { (text) } } @else { td { (minus(text)) } }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::report::page::STYLE;

    #[test]
    fn each_verdict_has_a_glyph_and_a_style_of_its_own() {
        let all = [
            Verdict::Regressed,
            Verdict::Improved,
            Verdict::SeemsFaster,
            Verdict::Unchanged,
            Verdict::Inconclusive,
            Verdict::Invalid,
            Verdict::Incomparable,
            Verdict::New,
        ];
        let glyphs: BTreeSet<_> = all.iter().map(|verdict| text::glyph(*verdict)).collect();
        assert_eq!(glyphs.len(), all.len());
        for verdict in all {
            let class = class(verdict);
            assert!(!class.contains(' ') && STYLE.contains(&format!(".{class}")), "{verdict:?}");
        }
    }

    #[test]
    fn numbers_have_a_real_minus_and_commands_are_set_as_code() {
        assert_eq!(minus("-20.0%"), "\u{2212}20.0%");
        assert_eq!(marked_up("a `b` <").into_string(), "a <code>b</code> &lt;");
        assert_eq!(marked_up("a ` c").into_string(), "a ` c");
    }
}
