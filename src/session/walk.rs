//! From a plan to a report.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use crate::judge::{Judgement, OtherTestBed, Policy, judge};
use crate::measure::{self, MeasureError, MeasureOptions};
use crate::plan::{Plan, Service};
use crate::record::{Baseline, BaselineStore, CellRun, LastRun, Run, RunFile, Stop, metric};
use crate::report::{Mode, Place, Progress, Report, ReportOptions, against_last};
use crate::session::base_ref::{self, Resolved};
use crate::session::cargo::command_line;
use crate::session::duet::{BaseSource, next_look, set_base, told};
use crate::session::error::SessionError;
use crate::session::neighbour::leave_note;
use crate::session::options::{BaselineUse, Options, Save};
use crate::session::outcome::Outcome;
use crate::session::save::save;

/// Runs to conclude on, and where they come from.
pub(crate) struct Measured<'a> {
    /// The bench target.
    pub(crate) bench: &'a str,
    /// What the report is of.
    pub(crate) title: &'a str,
    /// Where the report goes.
    pub(crate) place: &'a Place,
    pub(crate) runs: &'a [Run],
    pub(crate) baselines: &'a [Baseline],
    pub(crate) origin: Origin,
    /// Whether each service is a program that could be built of another commit.
    pub(crate) has_programs: bool,
}

/// Where runs come from, and so what is kept of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// They were measured just now.
    Measurement,
    /// They were read from a file: it stays the place of record.
    #[cfg(feature = "cli")]
    File,
    /// They were read from a baseline, which knows less than a run.
    Baseline,
}

/// Measures a plan, judges it against its baselines and reports. All that a user can get wrong is found before a byte is sent.
pub(crate) fn run(plan: Plan, options: &Options) -> Result<Outcome, SessionError> {
    let mut plan = plan.validated()?;
    check_metrics(&plan)?;
    // Handled from here on, so that Ctrl-C between two steps is the same as Ctrl-C during one.
    let signals = measure::Interrupt::subscribe()?;
    let resolved = match &options.duet.base {
        _ if options.load.is_some() => Ok(None),
        Some(BaseSource::Commit(name)) => base_ref::resolve(&mut plan, name, options, &signals).map(Some),
        _ => set_base(&mut plan, &options.duet).map(|()| None),
    };
    if let Some(signal) = signals.signalled() {
        eprintln!("Interrupted before anything was measured.");
        return Ok(Outcome::Interrupted(signal));
    }
    // The lock on the trees is held until the report is written.
    let resolved = resolved?;
    if let Some(Resolved::Same(base)) = &resolved {
        println!("{}", crate::report::same_trees(base));
        if let Some(save) = &options.save {
            eprintln!("The baseline `{}` was left as it is: nothing was measured.", save.name);
        }
        return Ok(Outcome::Passed);
    }
    // Once more, with the bases that the call named.
    let mut plan = plan.validated()?;
    let store = BaselineStore::new(options.paths.baselines());
    let baselines = read_baselines(&store, &plan, options)?;
    check_save(&store, &plan, options)?;
    pin_to(&mut plan, &baselines, options.save.as_ref().is_some_and(Save::replaces));
    let (mut runs, origin) = match &options.load {
        Some(name) => (load_runs(&store, &plan, name)?, Origin::Baseline),
        None => {
            let measured = measure_all(&plan, &baselines, options).map_err(|error| match error {
                SessionError::Measure(error @ MeasureError::SideStart { .. }) if resolved.is_some() => {
                    SessionError::InTree(error)
                }
                error => error,
            });
            (measured?, Origin::Measurement)
        }
    };
    if let Some(Resolved::Built { base, .. }) = &resolved {
        runs.iter_mut().for_each(|run| run.base_ref = Some(base.clone()));
    }
    let (bench, place) = (&plan.bench, &Place::below(&options.paths.reports(), &plan.bench));
    let is_of_cargo = |command: &crate::plan::Command| {
        let program = Path::new(command.program());
        let variable = program.file_name().map(|name| format!("CARGO_BIN_EXE_{}", name.to_string_lossy()));
        program.starts_with(&options.paths.target)
            || variable.is_some_and(|name| std::env::var_os(name).is_some())
    };
    let has_programs = plan
        .groups
        .iter()
        .all(|group| matches!(&group.service, Service::Command(command) if is_of_cargo(command)));
    let (title, runs, baselines) = (bench.as_str(), &runs[..], &baselines[..]);
    conclude(&Measured { bench, title, place, runs, baselines, origin, has_programs }, options)
}

