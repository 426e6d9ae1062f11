//! The charts of a report: what changed, for each group throughput and latency over concurrency, and for each cell its rounds
//! and its latency percentiles. Each is drawn once, for its files and for the page.

use std::collections::BTreeSet;

use crate::parallel;
use crate::record::Better;
use crate::report::chart::forest::{Forest, ForestRow};
use crate::report::chart::lines::{LineChart, Quantity};
use crate::report::chart::rounds::Rounds;
use crate::report::chart::svg::{PngError, png};
use crate::report::chart::{Chart, Line, Point, Scope, Side, percentiles};
use crate::report::chart_files;
use crate::report::subtitle::{P50, P90, P95, P99, TAILS, of_percentiles, of_the_screening, subtitle};
use crate::report::text;
use crate::report::view::{CellView, GroupView, Report, Row};

/// The metric of the chart of a group.
const THROUGHPUT: &str = "throughput";

/// A chart to be drawn.
struct Plan<'a> {
    name: String,
    scope: Scope,
    draw: Box<dyn Fn() -> Option<String> + Send + 'a>,
}

/// Draws all charts; none if the report is to have none.
pub(crate) fn draw(report: &Report) -> Result<Vec<Chart>, PngError> {
    if !report.options.plots {
        return Ok(Vec::new());
    }
    let groups = report.groups.iter().enumerate().flat_map(|(nth, group)| {
        of_group(group, nth).into_iter().chain(group.cells.iter().flat_map(move |cell| of_cell(cell, nth)))
    });
    let plans: Vec<Plan> = change(report).into_iter().chain(groups).collect();
    let drawn = parallel::map(plans, parallel::cores(), |Plan { name, scope, draw }| {
        let Some(svg) = draw() else { return Ok(None) };
        let png = png(&svg)?;
        Ok(Some(Chart { name, scope, svg, png }))
    });
    drawn.into_iter().filter_map(Result::transpose).collect()
}

/// The chart of the whole call; `None` if nothing was compared.
fn change(report: &Report) -> Option<Plan<'static>> {
    let forest = forest(report)?;
    let draw = Box::new(move || Some(forest.draw()));
    Some(Plan { name: chart_files::CHANGE.to_owned(), scope: Scope::Call, draw })
}

/// What changed; `None` if nothing was compared.
pub(crate) fn forest(report: &Report) -> Option<Forest> {
    let rows: Vec<ForestRow> =
        report.cells().flat_map(|cell| cell.rows.iter().filter_map(|row| forest_row(cell, row))).collect();
    let subtitle = report.sentence.replace('`', "");
    (!rows.is_empty()).then(|| Forest { title: report.title.clone(), subtitle, rows })
}

fn forest_row(cell: &CellView, row: &Row) -> Option<ForestRow> {
    let comparison = row.comparison.as_ref().filter(|comparison| comparison.judged)?;
    let change = comparison.change?;
    let (low, estimate, high) = match row.metric.better {
        Better::Lower => (change.low, change.estimate, change.high),
        Better::Higher => (-change.high, -change.estimate, -change.low),
    };
    Some(ForestRow {
        cell: cell.full_id(),
        metric: row.metric.title.to_owned(),
        verdict: comparison.verdict,
        low,
        estimate,
        high,
        detectable: comparison.detectable,
        noise_threshold: comparison.margin,
        text: text::change_of(change.estimate, row.is_difference()),
    })
}

/// The charts of a group over concurrency: one of throughput, and one of latency for each function, since each has several
/// percentiles.
fn of_group(group: &GroupView, nth: usize) -> Vec<Plan<'static>> {
    let scope = Scope::Group(nth);
    let plan =
        |name: String, chart: LineChart| Plan { name, scope, draw: Box::new(move || Some(chart.draw())) };
    let functions = functions(&group.cells);
    let throughput = (!functions.is_empty()).then(|| {
        plan(chart_files::of_group(chart_files::THROUGHPUT, &group.name), throughput(group, &functions))
    });
    let latencies = functions.iter().map(|function| {
        let name = match functions.len() {
            1 => chart_files::of_group(chart_files::LATENCY, &group.name),
            _ => chart_files::of_pair(chart_files::LATENCY, &group.name, &function.name),
        };
        plan(name, latency(group, function))
    });
    throughput.into_iter().chain(latencies).collect()
}

/// The charts of a cell: its rounds in order of time, and its latency percentiles.
fn of_cell(cell: &CellView, group: usize) -> [Plan<'_>; 2] {
    let name = |kind: &str| chart_files::of_pair(kind, &cell.group, &cell.id);
    let scope = Scope::Cell(group);
    let percentiles = || percentiles::draw(&cell.full_id(), &of_percentiles(cell), &cell.distribution);
    [
        Plan { name: name(chart_files::ROUNDS), scope, draw: Box::new(|| Some(rounds(cell)?.draw())) },
        Plan { name: name(chart_files::PERCENTILES), scope, draw: Box::new(percentiles) },
    ]
}

