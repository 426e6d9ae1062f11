//! The pipeline: a plan is measured, judged and reported. Saved runs are judged and reported in the same way.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::judge::{Depth, Judgement, Verdict, judge};
use crate::measure::{self, Interrupt, MeasureError, MeasureOptions};
use crate::output;
use crate::plan::{CellId, Group, Plan};
use crate::record::{
    BaseRef, Baseline, CellRun, Run, SourceLine, Stop, TestBed, metric, write_runs, write_whole,
};
use crate::report::{self, Mode, Place, Progress, Report, ReportOptions, Requested};
use crate::session::base_ref::{Base, Pair, Resolved, build_pair, resolve};
use crate::session::baselines::{
    RUN_FILE, check_save, complete, first_tree, if_saved, is_built_by_cargo, load_runs, not_empty, pin_to,
    read_for, save, without_base,
};
use crate::session::cargo::{call_id, command_line};
use crate::session::git::Files;
use crate::session::last::Programs;
use crate::session::options::{BaselineUse, Confirm, Options, OutputFormat, Paths};
use crate::session::outcome::{FailOn, Outcome, Result, SessionError};

/// Measures a plan, judges it and reports. Everything that a user can get wrong is found before a byte is sent.
pub(crate) fn run(plan: Plan, options: &Options) -> Result<Outcome> {
    let started = SystemTime::now();
    let place = Place::below(&options.paths.reports(), &plan.bench);
    let outcome = measure_and_report(plan, &place, options);
    if options.profile_time.is_none() && !matches!(outcome, Ok(Outcome::Passed)) {
        remove_older_formats(&place, started, options);
    }
    outcome
}

/// Removes the files that the formats of an earlier run left, of a run that wrote none: nobody may take them for its own. A file whose
/// path the user chose stays.
fn remove_older_formats(place: &Place, started: SystemTime, options: &Options) {
    let ours = options.formats.iter().filter(|format| !format.has_path());
    for file in ours.filter_map(|format| format.file(&place.folder)) {
        let modified = fs::metadata(&file).and_then(|found| found.modified());
        // One that cannot be removed cannot be written either, which was said.
        if modified.is_ok_and(|modified| modified < started) {
            _ = fs::remove_file(&file);
        }
    }
}

fn measure_and_report(plan: Plan, place: &Place, options: &Options) -> Result<Outcome> {
    let mut plan = plan.validated()?;
    check_formats(options, place)?;
    check_metrics(&plan)?;
    check_save(&plan, options)?;
    // Handled from here on, so that Ctrl-C between two steps is the same as Ctrl-C during one.
    let signals = Interrupt::subscribe().map_err(MeasureError::from)?;
    let programs = Programs::of(&plan, options).ok();
    let resolved = resolve(&mut plan, options, &signals);
    if let Some(signal) = signals.signalled() {
        output::log("Interrupted before anything was measured.");
        return Ok(Outcome::Interrupted(signal));
    }
    // Holds the lock on the trees until the report is written.
    let (base_ref, _lock) = match resolved? {
        Resolved::Plain => (None, None),
        Resolved::Duet(base, lock) => (Some(base), lock),
        Resolved::Same(why) => {
            return nothing_measured(why, Verdict::Unchanged, Outcome::Passed, &plan.bench, options);
        }
        Resolved::NoBase(why) => {
            let must_compare = options.fail_on.contains(&FailOn::Incomparable);
            let outcome = if must_compare { Outcome::NotMeasured } else { Outcome::Passed };
            return nothing_measured(why.to_owned(), Verdict::Incomparable, outcome, &plan.bench, options);
        }
    };
    // Validated again, with the base that the call names.
    let mut plan = plan.validated()?;
    if let Some(time) = options.profile_time {
        return profile(&plan, time, options);
    }
    let baseline = read_for(&plan, options)?;
    pin_to(&mut plan, &baseline, options);
    if let Some(name) = &options.load {
        let runs = load_runs(&plan, name, options)?;
        return conclude(&runs, &baseline, place, Origin::Baseline, options);
    }
    let files = Files::around(&options.paths.root, &[options.paths.baselines(), options.paths.reports()]);
    let tree = files.as_ref().and_then(Files::now);
    let first = files.as_ref().filter(|_| base_ref.is_none() && !options.replaces_compared());
    let first = first.and_then(|files| first_tree(&plan, &baseline, files, options));
    let base = base_ref.as_deref().or(first.as_ref());
    let about = About { base_ref: base, files: files.as_ref(), tree: tree.as_deref() };
    let runs = measure_all(&plan, &baseline, about, options, &signals).map_err(|error| match error {
        SessionError::Measure(error @ MeasureError::SideStart { .. }) if base_ref.is_some() => {
            SessionError::StartInTree(error)
        }
        error => error,
    })?;
    // `--base last` can do without it.
    programs.into_iter().for_each(|programs| _ = programs.keep(options));
    let can_build = plan.groups.iter().all(|group| is_built_by_cargo(group, &options.paths));
    let outcome = conclude(&runs, &baseline, place, Origin::Measurement { can_build }, options);
    let is_committed = || {
        files
            .as_ref()
            .zip(tree.as_ref())
            .is_none_or(|(files, tree)| files.commit_of(tree, &[], &[]).is_some())
    };
    if options.save.is_some()
        && can_build
        && !options.quiet
        && matches!(outcome, Ok(Outcome::Passed))
        && !is_committed()
    {
        output::log(report::NOT_COMMITTED);
    }
    outcome
}

