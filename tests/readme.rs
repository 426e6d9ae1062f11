//! The README shows what is really there: its bench file stands word for word in `benches/`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;

/// The code blocks of the README with that fence.
fn blocks(fence: &str) -> Vec<String> {
    let readme = fs::read_to_string("README.md").unwrap();
    let opening = format!("```{fence}\n");
    readme.split(&opening).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_bench_file_that_is_shown_is_the_one_that_runs() {
    let bookshop = fs::read_to_string("benches/bookshop.rs").unwrap();
    let shown = &blocks("rust,ignore")[0];
    assert!(shown.contains("fn bookshop") && bookshop.contains(shown.as_str()), "{shown}");
    let lines = shown.lines().filter(|line| !line.is_empty()).count();
    assert!(lines <= 20, "it is said to be short, and has {lines} lines");
}
