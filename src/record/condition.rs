//! What else the machine did while a run was measured: the usual causes of noise. `counters` reads what it is made of.

use serde::{Deserialize, Serialize};

use crate::record::counters::Counters;

/// Fewer ticks say little: of a hundred, a share of one in ten is known to some three points.
const LEAST_TICKS: u64 = 100;

/// What else the machine did during the rounds of a run; what could not be found out is `None`, as all of it is elsewhere than on
/// Linux.
///
/// Shares are between 0 and 1. Starting, warming and stopping services do not count, nor does what lies between launches.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Condition {
    /// The share of the CPUs' time that other processes used: neither this one nor the services that it started. Of the CPUs that
    /// those may use. Unknown when a service was not started by plimsoll: it may be one of the others.
    ///
    /// Some kernels count interrupts to the process that they interrupt: then it is rather too small than too large.
    pub others_share: Option<f64>,
    /// The share of the CPUs' time in which they were wanted, and the hypervisor gave them to another machine.
    pub stolen_share: Option<f64>,
    /// The share of the periods of a limit of CPU time (a control group's, as containers have) in which it was used up, and
    /// client and service stood still. Unknown without such a limit.
    pub throttled_share: Option<f64>,
    /// How often CPUs were slowed down for their heat, added up over the CPUs.
    pub heat_throttles: Option<u64>,
    /// The frequency of the fastest CPU at the end of each launch in MHz: the lowest, and the highest of all launches.
    pub frequency_mhz: Option<(f64, f64)>,
}

impl Condition {
    /// The worst of several runs, field by field.
    pub fn worst<'a>(conditions: impl IntoIterator<Item = &'a Self>) -> Self {
        let higher = |one: Option<f64>, other: Option<f64>| one.into_iter().chain(other).reduce(f64::max);
        conditions.into_iter().fold(Self::default(), |worst, one| Self {
            others_share: higher(worst.others_share, one.others_share),
            stolen_share: higher(worst.stolen_share, one.stolen_share),
            throttled_share: higher(worst.throttled_share, one.throttled_share),
            heat_throttles: worst.heat_throttles.max(one.heat_throttles),
            frequency_mhz: one
                .frequency_mhz
                .into_iter()
                .fold(worst.frequency_mhz, |range, (low, high)| Some(widened(widened_by(range, low), high))),
        })
    }
}

fn widened_by(range: Option<(f64, f64)>, value: f64) -> (f64, f64) {
    range.map_or((value, value), |range| widened(range, value))
}

fn widened((low, high): (f64, f64), value: f64) -> (f64, f64) {
    (low.min(value), high.max(value))
}

/// Adds up what happened in each launch's rounds.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct ConditionSum {
    spans: u64,
    /// Spans of which it is known what client and services used.
    spans_with_ours: u64,
    ticks: u64,
    process_ticks: u64,
    stolen_ticks: u64,
    our_ticks: u64,
    periods: u64,
    throttled_periods: u64,
    heat_throttles: Option<u64>,
    frequency_mhz: Option<(f64, f64)>,
}

impl ConditionSum {
    /// Adds the span between two looks at the counters.
    pub(crate) fn add(&mut self, before: &Counters, after: &Counters) {
        self.spans += 1;
        for (number, now) in &after.cpus {
            let Some((_, then)) = before.cpus.iter().find(|(other, _)| other == number) else { continue };
            self.ticks += now.all.saturating_sub(then.all);
            self.process_ticks += now.processes.saturating_sub(then.processes);
            self.stolen_ticks += now.stolen.saturating_sub(then.stolen);
        }
        if let Some((then, now)) = before.our_ticks.zip(after.our_ticks) {
            self.spans_with_ours += 1;
            self.our_ticks += now.saturating_sub(then);
        }
        self.periods += after.periods.all.saturating_sub(before.periods.all);
        self.throttled_periods += after.periods.throttled.saturating_sub(before.periods.throttled);
        if let Some((then, now)) = before.heat_throttles.zip(after.heat_throttles) {
            *self.heat_throttles.get_or_insert_default() += now.saturating_sub(then);
        }
        if let Some(frequency) = after.frequency_mhz {
            self.frequency_mhz = Some(widened_by(self.frequency_mhz, frequency));
        }
    }

