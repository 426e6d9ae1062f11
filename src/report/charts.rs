//! The charts of a report, as SVG and PNG: what changed, for each group throughput and latency against concurrency, and for each
//! cell its rounds and its latency percentiles.

use std::collections::BTreeSet;

use super::chart::data::{Curve, Estimate, Side};
use super::chart::forest::{Forest, ForestRow};
use super::chart::latency::Latency;
use super::chart::percentiles::Percentiles;
use super::chart::render::{Picture, RenderError, render as draw, render_svg};
use super::chart::rounds::{Rounds, Timeline};
use super::chart::throughput::Throughput;
use super::chart_files;
use super::formats::Artifact;
use super::subtitle::{P50, P90, P95, P99, TAILS, of_percentiles, of_the_screening, subtitle};
use super::view::{CellView, GroupView, Report, Row};
use super::words;
use crate::parallel;
use crate::record::Better;

/// The metric of the chart of a group.
const THROUGHPUT: &str = "throughput";

/// One chart.
pub(crate) enum Drawing {
    Change(Forest),
    Rounds(Rounds),
    Percentiles(Percentiles),
    Throughput(Throughput),
    Latency(Latency),
}

/// A chart and the name of its files, without an ending.
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) chart: Drawing,
}

impl Named {
    /// It as SVG.
    pub(crate) fn svg(&self) -> Result<String, RenderError> {
        match &self.chart {
            Drawing::Change(forest) => render_svg(forest),
            Drawing::Rounds(rounds) => render_svg(rounds),
            Drawing::Percentiles(percentiles) => render_svg(percentiles),
            Drawing::Throughput(chart) => render_svg(&chart.chart()),
            Drawing::Latency(chart) => render_svg(&chart.chart()),
        }
    }

    /// Whether it shows a single cell, which only some readers ask for.
    pub(crate) fn is_of_one_cell(&self) -> bool {
        matches!(self.chart, Drawing::Rounds(_) | Drawing::Percentiles(_))
    }

    fn files(&self) -> Result<Vec<Artifact>, RenderError> {
        let picture = self.picture()?;
        let files = chart_files::ENDINGS.into_iter().zip([picture.svg.into_bytes(), picture.png]);
        let artifact = |(ending, bytes)| Artifact { name: format!("{}{ending}", self.name), bytes };
        Ok(files.map(artifact).collect())
    }

    /// It as SVG and as PNG.
    pub(crate) fn picture(&self) -> Result<Picture, RenderError> {
        match &self.chart {
            Drawing::Change(forest) => draw(forest),
            Drawing::Rounds(rounds) => draw(rounds),
            Drawing::Percentiles(percentiles) => draw(percentiles),
            Drawing::Throughput(chart) => draw(&chart.chart()),
            Drawing::Latency(chart) => draw(&chart.chart()),
        }
    }
}

/// All charts as files; none when the report is to have none.
pub(crate) fn render(report: &Report) -> Result<Vec<Artifact>, RenderError> {
    if !report.options.plots {
        return Ok(Vec::new());
    }
    let all: Vec<Named> = of_all(report).into_iter().chain(report.groups.iter().flat_map(of_group)).collect();
    let drawn = parallel::map(all, parallel::cores(), |named| named.files());
    Ok(drawn.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
}

/// The chart of the whole call: what changed. None when nothing was compared.
pub(crate) fn of_all(report: &Report) -> Option<Named> {
    let rows: Vec<ForestRow> =
        report.cells().flat_map(|cell| cell.rows.iter().filter_map(|row| forest_row(cell, row))).collect();
    if rows.is_empty() {
        return None;
    }
    let chart = Drawing::Change(Forest::new(&report.title, &report.sentence.replace('`', ""), rows));
    Some(Named { name: chart_files::CHANGE.to_owned(), chart })
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
        findable: comparison.findable,
        margin: comparison.margin,
        text: words::change_of(change.estimate, row.is_difference()),
    })
}

/// The charts of a group: one of throughput and one of latency for each function, since each has several percentiles, as far as
/// its cells differ in concurrency; and those of each cell.
pub(crate) fn of_group(group: &GroupView) -> Vec<Named> {
    let lines = lines(&group.cells);
    let one = lines.len() == 1;
    let throughput = (!lines.is_empty()).then(|| Named {
        name: chart_files::of_group(chart_files::THROUGHPUT, &group.name),
        chart: throughput(group, &lines),
    });
    let latencies = lines.iter().map(|line| Named {
        name: match one {
            true => chart_files::of_group(chart_files::LATENCY, &group.name),
            false => chart_files::of_pair(chart_files::LATENCY, &group.name, &line.name),
        },
        chart: latency(group, line),
    });
    throughput.into_iter().chain(latencies).chain(group.cells.iter().flat_map(of_cell)).collect()
}

