//! Baselines: accepted runs that new runs are compared with, one file per run in `baselines/<name>/<bench>/`.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::plan::CellId;
use crate::record::environment::Environment;
use crate::record::file::{FileError, file_name, name_of};
use crate::record::histogram::Histogram;
use crate::record::run::{CellRun, Epoch, Run, by_sitting, read_runs, write_runs};
use crate::record::test_bed::TestBed;

/// Runs of the current epoch that are kept of each test bed: the newest of each sitting before its other ones.
pub const KEPT_RUNS: usize = 10;

const ENDING: &str = "json";

/// The accepted runs of a bench target.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Baseline {
    /// The folder of its files.
    pub folder: PathBuf,
    /// Its runs of all test beds, the oldest first.
    pub runs: Vec<Run>,
}

impl Baseline {
    /// The baseline `name` of a bench target below `root`; without a run if there is none.
    ///
    /// # Errors
    /// When the folder or a file in it cannot be read, or a file is damaged.
    pub fn read(root: &Path, name: &str, bench: &str) -> Result<Self, FileError> {
        let folder = root.join(file_name(name)).join(file_name(bench));
        let mut runs = Vec::new();
        for path in entries(&folder)?.into_iter().filter(|path| is_run_file(path)) {
            runs.extend(read_runs(&path)?);
        }
        runs.sort_by(|one: &Run, other| (one.started, &one.id).cmp(&(other.started, &other.id)));
        Ok(Self { folder, runs })
    }

    /// Runs of a file in place of a baseline: one epoch, with the cells that were measured fairly.
    pub fn of_runs(runs: &[Run]) -> Self {
        let epoch = runs.first().map(Epoch::of);
        let mut runs = runs.to_vec();
        for run in &mut runs {
            run.epoch.clone_from(&epoch);
            run.cells.retain(CellRun::is_fair);
        }
        Self { folder: PathBuf::new(), runs }
    }