/// Keeps load on each cell for some time. Judges and writes nothing.
fn profile(plan: &Plan, time: Duration, options: &Options) -> Result<Outcome> {
    let mut printed = Ok(());
    let signal = measure::profile(plan, measure_options(options, None), time, &mut |cell, processes| {
        if let Err(error) = output::print(format_args!("{}\n", report::profiled(cell, time, processes))) {
            printed = Err(error);
        }
    })?;
    printed?;
    Ok(signal.map_or(Outcome::Passed, Outcome::Interrupted))
}

/// Says why nothing was measured, also in the requested formats and, if base and head are the same, on the page. In place of a profile
/// nothing is written.
fn nothing_measured(
    why: String,
    verdict: Verdict,
    outcome: Outcome,
    bench: &str,
    options: &Options,
) -> Result<Outcome> {
    let place = Place::below(&options.paths.reports(), bench);
    let report_options = ReportOptions {
        failed: outcome != Outcome::Passed,
        nothing_measured: Some((why.clone(), verdict)),
        overview: true,
        ..ReportOptions::default()
    };
    let (baseline, judgement) = (Baseline::default(), Judgement::default());
    let report = Report {
        bench,
        title: bench,
        runs: &[],
        baseline: &baseline,
        judgement: &judgement,
        options: &report_options,
    };
    let formats = report::on_github(&options.formats);
    let failures = match verdict {
        _ if options.profile_time.is_some() => Vec::new(),
        Verdict::Unchanged => report::write(&place, &report, &formats),
        _ => report::write_requested(&place, &report, &formats, &mut Vec::new()),
    };
    failures.iter().for_each(|failure| output::log(format_args!("error: {failure}")));
    let outcome = if failures.is_empty() { outcome } else { outcome.min(Outcome::NotMeasured) };
    if options.formats.iter().any(Requested::is_on_stdout) {
        output::log(&why);
    } else if !options.quiet {
        output::print(format_args!("{why}\n"))?;
    } else if outcome != Outcome::Passed {
        output::log(&why);
    }
    if let Some(save) = &options.save {
        output::log(format_args!("The baseline `{}` was not changed: nothing was measured.", save.name));
    }
    Ok(outcome)
}

/// Facts of a call that its runs hold.
#[derive(Clone, Copy, Default)]
struct About<'a> {
    /// Base of the duet, or the tree that decides about candidates of stored runs.
    base_ref: Option<&'a BaseRef>,
    files: Option<&'a Files>,
    /// The id of the files that are measured.
    tree: Option<&'a str>,
}

