//! The charts of a report: what changed, for each group throughput and latency over concurrency and against each other, and for each
//! cell its rounds, its latency percentiles and its history. Also the names of their files.

use std::collections::BTreeSet;

use crate::parallel;
use crate::plan::{Side, metric};
use crate::record::{CellRun, Epoch, Run, Unit, file_name};
use crate::report::chart::frame::{Line, Point};
use crate::report::chart::history::Place;
use crate::report::chart::lines::Contents;
use crate::report::chart::percentiles::Distribution;
#[cfg(feature = "png")]
use crate::report::chart::png::png;
use crate::report::chart::svg::{Drawing, Marker};
use crate::report::chart::{forest, history, knee, lines, percentiles, rounds, table};
use crate::report::model::{Artifact, Cell, Figure, Report, ReportError, Scope, Table, by_key, unique};
use crate::report::number;
use crate::report::text::{self, LATENCIES};
use crate::stats::describe::median;

/// The chart of the whole call. The names of the others are their kind and a group, function or cell.
const CHANGE: &str = "change";
const THROUGHPUT: &str = "throughput";
const LATENCY: &str = "latency";
const ROUNDS: &str = "rounds";
const PERCENTILES: &str = "percentiles";
const KNEE: &str = "knee";
const HISTORY: &str = "history";
const KINDS: [&str; 6] = [THROUGHPUT, LATENCY, KNEE, ROUNDS, PERCENTILES, HISTORY];
const ENDINGS: [&str; 2] = [".svg", ".png"];
/// Between group and function. No encoded name contains it.
const BETWEEN: &str = "~";
/// Fewer concurrencies do not show where a service is saturated.
const LEAST_FOR_KNEE: usize = 3;
/// Fewer stored runs are not a history.
const LEAST_STORED: usize = 2;
/// With kind and ending, longer names would not fit into a file system.
const MAX_LEN: usize = 200;

/// Draws all charts.
pub(crate) fn figures(report: &Report) -> Vec<Figure> {
    let change = forest::draw(report.title, &report.sentence(), report.judgement);
    let change =
        change.map(|drawing| to_figure(CHANGE.to_owned(), Scope::Call, &drawing, changes(&report.cells())));
    let groups = report.groups();
    let of_groups =
        parallel::map(groups.iter().enumerate().collect(), parallel::cores(), |(nth, (group, cells))| {
            let mut figures = of_group(group, cells, Scope::Group(nth));
            let of_cells = cells.iter().enumerate();
            figures.extend(of_cells.flat_map(|(place, cell)| of_cell(report, cell, Scope::Cell(nth, place))));
            figures
        });
    change.into_iter().chain(of_groups.into_iter().flatten()).collect()
}

fn to_figure(name: String, scope: Scope, drawing: &Drawing, numbers: Table) -> Figure {
    Figure { name, scope, file: drawing.file(), inline: drawing.inline(), numbers }
}

/// The files of charts: an SVG and, unless plimsoll was built without PNGs, a PNG of each.
///
/// # Errors
/// If a PNG cannot be drawn.
pub(crate) fn files(figures: &[Figure]) -> Result<Vec<Artifact>, ReportError> {
    let drawn =
        parallel::map(figures.iter().collect(), parallel::cores(), |Figure { name, file: svg, .. }| {
            let file = |ending, bytes| Artifact { name: format!("{name}{ending}"), bytes };
            Ok(Vec::from([
                file(".svg", svg.clone().into_bytes()),
                #[cfg(feature = "png")]
                file(".png", png(svg).map_err(ReportError::Png)?),
            ]))
        });
    Ok(drawn.into_iter().collect::<Result<Vec<_>, ReportError>>()?.into_iter().flatten().collect())
}

/// Draws the chart of what changed, for `benches/overhead.rs`; the length of its files in bytes, or `None` if nothing was compared.
#[cfg(feature = "overhead")]
pub fn draw_change_chart(judgement: &crate::judge::Judgement, with_png: bool) -> Option<usize> {
    let svg = forest::draw("overhead", "", judgement)?.file();
    if with_png { Some(svg.len() + png(&svg).ok()?.len()) } else { Some(svg.len()) }
}

