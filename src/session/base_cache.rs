//! The cache of `--base-ref`: a folder for each repository, locked while a bench uses it, and removed if none did for a month.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::hex::hex;
use crate::measure::Interrupt;

/// How often a lock that another bench holds is tried again.
const LOCK_POLL: Duration = Duration::from_millis(50);
/// Repositories that were not used for this long are removed.
const KEPT_UNUSED: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Bytes of a digest that names a folder.
const NAME_BYTES: usize = 8;
/// The lock of a repository's folder, in it. Its time of modification says when it was last used.
const LOCK: &str = "lock";

/// A folder's name by a digest.
pub(super) fn name(digest: &[u8]) -> String {
    hex(digest, NAME_BYTES)
}

/// Makes a repository's folder, and locks it until the file is dropped: another bench would change the trees.
///
/// # Errors
/// If files fail, or a signal comes while another bench has the lock.
pub(super) fn locked(folder: &Path, signals: &Interrupt) -> io::Result<File> {
    let path = folder.join(LOCK);
    let mut has_said = false;
    loop {
        fs::create_dir_all(folder)?;
        let lock = File::create(&path)?;
        while let Err(why) = lock.try_lock() {
            match why {
                TryLockError::WouldBlock if signals.signalled().is_none() => {
                    if !std::mem::replace(&mut has_said, true) {
                        eprintln!(
                            "Waiting for another bench of this repository to end (it holds {})",
                            path.display()
                        );
                    }
                    std::thread::sleep(LOCK_POLL);
                }
                other => return Err(other.into()),
            }
        }
        // Another process may have removed the folder in the meantime.
        let own = lock.metadata()?.ino();
        if fs::metadata(&path).is_ok_and(|there| there.ino() == own) {
            // If the time cannot be set, the folder may be removed too early, and is then made again.
            _ = lock.set_modified(SystemTime::now());
            return Ok(lock);
        }
    }
}

/// Removes the folders of other repositories that were not used for long and are not locked.
pub(super) fn prune(folder: &Path) {
    let is_old = |lock: &Path| {
        let modified = fs::metadata(lock).and_then(|meta| meta.modified());
        modified.is_ok_and(|at| at.elapsed().is_ok_and(|unused| unused > KEPT_UNUSED))
    };
    let others = folder.parent().into_iter().flat_map(digests_in).filter(|other| other != folder);
    for other in others.filter(|other| is_old(&other.join(LOCK))) {
        let Ok(lock) = File::open(other.join(LOCK)) else { continue };
        if lock.try_lock().is_ok() && is_old(&other.join(LOCK)) {
            // What cannot be removed now can be removed another time.
            _ = fs::remove_dir_all(&other);
        }
    }
}

/// The folders whose name is a digest.
fn digests_in(folder: &Path) -> impl Iterator<Item = PathBuf> {
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
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    #[test]
    fn a_repository_that_was_not_used_for_a_month_goes_unless_it_is_locked() {
        let cache = tempfile::tempdir().unwrap();
        let repository = |byte: u8, days: u32| {
            let folder = cache.path().join(name(&[byte; 32]));
            let lock = locked(&folder, &crate::measure::Interrupt::subscribe().unwrap()).unwrap();
            fs::create_dir_all(folder.join("base")).unwrap();
            lock.set_modified(SystemTime::now() - days * DAY).unwrap();
            (folder, lock)
        };
        let (own, _lock) = repository(1, 0);
        let (old, lock) = repository(2, 31);
        drop(lock);
        let (busy, _busy) = repository(3, 31);
        let (young, lock) = repository(4, 29);
        drop(lock);
        let foreign = cache.path().join("somebody");
        let no_lock = cache.path().join(name(&[5; 32]));
        [&foreign, &no_lock].iter().for_each(|folder| fs::create_dir(folder).unwrap());
        prune(&own);
        assert!(!old.exists());
        assert!([own, busy, young, foreign, no_lock].iter().all(|kept| kept.exists()));
    }
}
