//! The bootstrap-t: an interval of a mean that follows the skew of its values.
//!
//! Unlike the percentile bootstrap it studentises each resample, and so is not too narrow for few values
//! (Efron & Tibshirani, An Introduction to the Bootstrap, 12.5).

use super::interval::{Interval, Method, checked_mean};

/// Below this share of the total square sum a resample's variance is rounding: all its values agree.
const DEGENERATE: f64 = 1e-13;

/// So many sums fit into the fastest cache, with room beside them.
const MOST_GROUPS: usize = 1024;

/// Bootstrap-t interval of the mean of `values`.
///
/// The same `values`, `nresamples` and `seed` give the same interval. A resample whose values all agree has no
/// standard error; its t is infinite, with the sign of its mean's deviation. Such resamples are thus kept on the
/// side where they belong; leaving them out would make the interval too narrow. `None` where an end then
/// is not finite (many ties, or very few values), where `nresamples` is too small to have quantiles that far out
/// (fewer than 2 / (1 - confidence)), and as in [`super::interval::interval`].
pub fn interval(values: &[f64], confidence: f64, nresamples: usize, seed: u64) -> Option<Interval> {
    let estimate = checked_mean(values, confidence)?;
    let (low, high) = deviations(values, estimate, confidence, nresamples, seed)?;
    let (low, high) = (estimate + low, estimate + high);
    // A finite skewed bootstrap may in theory miss its own estimate; an interval must not.
    let sound = low.is_finite() && high.is_finite() && low <= estimate && estimate <= high;
    sound.then_some(Interval { low, estimate, high, method: Method::BootstrapT { values: values.len() } })
}

/// Both ends, measured from the estimate.
fn deviations(
    values: &[f64],
    centre: f64,
    confidence: f64,
    nresamples: usize,
    seed: u64,
) -> Option<(f64, f64)> {
    let tail = 0.5 * (1.0 - confidence);
    let rank = ((nresamples as f64 + 1.0) * tail + 1e-9).floor() as usize;
    if rank == 0 || values.len() < 2 || u32::try_from(values.len()).is_err() {
        return None;
    }
    // On a scale of its own no square can overflow; t does not depend on the scale.
    let scale = values.iter().map(|value| (value - centre).abs()).fold(0.0, f64::max);
    if !(scale > 0.0 && scale.is_finite()) {
        return None;
    }
    let centred: Vec<f64> = values.iter().map(|value| (value - centre) / scale).collect();
    let n = centred.len() as f64;
    let squares: f64 = centred.iter().map(|value| value * value).sum();
    let standard_error = (squares / (n * (n - 1.0))).sqrt() * scale;

    let mut t = studentised(&centred, squares, nresamples, seed);
    let highest = *t.select_nth_unstable_by(nresamples - rank, f64::total_cmp).1;
    // Whatever is lower now stands before it.
    let lowest = *t[..=nresamples - rank].select_nth_unstable_by(rank - 1, f64::total_cmp).1;
    let unsquared = |square: f64| ((n - 1.0) / n * square.abs()).sqrt().copysign(square);
    Some((-unsquared(highest) * standard_error, -unsquared(lowest) * standard_error))
}

/// Of each resample t², with the sign of t and without the factor (n - 1) / n that all have: in the order of t, without its roots.
///
/// The loop allocates nothing: it adds up drawn values and their squares, and never stores a resample.
fn studentised(centred: &[f64], squares: f64, nresamples: usize, seed: u64) -> Vec<f64> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let per_value = 1.0 / centred.len() as f64;
    let degenerate = DEGENERATE * squares;
    let size = group_size(centred.len());
    let (groups, rest) = (all_groups(centred, size), all_groups(centred, centred.len() % size));
    let draws = centred.len() / size;
    let mut resample = || {
        // Two sums side by side: neither addition waits for the one before it.
        let bits = halves(rng.u64(..));
        let mut one = draw(&rest, bits.0);
        let mut other = if draws % 2 == 1 { draw(&groups, bits.1) } else { Sums::default() };
        for _ in 0..draws / 2 {
            let bits = halves(rng.u64(..));
            one = one.and(draw(&groups, bits.0));
            other = other.and(draw(&groups, bits.1));
        }
        let drawn = one.and(other);
        let spread = drawn.squares - drawn.sum * drawn.sum * per_value;
        if spread > degenerate {
            drawn.sum * drawn.sum.abs() / spread
        } else if drawn.sum == 0.0 {
            0.0
        } else {
            f64::INFINITY.copysign(drawn.sum)
        }
    };
    (0..nresamples).map(|_| resample()).collect()
}

