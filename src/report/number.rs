//! Every spelled number of a report. The same number reads the same in the terminal, on the page and in charts.
//!
//! A minus is ASCII, which can be searched for.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::judge::Change;
use crate::plan::Throughput;
use crate::record::Unit;

/// Printed in place of a value that is not finite.
const NOTHING: &str = "-";
/// Printed in place of an interval without an end.
const UNKNOWN: &str = "unknown";

/// A number with four significant digits, and thousands set apart from 10,000 on.
fn four_digits(value: f64) -> String {
    match value.abs() {
        size if size < 9.9995 => format!("{value:.3}"),
        size if size < 99.995 => format!("{value:.2}"),
        size if size < 999.95 => format!("{value:.1}"),
        size if size < 1e15 => {
            let sign = if value < 0.0 { "-" } else { "" };
            format!("{sign}{}", count(size.round() as u64))
        }
        _ => format!("{value:.3e}"),
    }
}

/// A value in the largest unit that it reaches, or in the first one: the number, and the unit behind it.
fn scaled(value: f64, units: &[(f64, &'static str)]) -> (String, &'static str) {
    if !value.is_finite() {
        return (NOTHING.to_owned(), "");
    }
    /// From here on four digits round up to a thousand.
    const ROUNDS_UP: f64 = 0.999_95;
    let reached = units.iter().rev().find(|(size, _)| value.abs() >= size * ROUNDS_UP);
    let (size, name) = reached.unwrap_or(&units[0]);
    (four_digits(value / size), name)
}

/// A metric's value as a number and the unit behind it.
fn in_unit(value: f64, unit: Unit) -> (String, &'static str) {
    match unit {
        Unit::Ratio => share_parts(value),
        Unit::Nanoseconds => scaled(value, &[(1.0, " ns"), (1e3, " µs"), (1e6, " ms"), (1e9, " s")]),
        Unit::PerSecond => scaled(value, &[(1.0, "/s")]),
        Unit::Bytes => {
            scaled(value, &[(1.0, " B"), (1024.0, " KiB"), (1_048_576.0, " MiB"), (1_073_741_824.0, " GiB")])
        }
        Unit::Tokens if value.fract() == 0.0 && (0.0..1e15).contains(&value) => {
            (count(value as u64), " tokens")
        }
        Unit::Tokens => scaled(value, &[(1.0, " tokens")]),
        Unit::TokensPerSecond => {
            scaled(value, &[(1.0, " tokens/s"), (1e6, " M tokens/s"), (1e9, " G tokens/s")])
        }
    }
}

/// A metric's value: `41.23 ms`, `4,123/s`, `99.95%`.
pub(crate) fn value(value: f64, unit: Unit) -> String {
    let (number, unit) = in_unit(value, unit);
    number + unit
}

/// Both ends of an interval, the unit once if they share it: `22.60 to 23.52 ms`.
pub(crate) fn value_range((low, high): (f64, f64), unit: Unit) -> String {
    let ((low, low_unit), (high, high_unit)) = (in_unit(low, unit), in_unit(high, unit));
    let low_unit = if low_unit == high_unit { "" } else { low_unit };
    format!("{low}{low_unit} to {high}{high_unit}")
}

/// A duration in nanoseconds: `41.23 ms`.
pub(crate) fn duration_ns(ns: f64) -> String {
    value(ns, Unit::Nanoseconds)
}

/// A rate of what one request handles, in the units that criterion prints: `12.30 MiB/s`, `41.23 Kelem/s`.
pub(crate) fn throughput_per_s(requests_per_s: f64, of_one: Throughput) -> String {
    const BYTES: [(f64, &str); 4] =
        [(1.0, " B/s"), (1024.0, " KiB/s"), (1_048_576.0, " MiB/s"), (1_073_741_824.0, " GiB/s")];
    const ELEMENTS: [(f64, &str); 4] =
        [(1.0, " elem/s"), (1e3, " Kelem/s"), (1e6, " Melem/s"), (1e9, " Gelem/s")];
    let (size, units) = match of_one {
        Throughput::Bytes(bytes) => (bytes, BYTES),
        Throughput::Elements(elements) => (elements, ELEMENTS),
    };
    let (number, unit) = scaled(requests_per_s * size as f64, &units);
    number + unit
}

/// A ratio from 0 to 1 in percent, never rounded up to `100%`: `99.95%`.
pub(crate) fn share(ratio: f64) -> String {
    value(ratio, Unit::Ratio)
}

fn share_parts(ratio: f64) -> (String, &'static str) {
    let percent = ratio * 100.0;
    if !percent.is_finite() {
        return (NOTHING.to_owned(), "");
    }
    if percent == percent.round() {
        return (format!("{percent:.0}"), "%");
    }
    // As many decimals as tell it from 0% and 100%.
    let differs = |decimals: &usize| {
        let scale = 10_f64.powi(*decimals as i32);
        (1.0..100.0 * scale).contains(&(percent * scale).round())
    };
    let decimals = (2..6).find(differs).unwrap_or(6);
    (format!("{:.decimals$}", percent.min(99.999_999)), "%")
}

/// The size of a change in percent, without sign and unit: `3.4`.
pub(crate) fn percent_number(fraction: f64) -> String {
    /// From here on tenths of a percent are left out.
    const WHOLE_FROM: f64 = 99.95;
    /// Larger changes are printed as this one.
    const LARGEST: f64 = 1e6;
    match fraction.abs() * 100.0 {
        percent if percent.is_nan() => NOTHING.to_owned(),
        percent if percent >= WHOLE_FROM => count(percent.min(LARGEST).round() as u64),
        percent => format!("{percent:.1}"),
    }
}

/// The size of a change without its sign: `3.4%`.
pub(crate) fn percent(fraction: f64) -> String {
    percent_number(fraction) + "%"
}

/// A level or a margin that was set, without floating-point noise: `99.9%`.
pub(crate) fn setting(fraction: f64) -> String {
    const DIGITS: f64 = 1e8;
    format!("{}%", (100.0 * fraction * DIGITS).round() / DIGITS)
}

/// A change in percent, or in points if it is a difference of ratios, without the unit: `+3.4`, `-1.25`. What is rounded to zero
/// has a plus.
fn change_number(fraction: f64, is_difference: bool) -> String {
    let size = match is_difference {
        _ if fraction.is_nan() => return NOTHING.to_owned(),
        true => format!("{:.2}", 100.0 * fraction.abs()),
        false => percent_number(fraction),
    };
    let is_zero = size.chars().all(|c| matches!(c, '0' | '.'));
    format!("{}{size}", if fraction < 0.0 && !is_zero { "-" } else { "+" })
}

/// A change with its sign and unit: `+3.4%`, or `-1.25 points` for a difference of ratios.
pub(crate) fn change_of(fraction: f64, is_difference: bool) -> String {
    change_in_row(fraction, is_difference) + if is_difference { " points" } else { "" }
}

/// One of several changes in a row, which share the unit if it is a word: `+3.4%`, `-1.25`.
pub(crate) fn change_in_row(fraction: f64, is_difference: bool) -> String {
    let unit = if is_difference || fraction.is_nan() { "" } else { "%" };
    change_number(fraction, is_difference) + unit
}

/// The interval of a change: `+19.0 to +27.2%`.
pub(crate) fn change_range(Change { low, high, .. }: Change, is_difference: bool) -> String {
    if !high.is_finite() {
        return UNKNOWN.to_owned();
    }
    let unit = if is_difference { "" } else { "%" };
    format!("{} to {}{unit}", change_number(low, is_difference), change_number(high, is_difference))
}

/// A change and its interval: `+12.3% [+9.8, +14.9]`, or `-1.25 points [-1.40, -1.10]`.
pub(crate) fn change_with_interval(change: Change, is_difference: bool) -> String {
    if !change.high.is_finite() {
        return format!("{} [{UNKNOWN}]", change_of(change.estimate, is_difference));
    }
    let [low, high] = [change.low, change.high].map(|end| change_number(end, is_difference));
    format!("{} [{low}, {high}]", change_of(change.estimate, is_difference))
}

/// A count with its thousands set apart: `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    grouped(&number.to_string())
}

/// A plain number with commas between its thousands.
pub(crate) fn grouped(number: &str) -> String {
    let whole = number.find('.').unwrap_or(number.len());
    let mut grouped = String::with_capacity(number.len() + whole / 3);
    for (index, digit) in number.chars().enumerate() {
        let before = whole.saturating_sub(index);
        if index > 0 && before > 0 && before.is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A count and its noun: `1 cell`, `3 launches`.
pub(crate) fn plural(number: u64, noun: &str) -> String {
    let ending = match noun {
        _ if number == 1 => "",
        noun if noun.ends_with("ch") || noun.ends_with('s') => "es",
        _ => "s",
    };
    format!("{} {noun}{ending}", count(number))
}

/// How long something takes, to the second: `42 s`, `1 min 5 s`, `2 h 3 min`.
pub(crate) fn elapsed(duration: Duration) -> String {
    let seconds = duration.as_secs_f64().round() as u64;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    match (hours, minutes, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, 0) => format!("{minutes} min"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// The day of a time in UTC: `2026-11-24`.
pub(crate) fn date(time: SystemTime) -> String {
    let text = humantime::format_rfc3339_seconds(time.max(UNIX_EPOCH)).to_string();
    text.split('T').next().unwrap_or_default().to_owned()
}

/// A time in UTC to the minute: `2026-11-24 08:15`.
pub(crate) fn date_and_minute(time: SystemTime) -> String {
    let text = humantime::format_rfc3339_seconds(time.max(UNIX_EPOCH)).to_string();
    text.replace('T', " ").chars().take("2026-11-24 08:15".len()).collect()
}

/// A p value next to its level: `p = 0.0012 < 0.01`; `None` without a p value.
pub(crate) fn significance(p: f64, level: f64) -> Option<String> {
    /// Smaller ones are printed as `p < 0.0001`.
    const LEAST: f64 = 0.0001;
    if !p.is_finite() || !level.is_finite() {
        return None;
    }
    if p < LEAST && LEAST <= level {
        return Some(format!("p < {LEAST}"));
    }
    // Rounded away from the level, so that the printed number compares to it as the p value does.
    let (relation, steps) = match p {
        p if p < level => ("<", (p / LEAST + 1e-9).floor()),
        p if p > level => (">", (p / LEAST - 1e-9).ceil()),
        _ => (">=", p / LEAST),
    };
    Some(format!("p = {:.4} {relation} {level}", steps * LEAST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_without_an_end_is_unknown() {
        let change = Change { low: -1.0, estimate: 0.5, high: f64::INFINITY };
        assert_eq!(change_with_interval(change, false), "+50.0% [unknown]");
        assert_eq!(change_range(change, false), "unknown");
    }

    #[test]
    fn runs_of_one_day_are_told_apart_by_the_minute() {
        let time = UNIX_EPOCH + Duration::from_secs(1_764_489_600);
        assert_eq!((date(time), date_and_minute(time)), ("2025-11-30".into(), "2025-11-30 08:00".into()));
    }

    #[test]
    fn durations_have_four_digits_and_a_fitting_unit() {
        let cases = [
            (0.0, "0.000 ns"),
            (1.0, "1.000 ns"),
            (999.96, "1.000 µs"),
            (41_234.0, "41.23 µs"),
            (123_456_789.0, "123.5 ms"),
            (1.5e9, "1.500 s"),
            (3.6e12, "3,600 s"),
            (f64::NAN, "-"),
            (f64::INFINITY, "-"),
        ];
        for (ns, text) in cases {
            assert_eq!(duration_ns(ns), text);
        }
    }

    #[test]
    fn rates_name_their_unit() {
        assert_eq!(value(4123.4, Unit::PerSecond), "4,123/s");
        assert_eq!(value(9.8765, Unit::PerSecond), "9.877/s");
        assert_eq!(value(1_536.0, Unit::Bytes), "1.500 KiB");
        assert_eq!(value(642_694.2, Unit::TokensPerSecond), "642,694 tokens/s");
        assert_eq!(value(47_916_427.0, Unit::TokensPerSecond), "47.92 M tokens/s");
        assert_eq!(throughput_per_s(100.0, Throughput::Bytes(1024 * 1024)), "100.0 MiB/s");
        assert_eq!(throughput_per_s(2.0, Throughput::Elements(700)), "1.400 Kelem/s");
        assert_eq!(value(1e18, Unit::PerSecond), "1.000e18/s");
    }

    #[test]
    fn a_ratio_below_one_is_never_shown_as_100_percent() {
        let cases = [
            (1.0, "100%"),
            (0.0, "0%"),
            (0.5, "50%"),
            (0.123, "12.30%"),
            (0.9995, "99.95%"),
            (0.99999, "99.999%"),
            (1.0 - 1e-12, "99.999999%"),
        ];
        for (ratio, text) in cases {
            assert_eq!(share(ratio), text);
        }
    }

    #[test]
    fn changes_have_a_sign_and_no_minus_zero() {
        let percent_of = |fraction| change_of(fraction, false);
        assert_eq!(percent_of(0.0342), "+3.4%");
        assert_eq!(percent_of(-0.2), "-20.0%");
        assert_eq!(percent_of(-0.0001), "+0.0%");
        assert_eq!(percent_of(12.345), "+1,235%", "thirteen times as slow");
        assert_eq!(percent_of(f64::INFINITY), "+1,000,000%");
        assert_eq!(percent_of(f64::NAN), "-");
        assert_eq!(change_of(-0.0125, true), "-1.25 points");
        assert_eq!(change_of(-0.00001, true), "+0.00 points");
    }

    #[test]
    fn settings_show_no_floating_point_noise() {
        assert_eq!([0.95, 0.999, 0.57].map(setting), ["95%", "99.9%", "57%"]);
    }

    #[test]
    fn counts_are_readable_and_nouns_agree() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(grouped("1234.5678"), "1,234.5678");
        assert_eq!(plural(1, "cell"), "1 cell");
        assert_eq!(plural(0, "cell"), "0 cells");
        assert_eq!(plural(2, "launch"), "2 launches");
    }

    #[test]
    fn elapsed_times_have_two_units_at_most() {
        let seconds = |s| elapsed(Duration::from_secs(s));
        assert_eq!([0, 59, 60, 65, 7400].map(seconds), ["0 s", "59 s", "1 min", "1 min 5 s", "2 h 3 min"]);
    }

    #[test]
    fn the_ends_of_an_interval_share_their_unit() {
        let latency = |low, high| value_range((low, high), Unit::Nanoseconds);
        assert_eq!(latency(22.6e6, 23.52e6), "22.60 to 23.52 ms");
        assert_eq!(latency(999e3, 1.001e6), "999.0 µs to 1.001 ms");
        assert_eq!(latency(f64::NAN, 1e6), "- to 1.000 ms");
        assert_eq!(value_range((212.5, 1_221.0), Unit::PerSecond), "212.5 to 1,221/s");
        let change =
            |low, high, is_difference| change_range(Change { low, estimate: 0.0, high }, is_difference);
        assert_eq!(change(0.19, 0.272, false), "+19.0 to +27.2%");
        assert_eq!(change(-0.0001, 0.0002, true), "-0.01 to +0.02");
    }

    #[test]
    fn a_p_value_is_printed_so_that_it_agrees_with_its_relation_to_the_level() {
        let cases = [
            (0.0012, 0.01, "p = 0.0012 < 0.01"),
            (0.01, 0.01, "p = 0.0100 >= 0.01"),
            (0.009_999, 0.01, "p = 0.0099 < 0.01"),
            (0.010_001, 0.01, "p = 0.0101 > 0.01"),
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