/// The charts of a cell, as far as it has latencies: its rounds in order of time, and its percentiles.
fn of_cell(cell: &CellView) -> impl Iterator<Item = Named> {
    let named =
        |kind: &str, chart: Drawing| Named { name: chart_files::of_pair(kind, &cell.group, &cell.id), chart };
    let rounds = rounds(cell).map(|chart| named(chart_files::ROUNDS, Drawing::Rounds(chart)));
    let percentiles =
        percentiles(cell).map(|chart| named(chart_files::PERCENTILES, Drawing::Percentiles(chart)));
    rounds.into_iter().chain(percentiles)
}

/// The percentiles of a cell; none without successes.
fn percentiles(cell: &CellView) -> Option<Percentiles> {
    Percentiles::new(&cell.full_id(), &of_percentiles(cell), &cell.distribution)
}

/// The rounds of a cell in order of time; none where there is no order to see.
fn rounds(cell: &CellView) -> Option<Rounds> {
    let of_rounds = |id: &str, name: &str| {
        let values: Vec<Option<f64>> =
            cell.timeline.iter().map(|moment| moment.latency_ns.get(id).copied()).collect();
        let base = cell.row(id).and_then(Row::base_of_rounds);
        // A percentile that was not promised to each round comes and goes with its speed.
        let all = !values.is_empty() && values.iter().all(Option::is_some);
        all.then(|| Timeline {
            name: name.to_owned(),
            values,
            base: base.map(|base| (base.value, base.interval)),
        })
    };
    let tail =
        TAILS.into_iter().find_map(|(id, name)| of_rounds(id, name).filter(|_| cell.row(id).is_some()));
    let percentiles: Vec<Timeline> = of_rounds(P50, "p50").into_iter().chain(tail).collect();
    let launches: Vec<usize> = cell.timeline.iter().map(|moment| moment.launch).collect();
    let subtitle = format!("{}{}", subtitle(&[cell], &[P50, P99, P95, P90]), of_the_screening(cell));
    let title = cell.full_id();
    (launches.len() > 1 && !percentiles.is_empty())
        .then(|| Rounds::new(&title, &subtitle, launches, &percentiles))
}

/// Cells that are one line, by growing concurrency.
struct Line<'a> {
    name: String,
    cells: Vec<&'a CellView>,
}

/// The cells of a function are one line over concurrency. Where two of them share a concurrency they differ in something else,
/// and a single concurrency is no line.
fn lines(cells: &[CellView]) -> Vec<Line<'_>> {
    let mut lines: Vec<Line> = Vec::new();
    for cell in cells {
        match lines.iter_mut().find(|line| line.name == cell.function) {
            Some(line) => line.cells.push(cell),
            None => lines.push(Line { name: cell.function.clone(), cells: vec![cell] }),
        }
    }
    lines.retain(|line| line.cells.len() > 1 && concurrencies(&line.cells).len() == line.cells.len());
    lines.iter_mut().for_each(|line| line.cells.sort_by_key(|cell| cell.concurrency));
    lines
}

fn concurrencies(cells: &[&CellView]) -> Vec<u32> {
    cells.iter().map(|cell| cell.concurrency).collect::<BTreeSet<_>>().into_iter().collect()
}

fn throughput(group: &GroupView, lines: &[Line]) -> Drawing {
    let cells: Vec<&CellView> = lines.iter().flat_map(|line| line.cells.iter().copied()).collect();
    let name = |line: &Line| if line.name.is_empty() { group.name.clone() } else { line.name.clone() };
    Drawing::Throughput(Throughput {
        title: group.name.clone(),
        subtitle: subtitle(&cells, &[THROUGHPUT]),
        concurrencies: concurrencies(&cells),
        curves: lines.iter().flat_map(|line| both_sides(&name(line), &line.cells, THROUGHPUT)).collect(),
    })
}

fn latency(group: &GroupView, line: &Line) -> Drawing {
    let has = |id: &str| line.cells.iter().any(|cell| cell.row(id).is_some_and(|row| row.head.is_some()));
    // The second highest says little beside the highest.
    let percentiles = [(P50, "p50", true), (P90, "p90", true), (P95, "p95", !has(P99)), (P99, "p99", true)];
    let curves = percentiles.iter().filter(|(_, _, wanted)| *wanted);
    Drawing::Latency(Latency {
        title: match line.name.as_str() {
            "" => group.name.clone(),
            name => format!("{}/{name}", group.name),
        },
        subtitle: subtitle(&line.cells, &[P50, P99, P95, P90]),
        concurrencies: concurrencies(&line.cells),
        curves: curves.flat_map(|(id, name, _)| both_sides(name, &line.cells, id)).collect(),
    })
}