/// The charts of a group over concurrency: one of throughput, and one of latency for each function, since each has several
/// percentiles.
fn of_group(group: &str, cells: &[Cell], scope: Scope) -> Vec<Figure> {
    let functions = functions(cells);
    if functions.is_empty() {
        return Vec::new();
    }
    let of_all: Vec<&Cell> = functions.iter().flat_map(|(_, cells)| cells.iter().copied()).collect();
    let figure = |name: String, title: &str, subtitle: &str, contents: &Contents| {
        let unit = if contents.is_latency { Unit::Nanoseconds } else { Unit::PerSecond };
        let numbers = table::by_point("concurrency", &contents.lines, unit);
        Some(to_figure(name, scope, &lines::draw(title, subtitle, contents)?, numbers))
    };
    let subtitle = text::subtitle(&of_all, &[metric::THROUGHPUT]);
    let name = name_of(THROUGHPUT, &[group]);
    let mut figures = vec![figure(name, group, &subtitle, &throughput(group, &functions))];
    for (function, cells) in &functions {
        let names = if functions.len() == 1 { vec![group] } else { vec![group, function] };
        let title = if function.is_empty() { group.to_owned() } else { format!("{group}/{function}") };
        let subtitle = text::subtitle(cells, &LATENCIES.map(|(id, _)| id));
        figures.push(figure(name_of(LATENCY, &names), &title, &subtitle, &latency(cells)));
        let drawn = draw_knee(&title, cells);
        figures
            .push(drawn.map(|(drawing, numbers)| to_figure(name_of(KNEE, &names), scope, &drawing, numbers)));
    }
    figures.into_iter().flatten().collect()
}

/// The charts of a cell: its rounds in order of time, its latency percentiles, and its accepted runs.
fn of_cell(report: &Report, cell: &Cell, scope: Scope) -> Vec<Figure> {
    let id = &cell.judged.id;
    let (title, benchmark) = (id.to_string(), id.benchmark.to_string());
    let distribution = Distribution::new(report, cell);
    let subtitle = text::percentiles_subtitle(cell, distribution.cut);
    let drawn = [
        (ROUNDS, draw_rounds(cell, &title)),
        (
            PERCENTILES,
            percentiles::draw(&title, &subtitle, &distribution)
                .map(|drawing| (drawing, percentile_table(&distribution))),
        ),
        (HISTORY, draw_history(report, cell, &title)),
    ];
    let figure = |(kind, drawn): (&str, Option<(Drawing, Table)>)| {
        let (drawing, numbers) = drawn?;
        Some(to_figure(name_of(kind, &[&id.group, &benchmark]), scope, &drawing, numbers))
    };
    drawn.into_iter().filter_map(figure).collect()
}

/// The rounds of a cell in order of time; `None` if there is a single one, or one without latencies.
fn draw_rounds(cell: &Cell, title: &str) -> Option<(Drawing, Table)> {
    let all = || cell.runs.iter().flat_map(|run| &run.rounds);
    let mut lines = Vec::new();
    for (id, name) in text::p50_and_tail(cell) {
        let base = cell.of_rounds(id).and_then(|shown| shown.base.as_ref());
        let values = all().map(|round| round.values.get(id).copied()).enumerate();
        let points = values.map(|(nth, value)| Some(Point::new(nth as f64, value?, None)));
        // If rounds lack a percentile, those that have it are not comparable: they are the faster ones.
        let Some(points) = points.collect() else { continue };
        let line = |side, points| Line { name: name.to_owned(), side, marker: None, points };
        lines.extend(base.map(|base| line(Side::Base, vec![Point::new(0.0, base.value, base.interval)])));
        lines.push(line(Side::Head, points));
    }
    let mut launches = Vec::new();
    for run in &cell.runs {
        let before = launches.iter().max().map_or(0, |last| last + 1);
        launches.extend(run.rounds.iter().map(|round| before + round.launch));
    }
    let is_chart = launches.len() > 1 && !lines.is_empty();
    let numbers = || rounds_table(&launches, &lines);
    is_chart.then(|| (rounds::draw(title, &text::rounds_subtitle(cell), &launches, &lines), numbers()))
}

