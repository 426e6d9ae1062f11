//! Axes with round ticks.
//!
//! plotters' logarithmic axis has ticks at decades only; these have steps of 1, 2 and 5. Values are in the data's own unit. The
//! unit that is shown stands in the title, and labels are bare numbers.

use crate::report::chart::data::Point;
use crate::report::text::grouped;

/// About how many ticks a vertical axis should have at most.
const MAX_TICKS: usize = 7;
/// Larger labels do not fit next to an axis and are written with an exponent.
const LARGEST_PLAIN: f64 = 1e9;
/// From this ratio of the largest to the smallest latency on, a linear axis would hide the small ones.
const LOGARITHMIC_FROM: f64 = 8.0;
/// An axis over more decades has ticks at decades only.
const MAX_DECADES_OF_125: f64 = 2.5;
/// Intervals are cut at this multiple of the largest value and at this share of the smallest: a wide one must not flatten all
/// others.
const LARGEST_OVERSHOOT: f64 = 2.0;
const SMALLEST_UNDERSHOOT: f64 = 0.25;

/// A value or a place, and its label.
pub(crate) type Tick = (f64, String);

/// An axis from its first to its last tick.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    /// The quantity and its unit.
    pub(crate) title: String,
    pub(crate) ticks: Vec<Tick>,
    logarithmic: bool,
}

impl Axis {
    /// For latencies in nanoseconds. From 0, or logarithmic if they lie far apart.
    pub(crate) fn latency(smallest: f64, largest: f64) -> Self {
        let unit = time_unit(largest);
        let (low, high) = (smallest / unit.1, largest / unit.1);
        let ticks =
            if low > 0.0 && high / low >= LOGARITHMIC_FROM { logarithmic_ticks(low, high) } else { None };
        Self::new("latency", unit, ticks.is_some(), ticks.unwrap_or_else(|| linear_ticks(high)))
    }

    /// For rates per second, from 0 so that heights can be compared.
    pub(crate) fn throughput(largest: f64) -> Self {
        let unit = rate_unit(largest);
        Self::new("throughput", unit, false, linear_ticks(largest / unit.1))
    }

    /// For the size of a change as a fraction, from 0.
    pub(crate) fn change(largest: f64) -> Self {
        Self::new("change", ("%", 0.01), false, linear_ticks(100.0 * largest))
    }

    /// Takes ticks in multiples of the unit.
    fn new(quantity: &str, (unit, size): (&str, f64), logarithmic: bool, mut ticks: Vec<Tick>) -> Self {
        ticks.iter_mut().for_each(|(value, _)| *value *= size);
        let scale = if logarithmic { ", log scale" } else { "" };
        Self { title: format!("{quantity} ({unit}{scale})"), ticks, logarithmic }
    }

    fn ends(&self) -> (f64, f64) {
        (self.ticks[0].0, self.ticks[self.ticks.len() - 1].0)
    }

    /// Where the value lies: 0 at the lower end, 1 at the upper. Values beyond an end are put there.
    pub(crate) fn place(&self, value: f64) -> f64 {
        let (lower, upper) = self.ends();
        let share = match self.logarithmic {
            true => (value / lower).ln() / (upper / lower).ln(),
            false => (value - lower) / (upper - lower),
        };
        // `NaN` comes from the logarithm of a negative number and from a value that is `NaN`.
        if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) }
    }

    pub(crate) fn is_beyond(&self, value: f64) -> bool {
        value > self.ends().1 * (1.0 + 1e-9)
    }
}

/// Ticks from 0 to the first round number that is not below `largest`.
fn linear_ticks(largest: f64) -> Vec<Tick> {
    let largest = if largest.is_finite() && largest > 0.0 { largest } else { 1.0 };
    let step = round_step(largest / (MAX_TICKS - 1) as f64);
    let steps = (largest / step - 1e-9).ceil().max(1.0);
    (0..=steps as usize).map(|i| tick(i as f64 * step, decimals(step))).collect()
}

/// Ticks around all values from `smallest` to `largest`; `None` unless both are positive and finite.
fn logarithmic_ticks(smallest: f64, largest: f64) -> Option<Vec<Tick>> {
    if !(smallest > 0.0 && largest.is_finite() && largest >= smallest) {
        return None;
    }
    let decades = (largest / smallest).log10();
    let steps: &[f64] = if decades <= MAX_DECADES_OF_125 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let first = smallest.log10().floor() as i32;
    let last = largest.log10().floor() as i32 + 1;
    let stride = ((last - first) as usize / MAX_TICKS + 1).max(1);
    let mut values: Vec<f64> = (first..=last)
        .step_by(stride)
        .flat_map(|decade| steps.iter().map(move |step| step * 10f64.powi(decade)))
        .collect();
    if stride > 1 && values.last().is_none_or(|&value| value < largest) {
        values.push(10f64.powi(last));
    }
    let slack = 1.0 + 1e-9;
    let below = values.iter().rposition(|&v| v <= smallest * slack).unwrap_or(0);
    let above = values.iter().position(|&v| v * slack >= largest).unwrap_or(values.len() - 1);
    let above = above.max(below + 1).min(values.len() - 1);
    Some(values[below..=above].iter().map(|&value| tick(value, decimals(value))).collect())
}