/// All runs of a plan, and in a duet further looks at what they make suspect.
pub(super) fn measure_all(
    plan: &Plan,
    baselines: &[Baseline],
    options: &Options,
) -> Result<Vec<Run>, SessionError> {
    let until = options.duet.max_time.map(|time| Instant::now() + time);
    let site = site(options, until);
    let note = leave_note(&options.paths.scratch());
    if note.has_neighbour && !options.quiet {
        eprintln!(
            "warning: another bench of this build folder is measuring now: the two disturb each other, so measure one after the other"
        );
    }
    let mode = Mode::of_stderr(options.quiet);
    let measured = |plan: &Plan| {
        let mut progress = Progress::new(mode);
        measure::measure(plan, site, &mut |event| progress.show(event))
    };
    let mut runs = measured(plan)?;
    while let Some((next, judgement)) = next_look(plan, baselines, &runs, &options.duet) {
        if !options.quiet {
            eprintln!("{}", told(&next, plan.cells(), &judgement));
        }
        match measured(&next) {
            Ok(more) => runs.extend(more),
            // What was measured before is reported all the same, but none of it saved: a duet that was not confirmed is not whole.
            Err(error) => {
                runs.iter_mut().for_each(|run| run.stop = Some(Stop::Failed(error.to_string())));
                break;
            }
        }
    }
    Ok(runs)
}

/// Judges runs, reports and keeps them.
pub(crate) fn conclude(measured: &Measured<'_>, options: &Options) -> Result<Outcome, SessionError> {
    let Measured { bench, title, place, runs, baselines, origin, .. } = *measured;
    // Looks at suspects come last, and are not runs of their own.
    let whole = runs.split(|run| run.look > 0).next().unwrap_or_default();
    // A signal from now on ends nothing half-way: it is looked at before a baseline is touched.
    let ears = measure::Interrupt::subscribe()?;
    if origin == Origin::Measurement
        && let Some(why) = nothing_measured(runs)
    {
        eprintln!("Nothing is reported, and the last report stays: {why} before one round was complete.");
        let outcome = Outcome::of(runs, &Judgement::default(), &[]).and(Outcome::NotMeasured);
        return save(whole, &Judgement::default(), outcome, options);
    }
    let mut failures: Vec<SessionError> = keep_runs(measured).err().into_iter().collect();
    let policy = Policy { filtered: !options.is_whole, ..Policy::usual() };
    let judgement = judge(baselines, runs, &policy);
    let command = |flags: &[&str]| command_line(bench, options.bench_args.iter().cloned(), flags);
    let wanted = ReportOptions {
        plots: options.plots,
        baseline: options.baseline.name().to_owned(),
        records: options.save.is_some(),
        is_duet: runs.iter().flat_map(|run| &run.cells).any(|cell| cell.base_failure.is_some()),
        record_command: command(&["--save-baseline", options.baseline.name(), "--runs", "5"]),
        duet_command: duet_command(judgement.other_test_bed.as_ref(), measured, &command),
        overview: place.has_overview(),
    };
    let report =
        Report { title: title.to_owned(), ..Report::new(bench, runs, baselines, &judgement, &wanted) };
    if !options.quiet {
        // Whoever was to read it may be gone, as behind a pipe; the page and the baseline are written all the same.
        let _ = write!(std::io::stdout(), "{}", report.terminal(options.colour, options.verbose));
    }
    let last = LastRun::of(&options.paths.scratch(), bench);
    if origin == Origin::Measurement {
        if let Some(line) = last.read().filter(|_| !options.quiet).and_then(|last| against_last(whole, &last))
        {
            eprintln!("{line}");
        }
        if runs.iter().all(|run| run.stop.is_none()) {
            failures.extend(last.write(whole).err().map(SessionError::from));
        }
    }
    failures.extend(write_report(place, &report, options).err());
    let replaces = options.save.as_ref().is_some_and(Save::replaces);
    let fail_on = if replaces { &[] } else { options.fail_on.as_slice() };
    let mut outcome = Outcome::of(runs, &judgement, fail_on);
    // Whatever becomes of the files, the verdict has been told.
    for failure in &failures {
        eprintln!("error: {failure}");
        outcome = outcome.and(Outcome::NotMeasured);
    }
    if let Some(signal) = ears.signalled() {
        outcome = outcome.and(Outcome::Interrupted(signal));
    }
    if options.quiet && outcome != Outcome::Passed {
        eprintln!("{}", report.sentence);
    }
    let saved = save(whole, &judgement, outcome, options)?;
    let is_gate = std::env::var("CI").is_ok_and(|ci| !matches!(ci.as_str(), "" | "0" | "false"));
    if is_gate && judgement.compared_nothing() && options.save.is_none() && origin == Origin::Measurement {
        eprintln!("warning: {}", crate::report::OPEN_GATE);
    }
    Ok(saved)
}

/// The command that compares on this machine with what a baseline of another test bed measured, if each service is a program.
fn duet_command(
    other: Option<&OtherTestBed>,
    measured: &Measured<'_>,
    command: &dyn Fn(&[&str]) -> String,
) -> Option<String> {
    let commit = other?.commit.as_deref()?;
    (measured.origin == Origin::Measurement && measured.has_programs)
        .then(|| command(&["--base-ref", commit]))
}