/// Sums over some values.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Sums {
    sum: f64,
    squares: f64,
}

impl Sums {
    fn and(self, other: Self) -> Self {
        Self { sum: self.sum + other.sum, squares: self.squares + other.squares }
    }
}

/// How many values are drawn at once: the more, the fewer draws, as long as all groups of them stay close at hand.
fn group_size(count: usize) -> usize {
    let (mut size, mut groups) = (1, count);
    while size < count && groups * count <= MOST_GROUPS {
        (size, groups) = (size + 1, groups * count);
    }
    size
}

/// The sums of all ordered groups of `size` values: to draw one of them is to draw `size` values. Of no value, a sum of nothing.
fn all_groups(values: &[f64], size: usize) -> Vec<Sums> {
    let mut groups = vec![Sums::default()];
    for _ in 0..size {
        let with_each = |group: Sums| {
            values.iter().map(move |&value| group.and(Sums { sum: value, squares: value * value }))
        };
        groups = groups.into_iter().flat_map(with_each).collect();
    }
    groups
}

fn halves(bits: u64) -> (u32, u32) {
    (bits as u32, (bits >> u32::BITS) as u32)
}

fn draw(groups: &[Sums], bits: u32) -> Sums {
    // Multiply and shift maps 32 random bits to an index; the bias, the count / 2^32, is far below the noise.
    groups[((u64::from(bits) * groups.len() as u64) >> u32::BITS) as usize]
}

#[cfg(test)]
mod tests {
    use super::super::interval::t_interval;
    use super::super::location::{mean, sample_variance};
    use super::*;

    /// All n^n resamples, each as likely as the other: what the random ones approach.
    fn exact_deviations(values: &[f64], confidence: f64) -> (f64, f64) {
        let n = values.len();
        let count = n.pow(n as u32);
        let centre = values.iter().sum::<f64>() / n as f64;
        let variance = |sample: &[f64]| {
            let mean = sample.iter().sum::<f64>() / n as f64;
            let squares: f64 = sample.iter().map(|value| (value - mean).powi(2)).sum();
            (mean, squares / (n - 1) as f64)
        };
        let mut t: Vec<f64> = (0..count)
            .map(|mut code| {
                let sample: Vec<f64> = (0..n)
                    .map(|_| {
                        let value = values[code % n];
                        code /= n;
                        value
                    })
                    .collect();
                let (mean, variance) = variance(&sample);
                (mean - centre) / (variance / n as f64).sqrt()
            })
            .collect();
        t.sort_unstable_by(f64::total_cmp);
        let rank = (count as f64 * 0.5 * (1.0 - confidence)) as usize;
        let error = (variance(values).1 / n as f64).sqrt();
        (-t[count - 1 - rank] * error, -t[rank] * error)
    }

    #[test]
    fn agrees_with_all_resamples_written_out() {
        let values = [0.3, 1.9, 2.2, 4.1, 9.7, 3.3, 2.9];
        let (low, high) = exact_deviations(&values, 0.9);
        let found = interval(&values, 0.9, 400_000, 3).unwrap();
        assert!((found.low - found.estimate - low).abs() < 0.02 * low.abs(), "{found:?} {low}");
        assert!((found.high - found.estimate - high).abs() < 0.02 * high, "{found:?} {high}");
        assert!(high > 1.5 * low.abs(), "skewed values need a skewed interval");
    }

    #[test]
    fn the_same_seed_gives_the_same_interval_and_scale_is_immaterial() {
        let values: Vec<f64> = (1..=12).map(|i| f64::from(i * i)).collect();
        let found = interval(&values, 0.95, 5000, 9).unwrap();
        assert_eq!(interval(&values, 0.95, 5000, 9), Some(found));
        assert_ne!(interval(&values, 0.95, 5000, 10), Some(found));
        let huge: Vec<f64> = values.iter().map(|value| value * 1e200).collect();
        let scaled = interval(&huge, 0.95, 5000, 9).unwrap();
        assert!((scaled.high / found.high / 1e200 - 1.0).abs() < 1e-9);
    }

    #[test]
    fn resamples_without_spread_are_infinite_and_not_dropped() {
        // Nine of ten agree: a third of the resamples have no spread and lie below the mean.
        let mut values = [1.0; 10];
        values[9] = 2.0;
        assert_eq!(interval(&values, 0.95, 20_000, 1), None);
        let centred: Vec<f64> = values.iter().map(|value| value - 1.1).collect();
        let t = studentised(&centred, 0.9, 20_000, 1);
        let share = t.iter().filter(|t| **t == f64::NEG_INFINITY).count() as f64 / 20_000.0;
        assert!((share - 0.9_f64.powi(10)).abs() < 0.01, "{share}");
    }

