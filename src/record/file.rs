//! Files of runs: `run.json` next to a report, and each run of a baseline. A file is written whole or not at all.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use nix::sys::signal::{SigSet, Signal};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::ser::{Formatter, Serializer};
use sha2::{Digest, Sha256};

use crate::hex::hex;

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

impl FileError {
    pub(crate) fn malformed(path: &Path, why: impl ToString) -> Self {
        Self::Malformed { path: path.to_owned(), why: why.to_string() }
    }
}

fn advice(found: u64) -> &'static str {
    if found > SCHEMA { "update plimsoll, or measure again" } else { "measure again" }
}

#[derive(Serialize)]
struct Versioned<T> {
    schema: u64,
    #[serde(flatten)]
    contents: T,
}

#[derive(Deserialize)]
struct Probe {
    schema: Option<u64>,
}

/// Reads a file, its schema first. Fields that this version does not know are ignored.
///
/// # Errors
/// If the file cannot be read, is damaged, or has another schema.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<T, FileError> {
    let bytes = fs::read(path).map_err(|source| FileError::Read { path: path.to_owned(), source })?;
    let malformed = |error: serde_json::Error| FileError::malformed(path, error);
    let probe: Probe = serde_json::from_slice(&bytes).map_err(malformed)?;
    match probe.schema {
        Some(SCHEMA) => serde_json::from_slice(&bytes).map_err(malformed),
        Some(found) => Err(FileError::OtherSchema { path: path.to_owned(), found }),
        None => Err(FileError::NoSchema { path: path.to_owned() }),
    }
}

/// Writes a file with its schema, whole or not at all.
///
/// # Errors
/// If the file cannot be written; then nothing has changed.
pub(crate) fn write(path: &Path, contents: &impl Serialize) -> Result<(), FileError> {
    let mut text = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut text, Layout::default());
    let versioned = Versioned { schema: SCHEMA, contents };
    versioned.serialize(&mut serializer).map_err(|error| FileError::malformed(path, error))?;
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

/// Why a file could not be written. What stood at its path before still stands there.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A file stands where a folder is needed.
    #[error("{} cannot be written: {} is a file where a folder is needed; move it away", path.display(), file.display())]
    FolderIsFile {
        /// What was to be written.
        path: PathBuf,
        /// The file that is in the way.
        file: PathBuf,
    },
    /// A folder stands where the file is to go.
    #[error("{} cannot be written: it is a folder; move it away", path.display())]
    IsFolder {
        /// What was to be written.
        path: PathBuf,
    },
    /// No space is left, or a quota or a limit on the size of files is reached.
    #[error("{} cannot be written: the disk is full, or a quota or file-size limit was reached ({source}); free some space and try again; nothing was changed", path.display())]
    Full {
        /// What was to be written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// This user may not write there.
    #[error("{} cannot be written: no write permission ({source}); change the folder's permissions or choose another one", path.display())]
    Permission {
        /// What was to be written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Anything else.
    #[error("{} cannot be written: {source}", path.display())]
    Other {
        /// What was to be written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Writes a whole file, making the folders above it: a temporary file in the same folder, synced and renamed.
///
/// From the first call on, `SIGXFSZ` stays blocked in the calling thread: a limit on the size of files (`ulimit -f`) is
/// then an error like a full disk and does not kill the process.
///
/// # Errors
/// When a folder cannot be made or the file cannot be written; then nothing has changed and nothing is left over.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), WriteError> {
    if path.is_dir() {
        return Err(WriteError::IsFolder { path: path.to_owned() });
    }
    write_and_rename(path, bytes).map_err(|error| explain(path, error))
}

fn write_and_rename(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    // Blocking is thread-wide and safe; ignoring would be process-wide and need `unsafe`.
    SigSet::from(Signal::SIGXFSZ).thread_block()?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".plimsoll-").suffix(".tmp");
    // A temporary file is private by default; a baseline or a page is for others too. The umask still applies.
    let everyone = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666);
    let mut file = builder.permissions(everyone).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|failed| failed.error)?;
    Ok(())
}

/// What went wrong, in words that say what to do.
fn explain(path: &Path, source: io::Error) -> WriteError {
    use io::ErrorKind::{FileTooLarge, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let path = path.to_owned();
    if let Some(file) = path.ancestors().skip(1).find(|above| above.exists() && !above.is_dir()) {
        let file = file.to_owned();
        return WriteError::FolderIsFile { path, file };
    }
    match source.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => WriteError::Full { path, source },
        PermissionDenied | ReadOnlyFilesystem => WriteError::Permission { path, source },
        _ => WriteError::Other { path, source },
    }
}

/// Precedes the two hex digits of an encoded byte. Unlike `%` it needs no escape in a link.
const ESCAPE: char = '=';
/// Separates the start of a long name from its digest. `-` is not a hex digit, so that this is never read as an encoded byte.
const CUT: &str = "=-";
/// The longest name that is encoded whole: file systems allow 255 bytes, and an ending and a temporary file's name are added.
const LONGEST: usize = 180;
/// Bytes of a long name's digest.
const DIGEST_BYTES: usize = 8;

