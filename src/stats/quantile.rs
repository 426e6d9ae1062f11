//! Quantiles of values at hand, and what they say about the percentile behind them.

use super::special::incomplete_beta;

/// The `share`-quantile of ascending values, linear between neighbours (type 7 of Hyndman & Fan 1996).
///
/// `None` without values or if `share` is not within 0 to 1.
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    if !(0.0..=1.0).contains(&share) {
        return None;
    }
    let last = sorted.len().checked_sub(1)?;
    let position = share * last as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(last);
    let weight = position - below as f64;
    if weight == 0.0 {
        return Some(sorted[below]);
    }
    Some(sorted[below] * (1.0 - weight) + sorted[above] * weight)
}

/// Nearest-rank quantile: the smallest of ascending values with at least the `share` of all at or below it.
pub fn nearest_rank(sorted: &[f64], share: f64) -> Option<f64> {
    if sorted.is_empty() || !(0.0..=1.0).contains(&share) {
        return None;
    }
    // The product of a share such as 0.07 with 100 may come out a hair above the whole number that it is.
    let rank = (share * sorted.len() as f64 * (1.0 - 1e-12)).ceil().max(1.0) as usize;
    Some(sorted[rank.min(sorted.len()) - 1])
}

/// Ranks, counted from 1, of the two order statistics that hold the `share`-quantile between them.
///
/// Equal-tailed and exact for independent values: neither end misses with more than half of 1 - `confidence`
/// (David & Nagaraja, Order Statistics, 7.1). `None` where the `n` values are too few for it.
pub fn order_interval_ranks(n: u64, share: f64, confidence: f64) -> Option<(u64, u64)> {
    if n == 0 || !(share > 0.0 && share < 1.0 && confidence > 0.0 && confidence < 1.0) {
        return None;
    }
    let tail = 0.5 * (1.0 - confidence);
    // P(fewer than `rank` values lie below the quantile) and P(at least `rank` do).
    let too_high = |rank: u64| 1.0 - at_least(rank, n, share);
    let too_low = |rank: u64| at_least(rank, n, share);
    if too_high(1) > tail || too_low(n) > tail {
        return None;
    }
    let lower = last_that(1, n, |rank| too_high(rank) <= tail);
    let upper = n + 1 - last_that(1, n, |back| too_low(n + 1 - back) <= tail);
    Some((lower, upper))
}

/// Order-statistic interval of the `share`-quantile behind ascending values; see [`order_interval_ranks`].
pub fn order_interval(sorted: &[f64], share: f64, confidence: f64) -> Option<(f64, f64)> {
    let (lower, upper) = order_interval_ranks(sorted.len() as u64, share, confidence)?;
    Some((sorted[lower as usize - 1], sorted[upper as usize - 1]))
}

/// P(Bin(n, share) >= k).
fn at_least(k: u64, n: u64, share: f64) -> f64 {
    if k == 0 {
        return 1.0;
    }
    if k > n {
        return 0.0;
    }
    incomplete_beta(k as f64, (n - k + 1) as f64, share)
}

/// The last of `first..=last` for which `holds`, which is true of `first` and, once false, stays false.
fn last_that(first: u64, last: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut good, mut bad) = (first, last + 1);
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        if holds(middle) {
            good = middle;
        } else {
            bad = middle;
        }
    }
    good
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate_as_r_and_numpy_do() {
        let values = [1.0, 2.0, 4.0, 8.0];
        for (share, expected) in [(0.0, 1.0), (0.25, 1.75), (0.5, 3.0), (0.9, 6.8), (1.0, 8.0)] {
            assert!((quantile(&values, share).unwrap() - expected).abs() < 1e-12);
        }
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&values, 1.1), None);
        assert_eq!(quantile(&values, f64::NAN), None);
    }

    #[test]
    fn nearest_rank_takes_a_value_that_is_there() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        for (share, expected) in
            [(0.0, 1.0), (0.07, 7.0), (0.5, 50.0), (0.505, 51.0), (0.99, 99.0), (1.0, 100.0)]
        {
            assert_eq!(nearest_rank(&values, share), Some(expected), "{share}");
        }
        assert_eq!(nearest_rank(&[], 0.5), None);
    }

    #[test]
    fn intervals_exist_from_the_known_sizes_on() {
        for (share, least) in [(0.9, 36), (0.95, 72), (0.99, 368), (0.999, 3688)] {
            assert_eq!(order_interval_ranks(least - 1, share, 0.95), None, "{share}");
            assert_eq!(order_interval_ranks(least, share, 0.95).unwrap().1, least, "{share}");
        }
    }

    #[test]
    fn ranks_for_the_median_match_the_printed_table() {
        // Sign-test intervals of the median at 95 % (Conover, table A3): n = 10: 2 and 9, n = 20: 6 and 15, n = 100: 40 and 61.
        for (n, ranks) in [(6, (1, 6)), (10, (2, 9)), (20, (6, 15)), (100, (40, 61))] {
            assert_eq!(order_interval_ranks(n, 0.5, 0.95), Some(ranks));
        }
        assert_eq!(order_interval_ranks(5, 0.5, 0.95), None);
        assert_eq!(order_interval_ranks(0, 0.5, 0.95), None);
    }

    #[test]
    fn the_interval_holds_the_percentile_as_often_as_it_says() {
        let mut rng = fastrand::Rng::with_seed(4);
        let trials = 4000;
        let held = (0..trials)
            .filter(|_| {
                let mut values: Vec<f64> = (0..100).map(|_| rng.f64()).collect();
                values.sort_unstable_by(f64::total_cmp);
                let (low, high) = order_interval(&values, 0.95, 0.95).unwrap();
                low <= 0.95 && 0.95 <= high
            })
            .count();
        let coverage = held as f64 / f64::from(trials);
        assert!((0.95..0.99).contains(&coverage), "{coverage}");
    }
}
