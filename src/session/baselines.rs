//! What becomes of runs in baselines: saved, accepted, listed, shown and dropped.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use crate::judge::{Judgement, LimitCheck, Policy, Verdict, judge};
use crate::plan::{Group, Plan, Settings};
use crate::record::{Baseline, CellRun, FileError, Run, read_runs};
use crate::report::plural;
use crate::session::error::SessionError;
use crate::session::options::{BaselineUse, Options, Paths};
use crate::session::outcome::Outcome;

/// The file of what was measured, next to its page.
pub(crate) const RUN_FILE: &str = "run.json";

/// The baseline that a plan is compared with; empty if every group is a duet.
pub(crate) fn read_for(plan: &Plan, options: &Options) -> Result<Baseline, SessionError> {
    if plan.groups.iter().all(|group| group.base.is_some()) {
        return Ok(Baseline::default());
    }
    let name = options.baseline.name();
    let baseline = Baseline::read(&options.paths.baselines(), name, &plan.bench)?;
    if let BaselineUse::Strict(_) = options.baseline {
        let holds = |id| baseline.runs.iter().any(|run| run.cell(id).is_some());
        let compared = plan.groups.iter().filter(|group| group.base.is_none());
        if let Some(cell) = compared.flat_map(|group| &group.cells).find(|cell| !holds(&cell.id)) {
            return Err(SessionError::MissingBaseline {
                name: name.to_owned(),
                what: cell.id.to_string(),
                path: baseline.folder,
            });
        }
    }
    Ok(baseline)
}

/// Checks that the baseline to write to can be read, and that replacing it loses no cell that is not measured now.
pub(crate) fn check_save(plan: &Plan, options: &Options) -> Result<(), SessionError> {
    let Some(save) = &options.save else { return Ok(()) };
    let stored = Baseline::read(&options.paths.baselines(), &save.name, &plan.bench)?;
    let planned: Vec<_> = plan.groups.iter().flat_map(|group| &group.cells).map(|cell| &cell.id).collect();
    let mut cells = stored.runs.iter().flat_map(|run| &run.cells);
    match cells.find(|cell| !save.append && !options.is_whole && !planned.contains(&&cell.id)) {
        Some(cell) => Err(SessionError::WouldDrop { name: save.name.clone(), cell: cell.id.to_string() }),
        None => Ok(()),
    }
}

/// Takes over from the baseline what must be the same in base and head: launches, and the metrics of each cell. A baseline that is about
/// to be replaced does not decide on launches.
pub(crate) fn pin_to(plan: &mut Plan, baseline: &Baseline, is_replaced: bool) {
    for group in &mut plan.groups {
        for cell in &mut group.cells {
            let runs = baseline.runs.iter().rev();
            let Some(stored) = runs.filter_map(|run| run.cell(&cell.id)).next() else { continue };
            cell.metrics = Some(stored.metrics.iter().map(|metric| metric.id.to_owned()).collect());
            let launches = stored.series().launches();
            let fits = (1..=group.settings.sample_size).contains(&launches);
            if !is_replaced && fits && group.settings.launches.is_none() {
                group.settings.launches = Some(launches);
            }
        }
    }
}

/// The runs of a baseline in place of new ones: those of the current epoch, with the cells that the plan still has.
pub(crate) fn load_runs(plan: &Plan, name: &str, options: &Options) -> Result<Vec<Run>, SessionError> {
    let baseline = Baseline::read(&options.paths.baselines(), name, &plan.bench)?;
    let newest = baseline.runs.last().ok_or_else(|| SessionError::MissingBaseline {
        name: name.to_owned(),
        what: plan.bench.clone(),
        path: baseline.folder.clone(),
    })?;
    let epoch = newest.epoch.as_ref().map(|epoch| &epoch.first_run);
    let current =
        baseline.runs.iter().filter(|run| run.epoch.as_ref().map(|epoch| &epoch.first_run) == epoch);
    Ok(current.map(|run| Run { cells: planned_cells(plan, run), epoch: None, ..run.clone() }).collect())
}

