//! Which file is run, and that it is the same file for the whole run.
//!
//! A run starts its service many times over minutes, in which people build. A binary that is named by a path is therefore
//! pinned before the first launch: copied under a name of its own, and removed in the end.
//!
//! **Why a copy and not a hard link.** Cargo unlinks an artifact before it builds the next one, and a link would keep the
//! old content; but `cp`, some linkers and other build tools write into the file that is there, and a link's content would
//! change with it. The copy costs one pass over the file (nothing where the file system shares blocks). Where it fails (a
//! full disk, a binary that may be run but not read) a link is made, and where that fails too the file is run where it is.
//!
//! **Where the copy lies.** In the folder of the original, as `NAME.plimsoll-PID-N`, so that a service that looks for
//! files or libraries beside its own executable finds them; only if that folder cannot be written, in the scratch folder.
//! `argv[0]` is the path of the original. A service that starts itself anew by `argv[0]` gets the original.
//!
//! **What is run where it is**, since a copy of it would be something else: a script (it finds its files by `$0`, and what it
//! starts is not pinned anyway), a symbolic link (virtual environments and package managers lead elsewhere by them) and
//! a program of PATH (installed, not built). These are compared before each launch with what they were: a change in mid-run
//! is an error, never a mixture of two services.

use std::cell::OnceCell;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::Pid;
use sha2::{Digest, Sha256};

use super::error::ServiceError;
use crate::hex::hex;

/// Between a program's name and the process that pinned it.
const PIN_MARK: &str = ".plimsoll-";
/// Bytes of a digest that are kept: enough to tell builds apart.
const DIGEST_BYTES: usize = 8;

/// The file of a service, the same in each launch.
#[derive(Debug)]
pub(crate) struct Program {
    named: PathBuf,
    pin: Option<Pin>,
    /// Taken when it is first asked for, unless the file itself is run: a whole file is read for it.
    digest: OnceCell<Option<String>>,
    state: Option<FileState>,
}

impl Program {
    /// Finds the program (a path relative to `root`, a bare name in `search_path`) and pins it.
    pub(crate) fn prepare(
        program: &str,
        root: &Path,
        search_path: &OsStr,
        scratch: &Path,
    ) -> Result<Self, ServiceError> {
        let by_path = program.contains('/');
        let named = if by_path { at_path(program, root)? } else { on_path(program, root, search_path)? };
        let pin = if by_path && is_binary(&named) { Pin::of(&named, scratch) } else { None };
        let runs = pin.as_ref().map_or(&*named, |pin| &*pin.0);
        let state = FileState::of(runs).ok();
        let digest = if pin.is_some() { OnceCell::new() } else { OnceCell::from(digest(runs).ok()) };
        Ok(Self { named, pin, digest, state })
    }

    /// The file to run.
    pub(crate) fn file(&self) -> &Path {
        self.pin.as_ref().map_or(&*self.named, |pin| &*pin.0)
    }

    /// What the service sees as `argv[0]`.
    pub(crate) fn name(&self) -> &Path {
        &self.named
    }

    /// The beginning of the SHA-256 of what is run, unless it may not be read.
    pub(crate) fn digest(&self) -> Option<&str> {
        self.digest.get_or_init(|| digest(self.file()).ok()).as_deref()
    }

    /// Whether it is still what it was when the run began.
    pub(crate) fn check(&self) -> Result<(), ServiceError> {
        let path = self.file();
        let state = FileState::of(path).map_err(|_| missing(&self.named.to_string_lossy(), path))?;
        if Some(state) == self.state
            || self.digest.get().is_some_and(|known| known.is_some() && digest(path).ok() == *known)
        {
            return Ok(());
        }
        Err(ServiceError::Changed { path: self.named.clone() })
    }
}

/// A copy or a link of a program, removed with this value.
#[derive(Debug)]
struct Pin(PathBuf);

impl Pin {
    fn of(program: &Path, scratch: &Path) -> Option<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let mut name = program.file_name()?.to_owned();
        // Of one length for all pins of this process.
        name.push(format!("{PIN_MARK}{}-{:06}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
        let scratch = fs::create_dir_all(scratch).is_ok().then_some(scratch);
        let folders: Vec<&Path> = [Some(program.parent()?), scratch].into_iter().flatten().collect();
        folders.iter().for_each(|folder| remove_stale(folder));
        let make: [fn(&Path, &Path) -> io::Result<()>; 2] =
            [|from, to| fs::copy(from, to).map(drop), |from, to| fs::hard_link(from, to)];
        // A limit on the size of files (`ulimit -f`) is then an error of the copy and does not kill this process.
        _ = SigSet::from(Signal::SIGXFSZ).thread_block();
        for make in make {
            for folder in &folders {
                // Removed again if it is but half made.
                let pin = Self(folder.join(&name));
                // Left by an earlier process of our id.
                _ = fs::remove_file(&pin.0);
                if make(program, &pin.0).is_ok() {
                    return Some(pin);
                }
            }
        }
        None
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        // Also after half a copy; there may be nothing.
        _ = fs::remove_file(&self.0);
    }
}

/// Removes what runs that were killed have left in a folder.
fn remove_stale(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if pinned_by(&entry.file_name()).is_some_and(|pid| !is_alive(pid)) {
            _ = fs::remove_file(entry.path());
        }
    }
}

/// The process that made a pin of this name.
fn pinned_by(name: &OsStr) -> Option<i32> {
    let (_, owner) = name.to_str()?.rsplit_once(PIN_MARK)?;
    let (pid, count) = owner.split_once('-')?;
    count.parse::<u64>().ok()?;
    pid.parse().ok().filter(|pid| *pid > 0)
}

fn is_alive(pid: i32) -> bool {
    kill(Pid::from_raw(pid), None) != Err(Errno::ESRCH)
}

