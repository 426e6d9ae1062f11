//! The latency percentiles of a cell, from the fastest request to the rarest slow one: whether all of them became slower, or the
//! slowest alone. A side with histograms has a curve, a baseline has the percentiles that it stores.
//!
//! Each further nine (90%, 99%, 99.9%, …) is equally wide, so that the tail has as much room as the middle.

use crate::plan::Side;
use crate::record::{LatencyHistogram, METRICS, Metric, Round};
use crate::report::chart::frame::{Axis, End, Frame, Heading, Line, Point, Tick, extent};
use crate::report::chart::svg::{Drawing, Marker, Rect};
use crate::report::model::{Cell, Report, Row};
use crate::stats::describe::{median, sorted};

const PLOT_HEIGHT_PX: f64 = 260.0;
const X_TITLE: &str = "percentile (90%, 99% and 99.9% are equally far apart)";
/// A percentile needs this many exchanges of a round on each side.
const MIN_BEYOND: f64 = 5.0;
/// Percentiles per nine, enough for a smooth curve.
const STEPS_PER_NINE: f64 = 10.0;
/// With at least this many rounds, a band leaves out a tenth of them at each end.
const MIN_ROUNDS_TO_TRIM: usize = 10;
const TRIM: f64 = 0.1;

/// The latency percentiles of one cell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Distribution {
    /// Base and head, if they have values: latencies in nanoseconds. `x` is the number of nines (1 for 90%, 2 for 99%: the negative
    /// logarithm of the share beyond), the value is the median over rounds, its interval is the band. Points have markers if nothing
    /// is known between them.
    pub(crate) lines: Vec<Line>,
    /// The share of the rounds that a band leaves out at each end; `None` without a band, if there is a single round.
    pub(crate) cut: Option<f64>,
}

/// Percentiles by their nines, each with the values of all rounds.
type Samples = Vec<(f64, Vec<f64>)>;

impl Distribution {
    /// From the rounds of a cell, and from the stored runs that it was compared with.
    pub(crate) fn new(report: &Report, cell: &Cell) -> Self {
        let rows = cell.rows();
        let sides = [Side::Base, Side::Head].map(|side| {
            let rounds: Vec<&Round> = match side {
                Side::Base => cell.runs.iter().flat_map(|run| &run.base).collect(),
                Side::Head => cell.runs.iter().flat_map(|run| &run.rounds).collect(),
            };
            match of_histograms(&rounds, &rows) {
                Some(samples) => (side, None, samples),
                None if side == Side::Base => (side, Some(Marker::Circle), stored(report, cell, &rows)),
                None => (side, Some(Marker::Circle), of_metrics(&rounds, &rows)),
            }
        });
        let counts =
            sides.iter().filter_map(|(_, _, samples)| samples.first()).map(|(_, values)| values.len());
        let cut = match counts.min().unwrap_or(0) {
            0 | 1 => None,
            few if few < MIN_ROUNDS_TO_TRIM => Some(0.0),
            _ => Some(TRIM),
        };
        let line = |(side, marker, samples): (Side, Option<Marker>, Samples)| {
            let points = samples.into_iter().filter_map(|percentile| over_rounds(percentile, cut)).collect();
            Line { name: side.to_string(), side, marker, points }
        };
        let lines = sides.map(line).into_iter().filter(|line| !line.points.is_empty()).collect();
        Self { lines, cut }
    }

    /// The lines at the percentiles that are metrics.
    pub(crate) fn at_metrics(&self) -> Vec<Line> {
        let mut lines = self.lines.clone();
        lines.iter_mut().for_each(|line| line.points.retain(|point| !title(point.x).is_empty()));
        lines
    }
}

/// The title of the metric that is the percentile at this place; empty if there is none.
pub(crate) fn title(at: f64) -> &'static str {
    METRICS.iter().find(|metric| nines(metric) == Some(at)).map_or("", |metric| metric.title)
}

fn over_rounds((nines, values): (f64, Vec<f64>), cut: Option<f64>) -> Option<Point> {
    let values = sorted(&values);
    let cut = (cut.unwrap_or(0.0) * values.len() as f64) as usize;
    Some(Point { x: nines, value: median(&values)?, low: values[cut], high: values[values.len() - 1 - cut] })
}

/// The nines of a metric that is a percentile; `None` for other metrics.
fn nines(metric: &Metric) -> Option<f64> {
    metric.quantile.map(|share| -(1.0 - share).log10())
}

/// The highest percentile that a round of this many exchanges has.
fn last_nines(exchanges: u64) -> f64 {
    (exchanges as f64 / MIN_BEYOND).log10()
}

/// The lowest one. The fastest exchange alone says no more than the slowest.
fn first_nines(exchanges: u64) -> f64 {
    let below = (MIN_BEYOND / exchanges as f64).min(0.5);
    -(1.0 - below).log10()
}

