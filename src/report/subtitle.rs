//! What a chart's reader should see, in a sentence below its title.

use std::collections::BTreeSet;

use super::view::{CellView, Row};
use super::words;
use crate::judge::Verdict;

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
    let text = match (changed.len(), compared.len()) {
        (0, 1) => format!("{}: {others} against the baseline.", compared[0].0.id),
        (0, all) => format!("All {all} are {others} against the baseline."),
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

fn in_words(row: &Row) -> Option<String> {
    let comparison = row.comparison.as_ref()?;
    let short = row.metric.title.trim_start_matches("latency ");
    Some(format!("{short} {} {}", words::change(comparison.change?.estimate), comparison.verdict.name()))
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
        assert!(text.ends_with("3k_tokens/15: throughput +30.0 % improved; 2 more changed."), "{text}");
        let view = report_of(&[Verdict::Unchanged, Verdict::Inconclusive]);
        let cells: Vec<&CellView> = view.cells().collect();
        assert_eq!(
            subtitle(&cells, &["latency_p50"]),
            "All 2 are unchanged or inconclusive against the baseline."
        );
        assert_eq!(subtitle(&cells[..1], &["latency_p50"]), "3k_tokens/5: unchanged against the baseline.");
        let view = report_of(&[Verdict::Unchanged, Verdict::New, Verdict::New]);
        let cells: Vec<&CellView> = view.cells().collect();
        let expected = "3k_tokens/5: unchanged against the baseline. 2 of 3 had nothing to compare with.";
        assert_eq!(subtitle(&cells, &["latency_p50"]), expected);
    }
}
