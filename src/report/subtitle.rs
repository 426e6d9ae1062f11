//! What a chart's reader should see, in a sentence below its title.

use std::collections::BTreeSet;

use super::distribution::Band;
use super::text;
use super::view::{CellView, Row};
use crate::judge::Verdict;

/// The latency percentiles that charts speak of.
pub(crate) const P50: &str = "latency_p50";
pub(crate) const P90: &str = "latency_p90";
pub(crate) const P95: &str = "latency_p95";
pub(crate) const P99: &str = "latency_p99";
/// Tails, the highest first.
pub(crate) const TAILS: [(&str, &str); 3] = [(P99, "p99"), (P95, "p95"), (P90, "p90")];
/// So many cells are named.
const MOST_NAMED: usize = 3;

/// What the reader should see: what changed and where, and what became of the others.
pub(crate) fn subtitle(cells: &[&CellView], metrics: &[&str]) -> String {
    let rows = |cell: &&CellView| -> Vec<Row> {
        metrics.iter().filter_map(|id| cell.row(id)).filter(|row| row.is_judged()).cloned().collect()
    };
    let compared: Vec<(&&CellView, Vec<Row>)> =
        cells.iter().map(|cell| (cell, rows(cell))).filter(|(_, rows)| !rows.is_empty()).collect();
    if compared.is_empty() {
        return "There is nothing to compare with: only head is shown.".to_owned();
    }
    let mut changed = Vec::new();
    let mut others = BTreeSet::new();
    for (cell, rows) in &compared {
        let verdict = |row: &Row| row.comparison.as_ref().map(|comparison| comparison.verdict);
        let news =
            rows.iter().filter(|row| matches!(verdict(row), Some(Verdict::Regressed | Verdict::Improved)));
        let news: Vec<String> = news.filter_map(in_words).collect();
        if news.is_empty() {
            others.extend(rows.iter().filter_map(verdict));
        } else {
            changed.push(format!("{}: {}", cell.id, news.join(", ")));
        }
    }
    let others: Vec<String> = others.iter().map(|verdict| verdict.name().to_owned()).collect();
    let others = others.join(" or ");
    let alone = match cells.len() - compared.len() {
        0 => String::new(),
        alone => format!(" {alone} of {} had nothing to compare with.", cells.len()),
    };
    let base = if cells.iter().all(|cell| cell.is_duet) { "base" } else { "the baseline" };
    let text = match (changed.len(), compared.len()) {
        (0, 1) => format!("{}: {others} against {base}.", compared[0].0.id),
        (0, all) => format!("All {all} are {others} against {base}."),
        (some, _) => {
            let more = match some.saturating_sub(MOST_NAMED) {
                0 => String::new(),
                more => format!("; {more} more changed"),
            };
            let rest = if others.is_empty() { String::new() } else { format!("; the others are {others}") };
            format!("{}{more}{rest}.", changed[..some.min(MOST_NAMED)].join("; "))
        }
    };
    text + &alone
}

/// Below the percentiles of a cell: its p50 and its highest tail on both sides, and what the bands are.
pub(crate) fn of_percentiles(cell: &CellView) -> String {
    let tail = TAILS.into_iter().find(|(id, _)| cell.row(id).is_some_and(|row| row.head.is_some()));
    let named = std::iter::once((P50, "p50")).chain(tail);
    let rows: Vec<(&str, &Row)> = named.filter_map(|(id, name)| Some((name, cell.row(id)?))).collect();
    let head = rows
        .iter()
        .filter_map(|(name, row)| Some(format!("{name} {}", text::duration_ns(row.head_of_rounds()?.value))));
    let base = rows.iter().filter_map(|(_, row)| Some(text::duration_ns(row.base_of_rounds()?.value)));
    let (head, base) = (head.collect::<Vec<_>>().join(", "), text::list(&base.collect::<Vec<_>>()));
    let (base, bands) = match base.is_empty() {
        true => (base, "Band"),
        false => (format!("; base {base}"), "Bands"),
    };
    let bands = match cell.distribution.band {
        Band::None => String::new(),
        Band::All => format!(" {bands}: from the lowest round to the highest."),
        Band::Trimmed => format!(" {bands}: all rounds but the lowest and the highest tenth."),
    };
    format!("{head}{base}.{bands}{}", of_the_screening(cell))
}

/// What a chart of a cell's rounds must say where other rounds decided.
pub(crate) fn of_the_screening(cell: &CellView) -> &'static str {
    if cell.is_confirmed() { " These are the rounds of the screening; fresh pairs decided." } else { "" }
}

fn in_words(row: &Row) -> Option<String> {
    let comparison = row.comparison.as_ref()?;
    let short = row.metric.title.trim_start_matches("latency ");
    Some(format!("{short} {} {}", text::change(comparison.change?.estimate), comparison.verdict.name()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::{report, report_of, samples};

    #[test]
    fn subtitles_count_what_they_do_not_name() {
        let view = report(&samples(&[Verdict::Improved; 5]));
        let cells: Vec<&CellView> = view.cells().collect();
        let text = subtitle(&cells, &["throughput"]);
        assert!(text.ends_with("3k_tokens/15: throughput +30.0% improved; 2 more changed."), "{text}");
        let view = report_of(&[Verdict::Unchanged, Verdict::Inconclusive]);
        let cells: Vec<&CellView> = view.cells().collect();
        assert_eq!(
            subtitle(&cells, &["latency_p50"]),
            "All 2 are unchanged or inconclusive against the baseline."
        );
        assert_eq!(subtitle(&cells[..1], &["latency_p50"]), "3k_tokens/5: unchanged against the baseline.");
        let duet = CellView { is_duet: true, ..cells[0].clone() };
        assert_eq!(subtitle(&[&duet], &["latency_p50"]), "3k_tokens/5: unchanged against base.");
        let view = report_of(&[Verdict::Unchanged, Verdict::New, Verdict::New]);
        let cells: Vec<&CellView> = view.cells().collect();
        let expected = "3k_tokens/5: unchanged against the baseline. 2 of 3 had nothing to compare with.";
        assert_eq!(subtitle(&cells, &["latency_p50"]), expected);
    }
}
