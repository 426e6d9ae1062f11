//! What other rules in use say of the very same rounds. Each is told the p50 of one cell and answers whether head is slower.

use crate::calibrate::bank::Bank;
use crate::calibrate::luck::Luck;
use crate::calibrate::runs::latency_ns;
use crate::calibrate::simulate::Draw;
use crate::calibrate::world::World;
use crate::stats::describe::{mean, sample_variance, sorted};
use crate::stats::distribution::normal_upper_tail;

/// Two-sided level of those rules that have one.
const LEVEL: f64 = 0.05;
/// What criterion takes for noise, unless told otherwise.
const CRITERION_NOISE: f64 = 0.01;
const RESAMPLES: usize = 1_000;

/// One side of a cell.
pub(super) struct Side {
    /// p50 of each round.
    rounds: Vec<f64>,
    /// Latencies of all its requests, in order.
    requests: Vec<f32>,
}

/// A rule that somebody gates with.
pub(super) struct Rule {
    /// Its name in tables.
    pub name: &'static str,
    /// Whether it calls head slower.
    pub is_slower: fn(&Side, &Side, &mut Luck) -> bool,
}

/// The rules, in the order in which they are shown.
pub(super) const RULES: &[Rule] = &[
    Rule { name: "bootstrap of the pooled requests' median", is_slower: pooled_bootstrap },
    Rule { name: "criterion's rule on rounds", is_slower: criterion },
    Rule { name: "Mann-Whitney on rounds", is_slower: mann_whitney },
    Rule { name: "mean of rounds 10 % up", is_slower: |base, head, _| ratio_of_means(base, head) > 1.10 },
    Rule { name: "mean of rounds 1 % up", is_slower: |base, head, _| ratio_of_means(base, head) > 1.01 },
];

impl Side {
    /// Gathers the rounds that were drawn from a bank, as plimsoll is told them.
    pub fn new(draws: &[Draw], bank: &Bank, world: &World) -> Self {
        let p50 = bank.metrics.iter().position(|metric| metric.id == "latency_p50").unwrap_or(0);
        let of_round = |draw: &Draw| latency_ns(bank.rounds[draw.banked].values[p50], draw, world);
        let rounds = draws.iter().map(of_round).collect();
        let of_requests = |draw: &Draw| {
            let draw = *draw;
            let latencies = bank.rounds[draw.banked].latencies_ns.iter();
            latencies.map(move |latency| latency_ns(f64::from(*latency), &draw, world) as f32)
        };
        let mut requests: Vec<f32> = draws.iter().flat_map(of_requests).collect();
        requests.sort_unstable_by(f32::total_cmp);
        Self { rounds, requests }
    }

    fn mean(&self) -> f64 {
        mean(&self.rounds).unwrap_or(0.0)
    }
}

fn ratio_of_means(base: &Side, head: &Side) -> f64 {
    head.mean() / base.mean()
}

/// Whether the 95 % percentile interval of the ratio of medians lies above 1, each request being a sample.
///
/// The median of a resample of n is the order statistic whose rank is that of a Beta(n/2, n/2) share, normal for n as large as here.
fn pooled_bootstrap(base: &Side, head: &Side, luck: &mut Luck) -> bool {
    let mut resampled = |side: &Side| {
        let n = side.requests.len() as f64;
        let rank = n * 0.5 + luck.normal(0.5 * n.sqrt());
        f64::from(side.requests[(rank.max(0.0) as usize).min(side.requests.len() - 1)])
    };
    let ratios: Vec<f64> = (0..RESAMPLES).map(|_| resampled(head) / resampled(base)).collect();
    lower_end(ratios) > 1.0
}

/// The lower end of a percentile interval.
fn lower_end(resampled: Vec<f64>) -> f64 {
    sorted(&resampled)[(0.5 * LEVEL * RESAMPLES as f64) as usize]
}

/// criterion's: a bootstrapped t test with p < 0.05, and the interval of the change of the mean beyond 1 %.
fn criterion(base: &Side, head: &Side, luck: &mut Luck) -> bool {
    let mut resample = |values: &[f64], count: usize| -> Vec<f64> {
        (0..count).map(|_| values[luck.below(values.len())]).collect()
    };
    let (base, head) = (&base.rounds, &head.rounds);
    let change = |base: &[f64], head: &[f64]| mean(head).unwrap_or(0.0) / mean(base).unwrap_or(1.0) - 1.0;
    let changes: Vec<f64> =
        (0..RESAMPLES).map(|_| change(&resample(base, base.len()), &resample(head, head.len()))).collect();
    if lower_end(changes) <= CRITERION_NOISE {
        return false;
    }
    let pooled = [&base[..], &head[..]].concat();
    let seen = welch_t(base, head);
    let beyond = (0..RESAMPLES)
        .filter(|_| welch_t(&resample(&pooled, base.len()), &resample(&pooled, head.len())) >= seen)
        .count();
    2.0 * (beyond as f64 / RESAMPLES as f64) < LEVEL
}

fn welch_t(base: &[f64], head: &[f64]) -> f64 {
    let error = |values: &[f64]| sample_variance(values).unwrap_or(0.0) / values.len() as f64;
    (mean(head).unwrap_or(0.0) - mean(base).unwrap_or(0.0)) / (error(base) + error(head)).sqrt()
}

/// Mann & Whitney 1947, two-sided, by the normal distribution; equal values count one half.
fn mann_whitney(base: &Side, head: &Side, _: &mut Luck) -> bool {
    let (n, m) = (base.rounds.len() as f64, head.rounds.len() as f64);
    let above = |head: &f64| -> f64 {
        let one = |base: &f64| match head.total_cmp(base) {
            std::cmp::Ordering::Greater => 1.0,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Less => 0.0,
        };
        base.rounds.iter().map(one).sum()
    };
    let u: f64 = head.rounds.iter().map(above).sum();
    let z = (u - 0.5 * n * m) / (n * m * (n + m + 1.0) / 12.0).sqrt();
    normal_upper_tail(z) < 0.5 * LEVEL
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(centre: f64, luck: &mut Luck) -> Side {
        let rounds: Vec<f64> = (0..30).map(|_| centre * luck.normal(0.02).exp()).collect();
        let mut requests: Vec<f32> = rounds.iter().flat_map(|round| vec![*round as f32; 10]).collect();
        requests.sort_unstable_by(f32::total_cmp);
        Side { rounds, requests }
    }

    #[test]
    fn each_rule_sees_twenty_per_cent_and_none_sees_what_is_faster() {
        let mut luck = Luck::new(3);
        for rule in RULES {
            let (base, slower, faster) = (side(1.0, &mut luck), side(1.2, &mut luck), side(0.8, &mut luck));
            assert!((rule.is_slower)(&base, &slower, &mut luck), "{}", rule.name);
            assert!(!(rule.is_slower)(&base, &faster, &mut luck), "{}", rule.name);
        }
    }

    #[test]
    fn rules_with_a_level_keep_it_where_rounds_are_all_there_is() {
        let mut luck = Luck::new(4);
        let trials = 400;
        let mut alarms = [0; 2];
        for _ in 0..trials {
            let (base, head) = (side(1.0, &mut luck), side(1.0, &mut luck));
            for (alarms, rule) in alarms.iter_mut().zip(&RULES[1..3]) {
                *alarms += u32::from((rule.is_slower)(&base, &head, &mut luck));
            }
        }
        // One-sided 2.5 %; criterion's margin keeps it far below.
        assert!(alarms[0] <= 4 && (2..=20).contains(&alarms[1]), "{alarms:?} of {trials}");
    }
}
