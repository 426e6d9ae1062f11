//! Runs and their judgement become the view that all formats share. Pure: no clock, no file.

use std::collections::BTreeSet;
use std::time::Duration;

use super::distribution::Distribution;
use super::notes::shared;
use super::sentence::sentence;
use super::stages::Stages;
use super::view::{CellView, Fact, GroupView, Moment, Report, ReportOptions, Row};
use super::{base_ref, text};
use crate::judge::{CellJudgement, Comparison, Estimate, Judgement, Note, Shown};
use crate::record::{Baseline, CellRun, Counts, Environment, Judged, METRICS, Metric, Run, Stop};

/// Shown though not judged: what services for language models are loaded for.
const ALWAYS_SHOWN: [&str; 2] = ["input_token_throughput", "output_token_throughput"];

impl Report {
    /// The view of the runs of one call, of the bench target `bench`, with what was judged of them against `baselines`.
    pub(crate) fn new(
        bench: &str,
        runs: &[Run],
        baseline: &Baseline,
        judgement: &Judgement,
        options: &ReportOptions,
    ) -> Self {
        let mut groups: Vec<GroupView> = Vec::new();
        for judged in &judgement.cells {
            let mut cell = cell(runs, judged);
            if options.plots {
                cell.distribution = Distribution::new(runs, &measured(runs, judged), &cell.rows, baseline);
            }
            match groups.iter_mut().find(|group| group.name == cell.group) {
                Some(group) => group.cells.push(cell),
                None => {
                    let mut all = runs.iter().flat_map(|run| &run.cells);
                    let about = all.find(|run| run.id.group == cell.group).and_then(|run| run.about.clone());
                    groups.push(GroupView { name: cell.group.clone(), about, cells: vec![cell] });
                }
            }
        }
        let stops = runs.iter().filter_map(|run| run.stop.as_ref());
        let mut notes: Vec<String> = stops.map(stop_in_words).collect();
        notes.extend(
            runs.first().and_then(|run| run.base_ref.as_ref()).map(base_ref::notes).unwrap_or_default(),
        );
        notes.extend(shared(&mut groups));
        notes.extend(judgement.notes.iter().map(|note| text::note(note, note)));
        if !judgement.removed.is_empty() {
            notes.push(format!(
                "The baseline has cells that were not measured: {}.",
                text::list(&judgement.removed.iter().map(ToString::to_string).collect::<Vec<_>>())
            ));
        }
        Self {
            title: bench.to_owned(),
            sentence: sentence(options, judgement, runs.iter().any(|run| run.stop.is_some())),
            compared: !judgement.compared_nothing(),
            is_duet: options.is_duet
                || runs.iter().flat_map(|run| &run.cells).any(|cell| !cell.base.is_empty()),
            tests: judgement.tests,
            stages: Stages::of(runs, judgement),
            facts: facts(runs, judgement.tests),
            machine_load: text::machine_load(runs),
            groups,
            notes,
            options: options.clone(),
        }
    }
}

fn stop_in_words(stop: &Stop) -> String {
    match stop {
        Stop::Signal(number) => format!("Signal {number} ended the measuring before its time."),
        Stop::TimeUp => "The time was up before all was measured.".to_owned(),
        Stop::Failed(why) => format!("Measuring ended before its time: {why}"),
    }
}

/// What was judged, in each run that has it. What a duet measured again decides on comparisons, and is not shown by itself.
fn measured<'a>(runs: &'a [Run], judged: &CellJudgement) -> Vec<&'a CellRun> {
    let same = |cell: &&CellRun| cell.id == judged.id;
    runs.iter().filter_map(|run| run.cells.iter().find(same)).collect()
}

fn fresh_pairs(runs: &[Run], judged: &CellJudgement) -> usize {
    let looks = runs.iter().flat_map(|run| run.confirmations.iter().flatten());
    looks.filter(|cell| cell.id == judged.id).map(|cell| cell.rounds.len()).sum()
}

