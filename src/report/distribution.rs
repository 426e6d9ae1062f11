//! The latency percentiles of a cell with their spread over rounds. A side with histograms has a curve, a baseline has the
//! percentiles that it stores.

use crate::record::{Baseline, CellRun, LatencyHistogram, Metric, Round, Run};
use crate::report::chart::Point;
use crate::report::view::Row;

/// A percentile needs this many exchanges of a round on each side.
const MIN_BEYOND: f64 = 5.0;
/// Percentiles per nine, enough for a smooth curve.
const STEPS_PER_NINE: f64 = 16.0;
/// With at least this many rounds, a band leaves out a tenth of them at each end.
const MIN_ROUNDS_TO_TRIM: usize = 10;
const TRIM: f64 = 0.1;

/// The percentiles of one cell. A side that has none is empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Distribution {
    pub(crate) base: PercentileCurve,
    pub(crate) head: PercentileCurve,
    pub(crate) band: Band,
}

/// The percentiles of one side, from the lowest to the highest.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct PercentileCurve {
    /// In nanoseconds. `x` is the number of nines (1 for 90%, 2 for 99%: the negative logarithm of the share beyond), `value` the
    /// median over rounds, `low` and `high` the ends of the band.
    pub(crate) percentiles: Vec<Point>,
    /// Whether nothing is known between them.
    pub(crate) is_of_points: bool,
}

/// The ends of a band.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Band {
    /// There is a single round.
    #[default]
    None,
    /// The lowest and the highest round.
    All,
    /// The same, after leaving out a tenth of the rounds at each end.
    Trimmed,
}

impl Distribution {
    /// That of a cell, given its rounds in each run, the metrics that it has, and the baseline.
    pub(crate) fn new(runs: &[Run], cells: &[&CellRun], rows: &[Row], baseline: &Baseline) -> Self {
        let rounds: Vec<&Round> = cells.iter().flat_map(|cell| &cell.rounds).collect();
        let stored = cells.last().zip(runs.last()).map(|(cell, run)| stored(cell, run, rows, baseline));
        let beside: Vec<&Round> = cells.iter().flat_map(|cell| &cell.base).collect();
        let base = of_histograms(&beside, rows).or(stored).unwrap_or_default();
        let head = of_histograms(&rounds, rows).unwrap_or_else(|| {
            of_rows(rows, |row| {
                let value = |round: &&Round| round.values.get(row.metric.id).copied();
                row.head.as_ref().and(rounds.iter().map(value).collect())
            })
        });
        let fewest = [&base, &head].into_iter().filter_map(|side| side.values.first()).map(Vec::len).min();
        let band = match fewest.unwrap_or(0) {
            0 | 1 => Band::None,
            few if few < MIN_ROUNDS_TO_TRIM => Band::All,
            _ => Band::Trimmed,
        };
        Self { base: base.over_rounds(band), head: head.over_rounds(band), band }
    }
}

/// For each percentile the values of all rounds.
#[derive(Debug, Default)]
struct Side {
    nines: Vec<f64>,
    values: Vec<Vec<f64>>,
    is_of_points: bool,
}

