//! The environment of base and of head: the machine, what was built, when it was measured.

use std::time::Duration;

use serde::Serialize;

use crate::record::{BaseRef, Environment, Run};
use crate::report::model::{Report, by_key, unique};
use crate::report::number::{date, elapsed, plural};
use crate::report::text::{list, machine_load, named};

/// A fact of the environment, as it was for base and for head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Fact {
    /// Its name.
    pub(crate) name: String,
    /// Base's; null if it is not known of base, or if there is no base.
    pub(crate) base: Option<String>,
    /// Head's.
    pub(crate) head: String,
    /// Whether base and head differ in it, and did not have to.
    pub(crate) differs: bool,
}

impl Fact {
    fn new(name: &str, base: Option<String>, head: String) -> Self {
        let differs = base.as_ref().is_some_and(|base| *base != head);
        Self { name: name.to_owned(), base, head, differs }
    }

    /// One that differs by its nature.
    fn of_run(name: &str, base: Option<String>, head: String) -> Self {
        Self { differs: false, ..Self::new(name, base, head) }
    }
}

/// What base and head are, in a sentence; empty if there is no base.
pub(crate) fn sides(report: &Report) -> String {
    let stored = stored_runs(report).len();
    match report.runs.last().and_then(|run| run.base_ref.as_ref()) {
        _ if stored > 0 && !report.is_duet() => format!(
            "Base is {} of the baseline `{}`.",
            plural(stored as u64, "stored run"),
            report.options.baseline
        ),
        Some(base) if report.is_duet() => {
            format!("Base is {}. Base and head ran alternately on the same machine.", base.described())
        }
        _ if report.is_duet() => "Base and head ran alternately on the same machine.".to_owned(),
        _ => String::new(),
    }
}

/// The stored runs that any cell is compared with, the oldest first.
fn stored_runs<'a>(report: &Report<'a>) -> Vec<&'a Run> {
    let compared = report.cells().into_iter().filter(|cell| !cell.judged.comparisons.is_empty());
    let mut runs: Vec<&Run> =
        unique_by_id(compared.flat_map(|cell| report.stored(&cell)).map(|(run, _)| run));
    runs.sort_by_key(|run| run.started);
    runs
}

fn unique_by_id<'a>(runs: impl Iterator<Item = &'a Run>) -> Vec<&'a Run> {
    by_key(runs.map(|run| (&run.id, run))).into_iter().map(|(_, runs)| runs[0]).collect()
}

/// The machine, the build and the run of base and of head.
pub(crate) fn environment(report: &Report) -> Vec<Fact> {
    let Some(run) = report.runs.last() else { return Vec::new() };
    let head = &run.environment;
    let stored = stored_runs(report);
    let mut facts = match &run.base_ref {
        _ if !report.is_duet() => against_stored(&stored, head),
        Some(base) => in_duet(base, head),
        None => known(head).into_iter().map(|(name, value)| of_machine(name, value)).collect(),
    };
    let ids = |runs: &[&Run]| named(&runs.iter().map(|run| &run.id).collect::<Vec<_>>());
    let all: Vec<&Run> = report.runs.iter().collect();
    // Both sides of a duet are in the same runs.
    let base = if report.is_duet() { &all } else { &stored };
    let of_base = |text: &dyn Fn(&[&Run]) -> String| (!base.is_empty()).then(|| text(base));
    let load = || format!("load average {:.2} at the start", head.load);
    let load = machine_load(report.runs).unwrap_or_else(load);
    facts.push(Fact::of_run("measured", of_base(&when), when(&all)));
    facts.push(Fact::of_run("machine load", report.is_duet().then(|| load.clone()), load));
    facts.push(Fact::of_run("run", of_base(&ids), ids(&all)));
    facts.retain(|fact| !fact.head.is_empty() || fact.base.as_ref().is_some_and(|base| !base.is_empty()));
    facts
}

/// How many runs there are, on which days they were measured, and how long that took.
fn when(runs: &[&Run]) -> String {
    let took: Duration = runs.iter().map(|run| run.elapsed).sum();
    let days = unique(runs.iter().map(|run| date(run.started)));
    let days = match &days[..] {
        [] => String::new(),
        [day] => format!(" on {day}"),
        [first, .., last] => format!(", {first} to {last}"),
    };
    format!("{} in {}{days}", plural(runs.len() as u64, "run"), elapsed(took))
}