/// The cells of a stored run that the plan has, judged by the settings of the plan.
fn planned_cells(plan: &Plan, run: &Run) -> Vec<CellRun> {
    let cell = |group: &Group, stored: &CellRun| {
        let Settings { sample_size, measurement_time, .. } = stored.settings;
        CellRun {
            settings: Settings { sample_size, measurement_time, ..group.settings.clone() },
            ..stored.clone()
        }
    };
    plan.groups
        .iter()
        .flat_map(|group| group.cells.iter().map(move |cell| (group, cell)))
        .filter_map(|(group, planned)| Some(cell(group, run.cell(&planned.id)?)))
        .collect()
}

/// Saves runs in a baseline if that was asked for, and says so; gives the outcome of the call after that.
///
/// To replace a baseline is to accept the speed of the new runs, so a regression then fails nothing. To add to one is not: a slower run
/// would pull its centre along. Runs that are not complete are never saved.
pub(crate) fn save(
    runs: &[Run],
    judgement: &Judgement,
    outcome: Outcome,
    options: &Options,
) -> Result<Outcome, SessionError> {
    let Some(save) = &options.save else { return Ok(outcome) };
    let has_regressed = judgement.cells.iter().any(|cell| cell.verdict == Verdict::Regressed);
    let why_not = if matches!(outcome, Outcome::Interrupted(_)) {
        Some("the run was interrupted")
    } else if runs.iter().any(|run| run.stop.is_some()) {
        Some("the run ended early")
    } else if !runs.iter().all(is_fair) {
        Some("some cells are invalid")
    } else if save.append && has_regressed {
        Some("it regressed; `plimsoll accept --reason TEXT` begins a new epoch with it")
    } else {
        None
    };
    if let Some(why) = why_not {
        eprintln!("The baseline `{}` was not changed: {why}.", save.name);
        return Ok(outcome);
    }
    let bench = runs.first().map_or("", |run| run.bench.as_str());
    let not_kept = |error: FileError| SessionError::NotKept(Box::new(error.into()));
    let mut baseline = Baseline::read(&options.paths.baselines(), &save.name, bench)?;
    let paths = if save.append { baseline.add(runs, None) } else { baseline.replace(runs) };
    let paths = paths.map_err(not_kept)?;
    if save.replaces() && has_regressed && options.baseline.name() == save.name {
        eprintln!(
            "warning: the saved runs are slower than the baseline `{}` that they replace; git has the old one",
            save.name
        );
    }
    if !options.quiet && !paths.is_empty() {
        let files = plural(paths.len() as u64, "run");
        eprintln!("Saved {files} as baseline `{}` in {}", save.name, baseline.folder.display());
    }
    let broke_a_limit = judgement.cells.iter().any(|cell| cell.limits.iter().any(LimitCheck::is_broken));
    Ok(if outcome == Outcome::Regressed && !broke_a_limit { Outcome::Passed } else { outcome })
}

/// Whether every cell of a run may become part of a baseline.
fn is_fair(run: &Run) -> bool {
    run.cells.iter().all(CellRun::is_fair)
}

/// Adds the runs of a file to the baseline `name`: to its current epoch, or with a reason as the beginning of a new one. Gives the files
/// that were written.
pub(crate) fn accept(
    file: Option<&Path>,
    name: &str,
    reason: Option<&str>,
    options: &Options,
) -> Result<Vec<PathBuf>, SessionError> {
    let file = match file {
        Some(file) => file.to_owned(),
        None => newest_run(&options.paths.reports())?,
    };
    let runs = complete(&file)?;
    let refuse = |why: String| Err(SessionError::Saved(format!("{}: {why}", file.display())));
    if !runs.iter().all(is_fair) {
        return refuse("some cells of its runs are invalid".to_owned());
    }
    let mut baseline = Baseline::read(&options.paths.baselines(), name, &runs[0].bench)?;
    if reason.is_none() {
        let is_stored = |run: &&Run| baseline.runs.iter().any(|stored| stored.id == run.id);
        if let Some(run) = runs.iter().find(is_stored) {
            return refuse(format!("its run `{}` is already in the baseline `{name}`", run.id));
        }
        let judgement = judge(&baseline, &runs, &Policy::usual());
        if let Some(cell) = judgement.cells.iter().find(|cell| cell.verdict == Verdict::Regressed) {
            return refuse(format!("`{}` regressed; accept a slower speed with --reason", cell.id));
        }
    }
    baseline.add(&runs, reason).map_err(|error| SessionError::NotKept(Box::new(error.into())))
}

