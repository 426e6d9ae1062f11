//! A duet whose truth is known, measured and judged as any other, and told as plain figures instead of a report.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::judge::{Policy, Verdict, judge};
use crate::plan::Plan;
use crate::record::{CellRun, Stop};
use crate::session::error::SessionError;
use crate::session::options::Options;
use crate::session::walk::measure_all;

/// What became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rehearsal {
    /// How long measuring took.
    pub(crate) seconds: f64,
    /// The signal that ended it, if one did.
    #[serde(skip)]
    pub(crate) signal: Option<i32>,
    /// What else ended it before its time: such a one says nothing of the gate.
    #[serde(skip)]
    pub(crate) failed: Option<String>,
    /// Rounds of head, all looks together.
    pub(crate) rounds: usize,
    /// What was said of each cell, by its whole id.
    pub(crate) cells: BTreeMap<String, Rehearsed>,
}

/// What was said of one cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rehearsed {
    /// The verdict's name.
    pub(crate) verdict: String,
    /// Whether it is red.
    pub(crate) red: bool,
    /// Whether it was measured fairly.
    pub(crate) fair: bool,
    /// The displayed change of each metric: lower end, estimate, upper end.
    pub(crate) changes: BTreeMap<String, [f64; 3]>,
    /// The median over head's rounds of each latency, in nanoseconds.
    pub(crate) medians_ns: BTreeMap<String, f64>,
}

/// The latencies that are told.
const LATENCIES: [&str; 4] = ["latency_p50", "latency_p90", "latency_p95", "latency_p99"];

/// Measures and judges a plan; writes no report and no baseline.
///
/// # Errors
/// When it cannot be measured.
pub(crate) fn rehearse(plan: Plan, options: &Options) -> Result<Rehearsal, SessionError> {
    let plan = plan.validated()?;
    let began = Instant::now();
    let runs = measure_all(&plan, &[], options)?;
    let judgement = judge(&[], &runs, &Policy::usual());
    let first = runs.first().map(|run| &run.cells[..]).unwrap_or_default();
    let told = first.iter().zip(&judgement.cells).map(|(cell, judged)| {
        let change = |comparison: &crate::judge::Comparison| {
            let change = comparison.change?;
            Some((comparison.metric.id.to_owned(), [change.low, change.estimate, change.high]))
        };
        let rehearsed = Rehearsed {
            verdict: judged.verdict.name().to_owned(),
            red: judged.verdict == Verdict::Regressed,
            fair: !matches!(judged.verdict, Verdict::Invalid | Verdict::Incomparable),
            changes: judged.comparisons.iter().filter_map(change).collect(),
            medians_ns: LATENCIES
                .iter()
                .filter_map(|id| Some(((*id).to_owned(), median(cell, id)?)))
                .collect(),
        };
        (cell.full_id(), rehearsed)
    });
    let stops = || runs.iter().filter_map(|run| run.stop.as_ref());
    Ok(Rehearsal {
        seconds: began.elapsed().as_secs_f64(),
        signal: stops().find_map(|stop| match stop {
            Stop::Signal(signal) => Some(*signal),
            Stop::Failed(_) | Stop::TimeUp => None,
        }),
        failed: stops().find_map(|stop| match stop {
            Stop::Failed(what) => Some(what.clone()),
            Stop::TimeUp => Some("its time was up".to_owned()),
            Stop::Signal(_) => None,
        }),
        rounds: runs.iter().flat_map(|run| &run.cells).map(|cell| cell.rounds.len()).sum(),
        cells: told.collect(),
    })
}

/// The middle one of the rounds' values; nothing when there is none.
fn median(cell: &CellRun, id: &str) -> Option<f64> {
    let mut values: Vec<f64> = cell.rounds.iter().filter_map(|round| round.values.get(id).copied()).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
