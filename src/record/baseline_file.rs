//! Baselines on disk: `baselines/<name>/<group>.json`, read with suspicion and written whole.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::record::atomic::{WriteError, write_whole};
use crate::record::baseline::{Baseline, StoredRun};
use crate::record::baseline_parse::{Problem, parse};
use crate::record::baseline_text::text;
use crate::record::file_name::{file_name, name_of};
use crate::record::wire::SCHEMA;

/// Why a baseline could not be read, written or dropped.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// The system could not read it, or list or remove it.
    #[error("the baseline {} cannot be reached: {source}", path.display())]
    Reach {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is truncated, or no JSON of the expected form.
    #[error("the baseline {} is damaged ({why}); restore it from git, or record it anew with --save-baseline", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        why: String,
    },
    /// A newer plimsoll wrote it.
    #[error("the baseline {} has schema {schema}, and this plimsoll reads schema {SCHEMA}; update plimsoll, or record it anew with --save-baseline", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        schema: u64,
    },
    /// It says no schema, or one that there never was.
    #[error("the file {} is no baseline: its `schema` is missing or unknown; move it away, or record it anew with --save-baseline", path.display())]
    NoSchema {
        /// The file.
        path: PathBuf,
    },
    /// A run's lines are not those that were written.
    #[error("the run `{run}` in the baseline {} was edited: its digest does not match its lines; restore the file from git, or take out the run with all its lines", path.display())]
    Edited {
        /// The file.
        path: PathBuf,
        /// The run's id.
        run: String,
    },
    /// Its parts contradict each other.
    #[error("the baseline {} contradicts itself: {problem}; restore it from git, or record it anew with --save-baseline", path.display())]
    Inconsistent {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        problem: String,
    },
    /// It is the baseline of another group.
    #[error("the baseline {} is of the group `{found}` and not of `{wanted}`; was it copied or renamed? Restore it from git, or record it anew with --save-baseline", path.display())]
    OtherGroup {
        /// The file.
        path: PathBuf,
        /// The group that it is of.
        found: String,
        /// The group that was looked for.
        wanted: String,
    },
    /// There is no baseline of that name.
    #[error("there is no baseline `{name}` in {}; `plimsoll baseline list` shows what is there", root.display())]
    Absent {
        /// The name.
        name: String,
        /// The folder of all baselines.
        root: PathBuf,
    },
    /// There is nothing to write.
    #[error("no baseline is written to {}: no run of the group `{group}` was measured fairly", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// The group.
        group: String,
    },
    /// It could not be written.
    #[error("the baseline was not saved: {0}")]
    Write(#[from] WriteError),
}

impl Baseline {
    /// Reads a baseline file; nothing when there is none.
    ///
    /// Fields that this version does not know are refused, since no digest covers them.
    ///
    /// # Errors
    /// When it cannot be read, is damaged, edited, inconsistent or of another schema.
    pub fn read(path: &Path) -> Result<Option<Self>, BaselineError> {
        let owned = || path.to_owned();
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(BaselineError::Reach { path: owned(), source }),
        };
        parse(&bytes).map(Some).map_err(|problem| match problem {
            Problem::Malformed(why) => BaselineError::Malformed { path: owned(), why },
            Problem::Schema(Some(schema)) if schema > SCHEMA => {
                BaselineError::Newer { path: owned(), schema }
            }
            Problem::Schema(_) => BaselineError::NoSchema { path: owned() },
            Problem::Inconsistent(problem) => BaselineError::Inconsistent { path: owned(), problem },
            Problem::Edited(run) => BaselineError::Edited { path: owned(), run },
        })
    }

    /// Writes it to a file: whole or not at all, and always the same text for the same baseline.
    ///
    /// Values are rounded to four significant digits; cells that a later run redefined are left out.
    ///
    /// # Errors
    /// When the file cannot be written, or there is no run; then nothing has changed.
    pub fn write(&self, path: &Path) -> Result<(), BaselineError> {
        let mut tidy = self.clone();
        tidy.runs = tidy.runs.into_iter().map(StoredRun::rounded).collect();
        tidy.tidy();
        if tidy.runs.is_empty() {
            return Err(BaselineError::Empty { path: path.to_owned(), group: self.group.clone() });
        }
        Ok(write_whole(path, text(&tidy).as_bytes())?)
    }
}