/// The rounds of each launch, then base, which has one value.
fn rounds_table(launches: &[usize], lines: &[Line]) -> Table {
    let (base, head): (Vec<Line>, _) = lines.iter().cloned().partition(|line| line.side == Side::Base);
    let of_launch = |launch: usize, line: &Line| {
        let points = line.points.iter().filter(|point| launches.get(point.x as usize) == Some(&launch));
        let values: Vec<String> = points.map(|point| number::duration_ns(point.value)).collect();
        values.join(", ")
    };
    let row = |launch: usize| {
        let name = number::count(launch as u64 + 1);
        std::iter::once(name).chain(head.iter().map(|line| of_launch(launch, line))).collect()
    };
    let headings = std::iter::once("launch").chain(head.iter().map(|line| line.name.as_str()));
    let mut table = Table {
        headings: headings.map(str::to_owned).collect(),
        rows: unique(launches.iter().copied()).into_iter().map(row).collect(),
    };
    let of_base = |head: &Line| {
        let point = base.iter().find(|line| line.name == head.name).and_then(|line| line.points.first());
        point.map(|point| table::with_range(point, Unit::Nanoseconds)).unwrap_or_default()
    };
    if !base.is_empty() {
        table.rows.push(std::iter::once(Side::Base.to_string()).chain(head.iter().map(of_base)).collect());
    }
    table
}

fn percentile_table(distribution: &Distribution) -> Table {
    let name = |at: f64| percentiles::title(at).to_owned();
    table::by_x("percentile", &distribution.at_metrics(), Unit::Nanoseconds, name)
}

/// The accepted runs of a cell and then head; `None` without several accepted runs.
fn draw_history(report: &Report, cell: &Cell, title: &str) -> Option<(Drawing, Table)> {
    let stored = report.history(cell);
    if stored.len() < LEAST_STORED {
        return None;
    }
    let head = report.runs.iter().filter_map(|run| Some((run, run.cell(&cell.judged.id)?)));
    let runs: Vec<(&Run, &CellRun)> = stored.iter().copied().chain(head).collect();
    let epoch = |nth: usize| stored.get(nth).and_then(|(run, _)| run.epoch.as_ref());
    let days: Vec<String> = runs.iter().map(|(run, _)| number::date(run.started)).collect();
    let is_alone = |day: &String| days.iter().filter(|other| *other == day).count() == 1;
    let places = runs.iter().enumerate().map(|(nth, (run, _))| {
        let last = nth.checked_sub(1).and_then(epoch);
        let is_other = |epoch: &&Epoch| last.is_some_and(|last| last.first_run != epoch.first_run);
        let begins = epoch(nth).filter(|epoch| is_other(epoch) || epoch.reason.is_some());
        Place {
            date: if is_alone(&days[nth]) { days[nth].clone() } else { number::date_and_minute(run.started) },
            commit: run.environment.commit.clone().unwrap_or_default(),
            begins: begins.map(|epoch| text::epoch(epoch.reason.as_deref())),
        }
    });
    let places: Vec<Place> = places.collect();
    let (id, name) = LATENCIES[0];
    let points = runs.iter().enumerate().filter_map(|(at, (_, run))| over_launches(at as f64, run, id));
    let (base, head): (Vec<Point>, _) = points.partition(|point| (point.x as usize) < stored.len());
    let line = |side, points| Line { name: name.to_owned(), side, marker: Some(Marker::Circle), points };
    let mut lines = vec![line(Side::Base, base), line(Side::Head, head)];
    lines.retain(|line| !line.points.is_empty());
    let subtitle = text::history_subtitle(stored.len(), report.options);
    let drawing = history::draw(title, &subtitle, &places, &lines)?;
    let name = |x: f64| {
        let Place { date, commit, begins } = &places[x as usize];
        let parts = [date, commit, begins.as_ref().unwrap_or(&String::new())].map(String::clone);
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    };
    Some((drawing, table::by_x("run", &lines, Unit::Nanoseconds, name)))
}

/// The median of the launches of a run, from the lowest to the highest of them.
fn over_launches(x: f64, run: &CellRun, id: &str) -> Option<Point> {
    let series = run.series();
    let launches: Vec<f64> = series.values.get(id)?.iter().filter_map(|rounds| median(rounds)).collect();
    let low = launches.iter().copied().reduce(f64::min)?;
    let high = launches.iter().copied().reduce(f64::max)?;
    Some(Point::new(x, median(&launches)?, Some((low, high))))
}

