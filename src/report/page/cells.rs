//! The results: for each group its charts, and for each cell a line that opens to its numbers and charts.

use maud::{Markup, html};

use crate::judge::{Change, Comparison, Estimate, Note, Stage, Verdict};
use crate::plan::{CellId, Side, metric};
use crate::report::model::{Cell, Figure, Report, Row, Scope};
use crate::report::number;
use crate::report::page::elements::{anchor, badge, figure, marked_up, minus};
use crate::report::text;

const NO_VALUE: &str = "–";
/// Of cells that regressed or are invalid, those that are open from the start.
const MOST_OPEN: usize = 5;

/// A group with more charts has them folded.
const MOST_OPEN_CHARTS: usize = 3;

/// All groups with their cells.
pub(super) fn results(report: &Report, figures: &[Figure], shared: &[(Note, Vec<&CellId>)]) -> Markup {
    let open = open_cells(report);
    let of = |scope: Scope| figures.iter().filter(move |figure| figure.scope == scope);
    html! {
        h2 { "Results" }
        (changed(report))
        @for (group, (name, cells)) in report.groups().into_iter().enumerate() {
            h3 { bdi { (name) } }
            @if let Some(about) = &cells[0].last().about { p.about { (about) } }
            @let charts: Vec<&Figure> = of(Scope::Group(group)).collect();
            @if !charts.is_empty() {
                // Many charts must not hide the cells below them.
                details open=[(charts.len() <= MOST_OPEN_CHARTS).then_some("")] {
                    summary { "Throughput and latency over concurrency" }
                    div.charts { @for chart in &charts { (figure(chart)) } }
                }
            }
            div.cells {
                @for (nth, cell) in cells.iter().enumerate() {
                    details.cell open=[open.contains(&&cell.judged.id).then_some("")] {
                        summary { (summary(cell)) }
                        div id=(anchor(report, &cell.judged.id)) {
                            (numbers(cell, shared))
                            div.charts { @for chart in of(Scope::Cell(group, nth)) { (figure(chart)) } }
                        }
                    }
                }
            }
        }
    }
}

/// Links to the cells that changed or are invalid, the worst first. They lie anywhere among the others.
fn changed(report: &Report) -> Markup {
    let is_unusual = |cell: &Cell| {
        matches!(cell.judged.verdict, Verdict::Regressed | Verdict::Invalid | Verdict::Improved)
    };
    let cells: Vec<Cell> = report.worst_first().into_iter().filter(is_unusual).collect();
    html! {
        @if !cells.is_empty() && cells.len() < report.judgement.cells.len() {
            p.changed {
                @for cell in &cells {
                    span {
                        (badge(cell.judged.verdict)) " "
                        a href={ "#" (anchor(report, &cell.judged.id)) } { bdi { (cell.judged.id) } }
                    }
                }
            }
        }
    }
}

/// The worst of the cells that regressed or are invalid.
fn open_cells<'a>(report: &Report<'a>) -> Vec<&'a CellId> {
    let is_bad = |cell: &Cell| matches!(cell.judged.verdict, Verdict::Regressed | Verdict::Invalid);
    report.worst_first().into_iter().filter(is_bad).take(MOST_OPEN).map(|cell| &cell.judged.id).collect()
}

/// The line of a cell that is always shown.
fn summary(cell: &Cell) -> Markup {
    let shown = match cell.decisive() {
        Some(found) => html! { (found.metric.title) " " (change(found)) },
        None => match cell.row(metric::LATENCY_P50).and_then(|row| row.value(Side::Head)) {
            Some(p50) => html! { "latency p50 " (number::duration_ns(p50.value)) },
            None => html! {},
        },
    };
    html! {
        (badge(cell.judged.verdict)) " "
        bdi.id { (cell.judged.id) } " "
        span.decisive { (shown) }
    }
}

/// Its load, reason, metrics, responses, notes, limits and advice.
fn numbers(cell: &Cell, shared: &[(Note, Vec<&CellId>)]) -> Markup {
    let rows = cell.rows();
    let (primary, others): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.is_primary);
    let base = text::compared_with(cell);
    html! {
        @if let Some(reason) = text::cell_reason(cell.judged) { p.why { (marked_up(&reason)) } }
        p.load { (text::extent(cell)) @if !base.is_empty() { "; compared with " (base) } }
        (metrics(&primary, cell.level()))
        (more(cell, shared))
        @if !others.is_empty() {
            details { summary { "All other metrics" } (metrics(&others, cell.level())) }
        }
    }
}

