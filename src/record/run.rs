//! What one call measured: a [`Run`] holds cells, and each cell its rounds. The same types are kept in files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::plan::{Cell, CellId, Confirmation, Group, Load, Settings, Throughput, seconds};
use crate::record::environment::Environment;
use crate::record::fault::Fault;
use crate::record::file::{self, FileError};
use crate::record::metric::Metric;
use crate::record::round::{Round, Series, columns};
use crate::record::tally::Counts;

/// Runs of one boot with shorter gaps between them are one sitting.
const SITTING_GAP: Duration = Duration::from_secs(60 * 60);

/// All rounds of all cells of one measurement, with the environment they were measured in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// `20261124T170012Z-abc1234-k3f9`: the UTC time of its start, the commit if there is one, and a random suffix.
    pub id: String,
    /// The bench target.
    pub bench: String,
    /// When it began.
    #[serde(with = "rfc3339")]
    pub started: SystemTime,
    /// How long it took.
    #[serde(rename = "elapsed_s", with = "seconds")]
    pub elapsed: Duration,
    /// The machine and the build.
    pub environment: Environment,
    /// The epoch of a run in a baseline; `None` elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<Epoch>,
    /// What the control showed; `None` in a duet, which needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<Control>,
    /// What a duet by `--base-ref` compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_ref: Option<BaseRef>,
    /// Whether a filter may have left out cells of the bench. If not, a cell that only the baseline has was removed.
    #[serde(rename = "filtered", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_filtered: bool,
    /// Why it ended early; `None` if it is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// How a duet confirms its candidates; `None` if everything is decided in one stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<Confirmation>,
    /// Its cells in the order of their definition.
    pub cells: Vec<CellRun>,
    /// The cells that were measured again, for each interim analysis.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confirmations: Vec<Vec<CellRun>>,
}

/// The runs of one accepted speed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// The id of the run that began it.
    pub first_run: String,
    /// The tree that this run measured: the id that git gives the working files without baselines and reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<String>,
    /// Why it was begun; only in the run that began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What the control showed: a small fixed server that is measured in the same run. Stored runs are compared with only while the
/// machine serves it as it did then.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Control {
    /// Figures of another identity mean something else: `control 1 of plimsoll 0.1.0, rustc 1.89.0, release`.
    pub identity: String,
    /// By name (`multiply`, `hash`), how often the work can be done in a second, measured in each of its launches.
    pub figures: BTreeMap<String, Vec<f64>>,
}

/// Why a run ended early.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// A signal, by its number.
    Signal(i32),
    /// The service died or did not start again: what happened and what to do.
    Failed(String),
    /// The time given by `--max-time` was over.
    TimeUp,
}

/// Why base of a duet could not answer a cell in the trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseFailure {
    /// What it answered.
    pub what: String,
    /// Whether base failed (a 5xx, no whole response) rather than that it does not know the request: base may be broken then.
    pub is_broken: bool,
}

/// A line of a bench file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SourceLine {
    /// The file, from the top folder of the repository, or without one as the compiler was given it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
}

/// The rounds of one cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellRun {
    /// Its name.
    pub id: CellId,
    /// The purpose of its group, if the bench file states one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// How requests were sent.
    pub load: Load,
    /// What one request handles, if the bench file says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throughput: Option<Throughput>,
    /// A digest of what was requested.
    pub definition: String,
    /// Where the bench file defines it; `None` if that is not in the repository. A baseline does not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceLine>,
    /// The metrics that each round was expected to have after the trial.
    pub metrics: Vec<&'static Metric>,
    /// The settings that it is measured and judged by.
    pub settings: Settings,
    /// In a duet, why base could not answer this cell in the trial. The cell is then measured on head alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_failure: Option<BaseFailure>,
    /// Why it could not be measured; `None` if it could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid: Option<String>,
    /// Notes for the report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Its rounds in order of time.
    #[serde(with = "columns")]
    pub rounds: Vec<Round>,
    /// In a duet the rounds of base, each the partner of the round of head at the same index.
    #[serde(default, with = "columns", skip_serializing_if = "Vec::is_empty")]
    pub base: Vec<Round>,
}

impl Epoch {
    /// The one that a run begins.
    pub fn of(run: &Run) -> Self {
        Self { first_run: run.id.clone(), tree: run.environment.tree.clone(), reason: None }
    }
}

impl Control {
    /// One without a launch yet.
    pub fn new(identity: String) -> Self {
        Self { identity, figures: BTreeMap::new() }
    }

    /// The number of its launches.
    pub fn launches(&self) -> usize {
        self.figures.values().map(Vec::len).min().unwrap_or(0)
    }
}