    /// Each baseline below `root` with its bench targets, sorted.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn list(root: &Path) -> Result<Vec<(String, Vec<String>)>, FileError> {
        let mut found = Vec::new();
        for folder in entries(root)? {
            let benches = entries(&folder)?.into_iter().filter(|bench| bench.is_dir());
            let benches: Vec<String> = benches.map(|bench| decoded(&bench)).collect();
            if !benches.is_empty() {
                found.push((decoded(&folder), benches));
            }
        }
        Ok(found)
    }

    /// Adds runs to the current epoch of their test bed, or with a reason as the beginning of a new one. Whole runs with a
    /// reason also end the epoch of cells that they lack, since those were removed. Returns the paths of the files.
    ///
    /// # Errors
    /// When a file cannot be written, or an old one cannot be removed.
    pub fn add(&mut self, runs: &[Run], reason: Option<&str>) -> Result<Vec<PathBuf>, FileError> {
        let ends_all = reason.is_some() && runs.iter().all(|run| !run.is_filtered);
        let mut reason = reason.map(str::to_owned);
        let Some(first) = runs.first() else { return Ok(Vec::new()) };
        let current = first
            .cells
            .iter()
            .filter_map(|cell| self.current_epoch(&cell.id, &first.environment.machine.test_bed));
        let current = current.max_by_key(|epoch| &epoch.first_run).filter(|_| reason.is_none());
        let epoch = current.cloned().unwrap_or_else(|| Epoch::of(first));
        let mut paths = Vec::new();
        for run in runs.iter().filter_map(stored) {
            let epoch = Some(Epoch { reason: reason.take(), ..epoch.clone() });
            let run = Run { epoch, ..run };
            let path = self.path(&run);
            write_runs(&path, std::slice::from_ref(&run))?;
            paths.push(path);
            self.runs.retain(|stored| stored.id != run.id);
            self.runs.push(run);
        }
        let kept = self.kept();
        let here = &first.environment.machine.test_bed;
        let has_ended = |run: &Run| ends_all && is_on(run, here) && !runs.iter().any(|new| new.id == run.id);
        self.retain(|run| kept.contains(&run.id) && (paths.is_empty() || !has_ended(run)))?;
        Ok(paths)
    }

    /// Replaces the runs of this test bed; runs of other test beds stay. Returns the paths of the new files.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn replace(&mut self, runs: &[Run]) -> Result<Vec<PathBuf>, FileError> {
        let here = runs.first().map(|run| run.environment.machine.test_bed.clone()).unwrap_or_default();
        let old: BTreeSet<String> =
            self.runs.iter().filter(|run| is_on(run, &here)).map(|run| run.id.clone()).collect();
        let mut others = Self { runs: Vec::new(), ..self.clone() };
        let paths = others.add(runs, None)?;
        if paths.is_empty() {
            return Ok(paths);
        }
        self.runs.append(&mut others.runs);
        self.retain(|run| !old.contains(&run.id))?;
        Ok(paths)
    }

    /// Removes all its files.
    ///
    /// # Errors
    /// When a file cannot be removed.
    pub fn remove(mut self) -> Result<(), FileError> {
        self.retain(|_| false)?;
        for folder in [Some(self.folder.as_path()), self.folder.parent()].into_iter().flatten() {
            match fs::remove_dir(folder) {
                Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => break,
                removed => removed.map_err(|source| unreadable(folder, source))?,
            }
        }
        Ok(())
    }

    /// The stored runs of a cell with the cell in each, the oldest first: the runs of the newest epoch in which
    /// the test bed has it. An epoch that began with a run of other cells does not end this one.
    pub fn current<'a>(
        &'a self,
        id: &'a CellId,
        here: &'a TestBed,
    ) -> impl Iterator<Item = (&'a Run, &'a CellRun)> {
        let epoch = self.current_epoch(id, here);
        let first_run = |epoch: &'a Epoch| epoch.first_run.as_str();
        let is_current = move |run: &&'a Run| run.epoch.as_ref().map(first_run) == epoch.map(first_run);
        let runs = self.runs.iter().filter(move |run| is_on(run, here)).filter(is_current);
        runs.filter_map(|run| Some((run, run.cell(id)?)))
    }

    /// The newest epoch in which a test bed has a cell.
    pub fn current_epoch(&self, id: &CellId, here: &TestBed) -> Option<&Epoch> {
        let runs = self.runs.iter().filter(|run| is_on(run, here) && run.cell(id).is_some());
        runs.filter_map(|run| run.epoch.as_ref()).max_by_key(|epoch| &epoch.first_run)
    }

    /// The ids of the runs that are worth keeping: for each cell and test bed those of the current epoch, of as many sittings as can be.
    fn kept(&self) -> BTreeSet<String> {
        let mut kept = BTreeSet::new();
        for run in &self.runs {
            for cell in &run.cells {
                let current = self.current(&cell.id, &run.environment.machine.test_bed).map(|(run, _)| run);
                let sittings = by_sitting(current, |run| run);
                let mut ranked: Vec<(usize, &Run)> =
                    sittings.into_iter().flat_map(|sitting| sitting.into_iter().rev().enumerate()).collect();
                ranked.sort_by_key(|(rank, run)| (*rank, Reverse(run.started)));
                kept.extend(ranked.iter().take(KEPT_RUNS).map(|(_, run)| run.id.clone()));
            }
        }
        kept
    }

    fn retain(&mut self, keeps: impl Fn(&Run) -> bool) -> Result<(), FileError> {
        for run in self.runs.iter().filter(|run| !keeps(run)) {
            let path = self.path(run);
            match fs::remove_file(&path) {
                Err(source) if source.kind() != ErrorKind::NotFound => return Err(unreadable(&path, source)),
                _ => {}
            }
        }
        self.runs.retain(keeps);
        Ok(())
    }

    /// The file of a run.
    pub fn path(&self, run: &Run) -> PathBuf {
        // An id that somebody edited must not lead to another folder.
        let is_plain = run.id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let name = if is_plain && !run.id.is_empty() { run.id.clone() } else { file_name(&run.id) };
        self.folder.join(format!("{name}.{ENDING}"))
    }
}

/// Whether a run was measured on that test bed. Runs without an identified test bed are comparable with nothing, but belong together.
fn is_on(run: &Run, test_bed: &TestBed) -> bool {
    run.environment.machine.test_bed.id == test_bed.id
}

