//! Whole files or none: what is kept on disk is written beside its place and then renamed into it.
//!
//! Bytes come in, a file stands at its path. Whoever reads meanwhile sees the old file or the new one, never half of one,
//! also when two processes write the same file, the disk is full or this process is killed.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use nix::sys::signal::{SigSet, Signal};

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
    #[error("{} cannot be written: the disk is full or a limit on files is reached ({source}); free some space and try again. Nothing was changed", path.display())]
    Full {
        /// What was to be written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// This user may not write there.
    #[error("{} cannot be written: this user may not write there ({source}); change the folder's permissions or choose another one", path.display())]
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::env;
    use std::process::Command;

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
                "ulimit -f 8 && exec \"$0\" --exact record::atomic::tests::child_writes_beyond_its_limit",
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
}