/// A name as the name of a file, without an ending.
///
/// Lower-case letters, digits, `_`, `-` and inner dots stay. Every other byte becomes `=` and two hex digits, capital letters too,
/// because some file systems ignore case. Very long names are cut and get a digest.
pub fn file_name(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for (index, byte) in name.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => encoded.push(char::from(byte)),
            b'.' if index > 0 => encoded.push('.'),
            _ => encoded.push_str(&format!("{ESCAPE}{byte:02x}")),
        }
    }
    if encoded.is_empty() {
        return ESCAPE.to_string();
    }
    if encoded.len() > LONGEST {
        let hash = Sha256::digest(name.as_bytes());
        let digest = hex(&hash, DIGEST_BYTES);
        encoded.truncate(LONGEST - CUT.len() - digest.len());
        encoded = format!("{encoded}{CUT}{digest}");
    }
    encoded
}

/// The name that [`file_name`] encoded; `None` if it was cut or encoded otherwise.
pub(crate) fn name_of(encoded: &str) -> Option<String> {
    if encoded == ESCAPE.to_string() {
        return Some(String::new());
    }
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        if character == ESCAPE {
            let digits = rest.get(..2)?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.extend(character.to_string().as_bytes());
        }
    }
    String::from_utf8(bytes).ok().filter(|name| file_name(name) == encoded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::env;
    use std::process::Command;

    #[test]
    fn objects_have_a_line_for_each_field_and_arrays_one_line() {
        let mut text = Vec::new();
        let value = serde_json::json!({"a": [1, 2], "b": {"c": []}, "d": [{"e": null}]});
        value.serialize(&mut Serializer::with_formatter(&mut text, Layout::default())).unwrap();
        let expected =
            "{\n  \"a\": [1,2],\n  \"b\": {\n    \"c\": []\n  },\n  \"d\": [{\n      \"e\": null\n    }]\n}";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    const LIMITED: &str = "PLIMSOLL_TEST_LIMITED_FOLDER";

    fn entries(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn folders_are_made_and_an_old_file_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/c.json");
        write_whole(&path, b"old").unwrap();
        write_whole(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(entries(path.parent().unwrap()), ["c.json"]);
    }

    #[test]
    fn a_file_where_a_folder_goes_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let reports = folder.path().join("reports");
        fs::write(&reports, "mine").unwrap();
        let error = write_whole(&reports.join("suite/run.json"), b"{}").unwrap_err();
        assert!(matches!(&error, WriteError::FolderIsFile { file, .. } if *file == reports), "{error}");
        assert_eq!(fs::read(&reports).unwrap(), b"mine");
    }

    #[test]
    fn a_folder_where_the_file_goes_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("run.json")).unwrap();
        let error = write_whole(&folder.path().join("run.json"), b"{}").unwrap_err();
        assert!(matches!(error, WriteError::IsFolder { .. }));
        assert_eq!(entries(folder.path()), ["run.json"]);
    }

    #[test]
    fn a_full_disk_and_a_lack_of_permission_say_what_to_do() {
        let words = |kind: io::ErrorKind| explain(Path::new("/x"), io::Error::from(kind)).to_string();
        assert!(words(io::ErrorKind::StorageFull).contains("free some space"));
        assert!(words(io::ErrorKind::PermissionDenied).contains("permissions"));
        assert!(words(io::ErrorKind::TimedOut).starts_with("/x cannot be written"));
    }

    /// The child of the test below: it runs alone, in a process with a limit on the size of files.
    #[test]
    fn child_writes_beyond_its_limit() {
        let Some(folder) = env::var_os(LIMITED).map(PathBuf::from) else { return };
        let error = write_whole(&folder.join("kept.json"), &[b'x'; 1 << 20]).unwrap_err();
        assert!(matches!(error, WriteError::Full { .. }), "{error}");
        write_whole(&folder.join("small.json"), b"fits").unwrap();
    }

    #[test]
    fn a_limit_on_files_is_an_error_and_leaves_the_old_file_whole() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("kept.json"), "old").unwrap();
        let child = Command::new("sh")
            .args([
                "-c",
                "ulimit -f 8 && exec \"$0\" --exact record::file::tests::child_writes_beyond_its_limit",
            ])
            .arg(env::current_exe().unwrap())
            .env(LIMITED, folder.path())
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
        assert_eq!(fs::read(folder.path().join("kept.json")).unwrap(), b"old");
        assert_eq!(
            entries(folder.path()),
            ["kept.json", "small.json"],
            "the child has run, and nothing is left over"
        );
    }

    #[test]
    fn names_come_back_and_never_meet() {
        let names = [
            "", "a", "A", "a/b", "a=2fb", "..", "...", ".a", "a.", "ü", "東京", "=", "=-", "a b", "a\0b",
            "a\nb", "con%",
        ];
        let mut seen = BTreeSet::new();
        for name in names {
            let file = file_name(name);
            assert_eq!(name_of(&file).as_deref(), Some(name), "{file}");
            assert!(!file.starts_with('.') && !file.contains('/'), "{file}");
            assert!(seen.insert(file.to_lowercase()), "{file} is there twice");
        }
    }

    #[test]
    fn long_names_fit_and_stay_apart() {
        let (one, other) = ("東".repeat(200), format!("{}x", "東".repeat(199)));
        assert_ne!(file_name(&one), file_name(&other));
        for name in [&one, &other] {
            assert!(file_name(name).len() <= LONGEST);
            assert_eq!(name_of(&file_name(name)), None);
        }
        assert_eq!(name_of(&file_name(&"a".repeat(LONGEST))), Some("a".repeat(LONGEST)));
    }

    #[test]
    fn what_it_did_not_make_is_no_name() {
        for file in ["A", "=2", "=zz", "=+1", "=2F", ".git", "=61"] {
            assert_eq!(name_of(file), None, "{file}");
        }
    }
}
