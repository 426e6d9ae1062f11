//! Runs in baselines: compared with, saved, accepted, listed, shown and dropped.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use crate::judge::{CellJudgement, Depth, Judgement, LimitCheck, Verdict, judge};
use crate::output;
use crate::plan::{Cell, CellId, Group, Plan, ServiceKind, Settings};
use crate::record::{BaseRef, Baseline, CellRun, Environment, Epoch, Run, file_name, read_runs};
use crate::report::{NO_COMMIT, plural};
use crate::session::cargo::CargoCall;
use crate::session::git::Files;
use crate::session::options::{BaselineUse, Options, Paths};
use crate::session::outcome::{Outcome, Result, SessionError};

/// The file of the runs, next to their report.
pub(crate) const RUN_FILE: &str = "run.json";

/// The baseline to compare a plan with; empty if every group is a duet.
pub(crate) fn read_for(plan: &Plan, options: &Options) -> Result<Baseline> {
    let mut compared = plan.groups.iter().filter(|group| group.base.is_none()).peekable();
    if compared.peek().is_none() {
        return Ok(Baseline::default());
    }
    let baseline = Baseline::read(&options.paths.baselines(), options.baseline.name(), &plan.bench)?;
    if let BaselineUse::Strict(name) = &options.baseline {
        let is_missing = |id| !baseline.runs.iter().any(|run| run.cell(id).is_some());
        if let Some(cell) = compared.flat_map(|group| &group.cells).find(|cell| is_missing(&cell.id)) {
            let (name, what) = (name.clone(), cell.id.to_string());
            return Err(SessionError::MissingBaseline { name, what, folder: baseline.folder });
        }
    }
    Ok(baseline)
}

/// The tree that began the epoch of the stored runs of this test bed, as base of the duets that decide about their candidates: the
/// commit with the files of its first run, else those of the oldest run that has a commit. `None` if no commit has them, or no group is a
/// program that can be built from another commit.
pub(crate) fn first_tree(
    plan: &Plan,
    baseline: &Baseline,
    files: &Files,
    options: &Options,
) -> Option<BaseRef> {
    let can_build = |group: &&Group| group.base.is_none() && is_buildable(group, options);
    let groups: Vec<&Group> = plan.groups.iter().filter(can_build).collect();
    let here = Environment::collect(true, &options.paths.root, options.test_bed.as_deref()).machine.test_bed;
    let cells = groups.iter().flat_map(|group| &group.cells);
    let epochs = cells.filter_map(|cell| baseline.current_epoch(&cell.id, &here));
    let epoch = epochs.max_by_key(|epoch| &epoch.first_run)?;
    let Some((commit, found)) = commit_of_first_tree(baseline, epoch, files) else {
        if !options.quiet {
            output::log(format_args!("warning: {NO_COMMIT}"));
        }
        return None;
    };
    let (name, epoch) = (first_tree_name(options), Some(epoch.first_run.clone()));
    // A cell that was added later is not in the first tree. If its run was dropped, nobody knows.
    let of_tree = || baseline.runs.iter().filter(|run| run.environment.tree.as_ref() == Some(&found));
    let has = |cell: &&Cell| of_tree().next().is_none() || of_tree().any(|run| run.cell(&cell.id).is_some());
    let cells = groups.iter().flat_map(|group| &group.cells).filter(has);
    let cells = cells.map(|cell| cell.id.to_string()).collect();
    Some(BaseRef { name, commit, epoch, cells, ..BaseRef::default() })
}

fn first_tree_name(options: &Options) -> String {
    format!("the first tree of the baseline `{}`", options.baseline.name())
}

/// The commit with the files of an epoch's first run, else those of its oldest run that has one, and the id of these files.
fn commit_of_first_tree(baseline: &Baseline, epoch: &Epoch, files: &Files) -> Option<(String, String)> {
    let is_of_epoch = |run: &&Run| run.epoch.as_ref().is_some_and(|own| own.first_run == epoch.first_run);
    let runs: Vec<&Run> = baseline.runs.iter().filter(is_of_epoch).collect();
    let trees = runs.iter().filter_map(|run| run.environment.tree.as_ref());
    let commit = |wanted: &String| {
        let measured = || runs.iter().filter(|run| run.environment.tree.as_ref() == Some(wanted));
        let clean = measured().filter(|run| !run.environment.dirty);
        let likely: Vec<String> = clean.filter_map(|run| run.environment.commit.clone()).collect();
        let added_with: Vec<PathBuf> = measured().map(|run| baseline.path(run)).collect();
        Some((files.commit_of(wanted, &likely, &added_with)?, wanted.clone()))
    };
    epoch.tree.iter().chain(trees).find_map(commit)
}