/// Base's curve and head's, as far as there are values.
fn both_sides(name: &str, cells: &[&CellView], metric: &str) -> Vec<Curve> {
    let curve = |side: Side| {
        let estimate = |cell: &&CellView| {
            let row = cell.row(metric)?;
            let estimate = match side {
                Side::Base => row.base.as_ref()?,
                Side::Head => row.head.as_ref()?,
            };
            Some(Estimate {
                concurrency: cell.concurrency,
                value: estimate.value,
                interval: estimate.interval,
            })
        };
        let estimates: Vec<Estimate> = cells.iter().filter_map(estimate).collect();
        (!estimates.is_empty()).then(|| Curve { name: name.to_owned(), side, estimates })
    };
    [Side::Base, Side::Head].into_iter().filter_map(curve).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Verdict;
    use crate::report::samples::{Sample, report, report_of};

    fn charts(report: &Report) -> Vec<Named> {
        let all = report.groups.iter().flat_map(of_group);
        all.filter(|named| !named.is_of_one_cell()).collect()
    }

    fn parts(named: &Named) -> (&str, &[Curve], &[u32]) {
        match &named.chart {
            Drawing::Throughput(chart) => (&chart.subtitle, &chart.curves, &chart.concurrencies),
            Drawing::Latency(chart) => (&chart.subtitle, &chart.curves, &chart.concurrencies),
            Drawing::Change(_) | Drawing::Rounds(_) | Drawing::Percentiles(_) => {
                panic!("that is no chart of a group")
            }
        }
    }

    #[test]
    fn a_group_has_a_chart_of_throughput_and_one_of_latency_with_both_sides() {
        let charts = charts(&report_of(&[Verdict::Regressed, Verdict::Unchanged]));
        assert_eq!(
            charts.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(),
            ["throughput-tokenizer", "latency-tokenizer"]
        );
        let (subtitle, curves, concurrencies) = parts(&charts[0]);
        assert_eq!(subtitle, "3k_tokens/5: throughput -18.8 % regressed; the others are unchanged.");
        assert_eq!(concurrencies, [5, 10]);
        assert_eq!(curves.iter().map(|c| c.side).collect::<Vec<_>>(), [Side::Base, Side::Head]);
        let (subtitle, curves, _) = parts(&charts[1]);
        assert_eq!(
            subtitle,
            "3k_tokens/5: p50 +23.1 % regressed, p99 +23.1 % regressed; the others are unchanged."
        );
        assert_eq!(
            curves.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(),
            ["p50", "p50", "p90", "p90", "p99", "p99"]
        );
    }

    #[test]
    fn without_a_baseline_there_is_one_side_and_the_subtitle_says_so() {
        let charts = charts(&report_of(&[Verdict::New, Verdict::New]));
        let (subtitle, curves, _) = parts(&charts[0]);
        assert_eq!(subtitle, "There is nothing to compare with: only head is shown.");
        assert!(curves.iter().all(|curve| curve.side == Side::Head));
    }

    #[test]
    fn cells_that_failed_leave_their_concurrency_in_the_chart() {
        let charts = charts(&report_of(&[Verdict::Invalid, Verdict::Invalid]));
        let (_, curves, concurrencies) = parts(&charts[0]);
        assert!(curves.is_empty());
        assert_eq!(concurrencies, [5, 10]);
        assert!(charts[0].svg().unwrap().contains("too few successful responses"));
    }

    fn cell(function: &str, concurrency: usize) -> Sample {
        Sample { function: function.into(), concurrency, ..Sample::new(0, Verdict::Unchanged) }
    }

    fn names(view: &Report) -> Vec<String> {
        charts(view).into_iter().map(|chart| chart.name).collect()
    }

    #[test]
    fn functions_are_lines_over_their_concurrencies() {
        let view = report(&[cell("b", 10), cell("a", 10), cell("b", 5), cell("a", 20)]);
        assert_eq!(names(&view), ["throughput-tokenizer", "latency-tokenizer~b", "latency-tokenizer~a"]);
        let all = charts(&view);
        let (_, curves, _) = parts(&all[0]);
        assert_eq!(curves[0].estimates.iter().map(|e| e.concurrency).collect::<Vec<_>>(), [5, 10]);
    }

    #[test]
    fn a_single_concurrency_is_no_line() {
        assert!(names(&report(&[cell("a", 10)])).is_empty());
        assert!(names(&report(&[cell("a", 10), cell("b", 10)])).is_empty());
        let mut view = report(&[cell("b", 10), cell("a", 10), cell("b", 5)]);
        assert_eq!(names(&view), ["throughput-tokenizer", "latency-tokenizer"], "a has one alone");
        let all = charts(&view);
        assert!(parts(&all[0]).1.iter().all(|curve| curve.name == "b"));
        // They differ in something that is not concurrency, which alone tells them apart.
        view.groups[0].cells[2].concurrency = 10;
        assert!(names(&view).is_empty());
    }

    #[test]
    fn the_percentiles_of_a_cell_say_both_sides_and_what_the_bands_are() {
        let view = report_of(&[Verdict::Regressed, Verdict::New, Verdict::Invalid]);
        let of = |nth: usize| percentiles(&view.groups[0].cells[nth]);
        let svg = render_svg(&of(0).unwrap()).unwrap();
        let subtitle = "p50 28.39 ms, p99 53.94 ms; base 23.06 ms and 43.82 ms. \
                        Bands: all rounds but the lowest and the highest tenth.";
        assert!(svg.contains(subtitle), "{svg}");
        assert!(svg.contains("<title>tokenizer/3k_tokens/5</title>"));
        let svg = render_svg(&of(1).unwrap()).unwrap();
        assert!(!svg.contains("base"), "{svg}");
        assert!(of(2).is_none(), "it has no latency at all");
    }
}