/// Makes each request of a plan, those that fail a few times, and checks the response. Measures nothing.
pub(crate) fn check(plan: Plan, options: &Options) -> Result<Outcome> {
    let plan = plan.validated()?;
    check_metrics(&plan)?;
    let (mut outcome, mut printed) = (Outcome::Passed, Ok(()));
    let signal = measure::check(&plan, measure_options(options, None), &mut |cell, error| {
        let line = match error {
            None => output::print(format_args!("Testing {cell}\nSuccess\n")),
            Some(error) => {
                outcome = Outcome::NotMeasured;
                output::print(format_args!("Testing {cell}\nFailed: {error}\n"))
            }
        };
        if line.is_err() {
            printed = line;
        }
    })?;
    printed?;
    Ok(signal.map_or(outcome, Outcome::Interrupted))
}

/// Measures a plan and returns the cells that regressed; writes no report and no baseline.
pub(crate) fn regressed_cells(plan: Plan, root: &Path) -> Result<Vec<CellId>> {
    let plan = plan.validated()?;
    let options = Options { paths: Paths::new(root, None), quiet: true, ..Options::default() };
    let baseline = Baseline::default();
    let signals = Interrupt::subscribe().map_err(MeasureError::from)?;
    let runs = measure_all(&plan, &baseline, About::default(), &options, &signals)?;
    if runs.iter().any(|run| run.stop.is_some()) {
        return Err(SessionError::Incomplete);
    }
    let judgement = judge(&baseline, &runs, Depth::Report);
    let regressed = judgement.cells.iter().filter(|cell| cell.verdict == Verdict::Regressed);
    Ok(regressed.map(|cell| cell.id.clone()).collect())
}

/// Judges the runs of one file against the runs of another and reports, into `output` or `reports/compare`.
pub(crate) fn compare(base: &Path, head: &Path, output: Option<&Path>, options: &Options) -> Result<Outcome> {
    let place = place(output, "compare", options);
    check_formats(options, &place)?;
    check_overwrites(&place, &[base], &[base, head], options)?;
    let (stored, runs) = (complete(base)?, complete(head)?);
    check_comparable((base, &stored), (head, &runs))?;
    let is_duet = |run: &Run| run.cells.iter().any(|cell| !cell.base.is_empty());
    if stored.iter().chain(&runs).any(is_duet) {
        output::log(report::ONLY_HEADS);
    }
    let options = Options { baseline: BaselineUse::Lenient(base.display().to_string()), ..options.clone() };
    let (baseline, runs) = (Baseline::of_runs(&stored), without_base(&runs));
    conclude(&runs, &baseline, &place, Origin::OtherFile, &options)
}

/// Checks that the runs of two files can be compared at all: a report would only say of each cell that it is incomparable.
fn check_comparable(base: (&Path, &[Run]), head: (&Path, &[Run])) -> Result<()> {
    let has_control = |run: &Run| run.control.is_some();
    if let Some((file, _)) = [base, head].into_iter().find(|(_, runs)| !runs.iter().all(has_control)) {
        return Err(SessionError::NoControl { file: file.to_owned() });
    }
    let test_bed = |run: &Run| run.environment.machine.test_bed.clone();
    let pairs = || base.1.iter().flat_map(|base| head.1.iter().map(move |head| (base, head)));
    let mut test_beds = pairs().map(|(base, head)| (test_bed(base), test_bed(head)));
    if let Some((of_base, of_head)) = test_beds.find(|(base, head)| !base.is_same(head)) {
        let id = |test_bed: TestBed| test_bed.id.unwrap_or_else(|| "unknown".to_owned());
        let (base, head) = (base.0.to_owned(), head.0.to_owned());
        return Err(SessionError::OtherTestBed { base, head, of_base: id(of_base), of_head: id(of_head) });
    }
    if !pairs().any(|(base, head)| head.cells.iter().any(|cell| base.cell(&cell.id).is_some())) {
        return Err(SessionError::NoCommonCell { base: base.0.to_owned(), head: head.0.to_owned() });
    }
    Ok(())
}

