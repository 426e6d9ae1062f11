//! Whether latencies fall within launches: the service is still warming up, by a compiler at run time or caches that fill.

use std::time::Duration;

use crate::record::round::Round;
use crate::stats::describe::{mean, median};
use crate::stats::series::p_falling;

/// Level of the test. With independent rounds at most one of a thousand steady cells is called warming, and if each round resembles the
/// one before (lag-1 correlation 0.6) at most one of fifty (by simulation, in the tests below).
const LEVEL: f64 = 0.001;
/// A trial has one round, and more if that is faster than the warm-up before it by this fraction.
const FIRST_FALL: f64 = 0.02;
/// Fewer rounds of one launch cannot show a fall at [`LEVEL`].
pub(crate) const LEAST_ROUNDS: u32 = 8;
/// Latencies still fall at the end if this share of their fall lies between the second third and the last one.
const LATE_SHARE: f64 = 0.25;
/// A trial goes on while its last third is faster than the third before by more than this fraction.
const LAST_FALL: f64 = 0.005;
const MOST_ROUNDS: usize = 30;

/// How latencies fall within a launch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Fall {
    /// From the first third of a launch's rounds to the last one, as a fraction.
    pub(crate) by: f64,
    /// The first round from which latencies stay about as they are in the last third.
    pub(crate) settled: usize,
    /// Whether they still fall in the last third.
    pub(crate) goes_on: bool,
}

/// Whether a trial with these latencies, one per round, needs another round to show whether they fall, and until when. `warm_up` is the
/// latency of the warm-up, if it is known.
pub(crate) fn needs_more_rounds(warm_up: Option<f64>, latencies: &[f64]) -> bool {
    match latencies.len() {
        0 => true,
        1 => warm_up.is_some_and(|warm_up| latencies[0] < warm_up * (1.0 - FIRST_FALL)),
        rounds if rounds < LEAST_ROUNDS as usize => true,
        rounds if rounds < MOST_ROUNDS => {
            let third = rounds / 3;
            let level = |from: usize| mean(&logs(&latencies[from..from + third])).unwrap_or(0.0);
            level(rounds - third) < level(rounds - 2 * third) + (-LAST_FALL).ln_1p()
        }
        _ => false,
    }
}

/// How latencies fall, given those of the rounds of each launch in order of time. `None` if a fall by more than `threshold` is not shown.
pub(crate) fn fall(launches: &[Vec<f64>], threshold: f64) -> Option<Fall> {
    if p_falling(launches)? >= LEVEL {
        return None;
    }
    // Relative to the last third of the same launch.
    let launches: Vec<Vec<f64>> =
        launches.iter().filter(|rounds| rounds.len() > 1).map(|l| logs(l)).collect();
    let third = |rounds: usize| (rounds / 3).max(1);
    let end = |rounds: &[f64]| mean(&rounds[rounds.len() - third(rounds.len())..]);
    let above_end: Vec<Vec<f64>> = launches
        .iter()
        .filter_map(|rounds| end(rounds).map(|end| rounds.iter().map(|round| round - end).collect()))
        .collect();
    // The thirds of launches with two rounds are the same round.
    let above = |first: fn(usize) -> usize| {
        let third_from = |rounds: &Vec<f64>| mean(&rounds[first(rounds.len())..][..third(rounds.len())]);
        median(&above_end.iter().filter_map(third_from).collect::<Vec<_>>())
    };
    let (start, middle) = (above(|_| 0)?, above(|rounds| rounds / 3)?);
    let by = -(-start).exp_m1();
    let shortest = above_end.iter().map(Vec::len).min()?;
    let level = |at: usize| median(&above_end.iter().map(|rounds| rounds[at]).collect::<Vec<_>>());
    let levels: Vec<f64> = (0..shortest).filter_map(level).collect();
    let is_settled = |levels: &[f64]| mean(levels).is_some_and(|level| level <= threshold.ln_1p());
    let settled = levels.windows(third(third(shortest))).position(is_settled).unwrap_or(shortest - 1);
    (by > threshold).then_some(Fall { by, settled, goes_on: middle > LATE_SHARE * start })
}

