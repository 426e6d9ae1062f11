//! What terminal and page say alike of a cell, in words.

use super::view::{CellView, Row};
use super::words;
use crate::record::{Better, Fault};

/// The metric that tells how promptly the client sent on.
pub(crate) const LAG: &str = "lag";

/// Responses by status, then what came instead of one.
pub(crate) fn responses(cell: &CellView) -> String {
    let counts = &cell.counts;
    let mut parts: Vec<String> = Vec::new();
    for (status, number) in &counts.statuses {
        let unexpected =
            if counts.faults.contains_key(&Fault::Status(*status)) { " (unexpected)" } else { "" };
        parts.push(format!("{status}{unexpected}: {}", words::count(*number)));
    }
    let others = counts.faults.iter().filter(|(fault, _)| !matches!(fault, Fault::Status(_)));
    parts.extend(others.map(|(fault, number)| format!("{}: {}", fault.in_words(), words::count(*number))));
    parts.join(", ")
}

/// How promptly the client sent on, who told the time, and what went otherwise than it should.
pub(crate) fn client(cell: &CellView) -> String {
    let lag = cell.row(LAG).and_then(|row| row.head.as_ref());
    let mut parts: Vec<String> = lag.iter().map(|lag| words::promptness(lag.value)).collect();
    let counts = &cell.counts;
    if counts.statuses.values().any(|&responses| responses > 0) {
        parts.push(words::timed_by(counts.clock(), counts.unstamped));
    }
    if counts.reconnects > 0 {
        parts.push(words::plural(counts.reconnects, "reconnect"));
    }
    if counts.slow_sends > 0 {
        let slow = words::plural(counts.slow_sends, "request");
        parts.push(format!("{slow} took long to send, so that latency may be too high"));
    }
    parts.join(", ")
}

/// The smallest worsening of each judged metric that would have been found.
pub(crate) fn detectable(cell: &CellView) -> String {
    let judged = cell.rows.iter().filter(|row| row.is_judged());
    let parts = judged.filter_map(|row| Some(format!("{} {}", row.metric.title, findable(row)?)));
    parts.collect::<Vec<_>>().join(", ")
}

/// The smallest worsening that would have been found, in the metric's own direction.
pub(crate) fn findable(row: &Row) -> Option<String> {
    let comparison = row.comparison.as_ref()?;
    let size = comparison.findable.filter(|size| size.is_finite())?;
    let signed = match row.metric.better {
        Better::Lower => size,
        Better::Higher => -size,
    };
    Some(words::change_of(signed, row.is_difference()))
}
