//! Durations as people write them: `2ms`, `200us`, `1.5s`, `2m`; a bare number is seconds, as in criterion.

use std::time::Duration;

/// The longest duration that anything here accepts: a day. More is a slip of the finger.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Why a duration could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// It is not a number with a unit.
    #[error(
        "`{0}` is no duration: write a number with ns, us, ms, s, m or h behind it, as in `2ms` or `1.5s`"
    )]
    Malformed(String),
    /// It is negative, not finite, or longer than a day.
    #[error("`{0}` is out of range: a duration lies between 0 and 24h")]
    OutOfRange(String),
}

/// Reads a duration: a decimal number followed by `ns`, `us`, `µs`, `ms`, `s`, `m` or `h`; without a unit it is seconds.
///
/// # Errors
/// When it is no number, negative, not finite or longer than a day.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let text = text.trim();
    let malformed = || DurationError::Malformed(text.to_owned());
    let split =
        text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+'))).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let seconds_per_unit = match unit.trim() {
        "" | "s" => 1.0,
        "ns" => 1e-9,
        "us" | "µs" | "μs" => 1e-6,
        "ms" => 1e-3,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(malformed()),
    };
    let number: f64 = number.parse().map_err(|_| malformed())?;
    Duration::try_from_secs_f64(number * seconds_per_unit)
        .ok()
        .filter(|duration| *duration <= LONGEST)
        .ok_or_else(|| DurationError::OutOfRange(text.to_owned()))
}

/// Whole seconds, rounded up, as [`parse_duration`] reads them: `17s`.
pub(crate) fn whole_seconds(duration: Duration) -> String {
    format!("{}s", duration.as_secs_f64().ceil())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read() {
        for (text, nanoseconds) in [
            ("7ns", 7),
            ("200us", 200_000),
            ("200µs", 200_000),
            ("2.5ms", 2_500_000),
            ("2s", 2_000_000_000),
            ("0.5", 500_000_000),
            ("2m", 120_000_000_000),
            ("1h", 3_600_000_000_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_nanos(nanoseconds)), "{text}");
        }
    }

    #[test]
    fn nonsense_is_named() {
        for text in ["", "ms", "NaN", "inf", "1e400s", "2 parsecs", "--2s"] {
            assert!(matches!(parse_duration(text), Err(DurationError::Malformed(_))), "{text}");
        }
        for text in ["-1s", "25h", "99999999999999999999s"] {
            assert!(matches!(parse_duration(text), Err(DurationError::OutOfRange(_))), "{text}");
        }
    }
}
