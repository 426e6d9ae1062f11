//! Lines about a cell that the terminal and the page share.

use crate::record::{Better, Fault};
use crate::report::text;
use crate::report::view::{CellView, Row};

/// The metric that tells how promptly the client sent on.
pub(crate) const LAG: &str = "lag";

/// Responses by status, then what came instead of one.
pub(crate) fn responses(cell: &CellView) -> String {
    let counts = &cell.counts;
    let mut parts: Vec<String> = Vec::new();
    for (status, number) in &counts.statuses {
        let unexpected =
            if counts.faults.contains_key(&Fault::Status(*status)) { " (unexpected)" } else { "" };
        parts.push(format!("{status}{unexpected}: {}", text::count(*number)));
    }
    let others = counts.faults.iter().filter(|(fault, _)| !matches!(fault, Fault::Status(_)));
    parts.extend(others.map(|(fault, number)| format!("{}: {}", fault.in_words(), text::count(*number))));
    parts.join(", ")
}

/// How promptly the client sent on, which clock timed the responses, and reconnects and slow sends.
pub(crate) fn client(cell: &CellView) -> String {
    let lag = cell.row(LAG).and_then(|row| row.head.as_ref());
    let mut parts: Vec<String> = lag.iter().map(|lag| text::promptness(lag.value)).collect();
    let counts = &cell.counts;
    if counts.statuses.values().any(|&responses| responses > 0) {
        parts.push(text::timed_by(counts.clock(), counts.unstamped));
    }
    if counts.reconnects > 0 {
        parts.push(text::plural(counts.reconnects, "reconnect"));
    }
    if counts.slow_sends > 0 {
        let slow = text::plural(counts.slow_sends, "request");
        parts.push(format!("{slow} took long to send, so that latency may be too high"));
    }
    parts.join(", ")
}

/// The detectable change of each judged metric.
pub(crate) fn detectable_changes(cell: &CellView) -> String {
    let judged = cell.rows.iter().filter(|row| row.is_judged());
    let parts = judged.filter_map(|row| Some(format!("{} {}", row.metric.title, detectable(row)?)));
    parts.collect::<Vec<_>>().join(", ")
}

/// The detectable change of a metric, in its own direction.
pub(crate) fn detectable(row: &Row) -> Option<String> {
    let comparison = row.comparison.as_ref()?;
    let size = comparison.detectable.filter(|size| size.is_finite())?;
    let signed = match row.metric.better {
        Better::Lower => size,
        Better::Higher => -size,
    };
    Some(text::change_of(signed, row.is_difference()))
}