/// A run as a baseline keeps it: fair cells, without histograms, its values with four significant digits; `None` without a fair cell.
fn stored(run: &Run) -> Option<Run> {
    let mut cells: Vec<CellRun> = run.cells.iter().filter(|cell| cell.is_fair()).cloned().collect();
    for cell in &mut cells {
        cell.base.clear();
        cell.base_failure = None;
        cell.source = None;
        cell.notes.clear();
        for round in &mut cell.rounds {
            (round.latency, round.failure_latency) = (Histogram::default(), Histogram::default());
            round.values.values_mut().for_each(|value| *value = four_digits(*value));
        }
    }
    let environment = Environment { condition: None, call: None, ..run.environment.clone() };
    let mut control = run.control.clone();
    let figures = control.iter_mut().flat_map(|control| control.figures.values_mut().flatten());
    figures.for_each(|figure| *figure = four_digits(*figure));
    (!cells.is_empty()).then(|| Run {
        cells,
        environment,
        control,
        is_filtered: false,
        base_ref: None,
        confirmation: None,
        confirmations: Vec::new(),
        ..run.clone()
    })
}

fn four_digits(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

fn is_run_file(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == ENDING) && path.is_file()
}

/// The name that a folder stands for.
fn decoded(folder: &Path) -> String {
    let encoded = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    name_of(&encoded).unwrap_or(encoded)
}

/// The entries of a folder, sorted. Empty if it does not exist or is a file.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        entries => entries.map_err(|source| unreadable(folder, source))?,
    };
    let paths: io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(|source| unreadable(folder, source))?;
    paths.sort();
    Ok(paths)
}