/// Judges the runs of all files together against the baseline and reports, into `output` or `reports/report`. Runs that ended early are
/// reported too, as after their measurement.
pub(crate) fn report(files: &[PathBuf], output: Option<&Path>, options: &Options) -> Result<Outcome> {
    let place = place(output, "report", options);
    check_formats(options, &place)?;
    // A single file would be written as it was read.
    let replaced = if files.len() > 1 { files } else { &[] };
    check_overwrites(&place, replaced, files, options)?;
    let mut runs = Vec::new();
    for file in files {
        let more = not_empty(file)?;
        check_definitions(&runs, &more, file)?;
        runs.extend(more);
    }
    runs.sort_by_key(|run| run.started);
    let mut baseline = Baseline::default();
    for bench in benches(&runs) {
        let stored = Baseline::read(&options.paths.baselines(), options.baseline.name(), bench)?;
        baseline.runs.extend(stored.runs);
    }
    conclude(&runs, &baseline, &place, Origin::Files, options)
}

/// Runs are judged together by the ids of their cells, so an id of a file must mean the same as in the files before it.
fn check_definitions(before: &[Run], runs: &[Run], file: &Path) -> Result<()> {
    for (run, cell) in runs.iter().flat_map(|run| run.cells.iter().map(move |cell| (run, cell))) {
        for (other, known) in before.iter().filter_map(|other| Some((other, other.cell(&cell.id)?))) {
            let why = if other.bench != run.bench {
                format!("`{}` and `{}` both have a cell `{}`", other.bench, run.bench, cell.id)
            } else if known.definition != cell.definition {
                format!("the cell `{}` has another definition than in the files before", cell.id)
            } else {
                continue;
            };
            let why = format!("{why}, so they cannot be reported together: report one file at a time");
            return Err(SessionError::RunFile { file: file.to_owned(), why });
        }
    }
    Ok(())
}

fn check_metrics(plan: &Plan) -> Result<()> {
    let judged =
        |group: &Group| group.settings.judged.iter().flatten().find(|id| metric(id).is_none()).cloned();
    match plan.groups.iter().find_map(|group| Some((group.name.clone(), judged(group)?))) {
        Some((group, id)) => Err(SessionError::UnknownMetric { group, id }),
        None => Ok(()),
    }
}

/// All runs of a plan, and the confirmations of apparent changes. Where stored runs found them, base and head are built first.
fn measure_all(
    plan: &Plan,
    baseline: &Baseline,
    about: About<'_>,
    options: &Options,
    signals: &Interrupt,
) -> Result<Vec<Run>> {
    let deadline = options.duet.max_time.map(|time| Instant::now() + time);
    let mode = Mode::of_stderr(options.quiet);
    let measure = |plan: &Plan, control: Option<&Path>| {
        let mut progress = Progress::new(mode, options.color);
        let measure_options = MeasureOptions { control, ..measure_options(options, deadline) };
        let mut runs = measure::measure(plan, measure_options, &mut |event| progress.show(event))?;
        for cell in runs.iter_mut().flat_map(|run| &mut run.cells) {
            cell.source = cell.source.take().and_then(|source| in_repository(source, about.files, options));
        }
        Ok::<_, MeasureError>(runs)
    };
    let needs_control = options.save.is_some() || plan.groups.iter().any(|group| group.base.is_none());
    let program = std::env::current_exe().ok().filter(|_| needs_control);
    let call = call_id();
    let mut runs = measure(plan, program.as_deref())?;
    for run in &mut runs {
        run.is_filtered = options.is_filtered;
        run.environment.tree = about.tree.map(str::to_owned);
        run.environment.call.clone_from(&call);
        run.base_ref = about.base_ref.cloned();
    }
    let mut duet = Plan {
        bench: plan.bench.clone(),
        groups: plan.groups.clone(),
        confirmation: plan.confirmation.clone(),
        ..Plan { alone: plan.alone, seed: plan.seed, ..Plan::default() }
    };
    // Holds the lock on the trees.
    let mut pair: Option<Pair> = None;
    while let Some(next) = next_confirmation(&duet, baseline, &runs, options) {
        if next.groups.iter().any(|group| group.base.is_none()) {
            match build_first_tree(&mut duet, &next, &runs, about, options, signals) {
                Ok((base, lock)) => {
                    runs.iter_mut().for_each(|run| run.base_ref = Some(base.clone()));
                    pair = Some((base, lock));
                }
                Err(_) if signals.signalled().is_some() => {
                    runs.iter_mut().for_each(|run| run.stop = signals.signalled().map(Stop::Signal));
                }
                Err(error) => decide_alone(&mut runs, &error),
            }
            continue;
        }
        if !options.quiet {
            announce(&next, plan.cells(), &runs);
        }
        match measure(&next, None) {
            Ok(confirmations) => {
                let last = runs.last_mut().expect("a confirmation follows a run");
                for confirmation in confirmations {
                    last.elapsed += confirmation.elapsed;
                    last.stop = confirmation.stop.or(last.stop.take());
                    last.confirmations.push(confirmation.cells);
                }
            }
            Err(error) if pair.is_some() && plan.groups.iter().all(|group| group.base.is_none()) => {
                decide_alone(&mut runs, &SessionError::StartInTree(error));
            }
            // The rounds so far are reported, but not saved: a duet without its confirmation is not complete.
            Err(error) => {
                runs.iter_mut().for_each(|run| run.stop = Some(Stop::Failed(error.to_string())));
                break;
            }
        }
    }
    drop(pair);
    Ok(runs)
}

