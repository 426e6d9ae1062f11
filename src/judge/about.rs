//! What is worth saying of a baseline as such: how many runs it has, when they were taken, and what else was different.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::judge::sides::{Base, Sides};
use crate::record::Run;
use crate::record::words::plural;

/// Runs that were taken within less than this know nothing of other days.
const ONE_SITTING: Duration = Duration::from_secs(60 * 60);
/// Facts of the setup that move speeds; digests of binaries differ always, that is the point.
const TELLING: [&str; 4] = ["kernel", "governor", "rustc", "profile"];

/// Sentences on the stored runs that the cells of each group are held against.
pub(super) fn notes(sides: &[Sides], runs: &[Run]) -> Vec<String> {
    let mut groups: BTreeMap<&str, BTreeMap<&str, &Run>> = BTreeMap::new();
    for side in sides {
        let (Some(head), Base::Runs { current, .. }) = (side.head.first(), &side.base) else { continue };
        let group = groups.entry(&head.cell.id.group).or_default();
        group.extend(current.iter().map(|stored| (stored.run.id.as_str(), stored.run)));
    }
    groups
        .into_iter()
        .flat_map(|(group, stored)| of_group(group, &stored.into_values().collect::<Vec<_>>(), runs))
        .collect()
}

fn of_group(group: &str, stored: &[&Run], runs: &[Run]) -> Vec<String> {
    let mut notes = Vec::new();
    if stored.len() == 1 {
        notes.push(format!(
            "The baseline of `{group}` is one stored run: how much runs differ here is not known but assumed. Record more."
        ));
    }
    let times = || stored.iter().map(|run| run.started);
    let span = times().max().and_then(|last| last.duration_since(times().min()?).ok());
    if let Some(span) = span.filter(|span| stored.len() > 1 && *span < ONE_SITTING) {
        notes.push(format!(
            "The {} stored runs of `{group}` were taken within {}: they know nothing of other hours and days.",
            stored.len(),
            plural(span.as_secs().div_ceil(60).max(1), "minute")
        ));
    }
    let named = runs.iter().map(|run| &run.environment.machine.test_bed);
    if named
        .clone()
        .any(|here| stored.iter().any(|run| run.environment.machine.test_bed.is_another_machine_of(here)))
    {
        notes.push(format!(
            "Stored runs of `{group}` come from several machines under the name of this test bed."
        ));
    }
    notes.extend(
        changed_setup(stored, runs).map(|change| format!("Since the baseline of `{group}` {change}.")),
    );
    notes
}

/// Facts in which head differs from each of the stored runs that know them.
fn changed_setup(stored: &[&Run], runs: &[Run]) -> impl Iterator<Item = String> {
    let values = |setups: &mut dyn Iterator<Item = &BTreeMap<String, String>>,
                  fact: &str|
     -> BTreeSet<String> { setups.filter_map(|setup| setup.get(fact)).cloned().collect() };
    TELLING.into_iter().filter_map(move |fact| {
        let there = values(&mut stored.iter().map(|run| &run.environment.setup), fact);
        let here = values(&mut runs.iter().map(|run| &run.environment.setup), fact);
        let told = |values: BTreeSet<String>| values.into_iter().collect::<Vec<_>>().join(", ");
        let changed = !there.is_empty() && !here.is_empty() && there.is_disjoint(&here);
        changed.then(|| format!("the {fact} changed from {} to {}", told(there), told(here)))
    })
}