/// What an environment tells of itself, by name.
fn known(environment: &Environment) -> Vec<(String, String)> {
    let Environment { machine, setup, commit, tree, dirty, .. } = environment;
    let virtual_machine = if machine.is_virtual { ", virtual" } else { "" };
    let reached = if machine.loopback { "loopback" } else { "a network" };
    let changes = if *dirty { " with uncommitted changes" } else { "" };
    let own = |name: &str, value: String| (name.to_owned(), value);
    let mut known = vec![
        own("machine", format!("{} ({} {}{virtual_machine})", machine.cpu, machine.os, machine.arch)),
        own("CPUs, memory", format!("{}, {} GiB", plural(machine.cpus.into(), "CPU"), machine.memory_gib)),
        own("service reached by", reached.to_owned()),
    ];
    known.extend(setup.iter().map(|(name, value)| (name.clone(), value.clone())));
    known.extend(commit.iter().map(|commit| own(COMMIT, format!("{commit}{changes}"))));
    known.extend(tree.iter().map(|tree| own(FILES, short_id(tree))));
    known
}

const COMMIT: &str = "commit";
const FILES: &str = "files";

/// The first digits of an id of git's.
fn short_id(id: &str) -> String {
    id.chars().take(10).collect()
}

/// Of stored runs each fact is told once for all that have it.
fn against_stored(stored: &[&Run], head: &Environment) -> Vec<Fact> {
    let of_head = known(head);
    let of_base: Vec<(String, String)> = stored.iter().flat_map(|run| known(&run.environment)).collect();
    let by_name = by_key(of_base);
    let value = |name: &str| {
        let values = by_name.iter().find(|(known, _)| known == name).map(|(_, values)| unique(values));
        values.map(|values| named(&values))
    };
    let unknown = |stored: &[&Run]| (!stored.is_empty()).then(String::new);
    let mut facts: Vec<Fact> = of_head
        .iter()
        .map(|(name, head)| Fact::new(name, value(name).or(unknown(stored)), head.clone()))
        .collect();
    let only_base = by_name.iter().filter(|(name, _)| !of_head.iter().any(|(known, _)| known == name));
    facts.extend(only_base.map(|(name, _)| Fact::new(name, value(name), String::new())));
    facts
}

/// A fact that both sides of a duet share, unless it is about the working tree: nothing is known of base's.
fn of_machine(name: String, head: String) -> Fact {
    let is_shared = ![COMMIT, FILES].contains(&name.as_str());
    Fact::new(&name, is_shared.then(|| head.clone()), head)
}