/// A line of a file as people find it; `None` if the file is not part of their repository. A path of another folder could name its user.
fn in_repository(source: SourceLine, files: Option<&Files>, options: &Options) -> Option<SourceLine> {
    let file = match files {
        Some(files) => files.path_of(&source.file, &options.paths.root)?,
        None => Some(source.file).filter(|file| Path::new(file).is_relative())?,
    };
    Some(SourceLine { file, ..source })
}

/// Lets stored runs decide, since their candidates cannot be measured again.
fn decide_alone(runs: &mut [Run], why: &SessionError) {
    output::log(format_args!("warning: {why}\nSo the stored runs decide alone."));
    for run in runs {
        run.base_ref = None;
        run.confirmations.clear();
    }
}

/// Builds base and head of the groups whose candidates stored runs found, and makes duets of these groups.
fn build_first_tree(
    duet: &mut Plan,
    next: &Plan,
    runs: &[Run],
    about: About<'_>,
    options: &Options,
    signals: &Interrupt,
) -> Result<Pair> {
    let base = runs.iter().find_map(|run| run.base_ref.clone()).expect("stored runs screen only with one");
    if about.files.and_then(Files::now).as_deref() != about.tree {
        return Err(SessionError::ChangedMeanwhile);
    }
    let candidates: BTreeSet<&CellId> =
        next.groups.iter().flat_map(|group| &group.cells).map(|cell| &cell.id).collect();
    let is_next =
        |group: &Group| group.base.is_none() && group.cells.iter().any(|cell| candidates.contains(&cell.id));
    let groups = duet.groups.iter().filter(|group| is_next(group)).cloned().collect();
    let mut both = Plan { groups, ..Plan::default() };
    if !options.quiet {
        let looks = looks_slower(next.cells(), duet.cells());
        let commit = base.short_commit();
        output::log(format_args!("{looks} than the stored runs; building {commit} and head to measure both"));
    }
    let (base, lock) = build_pair(&mut both, Base::Found(Box::new(base)), options, signals)?;
    let next = duet.groups.iter_mut().filter(|group| is_next(group));
    next.zip(both.groups).for_each(|(group, built)| *group = built);
    Ok((BaseRef { same_trees: lock.is_none(), ..base }, lock))
}

fn looks_slower(slower: usize, cells: usize) -> String {
    match slower {
        1 if cells == 1 => "The cell looks slower".to_owned(),
        1 => format!("1 of {cells} cells looks slower"),
        slower => format!("{slower} of {cells} cells look slower"),
    }
}