fn unreadable(path: &Path, source: io::Error) -> FileError {
    FileError::Read { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::plan::{Load, Settings};
    use crate::record::environment::Environment;
    use crate::record::metric::metric;
    use crate::record::round::Round;
    use crate::record::tally::Counts;

    const LATENCY: f64 = 1_234_567.0;

    /// A run with one round in each of these cells, that began so many minutes after 1970 on this test bed.
    fn run(minutes: u64, cells: &[&str], test_bed: &str) -> Run {
        let round = Round {
            counts: Counts { requests: 8, successes: 8, ..Counts::default() },
            values: [("latency_p50", LATENCY)].into(),
            ..Round::default()
        };
        let cell = |id: &&str| CellRun {
            id: CellId::new("g", *id),
            about: None,
            load: Load::closed(1),
            throughput: None,
            definition: "d".into(),
            source: None,
            metrics: vec![metric("latency_p50").unwrap()],
            settings: Settings::default(),
            base_failure: None,
            invalid: None,
            notes: vec!["a note".into()],
            rounds: vec![round.clone()],
            base: Vec::new(),
        };
        let mut environment = Environment::default();
        environment.machine.test_bed.id = Some(test_bed.to_owned());
        Run {
            id: format!("{minutes:04}"),
            bench: "b".into(),
            started: SystemTime::UNIX_EPOCH + Duration::from_secs(60 * minutes),
            elapsed: Duration::ZERO,
            environment,
            epoch: None,
            control: None,
            is_filtered: false,
            base_ref: None,
            stop: None,
            confirmation: None,
            cells: cells.iter().map(cell).collect(),
            confirmations: Vec::new(),
        }
    }

    fn empty(root: &Path) -> Baseline {
        Baseline::read(root, "main", "b").unwrap()
    }

    fn ids(baseline: &Baseline) -> Vec<&str> {
        baseline.runs.iter().map(|run| run.id.as_str()).collect()
    }

    #[test]
    fn each_run_is_a_file_that_gives_back_what_was_stored() {
        let root = tempfile::tempdir().unwrap();
        let mut baseline = empty(root.path());
        let paths = baseline.add(&[run(1, &["x"], "here"), run(2, &["x"], "here")], None).unwrap();
        assert!(paths[1].ends_with("main/b/0002.json") && paths.iter().all(|path| path.is_file()));
        let id = |id: &str| baseline.path(&Run { id: id.into(), ..run(1, &[], "here") });
        assert!(id("20261124T170012Z-abc1234-k3f9").ends_with("20261124T170012Z-abc1234-k3f9.json"));
        assert_eq!(id("../../x").parent(), Some(baseline.folder.as_path()));
        let read = empty(root.path());
        assert_eq!(read, baseline);
        let cell = &read.runs[0].cells[0];
        assert_eq!((cell.rounds[0].values["latency_p50"], cell.notes.len()), (1_235_000.0, 0));
        let text = fs::read_to_string(&paths[0]).unwrap();
        assert!(text.contains("\"latency_p50\": [1235000.0]\n"), "{text}");
    }

    #[test]
    fn ten_runs_of_the_current_epoch_of_each_test_bed_are_kept() {
        let root = tempfile::tempdir().unwrap();
        let mut baseline = empty(root.path());
        baseline.add(&[run(0, &["x"], "there")], None).unwrap();
        (1..=3).for_each(|minute| _ = baseline.add(&[run(minute, &["x"], "here")], None).unwrap());
        baseline.add(&[run(4, &["x"], "here")], Some("a faster parser")).unwrap();
        assert_eq!(ids(&baseline), ["0000", "0004"]);
        (5..=15).for_each(|minute| _ = baseline.add(&[run(minute, &["x"], "here")], None).unwrap());
        let kept = empty(root.path());
        assert_eq!(kept.runs.len(), 1 + KEPT_RUNS);
        assert_eq!(kept.runs[1].id, "0006");
        assert!(kept.runs[1..].iter().all(|run| run.epoch.as_ref().unwrap().first_run == "0004"));
    }

    #[test]
    fn many_runs_of_one_sitting_do_not_displace_older_sittings() {
        let root = tempfile::tempdir().unwrap();
        let mut baseline = empty(root.path());
        let day = 24 * 60;
        for sitting in 0..3 {
            let runs: Vec<Run> = (0..5).map(|minute| run(sitting * day + minute, &["x"], "here")).collect();
            baseline.add(&runs, None).unwrap();
        }
        assert_eq!(by_sitting(&baseline.runs, |run| run).iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 4]);
        assert_eq!(ids(&baseline)[..3], ["0002", "0003", "0004"]);
    }

    #[test]
    fn an_epoch_that_began_with_other_cells_leaves_a_cell_where_it_was() {
        let root = tempfile::tempdir().unwrap();
        let mut baseline = empty(root.path());
        baseline.add(&[run(1, &["x", "y"], "here")], None).unwrap();
        let filtered = Run { is_filtered: true, ..run(2, &["y"], "here") };
        baseline.add(&[filtered], Some("y is slower")).unwrap();
        let here = run(3, &[], "here").environment.machine.test_bed;
        let current = |id: &str| -> Vec<String> {
            let id = CellId::new("g", id);
            baseline.current(&id, &here).map(|(run, _)| run.id.clone()).collect()
        };
        assert_eq!((current("x"), current("y")), (vec!["0001".to_owned()], vec!["0002".to_owned()]));
        baseline.add(&[run(3, &["z"], "here")], Some("x and y were removed")).unwrap();
        assert_eq!(ids(&empty(root.path())), ["0003"], "a whole run shows that they are gone");
    }

    #[test]
    fn replacing_keeps_the_runs_of_other_test_beds() {
        let root = tempfile::tempdir().unwrap();
        let mut baseline = empty(root.path());
        baseline.add(&[run(1, &["x"], "here"), run(2, &["x"], "here")], None).unwrap();
        baseline.add(&[run(3, &["x"], "there")], None).unwrap();
        baseline.replace(&[run(4, &["x"], "here")]).unwrap();
        assert_eq!(ids(&empty(root.path())), ["0003", "0004"]);
        empty(root.path()).remove().unwrap();
        assert!(Baseline::list(root.path()).unwrap().is_empty());
    }

    #[test]
    fn runs_without_a_fair_cell_are_not_stored() {
        let root = tempfile::tempdir().unwrap();
        let mut unfair = run(1, &["x"], "here");
        unfair.cells[0].invalid = Some("the client was the bottleneck".into());
        assert!(empty(root.path()).add(std::slice::from_ref(&unfair), None).unwrap().is_empty());
        let mut baseline = empty(root.path());
        baseline.add(&[run(2, &["x"], "here")], None).unwrap();
        assert!(baseline.replace(&[unfair]).unwrap().is_empty());
        assert_eq!(ids(&empty(root.path())), ["0002"], "nothing takes its place, so it stays");
    }

    #[test]
    fn benches_with_equal_group_names_do_not_meet() {
        let root = tempfile::tempdir().unwrap();
        empty(root.path()).add(&[run(1, &["x"], "here")], None).unwrap();
        let mut other = Baseline::read(root.path(), "main", "Other/bench").unwrap();
        other.add(&[run(1, &["x"], "here")], None).unwrap();
        let listed = Baseline::list(root.path()).unwrap();
        assert_eq!(listed, [("main".to_owned(), vec!["Other/bench".to_owned(), "b".to_owned()])]);
        assert_eq!(empty(root.path()).runs.len(), 1);
    }
}
