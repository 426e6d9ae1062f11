//! What is worth saying of a baseline as such: how many runs it has, when they were taken, and what else was different.

use std::collections::{BTreeMap, BTreeSet};

use crate::judge::words::counted;
use crate::record::{Baseline, Run, StoredRun};

/// Runs that were taken within less than this know nothing of other days.
const ONE_SITTING_MINUTES: i64 = 60;
/// Facts of the setup that move speeds; digests of binaries differ always, that is the point.
const TELLING: [&str; 4] = ["kernel", "governor", "rustc", "profile"];

/// Sentences on the baselines of the groups that were measured.
pub(super) fn notes(baselines: &[Baseline], runs: &[Run]) -> Vec<String> {
    let groups: BTreeSet<&str> =
        runs.iter().flat_map(|run| &run.cells).map(|cell| cell.group.as_str()).collect();
    let measured = baselines.iter().filter(|baseline| groups.contains(baseline.group.as_str()));
    measured.flat_map(|baseline| of_baseline(baseline, runs)).collect()
}

fn of_baseline(baseline: &Baseline, runs: &[Run]) -> Vec<String> {
    let stored: Vec<&StoredRun> = baseline.current().collect();
    let (group, mut notes) = (&baseline.group, Vec::new());
    if stored.len() == 1 {
        notes.push(format!(
            "The baseline of `{group}` is one stored run: how much runs differ here is not known but assumed. Record more."
        ));
    }
    let minutes: Option<Vec<i64>> = stored.iter().map(|run| minute_of(&run.id)).collect();
    let span = minutes.and_then(|minutes| Some(minutes.iter().max()? - minutes.iter().min()?));
    if let Some(span) = span.filter(|span| stored.len() > 1 && *span < ONE_SITTING_MINUTES) {
        notes.push(format!(
            "The {} stored runs of `{group}` were taken within {}: they know nothing of other hours and days.",
            stored.len(),
            counted(usize::try_from(span.max(1)).unwrap_or(1), "minute", "minutes")
        ));
    }
    notes.extend(
        changed_setup(&stored, runs).map(|change| format!("Since the baseline of `{group}` {change}.")),
    );
    notes
}

/// Facts in which head differs from each of the stored runs that know them.
fn changed_setup(stored: &[&StoredRun], runs: &[Run]) -> impl Iterator<Item = String> {
    let values = |setups: &mut dyn Iterator<Item = &BTreeMap<String, String>>,
                  fact: &str|
     -> BTreeSet<String> { setups.filter_map(|setup| setup.get(fact)).cloned().collect() };
    TELLING.into_iter().filter_map(move |fact| {
        let there = values(&mut stored.iter().map(|run| &run.setup), fact);
        let here = values(&mut runs.iter().map(|run| &run.environment.setup), fact);
        let told = |values: BTreeSet<String>| values.into_iter().collect::<Vec<_>>().join(", ");
        let changed = !there.is_empty() && !here.is_empty() && there.is_disjoint(&here);
        changed.then(|| format!("the {fact} changed from {} to {}", told(there), told(here)))
    })
}

/// The minute of an id such as `20261124T170012Z-abc1234`, counted from some day long ago; nothing when it has no such form.
fn minute_of(id: &str) -> Option<i64> {
    let stamp = id.get(..16).filter(|stamp| stamp.as_bytes()[8] == b'T' && stamp.ends_with('Z'))?;
    let number = |from: usize, to: usize| stamp.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let days = day_number(year, month, day);
    Some((days * 24 + number(9, 11)?) * 60 + number(11, 13)?)
}

/// Days in the Gregorian calendar, the year beginning in March (the algorithm of Richards 2013, in whole numbers).
fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_run_on_over_months_leap_days_and_years() {
        let minutes = |from: &str, to: &str| minute_of(to).unwrap() - minute_of(from).unwrap();
        assert_eq!(minutes("20261124T170012Z-abc1234", "20261124T171200Z-abc1234"), 12);
        assert_eq!(minutes("20261231T235900Z-a", "20270101T000000Z-a"), 1);
        assert_eq!(minutes("20280228T000000Z-a", "20280301T000000Z-a"), 2 * 24 * 60);
        assert_eq!(minutes("20260228T000000Z-a", "20260301T000000Z-a"), 24 * 60);
        for id in ["", "yesterday", "20261124 170012Z", "2026112éT170012Z-abc", "aaaabbccTddeeffZ"] {
            assert_eq!(minute_of(id), None, "{id}");
        }
    }
}
