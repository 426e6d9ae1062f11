//! Durations as people write them: `250ms`, `2.5s`, `1m30s`. A number without a unit is in seconds, as in criterion.

use std::time::Duration;

/// A longer duration is a typing error.
pub(crate) const MAX_DURATION: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    #[error(
        "`{0}` is not a duration: write a number with the unit ns, us, ms, s, m or h, as in `250ms` or `1m30s`"
    )]
    Malformed(String),
    #[error("`{0}` is out of range: a duration is at least 0 and at most 24h")]
    OutOfRange(String),
}

/// Adds up numbers with the units `ns`, `us`, `µs`, `ms`, `s`, `m`, `min` or `h`. A single number without a unit is in seconds.
///
/// # Errors
/// If the text has another form, or the duration is negative or longer than 24 hours.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let text = text.trim();
    let malformed = || DurationError::Malformed(text.to_owned());
    let out_of_range = || DurationError::OutOfRange(text.to_owned());
    let mut total = Duration::ZERO;
    let mut rest = text;
    loop {
        let (number, after) = rest.split_at(rest.find(char::is_alphabetic).unwrap_or(rest.len()));
        let (unit, after) = after.split_at(after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len()));
        let seconds_per_unit = match unit {
            "" if number == text => 1.0,
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            _ => return Err(malformed()),
        };
        let number: f64 = number.trim().parse().map_err(|_| malformed())?;
        let part = Duration::try_from_secs_f64(number * seconds_per_unit).map_err(|_| out_of_range())?;
        total = total.saturating_add(part);
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    if total <= MAX_DURATION { Ok(total) } else { Err(out_of_range()) }
}

/// Whole seconds, rounded up, in the form that [`parse_duration`] reads: `17s`.
pub(crate) fn whole_seconds(duration: Duration) -> String {
    format!("{}s", duration.as_secs_f64().ceil())
}

/// Durations in files: seconds as a number.
pub(crate) mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        duration.as_secs_f64().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_unit_is_exact_to_the_nanosecond() {
        for (text, nanoseconds) in [
            ("7ns", 7),
            ("200us", 200_000),
            ("200µs", 200_000),
            ("200μs", 200_000),
            ("2.1ms", 2_100_000),
            ("2s", 2_000_000_000),
            (".5s", 500_000_000),
            ("2m", 120_000_000_000),
            ("2min", 120_000_000_000),
            ("24h", 86_400_000_000_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_nanos(nanoseconds)), "{text}");
        }
    }

    #[test]
    fn a_number_without_a_unit_is_in_seconds() {
        for (text, nanoseconds) in [("0", 0), ("2", 2_000_000_000), (" 0.5 ", 500_000_000)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_nanos(nanoseconds)), "{text}");
        }
    }

    #[test]
    fn several_parts_are_added_up() {
        for (text, seconds) in [("1m30s", 90.0), ("1h 2m 3.5s", 3723.5), ("2 s 250 ms", 2.25), ("0h1s", 1.0)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_malformed() {
        for text in [
            "",
            "ms",
            "NaN",
            "nans",
            "inf",
            "infs",
            "1e3ms",
            "1e400s",
            "2 parsecs",
            "--2s",
            "1..2s",
            ".s",
            "2mss",
            "٣s",
            "1 5s",
            "1m30",
            "1m,30s",
            "10%",
        ] {
            assert!(matches!(parse_duration(text), Err(DurationError::Malformed(_))), "{text}");
        }
    }

    #[test]
    fn a_negative_or_too_long_duration_is_out_of_range() {
        let endless = format!("{}s", "9".repeat(400));
        for text in ["-1s", "-1", "1m-30s", "25h", "24h1ns", "20h20h", &endless] {
            assert_eq!(parse_duration(text), Err(DurationError::OutOfRange(text.to_owned())));
        }
    }

    #[test]
    fn whole_seconds_are_rounded_up() {
        assert_eq!(whole_seconds(Duration::from_millis(16_001)), "17s");
    }
}
