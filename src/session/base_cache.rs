//! The folder in which bases are kept: locked while one is built, and cleared of what nobody has asked for in a month.
//!
//! Each repository has a folder of its own there, by a digest of its path; in it lie the lock, the build folder and a folder for
//! each base, by its key. When each was last used its time of modification tells.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::hex::hex;
use crate::measure::Interrupt;

/// How often it is tried whether another bench has built its base.
const LOCK_POLL: Duration = Duration::from_millis(50);

/// What was not used for so long is removed when something else is built.
const KEPT_UNUSED: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Bytes of a digest that names a folder.
const NAME_BYTES: usize = 8;
/// The lock of a repository's folder, within it.
const LOCK: &str = "lock";

/// A folder's name by a digest.
pub(super) fn name(digest: &[u8]) -> String {
    hex(digest, NAME_BYTES)
}

/// Makes a repository's folder and locks it until the file is dropped: two benches at once would build in one worktree.
///
/// # Errors
/// When files fail, or a signal comes while another bench has it.
pub(super) fn locked(folder: &Path, ears: &Interrupt) -> io::Result<File> {
    let path = folder.join(LOCK);
    loop {
        fs::create_dir_all(folder)?;
        let lock = File::create(&path)?;
        while let Err(why) = lock.try_lock() {
            match why {
                TryLockError::WouldBlock if ears.signalled().is_none() => std::thread::sleep(LOCK_POLL),
                other => return Err(other.into()),
            }
        }
        // Another process may have removed the folder in the meantime.
        let own = lock.metadata()?.ino();
        if fs::metadata(&path).is_ok_and(|there| there.ino() == own) {
            used(&path);
            return Ok(lock);
        }
    }
}

/// Notes that a file or folder was used now.
pub(super) fn used(path: &Path) {
    // Whose time cannot be set is built anew when it is removed too early.
    _ = File::open(path).and_then(|file| file.set_modified(SystemTime::now()));
}

/// Removes bases of a locked repository, and whole other repositories, that were not used for long; never what is locked.
pub(super) fn prune(folder: &Path, now: SystemTime) {
    let is_old = |path: &Path| {
        let modified = fs::metadata(path).and_then(|meta| meta.modified());
        modified.is_ok_and(|at| now.duration_since(at).is_ok_and(|unused| unused > KEPT_UNUSED))
    };
    // What cannot be removed now can be so another time: no bench fails for it.
    for base in digests_in(folder).filter(|base| is_old(base)) {
        _ = fs::remove_dir_all(base);
    }
    let others = folder.parent().into_iter().flat_map(digests_in).filter(|other| other != folder);
    for other in others.filter(|other| is_old(&other.join(LOCK))) {
        let Ok(lock) = File::open(other.join(LOCK)) else { continue };
        if lock.try_lock().is_ok() && is_old(&other.join(LOCK)) {
            _ = fs::remove_dir_all(&other);
        }
    }
}

/// The folders whose name is a digest.
fn digests_in(folder: &Path) -> impl Iterator<Item = std::path::PathBuf> {
    let is_digest = |name: &str| {
        name.len() == 2 * NAME_BYTES && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter(move |entry| entry.file_name().to_str().is_some_and(is_digest))
        .map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    /// Sets when a path was last used.
    fn age(path: &Path, days: u32) {
        File::open(path).unwrap().set_modified(SystemTime::now() - days * DAY).unwrap();
    }

    /// A folder with a file in it, and how long it is unused.
    fn base(repository: &Path, name: &str, days: u32) -> PathBuf {
        let folder = repository.join(name);
        fs::create_dir_all(folder.join("release")).unwrap();
        fs::write(folder.join("release/api"), "program").unwrap();
        age(&folder, days);
        folder
    }

    #[test]
    fn a_base_that_was_not_used_for_a_month_goes_and_the_others_and_the_build_folder_stay() {
        let cache = tempfile::tempdir().unwrap();
        let own = cache.path().join(name(&[1; 32]));
        let _lock = locked(&own, &crate::measure::listen().unwrap()).unwrap();
        let [old, young] = [31, 29].map(|days| base(&own, &name(&[days; 32]), days.into()));
        let target = base(&own, "target", 99);
        let again = base(&own, &name(&[3; 32]), 31);
        used(&again);
        prune(&own, SystemTime::now());
        assert!(!old.exists());
        assert!([young, target, again].iter().all(|kept| kept.join("release/api").is_file()));
    }

    #[test]
    fn another_repository_that_was_not_used_for_a_month_goes_unless_it_is_locked() {
        let cache = tempfile::tempdir().unwrap();
        let repository = |byte: u8, days: u32| {
            let folder = cache.path().join(name(&[byte; 32]));
            let lock = locked(&folder, &crate::measure::listen().unwrap()).unwrap();
            base(&folder, &name(&[9; 32]), days);
            age(&folder.join(LOCK), days);
            (folder, lock)
        };
        let (own, _lock) = repository(1, 0);
        let (old, lock) = repository(2, 31);
        drop(lock);
        let (busy, _busy) = repository(3, 31);
        let (young, lock) = repository(4, 29);
        drop(lock);
        let foreign = base(cache.path(), "somebody", 99);
        let no_lock = base(cache.path(), &name(&[5; 32]), 99);
        prune(&own, SystemTime::now());
        assert!(!old.exists());
        assert!([own, busy, young, foreign, no_lock].iter().all(|kept| kept.exists()));
    }
}