    #[test]
    fn values_are_drawn_in_groups_each_order_of_which_is_there_once() {
        let (a, b) = (2.0, 5.0);
        let sums = |sum: f64, squares: f64| Sums { sum, squares };
        assert_eq!(all_groups(&[a, b], 0), [Sums::default()]);
        assert_eq!(
            all_groups(&[a, b], 2),
            [sums(4.0, 8.0), sums(7.0, 29.0), sums(7.0, 29.0), sums(10.0, 50.0)]
        );
        let sizes = [2, 3, 4, 10, 11, 30, 32, 33, 5000].map(group_size);
        assert_eq!(sizes, [2, 3, 4, 3, 2, 2, 2, 1, 1]);
    }

    /// Ends by resamples that are drawn value by value and stored.
    fn plain_deviations(values: &[f64], confidence: f64, nresamples: usize) -> (f64, f64) {
        let mut rng = fastrand::Rng::with_seed(77);
        let error = |sample: &[f64]| (sample_variance(sample).unwrap() / sample.len() as f64).sqrt();
        let centre = mean(values).unwrap();
        let mut t: Vec<f64> = (0..nresamples)
            .map(|_| {
                let sample: Vec<f64> = values.iter().map(|_| values[rng.usize(0..values.len())]).collect();
                (mean(&sample).unwrap() - centre) / error(&sample)
            })
            .collect();
        t.sort_unstable_by(f64::total_cmp);
        let rank = (nresamples as f64 * 0.5 * (1.0 - confidence)) as usize;
        (-t[nresamples - 1 - rank] * error(values), -t[rank] * error(values))
    }

    #[test]
    fn drawing_in_groups_is_drawing_value_by_value() {
        let mut rng = fastrand::Rng::with_seed(4);
        let nresamples = 200_000;
        // Groups of 3, 3, 2, 2 and 1, and after 2, 3, 5, 15 and 33 of them 2, 1, 1, 0 and 0 values.
        for count in [8, 10, 11, 30, 33] {
            let values: Vec<f64> = (0..count).map(|_| rng.f64().powi(2)).collect();
            let centre = mean(&values).unwrap();
            let (low, high) = plain_deviations(&values, 0.9, nresamples);
            let found = interval(&values, 0.9, nresamples, 3).unwrap();
            let off = |found: f64, plain: f64| ((found - centre) / plain - 1.0).abs();
            assert!(
                off(found.low, low) < 0.03 && off(found.high, high) < 0.03,
                "{count}: {found:?} {low} {high}"
            );
        }
    }

    #[test]
    fn for_many_normal_values_it_is_the_t_interval() {
        let mut rng = fastrand::Rng::with_seed(2);
        let values: Vec<f64> = (0..400).map(|_| (0..12).map(|_| rng.f64()).sum::<f64>()).collect();
        let (found, plain) =
            (interval(&values, 0.95, 50_000, 1).unwrap(), t_interval(&values, 0.95).unwrap());
        let width = plain.high - plain.low;
        assert!(
            (found.low - plain.low).abs() < 0.03 * width && (found.high - plain.high).abs() < 0.03 * width
        );
    }

    #[test]
    fn at_ten_skewed_values_it_covers_better_than_t() {
        let truth = 0.5_f64.exp();
        let mut rng = fastrand::Rng::with_seed(8);
        let trials = 1500;
        let (mut bootstrap, mut plain) = (0, 0);
        for seed in 0..trials {
            let values: Vec<f64> =
                (0..10).map(|_| ((0..12).map(|_| rng.f64()).sum::<f64>() - 6.0).exp()).collect();
            let covers = |found: Interval| u32::from(found.low <= truth && truth <= found.high);
            bootstrap += covers(interval(&values, 0.95, 1999, seed).unwrap());
            plain += covers(t_interval(&values, 0.95).unwrap());
        }
        let share = |covered: u32| f64::from(covered) / trials as f64;
        // Known from the literature for lognormal values, n = 10: t about 0.84, bootstrap-t about 0.9 and more.
        assert!((0.80..0.88).contains(&share(plain)), "t {}", share(plain));
        assert!((0.90..0.97).contains(&share(bootstrap)), "bootstrap-t {}", share(bootstrap));
    }
}
