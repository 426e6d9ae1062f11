//! What reports say of values and of how they were found. How a value itself is spelled is record's, and the same in all rooms.

use std::cmp::Ordering;

use crate::judge::{Comparison, Stage};
use crate::record::Clock;
pub(crate) use crate::record::words::*;

/// Both ends of an interval, the unit once where they share it: `22.60 to 23.52 ms`.
pub(crate) fn range(low: &str, high: &str) -> String {
    let (Some((number, low_unit)), Some((_, high_unit))) = (parted(low), parted(high)) else {
        return format!("{low} to {high}");
    };
    if low_unit == high_unit { format!("{number} to {high}") } else { format!("{low} to {high}") }
}

/// A printed value as its number and its unit; nothing when it has no unit.
fn parted(value: &str) -> Option<(&str, &str)> {
    let end = value.find([' ', '/'])?;
    Some(value.split_at(end))
}

/// The p value of a comparison, and in which stage of a duet it was found.
pub(crate) fn evidence(comparison: &Comparison, level: f64) -> Option<String> {
    match comparison.stage {
        Stage::Whole => significance(comparison.p_adjusted, level),
        Stage::Screened => Some(format!("screening p = {:.4}", comparison.p_adjusted)),
        Stage::Confirmed { look, looks, .. } => {
            Some(format!("{}, look {look} of {looks}", significance(comparison.p_adjusted, level)?))
        }
    }
}

/// How a p value stands to a level: `p = 0.0012 < 0.01`; nothing when there is none.
pub(crate) fn significance(p: f64, level: f64) -> Option<String> {
    /// Smaller ones are not told apart.
    const LEAST: f64 = 0.0001;
    if !p.is_finite() || !level.is_finite() {
        return None;
    }
    if p < LEAST && LEAST <= level {
        return Some(format!("p < {LEAST}"));
    }
    let relation = match p.total_cmp(&level) {
        Ordering::Less => "<",
        Ordering::Equal => ">=",
        Ordering::Greater => ">",
    };
    // So many digits that the number as printed stands to the level as the p value itself does.
    let agrees = |text: &String| {
        text.parse::<f64>().is_ok_and(|printed| printed.total_cmp(&level) == p.total_cmp(&level))
    };
    let text = (4..17).map(|digits| format!("{p:.digits$}")).find(agrees);
    Some(format!("p = {} {relation} {level}", text.unwrap_or_else(|| p.to_string())))
}

/// The first few ids, and how many more there are: `a, b, c and 2 more`.
pub(crate) fn named(ids: &[String]) -> String {
    const MOST_NAMED: usize = 3;
    let names = ids[..ids.len().min(MOST_NAMED)].join(", ");
    match ids.len().saturating_sub(MOST_NAMED) {
        0 => names,
        more => format!("{names} and {more} more"),
    }
}

/// How promptly the client sent on, by its lag's p99 in nanoseconds.
pub(crate) fn promptness(lag_p99_ns: f64) -> String {
    format!("next request within {} (p99)", duration_ns(lag_p99_ns))
}

/// Who told when responses arrived, so many of which the kernel did not stamp.
pub(crate) fn timed_by(clock: Clock, unstamped: u64) -> String {
    match clock {
        Clock::Kernel => "timed by the kernel".to_owned(),
        Clock::Mixed => {
            format!("timed by the kernel, but {} by this process", plural(unstamped, "response"))
        }
        Clock::User => "timed by this process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_an_interval_share_their_unit() {
        assert_eq!(range("22.60 ms", "23.52 ms"), "22.60 to 23.52 ms");
        assert_eq!(range("999.0 µs", "1.001 ms"), "999.0 µs to 1.001 ms");
        assert_eq!(range("212.5/s", "1,221/s"), "212.5 to 1,221/s");
        assert_eq!(range("+19.0 %", "+27.2 %"), "+19.0 to +27.2 %");
        assert_eq!(range("-0.01", "+0.02"), "-0.01 to +0.02");
        assert_eq!(range("-", "1.000 ms"), "- to 1.000 ms");
    }

    #[test]
    fn a_p_value_is_printed_so_that_it_agrees_with_its_relation_to_the_level() {
        let cases = [
            (0.0012, 0.01, "p = 0.0012 < 0.01"),
            (0.01, 0.01, "p = 0.0100 >= 0.01"),
            (0.009_999, 0.01, "p = 0.009999 < 0.01"),
            (1.0, 0.01, "p = 1.0000 > 0.01"),
            (1e-9, 0.01, "p < 0.0001"),
            (0.000_06, 0.000_01, "p = 0.0001 > 0.00001"),
        ];
        for (p, level, text) in cases {
            assert_eq!(significance(p, level).as_deref(), Some(text));
        }
        assert_eq!(significance(f64::NAN, 0.01), None);
    }
}