impl Side {
    fn over_rounds(self, band: Band) -> PercentileCurve {
        let percentile = |(nines, mut values): (f64, Vec<f64>)| {
            values.sort_by(f64::total_cmp);
            let last = values.len().checked_sub(1)?;
            let cut = if band == Band::Trimmed { (TRIM * values.len() as f64) as usize } else { 0 };
            let value = f64::midpoint(values[last / 2], values[last.div_ceil(2)]);
            Some(Point { x: nines, value, low: values[cut], high: values[last - cut] })
        };
        let percentiles = self.nines.into_iter().zip(self.values).filter_map(percentile).collect();
        PercentileCurve { percentiles, is_of_points: self.is_of_points }
    }
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
fn of_histograms(rounds: &[&Round], rows: &[Row]) -> Option<Side> {
    let fewest = rounds.iter().map(|round| round.counts.successes).min()?;
    // All rounds show the percentiles that the cell has, also those with fewer exchanges than the others.
    let of_metrics = rows.iter().filter(|row| row.head.is_some()).filter_map(|row| nines(row.metric));
    let last = of_metrics.clone().reduce(f64::max)?.max(last_nines(fewest));
    let first = first_nines(fewest);
    let steps = ((last - first) * STEPS_PER_NINE).ceil().max(1.0);
    let evenly = (0..=steps as usize).map(|step| first + (last - first) * step as f64 / steps);
    let mut nines: Vec<f64> = evenly.chain(of_metrics).collect();
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
    Some(Side { nines, values, is_of_points: false })
}

/// The percentiles that are metrics and for which there are values.
fn of_rows(rows: &[Row], values: impl Fn(&Row) -> Option<Vec<f64>>) -> Side {
    let mut side = Side { is_of_points: true, ..Side::default() };
    for row in rows {
        if let Some((nines, values)) = nines(row.metric).zip(values(row)) {
            side.nines.push(nines);
            side.values.push(values);
        }
    }
    side
}

/// What a baseline keeps of the runs that the cell was compared with.
fn stored(cell: &CellRun, run: &Run, rows: &[Row], baseline: &Baseline) -> Side {
    let series: Vec<_> = baseline
        .current(&cell.id, run)
        .filter(|(_, stored)| stored.definition == cell.definition)
        .map(|(_, stored)| stored.series())
        .collect();
    of_rows(rows, |row| {
        row.base.as_ref()?;
        let of_metric = series.iter().filter_map(|series| series.values.get(row.metric.id));
        let values: Vec<f64> = of_metric.flatten().flatten().copied().collect();
        (!values.is_empty()).then_some(values)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Verdict;
    use crate::record::METRICS;
    use crate::report::samples::{Sample, baseline_of, report, run_of, samples};

    fn distribution(verdict: Verdict, change: impl Fn(&mut Run)) -> Distribution {
        let samples = samples(&[verdict]);
        let mut run = run_of(&samples);
        change(&mut run);
        let rows = report(&samples).groups[0].cells[0].rows.clone();
        Distribution::new(std::slice::from_ref(&run), &[&run.cells[0]], &rows, &baseline_of(&samples))
    }

    fn at(curve: &PercentileCurve, nines: f64) -> Point {
        *curve.percentiles.iter().min_by(|a, b| (a.x - nines).abs().total_cmp(&(b.x - nines).abs())).unwrap()
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
        assert!(!found.head.is_of_points && found.base.is_of_points);
        let last = found.head.percentiles.last().unwrap().x;
        assert!((last - last_nines(1234)).abs() < 1e-9, "{last}");
        let below = 1234.0 * (1.0 - 10f64.powf(-found.head.percentiles[0].x));
        assert!((below - MIN_BEYOND).abs() < 1e-9, "{below}");
        assert_eq!(found.base.percentiles.len(), 3, "p50, p90 and p99");
        let (base, head) = (at(&found.base, 2.0).value, at(&found.head, 2.0).value);
        assert!((head / base - 1.231).abs() < 0.05, "{head} against {base}");
        assert!(found.head.percentiles.windows(2).all(|pair| pair[0].value <= pair[1].value));
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
        assert_eq!([whole.band, few.band, one.band], [Band::Trimmed, Band::All, Band::None]);
        let width = |of: &Distribution| at(&of.head, 1.0).high - at(&of.head, 1.0).low;
        assert!(width(&whole) > 0.0 && width(&whole) < width(&few) && width(&one) == 0.0);
    }

    #[test]
    fn a_run_without_histograms_has_the_points_of_its_metrics() {
        let found = distribution(Verdict::Unchanged, |run| {
            run.cells[0].rounds.iter_mut().for_each(|round| round.latency = Default::default());
        });
        assert!(found.head.is_of_points);
        assert_eq!(found.head.percentiles.len(), 3);
    }

    #[test]
    fn a_cell_that_was_not_compared_has_no_base_and_a_failed_one_has_nothing() {
        assert!(distribution(Verdict::New, |_| {}).base.percentiles.is_empty());
        let failed = distribution(Verdict::Invalid, |_| {});
        assert!(failed.head.percentiles.is_empty() && failed.base.percentiles.is_empty());
        let other = Sample { concurrency: 7, ..Sample::new(0, Verdict::Unchanged) };
        let found = &report(&[other]).groups[0].cells[0].distribution;
        assert!(!found.head.percentiles.is_empty());
    }

    #[test]
    fn stored_runs_of_another_machine_or_definition_are_left_out_as_in_judging() {
        let found = distribution(Verdict::Unchanged, |run| run.cells[0].definition = "another".into());
        assert!(found.base.percentiles.is_empty());
        let samples = samples(&[Verdict::Unchanged]);
        let rows = report(&samples).groups[0].cells[0].rows.clone();
        let mut baseline = baseline_of(&samples);
        let run = run_of(&samples);
        let mut foreign = baseline.runs[0].clone();
        foreign.environment.machine.test_bed.id = Some("boot:another".into());
        for round in foreign.cells.iter_mut().flat_map(|cell| &mut cell.rounds) {
            round.values.values_mut().for_each(|value| *value *= 10.0);
        }
        baseline.runs.push(foreign);
        let base = |baseline: &Baseline| {
            Distribution::new(std::slice::from_ref(&run), &[&run.cells[0]], &rows, baseline).base
        };
        assert_eq!(base(&baseline), base(&baseline_of(&samples)));
        baseline.runs.remove(0);
        assert!(base(&baseline).percentiles.is_empty(), "only another test bed has it");
    }
}