/// Metrics with what is known of them. If nothing has a base there are no columns for it.
fn metrics(rows: &[&Row], level: f64) -> Markup {
    let is_compared = rows.iter().any(|row| row.comparison.is_some() || row.value(Side::Base).is_some());
    let is_judged = rows.iter().any(|row| row.judged().is_some());
    html! {
        table.metrics.alone[!is_compared] {
            thead {
                tr {
                    th scope="col" { "metric" }
                    @if is_compared { th scope="col" { "base" } }
                    th scope="col" { "head" }
                    @if is_compared { th scope="col" { "change" } }
                    @if is_judged { th scope="col" { "verdict" } th scope="col" { "detectable" } }
                }
            }
            tbody {
                @for row in rows {
                    tr {
                        th scope="row" { (row.metric.title) (decided_by(row)) }
                        @if is_compared { td { (value(row, Side::Base)) } }
                        td { (value(row, Side::Head)) }
                        @if is_compared { td { (change_cell(row)) } }
                        @if is_judged {
                            td { (judged(row, level)) }
                            td { (detectable(row)) }
                        }
                    }
                }
            }
        }
    }
}

/// Whether a row is judged, and by what if not by the cell's own rounds.
fn decided_by(row: &Row) -> Markup {
    match (row.comparison, row.fresh_pairs()) {
        (Some(Comparison { judged: false, .. }), _) if row.is_primary => html! { " " small { "not judged" } },
        (_, Some(pairs)) => html! { " " small { (number::plural(pairs as u64, "fresh pair")) } },
        _ => html! {},
    }
}

fn value(row: &Row, side: Side) -> Markup {
    let unit = row.metric.unit;
    let Some(Estimate { value, interval, .. }) = row.value(side) else { return html! { (NO_VALUE) } };
    let interval = interval.filter(|(low, high)| low < high);
    html! {
        (minus(&number::value(value, unit)))
        @if let Some(ends) = interval { " " small { (minus(&number::value_range(ends, unit))) } }
    }
}

/// A change with its interval.
fn change(found: &Comparison) -> Markup {
    let is_difference = found.is_difference();
    html! {
        @if let Some(change) = found.change {
            (minus(&number::change_of(change.estimate, is_difference)))
            " " small { (range(change, is_difference)) }
        }
    }
}

fn range(change: Change, is_difference: bool) -> String {
    minus(&number::change_range(change, is_difference))
}

/// A change with its interval below, and the interval of the screening if fresh pairs decided.
fn change_cell(row: &Row) -> Markup {
    let Some(found) = row.comparison else { return html! {} };
    let screening = match found.stage {
        Stage::Confirmed { screening, .. } => screening,
        Stage::Screened | Stage::Whole => None,
    };
    html! {
        (change(found))
        @if let Some(screening) = screening {
            " " small { "screening: " (range(screening, found.is_difference())) }
        }
    }
}

/// A verdict with the p value that it rests on, if anything was tested.
fn judged(row: &Row, level: f64) -> Markup {
    let Some(found) = row.judged() else { return html! {} };
    html! {
        (badge(found.verdict))
        @if let Some(p) = found.change.and_then(|_| text::evidence(found, level)) { " " small { (p) } }
    }
}

fn detectable(row: &Row) -> String {
    minus(&row.comparison.and_then(text::detectable_change).unwrap_or_default())
}

/// Responses, client, advice, limits, notes and methods of a cell.
fn more(cell: &Cell, shared: &[(Note, Vec<&CellId>)]) -> Markup {
    let mut lines = vec![
        ("responses", text::responses(cell)),
        ("client", text::client(cell)),
        ("latency", text::median_of_all(cell)),
    ];
    for found in cell.rows().iter().filter_map(Row::judged) {
        lines.extend(found.advice.as_ref().map(|advice| (found.metric.title, text::advice(advice))));
    }
    lines.extend(cell.judged.limits.iter().map(|limit| ("limit", text::limit(limit))));
    lines.extend(cell.own_notes(shared).iter().map(|note| ("note", text::note(note))));
    lines.extend(text::methods(cell).into_iter().map(|method| ("method", method)));
    lines.retain(|(_, text)| !text.is_empty());
    html! {
        @if !lines.is_empty() {
            dl { @for (name, text) in &lines { div { dt { (name) } dd { (marked_up(text)) } } } }
        }
    }
}
