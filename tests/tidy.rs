//! Keeps the house as it is drawn in ARCHITECTURE.md: each file of `src/` says why it exists, and imports only from the rooms that
//! its own may know.

use std::fs;
use std::path::{Path, PathBuf};

/// Each room and the rooms that it may import from. The same table stands in ARCHITECTURE.md.
const ROOMS: &[(&str, &[&str])] = &[
    ("stats", &[]),
    ("plan", &[]),
    ("record", &["plan", "stats"]),
    ("measure", &["plan", "record"]),
    ("judge", &["record", "plan", "stats"]),
    ("calibrate", &["judge", "record", "plan", "stats"]),
    ("report", &["record", "judge", "plan", "stats"]),
    ("session", &["plan", "record", "measure", "judge", "report"]),
    ("bench", &["plan", "session"]),
    ("cli", &["session", "plan", "serve", "calibrate"]),
    ("serve", &["plan"]),
];

/// Files that are no room's: each room may use them, and they know none.
const TOOLS: &[(&str, &[&str])] = &[("hex", &[]), ("parallel", &[])];

/// What is wrong with one file of a room, given its path within `src/`.
fn complaints(path: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    if !text.starts_with("//! ") {
        complaints.push(format!("{path} does not begin with a //! head that says why it exists"));
    }
    let room = path.split('/').next().unwrap_or_default().trim_end_matches(".rs");
    let rooms = || ROOMS.iter().chain(TOOLS);
    let Some((_, allowed)) = rooms().find(|(name, _)| *name == room) else { return complaints };
    let own_mod = Path::new(path).parent().map(|folder| folder.display().to_string().replace('/', "::"));
    for (number, line) in code(text) {
        for import in imports(line) {
            if import != room && ROOMS.iter().any(|(name, _)| *name == import) && !allowed.contains(&import) {
                complaints
                    .push(format!("{path}:{number} imports from `{import}`, which `{room}` may not know"));
            }
        }
        let from_mod = own_mod.as_ref().is_some_and(|own| line.contains(&format!("use crate::{own}::{{")));
        if from_mod && !path.ends_with("mod.rs") && !path.ends_with("tests.rs") {
            complaints.push(format!("{path}:{number} imports from its own mod.rs"));
        }
    }
    complaints
}

/// The lines that are neither comments nor part of a file's tests, with their numbers.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    lines
        .take_while(|(_, line)| *line != "#[cfg(test)]")
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// The rooms that a line names by `crate::room`.
fn imports(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        &rest[..end]
    })
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("src is there") {
        let path = entry.expect("src can be read").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

#[test]
fn the_house_is_as_it_is_drawn() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    for file in rust_files(&source) {
        let text = fs::read_to_string(&file).expect("source is text");
        let path = file.strip_prefix(&source).expect("it lies in src").display().to_string();
        found.extend(complaints(&path, &text));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_table_of_rooms_stands_in_architecture_md() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let text = fs::read_to_string(path).expect("ARCHITECTURE.md is there");
    for (room, allowed) in ROOMS {
        let allowed: Vec<_> = allowed.iter().map(|name| format!("`{name}`")).collect();
        let allowed = if allowed.is_empty() { "–".to_owned() } else { allowed.join(", ") };
        let row = text.lines().find(|line| line.starts_with(&format!("| `{room}`")));
        let row = row.unwrap_or_else(|| panic!("no row for `{room}`"));
        assert!(
            row.trim_end().ends_with(&format!("| {allowed} |")),
            "`{room}` may import {allowed}, but: {row}"
        );
    }
}

#[test]
fn planted_violations_are_found() {
    let complaint = |path: &str, text: &str| complaints(path, text).join("\n");
    assert!(complaint("stats/x.rs", "use std::fs;\n").contains("head"));
    assert!(complaint("judge/x.rs", "//! Why.\nuse crate::measure::clock::Wall;\n").contains("`measure`"));
    assert!(
        complaint("plan/x.rs", "//! Why.\nfn f() { crate::record::metric(\"x\"); }\n").contains("`record`")
    );
    assert!(complaint("plan/x.rs", "//! Why.\nuse crate::plan::{Load};\n").contains("own mod.rs"));
    assert!(complaint("parallel.rs", "//! Why.\nuse crate::stats::holm;\n").contains("`stats`"));
    assert_eq!(complaint("stats/x.rs", "//! Why.\nuse crate::parallel;\n"), "");
    assert_eq!(complaint("judge/x.rs", "//! Why.\nuse crate::stats::holm;\n// crate::measure\n"), "");
    assert_eq!(complaint("plan/x.rs", "//! Why.\nuse crate::plan::load::Load;\n"), "");
}
