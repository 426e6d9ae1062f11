//! The service's program, which must be the same file in all launches of a run.
//!
//! A run starts its service many times over minutes, in which people build. A binary given by a path is therefore copied before the first
//! launch, and the copy is run.
//!
//! - **A copy, not a hard link.** Cargo unlinks a binary before it writes the next one, but `cp` and some linkers write into the existing
//!   file, which a link would share. On file systems that share blocks the copy costs nothing, elsewhere one pass over the file.
//! - **Next to the original**, as `NAME.plimsoll-XXXXXX`: a service may look for libraries (`$ORIGIN`, a .NET host) or files next to
//!   its executable, and the folder of a build allows execution, which a temporary folder may not. `argv[0]` is the original.
//! - **Removed at the end**, and by a watchdog if plimsoll is killed. Only a crash of the machine leaves a copy behind.
//!
//! Other programs are run in place: scripts (they find their files by `$0`), symbolic links (virtual environments and package managers
//! depend on them), programs found in PATH (installed, not built), and binaries that cannot be copied (unreadable, in a folder without
//! write permission, or the disk is full). They are checked before each launch, and a change during the run is an error.

use std::cell::OnceCell;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::sys::signal::{SigSet, Signal};
use sha2::{Digest, Sha256};
use tempfile::TempPath;

use crate::hex::hex;
use crate::measure::process::Watchdog;

/// Bytes of a digest to keep. They distinguish builds.
const DIGEST_BYTES: usize = 8;

/// Why a program cannot be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramError {
    /// `place` is "at /x/y" or "in any folder of PATH".
    #[error("the program `{program}` was not found {place}: build it first, or correct its name")]
    NotFound { program: String, place: String },
    #[error("the program {} is not an executable file: try `chmod +x`", .0.display())]
    NotExecutable(PathBuf),
    #[error(
        "the program {} was changed during the run, so not all launches would be the same: measure again, and do \
         not change it until the run has ended",
        .0.display()
    )]
    Changed(PathBuf),
}

/// The program of a service.
#[derive(Debug)]
pub(crate) struct Program {
    /// The path that the service gets as `argv[0]`.
    pub(crate) original: PathBuf,
    /// `None` if it is run in place. The watchdog removes the copy if plimsoll is killed.
    copy: Option<(TempPath, Watchdog)>,
    /// The state of the executed file at the beginning of the run.
    state: Option<Metadata>,
    /// Of the executed file. Computed when it is needed, because the whole file is read.
    digest: OnceCell<Option<String>>,
}

impl Program {
    /// Finds the program (a path relative to `root`, or a bare name in `search_path`) and copies it if it is a binary.
    pub(crate) fn prepare(program: &str, root: &Path, search_path: &OsStr) -> Result<Self, ProgramError> {
        let has_path = program.contains('/');
        let original = if has_path { at_path(program, root)? } else { on_path(program, root, search_path)? };
        let copy = if has_path && is_binary(&original) { copy(&original).ok() } else { None };
        let mut prepared = Self { original, copy, state: None, digest: OnceCell::new() };
        prepared.state = fs::metadata(prepared.file()).ok();
        if prepared.copy.is_none() {
            // It may be gone when it is needed.
            prepared.digest();
        }
        Ok(prepared)
    }

    /// The file to execute.
    pub(crate) fn file(&self) -> &Path {
        self.copy.as_ref().map_or(&*self.original, |(copy, _)| copy)
    }

    /// The first digits of the SHA-256 of the executed file, `None` if it cannot be read.
    pub(crate) fn digest(&self) -> Option<&str> {
        self.digest.get_or_init(|| digest(self.file()).ok()).as_deref()
    }

    /// Checks that the executed file is the same as at the beginning of the run. A file that was only saved again is the same.
    pub(crate) fn check(&self) -> Result<(), ProgramError> {
        let path = self.file();
        let now = fs::metadata(path).map_err(|_| not_found(&self.original.to_string_lossy(), path))?;
        let key = |meta: &Metadata| (meta.dev(), meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec());
        let is_untouched = self.state.as_ref().is_some_and(|before| key(before) == key(&now));
        let known = || self.digest.get().and_then(Option::as_ref);
        if is_untouched || known().is_some_and(|known| digest(path).is_ok_and(|now| now == *known)) {
            return Ok(());
        }
        Err(ProgramError::Changed(self.original.clone()))
    }
}

/// Copies a program with its permissions into its own folder.
fn copy(program: &Path) -> io::Result<(TempPath, Watchdog)> {
    let (Some(folder), Some(name)) = (program.parent(), program.file_name()) else {
        return Err(io::ErrorKind::InvalidFilename.into());
    };
    let mut prefix = name.to_owned();
    prefix.push(".plimsoll-");
    let copy = tempfile::Builder::new().prefix(&prefix).tempfile_in(folder)?.into_temp_path();
    let watchdog = Watchdog::spawn(Some(&copy))?;
    // A limit on the size of files (`ulimit -f`) is then an error of the copy, and does not kill this process.
    _ = SigSet::from(Signal::SIGXFSZ).thread_block();
    fs::copy(program, &copy)?;
    Ok((copy, watchdog))
}

fn digest(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 256 * 1024];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hex(&hash.finalize(), DIGEST_BYTES)),
            read => hash.update(&chunk[..read]),
        }
    }
}