/// Latency against throughput of a function's cells; `None` with too few concurrencies.
fn draw_knee(title: &str, cells: &[&Cell]) -> Option<(Drawing, Table)> {
    let value = |cell: &Cell, id: &str, side: Side| cell.row(id)?.value(side);
    let [p50, tails @ ..] = LATENCIES;
    let has = |id: &str| cells.iter().any(|cell| value(cell, id, Side::Head).is_some());
    let tail = tails.into_iter().rfind(|(id, _)| has(id));
    let (mut lines, mut concurrencies) = (Vec::new(), Vec::new());
    for (id, name) in std::iter::once(p50).chain(tail) {
        for side in [Side::Base, Side::Head] {
            let point = |cell: &&Cell| {
                let (rate, latency) = (value(cell, metric::THROUGHPUT, side)?, value(cell, id, side)?);
                Some((concurrency(cell), Point::new(rate.value, latency.value, latency.interval)))
            };
            let (own, points): (Vec<u32>, Vec<Point>) = cells.iter().filter_map(point).unzip();
            if points.len() >= LEAST_FOR_KNEE {
                lines.push(Line { name: name.to_owned(), side, marker: None, points });
                concurrencies.push(own);
            }
        }
    }
    let drawing = knee::draw(title, text::KNEE_SUBTITLE, &lines, &concurrencies)?;
    Some((drawing, knee_table(&lines, &concurrencies)))
}

/// Each point with its concurrency.
fn knee_table(lines: &[Line], concurrencies: &[Vec<u32>]) -> Table {
    let row = |line: &Line, point: &Point, concurrency: &u32| {
        vec![
            format!("{} {}", line.name, line.side),
            number::count((*concurrency).into()),
            number::value(point.x, Unit::PerSecond),
            table::with_range(point, Unit::Nanoseconds),
        ]
    };
    let lines = lines.iter().zip(concurrencies);
    let rows =
        lines.flat_map(|(line, own)| line.points.iter().zip(own).map(|(point, n)| row(line, point, n)));
    let headings = ["line", "concurrency", "throughput", "latency"];
    Table { headings: headings.map(str::to_owned).into(), rows: rows.collect() }
}

/// All judged comparisons with a change, in the order of the cells.
fn changes(cells: &[Cell]) -> Table {
    let mut rows = Vec::new();
    for cell in cells {
        for found in cell.judged.comparisons.iter().filter(|found| found.judged) {
            let Some(change) = found.change else { continue };
            let is_difference = found.is_difference();
            rows.push(vec![
                format!("{} {}", cell.judged.id, found.metric.title),
                number::change_of(change.estimate, is_difference),
                number::change_range(change, is_difference),
                found.verdict.name().to_owned(),
                text::detectable_change(found).unwrap_or_default(),
            ]);
        }
    }
    let headings = ["comparison", "change", "interval", "verdict", "detectable"];
    Table { headings: headings.map(str::to_owned).into(), rows }
}

/// The functions that are lines over concurrency, with their cells by growing concurrency. Cells that share a concurrency differ in
/// something else, and a single concurrency is not a line.
fn functions<'a>(cells: &'a [Cell<'a>]) -> Vec<(&'a str, Vec<&'a Cell<'a>>)> {
    let mut functions = by_key(cells.iter().map(|cell| (cell.judged.id.function(), cell)));
    functions.retain(|(_, of)| of.len() > 1 && concurrencies(of).len() == of.len());
    functions.iter_mut().for_each(|(_, cells)| cells.sort_by_key(|cell| concurrency(cell)));
    functions
}

fn concurrency(cell: &Cell) -> u32 {
    u32::try_from(cell.last().load.concurrency()).unwrap_or(u32::MAX)
}

fn concurrencies(cells: &[&Cell]) -> Vec<u32> {
    cells.iter().map(|cell| concurrency(cell)).collect::<BTreeSet<_>>().into_iter().collect()
}

