//! Numbers as people read them in reasons and notes.

use std::time::Duration;

use crate::record::time_of_run;

/// `12.3 %`, without a sign.
pub(super) fn percent(fraction: f64) -> String {
    format!("{:.1} %", 100.0 * fraction.abs())
}

/// `1 launch`, `5 launches`.
pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

/// Degrees of freedom, with one digit where they are no whole number: `8`, `3.4`.
pub(super) fn degrees(df: f64) -> String {
    if df.fract() == 0.0 { format!("{df}") } else { format!("{df:.1}") }
}

/// A share as a percentage with enough digits to tell 0.1 points: `99.98 %`.
pub(super) fn share(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// Nanoseconds in the unit that suits them: `1.25 ms`.
pub(super) fn nanoseconds(value: f64) -> String {
    const UNITS: [(f64, &str); 3] = [(1e9, "s"), (1e6, "ms"), (1e3, "µs")];
    let unit = UNITS.into_iter().find(|(scale, _)| value >= *scale);
    let (scale, name) = unit.unwrap_or((1.0, "ns"));
    format!("{:.2} {name}", value / scale)
}

/// The day on which a run began, `2026-11-24`; its id, when that does not tell.
pub(super) fn day_of_run(id: &str) -> String {
    match (time_of_run(id), id.get(..4), id.get(4..6), id.get(6..8)) {
        (Some(_), Some(year), Some(month), Some(day)) => format!("{year}-{month}-{day}"),
        _ => format!("`{id}`"),
    }
}

/// Whole seconds, rounded up: `17s`.
pub(super) fn whole_seconds(duration: Duration) -> String {
    format!("{}s", duration.as_secs_f64().ceil())
}