fn cell(runs: &[Run], judged: &CellJudgement) -> CellView {
    let measured = measured(runs, judged);
    let last = measured.last();
    let mut counts = Counts::default();
    measured.iter().for_each(|cell| counts.add(&cell.counts()));
    let recorded = measured.iter().flat_map(|cell| &cell.notes).cloned().map(Note::Recorded);
    let mut notes: Vec<Note> = Vec::new();
    for note in recorded.chain(judged.notes.iter().cloned()) {
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    CellView {
        group: judged.id.group.clone(),
        id: judged.id.benchmark.to_string(),
        function: last.map(|cell| cell.id.function().to_owned()).unwrap_or_default(),
        load: last.map(|cell| cell.load.to_string()).unwrap_or_default(),
        concurrency: last.map_or(0, |cell| u32::try_from(cell.load.concurrency()).unwrap_or(u32::MAX)),
        per_exchange: last.and_then(|cell| cell.throughput),
        verdict: judged.verdict,
        reason: text::cell_reason(judged),
        rows: rows(judged),
        limits: judged.limits.clone(),
        notes,
        counts,
        rounds: measured.iter().map(|cell| cell.rounds.len()).sum(),
        launches: measured.iter().map(|cell| launches(cell)).sum(),
        is_duet: measured.iter().any(|cell| !cell.base.is_empty()),
        fresh_pairs: fresh_pairs(runs, judged),
        timeline: timeline(&measured),
        distribution: Distribution::default(),
        level: last.map_or(f64::NAN, |cell| cell.settings.significance_level),
        confidence: last.map_or(f64::NAN, |cell| cell.settings.confidence_level),
    }
}

fn timeline(runs: &[&CellRun]) -> Vec<Moment> {
    let mut before = 0;
    let mut moments = Vec::new();
    for run in runs {
        for round in &run.rounds {
            let percentiles = METRICS.iter().filter(|metric| metric.quantile.is_some());
            let value = |metric: &Metric| Some((metric.id, *round.values.get(metric.id)?));
            let latency_ns = percentiles.filter_map(value).collect();
            moments.push(Moment { launch: before + round.launch, latency_ns });
        }
        before += run.rounds.iter().map(|round| round.launch + 1).max().unwrap_or(0);
    }
    moments
}

fn launches(cell: &CellRun) -> usize {
    cell.rounds.iter().map(|round| round.launch).collect::<BTreeSet<_>>().len()
}

fn rows(cell: &CellJudgement) -> Vec<Row> {
    let tail = highest_tail(cell);
    let row = |metric: &'static Metric| {
        let of_metric = |shown: &[Shown]| shown.iter().find(|shown| shown.metric == metric).cloned();
        let whole = of_metric(&cell.values);
        let fresh = of_metric(&cell.fresh);
        let screening = whole.clone().filter(|_| fresh.is_some());
        let shown = fresh.or(whole);
        let comparison = cell.comparisons.iter().find(|comparison| comparison.metric == metric);
        if shown.is_none() && comparison.is_none() {
            return None;
        }
        let bare = |value: Option<f64>| Some(Estimate { value: value?, interval: None, method: None });
        let (head, base) = shown.map(|shown| (Some(shown.head), shown.base)).unwrap_or_default();
        Some(Row {
            metric,
            primary: is_primary(metric, comparison, tail),
            head: head.or_else(|| bare(comparison?.head)),
            base: base.or_else(|| bare(comparison?.base)),
            screening,
            comparison: comparison.cloned(),
        })
    };
    METRICS.iter().filter_map(row).collect()
}

/// The highest tail that head has: what would be judged if there were a baseline.
fn highest_tail(cell: &CellJudgement) -> Option<&'static Metric> {
    let tails = cell.values.iter().map(|shown| shown.metric);
    let tails = tails.filter(|metric| metric.judged == Judged::HighestTail);
    tails.max_by_key(|metric| metric.least_successes)
}

fn is_primary(metric: &Metric, comparison: Option<&Comparison>, tail: Option<&'static Metric>) -> bool {
    let usual = match metric.judged {
        Judged::Always | Judged::ByCounts => true,
        Judged::HighestTail => tail == Some(metric),
        Judged::WhenAsked => ALWAYS_SHOWN.contains(&metric.id),
    };
    usual || comparison.is_some_and(|comparison| comparison.judged)
}

fn facts(runs: &[Run], tests: usize) -> Vec<Fact> {
    let Some(run) = runs.last() else { return Vec::new() };
    let mut facts = Vec::new();
    let mut add = |name: &str, value: String| {
        if !value.is_empty() {
            facts.push(Fact { name: name.to_owned(), value });
        }
    };
    let Environment { machine, setup, commit, dirty, load, .. } = &run.environment;
    let machine_load = text::machine_load(runs);
    let virtual_machine = if machine.is_virtual { ", virtual" } else { "" };
    let reached = if machine.loopback { "loopback" } else { "a network" };
    add("machine", format!("{} ({} {}{virtual_machine})", machine.cpu, machine.os, machine.arch));
    add("CPUs, memory", format!("{}, {} GiB", text::plural(machine.cpus.into(), "CPU"), machine.memory_gib));
    add("service reached by", reached.to_owned());
    for (name, value) in setup {
        add(name, value.clone());
    }
    let changes = if *dirty { " with changes that were not committed" } else { "" };
    add("commit", commit.as_ref().map(|commit| format!("{commit}{changes}")).unwrap_or_default());
    match machine_load.is_empty() {
        true => add("load average", format!("{load:.2}")),
        false => add("machine load", machine_load),
    }
    let took: Duration = runs.iter().map(|run| run.elapsed).sum();
    add("measured", format!("{} in {}", text::plural(runs.len() as u64, "run"), text::elapsed(took)));
    add("run", run.id.clone());
    if tests > 0 {
        add("tests", format!("{} share the significance level", text::count(tests as u64)));
    }
    facts
}