impl Run {
    /// The cell of that name.
    pub fn cell(&self, id: &CellId) -> Option<&CellRun> {
        self.cells.iter().find(|cell| cell.id == *id)
    }

    /// The problem of a run that was read from a file, if it has one.
    pub(crate) fn problem(&self) -> Option<String> {
        let mut seen = BTreeSet::new();
        if let Some(cell) = self.cells.iter().find(|cell| !seen.insert(&cell.id)) {
            return Some(format!("the cell `{}` appears twice", cell.id));
        }
        if let Some(problem) = self.confirmation.as_ref().and_then(Confirmation::problem) {
            return Some(problem.to_owned());
        }
        // A confirmation may have fewer rounds than settings allow.
        if let Some((cell, problem)) =
            self.cells.iter().find_map(|cell| Some((cell, cell.settings.problem()?)))
        {
            return Some(format!("the cell `{}`: {problem}", cell.id));
        }
        let cells = self.cells.iter().chain(self.confirmations.iter().flatten());
        cells.filter_map(|cell| Some(format!("the cell `{}`: {}", cell.id, cell.problem()?))).next()
    }
}

impl CellRun {
    /// A cell without any round yet, whose service gets these arguments.
    pub fn planned(group: &Group, cell: &Cell, service_args: &[String]) -> Self {
        Self {
            id: cell.id.clone(),
            about: group.about.clone(),
            load: cell.load,
            throughput: cell.throughput,
            definition: cell.definition(group, service_args),
            source: cell
                .location
                .file_and_line()
                .map(|(file, line)| SourceLine { file: file.to_owned(), line }),
            metrics: Vec::new(),
            settings: group.settings.clone(),
            base_failure: None,
            invalid: None,
            notes: Vec::new(),
            rounds: Vec::new(),
            base: Vec::new(),
        }
    }

    /// Its rounds as `judge` needs them.
    pub fn series(&self) -> Series {
        Series::new(&self.rounds, &self.metrics)
    }

    /// What the rounds of base counted together, in a duet.
    pub fn base_counts(&self) -> Counts {
        Counts::sum(self.base.iter().map(|round| &round.counts))
    }

    /// The rounds of base as `judge` needs them; `None` without a duet.
    pub fn base_series(&self) -> Option<Series> {
        (!self.base.is_empty()).then(|| Series::new(&self.base, &self.metrics))
    }

    /// Drops a round without a partner, as an interrupted duet leaves one.
    pub fn keep_pairs(&mut self) {
        let pairs = self.rounds.len().min(self.base.len());
        self.rounds.truncate(pairs);
        self.base.truncate(pairs);
    }

    /// Requests of either side that failed because of this machine, by kind.
    pub fn own_faults(&self) -> BTreeMap<Fault, u64> {
        let mut both = self.counts();
        both.add(&self.base_counts());
        both.faults.retain(|fault, count| fault.is_ours() && *count > 0);
        both.faults
    }

    /// Whether it may become part of a baseline: it was measured, enough requests succeeded, and none failed because of this machine.
    pub fn is_fair(&self) -> bool {
        let ratio = self.counts().success_ratio();
        let is_enough = ratio.is_some_and(|ratio| ratio >= self.settings.min_success_ratio);
        self.invalid.is_none() && is_enough && self.own_faults().is_empty()
    }

    /// What its rounds counted together.
    pub fn counts(&self) -> Counts {
        Counts::sum(self.rounds.iter().map(|round| &round.counts))
    }

    fn problem(&self) -> Option<String> {
        if !self.base.is_empty() && self.base.len() != self.rounds.len() {
            return Some("its duet has rounds without a partner".to_owned());
        }
        self.rounds.iter().chain(&self.base).find_map(Round::problem)
    }
}

/// Groups what belongs to runs by their sittings, each in order of time.
pub(crate) fn by_sitting<'a, T: Copy>(
    items: impl IntoIterator<Item = T>,
    run: impl Fn(T) -> &'a Run,
) -> Vec<Vec<T>> {
    let boot = |item: T| &run(item).environment.machine.test_bed.boot;
    let mut items: Vec<T> = items.into_iter().collect();
    items.sort_by_key(|item| (boot(*item), run(*item).started));
    let sittings = items.chunk_by(|last, next| {
        let ended = run(*last).started + run(*last).elapsed;
        let gap = run(*next).started.duration_since(ended).unwrap_or_default();
        boot(*last) == boot(*next) && gap < SITTING_GAP
    });
    sittings.map(<[T]>::to_vec).collect()
}

/// What a file of runs holds.
#[derive(Serialize, Deserialize)]
struct Contents<R> {
    runs: R,
}

