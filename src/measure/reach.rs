//! Which metrics a cell can have, decided once, by the rounds of the trial launch.

use std::time::Duration;

use crate::plan::{Group, Load, whole_seconds};
use crate::record::words::duration_ns;
use crate::record::{CellRun, Counts, Judged, METRICS, Metric, Tally, UsualRound, metric};

/// The metrics that rounds like the trial's can be expected to have.
fn reachable(trial: &Tally) -> Vec<&'static Metric> {
    let is_near = |metric: &&Metric| {
        trial.counts.successes >= metric.promised_from()
            && (metric.least_successes > 1 || (metric.value)(trial).is_some())
    };
    METRICS.iter().filter(is_near).collect()
}

/// The metrics of a cell: those of its baseline, if it has one, else those that the trial can reach; and what is worth saying.
pub(crate) fn decide(
    planned: &mut CellRun,
    group: &Group,
    load: Load,
    pinned: Option<&[String]>,
    trial: &Tally,
) {
    let mut metrics = reachable(trial);
    for metric in pinned.unwrap_or_default().iter().filter_map(|id| metric(id)) {
        if !metrics.contains(&metric) && (metric.value)(trial).is_some() {
            metrics.push(metric);
        }
    }
    metrics.sort_by_key(|metric| METRICS.iter().position(|row| row == *metric));
    planned.notes.extend(what_is_missing(&metrics, group, load, &trial.counts));
    planned.metrics = metrics;
}

/// Which of the usual metrics a cell is too slow for, and what would reach them; as criterion says it.
fn what_is_missing(metrics: &[&Metric], group: &Group, load: Load, had: &Counts) -> Option<String> {
    let is_usual = |metric: &&Metric| matches!(metric.judged, Judged::Always) || metric.id == "latency_p99";
    let missing: Vec<_> =
        METRICS.iter().filter(is_usual).filter(|metric| !metrics.contains(metric)).collect();
    let neediest = missing.iter().max_by_key(|metric| metric.least_successes)?;
    let named = |metric: &&Metric| format!("{} ({})", metric.title, metric.promised_from());
    let names: Vec<_> = missing.iter().copied().map(|metric| named(&metric)).collect();
    let round = UsualRound {
        is_timed: load.is_timed(),
        measurement_time: group.settings.measurement_time,
        requests: had.requests as f64,
        successes: had.successes as f64,
    };
    let them = if names.len() == 1 { "it" } else { "them" };
    let advice = round.remedy(neediest).map(|remedy| format!(": {remedy} would reach {them}"));
    Some(format!(
        "A round has {} successes, too few for {}{}",
        had.successes,
        names.join(", "),
        advice.unwrap_or_default()
    ))
}

/// Why a cell cannot be measured in its time, one exchange of which took so long; nothing when it can.
pub(crate) fn too_slow(group: &Group, load: Load, exchange: Duration) -> Option<String> {
    let settings = &group.settings;
    if !load.is_timed() || exchange <= settings.measurement_time {
        return None;
    }
    let least = metric("latency_p50").map_or(1, Metric::promised_from);
    let a_round = exchange.mul_f64(least as f64 / load.concurrency() as f64).max(exchange);
    let time = whole_seconds(a_round.mul_f64(settings.sample_size as f64));
    Some(format!(
        "One exchange took {}, longer than the whole measurement_time of {}: a measurement_time of {time} would do",
        duration_ns(exchange.as_nanos() as f64),
        whole_seconds(settings.measurement_time)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Cell, Endpoint, Location};

    fn trial(successes: u64) -> Tally {
        let window = Duration::from_millis(330);
        let mut tally = Tally {
            window,
            counts: Counts { requests: successes, successes, ..Counts::default() },
            ..Tally::default()
        };
        (0..successes).for_each(|_| tally.latency.record(Duration::from_millis(5)));
        tally
    }

    fn decided(successes: u64, pinned: Option<&[String]>) -> CellRun {
        let group = Group::new("g", Location::unknown());
        let cell = Cell {
            id: "c".into(),
            targets: Endpoint::get("/").into(),
            load: Load::closed(1),
            throughput: None,
            location: Location::unknown(),
            metrics: None,
        };
        let mut planned = CellRun::planned(&group, &cell);
        decide(&mut planned, &group, cell.load, pinned, &trial(successes));
        planned
    }

    fn has(planned: &CellRun, id: &str) -> bool {
        planned.metrics.iter().any(|metric| metric.id == id)
    }

    #[test]
    fn a_percentile_needs_five_beyond_it_with_a_factor_two_in_reserve() {
        assert!(has(&decided(1_000, None), "latency_p99") && decided(1_000, None).notes.is_empty());
        let fewer = decided(999, None);
        assert!(has(&fewer, "latency_p95") && !has(&fewer, "latency_p99"));
        assert!(fewer.notes[0].contains("a measurement_time of 11s would reach it"), "{:?}", fewer.notes);
        assert!(!has(&decided(39, None), "throughput") && has(&decided(40, None), "throughput"));
        assert!(!has(&decided(40, None), "output_tokens"), "no response named any");
    }

    #[test]
    fn a_burst_is_told_to_grow_and_not_to_take_longer() {
        let group = Group::new("g", Location::unknown());
        let had = trial(300).counts;
        let note = what_is_missing(&reachable(&trial(300)), &group, Load::burst(300), &had).unwrap();
        assert!(note.starts_with("A round has 300 successes, too few for latency p99 (1000)"), "{note}");
        assert!(note.ends_with(": a burst of 1,000 requests would reach it"), "{note}");
    }

    #[test]
    fn what_the_baseline_has_is_taken_over() {
        assert!(has(&decided(600, Some(&["latency_p99".to_owned()])), "latency_p99"));
    }

    #[test]
    fn an_exchange_longer_than_the_whole_time_is_too_slow() {
        let group = Group::new("g", Location::unknown());
        assert_eq!(too_slow(&group, Load::closed(1), Duration::from_secs(9)), None);
        let why = too_slow(&group, Load::closed(10), Duration::from_secs(12)).unwrap();
        assert!(why.contains("took 12.00 s") && why.contains("measurement_time of 720s would do"), "{why}");
        assert_eq!(too_slow(&group, Load::burst(10), Duration::from_secs(12)), None);
    }
}
