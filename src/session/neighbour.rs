//! A note in the build folder that a bench is measuring, so that a second one can say that the two disturb each other.
//!
//! The note is a locked file, whose lock the system takes back when the process ends, however it ends. Nobody waits for it: who starts two
//! benches at once may have a reason, or two machines' worth of cores.

use std::fs::{self, File, TryLockError};
use std::path::Path;

/// The file's name in the folder.
const NAME: &str = "measuring";

/// Lies in the folder for as long as it lives.
#[derive(Debug)]
pub(crate) struct Note {
    _file: Option<File>,
    /// Whether somebody else's lay there before.
    pub(crate) has_neighbour: bool,
}

/// Leaves a note. Where none can be left nobody is told, and nothing fails for it.
pub(crate) fn leave_note(folder: &Path) -> Note {
    let file = fs::create_dir_all(folder).and_then(|()| File::create(folder.join(NAME)));
    let Ok(file) = file else { return Note { _file: None, has_neighbour: false } };
    let has_neighbour = matches!(file.try_lock(), Err(TryLockError::WouldBlock));
    Note { _file: Some(file), has_neighbour }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_of_two_hears_of_the_first_until_that_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = folder.path().join("target/plimsoll");
        let first = leave_note(&scratch);
        assert!(!first.has_neighbour);
        assert!(leave_note(&scratch).has_neighbour);
        drop(first);
        assert!(!leave_note(&scratch).has_neighbour);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("target"), "a file").unwrap();
        assert!(!leave_note(&folder.path().join("target/plimsoll")).has_neighbour);
    }
}
