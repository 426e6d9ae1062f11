//! Whether a cell was measured fairly: if not, no number of it says anything of the service.

use crate::record::words::share;
use crate::record::{CellRun, Counts, Fault, Metric, Unit};
use crate::stats::describe::median;

/// The client is the bottleneck when in the median round its mean lag exceeds the mean latency of a closed loop: each
/// connection is then idle for longer than it is busy. A tail of the lag would say it of every busy machine.
const MOST_LAG: f64 = 1.0;

/// Why one run of a cell cannot be used at all; nothing when it can.
pub(super) fn unfair(cell: &CellRun) -> Option<String> {
    if let Some(reason) = &cell.invalid {
        return Some(reason.clone());
    }
    if cell.rounds.is_empty() {
        return Some("No round of it was measured.".to_owned());
    }
    if cell.counts().requests == 0 {
        return Some("Not one request was sent inside its rounds.".to_owned());
    }
    let ours = cell.own_faults();
    if let Some(count) = ours.get(&Fault::NoFreePort) {
        return Some(format!(
            "This machine had no free port left for {count} connections, so the service was not measured: widen the local \
             port range (net.ipv4.ip_local_port_range), or lower the concurrency."
        ));
    }
    let count: u64 = ours.values().sum();
    (count > 0).then(|| {
        format!(
            "{count} exchanges failed by an error of this machine (too few file descriptors, say), so the service was not \
             measured."
        )
    })
}

/// Why a cell with such counts was not measured; nothing when enough exchanges succeeded.
pub(super) fn too_many_failures(counts: &Counts, least: f64) -> Option<String> {
    let ratio = counts.success_ratio()?;
    (ratio < least).then(|| {
        format!(
            "Only {} of its exchanges succeeded, at least {} are needed: the others' speed says nothing. Where so few are \
             meant to, `group.least_success_ratio(…)` in the bench file asks for less.",
            rounded_down(ratio),
            share(least)
        )
    })
}

/// A share that is too small in per cent, so that it does not read as enough.
fn rounded_down(ratio: f64) -> String {
    share((ratio * 1e4).floor() / 1e4)
}

/// Why a rate of this cell would be the client's and not the service's; nothing when it is the service's. Such a rate shows
/// neither a change nor that there is none; the latencies, which the kernel stamped, are the service's all the same.
pub(super) fn client_bound(cell: &CellRun, metric: &Metric) -> Option<String> {
    let is_rate = matches!(metric.unit, Unit::PerSecond | Unit::TokensPerSecond);
    if !is_rate || !cell.load.is_timed() {
        return None;
    }
    let ratio = |values: &std::collections::BTreeMap<&str, f64>| {
        let ratio = values.get("lag_mean")? / values.get("latency_mean")?;
        ratio.is_finite().then_some(ratio)
    };
    let ratios: Vec<f64> = cell.rounds.iter().filter_map(|round| ratio(&round.values)).collect();
    let ratio = median(&ratios).filter(|ratio| *ratio > MOST_LAG)?;
    Some(format!(
        "The client was the bottleneck: between two requests a worker waits {ratio:.1} times as long for the client as for the \
         service, so this rate is the client's."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_just_below_what_is_needed_does_not_read_as_enough() {
        let counts = Counts { requests: 1_000_000, successes: 949_999, ..Counts::default() };
        let reason = too_many_failures(&counts, 0.95).unwrap();
        assert!(reason.starts_with("Only 94.99 % of its exchanges succeeded, at least 95 %"), "{reason}");
        assert_eq!(too_many_failures(&Counts { successes: 950_000, ..counts }, 0.95), None);
    }
}
