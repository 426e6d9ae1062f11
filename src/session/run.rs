//! From a plan to a report.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::judge::{Judgement, OtherTestBed, Policy, Verdict, judge};
use crate::measure::{self, MeasureError, MeasureOptions};
use crate::plan::{CellId, Plan, ServiceCommand, ServiceKind};
use crate::record::{Baseline, CellRun, Run, Stop, metric, write_runs};
use crate::report::{Mode, Place, Progress, Report, ReportOptions};
use crate::session::base_ref::{self, Resolved};
use crate::session::baselines::{
    RUN_FILE, check_save, complete, load_runs, not_empty, pin_to, read_for, save,
};
use crate::session::cargo::command_line;
use crate::session::duet::{BaseSource, next_look, set_base, told};
use crate::session::error::SessionError;
use crate::session::git::tree_id;
use crate::session::options::{Options, Save};
use crate::session::outcome::Outcome;

/// Runs to conclude on, and where they come from.
pub(crate) struct Measured<'a> {
    /// The bench target.
    pub(crate) bench: &'a str,
    /// What the report is of.
    pub(crate) title: &'a str,
    /// Where the report goes.
    pub(crate) place: &'a Place,
    pub(crate) runs: &'a [Run],
    pub(crate) baseline: &'a Baseline,
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
    let baseline = read_for(&plan, options)?;
    check_save(&plan, options)?;
    pin_to(&mut plan, &baseline, options.save.as_ref().is_some_and(Save::replaces));
    let (mut runs, origin) = match &options.load {
        Some(name) => (load_runs(&plan, name, options)?, Origin::Baseline),
        None => {
            let measured = measure_all(&plan, &baseline, options).map_err(|error| match error {
                SessionError::Measure(error @ MeasureError::SideStart { .. }) if resolved.is_some() => {
                    SessionError::InTree(error)
                }
                error => error,
            });
            (measured?, Origin::Measurement)
        }
    };
    if origin == Origin::Measurement {
        let tree = tree_id(&options.paths.root, &[options.paths.baselines(), options.paths.reports()]);
        runs.iter_mut().for_each(|run| run.environment.tree.clone_from(&tree));
    }
    if let Some(Resolved::Built { base, .. }) = &resolved {
        runs.iter_mut().for_each(|run| run.base_ref = Some(base.clone()));
    }
    let (bench, place) = (&plan.bench, &Place::below(&options.paths.reports(), &plan.bench));
    let is_of_cargo = |command: &ServiceCommand| {
        let program = Path::new(command.program());
        let variable = program.file_name().map(|name| format!("CARGO_BIN_EXE_{}", name.to_string_lossy()));
        program.starts_with(&options.paths.target)
            || variable.is_some_and(|name| std::env::var_os(name).is_some())
    };
    let has_programs = plan
        .groups
        .iter()
        .all(|group| matches!(&group.service.0, ServiceKind::Command(command) if is_of_cargo(command)));
    let (title, runs, baseline) = (bench.as_str(), &runs[..], &baseline);
    conclude(&Measured { bench, title, place, runs, baseline, origin, has_programs }, options)
}

/// All runs of a plan, and in a duet further looks at what they make suspect.
pub(super) fn measure_all(
    plan: &Plan,
    baseline: &Baseline,
    options: &Options,
) -> Result<Vec<Run>, SessionError> {
    let until = options.duet.max_time.map(|time| Instant::now() + time);
    let site = site(options, until);
    let mode = Mode::of_stderr(options.quiet);
    let measured = |plan: &Plan| {
        let mut progress = Progress::new(mode);
        measure::measure(plan, site, &mut |event| progress.show(event))
    };
    let mut runs = measured(plan)?;
    while let Some((next, judgement)) = next_look(plan, baseline, &runs, &options.duet) {
        if !options.quiet {
            eprintln!(
                "{}",
                told(
                    &next,
                    plan,
                    1 + runs.iter().map(|run| run.confirmations.len()).sum::<usize>(),
                    &judgement
                )
            );
        }
        match measured(&next) {
            Ok(more) => {
                let last = runs.last_mut().expect("a look follows a run");
                for look in more {
                    last.elapsed += look.elapsed;
                    last.stop = look.stop.or(last.stop.take());
                    last.confirmations.push(look.cells);
                }
            }
            // What was measured before is reported all the same, but none of it saved: a duet that was not confirmed is not whole.
            Err(error) => {
                runs.iter_mut().for_each(|run| run.stop = Some(Stop::Failed(error.to_string())));
                break;
            }
        }
    }
    Ok(runs)
}

/// Measures a plan and gives the cells that regressed; writes no report and no baseline.
pub(crate) fn regressed_cells(plan: Plan, options: &Options) -> Result<Vec<CellId>, SessionError> {
    let plan = plan.validated()?;
    let baseline = Baseline::default();
    let runs = measure_all(&plan, &baseline, options)?;
    if runs.iter().any(|run| run.stop.is_some()) {
        return Err(SessionError::Saved("a duet was not completed".to_owned()));
    }
    let judged = judge(&baseline, &runs, &Policy::usual()).cells.into_iter();
    let regressed = judged.filter(|cell| cell.verdict == Verdict::Regressed).map(|cell| cell.id.to_string());
    let regressed: Vec<String> = regressed.collect();
    let cells = plan.groups.into_iter().flat_map(|group| group.cells).map(|cell| cell.id);
    Ok(cells.filter(|id| regressed.contains(&id.to_string())).collect())
}