/// The tree that began the newest epoch of the baseline, of whatever machine, as base of a duet.
pub(crate) fn first_tree_of_baseline(plan: &Plan, options: &Options) -> Result<BaseRef> {
    let name = options.baseline.name();
    let baseline = Baseline::read(&options.paths.baselines(), name, &plan.bench)?;
    let newest =
        baseline.runs.iter().filter_map(|run| run.epoch.as_ref()).max_by_key(|epoch| &epoch.first_run);
    let wrong = |why: String| SessionError::BaseBaseline { why };
    let epoch = newest.ok_or_else(|| wrong(format!("there is no baseline `{name}` of this bench yet")))?;
    let files = Files::around(&options.paths.root, &[options.paths.baselines(), options.paths.reports()]);
    let found = files.and_then(|files| commit_of_first_tree(&baseline, epoch, &files));
    let (commit, _) = found.ok_or_else(|| {
        wrong(format!(
            "no commit of this clone has the files that the baseline `{name}` began with; fetch its history, or name a commit with --base-ref"
        ))
    })?;
    Ok(BaseRef { name: first_tree_name(options), commit, ..BaseRef::default() })
}

/// Whether a group's service is a program that can be built from another commit.
fn is_buildable(group: &Group, options: &Options) -> bool {
    let ServiceKind::Command(_) = &group.service.0 else { return false };
    options.duet.base_build.is_some()
        || (is_built_by_cargo(group, &options.paths) && CargoCall::find().is_some())
}

/// Whether cargo could build the service of a group from another commit.
pub(crate) fn is_built_by_cargo(group: &Group, paths: &Paths) -> bool {
    let ServiceKind::Command(command) = &group.service.0 else { return false };
    is_program_of_cargo(command.program(), paths)
}

/// Whether cargo builds this program.
pub(crate) fn is_program_of_cargo(program: &str, paths: &Paths) -> bool {
    let program = Path::new(program);
    let variable = program.file_name().map(|name| format!("CARGO_BIN_EXE_{}", name.to_string_lossy()));
    program.starts_with(&paths.target) || variable.is_some_and(|name| std::env::var_os(name).is_some())
}

/// Checks that the baseline to save to can be read, and that replacing it loses no cell that is not measured now.
pub(crate) fn check_save(plan: &Plan, options: &Options) -> Result<()> {
    let Some(save) = &options.save else { return Ok(()) };
    let stored = Baseline::read(&options.paths.baselines(), &save.name, &plan.bench)?;
    if save.append || !options.is_filtered {
        return Ok(());
    }
    let here = Environment::collect(true, &options.paths.root, options.test_bed.as_deref()).machine.test_bed;
    let is_planned = |cell: &CellRun| {
        plan.groups.iter().flat_map(|group| &group.cells).any(|planned| planned.id == cell.id)
    };
    let replaced = stored.runs.iter().filter(|run| run.environment.machine.test_bed.id == here.id);
    match replaced.flat_map(|run| &run.cells).find(|cell| !is_planned(cell)) {
        Some(cell) => Err(SessionError::WouldDrop { name: save.name.clone(), cell: cell.id.to_string() }),
        None => Ok(()),
    }
}

/// Takes over from the baseline what must be the same for base and head: the number of launches, and the metrics of each cell. A
/// baseline that will be replaced does not decide on launches.
pub(crate) fn pin_to(plan: &mut Plan, baseline: &Baseline, options: &Options) {
    let is_replaced = options.replaces_compared();
    for group in plan.groups.iter_mut().filter(|group| group.base.is_none()) {
        for cell in &mut group.cells {
            let Some(stored) = baseline.runs.iter().rev().find_map(|run| run.cell(&cell.id)) else {
                continue;
            };
            cell.metrics = Some(stored.metrics.iter().map(|metric| metric.id.to_owned()).collect());
            let launches = stored.series().launches();
            let fits = (1..=group.settings.sample_size).contains(&launches);
            if !is_replaced && fits && group.settings.launches.is_none() {
                group.settings.launches = Some(launches);
            }
        }
    }
}

