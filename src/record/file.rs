//! Files of runs: `run.json` next to a report, and each run of a baseline. They are read with suspicion and written whole.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::ser::{Formatter, Serializer};

use crate::record::atomic::{WriteError, write_whole};
use crate::record::run::Run;

/// The layout that this version writes and reads.
const SCHEMA: u64 = 2;

/// Why a file of runs could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system could not read, list or remove it.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is truncated, not JSON of the expected form, or contradicts itself.
    #[error("{} is damaged: {why}; restore it from git, or measure again", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        why: String,
    },
    /// Another version wrote it.
    #[error("{} has schema {found}, but this plimsoll reads schema {SCHEMA}: {}", path.display(), advice(*found))]
    OtherSchema {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u64,
    },
    /// It is something else.
    #[error("{} is not a file of runs: it has no `schema`; use the `run.json` of a report", path.display())]
    NoSchema {
        /// The file.
        path: PathBuf,
    },
    /// It could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

fn advice(found: u64) -> &'static str {
    if found > SCHEMA { "update plimsoll, or measure again" } else { "measure again" }
}

#[derive(Deserialize)]
struct Probe {
    schema: Option<u64>,
}

#[derive(Deserialize)]
struct Contents {
    runs: Vec<Run>,
}

#[derive(Serialize)]
struct Borrowed<'a> {
    schema: u64,
    runs: &'a [Run],
}

/// Reads the runs of a file. Fields that this version does not know are ignored.
///
/// # Errors
/// When the file cannot be read, is damaged, or has another schema.
pub fn read_runs(path: &Path) -> Result<Vec<Run>, FileError> {
    let bytes = fs::read(path).map_err(|source| FileError::Read { path: path.to_owned(), source })?;
    let malformed = |why: String| FileError::Malformed { path: path.to_owned(), why };
    let probe: Probe = serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
    match probe.schema {
        Some(SCHEMA) => {}
        Some(found) => return Err(FileError::OtherSchema { path: path.to_owned(), found }),
        None => return Err(FileError::NoSchema { path: path.to_owned() }),
    }
    let contents: Contents = serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
    match contents.runs.iter().find_map(Run::problem) {
        Some(problem) => Err(malformed(problem)),
        None => Ok(contents.runs),
    }
}

/// Writes runs, whole or not at all.
///
/// # Errors
/// When the file cannot be written; then nothing has changed.
pub fn write_runs(path: &Path, runs: &[Run]) -> Result<(), FileError> {
    let mut text = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut text, Layout::default());
    Borrowed { schema: SCHEMA, runs }
        .serialize(&mut serializer)
        .map_err(|error| FileError::Malformed { path: path.to_owned(), why: error.to_string() })?;
    text.push(b'\n');
    Ok(write_whole(path, &text)?)
}

/// Lays JSON out so that people can read it and git can compare it: a line for each field, and one line for an array of numbers or text.
#[derive(Default)]
struct Layout {
    /// For each open bracket, whether something in it has its own line.
    open: Vec<bool>,
}

impl Layout {
    fn new_line<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        if let Some(has_lines) = self.open.last_mut() {
            *has_lines = true;
        }
        writer.write_all(b"\n")?;
        self.open.iter().try_for_each(|_| writer.write_all(b"  "))
    }

    fn close<W: ?Sized + Write>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        if self.open.pop() == Some(true) {
            writer.write_all(b"\n")?;
            self.open.iter().try_for_each(|_| writer.write_all(b"  "))?;
        }
        writer.write_all(bracket)
    }
}

impl Formatter for Layout {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open.push(false);
        writer.write_all(b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b",") }
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open.push(false);
        writer.write_all(b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        self.new_line(writer)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn objects_have_a_line_for_each_field_and_arrays_one_line() {
        let mut text = Vec::new();
        let value = serde_json::json!({"a": [1, 2], "b": {"c": []}, "d": [{"e": null}]});
        value.serialize(&mut Serializer::with_formatter(&mut text, Layout::default())).unwrap();
        let expected =
            "{\n  \"a\": [1,2],\n  \"b\": {\n    \"c\": []\n  },\n  \"d\": [{\n      \"e\": null\n    }]\n}";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }
}