/// Why not one round of any cell was measured; nothing where one was, or where cells tell by themselves why not.
fn nothing_measured(runs: &[Run]) -> Option<String> {
    let is_silent = |cell: &CellRun| cell.rounds.is_empty() && cell.invalid.is_none();
    if !runs.iter().flat_map(|run| &run.cells).all(is_silent) {
        return None;
    }
    runs.iter().find_map(|run| run.stop.as_ref()).map(|stop| match stop {
        Stop::Signal(number) => format!("signal {number} ended the measuring"),
        Stop::TimeUp => "the time was up".to_owned(),
        Stop::Failed(why) => format!("measuring failed ({why})"),
    })
}

/// Keeps what was measured before anything else is done with it.
fn keep_runs(measured: &Measured<'_>) -> Result<(), SessionError> {
    if measured.origin == Origin::Baseline {
        return Ok(());
    }
    Ok(RunFile::write(&measured.place.folder().join("run.json"), measured.runs)?)
}

fn write_report(place: &Place, report: &Report, options: &Options) -> Result<(), SessionError> {
    crate::report::write(place, report)?;
    if !options.quiet {
        eprintln!("Report: {}", place.page().display());
    }
    Ok(())
}

/// Makes each request of a plan once and checks it; measures nothing.
pub(crate) fn check(plan: Plan, options: &Options) -> Result<Outcome, SessionError> {
    let plan = plan.validated()?;
    check_metrics(&plan)?;
    let mut outcome = Outcome::Passed;
    measure::check(&plan, site(options, None), &mut |cell, wrong| {
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

fn site(options: &Options, until: Option<Instant>) -> MeasureOptions<'_> {
    MeasureOptions {
        root: &options.paths.root,
        service_args: &options.service_args,
        test_bed: options.test_bed.as_deref(),
        deadline: until,
    }
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
    let replaces = options.save.as_ref().is_some_and(|save| save.replaces() && save.name == name);
    let mut baselines = Vec::new();
    for group in plan.groups.iter().filter(|group| group.base.is_none()) {
        let missing = |what: String| SessionError::MissingBaseline {
            name: name.to_owned(),
            what,
            path: store.path(name, &group.name),
        };
        let baseline = match store.read(name, &group.name) {
            // A damaged file must not stand in the way of recording it anew.
            Err(error) if replaces => {
                eprintln!("warning: {error}; it is about to be replaced");
                None
            }
            read => read?,
        };
        if let BaselineUse::Strict(_) = options.baseline {
            let Some(baseline) = &baseline else { return Err(missing(group.name.clone())) };
            let holds = |id: &str| baseline.current_of(id).next().is_some();
            if let Some(cell) = group.cells.iter().find(|cell| !holds(&cell.id.to_string())) {
                return Err(missing(group.full_id(cell)));
            }
        }
        baselines.extend(baseline);
    }
    Ok(baselines)
}

/// That the baseline to add to can be read, and that one to be replaced loses no cell that is not measured now.
fn check_save(store: &BaselineStore, plan: &Plan, options: &Options) -> Result<(), SessionError> {
    let Some(save) = &options.save else { return Ok(()) };
    for group in &plan.groups {
        if save.append {
            store.read(&save.name, &group.name)?;
            continue;
        }
        // What cannot be read holds nothing to lose.
        let Some(stored) = store.read(&save.name, &group.name).ok().flatten() else { continue };
        let is_planned = |id: &String| group.cells.iter().any(|cell| cell.id.to_string() == *id);
        let mut cells = stored.runs.iter().flat_map(|run| run.cells.keys());
        if let Some(id) = cells.find(|id| !options.is_whole && !is_planned(id)) {
            let cell = format!("{}/{id}", group.name);
            return Err(SessionError::WouldDrop { name: save.name.clone(), cell });
        }
    }
    Ok(())
}

/// What must be the same in base and head is taken over from the baseline: launches, and the metrics of each cell.
/// One that is about to be replaced binds nobody to its launches.
fn pin_to(plan: &mut Plan, baselines: &[Baseline], replaces: bool) {
    for group in &mut plan.groups {
        let Some(baseline) = baselines.iter().find(|baseline| baseline.group == group.name) else { continue };
        for cell in &mut group.cells {
            let id = cell.id.to_string();
            let Some(series) = baseline.current_of(&id).last().and_then(|run| run.cells.get(&id)) else {
                continue;
            };
            cell.metrics = Some(series.values.keys().cloned().collect());
            let launches = series.launches();
            let fits = (1..=group.settings.sample_size).contains(&launches);
            if !replaces && fits && group.settings.launches.is_none() {
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