/// The runs of a baseline in place of new ones: the current epoch, with the cells that the plan still has, judged by its settings.
pub(crate) fn load_runs(plan: &Plan, name: &str, options: &Options) -> Result<Vec<Run>> {
    let baseline = Baseline::read(&options.paths.baselines(), name, &plan.bench)?;
    let Some(newest) = baseline.runs.last() else {
        let (name, what) = (name.to_owned(), plan.bench.clone());
        return Err(SessionError::MissingBaseline { name, what, folder: baseline.folder });
    };
    let epoch = |run: &Run| run.epoch.as_ref().map(|epoch| epoch.first_run.clone());
    let current = baseline.runs.iter().filter(|run| epoch(run) == epoch(newest));
    let planned = |run: &Run| {
        let mut cells = Vec::new();
        for group in &plan.groups {
            for stored in group.cells.iter().filter_map(|cell| run.cell(&cell.id)) {
                let Settings { sample_size, measurement_time, .. } = stored.settings;
                let settings = Settings { sample_size, measurement_time, ..group.settings.clone() };
                cells.push(CellRun { settings, ..stored.clone() });
            }
        }
        cells
    };
    let planned = |run: &Run| {
        let is_filtered = options.is_filtered || run.is_filtered;
        Run { cells: planned(run), is_filtered, epoch: None, ..run.clone() }
    };
    Ok(current.map(planned).collect())
}

/// Saves runs in a baseline if the call asks for it, and returns the outcome of the call.
///
/// Replacing the baseline that was compared with accepts the speed of the new runs, so a regression then does not fail the call. Adding to
/// a baseline does not: a slower run would shift its centre. Incomplete runs are never saved.
pub(crate) fn save(
    runs: &[Run],
    judgement: &Judgement,
    outcome: Outcome,
    options: &Options,
) -> Result<Outcome> {
    let Some(save) = &options.save else { return Ok(outcome) };
    let unchanged = |why: &str, outcome| {
        output::log(format_args!("The baseline `{}` was not changed: {why}.", save.name));
        Ok(outcome)
    };
    if matches!(outcome, Outcome::Interrupted(_)) {
        return unchanged("the run was interrupted", outcome);
    }
    if runs.iter().any(|run| run.stop.is_some()) {
        return unchanged("the run ended early", outcome);
    }
    if !are_fair(runs) {
        return unchanged("some cells are invalid", outcome);
    }
    let bench = runs.first().map_or("", |run| run.bench.as_str());
    let mut baseline = Baseline::read(&options.paths.baselines(), &save.name, bench)?;
    // The runs may have been compared with something else: with base, or with another baseline.
    if let Some(cell) =
        regressed(judgement).or_else(|| regressed(&against(&baseline, runs))).filter(|_| save.append)
    {
        let why = format!(
            "`{cell}` regressed; if the slowdown is intended, run `plimsoll accept --baseline {} --reason TEXT`",
            save.name
        );
        return unchanged(&why, outcome.min(Outcome::Regressed));
    }
    let before = ids(&baseline);
    let paths = if save.append { baseline.add(runs, None) } else { baseline.replace(runs) };
    let paths = paths.map_err(SessionError::NotSaved)?;
    let is_slower = |cell: &CellJudgement| {
        cell.comparisons.iter().any(|found| found.judged && found.verdict == Verdict::Regressed)
    };
    if judgement.cells.iter().any(is_slower) && options.saves_compared() {
        output::log(format_args!(
            "warning: the new baseline `{}` is slower than the one it replaces; to go back, restore baselines/ from git",
            save.name
        ));
    }
    if save.append && judgement.compared_nothing() && baseline.runs.len() > paths.len() {
        output::log(
            "warning: the runs were added without being compared with the others; `--base baseline` compares with their first tree",
        );
    }
    if !options.quiet && !paths.is_empty() {
        let saved = plural(paths.len() as u64, "run");
        let removed = removed_since(&before, &baseline);
        let removed = removed.map(|removed| format!("; removed {removed}")).unwrap_or_default();
        let folder = baseline.folder.display();
        output::log(format_args!("Saved {saved} as baseline `{}` in {folder}{removed}", save.name));
    }
    Ok(if_saved(outcome, judgement, options))
}

