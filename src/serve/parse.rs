//! Text of the flags into values, with sentences for what is wrong.

use std::time::Duration;

use super::options::{LARGEST_SLOWDOWN, LONGEST, Tail};

/// Units of a duration in nanoseconds. An ending of another one comes after it.
const UNITS_NS: [(&str, f64); 6] =
    [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9)];

/// Reads `2ms`, `200us`, `1.5s`; only 0 needs no unit.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let unit = UNITS_NS.iter().find(|(unit, _)| text.ends_with(unit));
    let (unit, unit_ns) = unit.ok_or("a duration needs a unit: ns, us, ms, s or m, as in 2ms")?;
    let nanoseconds = plain_number(text[..text.len() - unit.len()].trim_end())? * unit_ns;
    if nanoseconds > LONGEST.as_nanos() as f64 {
        return Err("longer than an hour cannot be meant".to_owned());
    }
    Ok(Duration::from_nanos(nanoseconds.round() as u64))
}

/// Reads a fraction such as `0.10`.
pub(super) fn slowdown(text: &str) -> Result<f64, String> {
    match plain_number(text)? {
        fraction if fraction <= LARGEST_SLOWDOWN => Ok(fraction),
        _ => Err("a slowdown is a fraction from 0 to 100; 0.10 is 10 % slower".to_owned()),
    }
}

/// Reads `SHARE:FACTOR`, as in `0.01:5`.
pub(super) fn tail(text: &str) -> Result<Tail, String> {
    let (share, factor) = text.split_once(':').ok_or("a tail is SHARE:FACTOR, as in 0.01:5")?;
    let tail = Tail { share: plain_number(share)?, factor: plain_number(factor)? };
    tail.check().map_err(|error| error.to_string())?;
    Ok(tail)
}

/// Digits with at most one point: what `f64` knows beyond (inf, nan, 1e9, a sign) is no sensible flag.
fn plain_number(text: &str) -> Result<f64, String> {
    let plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == '.');
    let number = if plain { text.parse::<f64>().ok() } else { None };
    number.filter(|number| number.is_finite()).ok_or_else(|| format!("{text:?} is not a number of 0 or more"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_exact_to_the_nanosecond() {
        let known = [
            ("0", 0),
            ("0s", 0),
            ("2ms", 2_000_000),
            ("2.1ms", 2_100_000),
            ("200us", 200_000),
            ("200µs", 200_000),
            ("200 us", 200_000),
            ("1.5s", 1_500_000_000),
            ("7ns", 7),
            ("2m", 120_000_000_000),
            (".5s", 500_000_000),
        ];
        for (text, nanoseconds) in known {
            assert_eq!(duration(text), Ok(Duration::from_nanos(nanoseconds)), "{text}");
        }
    }

    #[test]
    fn a_duration_that_cannot_be_meant_is_refused() {
        for text in [
            "", "2", "ms", "s", "-1ms", "nans", "infs", "1e3ms", "NaN", "1..2s", ".s", "2h", "61m", "2mss",
            "٣s", "+1s",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
        let endless = format!("{}s", "9".repeat(400));
        assert!(duration(&endless).is_err());
    }

    #[test]
    fn fractions_and_tails_keep_their_bounds() {
        assert_eq!(slowdown("0.10"), Ok(0.1));
        for text in ["nan", "-0.1", "101", "", "10%"] {
            assert!(slowdown(text).is_err(), "{text}");
        }
        assert_eq!(tail("0.01:5"), Ok(Tail { share: 0.01, factor: 5.0 }));
        for text in
            ["0.01", "1.1:5", "0.5:0.9", "0.5:", ":2", "nan:2", "0.5:inf", "0.5:1001", "0.1:2:3", "-0.1:2"]
        {
            assert!(tail(text).is_err(), "{text}");
        }
    }
}