/// How latencies fall over the rounds of each launch, and from when on after the first round of a launch they no longer do.
pub(crate) fn fall_of_rounds(rounds: &[Round], metric: &str, threshold: f64) -> Option<(Fall, Duration)> {
    let mut launches: Vec<(usize, Vec<f64>, Vec<Duration>)> = Vec::new();
    for round in rounds {
        let value = *round.values.get(metric)?;
        match launches.iter_mut().find(|(launch, ..)| *launch == round.launch) {
            Some((_, values, starts)) => {
                values.push(value);
                starts.push(round.started);
            }
            None => launches.push((round.launch, vec![value], vec![round.started])),
        }
    }
    let values: Vec<Vec<f64>> = launches.iter().map(|(_, values, _)| values.clone()).collect();
    let fall = fall(&values, threshold)?;
    let after = |starts: &[Duration]| Some(starts.get(fall.settled)?.saturating_sub(*starts.first()?));
    let settled = launches.iter().filter_map(|(.., starts)| after(starts)).max()?;
    Some((fall, settled))
}

fn logs(values: &[f64]) -> Vec<f64> {
    values.iter().map(|value| value.ln()).collect()
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;

    const THRESHOLD: f64 = 0.05;
    /// Spread of the medians of rounds, as on a busy machine.
    const NOISE: f64 = 0.03;

    fn normal(rng: &mut Rng) -> f64 {
        (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0
    }

    /// Rounds of a launch whose latency is `1 + amplitude · exp(-t / time)`, each of which resembles the one before.
    struct Launch<'a> {
        rng: &'a mut Rng,
        amplitude: f64,
        /// In rounds.
        time: f64,
        noise: f64,
        correlation: f64,
        last: Option<f64>,
        round: f64,
    }

    impl<'a> Launch<'a> {
        fn steady(rng: &'a mut Rng, noise: f64, correlation: f64) -> Self {
            Self { rng, amplitude: 0.0, time: 1.0, noise, correlation, last: None, round: 1.0 }
        }

        fn next(&mut self) -> f64 {
            let fresh = normal(self.rng);
            let kept = (1.0 - self.correlation.powi(2)).sqrt();
            let noise = self.last.map_or(fresh, |last| self.correlation * last + kept * fresh);
            (self.last, self.round) = (Some(noise), self.round + 1.0);
            (1.0 + self.amplitude * (-self.round / self.time).exp()) * (self.noise * noise).exp()
        }

        fn rounds(mut self, count: usize) -> Vec<f64> {
            (0..count).map(|_| self.next()).collect()
        }

        /// A warm-up of three rounds, and the rounds after it.
        fn trial(mut self) -> Vec<f64> {
            let warm_up = mean(&[self.next(), self.next(), self.next()]);
            let mut rounds = Vec::new();
            while needs_more_rounds(warm_up, &rounds) {
                rounds.push(self.next());
            }
            rounds
        }
    }

    #[test]
    fn steady_launches_are_rarely_called_warming() {
        let mut rng = Rng::with_seed(18);
        let calls = 4_000;
        for (launches, rounds) in [(1, 30), (5, 6), (10, 3), (15, 2)] {
            for (noise, correlation, most) in [(NOISE, 0.0, 0.001), (0.1, 0.0, 0.0015), (NOISE, 0.6, 0.02)] {
                let mut is_alarm = || {
                    let launch = |_| Launch::steady(&mut rng, noise, correlation).rounds(rounds);
                    fall(&(0..launches).map(launch).collect::<Vec<_>>(), THRESHOLD).is_some()
                };
                let share = (0..calls).filter(|_| is_alarm()).count() as f64 / f64::from(calls);
                assert!(
                    share <= most,
                    "{share} of {launches} launches with {rounds} rounds, {noise}, {correlation}"
                );
            }
        }
    }

    #[test]
    fn steady_trials_are_rarely_called_warming_and_end_soon() {
        let mut rng = Rng::with_seed(19);
        let calls = 4_000;
        for (noise, correlation, most) in [(0.01, 0.0, 0.001), (NOISE, 0.0, 0.001), (NOISE, 0.6, 0.004)] {
            let (mut alarms, mut rounds) = (0, 0);
            for _ in 0..calls {
                let trial = Launch::steady(&mut rng, noise, correlation).trial();
                rounds += trial.len();
                alarms += u32::from(fall(&[trial], THRESHOLD).is_some());
            }
            let share = f64::from(alarms) / f64::from(calls);
            let mean_rounds = rounds as f64 / f64::from(calls);
            assert!(
                share <= most && mean_rounds < 4.0,
                "{share}, {mean_rounds} rounds, {noise}, {correlation}"
            );
        }
    }

    #[test]
    fn a_launch_that_warms_up_is_noticed_with_the_time_that_it_takes() {
        let mut rng = Rng::with_seed(20);
        let (mut found, mut short) = (0, 0);
        for _ in 0..500 {
            // After the warm-up the service takes about twice as long as in the end.
            let (amplitude, time) = (1.65, 6.0);
            let warming = Launch { amplitude, time, ..Launch::steady(&mut rng, NOISE, 0.0) };
            let trial = warming.trial();
            let Some(fall) = fall(&[trial], THRESHOLD) else { continue };
            found += 1;
            // By the curve 5% above the end are left after about 15 rounds.
            assert!(fall.by > 0.2 && (6..=26).contains(&fall.settled), "{fall:?}");
            short += usize::from(fall.goes_on);
        }
        assert!(short < found / 10, "{short} of {found} still fall");
        assert!(found > 470, "{found} of 500");
    }

    #[test]
    fn launches_of_two_rounds_show_a_fall_together() {
        let mut rng = Rng::with_seed(21);
        let launch = |_| {
            let warming = Launch { amplitude: 0.5, time: 2.0, ..Launch::steady(&mut rng, NOISE, 0.0) };
            warming.rounds(2)
        };
        let launches: Vec<Vec<f64>> = (0..15).map(launch).collect();
        let found = fall(&launches, 0.02).unwrap();
        assert!(found.by > 0.02 && found.settled == 1, "{found:?}");
        assert_eq!(fall(&launches, 0.5), None, "it is below the threshold");
    }

    #[test]
    fn a_launch_that_still_falls_at_its_end_is_told_from_one_that_has_settled() {
        let steadily: Vec<f64> = (0..30).map(|round| 2.0 - f64::from(round) / 30.0).collect();
        assert!(fall(&[steadily], THRESHOLD).unwrap().goes_on);
        let at_first: Vec<f64> = (0..30).map(|round| 1.0 + (-f64::from(round) / 3.0).exp()).collect();
        assert!(!fall(&[at_first], THRESHOLD).unwrap().goes_on);
    }

    #[test]
    fn rounds_are_taken_by_launch_and_say_when_they_are_settled() {
        let round = |launch: usize, at: usize| Round {
            launch,
            started: Duration::from_secs(100 * launch as u64 + at as u64),
            values: [("latency_p50", 100.0 / (1.0 + at as f64).min(4.0) + launch as f64)].into(),
            ..Round::default()
        };
        let rounds: Vec<Round> = (0..5).flat_map(|launch| (0..6).map(move |at| round(launch, at))).collect();
        let (fall, settled) = fall_of_rounds(&rounds, "latency_p50", THRESHOLD).unwrap();
        assert!(fall.by > 0.5, "{fall:?}");
        assert_eq!(settled, Duration::from_secs(3));
        assert_eq!(fall_of_rounds(&rounds, "latency_p99", THRESHOLD), None);
        assert_eq!(fall_of_rounds(&[], "latency_p50", THRESHOLD), None);
    }
}