/// Tells which interim analysis comes next.
fn announce(next: &Plan, cells: usize, runs: &[Run]) {
    let judged = |run: &Run| run.confirmations.len();
    let analysis = runs.iter().map(judged).sum::<usize>() + 1;
    let analyses = runs.iter().find_map(|run| run.confirmation.as_ref()).map_or(1, |found| found.analyses());
    let looks = looks_slower(next.cells(), cells);
    output::log(format_args!("{looks}; measuring again (analysis {analysis} of {analyses})"));
}

fn measure_options(options: &Options, deadline: Option<Instant>) -> MeasureOptions<'_> {
    MeasureOptions {
        root: &options.paths.root,
        service_args: &options.service_args,
        test_bed: options.test_bed.as_deref(),
        control: None,
        deadline,
    }
}

/// The plan that measures the candidates again, up to the next interim analysis; `None` if everything is decided, or
/// measuring ended early.
fn next_confirmation(plan: &Plan, baseline: &Baseline, runs: &[Run], options: &Options) -> Option<Plan> {
    let confirmation = plan.confirmation.as_ref()?;
    let is_same = |run: &Run| run.base_ref.as_ref().is_some_and(|base| base.same_trees);
    if runs.iter().any(|run| run.stop.is_some() || is_same(run)) {
        return None;
    }
    let judgement = judge(baseline, runs, Depth::Verdicts);
    let candidates = judgement.open_candidates(options.duet.confirm == Confirm::Both);
    let analysis = runs.iter().map(|run| run.confirmations.len()).sum::<usize>() + 1;
    let pairs = confirmation.pairs_of(analysis);
    let first = runs.first()?;
    let mut groups = plan.groups.clone();
    for group in &mut groups {
        group.cells.retain(|cell| candidates.contains(&cell.id));
        for cell in &mut group.cells {
            let measured = first.cell(&cell.id);
            cell.metrics =
                measured.map(|cell| cell.metrics.iter().map(|metric| metric.id.to_owned()).collect());
        }
        // One pair per launch, because the launch is the sample.
        let settings = &mut group.settings;
        settings.measurement_time = settings.window() * u32::try_from(pairs).unwrap_or(u32::MAX);
        (settings.sample_size, settings.launches) = (pairs, Some(pairs));
    }
    groups.retain(|group| !group.cells.is_empty());
    let (bench, seed) = (plan.bench.clone(), plan.seed.wrapping_add(analysis as u64));
    let next = Plan { bench, groups, runs: 1, seed, alone: plan.alone, ..Plan::default() };
    if pairs == 0 || next.cells() == 0 {
        return None;
    }
    Some(next)
}

/// The source of the runs of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// They were just measured. `can_build` says whether the services could also be built from another commit.
    Measurement { can_build: bool },
    /// From files, which stay as they are.
    Files,
    /// From a file that is compared with another one, not with a baseline.
    OtherFile,
    /// From a baseline, which has no histograms.
    Baseline,
}

