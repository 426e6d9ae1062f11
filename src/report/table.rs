//! The tables of a page: a row a cell and metric, with base, head, change, verdict and what would have been found.

use super::cell_words::{client, detectable, responses};
use super::html::{badge, escaped, number};
use super::text;
use super::view::{CellView, Report, Row};
use crate::judge::{Change, Comparison, Estimate, LimitOutcome, Verdict};
use crate::record::Unit;

const NO_VALUE: &str = "–";

/// The metrics that verdicts rest on, and what else people load a service for.
pub(crate) fn results(report: &Report) -> String {
    let rows = || report.cells().flat_map(|cell| &cell.rows);
    if rows().all(|row| row.base.is_none() && row.comparison.is_none()) {
        return values(report);
    }
    let span = Span::of(report);
    let mut html = String::from("<div class=\"scroll\"><table>\n<thead><tr><th>metric</th>");
    html.push_str("<th class=\"n\">base</th><th class=\"n\">head</th><th class=\"n\">change</th>");
    html.push_str(&format!(
        "<th>{}</th><th>verdict</th><th class=\"n\">detectable</th></tr></thead>\n",
        span.title()
    ));
    for cell in report.cells() {
        html.push_str("<tbody>\n");
        html.push_str(&heading(cell));
        for row in cell.rows.iter().filter(|row| row.primary) {
            html.push_str(&result(row, &span, cell.level));
        }
        html.push_str(&more(cell));
        html.push_str("</tbody>\n");
    }
    html.push_str("</table></div>\n");
    html
}

/// The same when there is no base at all.
fn values(report: &Report) -> String {
    let mut html = String::from("<div class=\"scroll\"><table class=\"narrow\">\n<thead><tr><th>metric</th>");
    html.push_str("<th class=\"n\">head</th></tr></thead>\n");
    for cell in report.cells() {
        html.push_str(&format!("<tbody>\n{}", heading(cell)));
        for row in cell.rows.iter().filter(|row| row.primary) {
            let title = escaped(row.metric.title);
            let value = value(row.head.as_ref(), row.metric.unit);
            html.push_str(&format!("<tr><td class=\"metric\">{title}</td>{value}</tr>\n"));
        }
        html.push_str(&format!("{}</tbody>\n", more(cell)));
    }
    html.push_str("</table></div>\n");
    html
}

/// All other metrics; nothing when there is none.
pub(crate) fn others(report: &Report) -> String {
    let mut rows = String::new();
    for cell in report.cells() {
        for row in cell.rows.iter().filter(|row| !row.primary) {
            let unit = row.metric.unit;
            rows.push_str(&format!(
                "<tr><td>{}</td><td class=\"metric\">{}</td>{}{}{}</tr>\n",
                escaped(&cell.full_id()),
                escaped(row.metric.title),
                value(row.base.as_ref(), unit),
                value(row.head.as_ref(), unit),
                change(row)
            ));
        }
    }
    if rows.is_empty() {
        return rows;
    }
    format!(
        "<details><summary>Everything else that was measured</summary>\n<div class=\"scroll\"><table>\n<thead><tr>\
         <th>cell</th><th>metric</th><th class=\"n\">base</th><th class=\"n\">head</th><th class=\"n\">change</th>\
         </tr></thead>\n<tbody>\n{rows}</tbody></table></div></details>\n"
    )
}

const COLUMNS: usize = 7;

fn heading(cell: &CellView) -> String {
    let why = cell.reason.as_ref().map(|reason| format!("<p class=\"why\">{}</p>", escaped(reason)));
    format!(
        "<tr class=\"cell\"><th colspan=\"{COLUMNS}\" scope=\"rowgroup\"><span class=\"id\">{}</span>{}\
         <span class=\"load\">{}, {}</span>{}</th></tr>\n",
        escaped(&cell.full_id()),
        badge(cell.verdict),
        escaped(&cell.load),
        cell.extent(),
        why.unwrap_or_default()
    )
}

