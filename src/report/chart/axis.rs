//! Axes with round ticks: the values of a chart flow in, ticks with labels and places between 0 and 1 flow out.
//!
//! plotters' logarithmic axis has ticks at decades only; these have 1-2-5 steps. One unit a chart stands in the title,
//! so that the labels are bare numbers.

use crate::report::words::grouped;

/// About how many ticks a vertical axis should have at most.
const MAX_TICKS: usize = 7;
/// Past this the labels would not fit beside an axis: they are written with an exponent.
const LARGEST_PLAIN: f64 = 1e9;
/// From this ratio of the largest to the smallest latency on, the small ones would lie on the floor of a linear axis.
const LOGARITHMIC_FROM: f64 = 8.0;
/// More decades than this and only their beginnings get a tick.
const MAX_DECADES_OF_125: f64 = 2.5;

/// A mark on an axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tick {
    pub(crate) value: f64,
    pub(crate) label: String,
}

/// A vertical axis from `lower` to `upper`, both of them ticks.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    lower: f64,
    upper: f64,
    logarithmic: bool,
    pub(crate) ticks: Vec<Tick>,
}

impl Axis {
    /// From 0 to the first round number that is not below `largest`.
    pub(crate) fn linear_from_zero(largest: f64) -> Self {
        let largest = if largest.is_finite() && largest > 0.0 { largest } else { 1.0 };
        let step = round_step(largest / (MAX_TICKS - 1) as f64);
        let steps = (largest / step - 1e-9).ceil().max(1.0);
        let ticks = (0..=steps as usize).map(|i| tick(i as f64 * step, decimals(step))).collect();
        Self { lower: 0.0, upper: steps * step, logarithmic: false, ticks }
    }

    /// Logarithmic, over all from `smallest` to `largest`, which are positive.
    pub(crate) fn logarithmic(smallest: f64, largest: f64) -> Self {
        if !(smallest > 0.0 && largest.is_finite() && largest >= smallest) {
            return Self::linear_from_zero(largest);
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
        let above = values
            .iter()
            .position(|&v| v * slack >= largest)
            .unwrap_or(values.len() - 1)
            .max(below + 1)
            .min(values.len() - 1);
        let ticks: Vec<Tick> =
            values[below..=above].iter().map(|&value| tick(value, decimals(value))).collect();
        Self { lower: values[below], upper: values[above], logarithmic: true, ticks }
    }

    /// Of latencies from `smallest` to `largest`: from 0, or logarithmic where they lie far apart.
    pub(crate) fn of_latency(smallest: f64, largest: f64) -> Self {
        match smallest > 0.0 && largest / smallest >= LOGARITHMIC_FROM {
            true => Self::logarithmic(smallest, largest),
            false => Self::linear_from_zero(largest),
        }
    }

    /// What stands above it.
    pub(crate) fn title(&self, what: &str, unit: Unit) -> String {
        let scale = if self.logarithmic { ", log scale" } else { "" };
        format!("{what} ({}{scale})", unit.name)
    }

    /// Where the value lies: 0 at the lower end, 1 at the upper. What lies beyond an end is put there.
    pub(crate) fn place(&self, value: f64) -> f64 {
        let share = if self.logarithmic {
            (value / self.lower).ln() / (self.upper / self.lower).ln()
        } else {
            (value - self.lower) / (self.upper - self.lower)
        };
        // The logarithm of a negative number, a value that is none.
        if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) }
    }

    /// Whether the value lies beyond the upper end.
    pub(crate) fn is_beyond(&self, value: f64) -> bool {
        value > self.upper * (1.0 + 1e-9)
    }
}

/// The smallest of 1, 2, 5, 10, 20, … (and 0.5, 0.2, …) that is not below `least`.
fn round_step(least: f64) -> f64 {
    let decade = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0]
        .iter()
        .map(|factor| factor * decade)
        .find(|step| *step >= least * (1.0 - 1e-9))
        .unwrap_or(10.0 * decade)
}

/// How many decimals a multiple of this step needs.
fn decimals(step: f64) -> usize {
    (-(step.log10() + 1e-9).floor()).clamp(0.0, 12.0) as usize
}

fn tick(value: f64, decimals: usize) -> Tick {
    let label = if value.abs() >= LARGEST_PLAIN {
        // Multiples of 1, 2 and 5 have at most two digits that count.
        format!("{value:.1e}").replace(".0e", "e")
    } else {
        grouped(&format!("{value:.decimals$}"))
    };
    Tick { value, label }
}

/// What a chart counts in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Unit {
    pub(crate) name: &'static str,
    /// How many of the data's own unit make one of these.
    pub(crate) size: f64,
}

/// The unit for times in nanoseconds of which this is the largest.
pub(crate) fn time_unit(largest_ns: f64) -> Unit {
    let (name, size) = match largest_ns {
        ns if ns < 1e3 => ("ns", 1.0),
        ns if ns < 1e6 => ("µs", 1e3),
        ns if ns < 1e9 => ("ms", 1e6),
        _ => ("s", 1e9),
    };
    Unit { name, size }
}

/// The unit for rates per second of which this is the largest.
pub(crate) fn rate_unit(largest_per_s: f64) -> Unit {
    let (name, size) = match largest_per_s {
        rate if rate < 1e4 => ("requests/s", 1.0),
        rate if rate < 1e7 => ("k requests/s", 1e3),
        _ => ("M requests/s", 1e6),
    };
    Unit { name, size }
}