/// Judges runs, reports and keeps them.
pub(crate) fn conclude(measured: &Measured<'_>, options: &Options) -> Result<Outcome, SessionError> {
    let Measured { bench, title, place, runs, baseline, origin, .. } = *measured;
    // A signal from now on ends nothing half-way: it is looked at before a baseline is touched.
    let ears = measure::Interrupt::subscribe()?;
    if origin == Origin::Measurement
        && let Some(why) = nothing_measured(runs)
    {
        eprintln!("Nothing is reported, and the last report stays: {why} before one round was complete.");
        let outcome = Outcome::of(runs, &Judgement::default(), &[]).and(Outcome::NotMeasured);
        return save(runs, &Judgement::default(), outcome, options);
    }
    let mut failures: Vec<SessionError> = keep_runs(measured).err().into_iter().collect();
    let policy = Policy { filtered: !options.is_whole, ..Policy::usual() };
    let judgement = judge(baseline, runs, &policy);
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
        Report { title: title.to_owned(), ..Report::new(bench, runs, baseline, &judgement, &wanted) };
    if !options.quiet {
        // Whoever was to read it may be gone, as behind a pipe; the page and the baseline are written all the same.
        let _ = write!(std::io::stdout(), "{}", report.terminal(options.colour, options.verbose));
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
        eprintln!("{}", report.headline());
    }
    let saved = save(runs, &judgement, outcome, options)?;
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
    Ok(write_runs(&measured.place.folder().join(RUN_FILE), measured.runs)?)
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
        for id in group.settings.judged.iter().flatten() {
            if metric(id).is_none() {
                return Err(SessionError::UnknownMetric { group: group.name.clone(), id: id.clone() });
            }
        }
    }
    Ok(())
}

/// The folders of reports from files, unless another one is chosen: the report of what was measured stays.
const COMPARED: &str = "compare";
const REPORTED: &str = "report";

/// Judges the runs of one file against those of another, and reports: into `output`, or into a folder for such reports.
pub(crate) fn compare(
    base: &Path,
    head: &Path,
    output: Option<&Path>,
    options: &Options,
) -> Result<Outcome, SessionError> {
    let place = place(output, COMPARED, options);
    spare_input(&place, &[base])?;
    let (base_runs, head_runs) = (complete(base)?, complete(head)?);
    let baseline = Baseline::of_runs(&base_runs);
    let bench = &bench_of(&head_runs);
    let title = &format!("{bench}, one file against another");
    let (place, runs, baseline, origin) = (&place, &head_runs[..], &baseline, Origin::File);
    conclude(&Measured { bench, title, place, runs, baseline, origin, has_programs: false }, options)
}

/// Judges the runs of all files together against the usual or the named baseline, as far as there is one, and reports: into
/// `output`, or into a folder for such reports.
///
/// Runs that ended before their time are shown too, as they are when they were just measured.
pub(crate) fn report(
    files: &[PathBuf],
    output: Option<&Path>,
    options: &Options,
) -> Result<Outcome, SessionError> {
    let place = place(output, REPORTED, options);
    // A single file would be written as it was read.
    if files.len() > 1 {
        spare_input(&place, &files.iter().map(PathBuf::as_path).collect::<Vec<_>>())?;
    }
    let mut runs = Vec::new();
    for file in files {
        runs.extend(not_empty(file)?);
    }
    runs.sort_by_key(|run| run.started);
    let mut baseline = Baseline::default();
    for bench in runs.iter().map(|run| run.bench.as_str()).collect::<BTreeSet<_>>() {
        let stored = Baseline::read(&options.paths.baselines(), options.baseline.name(), bench)?;
        baseline.runs.extend(stored.runs);
    }
    let bench = &bench_of(&runs);
    let title = &format!("{bench}, from saved runs");
    let (place, runs, baseline, origin) = (&place, &runs[..], &baseline, Origin::File);
    conclude(&Measured { bench, title, place, runs, baseline, origin, has_programs: false }, options)
}

fn place(output: Option<&Path>, usual: &str, options: &Options) -> Place {
    match output {
        Some(folder) => Place::chosen(folder.to_owned()),
        None => Place::below(&options.paths.reports(), usual),
    }
}

/// That what is about to be written does not take the place of what it is made from.
fn spare_input(place: &Place, files: &[&Path]) -> Result<(), SessionError> {
    let same = |file: &Path| {
        Some(fs::canonicalize(file).ok()? == fs::canonicalize(place.folder().join(RUN_FILE)).ok()?)
    };
    match files.iter().find(|file| same(file) == Some(true)) {
        None => Ok(()),
        Some(file) => Err(SessionError::Saved(format!(
            "{}: the report would be written over it; choose another folder with --output",
            file.display()
        ))),
    }
}

/// The benches that runs are of: one, unless files of several are taken together.
fn bench_of(runs: &[Run]) -> String {
    let benches: BTreeSet<&str> = runs.iter().map(|run| run.bench.as_str()).collect();
    benches.into_iter().collect::<Vec<_>>().join(" and ")
}