/// The percentiles by the rounds' histograms; `None` if a round has none that can be read, as in stored runs.
fn of_histograms(rounds: &[&Round], rows: &[Row]) -> Option<Samples> {
    let fewest = rounds.iter().map(|round| round.counts.successes).min()?;
    // All rounds show the percentiles that the cell has, also those with fewer exchanges than the others.
    let known = rows.iter().filter(|row| row.shown.is_some()).filter_map(|row| nines(row.metric));
    let last = known.clone().reduce(f64::max)?.max(last_nines(fewest));
    let first = first_nines(fewest);
    let steps = ((last - first) * STEPS_PER_NINE).ceil().max(1.0);
    let evenly = (0..=steps as usize).map(|step| first + (last - first) * step as f64 / steps);
    let mut nines: Vec<f64> = evenly.chain(known).collect();
    nines.sort_by(f64::total_cmp);
    nines.dedup();
    let mut values = vec![Vec::with_capacity(rounds.len()); nines.len()];
    let mut histogram = LatencyHistogram::new();
    for round in rounds {
        histogram.clear();
        round.latency.add_to(&mut histogram);
        for (values, nines) in values.iter_mut().zip(&nines) {
            values.push(histogram.quantile_ns(1.0 - 10f64.powf(-nines))?);
        }
    }
    Some(nines.into_iter().zip(values).collect())
}

/// The percentiles that are metrics, from rounds of head without histograms.
fn of_metrics(rounds: &[&Round], rows: &[Row]) -> Samples {
    let of_row = |row: &Row| {
        row.value(Side::Head)?;
        let values: Option<Vec<f64>> =
            rounds.iter().map(|round| round.values.get(row.metric.id).copied()).collect();
        nines(row.metric).zip(values)
    };
    rows.iter().filter_map(of_row).collect()
}

/// What a baseline keeps of the runs that the cell was compared with.
fn stored(report: &Report, cell: &Cell, rows: &[Row]) -> Samples {
    let series: Vec<_> = report.stored(cell).into_iter().map(|(_, stored)| stored.series()).collect();
    let of_row = |row: &Row| {
        row.value(Side::Base)?;
        let of_metric = series.iter().filter_map(|series| series.values.get(row.metric.id));
        let values: Vec<f64> = of_metric.flatten().flatten().copied().collect();
        nines(row.metric).zip(Some(values).filter(|values| !values.is_empty()))
    };
    rows.iter().filter_map(of_row).collect()
}

/// Draws the percentiles of a cell; `None` if head has none, or a single one.
pub(crate) fn draw(
    title: &str,
    subtitle: &str,
    Distribution { lines, .. }: &Distribution,
) -> Option<Drawing> {
    lines.iter().find(|line| line.side == Side::Head && line.points.len() > 1)?;
    let points = || lines.iter().flat_map(|line| &line.points);
    let (smallest, largest) = extent(points())?;
    let last = points().map(|point| point.x).fold(0.0, f64::max);

    let heading = Heading::new(title, subtitle);
    let names: Vec<String> = lines.iter().map(|line| line.name.clone()).collect();
    let frame = Frame::new(&heading, Axis::latency(smallest, largest), PLOT_HEIGHT_PX, &names, 0.0);
    let Rect { left, right, .. } = frame.plot;
    let x = |nines: f64| left + (right - left) * nines / last;
    let drawing = heading.draw(names, None, frame.height(), |canvas| {
        lines.iter().for_each(|line| frame.band(canvas, line, x));
        frame.vertical_axis(canvas);
        let ticks: Vec<Tick> = shares(last).into_iter().map(|(nines, label)| (x(nines), label)).collect();
        frame.horizontal_axis(canvas, &ticks, X_TITLE);
        let ends: Vec<End> = lines.iter().filter_map(|line| frame.line(canvas, line, x)).collect();
        frame.names(canvas, &ends);
    });
    Some(drawing)
}

