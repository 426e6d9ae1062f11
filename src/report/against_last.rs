//! A glance back at the previous run on this machine: shown, never judged.

use super::words;
use crate::record::{CellRun, Run};

/// The metrics that are glanced at, with what they are called.
const GLANCED: [(&str, &str); 2] = [("latency_p50", "latency p50"), ("throughput", "throughput")];

/// How the cells that both have differ, in a line; nothing when they have none in common.
///
/// Two single runs prove nothing: that is what baselines are for, and the line says so.
pub(crate) fn against_last(runs: &[Run], last: &[Run]) -> Option<String> {
    let mut parts = Vec::new();
    for (id, title) in GLANCED {
        let mut changes: Vec<f64> = cells(runs).filter_map(|cell| change(cell, last, id)).collect();
        changes.sort_by(f64::total_cmp);
        match &changes[..] {
            [] => {}
            [only] => parts.push(format!("{title} {}", words::change(*only))),
            [lowest, .., highest] => parts.push(format!(
                "{title} {} to {} over {}",
                words::change(*lowest),
                words::change(*highest),
                words::plural(changes.len() as u64, "cell")
            )),
        }
    }
    (!parts.is_empty()).then(|| format!("Against the last run (not judged): {}.", parts.join(", ")))
}

fn cells(runs: &[Run]) -> impl Iterator<Item = &CellRun> {
    runs.last().into_iter().flat_map(|run| &run.cells)
}

fn change(cell: &CellRun, last: &[Run], metric: &str) -> Option<f64> {
    let same = |other: &&CellRun| {
        other.group == cell.group && other.id == cell.id && other.definition == cell.definition
    };
    let base = geometric_mean(cells(last).find(same)?, metric)?;
    Some(geometric_mean(cell, metric)? / base - 1.0)
}

/// Over the rounds, as changes are ratios.
fn geometric_mean(cell: &CellRun, metric: &str) -> Option<f64> {
    let logs: Vec<f64> =
        cell.rounds.iter().filter_map(|round| round.values.get(metric)).map(|value| value.ln()).collect();
    let mean = logs.iter().sum::<f64>() / logs.len() as f64;
    mean.is_finite().then(|| mean.exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Verdict;
    use crate::report::samples::{run_of, samples};

    fn run(latencies: &[f64]) -> Run {
        let mut run = run_of(&samples(&vec![Verdict::New; latencies.len()]));
        for (cell, latency) in run.cells.iter_mut().zip(latencies) {
            for round in &mut cell.rounds {
                round.values.insert("latency_p50", *latency);
            }
        }
        run
    }

    #[test]
    fn the_range_of_changes_is_told() {
        let line = against_last(&[run(&[110.0, 95.0])], &[run(&[100.0, 100.0])]);
        let expected = "Against the last run (not judged): latency p50 -5.0 % to +10.0 % over 2 cells.";
        assert_eq!(line.as_deref(), Some(expected));
        let line = against_last(&[run(&[110.0])], &[run(&[100.0, 100.0])]);
        assert_eq!(line.as_deref(), Some("Against the last run (not judged): latency p50 +10.0 %."));
    }

    #[test]
    fn nothing_in_common_says_nothing() {
        let mut redefined = run(&[100.0]);
        redefined.cells[0].definition = "another".into();
        assert_eq!(against_last(&[run(&[100.0])], &[redefined]), None);
        assert_eq!(against_last(&[run(&[100.0])], &[]), None);
        assert_eq!(against_last(&[run(&[0.0])], &[run(&[0.0])]), None, "zero has no ratio");
        assert_eq!(against_last(&[], &[run(&[1.0])]), None);
    }
}