    /// What all spans come to; nothing when nothing is known.
    pub(crate) fn condition(&self) -> Option<Condition> {
        let share = |part: u64, of: u64| (of > 0).then(|| (part as f64 / of as f64).min(1.0));
        let of_ticks = |part| share(part, self.ticks).filter(|_| self.ticks >= LEAST_TICKS);
        // Ticks are sampled, and a process's time is not: a quiet machine can come out just below nothing.
        let others = self.process_ticks.saturating_sub(self.our_ticks);
        let condition = Condition {
            others_share: of_ticks(others).filter(|_| self.spans == self.spans_with_ours),
            stolen_share: of_ticks(self.stolen_ticks),
            throttled_share: share(self.throttled_periods, self.periods),
            heat_throttles: self.heat_throttles,
            frequency_mhz: self.frequency_mhz,
        };
        (condition != Condition::default()).then_some(condition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::counter_text::{CpuTicks, Periods};

    /// After so many ticks of two CPUs, half of which are processes', and so many of these are ours.
    fn counters(ticks: u64, ours: Option<u64>) -> Counters {
        let cpu = CpuTicks { processes: ticks / 2, stolen: ticks / 100, all: ticks };
        Counters { cpus: vec![(0, cpu), (1, cpu)], our_ticks: ours, ..Counters::default() }
    }

    #[test]
    fn others_are_what_is_left_of_the_processes_time_over_all_spans() {
        let mut sum = ConditionSum::default();
        sum.add(&counters(1_000, Some(70)), &counters(1_200, Some(170)));
        sum.add(&counters(5_000, Some(20)), &counters(5_200, Some(60)));
        let condition = sum.condition().unwrap();
        // 800 ticks, 400 of processes, 140 of them ours.
        assert_eq!(condition.others_share, Some(260.0 / 800.0));
        assert_eq!(condition.stolen_share, Some(8.0 / 800.0));
        assert_eq!((condition.throttled_share, condition.heat_throttles), (None, None));
        assert_eq!(condition.frequency_mhz, None);
    }

    #[test]
    fn others_are_unknown_as_soon_as_one_service_was_not_started_by_us_and_never_negative() {
        let mut sum = ConditionSum::default();
        sum.add(&counters(0, Some(0)), &counters(100, Some(101)));
        assert_eq!(sum.condition().unwrap().others_share, Some(0.0));
        sum.add(&counters(100, None), &counters(200, None));
        let condition = sum.condition().unwrap();
        assert_eq!((condition.others_share, condition.stolen_share), (None, Some(0.01)));
    }

    #[test]
    fn a_cpu_that_was_not_there_before_does_not_count_with_all_its_past() {
        let mut sum = ConditionSum::default();
        let mut after = counters(200, Some(10));
        after.cpus.push((7, CpuTicks { processes: 1 << 40, stolen: 1 << 40, all: 1 << 42 }));
        sum.add(&counters(100, Some(0)), &after);
        assert_eq!(sum.condition().unwrap().others_share, Some(90.0 / 200.0));
        // Counters that go backwards, as after a live migration.
        sum.add(&counters(1_000, Some(1_000)), &counters(10, Some(10)));
        assert_eq!(sum.condition().unwrap().others_share, Some(90.0 / 200.0));
    }

    #[test]
    fn throttling_heat_and_frequency_are_told_where_they_are_known() {
        let at = |all, throttled, heat, frequency| Counters {
            periods: Periods { all, throttled },
            heat_throttles: Some(heat),
            frequency_mhz: Some(frequency),
            ..Counters::default()
        };
        let mut sum = ConditionSum::default();
        sum.add(&at(100, 50, 3, 800.0), &at(110, 52, 3, 3_400.0));
        sum.add(&at(200, 52, 9, 900.0), &at(210, 55, 11, 3_100.0));
        let expected = Condition {
            throttled_share: Some(0.25),
            heat_throttles: Some(2),
            frequency_mhz: Some((3_100.0, 3_400.0)),
            ..Condition::default()
        };
        assert_eq!(sum.condition(), Some(expected));
    }

    #[test]
    fn few_ticks_say_nothing() {
        let mut sum = ConditionSum::default();
        sum.add(&counters(100, Some(0)), &counters(149, Some(0)));
        assert_eq!(sum.condition(), None);
        sum.add(&counters(100, Some(0)), &counters(101, Some(0)));
        assert!(sum.condition().is_some());
    }

    #[test]
    fn nothing_known_is_nothing_said() {
        assert_eq!(ConditionSum::default().condition(), None);
        let mut sum = ConditionSum::default();
        sum.add(&Counters::default(), &Counters::default());
        assert_eq!(sum.condition(), None);
    }

    #[test]
    fn the_worst_of_several_runs_is_the_worst_of_each_field() {
        let quiet = Condition {
            others_share: Some(0.1),
            frequency_mhz: Some((3_000.0, 3_100.0)),
            heat_throttles: Some(1),
            ..Condition::default()
        };
        let busy = Condition {
            others_share: Some(0.4),
            stolen_share: Some(0.02),
            frequency_mhz: Some((2_000.0, 3_050.0)),
            ..Condition::default()
        };
        let worst = Condition {
            stolen_share: Some(0.02),
            others_share: Some(0.4),
            heat_throttles: Some(1),
            frequency_mhz: Some((2_000.0, 3_100.0)),
            throttled_share: None,
        };
        assert_eq!(Condition::worst([&quiet, &busy]), worst);
        assert_eq!(Condition::worst([]), Condition::default());
    }
}
