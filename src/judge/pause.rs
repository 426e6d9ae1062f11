//! Whether the whole machine paused: rounds of several cells, one right after the other, that were slow at the same time.
//!
//! Nothing is left out for it. Tails have a robust centre; the means keep such rounds, and their spread, which makes the intervals wider.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::record::words::{elapsed, plural};
use crate::record::{Judged, METRICS, Round, Run};
use crate::stats::describe::median;

/// A round is slow when it lies so many robust standard deviations above its cell's median.
const SLOW: f64 = 4.0;
/// So much of a normal distribution's standard deviation is its median absolute deviation.
const MAD_OF_SD: f64 = 0.6745;
/// Rounds that agree better than this are not slow for being a little apart, on a log scale.
const LEAST_SPREAD: f64 = 0.01;
/// Fewer rounds of a cell show no median to lie above.
const LEAST_ROUNDS: usize = 10;
/// So many slow rounds in a row are no chance.
const LEAST_IN_A_ROW: usize = 3;

/// A round in the order of time: when it began, which cell (and side) it belongs to, and whether it was slow.
type Moment = (Duration, usize, bool);

/// A sentence on the longest pause of each run.
pub(super) fn notes<'a>(runs: impl Iterator<Item = &'a Run>) -> Vec<String> {
    runs.filter_map(note).collect()
}

fn note(run: &Run) -> Option<String> {
    let sides = run.cells.iter().flat_map(|cell| [&cell.rounds, &cell.base]);
    let mut moments: Vec<Moment> =
        sides.enumerate().flat_map(|(side, rounds)| moments(side, rounds)).collect();
    moments.sort_by_key(|(started, side, _)| (*started, *side));
    let paused = moments
        .chunk_by(|one, next| one.2 == next.2)
        .filter(|chunk| chunk[0].2 && chunk.len() >= LEAST_IN_A_ROW && chunk[0].0 < chunk[chunk.len() - 1].0)
        .filter(|chunk| of_cells(chunk) > 1)
        .max_by_key(|chunk| chunk.len())?;
    Some(format!(
        "{} in a row, of {} cells or sides, were slow at the same time, {} after the start: the machine paused, or a launch was slow. They are \
         counted like all others, which makes intervals wider.",
        plural(paused.len() as u64, "round"),
        of_cells(paused),
        elapsed(paused[0].0)
    ))
}

fn of_cells(chunk: &[Moment]) -> usize {
    chunk.iter().map(|(_, side, _)| side).collect::<BTreeSet<_>>().len()
}

/// The rounds of one side of a cell, by the first metric that is always judged.
fn moments(side: usize, rounds: &[Round]) -> Vec<Moment> {
    let value = |round: &Round| {
        let metric = METRICS.iter().find(|metric| metric.judged == Judged::Always)?;
        round.values.get(metric.id).map(|value| value.ln()).filter(|log| log.is_finite())
    };
    let logs: Vec<(Duration, f64)> =
        rounds.iter().filter_map(|round| Some((round.started, value(round)?))).collect();
    let plain: Vec<f64> = logs.iter().map(|(_, log)| *log).collect();
    let Some(centre) = median(&plain).filter(|_| plain.len() >= LEAST_ROUNDS) else { return Vec::new() };
    let away: Vec<f64> = plain.iter().map(|log| (log - centre).abs()).collect();
    let spread = (median(&away).unwrap_or(0.0) / MAD_OF_SD).max(LEAST_SPREAD);
    logs.iter().map(|(started, log)| (*started, side, log - centre > SLOW * spread)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::fixture::{cell, run};
    use crate::judge::tests::simulated::Normal;
    use crate::record::CellRun;

    /// Cells whose rounds take turns, a second each; those between the two times take half as long again.
    fn measured(cells: usize, slow: std::ops::Range<u64>, normal: &mut Normal) -> Run {
        let one = |index: usize, normal: &mut Normal| -> CellRun {
            let mut value = |at: usize| {
                let started = (at * cells + index) as u64;
                let factor = if slow.contains(&started) { 1.5 } else { 1.0 };
                vec![1e6 * factor * (1.0 + normal.next(0.03))]
            };
            let mut cell =
                cell(&format!("find/{index}"), &[("latency_p50", (0..30).map(&mut value).collect())]);
            for (at, round) in cell.rounds.iter_mut().enumerate() {
                round.started = Duration::from_secs((at * cells + index) as u64);
            }
            cell
        };
        run((0..cells).map(|index| one(index, normal)).collect())
    }

    #[test]
    fn a_pause_of_all_cells_is_noted_with_its_time_and_noise_is_not() {
        let mut normal = Normal(fastrand::Rng::with_seed(7));
        let found = note(&measured(4, 40..48, &mut normal)).unwrap();
        assert!(
            found.starts_with("8 rounds in a row, of 4 cells or sides, were slow at the same time, 40 s"),
            "{found}"
        );
        let alarms = (0..100).filter(|_| note(&measured(4, 0..0, &mut normal)).is_some()).count();
        assert_eq!(alarms, 0);
    }

    #[test]
    fn one_slow_cell_is_no_pause_of_the_machine() {
        let mut normal = Normal(fastrand::Rng::with_seed(8));
        assert_eq!(note(&measured(1, 10..20, &mut normal)), None);
        assert_eq!(note(&run(Vec::new())), None);
    }
}