/// The labelled shares, as nines and text: none, half (the best-known percentile), and each whole nine.
fn shares(last: f64) -> Vec<Tick> {
    let whole = (1..=last.floor() as usize).map(|nines| {
        let decimals = nines.saturating_sub(2);
        (nines as f64, format!("{:.decimals$}%", 100.0 - 10f64.powi(2 - nines as i32)))
    });
    [(0.0, "0%".to_owned()), (2f64.log10(), "50%".to_owned())].into_iter().chain(whole).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Verdict;
    use crate::record::Run;
    use crate::report::tests::{Sample, Sampled};

    fn distribution(verdict: Verdict, change: impl Fn(&mut Run)) -> Distribution {
        let mut sampled = Sampled::new(&[verdict]);
        change(&mut sampled.runs[0]);
        of(&sampled)
    }

    fn of(sampled: &Sampled) -> Distribution {
        let report = sampled.report();
        Distribution::new(&report, &report.cells()[0])
    }

    #[test]
    fn the_half_and_whole_nines_are_labelled() {
        let labels: Vec<String> = shares(4.2).into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, ["0%", "50%", "90%", "99%", "99.9%", "99.99%"]);
        assert_eq!(shares(0.5).len(), 2);
    }

    fn line(of: &Distribution, side: Side) -> Option<&Line> {
        of.lines.iter().find(|line| line.side == side)
    }

    fn at(line: &Line, nines: f64) -> Point {
        *line.points.iter().min_by(|a, b| (a.x - nines).abs().total_cmp(&(b.x - nines).abs())).unwrap()
    }

    #[test]
    fn the_percentiles_of_the_metrics_match_their_names() {
        let all: Vec<(&str, f64)> = METRICS.iter().filter_map(|m| Some((m.id, nines(m)?))).collect();
        let shares = all.iter().map(|(id, nines)| {
            let digits = id.trim_start_matches("latency_p").replace('_', ".");
            (digits.parse::<f64>().unwrap() / 100.0, 1.0 - 10f64.powf(-nines))
        });
        assert_eq!(all.len(), 5);
        shares.for_each(|(named, found)| assert!((named - found).abs() < 1e-9, "{named} {found}"));
    }

    #[test]
    fn head_is_a_curve_and_a_baseline_has_the_points_of_its_metrics() {
        let found = distribution(Verdict::Regressed, |_| {});
        let [base, head] = [Side::Base, Side::Head].map(|side| line(&found, side).unwrap());
        assert!(head.marker.is_none() && base.marker.is_some());
        let last = head.points.last().unwrap().x;
        assert!((last - last_nines(1234)).abs() < 1e-9, "{last}");
        let below = 1234.0 * (1.0 - 10f64.powf(-head.points[0].x));
        assert!((below - MIN_BEYOND).abs() < 1e-9, "{below}");
        assert_eq!(base.points.len(), 3, "p50, p90 and p99");
        assert!((at(head, 2.0).value / at(base, 2.0).value - 1.231).abs() < 0.05);
        assert!(head.points.windows(2).all(|pair| pair[0].value <= pair[1].value));
    }

    #[test]
    fn a_curve_begins_and_ends_where_five_exchanges_are_left() {
        for exchanges in [0, 3, 10] {
            assert!((first_nines(exchanges) - 2f64.log10()).abs() < 1e-9, "{exchanges}");
        }
        assert!(first_nines(11) < last_nines(11));
    }

    #[test]
    fn the_band_leaves_out_rounds_only_if_there_are_many() {
        let rounds = |count: usize| move |run: &mut Run| run.cells[0].rounds.truncate(count);
        let whole = distribution(Verdict::Regressed, rounds(10));
        let few = distribution(Verdict::Regressed, rounds(9));
        let one = distribution(Verdict::Regressed, rounds(1));
        assert_eq!([whole.cut, few.cut, one.cut], [Some(0.1), Some(0.0), None]);
        let width = |of: &Distribution| {
            let Point { low, high, .. } = at(line(of, Side::Head).unwrap(), 1.0);
            high - low
        };
        assert!(width(&whole) > 0.0 && width(&whole) < width(&few) && width(&one) == 0.0);
    }

    #[test]
    fn a_run_without_histograms_has_the_points_of_its_metrics() {
        let found = distribution(Verdict::Unchanged, |run| {
            run.cells[0].rounds.iter_mut().for_each(|round| round.latency = Default::default());
        });
        let head = line(&found, Side::Head).unwrap();
        assert!(head.marker.is_some());
        assert_eq!(head.points.len(), 3);
    }

    #[test]
    fn a_cell_that_was_not_compared_has_no_base_and_a_failed_one_has_nothing() {
        assert_eq!(line(&distribution(Verdict::New, |_| {}), Side::Base), None);
        assert!(distribution(Verdict::Invalid, |_| {}).lines.is_empty());
        let other = Sample { concurrency: 7, ..Sample::new(0, Verdict::Unchanged) };
        assert!(line(&of(&Sampled::of(&[other])), Side::Head).is_some());
    }

    #[test]
    fn stored_runs_of_another_machine_or_definition_are_left_out_as_in_judging() {
        let found = distribution(Verdict::Unchanged, |run| run.cells[0].definition = "another".into());
        assert_eq!(line(&found, Side::Base), None);
        let mut sampled = Sampled::new(&[Verdict::Unchanged]);
        let alone = of(&sampled);
        let mut foreign = sampled.baseline.runs[0].clone();
        foreign.environment.machine.test_bed.id = Some("boot:another".into());
        for round in foreign.cells.iter_mut().flat_map(|cell| &mut cell.rounds) {
            round.values.values_mut().for_each(|value| *value *= 10.0);
        }
        sampled.baseline.runs.push(foreign);
        assert_eq!(of(&sampled), alone);
        sampled.baseline.runs.remove(0);
        assert_eq!(line(&of(&sampled), Side::Base), None, "only another test bed has it");
    }
}