/// Where each concurrency lies on a horizontal axis, between 0 and 1, in the order given (ascending, none twice).
///
/// Logarithmic, unless two would come nearer to each other than `least_gap`, or one is 0: then evenly spaced, which the
/// second value says.
pub(crate) fn concurrency_places(ascending: &[u32], least_gap: f64) -> (Vec<f64>, bool) {
    let (Some(&first), Some(&last)) = (ascending.first(), ascending.last()) else {
        return (Vec::new(), false);
    };
    let evenly = || {
        let last = (ascending.len() - 1).max(1) as f64;
        (0..ascending.len()).map(|i| i as f64 / last).collect()
    };
    if first == 0 || first == last {
        return (evenly(), true);
    }
    let ratio = |n: u32| (f64::from(n) / f64::from(first)).ln();
    let places: Vec<f64> = ascending.iter().map(|&n| ratio(n) / ratio(last)).collect();
    if places.windows(2).any(|pair| pair[1] - pair[0] < least_gap) {
        return (evenly(), true);
    }
    (places, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn linear_ticks_are_round_and_end_above_the_largest_value() {
        let axis = Axis::linear_from_zero(47.3);
        assert_eq!(labels(&axis), ["0", "10", "20", "30", "40", "50"]);
        assert_eq!(labels(&Axis::linear_from_zero(50.0)).last(), Some(&"50"));
        assert_eq!(
            labels(&Axis::linear_from_zero(0.27)),
            ["0.00", "0.05", "0.10", "0.15", "0.20", "0.25", "0.30"]
        );
        assert_eq!(labels(&Axis::linear_from_zero(6100.0)).last(), Some(&"8,000"));
        let huge = Axis::linear_from_zero(1.1e294);
        assert_eq!(labels(&huge), ["0", "2e293", "4e293", "6e293", "8e293", "1e294", "1.2e294"]);
        assert_eq!(axis.place(25.0), 0.5);
    }

    #[test]
    fn linear_axes_have_3_to_7_ticks_at_any_size() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..2000 {
            let largest = 10f64.powf(rng.f64() * 30.0 - 12.0);
            let axis = Axis::linear_from_zero(largest);
            assert!((3..=MAX_TICKS).contains(&axis.ticks.len()), "{largest}: {axis:?}");
            assert!(axis.upper >= largest * (1.0 - 1e-6));
        }
    }

    #[test]
    fn an_axis_without_a_sane_largest_value_goes_to_one() {
        for largest in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(Axis::linear_from_zero(largest).upper, 1.0);
        }
    }

    #[test]
    fn logarithmic_ticks_go_1_2_5_and_then_by_decades() {
        assert_eq!(labels(&Axis::logarithmic(0.3, 8.0)), ["0.2", "0.5", "1", "2", "5", "10"]);
        assert_eq!(
            labels(&Axis::logarithmic(3.0, 12_000.0)),
            ["1", "10", "100", "1,000", "10,000", "100,000"]
        );
        assert_eq!(labels(&Axis::logarithmic(2.0, 2.0)), ["2", "5"]);
        assert!((Axis::logarithmic(1.0, 100.0).place(10.0) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn logarithmic_axes_hold_all_values_with_2_to_12_distinct_ticks() {
        let mut rng = fastrand::Rng::with_seed(2);
        for _ in 0..5000 {
            let smallest = 10f64.powf(rng.f64() * 20.0 - 10.0);
            let largest = smallest * 10f64.powf(rng.f64() * rng.f64() * 15.0);
            let axis = Axis::logarithmic(smallest, largest);
            assert!((2..=12).contains(&axis.ticks.len()), "{smallest} {largest}: {axis:?}");
            assert!(axis.lower <= smallest * 1.000001 && axis.upper >= largest * 0.999999, "{axis:?}");
            assert!(axis.ticks.windows(2).all(|pair| pair[0].value < pair[1].value));
        }
    }

    #[test]
    fn latencies_that_lie_far_apart_get_a_logarithmic_axis() {
        assert!(!Axis::of_latency(1.0, 7.9).logarithmic);
        assert!(Axis::of_latency(1.0, 8.0).logarithmic);
        assert!(!Axis::of_latency(0.0, 8.0).logarithmic);
    }

    #[test]
    fn values_beyond_an_axis_are_put_at_its_end() {
        let axis = Axis::logarithmic(1.0, 100.0);
        assert_eq!((axis.place(0.0), axis.place(-3.0), axis.place(1e9)), (0.0, 0.0, 1.0));
        assert!(axis.is_beyond(101.0) && !axis.is_beyond(100.0));
        assert_eq!(axis.place(f64::NAN), 0.0);
    }

    #[test]
    fn the_unit_fits_the_largest_value() {
        assert_eq!(time_unit(900.0).name, "ns");
        assert_eq!(time_unit(250_000.0).name, "µs");
        assert_eq!(time_unit(2.5e6).name, "ms");
        assert_eq!(time_unit(3e9).name, "s");
        assert_eq!(rate_unit(9_999.0).name, "requests/s");
        assert_eq!(rate_unit(120_000.0).name, "k requests/s");
        assert_eq!(rate_unit(5e7), Unit { name: "M requests/s", size: 1e6 });
    }

    #[test]
    fn concurrencies_lie_logarithmically_unless_they_would_collide() {
        let (places, evenly) = concurrency_places(&[1, 10, 100], 0.05);
        assert!((places[1] - 0.5).abs() < 1e-12 && !evenly);
        let (places, evenly) = concurrency_places(&[1, 99, 100], 0.05);
        assert_eq!((places, evenly), (vec![0.0, 0.5, 1.0], true));
        assert_eq!(concurrency_places(&[0, 5], 0.05), (vec![0.0, 1.0], true));
        assert_eq!(concurrency_places(&[7], 0.05), (vec![0.0], true));
        assert_eq!(concurrency_places(&[], 0.05), (vec![], false));
    }
}
