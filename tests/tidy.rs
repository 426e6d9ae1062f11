//! Holds `src/` to the structure that ARCHITECTURE.md describes: which module may import which, no import circles between files, and
//! few layers per module.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each module and the modules that it may import. ARCHITECTURE.md has the same table.
const MODULES: &[(&str, &[&str])] = &[
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
/// Files that every module may use, and that use none.
const TOOLS: &[(&str, &[&str])] = &[("encoding", &[]), ("hex", &[]), ("output", &[]), ("parallel", &[])];
/// A file is one layer above the highest file of its module that it imports.
const MAX_LAYERS: usize = 6;

/// Paths within `src/` and texts.
type Files = BTreeMap<String, String>;

fn source() -> Files {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut files = Files::new();
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(folder).expect("src can be read");
        for path in entries.map(|entry| entry.expect("src can be read").path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(&root).expect("it lies in src").display().to_string();
                files.insert(name, fs::read_to_string(&path).expect("source is text"));
            }
        }
    }
    files
}

/// `judge/cell.rs` is `judge::cell`, `judge/mod.rs` is `judge`.
fn module_of(path: &str) -> String {
    let path = PathBuf::from(path).with_extension("");
    path.display().to_string().trim_end_matches("/mod").replace('/', "::")
}

fn top(module: &str) -> &str {
    module.split("::").next().unwrap_or_default()
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("tests.rs") || path.contains("/tests/")
}

/// Lines of code with their numbers, without comments. With `tests` also those of the test module at the end.
fn code(text: &str, tests: bool) -> impl Iterator<Item = (usize, &str)> {
    let lines: Vec<&str> = text.lines().collect();
    let is_test_module = |at: usize| lines[at] == "#[cfg(test)]" && lines[at + 1..].contains(&"mod tests {");
    let end = (0..lines.len()).find(|at| !tests && is_test_module(*at)).unwrap_or(lines.len());
    let numbered = lines.into_iter().enumerate().take(end).map(|(at, line)| (at + 1, line));
    numbered.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// The paths that a line names after `crate::`, as `judge::cell::Cell`.
fn paths(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::").skip(1).map(|rest| {
        let is_path = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        rest[..rest.find(|c: char| !is_path(c)).unwrap_or(rest.len())].trim_end_matches(':')
    })
}

/// The files that each file imports, tests and re-exports left out. A `mod.rs` is not counted for files below it.
fn imports(files: &Files) -> BTreeMap<String, BTreeSet<String>> {
    let modules: BTreeSet<String> = files.keys().map(|path| module_of(path)).collect();
    let longest = |path: &str| {
        let ends = path.match_indices("::").map(|(at, _)| at).chain([path.len()]);
        ends.map(|end| path[..end].to_owned()).filter(|module| modules.contains(module)).last()
    };
    let of_file = |(path, text): (&String, &String)| {
        let own = module_of(path);
        let lines = code(text, false).filter(|(_, line)| !line.trim_start().starts_with("pub"));
        let found: BTreeSet<String> = lines.flat_map(|(_, line)| paths(line)).filter_map(longest).collect();
        let is_other = |module: &String| *module != own && !own.starts_with(&format!("{module}::"));
        (own.clone(), found.into_iter().filter(is_other).collect())
    };
    files.iter().filter(|(path, _)| !is_test_file(path)).map(of_file).collect()
}

/// How many files of the same module lie below each file, and the circle if there is one.
fn layer<'a>(
    module: &'a str,
    imports: &'a BTreeMap<String, BTreeSet<String>>,
    above: &mut Vec<&'a str>,
    known: &mut BTreeMap<&'a str, usize>,
) -> Result<usize, String> {
    if let Some(layer) = known.get(module) {
        return Ok(*layer);
    }
    if above.contains(&module) {
        return Err(format!("import circle: {} <-> {module}", above.join(" <-> ")));
    }
    above.push(module);
    let mut layers = 1;
    for below in imports.get(module).into_iter().flatten().filter(|below| top(below) == top(module)) {
        layers = layers.max(1 + layer(below, imports, above, known)?);
    }
    above.pop();
    known.insert(module, layers);
    Ok(layers)
}

