//! Why `--base-ref` has no base or no head to measure.

use std::io;
use std::path::{Path, PathBuf};

use crate::plan::Side;

/// Why there is nothing to compare.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BaseError {
    #[error("--base-ref needs git: {0}")]
    Git(String),
    #[error("--base-ref {name}: this clone does not have that commit: try `{remedy}`")]
    NoCommit { name: String, remedy: String },
    #[error(
        "--base-ref {0}: a range names two commits: write `A...B` for the commit where B branched off from A"
    )]
    Range(String),
    #[error(
        "--base-ref {name}: the two have no common commit in this clone: fetch the history (`fetch-depth: 0` in actions/checkout, \
         or `git fetch --unshallow`)"
    )]
    NoMergeBase { name: String },
    #[error(
        "--base-ref: the submodule {} lacks commit {commit}: try `git -C {} fetch origin {commit}`",
        path.display(),
        path.display()
    )]
    Submodule { path: PathBuf, commit: String },
    #[error(
        "--base-ref: the content of {} is not here, only its pointer of Git LFS: try `git lfs fetch origin {commit}`",
        path.display()
    )]
    Lfs { path: PathBuf, commit: String },
    #[error(
        "--base-ref: this bench was not started by `cargo bench`, so plimsoll does not know how to build the two sides: give the \
         command that builds one, such as --base-build 'cargo build --release'"
    )]
    NoCall,
    #[error(
        "--base-ref: cargo does not build `{program}`: give the command that prepares each of the two trees with --base-build \
         (`--base-build true` if there is nothing to build), or the command that starts base with --base-command"
    )]
    NotCargo { program: String },
    #[error(
        "--base-ref: several packages have a program named `{program}` ({packages}): give the command that builds it with --base-build"
    )]
    Ambiguous { program: String, packages: String },
    #[error(
        "--base-copy {}: not a file or folder of the repository {}",
        path.display(),
        top.display()
    )]
    Copy { path: PathBuf, top: PathBuf },
    #[error(
        "the cache folder {} lies in the repository, where cargo would take it for a part of it: set PLIMSOLL_CACHE_DIR to a folder \
         outside",
        folder.display()
    )]
    CacheInside { folder: PathBuf },
    #[error("--base-ref: cannot read or write {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{side} could not be built: `{command}` ended with {status}{output}")]
    Build { side: Side, command: String, status: std::process::ExitStatus, output: String },
    #[error("{side} was built, but has no program `{program}`{place}")]
    NoProgram { side: Side, program: String, place: String },
    #[error(
        "{side} was built from {}, outside of the tree that plimsoll made for it: name the package's workspace by a relative path, or \
         give the command that builds it with --base-build",
        manifest.display()
    )]
    Outside { side: Side, manifest: PathBuf },
}

impl BaseError {
    /// The error of a failed call on this path.
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { path: path.to_owned(), source }
    }

    /// Whether the call is right, and something could not be built.
    pub(crate) fn is_build(&self) -> bool {
        matches!(self, Self::Build { .. } | Self::NoProgram { .. } | Self::Outside { .. })
    }
}