/// The rounds of a cell in order of time; `None` if there is a single one, or one without latencies.
fn rounds(cell: &CellView) -> Option<Rounds> {
    let line = |id: &str, name: &str| {
        let values = cell.timeline.iter().map(|moment| moment.latency_ns.get(id).copied());
        // If rounds lack a percentile, those that have it are not comparable: they are the faster ones.
        let values: Vec<f64> = values.collect::<Option<_>>()?;
        let points = values.iter().enumerate().map(|(nth, value)| Point::new(nth as f64, *value, None));
        let base = cell.row(id).and_then(Row::base_of_rounds);
        let base = base.map(|base| vec![Point::new(0.0, base.value, base.interval)]);
        let line = |side: Side, points: Vec<Point>| Line { name: name.to_owned(), side, points };
        Some([Some(line(Side::Head, points.collect())), base.map(|points| line(Side::Base, points))])
    };
    let tail = TAILS.into_iter().find_map(|(id, name)| line(id, name).filter(|_| cell.row(id).is_some()));
    let lines: Vec<Line> = line(P50, "p50").into_iter().chain(tail).flatten().flatten().collect();
    (cell.timeline.len() > 1 && !lines.is_empty()).then(|| Rounds {
        title: cell.full_id(),
        subtitle: format!("{}{}", subtitle(&[cell], &[P50, P99, P95, P90]), of_the_screening(cell)),
        launches: cell.timeline.iter().map(|moment| moment.launch).collect(),
        lines,
    })
}

/// The cells of a function, by growing concurrency.
struct Function<'a> {
    name: String,
    cells: Vec<&'a CellView>,
}

/// The functions that are lines over concurrency. Cells that share a concurrency differ in something else, and a single
/// concurrency is not a line.
fn functions(cells: &[CellView]) -> Vec<Function<'_>> {
    let mut functions: Vec<Function> = Vec::new();
    for cell in cells {
        match functions.iter_mut().find(|function| function.name == cell.function) {
            Some(function) => function.cells.push(cell),
            None => functions.push(Function { name: cell.function.clone(), cells: vec![cell] }),
        }
    }
    functions.retain(|of| of.cells.len() > 1 && concurrencies(&of.cells).len() == of.cells.len());
    functions.iter_mut().for_each(|function| function.cells.sort_by_key(|cell| cell.concurrency));
    functions
}

fn concurrencies(cells: &[&CellView]) -> Vec<u32> {
    cells.iter().map(|cell| cell.concurrency).collect::<BTreeSet<_>>().into_iter().collect()
}

fn throughput(group: &GroupView, functions: &[Function]) -> LineChart {
    let cells: Vec<&CellView> =
        functions.iter().flat_map(|function| function.cells.iter().copied()).collect();
    let lines = functions.iter().flat_map(|function| {
        let name = if function.name.is_empty() { &group.name } else { &function.name };
        both_sides(name, &function.cells, THROUGHPUT)
    });
    LineChart {
        title: group.name.clone(),
        subtitle: subtitle(&cells, &[THROUGHPUT]),
        quantity: Quantity::Throughput,
        concurrencies: concurrencies(&cells),
        lines: lines.collect(),
    }
}

fn latency(group: &GroupView, Function { name, cells }: &Function) -> LineChart {
    let has_p99 = cells.iter().any(|cell| cell.row(P99).is_some_and(|row| row.head.is_some()));
    // p95 adds little to p99.
    let percentiles = [(P50, "p50"), (P90, "p90"), (P95, "p95"), (P99, "p99")];
    let percentiles = percentiles.into_iter().filter(|(id, _)| *id != P95 || !has_p99);
    LineChart {
        title: if name.is_empty() { group.name.clone() } else { format!("{}/{name}", group.name) },
        subtitle: subtitle(cells, &[P50, P99, P95, P90]),
        quantity: Quantity::Latency,
        concurrencies: concurrencies(cells),
        lines: percentiles.flat_map(|(id, name)| both_sides(name, cells, id)).collect(),
    }
}