fn throughput(group: &str, functions: &[(&str, Vec<&Cell>)]) -> Contents {
    let cells: Vec<&Cell> = functions.iter().flat_map(|(_, cells)| cells.iter().copied()).collect();
    let lines = functions.iter().flat_map(|(function, cells)| {
        both_sides(if function.is_empty() { group } else { function }, cells, metric::THROUGHPUT)
    });
    Contents { is_latency: false, concurrencies: concurrencies(&cells), lines: lines.collect() }
}

fn latency(cells: &[&Cell]) -> Contents {
    let has_p99 =
        cells.iter().any(|cell| cell.row(metric::LATENCY_P99).is_some_and(|row| row.shown.is_some()));
    // p95 adds little to p99.
    let percentiles = LATENCIES.into_iter().filter(|(id, _)| *id != metric::LATENCY_P95 || !has_p99);
    let lines = percentiles.flat_map(|(id, name)| both_sides(name, cells, id)).collect();
    Contents { is_latency: true, concurrencies: concurrencies(cells), lines }
}

/// The lines of base and head, without those that have no values.
fn both_sides(name: &str, cells: &[&Cell], metric: &str) -> Vec<Line> {
    let line = |side: Side| {
        let point = |cell: &&Cell| {
            let estimate = cell.row(metric)?.value(side)?;
            Some(Point::new(concurrency(cell).into(), estimate.value, estimate.interval))
        };
        Line { name: name.to_owned(), side, marker: None, points: cells.iter().filter_map(point).collect() }
    };
    [Side::Base, Side::Head].map(line).into_iter().filter(|line| !line.points.is_empty()).collect()
}

/// The name of a chart of a group, or of a function or cell in a group: each name encoded, and cut if that is too long.
fn name_of(kind: &str, names: &[&str]) -> String {
    let encoded = names.iter().map(|name| file_name(name)).collect::<Vec<_>>().join(BETWEEN);
    let name = if encoded.len() <= MAX_LEN { encoded } else { file_name(&names.join(BETWEEN)) };
    format!("{kind}-{name}")
}