fn complaints(files: &Files) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, text) in files {
        let own = module_of(path);
        let mut modules = MODULES.iter().chain(TOOLS);
        let Some((_, allowed)) = modules.find(|(name, _)| *name == top(&own)) else {
            if !["lib", "main"].contains(&top(&own)) {
                complaints.push(format!("{path} is not in the table of modules"));
            }
            continue;
        };
        for (number, line) in code(text, true) {
            if line.contains("crate::{") {
                complaints.push(format!("{path}:{number} imports from several modules at once"));
            }
            for import in paths(line).map(top).filter(|import| *import != top(&own)) {
                let is_module = MODULES.iter().any(|(name, _)| *name == import);
                if is_module && !allowed.contains(&import) {
                    complaints
                        .push(format!("{path}:{number} imports `{import}`, which `{}` may not", top(&own)));
                }
            }
            if line.contains("super::") && line.trim() != "use super::*;" {
                complaints.push(format!("{path}:{number} uses super::, not crate::"));
            }
        }
        if !is_test_file(path) && code(text, false).any(|(_, line)| line.trim() == "#[cfg(test)]") {
            let is_declaration = text.contains("#[cfg(test)]\nmod tests;");
            if !is_declaration || text.matches("#[cfg(test)]").count() > 1 {
                complaints.push(format!("{path} has #[cfg(test)] code apart from its test module"));
            }
        }
    }
    let imports = imports(files);
    let mut known = BTreeMap::new();
    for module in imports.keys() {
        match layer(module, &imports, &mut Vec::new(), &mut known) {
            Ok(layers) if layers > MAX_LAYERS => complaints.push(format!("{module} has {layers} layers")),
            Ok(_) => {}
            Err(circle) => complaints.push(circle),
        }
    }
    complaints
}

#[test]
fn the_source_keeps_to_its_structure() {
    let found = complaints(&source());
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn architecture_md_has_the_table_of_modules() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let text = fs::read_to_string(path).expect("ARCHITECTURE.md is there");
    for (module, allowed) in MODULES {
        let allowed: Vec<_> = allowed.iter().map(|name| format!("`{name}`")).collect();
        let allowed = if allowed.is_empty() { "–".to_owned() } else { allowed.join(", ") };
        let row = text.lines().find(|line| line.starts_with(&format!("| `{module}`")));
        let row = row.unwrap_or_else(|| panic!("no row for `{module}`"));
        assert!(row.ends_with(&format!("| {allowed} |")), "`{module}` may import {allowed}, but: {row}");
    }
}

#[test]
fn planted_violations_are_found() {
    let complaint = |files: &[(&str, &str)]| {
        let owned = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
        complaints(&files.iter().map(owned).collect()).join("\n")
    };
    assert!(complaint(&[("judge/x.rs", "use crate::measure::Clock;\n")]).contains("`measure`"));
    assert!(complaint(&[("plan/x.rs", "fn f() { crate::record::metric(\"x\"); }\n")]).contains("`record`"));
    assert!(complaint(&[("plan/x.rs", "use super::load::Load;\n")]).contains("super::"));
    assert!(complaint(&[("plan/x.rs", "#[cfg(test)]\nfn f() {}\n")]).contains("cfg(test)"));
    assert!(complaint(&[("plan/x.rs", "use crate::{measure::X};\n")]).contains("several modules"));
    assert!(complaint(&[("other/x.rs", "")]).contains("not in the table"));
    let (a, b) = (("plan/a.rs", "use crate::plan::b::B;\n"), ("plan/b.rs", "use crate::plan::a::A;\n"));
    assert!(complaint(&[a, b]).contains("import circle: plan::a <-> plan::b <-> plan::a"));
    let tower: Vec<(String, String)> = (0..=MAX_LAYERS)
        .map(|at| (format!("plan/f{at}.rs"), format!("use crate::plan::f{}::F;\n", at + 1)))
        .collect();
    let tower: Vec<(&str, &str)> = tower.iter().map(|(path, text)| (&**path, &**text)).collect();
    assert_eq!(complaint(&tower[1..]), "");
    assert!(complaint(&[&tower[..], &[("plan/f7.rs", "")]].concat()).contains("has 8 layers"));
    let tests =
        "use crate::stats::holm;\n// crate::measure\n#[cfg(test)]\nmod tests {\n    use super::*;\n}\n";
    assert_eq!(complaint(&[("judge/x.rs", tests)]), "");
}