/// The runs of a file, all of which are complete.
pub(crate) fn complete(file: &Path) -> Result<Vec<Run>, SessionError> {
    let runs = not_empty(file)?;
    if runs.iter().any(|run| run.stop.is_some()) {
        let why = "its run ended early, so it cannot be compared or accepted; measure again";
        return Err(SessionError::Saved(format!("{}: {why}", file.display())));
    }
    Ok(runs)
}

/// The runs of a file that has some.
pub(crate) fn not_empty(file: &Path) -> Result<Vec<Run>, SessionError> {
    let runs = read_runs(file)?;
    if runs.is_empty() {
        return Err(SessionError::Saved(format!("{}: it holds no run", file.display())));
    }
    Ok(runs)
}

/// The `run.json` below `reports` whose run began last.
fn newest_run(reports: &Path) -> Result<PathBuf, SessionError> {
    let files =
        fs::read_dir(reports).into_iter().flatten().flatten().map(|entry| entry.path().join(RUN_FILE));
    let began = |file: &PathBuf| Some(read_runs(file).ok()?.last()?.started);
    let dated = files.filter_map(|file| Some((began(&file)?, file)));
    dated.max().map(|(_, file)| file).ok_or_else(|| {
        let place = reports.display();
        SessionError::Saved(format!(
            "there is no run below {place}: run `cargo bench` first, or name a {RUN_FILE}"
        ))
    })
}

/// Each baseline with its bench targets and the number of their runs.
pub(crate) fn list(root: &Path) -> Result<String, SessionError> {
    let root = Paths::new(root, None).baselines();
    let mut text = String::new();
    for (name, benches) in Baseline::list(&root)? {
        _ = writeln!(text, "{name}");
        for bench in benches {
            let runs = Baseline::read(&root, &name, &bench)?.runs.len();
            _ = writeln!(text, "  {bench}: {}", plural(runs as u64, "run"));
        }
    }
    if text.is_empty() {
        _ = writeln!(text, "There is no baseline in {}.", root.display());
    }
    Ok(text)
}

/// The runs of one baseline, and the cells of each bench target.
pub(crate) fn show(root: &Path, name: &str) -> Result<String, SessionError> {
    let mut text = String::new();
    for baseline in of_name(root, name)? {
        let Some(newest) = baseline.runs.last() else { continue };
        _ = writeln!(text, "{}", newest.bench);
        for run in &baseline.runs {
            let environment = &run.environment;
            let test_bed = environment.machine.test_bed.id.as_deref().unwrap_or("an unknown test bed");
            let dirty = if environment.dirty { ", with uncommitted changes" } else { "" };
            let reason = run.epoch.as_ref().and_then(|epoch| epoch.reason.as_ref());
            let reason = reason.map(|reason| format!(", new epoch: {reason}")).unwrap_or_default();
            let cells = plural(run.cells.len() as u64, "cell");
            _ = writeln!(text, "  {}: {cells} on {test_bed}{dirty}{reason}", run.id);
        }
        for cell in &newest.cells {
            let rounds = plural(cell.rounds.len() as u64, "round");
            let launches = plural(cell.series().launches() as u64, "launch");
            let metrics: Vec<&str> = cell.metrics.iter().map(|metric| metric.id).collect();
            _ = writeln!(text, "  {}: {rounds} over {launches}; {}", cell.id, metrics.join(", "));
        }
    }
    Ok(text)
}

/// Removes one baseline.
pub(crate) fn drop_baseline(root: &Path, name: &str) -> Result<String, SessionError> {
    for baseline in of_name(root, name)? {
        baseline.remove()?;
    }
    Ok(format!("Dropped the baseline `{name}`.\n"))
}

/// All bench targets of a baseline.
fn of_name(root: &Path, name: &str) -> Result<Vec<Baseline>, SessionError> {
    let root = Paths::new(root, None).baselines();
    let listed = Baseline::list(&root)?;
    let Some((_, benches)) = listed.into_iter().find(|(listed, _)| listed == name) else {
        return Err(SessionError::Saved(format!(
            "there is no baseline `{name}` in {}: `plimsoll baseline list` shows what is there",
            root.display()
        )));
    };
    Ok(benches.iter().map(|bench| Baseline::read(&root, name, bench)).collect::<Result<_, _>>()?)
}