/// The lines of base and head, without those that have no values.
fn both_sides(name: &str, cells: &[&CellView], metric: &str) -> Vec<Line> {
    let line = |side: Side| {
        let point = |cell: &&CellView| {
            let row = cell.row(metric)?;
            let estimate = if side == Side::Base { row.base.as_ref()? } else { row.head.as_ref()? };
            Some(Point::new(cell.concurrency.into(), estimate.value, estimate.interval))
        };
        Line { name: name.to_owned(), side, points: cells.iter().filter_map(point).collect() }
    };
    [Side::Base, Side::Head].map(line).into_iter().filter(|line| !line.points.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Verdict;
    use crate::report::samples::{Sample, report, report_of};

    fn line_charts(report: &Report) -> Vec<LineChart> {
        let of_group = |group: &GroupView| {
            let functions = functions(&group.cells);
            let throughput = (!functions.is_empty()).then(|| throughput(group, &functions));
            throughput.into_iter().chain(functions.iter().map(|of| latency(group, of))).collect::<Vec<_>>()
        };
        report.groups.iter().flat_map(of_group).collect()
    }

    fn names(lines: &[Line]) -> Vec<&str> {
        lines.iter().map(|line| line.name.as_str()).collect()
    }

    /// The names of the charts of groups.
    fn of_groups(report: &Report) -> Vec<String> {
        let plans = report.groups.iter().enumerate().flat_map(|(nth, group)| of_group(group, nth));
        plans.map(|plan| plan.name).collect()
    }

    #[test]
    fn a_group_has_a_chart_of_throughput_and_one_of_latency_with_both_sides() {
        let view = report_of(&[Verdict::Regressed, Verdict::Unchanged]);
        assert_eq!(of_groups(&view), ["throughput-tokenizer", "latency-tokenizer"]);
        let [throughput, latency] = &line_charts(&view)[..] else { panic!("there are two charts") };
        let changed = "3k_tokens/5: throughput -18.8% regressed; the others are unchanged.";
        assert_eq!(throughput.subtitle, changed);
        assert_eq!(throughput.concurrencies, [5, 10]);
        assert_eq!(
            throughput.lines.iter().map(|line| line.side).collect::<Vec<_>>(),
            [Side::Base, Side::Head]
        );
        let changed = "3k_tokens/5: p50 +23.1% regressed, p99 +23.1% regressed; the others are unchanged.";
        assert_eq!(latency.subtitle, changed);
        assert_eq!(names(&latency.lines), ["p50", "p50", "p90", "p90", "p99", "p99"]);
    }

    #[test]
    fn without_a_baseline_there_is_one_side_and_the_subtitle_says_so() {
        let throughput = &line_charts(&report_of(&[Verdict::New, Verdict::New]))[0];
        assert_eq!(throughput.subtitle, "There is nothing to compare with: only head is shown.");
        assert!(throughput.lines.iter().all(|line| line.side == Side::Head));
    }

    #[test]
    fn failed_cells_leave_their_concurrency_in_the_chart() {
        let throughput = &line_charts(&report_of(&[Verdict::Invalid, Verdict::Invalid]))[0];
        assert!(throughput.lines.is_empty());
        assert_eq!(throughput.concurrencies, [5, 10]);
        assert!(throughput.draw().contains("too few successful responses"));
    }

    fn cell(function: &str, concurrency: usize) -> Sample {
        Sample { function: function.into(), concurrency, ..Sample::new(0, Verdict::Unchanged) }
    }

    #[test]
    fn functions_are_lines_over_their_concurrencies() {
        let view = report(&[cell("b", 10), cell("a", 10), cell("b", 5), cell("a", 20)]);
        assert_eq!(of_groups(&view), ["throughput-tokenizer", "latency-tokenizer~b", "latency-tokenizer~a"]);
        let points = &line_charts(&view)[0].lines[0].points;
        assert_eq!(points.iter().map(|point| point.x).collect::<Vec<_>>(), [5.0, 10.0]);
    }

    #[test]
    fn a_single_concurrency_is_not_a_line() {
        assert!(of_groups(&report(&[cell("a", 10)])).is_empty());
        assert!(of_groups(&report(&[cell("a", 10), cell("b", 10)])).is_empty());
        let mut view = report(&[cell("b", 10), cell("a", 10), cell("b", 5)]);
        assert_eq!(of_groups(&view), ["throughput-tokenizer", "latency-tokenizer"], "a has a single one");
        assert_eq!(names(&line_charts(&view)[0].lines), ["b", "b"]);
        // Only the concurrency told these two apart.
        view.groups[0].cells[2].concurrency = 10;
        assert!(of_groups(&view).is_empty());
    }

    #[test]
    fn the_percentiles_of_a_cell_say_both_sides_and_what_the_bands_are() {
        let view = report_of(&[Verdict::Regressed, Verdict::New, Verdict::Invalid]);
        let of = |nth: usize| {
            let [_, percentiles] = of_cell(&view.groups[0].cells[nth], 0);
            (percentiles.draw)()
        };
        let svg = of(0).unwrap();
        let subtitle = "p50 28.39 ms, p99 53.94 ms; base 23.06 ms and 43.82 ms. \
                        Bands: all rounds but the lowest and the highest tenth.";
        assert!(svg.contains(subtitle), "{svg}");
        assert!(svg.contains("<title>tokenizer/3k_tokens/5</title>"));
        let svg = of(1).unwrap();
        assert!(!svg.contains("base"), "{svg}");
        assert!(of(2).is_none(), "it has no latency at all");
    }

    #[test]
    fn each_chart_is_drawn_once() {
        let charts = draw(&report_of(&[Verdict::Regressed, Verdict::Invalid])).unwrap();
        let scopes: Vec<Scope> = charts.iter().map(|chart| chart.scope).collect();
        let group = Scope::Group(0);
        assert_eq!(scopes, [Scope::Call, group, group, Scope::Cell(0), Scope::Cell(0)]);
        assert!(charts.iter().all(|chart| chart.png.is_some() == cfg!(feature = "png")));
    }
}
