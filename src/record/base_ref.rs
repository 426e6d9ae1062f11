//! What a duet by `--base-ref` compared, for the report.

use serde::{Deserialize, Serialize};

/// Digits of a commit's id that people read.
const DIGITS: usize = 10;

/// Base and head of a duet by `--base-ref`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BaseRef {
    /// What the user called base: `origin/main...HEAD`.
    pub name: String,
    /// The full id of its commit.
    pub commit: String,
    /// How many merge bases `A...B` has; base is the first. 0 without `...`.
    pub merge_bases: usize,
    /// Commits that base has and head lacks.
    pub lacking: usize,
    /// Whether HEAD is a merge commit and base one of its parents, as CI checks out for a pull request.
    pub head_is_merge: bool,
    /// The first paths in which the two trees differ.
    pub differing: Vec<String>,
    /// In how many paths they differ.
    pub differing_count: usize,
    /// The programs that were built of each tree: `server of package shop`.
    pub programs: Vec<String>,
    /// Whether the programs of both sides are the same to the byte.
    pub same_programs: bool,
    /// Packages outside the repository, which are the same on both sides.
    pub outside: Vec<String>,
    /// Files that `--base-copy` gave to both sides and that name files of the user's working tree, which both sides then share.
    pub leading_back: Vec<String>,
    /// The compilers of base and head, if they differ.
    pub toolchains: Option<(String, String)>,
}

impl BaseRef {
    /// The name of base and the first digits of its commit.
    pub(crate) fn described(&self) -> String {
        format!("{} ({})", self.name, self.short_commit())
    }

    /// The first digits of base's commit.
    pub(crate) fn short_commit(&self) -> &str {
        self.commit.get(..DIGITS).unwrap_or(&self.commit)
    }
}
