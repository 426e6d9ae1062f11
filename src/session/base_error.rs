//! Why `--base-ref` has no base or no head to measure.

use std::io;
use std::path::{Path, PathBuf};

use crate::plan::Side;

/// Why there is nothing to compare.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BaseError {
    #[error("--base-ref: {} is not in a git repository: {why}", folder.display())]
    NoRepository { folder: PathBuf, why: String },
    #[error("--base-ref: git failed: {0}")]
    Git(String),
    #[error("--base-ref: HEAD has no commit yet")]
    NoHead,
    #[error("--base-ref {name}: no such commit in this clone: if the name is right, try `{remedy}`")]
    NoCommit { name: String, remedy: String },
    #[error(
        "--base-ref {0}: a range names two commits: write `A...B` for the commit where B branched off from A"
    )]
    Range(String),
    #[error(
        "--base-ref {name}: the two commits have no common ancestor in this clone: fetch the history (`fetch-depth: 0` in actions/checkout, \
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
        "--base-ref: {} is only a Git LFS pointer, its content was not fetched: try `git lfs fetch origin {commit}`",
        path.display()
    )]
    Lfs { path: PathBuf, commit: String },
    #[error(
        "--base-ref: this bench was not started by `cargo bench`, so plimsoll does not know how to build the two sides: pass the \
         command that builds one, such as --base-build 'cargo build --release'"
    )]
    NoCall,
    #[error(
        "--base-ref: cargo does not build `{program}`: pass its build command with --base-build (`--base-build true` if there is nothing \
         to build), or start base with --base-command"
    )]
    NotCargo { program: String },
    #[error(
        "--base-ref: several packages have a program named `{program}` ({packages}): pass the command that builds the right one, such as \
         --base-build 'cargo build --release -p PACKAGE'"
    )]
    Ambiguous { program: String, packages: String },
    #[error(
        "--base-copy {}: no such file or folder, neither in {} nor at the top of the repository, {}",
        path.display(),
        root.display(),
        top.display()
    )]
    Copy { path: PathBuf, root: PathBuf, top: PathBuf },
    #[error("--base-copy {}: a link in the tree of one side leads out of the repository", path.display())]
    CopyLeadsOut { path: PathBuf },
    #[error(
        "the cache folder {} is inside the repository, where cargo would treat it as part of your workspace: set PLIMSOLL_CACHE_DIR to a \
         folder outside",
        folder.display()
    )]
    CacheInside { folder: PathBuf },
    #[error(
        "--base-arg replaces the arguments of all groups, but `{one}` and `{other}` have different ones: measure one of them, by a filter"
    )]
    Arguments { one: String, other: String },
    #[error("--base-ref: cannot read or write {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{side} could not be built: `{command}` ended with {status}{output}")]
    Build { side: Side, command: String, status: std::process::ExitStatus, output: String },
    #[error("{side} was built, but the build did not produce `{program}`{place}")]
    NoProgram { side: Side, program: String, place: String },
    #[error(
        "cargo built {side} from {}, outside of its tree: use a relative path for `package.workspace` in Cargo.toml, or pass a build \
         command with --base-build",
        manifest.display()
    )]
    Outside { side: Side, manifest: PathBuf },
}

impl BaseError {
    /// The error of a failed call on this path.
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::File { path: path.to_owned(), source }
    }

    /// Whether the call is right, and something failed that it needs.
    pub(crate) fn is_failure(&self) -> bool {
        use BaseError::{Build, File, Git, NoProgram, Outside};
        matches!(self, Build { .. } | NoProgram { .. } | Outside { .. } | File { .. } | Git(_))
    }
}