/// Judges runs, reports them and saves them.
fn conclude(
    runs: &[Run],
    baseline: &Baseline,
    place: &Place,
    origin: Origin,
    options: &Options,
) -> Result<Outcome> {
    // From here on a signal interrupts nothing. It is looked at before a baseline is changed.
    let signals = Interrupt::subscribe().map_err(MeasureError::from)?;
    let is_measured = matches!(origin, Origin::Measurement { .. });
    if let Some(why) = no_round_because(runs).filter(|_| is_measured) {
        output::log(format_args!(
            "No report was written, and the previous page stays: {why} before one round was complete."
        ));
        let outcome = Outcome::new(runs, &Judgement::default(), &[]).min(Outcome::NotMeasured);
        return save(runs, &Judgement::default(), outcome, options);
    }
    let mut failures: Vec<SessionError> = Vec::new();
    if origin != Origin::Baseline {
        // Kept before anything else is done with them.
        let written = write_runs(&place.folder.join(RUN_FILE), runs);
        failures.extend(written.err().map(SessionError::from));
    }
    let judgement = judge(baseline, runs, Depth::Report);
    let fail_on = if options.replaces_compared() { &[] } else { options.fail_on.as_slice() };
    let mut outcome = Outcome::new(runs, &judgement, fail_on);
    let mut report_options = report_options(runs, &judgement, baseline, place, origin, fail_on, options);
    report_options.failed = if_saved(outcome, &judgement, options) != Outcome::Passed;
    let bench = &benches(runs).into_iter().collect::<Vec<_>>().join(" and ");
    let title = &match origin {
        Origin::Files => format!("{bench}, from saved runs"),
        Origin::OtherFile => format!("{bench}, one file against another"),
        Origin::Measurement { .. } | Origin::Baseline => bench.clone(),
    };
    let report = Report { bench, title, runs, baseline, judgement: &judgement, options: &report_options };
    if options.formats.iter().any(Requested::is_on_stdout) {
        if !options.quiet {
            output::log(report.terminal(options.color, options.verbose).trim_end());
        }
    } else if !options.quiet || options.output_format == OutputFormat::Bencher {
        // A tool that asks for lines of a form needs them, also with --quiet.
        // If that fails, page and baseline are written all the same.
        let printed = output::print(match options.output_format {
            OutputFormat::Criterion => report.terminal(options.color, options.verbose),
            OutputFormat::Bencher => report.bencher(),
        });
        failures.extend(printed.err().map(SessionError::from));
    }
    let unwritten = report::write(place, &report, &report::on_github(&options.formats));
    if unwritten.is_empty() && !options.quiet {
        output::log(format_args!("Report: {}", place.page().display()));
    }
    failures.extend(unwritten.into_iter().map(SessionError::from));
    failures.iter().for_each(|failure| output::log(format_args!("error: {failure}")));
    if let Some(signal) = signals.signalled() {
        outcome = outcome.min(Outcome::Interrupted(signal));
    }
    // Where standard output does not say it.
    if options.output_format == OutputFormat::Bencher || options.quiet && outcome != Outcome::Passed {
        output::log(report.headline());
    }
    let mut saved = save(runs, &judgement, outcome, options)?;
    if !failures.is_empty() {
        // Also if saving accepted the new speed.
        saved = saved.min(Outcome::NotMeasured);
    }
    let is_ci = std::env::var("CI").is_ok_and(|ci| !matches!(ci.as_str(), "" | "0" | "false"));
    if is_ci
        && saved == Outcome::Passed
        && judgement.compared_nothing()
        && !options.saves_compared()
        && is_measured
    {
        output::log(format_args!("warning: {}", report::OPEN_GATE));
    }
    Ok(saved)
}

fn report_options(
    runs: &[Run],
    judgement: &Judgement,
    baseline: &Baseline,
    place: &Place,
    origin: Origin,
    fail_on: &[FailOn],
    options: &Options,
) -> ReportOptions {
    let command = |flags: &[&str]| command_line(benches(runs), &options.bench_args, flags);
    let other = judgement.other_test_bed.as_ref().and_then(|other| other.commit.as_deref());
    let newest = || baseline.runs.last().and_then(|run| run.environment.commit.as_deref());
    let stored = other.or_else(newest).filter(|_| origin == Origin::Measurement { can_build: true });
    let is_measured = matches!(origin, Origin::Measurement { .. });
    let compared = match &options.baseline {
        BaselineUse::Strict(name) | BaselineUse::Lenient(name)
            if !runs.iter().any(|run| run.base_ref.is_some()) =>
        {
            vec!["--baseline", name]
        }
        _ => Vec::new(),
    };
    let verdicts =
        [Verdict::Regressed, Verdict::Invalid, Verdict::Inconclusive, Verdict::Incomparable].into_iter();
    ReportOptions {
        again_command: (is_measured && !options.is_filtered).then(|| command(&compared)),
        fails: verdicts.filter(|one| Outcome::of_verdict(*one, fail_on) != Outcome::Passed).collect(),
        accepts: options.replaces_compared(),
        failed: false,
        nothing_measured: None,
        plots: options.plots,
        baseline: options.baseline.name().to_owned(),
        records: options.saves_compared(),
        record_command: (origin != Origin::OtherFile)
            .then(|| command(&["--save-baseline", options.baseline.name()])),
        duet_command: stored.map(|commit| command(&["--base-ref", commit])),
        overview: place.root.is_some(),
    }
}