/// The smallest of 1, 2, 5, 10, 20, … (and 0.5, 0.2, …) that is not below `min`.
fn round_step(min: f64) -> f64 {
    let decade = 10f64.powf(min.log10().floor());
    [1.0, 2.0, 5.0]
        .iter()
        .map(|factor| factor * decade)
        .find(|step| *step >= min * (1.0 - 1e-9))
        .unwrap_or(10.0 * decade)
}

/// The decimals that a multiple of this step needs.
fn decimals(step: f64) -> usize {
    (-(step.log10() + 1e-9).floor()).clamp(0.0, 12.0) as usize
}

fn tick(value: f64, decimals: usize) -> Tick {
    let label = if value.abs() >= LARGEST_PLAIN {
        // Multiples of 1, 2 and 5 have at most two significant digits.
        format!("{value:.1e}").replace(".0e", "e")
    } else {
        grouped(&format!("{value:.decimals$}"))
    };
    (value, label)
}

/// The name and the size of the unit for times up to this many nanoseconds.
fn time_unit(largest_ns: f64) -> (&'static str, f64) {
    match largest_ns {
        ns if ns < 1e3 => ("ns", 1.0),
        ns if ns < 1e6 => ("µs", 1e3),
        ns if ns < 1e9 => ("ms", 1e6),
        _ => ("s", 1e9),
    }
}

/// The name and the size of the unit for rates per second up to this one.
fn rate_unit(largest_per_s: f64) -> (&'static str, f64) {
    match largest_per_s {
        rate if rate < 1e4 => ("requests/s", 1.0),
        rate if rate < 1e7 => ("k requests/s", 1e3),
        _ => ("M requests/s", 1e6),
    }
}

/// The smallest and the largest value that an axis for these points should reach; `None` if there is no finite value.
pub(crate) fn extent<'a>(points: impl IntoIterator<Item = &'a Point>) -> Option<(f64, f64)> {
    let points: Vec<&Point> = points.into_iter().filter(|point| point.value.is_finite()).collect();
    let smallest = points.iter().map(|point| point.value).reduce(f64::min)?;
    let largest = points.iter().map(|point| point.value).reduce(f64::max)?;
    let lower = points.iter().map(|point| point.low).fold(smallest, f64::min);
    let upper = points.iter().map(|point| point.high).fold(largest, f64::max);
    let low = lower.max(smallest * SMALLEST_UNDERSHOOT).min(smallest);
    Some((low, upper.min(largest * LARGEST_OVERSHOOT).max(largest)))
}