/// Both sides of a duet share the machine; what was built may differ.
fn in_duet(base: &BaseRef, head: &Environment) -> Vec<Fact> {
    let mut facts: Vec<Fact> = known(head).into_iter().map(|(name, value)| of_machine(name, value)).collect();
    for fact in &mut facts {
        let of_base = match (fact.name.as_str(), &base.toolchains) {
            (COMMIT, _) => base.commit.get(..fact.head.find(' ').unwrap_or(fact.head.len())),
            ("rustc", Some((of_base, _))) => Some(of_base.as_str()),
            _ => continue,
        };
        *fact = Fact::new(&fact.name, of_base.map(str::to_owned), fact.head.clone());
    }
    if base.differing_count > 0 {
        let more = match base.differing_count.saturating_sub(base.differing.len()) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let files = format!("{}{more}", base.differing.join(", "));
        facts.push(Fact { differs: true, ..Fact::new("files that differ", Some(files.clone()), files) });
    }
    if !base.programs.is_empty() {
        let same = if base.same_programs { ", byte-for-byte identical" } else { ", not identical" };
        let programs = format!("{}{same}", list(&base.programs));
        let differs = !base.same_programs;
        facts.push(Fact { differs, ..Fact::new("programs", Some(programs.clone()), programs) });
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Verdict;
    use crate::report::tests::Sampled;

    fn facts(sampled: &Sampled) -> String {
        let fact = |Fact { name, base, head, differs }: Fact| {
            let mark = if differs { " (differs)" } else { "" };
            format!("{name}: {} | {head}{mark}", base.unwrap_or_default())
        };
        let facts: Vec<String> = environment(&sampled.report()).into_iter().map(fact).collect();
        format!("{}\n{}", sides(&sampled.report()), facts.join("\n"))
    }

    #[test]
    fn the_environment_of_stored_runs_stands_next_to_that_of_head() {
        let mut sampled = Sampled::new(&[Verdict::Unchanged]);
        let mut older = sampled.baseline.runs[0].clone();
        older.id = "20261123T170012Z-1234567".into();
        older.environment.setup.insert("rustc".into(), "1.94.0".into());
        older.environment.setup.insert("governor".into(), "performance".into());
        sampled.baseline.runs.insert(0, older);
        insta::assert_snapshot!(facts(&sampled), @r"
        Base is 2 stored runs of the baseline `main`.
        machine: AMD EPYC 7763 (linux x86_64, virtual) | AMD EPYC 7763 (linux x86_64, virtual)
        CPUs, memory: 4 CPUs, 16 GiB | 4 CPUs, 16 GiB
        service reached by: loopback | loopback
        kernel: 6.8 | 6.8
        profile: release | release
        rustc: 1.94.0, 1.95.0 | 1.95.0 (differs)
        commit: abc1234 with uncommitted changes | abc1234 with uncommitted changes
        governor: performance |  (differs)
        measured: 2 runs in 2 min 46 s on 1970-01-01 | 1 run in 1 min 23 s on 1970-01-01
        machine load:  | load average 0.21 at the start
        run: 20261123T170012Z-1234567, 20261124T170012Z-abc1234 | 20261124T170012Z-abc1234
        ");
        insta::assert_snapshot!(facts(&Sampled::new(&[Verdict::New])), @r"

        machine:  | AMD EPYC 7763 (linux x86_64, virtual)
        CPUs, memory:  | 4 CPUs, 16 GiB
        service reached by:  | loopback
        kernel:  | 6.8
        profile:  | release
        rustc:  | 1.95.0
        commit:  | abc1234 with uncommitted changes
        measured:  | 1 run in 1 min 23 s on 1970-01-01
        machine load:  | load average 0.21 at the start
        run:  | 20261124T170012Z-abc1234
        ");
    }

    #[test]
    fn in_a_duet_only_what_was_built_differs() {
        let mut sampled = Sampled::duet();
        let alone = facts(&sampled);
        sampled.runs[0].base_ref = Some(BaseRef {
            name: "main".to_owned(),
            commit: "0123456789abcdef".to_owned(),
            differing: ["a", "b"].map(str::to_owned).to_vec(),
            differing_count: 4,
            programs: vec!["server of package shop".to_owned()],
            toolchains: Some(("1.90.0".to_owned(), "1.95.0".to_owned())),
            ..BaseRef::default()
        });
        insta::assert_snapshot!(format!("{alone}\n\n{}", facts(&sampled)), @r"
        Base and head ran alternately on the same machine.
        machine: AMD EPYC 7763 (linux x86_64, virtual) | AMD EPYC 7763 (linux x86_64, virtual)
        CPUs, memory: 4 CPUs, 16 GiB | 4 CPUs, 16 GiB
        service reached by: loopback | loopback
        kernel: 6.8 | 6.8
        profile: release | release
        rustc: 1.95.0 | 1.95.0
        commit:  | abc1234 with uncommitted changes
        measured: 1 run in 1 min 23 s on 1970-01-01 | 1 run in 1 min 23 s on 1970-01-01
        machine load: load average 0.21 at the start | load average 0.21 at the start
        run: 20261124T170012Z-abc1234 | 20261124T170012Z-abc1234

        Base is main (0123456789). Base and head ran alternately on the same machine.
        machine: AMD EPYC 7763 (linux x86_64, virtual) | AMD EPYC 7763 (linux x86_64, virtual)
        CPUs, memory: 4 CPUs, 16 GiB | 4 CPUs, 16 GiB
        service reached by: loopback | loopback
        kernel: 6.8 | 6.8
        profile: release | release
        rustc: 1.90.0 | 1.95.0 (differs)
        commit: 0123456 | abc1234 with uncommitted changes (differs)
        files that differ: a, b and 2 more | a, b and 2 more (differs)
        programs: server of package shop, not identical | server of package shop, not identical (differs)
        measured: 1 run in 1 min 23 s on 1970-01-01 | 1 run in 1 min 23 s on 1970-01-01
        machine load: load average 0.21 at the start | load average 0.21 at the start
        run: 20261124T170012Z-abc1234 | 20261124T170012Z-abc1234
        ");
    }
}
