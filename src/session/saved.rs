//! From saved runs to a report or a baseline.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::judge::{CellJudgement, Policy, Verdict, judge};
use crate::record::{Baseline, BaselineStore, Run, RunFile, StoredRun};
use crate::report::Place;
use crate::session::error::SessionError;
use crate::session::options::Options;
use crate::session::outcome::Outcome;
use crate::session::save::{groups, is_fair};
use crate::session::walk::{Measured, Origin, conclude};

/// The folders of such reports, unless another one is chosen: that of what was measured stays as it is.
const COMPARED: &str = "compare";
const REPORTED: &str = "report";
/// What was measured, beside its page.
const DATA: &str = "run.json";

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
    let baselines: Vec<Baseline> =
        groups(&base_runs).into_iter().filter_map(|group| Baseline::of_runs(group, &base_runs)).collect();
    let bench = &bench_of(&head_runs);
    let title = &format!("{bench}, one file against another");
    let (place, runs, baselines, origin) = (&place, &head_runs[..], &baselines[..], Origin::File);
    conclude(&Measured { bench, title, place, runs, baselines, origin, has_programs: false }, options)
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
    let store = BaselineStore::new(options.paths.baselines());
    let mut baselines = Vec::new();
    for group in groups(&runs) {
        baselines.extend(store.read(options.baseline.name(), group)?);
    }
    let bench = &bench_of(&runs);
    let title = &format!("{bench}, from saved runs");
    let (place, runs, baselines, origin) = (&place, &runs[..], &baselines[..], Origin::File);
    conclude(&Measured { bench, title, place, runs, baselines, origin, has_programs: false }, options)
}

fn place(output: Option<&Path>, usual: &str, options: &Options) -> Place {
    match output {
        Some(folder) => Place::chosen(folder.to_owned()),
        None => Place::below(&options.paths.reports(), usual),
    }
}

/// That what is about to be written does not take the place of what it is made from.
fn spare_input(place: &Place, files: &[&Path]) -> Result<(), SessionError> {
    let same =
        |file: &Path| Some(fs::canonicalize(file).ok()? == fs::canonicalize(place.folder().join(DATA)).ok()?);
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

/// Adds the runs of a file to the baseline `name`: to its current epoch, or with a reason as the beginning of a new one. Gives
/// the files that were written.
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
    let refuse = |why: String| SessionError::Saved(format!("{}: {why}", file.display()));
    if !runs.iter().all(is_fair) {
        return Err(refuse("not every cell of it could be measured fairly".to_owned()));
    }
    let store = BaselineStore::new(options.paths.baselines());
    let mut changed = Vec::new();
    for group in groups(&runs) {
        let mut baseline = store.read(name, group)?;
        if let (Some(kept), None) = (&baseline, reason) {
            let judgement = judge(std::slice::from_ref(kept), &runs, &Policy::usual());
            let regressed = |cell: &&CellJudgement| cell.group == group && cell.verdict == Verdict::Regressed;
            if let Some(cell) = judgement.cells.iter().find(regressed) {
                let id = cell.full_id();
                return Err(refuse(format!("`{id}` regressed; a slower speed is accepted with --reason")));
            }
        }
        let mut reason = reason;
        for run in &runs {
            let Some(stored) = StoredRun::new(group, run) else { continue };
            if reason.is_none() && baseline.as_ref().is_some_and(|baseline| holds(baseline, &stored)) {
                let id = &run.id;
                return Err(refuse(format!(
                    "its run `{id}` is in the baseline `{name}` already; twice it would count as two"
                )));
            }
            let kept = baseline.get_or_insert_with(|| Baseline::empty(group));
            match reason.take() {
                Some(reason) => kept.accept_as_new_epoch(stored, reason),
                None => kept.append(stored),
            }
        }
        changed.extend(baseline.map(|baseline| (store.path(name, group), baseline)));
    }
    // All are read and found sound before the first is written.
    for (path, baseline) in &changed {
        baseline.write(path).map_err(|error| SessionError::NotKept(Box::new(error.into())))?;
    }
    Ok(changed.into_iter().map(|(path, _)| path).collect())
}

/// Whether the current epoch has a run with just these values. Its id does not tell: two runs may share one.
fn holds(baseline: &Baseline, run: &StoredRun) -> bool {
    let cells = run.clone().rounded().cells;
    baseline.current().any(|kept| kept.clone().rounded().cells == cells)
}

/// The runs of a file, all of which went to their end.
fn complete(file: &Path) -> Result<Vec<Run>, SessionError> {
    let runs = not_empty(file)?;
    if runs.iter().any(|run| run.stop.is_some()) {
        let why = "its run ended before its time, so it cannot be compared or accepted; measure again";
        return Err(SessionError::Saved(format!("{}: {why}", file.display())));
    }
    Ok(runs)
}

/// The runs of a file that has some.
fn not_empty(file: &Path) -> Result<Vec<Run>, SessionError> {
    let runs = RunFile::read(file)?;
    match runs.is_empty() {
        true => Err(SessionError::Saved(format!("{}: it holds no run", file.display()))),
        false => Ok(runs),
    }
}

/// The `run.json` below `reports` whose run began last.
fn newest_run(reports: &Path) -> Result<PathBuf, SessionError> {
    let files = fs::read_dir(reports).into_iter().flatten().flatten().map(|entry| entry.path().join(DATA));
    let began = |file: &PathBuf| Some(RunFile::read(file).ok()?.last()?.started);
    let dated = files.filter_map(|file| Some((began(&file)?, file)));
    dated.max().map(|(_, file)| file).ok_or_else(|| {
        let place = reports.display();
        SessionError::Saved(format!(
            "there is no run below {place}: run `cargo bench` first, or name a run.json"
        ))
    })
}