/// Where each concurrency lies on a horizontal axis, between 0 and 1, in the given order (ascending and distinct).
///
/// Logarithmic. Evenly spaced, and `true`, if two would be nearer to each other than `min_gap` or one is 0.
pub(crate) fn concurrency_places(ascending: &[u32], min_gap: f64) -> (Vec<f64>, bool) {
    let (Some(&first), Some(&last)) = (ascending.first(), ascending.last()) else {
        return (Vec::new(), false);
    };
    let ratio = |n: u32| (f64::from(n) / f64::from(first)).ln();
    let places: Vec<f64> = ascending.iter().map(|&n| ratio(n) / ratio(last)).collect();
    if first == 0 || first == last || places.windows(2).any(|pair| pair[1] - pair[0] < min_gap) {
        let last = (ascending.len() - 1).max(1) as f64;
        return ((0..ascending.len()).map(|i| i as f64 / last).collect(), true);
    }
    (places, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn linear_ticks_are_round_and_end_above_the_largest_value() {
        assert_eq!(labels(&linear_ticks(47.3)), ["0", "10", "20", "30", "40", "50"]);
        assert_eq!(labels(&linear_ticks(50.0)).last(), Some(&"50"));
        assert_eq!(labels(&linear_ticks(0.27)), ["0.00", "0.05", "0.10", "0.15", "0.20", "0.25", "0.30"]);
        assert_eq!(labels(&linear_ticks(6100.0)).last(), Some(&"8,000"));
        let huge = linear_ticks(1.1e294);
        assert_eq!(labels(&huge), ["0", "2e293", "4e293", "6e293", "8e293", "1e294", "1.2e294"]);
    }

    #[test]
    fn linear_axes_have_3_to_7_ticks_at_any_size() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..2000 {
            let largest = 10f64.powf(rng.f64() * 30.0 - 12.0);
            let ticks = linear_ticks(largest);
            assert!((3..=MAX_TICKS).contains(&ticks.len()), "{largest}: {ticks:?}");
            assert!(ticks[ticks.len() - 1].0 >= largest * (1.0 - 1e-6));
        }
    }

    #[test]
    fn an_axis_without_a_finite_positive_value_goes_to_one() {
        for largest in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(labels(&linear_ticks(largest)).last(), Some(&"1.0"));
        }
    }

    #[test]
    fn logarithmic_ticks_are_1_2_5_and_over_many_decades_powers_of_ten() {
        let of = |smallest, largest| logarithmic_ticks(smallest, largest).unwrap();
        assert_eq!(labels(&of(0.3, 8.0)), ["0.2", "0.5", "1", "2", "5", "10"]);
        assert_eq!(labels(&of(3.0, 12_000.0)), ["1", "10", "100", "1,000", "10,000", "100,000"]);
        assert_eq!(labels(&of(2.0, 2.0)), ["2", "5"]);
        assert!(logarithmic_ticks(0.0, 2.0).is_none() && logarithmic_ticks(1.0, f64::INFINITY).is_none());
    }

    #[test]
    fn logarithmic_axes_hold_all_values_with_2_to_12_distinct_ticks() {
        let mut rng = fastrand::Rng::with_seed(2);
        for _ in 0..5000 {
            let smallest = 10f64.powf(rng.f64() * 20.0 - 10.0);
            let largest = smallest * 10f64.powf(rng.f64() * rng.f64() * 15.0);
            let ticks = logarithmic_ticks(smallest, largest).unwrap();
            assert!((2..=12).contains(&ticks.len()), "{smallest} {largest}: {ticks:?}");
            assert!(ticks[0].0 <= smallest * 1.000001, "{smallest}: {ticks:?}");
            assert!(ticks[ticks.len() - 1].0 >= largest * 0.999999, "{largest}: {ticks:?}");
            assert!(ticks.windows(2).all(|pair| pair[0].0 < pair[1].0));
        }
    }

    #[test]
    fn latencies_that_lie_far_apart_get_a_logarithmic_axis() {
        assert!(!Axis::latency(1.0, 7.9).logarithmic);
        assert!(Axis::latency(1.0, 8.0).logarithmic);
        assert!(!Axis::latency(0.0, 8.0).logarithmic);
        assert!((Axis::latency(1.0, 100.0).place(10.0) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn values_beyond_an_axis_are_put_at_its_end() {
        let axis = Axis::latency(1.0, 100.0);
        assert_eq!((axis.place(0.0), axis.place(-3.0), axis.place(1e9)), (0.0, 0.0, 1.0));
        assert!(axis.is_beyond(101.0) && !axis.is_beyond(100.0));
        assert_eq!(axis.place(f64::NAN), 0.0);
    }

    #[test]
    fn the_unit_fits_the_largest_value_and_places_are_in_the_data_s_unit() {
        let latency = |largest| Axis::latency(0.0, largest).title;
        assert_eq!(
            [900.0, 250_000.0, 2.5e6, 3e9].map(latency),
            ["latency (ns)", "latency (µs)", "latency (ms)", "latency (s)"]
        );
        assert_eq!(Axis::latency(1e6, 9e6).title, "latency (ms, log scale)");
        assert_eq!(Axis::throughput(9_999.0).title, "throughput (requests/s)");
        assert_eq!(Axis::throughput(120_000.0).title, "throughput (k requests/s)");
        assert_eq!(Axis::throughput(5e7).title, "throughput (M requests/s)");
        let axis = Axis::latency(0.0, 50e6);
        assert_eq!(labels(&axis.ticks).last(), Some(&"50"));
        assert_eq!(axis.place(25e6), 0.5);
    }

    #[test]
    fn intervals_count_unless_they_would_flatten_the_chart() {
        let of = |points: &[(f64, Option<(f64, f64)>)]| {
            let points: Vec<Point> =
                points.iter().map(|(value, ends)| Point::new(1.0, *value, *ends)).collect();
            extent(&points)
        };
        assert_eq!(of(&[(10.0, Some((9.0, 12.0))), (5.0, None)]), Some((5.0, 12.0)));
        assert_eq!(of(&[(10.0, Some((-3.0, 1e9)))]), Some((2.5, 20.0)));
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[(0.0, None), (f64::NAN, None)]), Some((0.0, 0.0)));
        assert_eq!(of(&[(2.0, Some((f64::NEG_INFINITY, f64::INFINITY)))]), Some((2.0, 2.0)));
    }

    #[test]
    fn concurrencies_lie_logarithmically_unless_they_would_collide() {
        let (places, evenly) = concurrency_places(&[1, 10, 100], 0.05);
        assert!((places[1] - 0.5).abs() < 1e-12 && !evenly);
        assert_eq!(concurrency_places(&[1, 99, 100], 0.05), (vec![0.0, 0.5, 1.0], true));
        assert_eq!(concurrency_places(&[0, 5], 0.05), (vec![0.0, 1.0], true));
        assert_eq!(concurrency_places(&[7], 0.05), (vec![0.0], true));
        assert_eq!(concurrency_places(&[], 0.05), (vec![], false));
    }
}