fn result(row: &Row, span: &Span, level: f64) -> String {
    let unit = row.metric.unit;
    let comparison = row.comparison.as_ref();
    let shown = match row.fresh_pairs() {
        _ if comparison.is_some_and(|comparison| !comparison.judged) => "not judged".to_owned(),
        Some(pairs) => text::plural(pairs as u64, "fresh pair"),
        None => String::new(),
    };
    let shown = if shown.is_empty() { shown } else { format!("<span class=\"shown\">{shown}</span>") };
    format!(
        "<tr><td class=\"metric\">{}{shown}</td>{}{}{}<td>{}</td><td>{}</td><td class=\"n\">{}</td></tr>\n",
        escaped(row.metric.title),
        value(row.base.as_ref(), unit),
        value(row.head.as_ref(), unit),
        change(row),
        span.whisker(row),
        comparison
            .filter(|comparison| comparison.judged)
            .map(|found| judged(found, level))
            .unwrap_or_default(),
        detectable(row).map(|text| number(&text)).unwrap_or_default()
    )
}

/// A verdict with the p value that it rests on, where something was tested.
pub(super) fn judged(comparison: &Comparison, level: f64) -> String {
    let p = comparison.change.and_then(|_| text::evidence(comparison, level));
    let p = p.map(|p| format!("<small>{}</small>", escaped(&p))).unwrap_or_default();
    format!("{}{p}", badge(comparison.verdict))
}

fn value(estimate: Option<&Estimate>, unit: Unit) -> String {
    let Some(estimate) = estimate else { return format!("<td class=\"n\">{NO_VALUE}</td>") };
    let interval = match estimate.interval {
        Some((low, high)) if low < high => {
            let [low, high] = [low, high].map(|end| text::value(end, unit));
            format!("<small>{}</small>", number(&text::range(&low, &high)))
        }
        _ => String::new(),
    };
    format!("<td class=\"n\">{}{interval}</td>", number(&text::value(estimate.value, unit)))
}

fn change(row: &Row) -> String {
    let change = row.change().map(|change| change_in_cell(change, row.is_difference()));
    format!("<td class=\"n\">{}</td>", change.unwrap_or_default())
}

/// A change with its interval below.
pub(super) fn change_in_cell(change: Change, is_difference: bool) -> String {
    let Change { low, estimate, high } = change;
    let say = if is_difference { text::points } else { text::change };
    let range = text::range(&say(low), &say(high));
    format!("{}<small>{}</small>", number(&text::change_of(estimate, is_difference)), number(&range))
}

/// Responses, client, limits and notes of a cell.
fn more(cell: &CellView) -> String {
    let mut lines = String::new();
    let mut line = |label: &str, text: &str| {
        if !text.is_empty() {
            lines.push_str(&format!("<p><b>{label}</b> {}</p>", escaped(text)));
        }
    };
    let client = client(cell);
    let client = if client.is_empty() { client } else { format!("; client: {client}") };
    line("responses", &format!("{}{client}", responses(cell)));
    for row in cell.rows.iter().filter(|row| row.is_judged()) {
        let advice = row.comparison.as_ref().and_then(|comparison| comparison.advice.as_ref());
        if let Some(advice) = advice {
            line(row.metric.title, &format!("would be decided by {}", text::advice(advice)));
        }
    }
    for limit in &cell.limits {
        let label = match limit.outcome {
            LimitOutcome::Broken => "limit broken",
            LimitOutcome::Holds => "limit holds",
            LimitOutcome::Undecided => "limit undecided",
        };
        line(label, &text::limit(limit));
    }
    cell.notes.iter().for_each(|note| line("note", &text::note(note, note)));
    if lines.is_empty() {
        return lines;
    }
    format!("<tr class=\"more\"><td colspan=\"{COLUMNS}\">{lines}</td></tr>\n")
}

/// The common scale of all drawn intervals, so that they can be compared down the column.
struct Span {
    /// What is drawn at the ends.
    most: f64,
}

/// Scales to choose from; what lies beyond the last one is cut.
const SPANS: [f64; 5] = [0.1, 0.2, 0.5, 1.0, 2.0];
const WIDTH_PX: f64 = 130.0;
const HEIGHT_PX: f64 = 16.0;
/// Room for the dot at the ends.
const PAD_PX: f64 = 5.0;

