//! The documents of the repository are short and lead to each other.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::Path;

const MAX_LINES: usize = 120;

#[test]
fn the_readme_is_short() {
    let lines = fs::read_to_string("README.md").unwrap().lines().count();
    assert!(lines <= MAX_LINES, "README.md has {lines} lines");
}

/// The anchors of a document's headings, as GitHub makes them.
fn headings(document: &Path) -> Vec<String> {
    let text = fs::read_to_string(document).unwrap();
    let titles = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |title: &str| -> String {
        let words = title.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        words.chars().filter(|letter| letter.is_alphanumeric() || "-_".contains(*letter)).collect()
    };
    titles.map(anchor).collect()
}

#[test]
fn links_between_documents_lead_to_files() {
    let documents = fs::read_dir(".").unwrap().map(|entry| entry.unwrap().path());
    let mut found = 0;
    for document in documents.filter(|path| path.extension().is_some_and(|kind| kind == "md")) {
        let text = fs::read_to_string(&document).unwrap();
        let targets =
            text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
        for target in targets.filter(|target| !target.contains("://")) {
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { &document } else { Path::new(file) };
            assert!(file.exists(), "{} links to {target}", document.display());
            let is_there = heading.is_empty() || headings(file).iter().any(|anchor| anchor == heading);
            assert!(is_there, "{} links to {target}", document.display());
            found += 1;
        }
    }
    assert!(found > 0);
}