/// Whether it is a regular file (no symbolic link) that the kernel runs without an interpreter.
fn is_binary(path: &Path) -> bool {
    let mut start = [0; 2];
    let has_start = File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok();
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file()) && !(has_start && start == *b"#!")
}

fn at_path(program: &str, root: &Path) -> Result<PathBuf, ProgramError> {
    let path = std::path::absolute(root.join(program)).unwrap_or_else(|_| root.join(program));
    if !path.exists() {
        return Err(not_found(program, &path));
    }
    if is_executable(&path) { Ok(path) } else { Err(ProgramError::NotExecutable(path)) }
}

fn not_found(program: &str, path: &Path) -> ProgramError {
    ProgramError::NotFound { program: program.to_owned(), place: format!("at {}", path.display()) }
}

fn on_path(program: &str, root: &Path, search_path: &OsStr) -> Result<PathBuf, ProgramError> {
    let mut files = std::env::split_paths(search_path).map(|folder| root.join(folder).join(program));
    files.find(|path| !program.is_empty() && is_executable(path)).ok_or_else(|| ProgramError::NotFound {
        program: program.to_owned(),
        place: format!(
            "in any folder of PATH (a program of the package needs a path, such as `./{program}`)"
        ),
    })
}

fn is_executable(path: &Path) -> bool {
    const EXECUTABLE: u32 = 0o111;
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & EXECUTABLE != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEARCH_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

    /// A binary that somebody has built: a copy of `true`.
    fn build(folder: &Path) -> PathBuf {
        let path = folder.join("server");
        let installed = on_path("true", folder, SEARCH_PATH.as_ref()).unwrap();
        fs::copy(fs::canonicalize(installed).unwrap(), &path).unwrap();
        path
    }

    fn prepare(program: &str, root: &Path) -> Result<Program, ProgramError> {
        Program::prepare(program, root, SEARCH_PATH.as_ref())
    }

    #[test]
    fn a_build_during_the_run_changes_nothing_whether_it_replaces_the_file_or_writes_into_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = build(folder.path());
        let program = prepare("./server", folder.path()).unwrap();
        let before = fs::read(program.file()).unwrap();
        fs::write(&path, "written into the same file").unwrap();
        assert_eq!(fs::read(program.file()).unwrap(), before);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "a new file").unwrap();
        assert_eq!(fs::read(program.file()).unwrap(), before);
        assert!(program.check().is_ok());
        assert_eq!(program.digest().unwrap().len(), 2 * DIGEST_BYTES);
        assert_eq!(program.original, path);
    }

    #[test]
    fn a_copy_lies_next_to_its_original_with_its_permissions_and_is_removed_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = build(folder.path());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o751)).unwrap();
        let program = prepare("./server", folder.path()).unwrap();
        let copy = program.file().to_owned();
        assert_eq!(copy.parent(), path.parent());
        assert!(copy.to_string_lossy().contains("server.plimsoll-"));
        assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o751);
        let other = prepare("./server", folder.path()).unwrap();
        assert_eq!(other.file().as_os_str().len(), copy.as_os_str().len(), "both move the stack equally far");
        drop((program, other));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_binary_that_cannot_be_copied_is_run_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let long = "x".repeat(250);
        fs::rename(build(folder.path()), folder.path().join(&long)).unwrap();
        let program = prepare(&format!("./{long}"), folder.path()).unwrap();
        assert_eq!(program.file(), program.original);
        assert!(program.check().is_ok() && program.digest().is_some());
    }

    #[test]
    fn a_script_is_run_in_place_and_its_change_during_the_run_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("start.sh");
        fs::write(&path, "#!/bin/sh\nexit 0\n").unwrap();
        assert!(matches!(prepare("./start.sh", folder.path()), Err(ProgramError::NotExecutable(_))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let program = prepare("./start.sh", folder.path()).unwrap();
        assert_eq!(program.file(), path);
        fs::write(&path, "#!/bin/sh\nexit 0\n").unwrap();
        assert!(program.check().is_ok(), "saved again without a change");
        fs::write(&path, "#!/bin/sh\nexit 1\n").unwrap();
        assert!(matches!(program.check(), Err(ProgramError::Changed(_))));
        fs::remove_file(&path).unwrap();
        assert!(matches!(program.check(), Err(ProgramError::NotFound { .. })));
    }

    #[test]
    fn a_symbolic_link_is_run_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(build(folder.path()), &link).unwrap();
        assert_eq!(prepare("./link", folder.path()).unwrap().file(), link);
    }

    #[test]
    fn a_missing_program_is_reported_with_the_places_that_were_searched() {
        let folder = tempfile::tempdir().unwrap();
        let text = prepare("./nowhere", folder.path()).unwrap_err().to_string();
        assert!(text.contains(&folder.path().join("nowhere").display().to_string()), "{text}");
        let text = prepare("no-such-program", folder.path()).unwrap_err().to_string();
        assert!(text.contains("PATH") && text.contains("./no-such-program"), "{text}");
        assert!(prepare("", folder.path()).is_err());
    }

    #[test]
    fn a_program_of_path_is_run_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let program = prepare("true", folder.path()).unwrap();
        assert_eq!(program.file(), program.original);
        assert!(program.digest().is_some());
    }
}
