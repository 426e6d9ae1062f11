//! The one root finder, for turning a distribution function into its quantile.
//!
//! Newton's step where it stays inside the bracket, bisection where it does not: fast near the root, and sure to end.

/// Newton needs some ten steps, bisection of an interval of doubles never more than about two hundred.
const MAX_STEPS: usize = 200;

/// The tolerance for functions that are themselves right to the last digits.
pub const FULL: f64 = 1e-15;

/// The `x` between `low` and `high` where an increasing `f` crosses zero, `f` giving its value and its slope.
///
/// It has arrived when a step is smaller than `tolerance` times the root. A slope of 0 asks for bisection.
///
/// If `f` has one sign throughout, the end nearest to zero is approached.
pub fn increasing(
    mut low: f64,
    mut high: f64,
    start: f64,
    tolerance: f64,
    f: impl Fn(f64) -> (f64, f64),
) -> f64 {
    let mut x = start.clamp(low, high);
    for _ in 0..MAX_STEPS {
        let (value, slope) = f(x);
        if value == 0.0 {
            return x;
        }
        if value < 0.0 {
            low = x;
        } else {
            high = x;
        }
        let newton = x - value / slope;
        let next = if newton > low && newton < high { newton } else { low + (high - low) / 2.0 };
        if (next - x).abs() <= tolerance * x.abs() {
            return next;
        }
        x = next;
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_square_root_of_two() {
        let root = increasing(0.0, 100.0, 90.0, FULL, |x| (x * x - 2.0, 2.0 * x));
        assert!((root - 2_f64.sqrt()).abs() < 1e-15);
    }

    #[test]
    fn survives_a_slope_of_zero_and_a_wild_start() {
        let root = increasing(-10.0, 10.0, 1e300, FULL, |x| ((x - 1.0).powi(3), 0.0));
        assert!((root - 1.0).abs() < 1e-5);
    }

    #[test]
    fn approaches_the_end_when_there_is_no_crossing() {
        assert!(increasing(0.0, 1.0, 0.5, FULL, |_| (-1.0, 0.0)) > 1.0 - 1e-12);
    }
}
