//! What a report says about base and head of `--base-ref`.

use super::text::{list, plural};
use crate::record::BaseRef;

/// What the user should know before the two sides are built.
pub(crate) fn base_warnings(base: &BaseRef) -> Vec<String> {
    let BaseRef { name, .. } = base;
    let commit = base.short_commit();
    let mut warnings = Vec::new();
    if base.merge_bases > 1 {
        warnings
            .push(format!("{name} has {} merge bases; base is the first one, {commit}", base.merge_bases));
    }
    if base.head_is_merge {
        warnings.push(format!(
            "HEAD is a merge commit, as CI makes one for a pull request; base is its parent {commit}"
        ));
    }
    if base.lacking > 0 {
        let commits = plural(base.lacking as u64, "commit");
        warnings.push(format!(
            "base has {commits} that head lacks; `--base-ref {name}...HEAD` compares with the commit where the branch began"
        ));
    }
    if !base.leading_back.is_empty() {
        warnings.push(format!(
            "both sides may run files of your working tree, which {} names by their full path",
            list(&base.leading_back)
        ));
    }
    warnings
}

/// The whole report of a call in which the two trees are the same.
pub(crate) fn same_trees(base: &BaseRef) -> String {
    format!(
        "Nothing to compare: the working tree is the same as base, {}. Nothing was built or measured.",
        base.described()
    )
}

/// Sentences on what was compared.
pub(super) fn notes(base: &BaseRef) -> Vec<String> {
    let programs = match base.programs.is_empty() {
        true => String::new(),
        false => format!(" Measured: {}.", list(&base.programs)),
    };
    let mut notes = vec![format!(
        "Base is {}, head is the working tree. Both were built by the same command.{programs}",
        base.described()
    )];
    if base.same_programs {
        let others = base.differing_count - base.differing.len().min(base.differing_count);
        let more = if others > 0 { format!(" and {others} more") } else { String::new() };
        let files = match base.differing_count {
            0 => "and no file differs".to_owned(),
            1 => format!("although one file differs: {}", base.differing.join(", ")),
            count => format!("although {count} files differ: {}{more}", base.differing.join(", ")),
        };
        notes.push(format!("The programs of base and head are the same to the byte, {files}."));
    }
    if let Some((of_base, of_head)) = &base.toolchains {
        notes.push(format!("Base was built with {of_base}, head with {of_head}."));
    }
    if !base.outside.is_empty() {
        notes.push(format!(
            "Both sides use the same packages from outside the repository: {}.",
            list(&base.outside)
        ));
    }
    notes.extend(base_warnings(base).into_iter().map(|warning| {
        let mut letters = warning.chars();
        letters
            .next()
            .map(|first| first.to_uppercase().chain(letters).collect::<String>() + ".")
            .unwrap_or_default()
    }));
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_makes_the_two_sides_unlike_is_said() {
        let base = BaseRef {
            name: "main".to_owned(),
            commit: "0123456789abcdef".to_owned(),
            lacking: 3,
            head_is_merge: true,
            differing: ["a", "b"].map(str::to_owned).to_vec(),
            differing_count: 4,
            programs: vec!["server of package shop".to_owned()],
            same_programs: true,
            outside: vec!["shared".to_owned()],
            toolchains: Some(("rustc 1.90.0".to_owned(), "rustc 1.95.0".to_owned())),
            ..BaseRef::default()
        };
        let expected = [
            "Base is main (0123456789), head is the working tree. Both were built by the same command. Measured: server of package shop.",
            "The programs of base and head are the same to the byte, although 4 files differ: a, b and 2 more.",
            "Base was built with rustc 1.90.0, head with rustc 1.95.0.",
            "Both sides use the same packages from outside the repository: shared.",
            "HEAD is a merge commit, as CI makes one for a pull request; base is its parent 0123456789.",
            "Base has 3 commits that head lacks; `--base-ref main...HEAD` compares with the commit where the branch began.",
        ];
        assert_eq!(notes(&base), expected);
        let several = BaseRef { name: "a...b".to_owned(), merge_bases: 2, ..BaseRef::default() };
        assert_eq!(base_warnings(&several), ["a...b has 2 merge bases; base is the first one, "]);
        let leading_back = vec![".venv/shop.pth".to_owned()];
        let shared = BaseRef { leading_back, ..BaseRef::default() };
        assert_eq!(
            base_warnings(&shared),
            ["both sides may run files of your working tree, which .venv/shop.pth names by their full path"]
        );
    }
}