/// What changes with a file's content, without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileState {
    inode: (u64, u64),
    len: u64,
    modified: (i64, i64),
}

impl FileState {
    fn of(path: &Path) -> io::Result<Self> {
        let meta = fs::metadata(path)?;
        Ok(Self {
            inode: (meta.dev(), meta.ino()),
            len: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
        })
    }
}

fn digest(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 256 * 1024];
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        hash.update(&chunk[..read]);
    }
    Ok(hex(&hash.finalize(), DIGEST_BYTES))
}

/// Whether it is a file of its own (no symbolic link) that the kernel runs without an interpreter's help.
fn is_binary(path: &Path) -> bool {
    let mut start = [0; 2];
    let own = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file());
    match File::open(path).and_then(|mut file| file.read_exact(&mut start)) {
        Ok(()) => own && start != *b"#!",
        Err(_) => own,
    }
}

fn at_path(program: &str, root: &Path) -> Result<PathBuf, ServiceError> {
    let path = std::path::absolute(root.join(program)).unwrap_or_else(|_| root.join(program));
    if !path.exists() {
        return Err(missing(program, &path));
    }
    if is_executable(&path) { Ok(path) } else { Err(ServiceError::NotExecutable { path }) }
}

fn missing(program: &str, path: &Path) -> ServiceError {
    ServiceError::NotFound { program: program.to_owned(), place: format!("at {}", path.display()) }
}

fn on_path(program: &str, root: &Path, search_path: &OsStr) -> Result<PathBuf, ServiceError> {
    let found = std::env::split_paths(search_path)
        .map(|folder| root.join(folder).join(program))
        .find(|path| !program.is_empty() && is_executable(path));
    found.ok_or_else(|| ServiceError::NotFound {
        program: program.to_owned(),
        place: format!(
            "in any folder of PATH (a program of the package needs a path, such as `./{program}`)"
        ),
    })
}

fn is_executable(path: &Path) -> bool {
    const ANYBODY_MAY_RUN: u32 = 0o111;
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & ANYBODY_MAY_RUN != 0)
}

/// The search path of this process.
pub(crate) fn own_search_path() -> OsString {
    std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A copy of `true`, as a binary that somebody has built.
    fn built(folder: &Path) -> PathBuf {
        let path = folder.join("server");
        fs::copy(fs::canonicalize(on_path("true", folder, &own_search_path()).unwrap()).unwrap(), &path)
            .unwrap();
        path
    }

    fn prepared(program: &str, root: &Path) -> Result<Program, ServiceError> {
        Program::prepare(program, root, &own_search_path(), &root.join("scratch"))
    }

    #[test]
    fn a_rebuild_in_mid_run_changes_nothing_whether_it_replaces_the_file_or_writes_into_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = built(folder.path());
        let program = prepared("./server", folder.path()).unwrap();
        let before = fs::read(program.file()).unwrap();
        fs::write(&path, "written into the same file").unwrap();
        assert_eq!(fs::read(program.file()).unwrap(), before);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "a new file").unwrap();
        assert_eq!(fs::read(program.file()).unwrap(), before);
        assert!(program.check().is_ok());
        assert_eq!(program.digest().unwrap().len(), 2 * DIGEST_BYTES);
        assert_eq!(program.name(), path);
        let pin = program.file().to_owned();
        assert_eq!(pin.parent(), path.parent());
        drop(program);
        assert!(!pin.exists());
    }

    #[test]
    fn a_script_is_run_where_it_is_and_its_change_in_mid_run_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("start.sh");
        fs::write(&path, "#!/bin/sh\nexit 0\n").unwrap();
        assert!(matches!(prepared("./start.sh", folder.path()), Err(ServiceError::NotExecutable { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let program = prepared("./start.sh", folder.path()).unwrap();
        assert_eq!(program.file(), path);
        fs::write(&path, "#!/bin/sh\nexit 0\n").unwrap();
        assert!(program.check().is_ok(), "saved anew, but the same");
        fs::write(&path, "#!/bin/sh\nexit 1\n").unwrap();
        assert!(matches!(program.check(), Err(ServiceError::Changed { .. })));
        fs::remove_file(&path).unwrap();
        assert!(matches!(program.check(), Err(ServiceError::NotFound { .. })));
    }

    #[test]
    fn what_killed_runs_left_is_removed_and_what_living_ones_use_is_not() {
        let folder = tempfile::tempdir().unwrap();
        built(folder.path());
        let mut dead = std::process::Command::new("true").spawn().unwrap();
        dead.wait().unwrap();
        let stale = folder.path().join(format!("old{PIN_MARK}{}-0", dead.id()));
        let used = folder.path().join(format!("old{PIN_MARK}{}-0", std::os::unix::process::parent_id()));
        let other = folder.path().join(format!("notes{PIN_MARK}txt"));
        for path in [&stale, &used, &other] {
            fs::write(path, "").unwrap();
        }
        let _program = prepared("./server", folder.path()).unwrap();
        assert!(!stale.exists() && used.exists() && other.exists());
    }

    #[test]
    fn a_program_that_is_not_there_is_named_with_the_place_where_it_was_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        let text = prepared("./nowhere", folder.path()).unwrap_err().to_string();
        assert!(text.contains(&folder.path().join("nowhere").display().to_string()), "{text}");
        let text = prepared("no-such-program", folder.path()).unwrap_err().to_string();
        assert!(text.contains("PATH") && text.contains("./no-such-program"), "{text}");
        assert!(prepared("", folder.path()).is_err());
    }

    #[test]
    fn a_program_of_path_is_run_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let program = prepared("true", folder.path()).unwrap();
        assert_eq!(program.file(), program.name());
        assert!(program.digest().is_some());
    }
}
