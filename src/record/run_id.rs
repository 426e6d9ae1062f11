//! Ids of runs: when each began and what it measured, so that a list of them reads as a history.

use std::time::{SystemTime, UNIX_EPOCH};

/// The id of a run: its start in UTC to the second, and the commit if there is one.
pub fn run_id(started: SystemTime, commit: Option<&str>) -> String {
    let time = rfc3339(started, humantime::format_rfc3339_seconds).replace(['-', ':'], "");
    match commit {
        Some(commit) => format!("{time}-{commit}"),
        None => time,
    }
}

/// When the run with this id began, to the second; nothing when the id does not begin with a time.
pub fn time_of_run(id: &str) -> Option<SystemTime> {
    let time = id.split('-').next()?;
    let part = |from: usize, to: usize| time.get(from..to);
    let (date, clock) = (time.get(..8)?, time.get(8..)?);
    let is_time = date.bytes().all(|byte| byte.is_ascii_digit()) && clock.len() == 8;
    let text = format!(
        "{}-{}-{}{}:{}:{}",
        part(0, 4)?,
        part(4, 6)?,
        part(6, 8)?,
        part(8, 11)?,
        part(11, 13)?,
        part(13, 16)?
    );
    if is_time { humantime::parse_rfc3339(&text).ok() } else { None }
}

/// A time as text; a clock that is set before 1970 counts as 1970, since the format knows nothing before it.
pub(crate) fn rfc3339<T: ToString>(time: SystemTime, format: impl Fn(SystemTime) -> T) -> String {
    format(time.max(UNIX_EPOCH)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_clock_before_1970_and_text_that_is_no_time_do_not_panic() {
        assert_eq!(run_id(UNIX_EPOCH - Duration::from_secs(1), None), "19700101T000000Z");
        for id in
            ["", "-", "2026", "20261124T170012", "20269924T170012Z", "2026112éT17001Z", "20261124X170012Z"]
        {
            assert_eq!(time_of_run(id), None, "{id}");
        }
    }
}