/// Why no cell has a round; `None` if one has, or if the cells themselves say why not.
fn no_round_because(runs: &[Run]) -> Option<String> {
    let is_silent = |cell: &CellRun| cell.rounds.is_empty() && cell.invalid.is_none();
    if !runs.iter().flat_map(|run| &run.cells).all(is_silent) {
        return None;
    }
    runs.iter().find_map(|run| run.stop.as_ref()).map(|stop| match stop {
        Stop::Signal(number) => format!("signal {number} ended the run"),
        Stop::TimeUp => "the time limit (--max-time) ended the run".to_owned(),
        Stop::Failed(why) => format!("measuring failed ({why})"),
    })
}

fn place(output: Option<&Path>, name: &str, options: &Options) -> Place {
    match output {
        Some(folder) => Place { folder: folder.to_owned(), root: None },
        None => Place::below(&options.paths.reports(), name),
    }
}

/// Checks that standard output and each file get one thing, and that no file of the report is replaced by another one.
fn check_formats(options: &Options, place: &Place) -> Result<()> {
    let on_stdout = options.formats.iter().filter(|format| format.is_on_stdout()).count();
    if on_stdout > 1 || on_stdout == 1 && options.output_format == OutputFormat::Bencher {
        return Err(SessionError::OneStdout);
    }
    let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    let mut taken = vec![absolute(place.folder.join(RUN_FILE)), absolute(place.page())];
    for (nth, format) in options.formats.iter().enumerate() {
        let Some(file) = format.file(&place.folder).map(absolute) else { continue };
        let why = match fs::metadata(&file) {
            Ok(found) if !found.is_file() => "it is not a file".to_owned(),
            _ if file.starts_with(absolute(options.paths.baselines())) => {
                "baselines are kept there".to_owned()
            }
            _ if options.formats[..nth].iter().any(|other| other.is_same(format)) => continue,
            _ if taken.contains(&file) => "another part of the report goes there".to_owned(),
            _ => match check_writable(&file) {
                Ok(()) => {
                    taken.push(file);
                    continue;
                }
                Err(why) => why,
            },
        };
        return Err(SessionError::ReportPath { file, why });
    }
    Ok(())
}

/// Writes nothing to a file that is there, and leaves none that was not.
fn check_writable(file: &Path) -> std::result::Result<(), String> {
    if file.exists() {
        return OpenOptions::new().append(true).open(file).map(drop).map_err(|error| error.to_string());
    }
    write_whole(file, b"").map_err(|error| error.to_string())?;
    fs::remove_file(file).map_err(|error| error.to_string())
}

/// Checks that the report does not overwrite a file that it is made from. `replaced` are those that must not be the folder's own
/// [`RUN_FILE`].
fn check_overwrites(
    place: &Place,
    replaced: &[impl AsRef<Path>],
    files: &[impl AsRef<Path>],
    options: &Options,
) -> Result<()> {
    let is_same = |one: &Path, other: &Path| {
        fs::canonicalize(one).ok().is_some_and(|one| fs::canonicalize(other).ok() == Some(one))
    };
    let run_file = place.folder.join(RUN_FILE);
    let formats: Vec<PathBuf> =
        options.formats.iter().filter_map(|format| format.file(&place.folder)).collect();
    let mut replaced = replaced.iter().map(AsRef::as_ref).filter(|file| is_same(file, &run_file));
    let mut written =
        files.iter().map(AsRef::as_ref).filter(|file| formats.iter().any(|format| is_same(file, format)));
    let error = |file: &Path, other: &str| SessionError::RunFile {
        file: file.to_owned(),
        why: format!("the report would overwrite it: choose another {other}"),
    };
    match (replaced.next(), written.next()) {
        (Some(file), _) => Err(error(file, "folder with --output")),
        (None, Some(file)) => Err(error(file, "path with --report NAME=PATH")),
        (None, None) => Ok(()),
    }
}

/// The bench targets of runs, one unless the runs come from several files.
fn benches(runs: &[Run]) -> BTreeSet<&str> {
    runs.iter().map(|run| run.bench.as_str()).collect()
}
