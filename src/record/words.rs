//! Values as people read them, said in one place: reasons, notes, tables and charts spell the same number alike.
//!
//! Values flow in in the units of this room, text flows out. A minus is ASCII, so that text can be searched for it.

use std::time::Duration;

use crate::plan::Throughput;
use crate::record::metric::Unit;

/// What stands where there is no number.
pub(crate) const NOTHING: &str = "-";
/// Larger changes are not told apart.
const LARGEST_PERCENT: f64 = 1e6;

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

/// The last of the units whose size the value reaches, the first one for what is smaller.
fn in_units(value: f64, units: &[(f64, &str)]) -> String {
    if !value.is_finite() {
        return NOTHING.to_owned();
    }
    /// From here on four digits round up to a thousand.
    const ROUNDS_UP: f64 = 0.999_95;
    let reached = units.iter().rev().find(|(size, _)| value.abs() >= size * ROUNDS_UP);
    let (size, name) = reached.unwrap_or(&units[0]);
    format!("{} {name}", four_digits(value / size))
}

/// A duration in nanoseconds: `41.23 ms`.
pub(crate) fn duration_ns(ns: f64) -> String {
    in_units(ns, &[(1.0, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s")])
}

/// A rate of exchanges: `4,123/s`.
fn rate_per_s(rate: f64) -> String {
    if rate.is_finite() { format!("{}/s", four_digits(rate)) } else { NOTHING.to_owned() }
}

/// A rate of tokens: `642,694 tokens/s`, `47.92 M tokens/s`.
fn tokens_per_s(rate: f64) -> String {
    in_units(rate, &[(1.0, "tokens/s"), (1e6, "M tokens/s"), (1e9, "G tokens/s")])
}

/// A rate of what an exchange handles, in the units that criterion prints: `12.30 MiB/s`, `41.23 Kelem/s`.
pub(crate) fn throughput_per_s(exchanges_per_s: f64, of_one: Throughput) -> String {
    match of_one {
        Throughput::Bytes(bytes) => {
            let units =
                [(1.0, "B/s"), (1024.0, "KiB/s"), (1024.0 * 1024.0, "MiB/s"), (1024_f64.powi(3), "GiB/s")];
            in_units(exchanges_per_s * bytes as f64, &units)
        }
        Throughput::Elements(elements) => {
            let units = [(1.0, "elem/s"), (1e3, "Kelem/s"), (1e6, "Melem/s"), (1e9, "Gelem/s")];
            in_units(exchanges_per_s * elements as f64, &units)
        }
    }
}

/// A share from 0 to 1 in per cent, which is never rounded up to `100 %`: `99.95 %`.
pub(crate) fn share(ratio: f64) -> String {
    if !ratio.is_finite() {
        return NOTHING.to_owned();
    }
    let percent = ratio * 100.0;
    if percent == percent.round() {
        return format!("{percent:.0} %");
    }
    /// Enough to tell one failure among a hundred million from none.
    const MOST_DECIMALS: i32 = 6;
    /// As many as a difference of shares has, in points.
    const LEAST_DECIMALS: i32 = 2;
    // As many decimals as leave the smaller of the two shares two digits.
    let smaller = percent.min(100.0 - percent).abs().max(1e-6);
    // (A little more, so that a power of ten is not taken for less than it is.)
    let decimals = (1 - (smaller.log10() + 1e-9).floor() as i32).clamp(LEAST_DECIMALS, MOST_DECIMALS);
    let scale = 10_f64.powi(decimals);
    // What is not all is not shown as all.
    let shown = ((percent * scale).round() / scale).min(100.0 - 1.0 / scale);
    format!("{shown:.0$} %", decimals as usize)
}

/// A metric's value in its unit.
pub(crate) fn value(value: f64, unit: Unit) -> String {
    let finite = |text: String| if value.is_finite() { text } else { NOTHING.to_owned() };
    match unit {
        Unit::Ratio => share(value),
        Unit::Nanoseconds => duration_ns(value),
        Unit::PerSecond => rate_per_s(value),
        Unit::Tokens => finite(format!("{} tokens", four_digits(value))),
        Unit::TokensPerSecond => tokens_per_s(value),
    }
}

/// The size of a change without its sign: `3.4 %`.
pub(crate) fn percent(fraction: f64) -> String {
    /// From here on a tenth of a per cent is no news.
    const WHOLE_FROM: f64 = 99.95;
    let percent = fraction.abs() * 100.0;
    match percent {
        p if p.is_nan() => NOTHING.to_owned(),
        p if p >= WHOLE_FROM => format!("{} %", count(p.min(LARGEST_PERCENT).round() as u64)),
        p => format!("{p:.1} %"),
    }
}

/// A fraction that somebody set, a level or a margin, without what floating point adds to it: `99.9 %`.
pub(crate) fn setting(fraction: f64) -> String {
    const DIGITS: f64 = 1e8;
    format!("{} %", (100.0 * fraction * DIGITS).round() / DIGITS)
}

/// A change with its sign: `+3.4 %`.
pub(crate) fn change(fraction: f64) -> String {
    if fraction.is_nan() {
        return NOTHING.to_owned();
    }
    let size = percent(fraction);
    let sign = if fraction < 0.0 && size != "0.0 %" { "-" } else { "+" };
    format!("{sign}{size}")
}

/// A change of a share in points, without the word: `-1.25`.
pub(crate) fn points(difference: f64) -> String {
    if !difference.is_finite() {
        return NOTHING.to_owned();
    }
    let points = difference * 100.0;
    let size = format!("{:.2}", points.abs());
    let sign = if points < 0.0 && size != "0.00" { "-" } else { "+" };
    format!("{sign}{size}")
}

/// A change in its unit: `+3.4 %`, or `-1.25 points` where it is a difference of shares.
pub(crate) fn change_of(fraction: f64, is_difference: bool) -> String {
    if is_difference { format!("{} points", points(fraction)) } else { change(fraction) }
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

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_four_digits_and_the_unit_that_fits() {
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
        assert_eq!(rate_per_s(4123.4), "4,123/s");
        assert_eq!(rate_per_s(9.8765), "9.877/s");
        assert_eq!(value(642_694.2, Unit::TokensPerSecond), "642,694 tokens/s");
        assert_eq!(value(47_916_427.0, Unit::TokensPerSecond), "47.92 M tokens/s");
        assert_eq!(throughput_per_s(100.0, Throughput::Bytes(1024 * 1024)), "100.0 MiB/s");
        assert_eq!(throughput_per_s(2.0, Throughput::Elements(700)), "1.400 Kelem/s");
        assert_eq!(rate_per_s(1e18), "1.000e18/s");
    }

    #[test]
    fn a_share_below_one_is_never_shown_as_all() {
        let cases = [
            (1.0, "100 %"),
            (0.0, "0 %"),
            (0.5, "50 %"),
            (0.123, "12.30 %"),
            (0.9995, "99.950 %"),
            (0.99999, "99.9990 %"),
            (1.0 - 1e-12, "99.999999 %"),
        ];
        for (ratio, text) in cases {
            assert_eq!(share(ratio), text);
        }
    }

    #[test]
    fn changes_carry_their_sign_and_no_minus_zero() {
        assert_eq!(change(0.0342), "+3.4 %");
        assert_eq!(change(-0.2), "-20.0 %");
        assert_eq!(change(-0.0001), "+0.0 %");
        assert_eq!(change(12.345), "+1,235 %", "thirteen times as slow");
        assert_eq!(change(f64::INFINITY), "+1,000,000 %");
        assert_eq!(change(f64::NAN), "-");
        assert_eq!(points(-0.0125), "-1.25");
        assert_eq!(points(-0.00001), "+0.00");
    }

    #[test]
    fn what_was_set_has_no_noise_of_floating_point() {
        assert_eq!([0.95, 0.999, 0.57].map(setting), ["95 %", "99.9 %", "57 %"]);
    }

    #[test]
    fn counts_are_readable_and_nouns_agree() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(grouped("1234.5678"), "1,234.5678");
        assert_eq!(plural(1, "cell"), "1 cell");
        assert_eq!(plural(0, "cell"), "0 cells");
        assert_eq!(plural(2, "launch"), "2 launches");
        assert_eq!(list(&["a".into(), "b".into(), "c".into()]), "a, b and c");
    }

    #[test]
    fn times_read_as_people_say_them() {
        let seconds = |s| elapsed(Duration::from_secs(s));
        assert_eq!([0, 59, 60, 65, 7400].map(seconds), ["0 s", "59 s", "1 min", "1 min 5 s", "2 h 3 min"]);
    }
}
