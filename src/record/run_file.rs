//! Runs on disk: `run.json` beside the report, and the previous run that a new one is shown against.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::record::atomic::{WriteError, write_whole};
use crate::record::file_name::file_name;
use crate::record::json_text::laid_out;
use crate::record::run::Run;
use crate::record::run_wire::{FileWire, RunWire};
use crate::record::wire::{SCHEMA, SchemaProbe};

/// Levels of a run file that stand in lines of their own: file, runs, run, cells, cell and rounds; a round is one line.
const BROKEN_LEVELS: usize = 6;

/// Why saved runs could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RunFileError {
    /// The file cannot be read.
    #[error("the runs in {} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is truncated, or no JSON of the expected form.
    #[error("the runs in {} are damaged ({why}); measure again", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        why: String,
    },
    /// A newer plimsoll wrote it.
    #[error("the runs in {} have schema {schema}, and this plimsoll reads schema {SCHEMA}; update plimsoll, or measure again", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        schema: u64,
    },
    /// It is a baseline, which knows less than a run.
    #[error("{} is a baseline and no saved run; give the `run.json` of a report, as in reports/NAME/run.json", path.display())]
    Baseline {
        /// The file.
        path: PathBuf,
    },
    /// It says no schema, or one that there never was.
    #[error("the file {} holds no runs: its `schema` is missing or unknown; give the `run.json` of a report", path.display())]
    NoSchema {
        /// The file.
        path: PathBuf,
    },
    /// It could not be written.
    #[error("the runs were not saved: {0}")]
    Write(#[from] WriteError),
}

/// `run.json`: one or more runs with everything that was measured.
#[derive(Debug)]
pub struct RunFile;

impl RunFile {
    /// Reads runs. Metrics and fields that this version does not know are passed over.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged, or is of another schema.
    pub fn read(path: &Path) -> Result<Vec<Run>, RunFileError> {
        let owned = || path.to_owned();
        let bytes = fs::read(path).map_err(|source| RunFileError::Read { path: owned(), source })?;
        let malformed = |why: String| RunFileError::Malformed { path: owned(), why };
        let probe: SchemaProbe =
            serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
        match probe.schema {
            Some(SCHEMA) => {}
            Some(schema) if schema > SCHEMA => return Err(RunFileError::Newer { path: owned(), schema }),
            _ => return Err(RunFileError::NoSchema { path: owned() }),
        }
        if probe.group.is_some() {
            return Err(RunFileError::Baseline { path: owned() });
        }
        let file: FileWire = serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
        file.runs.into_iter().map(|run| run.into_run().map_err(malformed)).collect()
    }

    /// Writes runs, whole or not at all.
    ///
    /// # Errors
    /// When the file cannot be written; then nothing has changed.
    pub fn write(path: &Path, runs: &[Run]) -> Result<(), RunFileError> {
        let file = FileWire { schema: SCHEMA, runs: runs.iter().map(RunWire::from).collect() };
        Ok(write_whole(path, (laid_out(&file, BROKEN_LEVELS) + "\n").as_bytes())?)
    }
}

/// The previous run of a bench, for "against the last run": a convenience that never fails a call by being damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastRun {
    path: PathBuf,
}

impl LastRun {
    /// The previous run of `bench` in a scratch folder (`target/plimsoll`): `last/<bench>.json`.
    pub fn of(scratch: &Path, bench: &str) -> Self {
        Self { path: scratch.join("last").join(format!("{}.json", file_name(bench))) }
    }

    /// What was measured then; nothing when there is none, or it cannot be read for whatever reason.
    pub fn read(&self) -> Option<Vec<Run>> {
        RunFile::read(&self.path).ok().filter(|runs| !runs.is_empty())
    }

    /// Replaces it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, runs: &[Run]) -> Result<(), RunFileError> {
        RunFile::write(&self.path, runs)
    }
}

#[cfg(test)]
mod tests;
