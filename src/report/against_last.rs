//! A glance back at the previous run on this machine: shown, never judged.

use super::words;
use crate::record::{CellRun, Run, time_of_run};

/// The metrics that are glanced at, with what they are called.
const GLANCED: [(&str, &str); 2] = [("latency_p50", "latency p50"), ("throughput", "throughput")];

/// How the cells that both have differ, in a line; nothing when they have none in common.
///
/// Of either call all runs count. Two calls prove nothing: that is what baselines are for, and the line says so.
pub(crate) fn against_last(runs: &[Run], last: &[Run]) -> Option<String> {
    let mut parts = Vec::new();
    for (id, title) in GLANCED {
        let cells = runs.last().into_iter().flat_map(|run| &run.cells);
        let mut changes: Vec<f64> = cells.filter_map(|cell| change(cell, runs, last, id)).collect();
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
    let changes = parts.join(", ");
    (!parts.is_empty()).then(|| {
        format!(
            "Not judged, against {}: {changes}. More latency is slower, more throughput is faster.",
            named(last)
        )
    })
}

/// Which call it was: `the last call (run 20261124T170012Z-abc1234 of 2026-11-24T17:00:12Z)`.
fn named(last: &[Run]) -> String {
    let Some(first) = last.first() else { return "the last call".to_owned() };
    let time = time_of_run(&first.id).map(|time| format!(" of {}", humantime::format_rfc3339_seconds(time)));
    let runs = match last.len() {
        1 => "run",
        _ => "all its runs since",
    };
    format!("the last call ({runs} {}{})", first.id, time.unwrap_or_default())
}

fn change(cell: &CellRun, runs: &[Run], last: &[Run], metric: &str) -> Option<f64> {
    Some(geometric_mean(cell, runs, metric)? / geometric_mean(cell, last, metric)? - 1.0)
}

/// Of that cell over the rounds of all runs, as changes are ratios.
fn geometric_mean(cell: &CellRun, runs: &[Run], metric: &str) -> Option<f64> {
    let same = |other: &&CellRun| {
        other.group == cell.group && other.id == cell.id && other.definition == cell.definition
    };
    let rounds = runs.iter().flat_map(|run| &run.cells).filter(same).flat_map(|cell| &cell.rounds);
    let logs: Vec<f64> =
        rounds.filter_map(|round| round.values.get(metric)).map(|value| value.ln()).collect();
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

    const CALL: &str =
        "Not judged, against the last call (run 20261124T170012Z-abc1234 of 2026-11-24T17:00:12Z): ";
    const SIGNS: &str = ". More latency is slower, more throughput is faster.";

    #[test]
    fn the_range_of_changes_is_told_with_the_call_that_it_is_against() {
        let line = against_last(&[run(&[110.0, 95.0])], &[run(&[100.0, 100.0])]);
        assert_eq!(line, Some(format!("{CALL}latency p50 -5.0 % to +10.0 % over 2 cells{SIGNS}")));
        let line = against_last(&[run(&[110.0])], &[run(&[100.0, 100.0])]);
        assert_eq!(line, Some(format!("{CALL}latency p50 +10.0 %{SIGNS}")));
    }

    #[test]
    fn a_throughput_that_fell_has_a_minus_and_all_runs_of_a_call_count() {
        let with_rate = |rate: f64| {
            let mut run = run(&[100.0]);
            run.cells[0].rounds.iter_mut().for_each(|round| _ = round.values.insert("throughput", rate));
            run
        };
        // Its last run alone was as fast as before.
        let line = against_last(&[with_rate(81.0), with_rate(100.0)], &[with_rate(100.0)]);
        assert_eq!(line, Some(format!("{CALL}latency p50 +0.0 %, throughput -10.0 %{SIGNS}")));
        let line = against_last(&[with_rate(90.0)], &[with_rate(81.0), with_rate(100.0)]).unwrap();
        assert!(line.contains("all its runs since 20261124T170012Z-abc1234 of 2026"), "{line}");
        assert!(line.contains("throughput +0.0 %"), "{line}");
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