/// Reads the runs of a file: a `run.json` or a stored run.
///
/// # Errors
/// If the file cannot be read, is damaged, or has another schema.
pub fn read_runs(path: &Path) -> Result<Vec<Run>, FileError> {
    let Contents { runs }: Contents<Vec<Run>> = file::read(path)?;
    match runs.iter().find_map(Run::problem) {
        Some(problem) => Err(FileError::malformed(path, problem)),
        None => Ok(runs),
    }
}

/// Writes runs, whole or not at all.
///
/// # Errors
/// If the file cannot be written; then nothing has changed.
pub fn write_runs(path: &Path, runs: &[Run]) -> Result<(), FileError> {
    file::write(path, &Contents { runs })
}

/// The id of a new run.
pub fn run_id(started: SystemTime, commit: Option<&str>) -> String {
    let time = humantime::format_rfc3339_seconds(started.max(UNIX_EPOCH)).to_string().replace(['-', ':'], "");
    let suffix: String = std::iter::repeat_with(|| fastrand::char('a'..='z')).take(4).collect();
    match commit {
        Some(commit) => format!("{time}-{commit}-{suffix}"),
        None => format!("{time}-{suffix}"),
    }
}

/// Times in files: `2026-11-24T17:00:12.123456789Z`.
mod rfc3339 {
    use std::time::{SystemTime, UNIX_EPOCH};

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
        // The format has no times before 1970.
        serializer.collect_str(&humantime::format_rfc3339_nanos((*time).max(UNIX_EPOCH)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SystemTime, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_rfc3339(&text).map_err(|error| de::Error::custom(format_args!("`{text}`: {error}")))
    }
}

/// Digits of a commit's id that people read.
const DIGITS: usize = 10;

/// Base and head of a duet by `--base-ref`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BaseRef {
    /// What the user called base: `origin/main...HEAD`.
    pub name: String,
    /// The epoch of the baseline that the tree of base began, if base only decides about candidates of stored runs: the id of its first
    /// run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<String>,
    /// The cells whose candidates it decides about, in that case.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cells: Vec<String>,
    /// Set if base is a program that was measured before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<Kept>,
    /// Whether head has the same files, so that nothing has to be decided.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub same_trees: bool,
    /// The full id of its commit.
    pub commit: String,
    /// How many merge bases `A...B` has; base is the first. 0 without `...`.
    pub merge_bases: usize,
    /// Commits that base has and head lacks.
    pub lacking: usize,
    /// Whether HEAD is a merge commit and base one of its parents, as CI checks out for a pull request.
    pub head_is_merge: bool,
    /// The first paths in which the two trees differ.
    pub differing: Vec<String>,
    /// In how many paths they differ.
    pub differing_count: usize,
    /// The programs that were built of each tree: `server of package shop`.
    pub programs: Vec<String>,
    /// Whether the programs of both sides are byte-for-byte identical.
    pub same_programs: bool,
    /// Packages outside the repository, which are the same on both sides.
    pub outside: Vec<String>,
    /// Files that `--base-copy` gave to both sides and that name files of the user's working tree, which both sides then share.
    pub leading_back: Vec<String>,
    /// The compilers of base and head, if they differ.
    pub toolchains: Option<(String, String)>,
}

/// A program that was measured before, as base of a duet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// How long ago.
    #[serde(rename = "age_s", with = "seconds")]
    pub age: Duration,
    /// Whether the working tree then had changes that were not committed.
    pub dirty: bool,
}

impl BaseRef {
    /// The name of base and the first digits of its commit.
    pub(crate) fn described(&self) -> String {
        format!("{} ({})", self.name, self.short_commit())
    }

    /// The first digits of base's commit.
    pub(crate) fn short_commit(&self) -> &str {
        self.commit.get(..DIGITS).unwrap_or(&self.commit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn error(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        fs::write(&path, text).unwrap();
        let error = read_runs(&path).unwrap_err().to_string();
        assert!(error.contains("run.json"), "{error}");
        error
    }

    #[test]
    fn files_that_are_damaged_foreign_or_of_another_version_are_named_with_what_to_do() {
        for (text, part) in [
            ("", "EOF while parsing"),
            ("{\"schema\": 2, \"runs\": [", "damaged: EOF"),
            ("{\"schema\": 2, \"runs\": [{}]}", "missing field `id`"),
            ("{\"schema\": 3}", "update plimsoll"),
            ("{\"schema\": 1, \"runs\": []}", "reads schema 2: measure again"),
            ("{\"runs\": []}", "has no `schema`"),
        ] {
            let error = error(text);
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}
