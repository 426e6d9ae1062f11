//! From a plan to a report.

use std::path::Path;

use crate::judge::{Policy, judge};
use crate::measure::{self, Site};
use crate::plan::Plan;
use crate::record::{Baseline, BaselineStore, LastRun, Run, RunFile, metric};
use crate::report::{Mode, Progress, Report, ReportOptions, against_last};
use crate::session::error::SessionError;
use crate::session::options::{BaselineUse, Options};
use crate::session::outcome::Outcome;
use crate::session::save::save;

/// Measures a plan, judges it against its baselines and reports. All that a user can get wrong is found before a byte is sent.
pub(crate) fn run(plan: Plan, options: &Options) -> Result<Outcome, SessionError> {
    let mut plan = plan.validated()?;
    check_metrics(&plan)?;
    let store = BaselineStore::new(options.paths.baselines());
    let baselines = read_baselines(&store, &plan, options)?;
    check_save(&store, &plan, options)?;
    pin_to(&mut plan, &baselines);
    let runs = match &options.load {
        Some(name) => load_runs(&store, &plan, name)?,
        None => {
            let mut progress = Progress::new(Mode::of_stderr(options.quiet));
            let scratch = options.paths.scratch();
            measure::measure(&plan, site(options, &scratch), &mut |event| progress.show(event))?
        }
    };
    conclude(&plan.bench, &runs, &baselines, options)
}

/// Judges runs, reports and keeps them.
pub(crate) fn conclude(
    bench: &str,
    runs: &[Run],
    baselines: &[Baseline],
    options: &Options,
) -> Result<Outcome, SessionError> {
    let (on_mismatch, filtered) = (options.on_mismatch, !options.is_whole);
    let policy = Policy { on_mismatch, filtered, ..Policy::stored() };
    let judgement = judge(baselines, runs, &policy);
    let wanted = ReportOptions { plots: options.plots, baseline: options.baseline.name().to_owned() };
    let report = Report::new(bench, runs, &judgement, &wanted);
    if !options.quiet {
        print!("{}", report.terminal(options.colour, options.verbose));
        let last = LastRun::of(&options.paths.scratch(), bench);
        if let Some(line) = last.read().and_then(|last| against_last(runs, &last)) {
            eprintln!("{line}");
        }
    }
    let mut outcome = Outcome::of(runs, &judgement, &options.fail_on);
    // Whatever becomes of the files, the verdict has been told.
    if let Err(error) = keep(bench, runs, &report, options) {
        eprintln!("error: {error}");
        outcome = outcome.and(Outcome::NotMeasured);
    }
    save(runs, &judgement, outcome, options)
}

/// Makes each request of a plan once and checks it; measures nothing.
pub(crate) fn check(plan: Plan, options: &Options) -> Result<Outcome, SessionError> {
    let plan = plan.validated()?;
    check_metrics(&plan)?;
    let mut outcome = Outcome::Passed;
    let scratch = options.paths.scratch();
    measure::check(&plan, site(options, &scratch), &mut |cell, wrong| {
        println!("Testing {cell}");
        match wrong {
            None => println!("Success"),
            Some(error) => {
                println!("Failed: {error}");
                outcome = Outcome::NotMeasured;
            }
        }
    })?;
    Ok(outcome)
}

fn site<'a>(options: &'a Options, scratch: &'a Path) -> Site<'a> {
    Site { root: &options.paths.root, scratch, service_args: &options.service_args }
}

fn check_metrics(plan: &Plan) -> Result<(), SessionError> {
    for group in &plan.groups {
        for id in group.judged.iter().flatten() {
            if metric(id).is_none() {
                return Err(SessionError::UnknownMetric { group: group.name.clone(), id: id.clone() });
            }
        }
    }
    Ok(())
}

fn read_baselines(
    store: &BaselineStore,
    plan: &Plan,
    options: &Options,
) -> Result<Vec<Baseline>, SessionError> {
    let name = options.baseline.name();
    let mut baselines = Vec::new();
    for group in &plan.groups {
        let missing = |what: String| SessionError::MissingBaseline {
            name: name.to_owned(),
            what,
            path: store.path(name, &group.name),
        };
        let baseline = store.read(name, &group.name)?;
        if let BaselineUse::Strict(_) = options.baseline {
            let Some(baseline) = &baseline else { return Err(missing(group.name.clone())) };
            let holds = |id: &str| baseline.current().any(|run| run.cells.contains_key(id));
            if let Some(cell) = group.cells.iter().find(|cell| !holds(&cell.id.to_string())) {
                return Err(missing(group.full_id(cell)));
            }
        }
        baselines.extend(baseline);
    }
    Ok(baselines)
}

/// That a baseline can be read to which the run will be added.
fn check_save(store: &BaselineStore, plan: &Plan, options: &Options) -> Result<(), SessionError> {
    if let Some(save) = options.save.as_ref().filter(|save| save.append) {
        for group in &plan.groups {
            store.read(&save.name, &group.name)?;
        }
    }
    Ok(())
}

/// What must be the same in base and head is taken over from the baseline: launches, and the metrics of each cell.
fn pin_to(plan: &mut Plan, baselines: &[Baseline]) {
    for group in &mut plan.groups {
        let Some(latest) =
            baselines.iter().find(|baseline| baseline.group == group.name).and_then(|b| b.current().last())
        else {
            continue;
        };
        for cell in &mut group.cells {
            let Some(series) = latest.cells.get(&cell.id.to_string()) else { continue };
            cell.metrics = Some(series.values.keys().cloned().collect());
            let launches = series.launches();
            if group.settings.launches.is_none() && (1..=group.settings.sample_size).contains(&launches) {
                group.settings.launches = Some(launches);
            }
        }
    }
}

fn load_runs(store: &BaselineStore, plan: &Plan, name: &str) -> Result<Vec<Run>, SessionError> {
    let mut runs = Vec::new();
    for group in &plan.groups {
        let Some(baseline) = store.read(name, &group.name)? else {
            let path = store.path(name, &group.name);
            return Err(SessionError::MissingBaseline {
                name: name.to_owned(),
                what: group.name.clone(),
                path,
            });
        };
        runs.extend(baseline.current().map(|stored| stored.to_run(&plan.bench, group)));
    }
    Ok(runs)
}

/// Keeps what was measured, and writes the report.
fn keep(bench: &str, runs: &[Run], report: &Report, options: &Options) -> Result<(), SessionError> {
    let folder = options.paths.reports().join(crate::record::file_name(bench));
    RunFile::write(&folder.join("run.json"), runs)?;
    crate::report::write(&options.paths.reports(), report)?;
    if runs.iter().all(|run| run.stop.is_none()) {
        LastRun::of(&options.paths.scratch(), bench).write(runs)?;
    }
    if !options.quiet {
        eprintln!("Report: {}", folder.join("index.html").display());
    }
    Ok(())
}