impl Span {
    fn of(report: &Report) -> Self {
        let rows =
            report.cells().flat_map(|cell| &cell.rows).filter(|row| row.primary && !row.is_difference());
        let ends = rows.filter_map(Row::change).flat_map(|change| [change.low.abs(), change.high.abs()]);
        let widest = ends.filter(|end| end.is_finite()).fold(0.0, f64::max);
        let most = SPANS.into_iter().find(|span| *span >= widest).unwrap_or(SPANS[SPANS.len() - 1]);
        Self { most }
    }

    fn title(&self) -> String {
        format!("\u{2212}{0:.0}% to +{0:.0}%", 100.0 * self.most)
    }

    fn x(&self, change: f64) -> f64 {
        let share = (change / self.most).clamp(-1.0, 1.0);
        0.5 * WIDTH_PX + share * (0.5 * WIDTH_PX - PAD_PX)
    }

    fn whisker(&self, row: &Row) -> String {
        let (Some(change), Some(comparison)) = (row.change(), &row.comparison) else { return String::new() };
        let finite = [change.low, change.estimate, change.high].iter().all(|end| end.is_finite());
        if row.is_difference() || !finite {
            return String::new();
        }
        let colour = if comparison.judged { comparison.verdict } else { Verdict::Inconclusive };
        let (middle, zero) = (0.5 * HEIGHT_PX, 0.5 * WIDTH_PX);
        let [low, dot, high] = [change.low, change.estimate, change.high].map(|end| self.x(end));
        format!(
            "<svg class=\"whisker {}\" width=\"{WIDTH_PX}\" height=\"{HEIGHT_PX}\" aria-hidden=\"true\">\
             <path class=\"zero\" d=\"M{zero} 0V{HEIGHT_PX}\"/><path class=\"range\" d=\"M{low:.1} {middle}H{high:.1}\"/>\
             <circle class=\"dot\" cx=\"{dot:.1}\" cy=\"{middle}\" r=\"3.5\"/></svg>",
            super::html::class(colour)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::report_of;

    #[test]
    fn the_scale_covers_the_widest_interval_and_cuts_the_absurd() {
        let mut report = report_of(&[Verdict::Regressed, Verdict::Unchanged]);
        let span = Span::of(&report);
        assert_eq!((span.most, span.title().as_str()), (0.5, "\u{2212}50% to +50%"));
        assert_eq!([-0.5, 0.0, 0.5, 9.0].map(|change| span.x(change)), [5.0, 65.0, 125.0, 125.0]);
        let row = &mut report.groups[0].cells[0].rows[1];
        row.comparison.as_mut().unwrap().change =
            Some(Change { low: 0.1, estimate: 5.0, high: f64::INFINITY });
        assert_eq!(span.whisker(row), "");
        assert_eq!(Span::of(&report_of(&[Verdict::New])).most, 0.1);
    }

    #[test]
    fn a_row_holds_base_head_change_verdict_and_what_would_have_been_found() {
        let html = results(&report_of(&[Verdict::Regressed]));
        let row = html.lines().find(|line| line.contains("throughput")).unwrap();
        for part in [
            "216.8/s<small>212.5 to 221.1/s</small>",
            "176.1/s<small>172.6 to 179.6/s</small>",
            "\u{2212}18.8%<small>\u{2212}22.9 to \u{2212}14.7%</small>",
            "<span class=\"badge regressed\">",
            "<td class=\"n\">\u{2212}17.0%</td>",
        ] {
            assert!(row.contains(part), "{part} in {row}");
        }
    }

    #[test]
    fn without_any_base_there_are_no_empty_columns() {
        let html = results(&report_of(&[Verdict::New]));
        assert!(!html.contains("<th class=\"n\">base</th>") && !html.contains("would have found"));
        assert!(html.contains("214.2/s<small>209.9 to 218.5/s</small>"), "{html}");
    }

    #[test]
    fn what_is_not_judged_is_marked_and_the_rest_is_folded_away() {
        let report = report_of(&[Verdict::Regressed]);
        assert!(results(&report).contains("output token throughput<span class=\"shown\">not judged</span>"));
        assert!(!results(&report).contains("latency p90"));
        assert!(others(&report).contains("latency p90") && others(&report).contains("client lag p99"));
    }
}