/// The outcome of a call whose runs are saved: runs that replace what they are compared with fail only by a limit.
pub(crate) fn if_saved(outcome: Outcome, judgement: &Judgement, options: &Options) -> Outcome {
    let broke_a_limit = judgement.cells.iter().any(|cell| cell.limits.iter().any(LimitCheck::is_broken));
    let is_accepted = options.replaces_compared() && outcome == Outcome::Regressed && !broke_a_limit;
    if is_accepted { Outcome::Passed } else { outcome }
}

/// Whether all cells of the runs may become part of a baseline.
fn are_fair(runs: &[Run]) -> bool {
    runs.iter().flat_map(|run| &run.cells).all(CellRun::is_fair)
}

/// Adds the runs of a file, or of all bench targets of the last call, to the baseline `name`: to its current epoch, or with a reason as
/// the beginning of a new one. Nothing is added unless all can be. Returns what was done.
pub(crate) fn accept(
    file: Option<&Path>,
    name: &str,
    reason: Option<&str>,
    options: &Options,
) -> Result<String> {
    let (files, earlier) = match file {
        Some(file) => (vec![file.to_owned()], Vec::new()),
        None => last_call(&options.paths.reports())?,
    };
    let accepted = files.iter().map(|file| acceptable(file, name, reason, options));
    let accepted: Vec<(Baseline, Vec<Run>)> = accepted.collect::<Result<_>>()?;
    let mut text = String::new();
    for (mut baseline, runs) in accepted {
        let before = ids(&baseline);
        for path in baseline.add(&runs, reason).map_err(SessionError::NotSaved)? {
            _ = writeln!(text, "Accepted into {}", path.display());
        }
        if let Some(removed) = removed_since(&before, &baseline) {
            _ = writeln!(text, "Removed {removed} of `{}` from the baseline `{name}`", runs[0].bench);
        }
    }
    for file in earlier {
        _ = writeln!(text, "Not accepted, because an earlier call measured it: {}", file.display());
    }
    Ok(text)
}

/// The ids of the runs of a baseline.
fn ids(baseline: &Baseline) -> BTreeSet<String> {
    baseline.runs.iter().map(|run| run.id.clone()).collect()
}

/// How many runs a baseline no longer has; `None` if it has all.
fn removed_since(before: &BTreeSet<String>, baseline: &Baseline) -> Option<String> {
    let removed = before.difference(&ids(baseline)).count();
    (removed > 0).then(|| plural(removed as u64, "older run"))
}

/// The runs of a file, and the baseline that they may be added to.
fn acceptable(
    file: &Path,
    name: &str,
    reason: Option<&str>,
    options: &Options,
) -> Result<(Baseline, Vec<Run>)> {
    let runs = complete(file)?;
    let refuse = |why: String| Err(SessionError::RunFile { file: file.to_owned(), why });
    if !are_fair(&runs) {
        return refuse("some cells of its runs are invalid".to_owned());
    }
    if runs.iter().any(|run| run.control.is_none()) {
        return refuse(
            "its runs have no control, because they are a duet, so no run could be compared with them: measure again without a base, then accept"
                .to_owned(),
        );
    }
    let baseline = Baseline::read(&options.paths.baselines(), name, &runs[0].bench)?;
    let is_newer = |run: &&Run| run.epoch.as_ref().is_some_and(|epoch| epoch.first_run > runs[0].id);
    if let Some(run) = baseline.runs.iter().find(is_newer).filter(|_| reason.is_some()) {
        return refuse(format!(
            "the baseline `{name}` has a newer epoch, of the run `{}`; measure again",
            run.id
        ));
    }
    if reason.is_none() {
        let is_stored = |run: &&Run| baseline.runs.iter().any(|stored| stored.id == run.id);
        if let Some(run) = runs.iter().find(is_stored) {
            return refuse(format!("its run `{}` is already in the baseline `{name}`", run.id));
        }
        if let Some(cell) = regressed(&against(&baseline, &runs)) {
            return refuse(format!("`{cell}` regressed; accept a slower speed with --reason"));
        }
    }
    Ok((baseline, runs))
}

