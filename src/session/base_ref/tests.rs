//! What is done to the user's repository while base is checked out.

use std::fs;

use super::*;

#[track_caller]
fn ask(folder: &Path, args: &[&str]) -> String {
    let identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"];
    text(git(folder).args(identity).args(args)).unwrap()
}

/// A repository with one commit at `of-user` in that folder.
fn repository(folder: &Path) -> Repository {
    let top = folder.join("of-user");
    fs::create_dir(&top).unwrap();
    ask(&top, &["init", "-q"]);
    ask(&top, &["commit", "-qm", "first", "--allow-empty"]);
    Repository::of(&top).unwrap()
}

#[test]
fn a_worktree_of_the_user_whose_disk_is_away_is_still_one_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let repository = repository(folder.path());
    let (own, away) = (folder.path().join("own"), folder.path().join("away"));
    ask(&repository.top, &["worktree", "add", "-q", "--detach", &own.to_string_lossy()]);
    fs::write(own.join("staged"), "of hours of work").unwrap();
    ask(&own, &["add", "staged"]);
    fs::rename(&own, &away).unwrap();
    let tree = folder.path().join("tree");
    repository.check_out("HEAD", &tree).unwrap();
    repository.remove(&tree);
    fs::rename(&away, &own).unwrap();
    assert_eq!(ask(&own, &["status", "--porcelain"]), "A  staged");
}

#[test]
fn a_worktree_of_ours_goes_whatever_is_left_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let repository = repository(folder.path());
    let tree = folder.path().join("tree");
    let mangles: [fn(&Path); 4] = [
        |_| (),
        |tree| fs::remove_file(tree.join(".git")).unwrap(),
        |tree| fs::remove_dir_all(tree).unwrap(),
        |tree| fs::write(tree.join("../of-user/.git/worktrees/tree/locked"), "initializing").unwrap(),
    ];
    for (at, mangle) in mangles.into_iter().enumerate() {
        repository.check_out("HEAD", &tree).unwrap();
        mangle(&tree);
        repository.remove(&tree);
        let left = ask(&repository.top, &["worktree", "list"]);
        assert!(!tree.exists() && left.lines().count() == 1, "{at}: {left}");
        repository.check_out("HEAD", &tree).unwrap();
        mangle(&tree);
        repository.check_out("HEAD", &tree).unwrap();
        repository.remove(&tree);
    }
}