/// The folder of all baselines: a folder a name, and in it a file a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaselineStore {
    /// `baselines/` of the package.
    pub root: PathBuf,
}

const ENDING: &str = "json";

impl BaselineStore {
    /// The store in a folder, which need not be there yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The file of a group's baseline.
    pub fn path(&self, name: &str, group: &str) -> PathBuf {
        self.root.join(file_name(name)).join(format!("{}.{ENDING}", file_name(group)))
    }

    /// A group's baseline; nothing when there is none.
    ///
    /// # Errors
    /// As [`Baseline::read`], and when the file is of another group.
    pub fn read(&self, name: &str, group: &str) -> Result<Option<Baseline>, BaselineError> {
        let path = self.path(name, group);
        match Baseline::read(&path)? {
            Some(baseline) if baseline.group != group => {
                Err(BaselineError::OtherGroup { path, found: baseline.group, wanted: group.to_owned() })
            }
            other => Ok(other),
        }
    }

    /// The names of all baselines, sorted; none when the folder is not there.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn names(&self) -> Result<Vec<String>, BaselineError> {
        let mut names = Vec::new();
        for folder in listed(&self.root)?.into_iter().filter(|path| path.is_dir()) {
            if !files(&folder)?.is_empty() {
                let encoded = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
                names.push(name_of(&encoded).unwrap_or(encoded));
            }
        }
        names.sort();
        Ok(names)
    }

    /// The groups of a baseline, sorted; none when there is no such baseline.
    ///
    /// # Errors
    /// When the folder cannot be listed, or a file whose name was too long to tell the group cannot be read.
    pub fn groups(&self, name: &str) -> Result<Vec<String>, BaselineError> {
        let mut groups = Vec::new();
        for path in files(&self.root.join(file_name(name)))? {
            let encoded = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            match name_of(&encoded) {
                Some(group) => groups.push(group),
                None => groups.extend(Baseline::read(&path)?.map(|baseline| baseline.group)),
            }
        }
        groups.sort();
        Ok(groups)
    }

    /// Removes a baseline with all its groups. Other files in its folder stay, and the folder with them.
    ///
    /// # Errors
    /// When there is no such baseline, or a file cannot be removed.
    pub fn drop(&self, name: &str) -> Result<(), BaselineError> {
        let folder = self.root.join(file_name(name));
        let files = files(&folder)?;
        if files.is_empty() {
            return Err(BaselineError::Absent { name: name.to_owned(), root: self.root.clone() });
        }
        for path in files {
            fs::remove_file(&path).map_err(|source| BaselineError::Reach { path, source })?;
        }
        match fs::remove_dir(&folder) {
            Err(source) if source.kind() != ErrorKind::DirectoryNotEmpty => {
                Err(BaselineError::Reach { path: folder, source })
            }
            _ => Ok(()),
        }
    }
}

/// The baseline files in a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>, BaselineError> {
    let is_baseline =
        |path: &PathBuf| path.extension().is_some_and(|ending| ending == ENDING) && path.is_file();
    Ok(listed(folder)?.into_iter().filter(is_baseline).collect())
}

/// What is in a folder; nothing when it is not there.
fn listed(folder: &Path) -> Result<Vec<PathBuf>, BaselineError> {
    let reach = |source| BaselineError::Reach { path: folder.to_owned(), source };
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry.map_err(reach)?.path())).collect(),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(reach(source)),
    }
}

#[cfg(test)]
mod tests;