/// Whether a chart of ours can have this file name.
pub(crate) fn is_ours(file: &str) -> bool {
    let Some(name) = ENDINGS.iter().find_map(|ending| file.strip_suffix(ending)) else { return false };
    let letter = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'=' | b'~');
    let is_name = |part: &str| !part.is_empty() && !part.starts_with('.');
    let is_encoded = |rest: &str| {
        let rest = rest.strip_prefix('-').unwrap_or_default();
        rest.bytes().all(letter) && rest.splitn(2, BETWEEN).all(is_name)
    };
    name == CHANGE || KINDS.iter().any(|kind| name.strip_prefix(kind).is_some_and(is_encoded))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Verdict;
    use crate::report::tests::{Sample, Sampled};

    /// The names of the charts of groups.
    fn names_of_groups(sampled: &Sampled) -> Vec<String> {
        let figures = figures(&sampled.report()).into_iter();
        figures.filter(|figure| matches!(figure.scope, Scope::Group(_))).map(|figure| figure.name).collect()
    }

    fn svg(sampled: &Sampled, name: &str) -> Option<String> {
        let found = figures(&sampled.report()).into_iter().find(|figure| figure.name == name);
        found.map(|figure| figure.file)
    }

    /// The lines of the charts of the first group, of throughput and of its first function's latency.
    fn contents(sampled: &Sampled) -> [Contents; 2] {
        let groups = sampled.report().groups();
        let (group, cells) = &groups[0];
        let functions = functions(cells);
        [throughput(group, &functions), latency(&functions[0].1)]
    }

    fn names(lines: &[Line]) -> Vec<&str> {
        lines.iter().map(|line| line.name.as_str()).collect()
    }

    #[test]
    fn a_group_has_a_chart_of_throughput_and_one_of_latency_with_both_sides() {
        let sampled = Sampled::new(&[Verdict::Regressed, Verdict::Unchanged]);
        assert_eq!(names_of_groups(&sampled), ["throughput-tokenizer", "latency-tokenizer"]);
        let [throughput, latency] = contents(&sampled);
        assert_eq!(throughput.concurrencies, [5, 10]);
        let sides: Vec<Side> = throughput.lines.iter().map(|line| line.side).collect();
        assert_eq!(sides, [Side::Base, Side::Head]);
        assert_eq!(names(&latency.lines), ["p50", "p50", "p90", "p90", "p99", "p99"]);
        for (name, subtitle) in [
            ("throughput-tokenizer", "3k_tokens/5: throughput -18.8% regressed; the others are unchanged."),
            ("latency-tokenizer", "3k_tokens/5: latency p50 +23.1% regressed, latency p99 +23.1% regressed;"),
        ] {
            assert!(svg(&sampled, name).unwrap().contains(subtitle), "{subtitle}");
        }
    }

    #[test]
    fn without_a_baseline_there_is_one_side() {
        let [throughput, _] = contents(&Sampled::new(&[Verdict::New, Verdict::New]));
        assert!(throughput.lines.iter().all(|line| line.side == Side::Head));
    }

    #[test]
    fn failed_cells_leave_their_concurrency_in_the_chart_unless_all_failed() {
        let [throughput, _] = contents(&Sampled::new(&[Verdict::Unchanged, Verdict::Invalid]));
        assert_eq!(throughput.concurrencies, [5, 10]);
        assert!(names_of_groups(&Sampled::new(&[Verdict::Invalid, Verdict::Invalid])).is_empty());
    }

    #[test]
    fn three_concurrencies_have_a_knee() {
        let cells = |count| Sampled::new(&vec![Verdict::Regressed; count]);
        let names = ["throughput-tokenizer", "latency-tokenizer", "knee-tokenizer"];
        assert_eq!(names_of_groups(&cells(3)), names);
        assert_eq!(names_of_groups(&cells(2)), names[..2]);
        let figures = figures(&cells(3).report());
        let knee = figures.iter().find(|figure| figure.name == "knee-tokenizer").unwrap();
        assert_eq!(knee.numbers.rows[0], ["p50 base", "5", "216.8/s", "23.06 ms (22.60 to 23.52 ms)"]);
        assert_eq!(knee.numbers.rows.len(), 3 * 2 * 2);
    }

    #[test]
    fn several_accepted_runs_are_a_history() {
        let mut sampled = Sampled::new(&[Verdict::Regressed]);
        let history = |sampled: &Sampled| {
            let found =
                figures(&sampled.report()).into_iter().find(|figure| figure.name.starts_with("history-"));
            found.map(|figure| {
                figure.numbers.rows.iter().map(|row| row.join(" | ")).collect::<Vec<_>>().join("\n")
            })
        };
        assert_eq!(history(&sampled), None);
        sampled.store(4);
        insta::assert_snapshot!(history(&sampled).unwrap(), @r"
        2024-10-04, abc1230 | 23.48 ms (23.06 to 23.89 ms) | 
        2024-10-05, abc1231, new epoch: TLS was turned on | 23.71 ms (23.29 to 24.13 ms) | 
        2024-10-06, abc1232 | 23.95 ms (23.52 to 24.37 ms) | 
        2024-10-07, abc1233 | 23.48 ms (23.06 to 23.89 ms) | 
        1970-01-01, abc1234 |  | 28.90 ms (28.39 to 29.41 ms)
        ");
        sampled.runs[0].environment.machine.test_bed.id = Some("boot:another".into());
        assert_eq!(history(&sampled), None, "runs of another test bed");
    }

    fn cell(function: &str, concurrency: usize) -> Sample {
        Sample { function: function.into(), concurrency, ..Sample::new(0, Verdict::Unchanged) }
    }

    #[test]
    fn functions_are_lines_over_their_concurrencies() {
        let sampled = Sampled::of(&[cell("b", 10), cell("a", 10), cell("b", 5), cell("a", 20)]);
        let expected = ["throughput-tokenizer", "latency-tokenizer~b", "latency-tokenizer~a"];
        assert_eq!(names_of_groups(&sampled), expected);
        let points = &contents(&sampled)[0].lines[0].points;
        assert_eq!(points.iter().map(|point| point.x).collect::<Vec<_>>(), [5.0, 10.0]);
    }

    #[test]
    fn a_single_concurrency_is_not_a_line() {
        assert!(names_of_groups(&Sampled::of(&[cell("a", 10)])).is_empty());
        assert!(names_of_groups(&Sampled::of(&[cell("a", 10), cell("b", 10)])).is_empty());
        let mut sampled = Sampled::of(&[cell("b", 10), cell("a", 10), cell("b", 5)]);
        assert_eq!(names_of_groups(&sampled), ["throughput-tokenizer", "latency-tokenizer"]);
        assert_eq!(names(&contents(&sampled)[0].lines), ["b", "b"], "a has a single one");
        // Only the concurrency told these two apart.
        sampled.runs[0].cells[2].load = crate::plan::Load::closed(10);
        assert!(names_of_groups(&sampled).is_empty());
    }

    #[test]
    fn the_percentiles_of_a_cell_say_both_sides_and_what_the_bands_are() {
        let sampled = Sampled::new(&[Verdict::Regressed, Verdict::New, Verdict::Invalid]);
        let of = |parameter: u32| svg(&sampled, &format!("percentiles-tokenizer~3k_tokens=2f{parameter}"));
        let first = of(5).unwrap();
        let subtitle = "p50 28.39 ms, p99 53.94 ms; base 23.06 ms and 43.82 ms. \
                        Bands: the rounds without the lowest and the highest 10%.";
        assert!(first.contains(subtitle), "{first}");
        assert!(first.contains("<title>tokenizer/3k_tokens/5</title>"));
        assert!(!of(10).unwrap().contains("base"));
        assert!(of(15).is_none(), "it has no latency at all");
    }

    #[test]
    fn charts_of_a_confirmed_cell_show_the_rounds_of_the_screening_and_say_so() {
        let sampled = Sampled::duet();
        let of = |parameter: u32| {
            svg(&sampled, &format!("percentiles-tokenizer~3k_tokens=2f{parameter}")).unwrap()
        };
        assert!(of(5).contains("p50 28.39 ms, p99 53.94 ms; base 23.06 ms"));
        assert!(of(5).contains("These are the rounds of the screening; fresh pairs decided."));
        assert!(!of(10).contains("screening"));
    }

    #[test]
    fn each_chart_is_drawn_once_and_has_its_files() {
        let mut sampled = Sampled::new(&[Verdict::Regressed, Verdict::Invalid]);
        sampled.store(2);
        let figures = figures(&sampled.report());
        let scopes: Vec<Scope> = figures.iter().map(|figure| figure.scope).collect();
        let (group, cell) = (Scope::Group(0), Scope::Cell(0, 0));
        assert_eq!(scopes, [Scope::Call, group, group, cell, cell, cell]);
        let each = if cfg!(feature = "png") { 2 } else { 1 };
        assert_eq!(files(&figures).unwrap().len(), each * figures.len());
    }

    #[test]
    fn file_names_fit_into_a_file_system_and_differ() {
        let (long, other) = ("ä".repeat(300), format!("{}b", "ä".repeat(299)));
        let of = |group: &str, function: &str| name_of(PERCENTILES, &[group, function]);
        let names = [of(&long, &long), of(&long, &other), of("a", &long)];
        assert!(names.iter().all(|name| name.len() <= PERCENTILES.len() + 1 + MAX_LEN), "{names:?}");
        assert!(names[0] != names[1] && names[1] != names[2]);
        assert_eq!(of("g", "a/b"), "percentiles-g~a=2fb");
    }

    #[test]
    fn its_own_names_are_recognised() {
        for group in ["tokenizer", "", "..", "東京 <\"&>", &"ä".repeat(300)] {
            for kind in KINDS {
                for name in
                    [name_of(kind, &[group]), name_of(kind, &[group, ""]), name_of(kind, &[group, "A/5"])]
                {
                    assert!(ENDINGS.iter().all(|ending| is_ours(&format!("{name}{ending}"))), "{name}");
                }
            }
        }
        assert!(is_ours("change.svg") && is_ours("change.png"));
    }

    #[test]
    fn other_names_are_not_ours() {
        let others = [
            "index.html",
            "run.json",
            "change.pdf",
            "change",
            "changes.svg",
            "my-change.svg",
            "rounds.png",
            "rounds-.png",
            "latency-My group.svg",
            "latency-Mine.svg",
            "throughput-a.svg.bak",
            "notes-a.png",
            "latency-../x.svg",
        ];
        for other in others {
            assert!(!is_ours(other), "{other}");
        }
    }
}