/// Runs judged against a baseline, even if they are duets.
fn against(baseline: &Baseline, runs: &[Run]) -> Judgement {
    judge(baseline, &without_base(runs), Depth::Verdicts)
}

fn regressed(judgement: &Judgement) -> Option<CellId> {
    let mut cells = judgement.cells.iter();
    cells.find(|cell| cell.verdict == Verdict::Regressed).map(|cell| cell.id.clone())
}

/// Runs without the other side of their duets, so that they are compared with a baseline.
pub(crate) fn without_base(runs: &[Run]) -> Vec<Run> {
    let mut runs = runs.to_vec();
    for run in &mut runs {
        // Fresh pairs that decide about candidates of stored runs are part of a comparison with a baseline.
        if run.base_ref.as_ref().is_none_or(|base| base.epoch.is_none()) {
            (run.base_ref, run.confirmation) = (None, None);
            run.confirmations.clear();
        }
        for cell in &mut run.cells {
            cell.base.clear();
            cell.base_failure = None;
        }
    }
    runs
}

/// The runs of a file. An error if one of them is incomplete.
pub(crate) fn complete(file: &Path) -> Result<Vec<Run>> {
    let runs = not_empty(file)?;
    if runs.iter().any(|run| run.stop.is_some()) {
        let why = "its run ended early, so it cannot be compared or accepted: measure again".to_owned();
        return Err(SessionError::RunFile { file: file.to_owned(), why });
    }
    Ok(runs)
}

/// The runs of a file. An error if there is none.
pub(crate) fn not_empty(file: &Path) -> Result<Vec<Run>> {
    let runs = read_runs(file)?;
    if runs.is_empty() {
        let why = "it holds no run: measure again".to_owned();
        return Err(SessionError::RunFile { file: file.to_owned(), why });
    }
    Ok(runs)
}

/// The `run.json` below `reports` of each bench target of the last call, the oldest first, and those of earlier calls. Without cargo
/// each bench target is a call.
fn last_call(reports: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let entries = fs::read_dir(reports).into_iter().flatten().flatten().map(|entry| entry.path());
    let measured = |folder: PathBuf| {
        let file = folder.join(RUN_FILE);
        let last = read_runs(&file).ok()?.pop()?;
        // Other folders hold reports of files.
        let is_own = folder.file_name().is_some_and(|name| *name == *file_name(&last.bench));
        is_own.then_some((last.started, last.environment.call, file))
    };
    let mut files: Vec<_> = entries.filter_map(measured).collect();
    files.sort();
    let Some((_, last, newest)) = files.last().cloned() else {
        return Err(SessionError::NoRun { reports: reports.to_owned() });
    };
    let (of_last, earlier): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|(_, call, file)| *file == newest || (last.is_some() && *call == last));
    let files = |found: Vec<(_, _, PathBuf)>| found.into_iter().map(|(.., file)| file).collect();
    Ok((files(of_last), files(earlier)))
}

/// Each baseline with its bench targets and the number of their runs.
pub(crate) fn list(root: &Path) -> Result<String> {
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
pub(crate) fn show(root: &Path, name: &str) -> Result<String> {
    let mut text = String::new();
    for baseline in read_all(root, name)? {
        let Some(newest) = baseline.runs.last() else { continue };
        _ = writeln!(text, "{}", newest.bench);
        for run in &baseline.runs {
            let test_bed = run.environment.machine.test_bed.id.as_deref().unwrap_or("an unknown test bed");
            let dirty = if run.environment.dirty { ", with uncommitted changes" } else { "" };
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
pub(crate) fn drop_baseline(root: &Path, name: &str) -> Result<String> {
    for baseline in read_all(root, name)? {
        baseline.remove()?;
    }
    Ok(format!("Dropped the baseline `{name}`.\n"))
}

/// A baseline for each bench target that it has.
fn read_all(root: &Path, name: &str) -> Result<Vec<Baseline>> {
    let folder = Paths::new(root, None).baselines();
    let Some((_, benches)) = Baseline::list(&folder)?.into_iter().find(|(listed, _)| listed == name) else {
        return Err(SessionError::NoBaseline { name: name.to_owned(), folder });
    };
    benches.iter().map(|bench| Ok(Baseline::read(&folder, name, bench)?)).collect()
}
